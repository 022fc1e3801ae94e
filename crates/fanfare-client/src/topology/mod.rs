//! Which connections a link has, and to which servers.

mod asked;
pub(crate) mod cluster;
pub(crate) mod connections;
pub(crate) mod health;
pub(crate) mod locator;
pub(crate) mod pool;
pub(crate) mod sentinel;
mod survey;
