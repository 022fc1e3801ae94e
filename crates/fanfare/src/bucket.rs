//! A token bucket. No I/O, no clock.

use std::time::{Duration, Instant};

/// The longest wait for a token that is told.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(86_400);

/// A token bucket: so many per second, and a number of them at once after a quiet time.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    capacity: f64,
    tokens: f64,
    filled_at: Instant,
}

impl Bucket {
    /// One that is full, with the tokens of a second, and at least one.
    pub(crate) fn new(per_second: f64, now: Instant) -> Self {
        Self::with_capacity(per_second, per_second.max(1.0), now)
    }

    /// One that is full.
    pub(crate) fn with_capacity(per_second: f64, capacity: f64, now: Instant) -> Self {
        Self { per_second, capacity, tokens: capacity, filled_at: now }
    }

    /// Takes a token, or says when there will be one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.fill(now);
        if self.tokens < 1.0 {
            let missing = Duration::try_from_secs_f64((1.0 - self.tokens) / self.per_second);
            // Who has to wait for years is told to ask again tomorrow.
            let missing = missing.map_or(ASK_AGAIN_AFTER, |it| it.min(ASK_AGAIN_AFTER));
            // A little more, so that rounding does not wake anybody too early.
            return Err(now + missing + Duration::from_millis(1));
        }
        self.tokens -= 1.0;
        Ok(())
    }

    /// Puts tokens, or parts of one, into it. What it can not hold is gone.
    pub(crate) fn put(&mut self, tokens: f64, now: Instant) {
        self.fill(now);
        self.tokens = (self.tokens + tokens).min(self.capacity);
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.capacity);
        self.filled_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_what_it_was_made_for() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10.0, start);
        assert_eq!((0..100).filter(|_| bucket.take(start).is_ok()).count(), 10);
        let mut now = start;
        for _ in 0..20 {
            now = bucket.take(now).unwrap_err();
            bucket.take(now).unwrap();
        }
        let took = now - start;
        assert!(Duration::from_secs(2) <= took && took < Duration::from_millis(2_100), "{took:?}");
        let mut slow = Bucket::new(0.5, start);
        slow.take(start).unwrap();
        assert!(start + Duration::from_secs(2) <= slow.take(start).unwrap_err());
        let mut never = Bucket::new(f64::MIN_POSITIVE, start);
        never.take(start).unwrap();
        assert!(start + ASK_AGAIN_AFTER <= never.take(start).unwrap_err());
    }

    #[test]
    fn what_is_put_in_can_be_taken_up_to_the_capacity() {
        let start = Instant::now();
        let mut bucket = Bucket::with_capacity(0.0, 2.0, start);
        assert_eq!((0..9).filter(|_| bucket.take(start).is_ok()).count(), 2);
        for _ in 0..5 {
            bucket.put(0.25, start);
        }
        assert_eq!((0..9).filter(|_| bucket.take(start).is_ok()).count(), 1);
        bucket.put(100.0, start);
        assert_eq!((0..9).filter(|_| bucket.take(start).is_ok()).count(), 2);
        // Nothing comes by itself.
        assert!(start + ASK_AGAIN_AFTER <= bucket.take(start).unwrap_err());
    }
}
