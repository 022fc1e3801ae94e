//! [`Seed`]: how names are hashed.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

/// Hashes names for a [`HashTree`](super::HashTree). Each process has another one, so that clients can not foresee
/// which names collide; within a process all tables share it.
///
/// # Example
/// ```
/// use fanfare_engine::tree::Seed;
///
/// assert_eq!(Seed::new(1).hash(b"a"), Seed::new(1).hash(b"a"));
/// assert_ne!(Seed::new(1).hash(b"a"), Seed::new(2).hash(b"a"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Seed(u64);

impl Seed {
    /// Hashes as any other with this number.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The hash of a name.
    #[inline]
    #[must_use]
    pub fn hash(self, name: &[u8]) -> u64 {
        FixedState::with_seed(self.0).hash_one(name)
    }
}
