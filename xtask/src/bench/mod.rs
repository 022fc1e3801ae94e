//! `cargo xtask bench`: Fanfare against redis-server on this machine, as a table of ratios.

mod ceiling;
mod client;
mod cpu;
mod latency;
mod load;
mod machine;
mod measure;
mod memory;
mod null;
mod options;
mod report;
mod results;
mod rows;
mod run;
mod server;
mod table;
mod wire;

pub(crate) use run::run;
