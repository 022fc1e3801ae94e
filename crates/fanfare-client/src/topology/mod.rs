//! Which connections a link has, and to which servers.

pub(crate) mod locator;
pub(crate) mod sentinel;
pub(crate) mod standalone;
