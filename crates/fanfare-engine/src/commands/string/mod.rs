//! Strings and counters.

pub(super) mod get;
pub(super) mod incr;
pub(super) mod set;
