//! Limits within this program: calls at the same time, and calls in a time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Mutex, Semaphore};

use super::{
    CallService, LONGEST, Refused, RefusedReason,
    layered::{Around, layer, pass},
    unless_lost,
};
use crate::{BoxError, Call, bucket::Bucket, worker::now};

/// What a limit has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitStats {
    /// Calls that were let through.
    pub passed: u64,
    /// Calls that had to wait.
    pub waited: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Calls that the broker could not be asked about at the first attempt. Limits within the program
    /// ask none.
    pub away: u64,
    /// Calls that went on although their place had gone to another: the program, or the broker, had
    /// stood still for longer than the lease. Only of limits on calls at the same time that are
    /// shared.
    pub overrun: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) passed: AtomicU64,
    pub(super) waited: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) away: AtomicU64,
    pub(super) overrun: AtomicU64,
}

impl Counts {
    pub(super) fn read(&self) -> LimitStats {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        LimitStats {
            passed: get(&self.passed),
            waited: get(&self.waited),
            refused: get(&self.refused),
            away: get(&self.away),
            overrun: get(&self.overrun),
        }
    }
}

pub(super) fn count(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// So many calls at the same time, in this program. Others wait, first come, first served; after
/// [`wait_max`](Self::wait_max) they are [`Refused`].
///
/// A worker and a router have a limit of their own for each handler (`concurrency`). This one is for
/// what several handlers share, such as a pool of connections: clones share the places, a setter
/// makes a limit of its own. For several programs there is
/// [`SharedConcurrencyLimit`](super::SharedConcurrencyLimit).
///
/// # Cancel safety
/// A call that is dropped gives its place, or its turn, back.
///
/// # Example: two handlers, ten connections
/// ```
/// use fanfare::{Call, layers::{ConcurrencyLimit, Layer}};
///
/// let pool = ConcurrencyLimit::new(10);
/// let reads = pool.layer(fanfare::service(async |_call: Call| {}, ()));
/// let writes = pool.layer(fanfare::service(async |_call: Call| {}, ()));
/// # let _ = (reads, writes);
/// ```
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit {
    name: Arc<str>,
    n: usize,
    wait_max: Duration,
    places: Arc<Semaphore>,
    counts: Arc<Counts>,
}

impl ConcurrencyLimit {
    /// So many places. 0 counts as 1.
    pub fn new(n: usize) -> Self {
        Self::of("concurrency".into(), n.clamp(1, Semaphore::MAX_PERMITS), LONGEST)
    }

    fn of(name: Arc<str>, n: usize, wait_max: Duration) -> Self {
        let (places, counts) = (Arc::new(Semaphore::new(n)), Arc::default());
        Self { name, n, wait_max, places, counts }
    }

    /// A name, which its errors say. Default: `concurrency`.
    #[must_use]
    pub fn name(self, name: impl Into<Arc<str>>) -> Self {
        Self::of(name.into(), self.n, self.wait_max)
    }

    /// The longest wait for a place; zero: it refuses at once. Default: a year.
    #[must_use]
    pub fn wait_max(self, wait_max: Duration) -> Self {
        Self::of(self.name, self.n, wait_max.min(LONGEST))
    }

    /// The counts so far.
    pub fn stats(&self) -> LimitStats {
        self.counts.read()
    }
}

impl Around for ConcurrencyLimit {
    async fn around<S: CallService>(&self, call: Call, inner: &S) -> Result<(), BoxError> {
        let refused = || {
            count(&self.counts.refused);
            // Nobody knows when a place will be free.
            let wait = Duration::from_secs(1);
            Err(Refused::new(RefusedReason::Concurrency, &self.name, wait).into())
        };
        let place = match self.places.try_acquire() {
            Ok(place) => place,
            Err(_) if self.wait_max.is_zero() => return refused(),
            Err(_) => {
                count(&self.counts.waited);
                let place = tokio::time::timeout(self.wait_max, self.places.acquire());
                match unless_lost(&call, place).await {
                    Some(Ok(Ok(place))) => place,
                    // The semaphore is never closed.
                    Some(Ok(Err(_)) | Err(_)) | None => return refused(),
                }
            }
        };
        count(&self.counts.passed);
        let result = pass(inner, call).await;
        drop(place);
        result
    }
}

layer!(ConcurrencyLimit);

/// So many calls per second, in this program. Others wait, first come, first served; who would have
/// to wait for longer than [`wait_max`](Self::wait_max) is [`Refused`], with the time after which it
/// makes sense to ask again.
///
/// Clones share the limit, a setter makes one of its own. For several programs there is
/// [`SharedRateLimit`](super::SharedRateLimit).
///
/// # Cancel safety
/// A call that is dropped while it waits gives its turn back; what it was granted is used up.
///
/// # Example: a service that allows 50 requests per second
/// ```
/// use fanfare::{Call, layers::{Layer, RateLimit}};
///
/// let limit = RateLimit::per_second(50.0).burst(10);
/// let service = limit.layer(fanfare::service(async |_call: Call| {}, ()));
/// # let _ = service;
/// ```
#[derive(Clone, Debug)]
pub struct RateLimit {
    name: Arc<str>,
    per_second: f64,
    burst: u32,
    wait_max: Duration,
    /// Made with the first call, since it begins at a time. Held by who waits, so that the others
    /// are behind it.
    bucket: Arc<Mutex<Option<Bucket>>>,
    counts: Arc<Counts>,
}

impl RateLimit {
    /// So many per second, and at once after a quiet time as many as in a second. What is not above 0
    /// counts as one in a day.
    pub fn per_second(per_second: f64) -> Self {
        let per_second = at_least_slow(per_second);
        Self::of("rate".into(), per_second, in_a_second(per_second), LONGEST)
    }

    fn of(name: Arc<str>, per_second: f64, burst: u32, wait_max: Duration) -> Self {
        let (bucket, counts) = (Arc::default(), Arc::default());
        Self { name, per_second, burst, wait_max, bucket, counts }
    }

    /// How many may come at once after a quiet time. 0 counts as 1. Default: those of a second.
    #[must_use]
    pub fn burst(self, n: u32) -> Self {
        Self::of(self.name, self.per_second, n.max(1), self.wait_max)
    }

    /// A name, which its errors say. Default: `rate`.
    #[must_use]
    pub fn name(self, name: impl Into<Arc<str>>) -> Self {
        Self::of(name.into(), self.per_second, self.burst, self.wait_max)
    }

    /// The longest wait; zero: it refuses at once. Default: a year.
    #[must_use]
    pub fn wait_max(self, wait_max: Duration) -> Self {
        Self::of(self.name, self.per_second, self.burst, wait_max.min(LONGEST))
    }

    /// The counts so far.
    pub fn stats(&self) -> LimitStats {
        self.counts.read()
    }

    /// Waits for leave until then.
    async fn leave(&self, until: Instant) -> Result<(), Refused> {
        let refused = |wait| Refused::new(RefusedReason::Rate, &self.name, wait);
        let turn = async {
            let mut bucket = self.bucket.lock().await;
            let bucket = bucket.get_or_insert_with(|| {
                Bucket::with_capacity(self.per_second, f64::from(self.burst), now())
            });
            let mut has_waited = false;
            loop {
                let now = now();
                let Err(at) = bucket.take(now) else { return Ok(()) };
                if until < at {
                    return Err(refused(at.saturating_duration_since(until.max(now))));
                }
                if !has_waited {
                    count(&self.counts.waited);
                    has_waited = true;
                }
                tokio::time::sleep_until(at.into()).await;
            }
        };
        // Who waits in front of this one may do so for longer than it may itself.
        match tokio::time::timeout_at(until.into(), turn).await {
            Ok(result) => result,
            Err(_) => Err(refused(Duration::from_secs_f64(1.0 / self.per_second))),
        }
    }
}

impl Around for RateLimit {
    async fn around<S: CallService>(&self, call: Call, inner: &S) -> Result<(), BoxError> {
        match unless_lost(&call, self.leave(now() + self.wait_max)).await {
            Some(Ok(())) => {}
            Some(Err(refused)) => {
                count(&self.counts.refused);
                return Err(refused.into());
            }
            None => {
                count(&self.counts.refused);
                let soon = Duration::from_secs(1);
                return Err(Refused::new(RefusedReason::Rate, &self.name, soon).into());
            }
        }
        count(&self.counts.passed);
        pass(inner, call).await
    }
}

layer!(RateLimit);

/// A rate with which can be reckoned.
pub(super) fn at_least_slow(per_second: f64) -> f64 {
    const ONE_IN_A_DAY: f64 = 1.0 / 86_400.0;
    const AS_GOOD_AS_UNLIMITED: f64 = 1_000_000.0;
    if per_second.is_nan() {
        ONE_IN_A_DAY
    } else {
        per_second.clamp(ONE_IN_A_DAY, AS_GOOD_AS_UNLIMITED)
    }
}

/// How many come in a second, and at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is between 1 and a million"
)]
pub(super) fn in_a_second(per_second: f64) -> u32 {
    per_second.clamp(1.0, 1_000_000.0) as u32
}

