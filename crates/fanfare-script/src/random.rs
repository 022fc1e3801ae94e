//! `math.random` as Redis has it: the same sequence on every machine. It goes on from script to
//! script, as in Redis 7.

use std::cell::Cell;

/// The numbers come from below this.
pub(crate) const MAX: i32 = i32::MAX;

/// The generator of `lrand48`.
#[derive(Debug)]
pub(crate) struct Random(Cell<u64>);

impl Random {
    /// The generator before any seed.
    pub(crate) fn new() -> Self {
        Self(Cell::new(0x1234_ABCD_330E))
    }

    /// Begins anew.
    pub(crate) fn seed(&self, seed: i32) {
        self.0.set(u64::from(seed.cast_unsigned()) << 16 | 0x330E);
    }

    /// The next number, from 0 up.
    pub(crate) fn next(&self) -> i32 {
        let state = self.0.get().wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & 0xFFFF_FFFF_FFFF;
        self.0.set(state);
        i32::try_from(state >> 17).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_numbers_of_lrand48() {
        let random = Random::new();
        random.seed(0);
        assert_eq!(
            [random.next(), random.next(), random.next()],
            [366_850_414, 1_610_402_240, 206_956_554]
        );
    }
}
