//! What the broker knows about itself: counters, slow log, latency samples, monitors, `INFO`.

mod info;
mod latency;
mod monitor;
mod process;
mod redact;
mod sampler;
mod slowlog;
mod stats;

pub(crate) use info::info;
pub(crate) use latency::{Latency, doctor, histogram};
pub(crate) use monitor::{Held, Monitors, line as monitor_line};
pub(crate) use process::idle_processors;
pub(crate) use redact::shown;
pub(crate) use sampler::{Sample, Sampler};
pub(crate) use slowlog::{Caller, SlowLog};
pub(crate) use stats::{CommandTotals, Count, Stats};
