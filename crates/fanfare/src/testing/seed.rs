//! Seeds of random tests.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The seed of this run: `FANFARE_SEED` if it is set, else a random one. It is printed to standard
/// error, so that a test that fails tells how it can be repeated.
///
/// # Panics
/// If `FANFARE_SEED` is not a number.
///
/// # Example: a random test
/// ```
#[doc = concat!("use ", here!(), "::{Rng, seed};")]
///
/// let mut rng = Rng::new(seed());
/// assert!(rng.below(6) < 6);
/// ```
pub fn seed() -> u64 {
    let seed = match std::env::var("FANFARE_SEED") {
        Ok(text) => match text.trim().parse() {
            Ok(seed) => seed,
            Err(_) => panic!("FANFARE_SEED must be a number, not `{text}`"),
        },
        Err(_) => RandomState::new().build_hasher().finish(),
    };
    eprintln!("seed: {seed} (repeat with FANFARE_SEED={seed})");
    seed
}

/// A small generator (SplitMix64) that gives the same numbers for the same seed, in every release.
/// Not for secrets.
///
/// # Example: the same numbers again
/// ```
#[doc = concat!("use ", here!(), "::Rng;")]
///
/// assert_eq!(Rng::new(7).next_u64(), Rng::new(7).next_u64());
/// ```
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator that begins with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64().checked_rem(bound).unwrap_or(0)
    }
}