#[cfg(test)]
mod models;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::future::join_all;
    use tokio::time::Instant;
    use tower_layer::Layer;

    use super::*;
    use crate::layers::fixture::{SECOND, call, delivered, run};

    #[tokio::test(start_paused = true)]
    async fn so_many_run_at_the_same_time_and_the_others_wait() {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, highest) = (running.clone(), most.clone());
        let handler = move || {
            highest.fetch_max(counted.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            let counted = counted.clone();
            async move {
                tokio::time::sleep(SECOND).await;
                counted.fetch_sub(1, Ordering::Relaxed);
            }
        };
        let handler = crate::service::<_, (), (), Call>(handler, ());
        let limit = ConcurrencyLimit::new(3);
        let (one, other) = (limit.layer(handler.clone()), limit.layer(handler.clone()));
        let begun = Instant::now();
        let calls = (0..12).map(|n| run(if n % 2 == 0 { &one } else { &other }, call("x")));
        assert!(join_all(calls).await.iter().all(Result::is_ok));
        assert_eq!((most.load(Ordering::Relaxed), begun.elapsed()), (3, 4 * SECOND));
        assert_eq!((limit.stats().passed, limit.stats().waited), (12, 9));

        let impatient = ConcurrencyLimit::new(1).name("pool").wait_max(SECOND / 2);
        let service = impatient.layer(handler);
        let results = join_all((0..2).map(|_| run(&service, call("x")))).await;
        let refused = results[1].as_ref().unwrap_err().downcast_ref::<Refused>().unwrap();
        assert_eq!((refused.reason, &*refused.name), (RefusedReason::Concurrency, "pool"));
        // A call that is dropped gives its place back.
        let _ = tokio::time::timeout(SECOND / 4, run(&service, call("x"))).await;
        run(&service, call("x")).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn calls_come_at_the_rate_in_order() {
        let limit = RateLimit::per_second(10.0).burst(5);
        let service = limit.layer(crate::service::<_, (), (), Call>(async || {}, ()));
        let begun = Instant::now();
        let at = join_all((0..105).map(|_| async {
            run(&service, call("x")).await.unwrap();
            begun.elapsed()
        }))
        .await;
        assert!(at.is_sorted(), "{at:?}");
        assert_eq!(at.iter().filter(|at| at.is_zero()).count(), 5);
        let took = begun.elapsed();
        assert!(10 * SECOND <= took && took < 11 * SECOND, "{took:?}");
        assert_eq!(limit.stats().passed, 105);
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_not_wait_is_told_when_to_come_back() {
        let limit = RateLimit::per_second(0.1).wait_max(Duration::ZERO);
        let service = limit.layer(crate::service::<_, (), (), Call>(async || {}, ()));
        run(&service, call("x")).await.unwrap();
        let error = run(&service, call("x")).await.unwrap_err();
        let refused = error.downcast_ref::<Refused>().unwrap();
        assert_eq!(refused.reason, RefusedReason::Rate);
        tokio::time::sleep(refused.retry_after).await;
        run(&service, call("x")).await.unwrap();
        assert_eq!((limit.stats().passed, limit.stats().refused), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_is_no_longer_ours() {
        let limit = RateLimit::per_second(0.01);
        let service = limit.layer(crate::service::<_, (), (), Call>(async || {}, ()));
        run(&service, call("x")).await.unwrap();
        let (call, lease) = delivered("x");
        let begun = Instant::now();
        let (result, ()) = tokio::join!(run(&service, call), async {
            tokio::time::sleep(SECOND).await;
            lease.lose();
        });
        result.unwrap_err();
        assert_eq!(begun.elapsed(), SECOND);
    }
}
