//! `cargo xtask bench`: Fanfare against redis-server on this machine, as a table of ratios.

mod ceiling;
mod client;
mod cpu;
mod keys;
mod latency;
mod load;
mod machine;
mod measure;
mod memory;
mod null;
mod operation;
mod options;
mod poll;
mod report;
mod results;
mod rows;
mod run;
mod script;
mod server;
mod stream;
mod table;
mod waiters;
mod wire;
mod workload;

pub(crate) use run::run;
