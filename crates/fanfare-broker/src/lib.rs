//! The Fanfare broker: a multi-core server that speaks Redis, to be run by `fanfare serve` or inside a program.
//!
//! ```
//! use fanfare_broker::Broker;
//!
//! let broker = Broker::builder().any_port().start()?;
//! let addr = broker.addr().expect("it listens on TCP");
//! // … any Redis client connects to `addr` …
//! broker.shutdown();
//! # Ok::<_, fanfare_broker::StartError>(())
//! ```
//!
//! Each reactor is a thread with its own connections; commands run to completion on the connection's own thread. See
//! `docs/adr/` for why it is so.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | directives, files, `CONFIG` |
//! | `net` | listening and connected sockets |
//! | `reactor` | the threads, their mailboxes, fan-out |
//! | `client` | outboxes and what is known about a client |
//! | `observe` | counters, slow log, latency, monitors, `INFO` |

mod broker;
mod client;
pub mod config;
mod error;
mod net;
mod observe;
mod reactor;
mod rewrite;
mod shared;
mod sync;

pub use broker::{Broker, Builder};
pub use error::StartError;
