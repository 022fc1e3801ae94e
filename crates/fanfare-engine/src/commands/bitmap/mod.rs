//! Strings as arrays of bits.

pub(super) mod bitcount;
pub(super) mod bitop;
pub(super) mod bitpos;
mod bits;
pub(super) mod setbit;
