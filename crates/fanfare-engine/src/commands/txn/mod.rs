//! Transactions.

pub(super) mod exec;
pub(super) mod multi;
pub(super) mod watch;
