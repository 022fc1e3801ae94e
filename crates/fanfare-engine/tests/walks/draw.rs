//! Draws from a seeded generator.

use fanfare_testkit::Rng;

/// A source of random choices, and which times the words that it chooses may name.
pub(crate) struct Draw {
    rng: Rng,
    /// Whether time passes as the test says; otherwise a real clock runs beside it, and only times are drawn that are
    /// over already or far away.
    pub(crate) has_own_clock: bool,
    /// Whether nearly all commands are about streams.
    pub(crate) is_about_streams: bool,
    /// The time of the last ID that was drawn for an entry of a stream.
    pub(crate) last_ms: u64,
}

impl Draw {
    pub(crate) fn new(seed: u64, has_own_clock: bool) -> Self {
        Self { rng: Rng::new(seed), has_own_clock, is_about_streams: false, last_ms: 1 }
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.rng.below(n as u64)).expect("it is below a usize")
    }

    /// True once in `n` times.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// A number of any size.
    pub(crate) fn number(&mut self) -> u64 {
        let shift = self.rng.below(64);
        self.rng.next_u64() >> shift
    }

    /// Between `-n` and `n`.
    pub(crate) fn around_zero(&mut self, n: usize) -> i64 {
        i64::try_from(self.below(2 * n + 1)).expect("few") - i64::try_from(n).expect("few")
    }
}
