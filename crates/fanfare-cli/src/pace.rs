//! A fixed rate, or none.

use std::time::Duration;

use tokio::time::Instant;

/// Says when the next messages are due.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    per_second: Option<f64>,
    n_taken: u64,
    catch_up_max: Duration,
    is_precise: bool,
}

/// The runtime's timers are as coarse as this.
const COARSE: Duration = Duration::from_millis(2);

impl Pace {
    /// `per_second` messages a second from now on; with `None` everything is due at once. Whoever
    /// falls behind by more than `catch_up_max` is forgiven the rest.
    pub(crate) fn new(per_second: Option<f64>, catch_up_max: Duration) -> Self {
        Self { start: Instant::now(), per_second, n_taken: 0, catch_up_max, is_precise: false }
    }

    /// Waits on a thread of its own where the runtime's timers, which count in milliseconds, are too
    /// coarse.
    pub(crate) fn precise(self) -> Self {
        Self { is_precise: true, ..self }
    }

    /// Waits until at least one message is due, and returns how many are, at most `n_max`.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub(crate) async fn due(&mut self, n_max: usize) -> usize {
        let Some(per_second) = self.per_second else { return n_max };
        let next_at = self.scheduled(self.n_taken);
        self.sleep_until(next_at).await;
        let now = Instant::now();
        let late = now.saturating_duration_since(next_at);
        if self.catch_up_max < late {
            self.start += late - self.catch_up_max;
        }
        let elapsed = now.saturating_duration_since(self.start);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "neither factor is negative, and `as` saturates"
        )]
        let n_scheduled = (elapsed.as_secs_f64() * per_second) as u64;
        let n_due = (n_scheduled + 1).saturating_sub(self.n_taken).max(1);
        usize::try_from(n_due).unwrap_or(n_max).min(n_max)
    }

    async fn sleep_until(&self, next_at: Instant) {
        if !self.is_precise {
            return tokio::time::sleep_until(next_at).await;
        }
        let left = || next_at.saturating_duration_since(Instant::now());
        if COARSE < left() {
            tokio::time::sleep(left() - COARSE).await;
        }
        let left = left();
        if !left.is_zero() {
            // It can not panic, and if the runtime ends, so do we.
            let _ = tokio::task::spawn_blocking(move || std::thread::sleep(left)).await;
        }
    }

    /// Counts messages that were due.
    pub(crate) fn take(&mut self, n: usize) {
        self.n_taken += n as u64;
    }

    /// When the message with this number, from 0, is due; now, if there is no rate.
    pub(crate) fn scheduled(&self, idx: u64) -> Instant {
        match self.per_second {
            #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 messages")]
            Some(per_second) => self.start + Duration::from_secs_f64(idx as f64 / per_second),
            None => Instant::now(),
        }
    }

    /// How many have been taken.
    pub(crate) fn n_taken(&self) -> u64 {
        self.n_taken
    }
}

/// Parses a rate in messages a second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number of messages a second".to_owned())?;
    if !(1e-3..=1e9).contains(&value) {
        return Err("a rate is a number of messages a second from 0.001 to 1000000000".to_owned());
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rate_gives_no_more_than_was_scheduled() {
        let mut pace = Pace::new(Some(1e6), Duration::MAX);
        let mut n = 0;
        while n < 1000 {
            let due = pace.due(100).await;
            assert!((1..=100).contains(&due));
            pace.take(due);
            n += due;
        }
        assert!(Duration::from_micros(999) <= pace.start.elapsed());
        assert_eq!(pace.n_taken(), n as u64);
    }

    #[tokio::test]
    async fn without_a_rate_everything_is_due() {
        assert_eq!(Pace::new(None, Duration::MAX).due(7).await, 7);
    }

    #[test]
    fn rates_are_positive_and_finite() {
        assert!(rate("0.5").is_ok());
        assert!(["0", "-1", "NaN", "inf", "x"].iter().all(|it| rate(it).is_err()));
    }
}
