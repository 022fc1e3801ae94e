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
}
