//! Attempts within one call.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fanfare_client::Backoff;

use super::{
    CallService, Class,
    classify::Classifier,
    layered::{Around, layer, pass},
    unless_lost,
};
use crate::{BoxError, Call, bucket::Bucket, worker::now};

/// Tries again what failed, within the same call: for what passes within moments. What takes longer
/// is the worker's: it delivers an entry again, also after a crash.
///
/// It tries again what is [`Transient`](Class::Transient), after a pause that doubles, with jitter;
/// and what names a wait ([`RetryAfter`](super::RetryAfter), [`Refused`](super::Refused)), not before
/// that. The last error is returned as it is. It does not try again
///
/// - what is [`Permanent`](Class::Permanent);
/// - after the last of its [`attempts`](Self::attempts);
/// - if the wait would be longer than [`wait_max`](Self::wait_max): the call would keep its place;
/// - if the [`budget`](Self::budget), which all calls of this layer share, is used up: a dependency
///   that is broken is not hammered;
/// - if the entry or task is no longer this worker's ([`Call::is_lost`]): somebody else is at it. That
///   ends a pause, too.
///
/// Whoever clones a `Retry` shares its budget and counts; a setter makes one of its own.
///
/// # Delivery
/// The handler may run several times for one delivery, so it must stand that; it must for a
/// worker's redeliveries, too. A layer that turns errors into success, such as a dead letter, belongs
/// *outside* of this one, or nothing is left to be tried again: [`Stack`](super::Stack) has them in
/// order.
///
/// # Cancel safety
/// Dropping the call drops the attempt that runs; no more are made.
///
/// # Example: the second attempt goes well
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
/// use fanfare::{Call, Fanfare, Kind, layers::{Layer, Retry}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let attempts = Arc::new(AtomicU32::new(0));
/// let handler = move |_call: Call| {
///     let n = attempts.fetch_add(1, Ordering::Relaxed);
///     async move { if n == 0 { Err("connection reset") } else { Ok(()) } }
/// };
/// let retry = Retry::new().attempts(3);
/// let service = retry.layer(fanfare::service(handler, ()));
/// let router = fanfare.router().service(Kind::Channel, "orders", service).start().await?;
/// fanfare.publish("orders", "tea").await?;
/// assert_eq!(router.wait_finished(1).await.routes[0].handled, 1);
/// assert_eq!(retry.stats().retries, 1);
/// # router.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Retry {
    rules: Rules,
    budget: RetryBudget,
    counts: Arc<Counts>,
}

#[derive(Clone, Debug)]
struct Rules {
    attempts: u32,
    backoff: Backoff,
    wait_max: Duration,
    classifier: Classifier,
}

#[derive(Debug, Default)]
struct Counts {
    calls: AtomicU64,
    retries: AtomicU64,
    recovered: AtomicU64,
    exhausted: AtomicU64,
    out_of_budget: AtomicU64,
}

/// What a [`Retry`] has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryStats {
    /// Calls.
    pub calls: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Calls that went well, but not at the first attempt.
    pub recovered: u64,
    /// Calls that failed at the last attempt.
    pub exhausted: u64,
    /// Calls that were not tried again because the budget was used up.
    pub out_of_budget: u64,
}

impl Retry {
    /// Three attempts, with pauses of 50 ms at first and 5 s at most, and a budget of its own.
    pub fn new() -> Self {
        let backoff = Backoff { first: Duration::from_millis(50), cap: Duration::from_secs(5) };
        let wait_max = Duration::from_secs(30);
        let classifier = Classifier::default();
        let rules = Rules { attempts: 3, backoff, wait_max, classifier };
        Self::of(rules, RetryBudget::default())
    }

    fn of(rules: Rules, budget: RetryBudget) -> Self {
        Self { rules, budget, counts: Arc::default() }
    }

    /// Attempts at most, with the first. 0 counts as 1. Default: 3.
    #[must_use]
    pub fn attempts(self, attempts: u32) -> Self {
        Self::of(Rules { attempts: attempts.max(1), ..self.rules }, self.budget)
    }

