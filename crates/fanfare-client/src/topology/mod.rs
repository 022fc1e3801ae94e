//! Which connections a link has.

pub(crate) mod standalone;
