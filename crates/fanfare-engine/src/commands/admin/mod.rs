//! Commands for operators: configuration, statistics, diagnosis.

pub(super) mod config;
pub(super) mod debug;
pub(super) mod info;
pub(super) mod latency;
pub(super) mod memory;
pub(super) mod monitor;
pub(super) mod role;
pub(super) mod shutdown;
pub(super) mod slowlog;
pub(super) mod time;