    /// The pauses. Default: 50 ms at first, doubling up to 5 s, each shortened at random by up to half.
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self::of(Rules { backoff, ..self.rules }, self.budget)
    }

    /// The longest wait: what names a longer one is not tried again here. Default: 30 s.
    #[must_use]
    pub fn wait_max(self, wait_max: Duration) -> Self {
        Self::of(Rules { wait_max: wait_max.min(super::LONGEST), ..self.rules }, self.budget)
    }

    /// The budget, which may be that of other layers as well.
    #[must_use]
    pub fn budget(self, budget: RetryBudget) -> Self {
        Self::of(self.rules, budget)
    }

    /// What an error means, in place of [`classify`](super::classify).
    #[must_use]
    pub fn classify(
        self,
        classify: impl Fn(&(dyn std::error::Error + 'static)) -> Class + Send + Sync + 'static,
    ) -> Self {
        Self::of(Rules { classifier: Classifier::new(classify), ..self.rules }, self.budget)
    }

    /// The counts so far.
    pub fn stats(&self) -> RetryStats {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RetryStats {
            calls: get(&self.counts.calls),
            retries: get(&self.counts.retries),
            recovered: get(&self.counts.recovered),
            exhausted: get(&self.counts.exhausted),
            out_of_budget: get(&self.counts.out_of_budget),
        }
    }

    /// How long to wait before the next attempt; `None`: there is to be none.
    fn pause(&self, class: Class, n_failed: u32, unit: f64) -> Option<Duration> {
        let wait = class.retry_after()?;
        if self.rules.attempts <= n_failed {
            count(&self.counts.exhausted);
            return None;
        }
        let pause = self.rules.backoff.delay(n_failed, unit).max(wait);
        if self.rules.wait_max < pause {
            return None;
        }
        if !self.budget.withdraw() {
            count(&self.counts.out_of_budget);
            return None;
        }
        Some(pause)
    }
}

fn count(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

impl Default for Retry {
    fn default() -> Self {
        Self::new()
    }
}

impl Around for Retry {
    async fn around<S: CallService>(&self, call: Call, inner: &S) -> Result<(), BoxError> {
        count(&self.counts.calls);
        self.budget.deposit();
        let mut n_failed = 0;
        loop {
            let Err(error) = pass(inner, call.clone()).await else {
                if 0 < n_failed {
                    count(&self.counts.recovered);
                }
                return Ok(());
            };
            n_failed += 1;
            let class = self.rules.classifier.class(&error);
            if call.is_lost() {
                return Err(error);
            }
            let Some(pause) = self.pause(class, n_failed, rand::random()) else {
                return Err(error);
            };
            tracing::debug!(%error, n_failed, ?pause, source = %call.source(), "to be tried again");
            if unless_lost(&call, tokio::time::sleep(pause)).await.is_none() {
                return Err(error);
            }
            count(&self.counts.retries);
        }
    }
}

layer!(Retry);

/// How much may be tried again by all who share it: a part of what is called, and a few per second
/// so that a program with little to do may try again at all. When everything fails, what a dependency
/// gets is more by this part, and not three times as much.
///
/// # Example: one budget for two layers
/// ```
/// use fanfare::layers::{Retry, RetryBudget};
///
/// let budget = RetryBudget::new(0.1, 1.0);
/// let (reads, writes) = (Retry::new().budget(budget.clone()), Retry::new().budget(budget));
/// # let _ = (reads, writes);
/// ```
#[derive(Clone, Debug)]
pub struct RetryBudget {
    ratio: f64,
    bucket: Arc<Mutex<Option<Bucket>>>,
    per_second: f64,
}

impl RetryBudget {
    /// For each call `ratio` of a retry (0.2: one for five calls), and `per_second` in any case. It
    /// holds what ten seconds or 100 calls give, and is full at first. What is below 0 or not a
    /// number counts as 0.
    pub fn new(ratio: f64, per_second: f64) -> Self {
        let (ratio, per_second) = (ratio.max(0.0), per_second.max(0.0));
        Self { ratio, per_second, bucket: Arc::default() }
    }

    fn deposit(&self) {
        self.with(|bucket, now| bucket.put(self.ratio, now));
    }

    fn withdraw(&self) -> bool {
        self.with(|bucket, now| bucket.take(now).is_ok())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Bucket, std::time::Instant) -> T) -> T {
        let now = now();
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = bucket.get_or_insert_with(|| {
            let capacity = (self.per_second * 10.0).max(self.ratio * 100.0);
            Bucket::with_capacity(self.per_second, capacity, now)
        });
        act(bucket, now)
    }
}

impl Default for RetryBudget {
    /// A retry for five calls, and 5 per second.
    fn default() -> Self {
        Self::new(0.2, 5.0)
    }
}

#[cfg(test)]
mod tests;
