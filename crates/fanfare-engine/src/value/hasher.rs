//! The hash function of fields and members.

use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;

use foldhash::fast::FixedState;

/// One for all values of the process: a hash per value would cost each of them 8 bytes.
static STATE: OnceLock<FixedState> = OnceLock::new();

/// Keys the hash function, unless it was used before: give each process another seed, or clients can find names that
/// collide.
pub(crate) fn seed(seed: u64) {
    STATE.get_or_init(|| FixedState::with_seed(seed));
}

/// The hash function of a table that lives for one command.
pub(crate) fn state() -> FixedState {
    STATE.get_or_init(|| FixedState::with_seed(0)).clone()
}

/// The hash of a field or a member.
#[inline]
pub(crate) fn hash(name: &[u8]) -> u64 {
    let mut hasher = STATE.get_or_init(|| FixedState::with_seed(0)).build_hasher();
    hasher.write(name);
    hasher.finish()
}
