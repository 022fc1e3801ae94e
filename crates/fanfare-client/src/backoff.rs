//! How long to wait before the next attempt to connect: exponential, jittered, capped, endless.

use std::time::Duration;

/// The schedule of reconnect attempts.
///
/// The first retry comes at once or nearly so, since most losses are a restarted server; then the
/// delay doubles up to `cap`. Each delay is spread by jitter over half of itself, so that a
/// thousand clients of one server do not come back in the same millisecond. It never gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Longest delay before the first retry.
    pub first: Duration,
    /// Longest delay of all.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(20), cap: Duration::from_secs(5) }
    }
}

impl Backoff {
    /// The delay before attempt `n_failed` (1 is the first retry). `unit` is a random number in
    /// `0.0..1.0`.
    pub fn delay(&self, n_failed: u32, unit: f64) -> Duration {
        let doublings = n_failed.saturating_sub(1).min(31);
        let longest = self.first.saturating_mul(1 << doublings).min(self.cap);
        longest.mul_f64(0.5 + unit.clamp(0.0, 1.0) / 2.0)
    }
}

/// The pauses before a connection that is lost is made again.
///
/// A server may take every connection and close it again at once, and then a success is none: a
/// connection on which nothing was heard, and that has not lived for as long as was waited before
/// it, counts as another failed attempt.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    n_short: u32,
    last: Duration,
}

impl Pauses {
    /// How long to wait now that a connection is lost on which nothing was heard for so long
    /// (`None`: something was). `unit` is a random number in `0.0..1.0`.
    pub(crate) fn next(
        &mut self,
        backoff: &Backoff,
        silent: Option<Duration>,
        unit: f64,
    ) -> Duration {
        let is_short = silent.is_some_and(|silent| silent < self.last);
        self.n_short = if is_short { self.n_short.saturating_add(1) } else { 0 };
        self.last = backoff.delay(self.n_short.saturating_add(1), unit);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_are_spread_over_half_of_it() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(1, 1.0), Duration::from_millis(20));
        assert_eq!(backoff.delay(1, 0.0), Duration::from_millis(10));
        assert_eq!(backoff.delay(3, 1.0), Duration::from_millis(80));
        for n_failed in [10, 100, u32::MAX] {
            assert_eq!(backoff.delay(n_failed, 1.0), Duration::from_secs(5));
            assert_eq!(backoff.delay(n_failed, 0.0), Duration::from_millis(2500));
        }
    }

    #[test]
    fn a_connection_that_is_closed_at_once_counts_as_a_failed_attempt() {
        let (backoff, mut pauses) = (Backoff::default(), Pauses::default());
        let ms = Duration::from_millis;
        let mut next = |silent| pauses.next(&backoff, silent, 1.0);
        let short = Some(ms(1));
        assert_eq!([next(short), next(short), next(short)], [ms(20), ms(40), ms(80)]);
        for _ in 0..20 {
            next(short);
        }
        assert_eq!(next(Some(ms(4_999))), ms(5_000));
        assert_eq!([next(Some(ms(5_000))), next(short), next(None)], [ms(20), ms(40), ms(20)]);
    }
}
