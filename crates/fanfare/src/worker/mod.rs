//! Workers: programs that share the entries of a stream, each of which is handled at least once.

mod context;
mod dead;
mod keeper;
mod ledger;
mod options;
mod rules;
mod run;
mod shared;
mod stats;
mod wire;

pub use context::Context;
pub use dead::{DeadLetter, DeadLetters};
pub use options::Worker;
pub(crate) use rules::RETRY_CONSUMER;
pub use run::RunningWorker;
pub use stats::{Counts, WorkerEvent, WorkerEvents, WorkerState, WorkerStats};
