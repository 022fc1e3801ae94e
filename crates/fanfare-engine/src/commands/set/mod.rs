//! Sets.

pub(super) mod sadd;
pub(super) mod scard;
pub(super) mod sdiff;
pub(super) mod sinter;
pub(super) mod sismember;
pub(super) mod smembers;
pub(super) mod smove;
mod sources;
pub(super) mod spop;
pub(super) mod srandmember;
pub(super) mod srem;
pub(super) mod sscan;
pub(super) mod sunion;
