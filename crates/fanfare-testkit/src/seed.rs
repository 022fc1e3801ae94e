//! Seeds of randomised tests.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The seed of this run: `FANFARE_SEED` if it is set, else a random one. Printed to standard
/// error, so that a failing test tells how to repeat itself.
///
/// # Panics
/// If `FANFARE_SEED` is not a number.
#[must_use]
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

/// A small generator (SplitMix64) for tests that need repeatable numbers and nothing else.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator that gives the same numbers for the same seed.
    #[must_use]
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

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn same_seed_gives_same_numbers() {
        let (mut left, mut right) = (Rng::new(7), Rng::new(7));
        assert!((0..100).all(|_| left.next_u64() == right.next_u64()));
        assert!((0..100).all(|_| left.below(3) < 3));
        assert_eq!(left.below(0), 0);
    }
}
