//! Attempts, pauses, the budget, and when there is no sense in it.

use proptest::{collection, prelude::*};
use tokio::time::Instant;
use tower_layer::Layer;

use super::*;
use crate::{
    Permanent,
    layers::{
        RetryAfter,
        fixture::{SECOND, call, delivered, run, task},
    },
};

/// A service that fails so often with what `error` makes, then goes well, and its count of attempts.
fn failing<E: Into<BoxError> + Send + 'static>(
    n: u64,
    error: impl Fn() -> E + Send + Sync + 'static,
) -> (crate::HandlerService<Call>, Arc<AtomicU64>) {
    let attempts = Arc::new(AtomicU64::new(0));
    let counted = attempts.clone();
    let handler = move || {
        let fails = counted.fetch_add(1, Ordering::Relaxed) < n;
        let result = if fails { Err(error().into()) } else { Ok(()) };
        async move { result as Result<(), BoxError> }
    };
    (crate::service(handler, ()), attempts)
}

fn seconds() -> Retry {
    Retry::new().backoff(Backoff { first: SECOND, cap: 10 * SECOND })
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_after_pauses_that_double() {
    let (service, attempts) = failing(3, || "reset");
    let retry = seconds().attempts(4);
    let begun = Instant::now();
    run(&retry.layer(service), call("x")).await.unwrap();
    // Pauses of 1, 2 and 4 s, each shortened by up to half.
    let took = begun.elapsed();
    assert!(7 * SECOND / 2 <= took && took <= 7 * SECOND + SECOND / 10, "{took:?}");
    assert_eq!(attempts.load(Ordering::Relaxed), 4);
    let stats = RetryStats { calls: 1, retries: 3, recovered: 1, ..RetryStats::default() };
    assert_eq!(retry.stats(), stats);
}

#[tokio::test(start_paused = true)]
async fn the_last_error_is_returned_as_it_is() {
    let (service, attempts) = failing(9, || std::io::Error::other("reset"));
    let retry = seconds();
    let error = run(&retry.layer(service), call("x")).await.unwrap_err();
    assert!(error.is::<std::io::Error>());
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
    assert_eq!(retry.stats().exhausted, 1);
}

#[tokio::test(start_paused = true)]
async fn what_no_attempt_can_mend_is_tried_once() {
    let (service, attempts) = failing(9, || Permanent::new("never"));
    let begun = Instant::now();
    let error = run(&seconds().layer(service), call("x")).await.unwrap_err();
    assert!(Permanent::is(&*error));
    assert_eq!((attempts.load(Ordering::Relaxed), begun.elapsed()), (1, Duration::ZERO));
    // Unless the program knows better.
    let (service, attempts) = failing(2, || Permanent::new("never"));
    let stubborn = seconds().classify(|_| Class::Transient);
    run(&stubborn.layer(service), call("x")).await.unwrap();
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_named_is_kept_if_it_is_short_enough() {
    let (service, _) = failing(1, || RetryAfter::new(20 * SECOND, "busy"));
    let begun = Instant::now();
    run(&seconds().layer(service), call("x")).await.unwrap();
    let took = begun.elapsed();
    assert!(20 * SECOND <= took && took < 21 * SECOND, "{took:?}");
    let (service, attempts) = failing(1, || RetryAfter::new(31 * SECOND, "busy"));
    run(&seconds().layer(service), call("x")).await.unwrap_err();
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_broken_dependency_is_not_hammered() {
    let (service, attempts) = failing(u64::MAX, || "down");
    let backoff = Backoff { first: Duration::ZERO, cap: Duration::ZERO };
    let retry = Retry::new().backoff(backoff).budget(RetryBudget::new(0.1, 0.0));
    let service = retry.layer(service);
    for _ in 0..1_000 {
        run(&service, call("x")).await.unwrap_err();
    }
    // Without a budget these would be 3,000. It held ten retries at first, and got one for ten calls.
    let n = attempts.load(Ordering::Relaxed);
    assert!((1_100..=1_111).contains(&n), "{n}");
    assert!(0 < retry.stats().out_of_budget);
    // As time passes, there is something in any case.
    let (service, attempts) = failing(u64::MAX, || "down");
    let service = Retry::new().budget(RetryBudget::new(0.0, 1.0)).layer(service);
    for _ in 0..20 {
        run(&service, call("x")).await.unwrap_err();
    }
    let before = attempts.swap(0, Ordering::Relaxed);
    assert!((30..=34).contains(&before), "{before}");
    tokio::time::sleep(2 * SECOND).await;
    run(&service, call("x")).await.unwrap_err();
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_ours_is_not_tried_again() {
    let (entry, lease) = delivered("x");
    let (mail, task) = task("x", "[]");
    check_lost(entry, || lease.lose()).await;
    check_lost(mail, || task.lose()).await;
}

async fn check_lost(call: Call, lose: impl Fn()) {
    let (service, attempts) = failing(9, || "reset");
    let begun = Instant::now();
    let running = seconds().backoff(Backoff { first: 20 * SECOND, cap: 20 * SECOND });
    let service = running.layer(service);
    let (result, ()) = tokio::join!(run(&service, call.clone()), async {
        tokio::time::sleep(3 * SECOND).await;
        lose();
    });
    result.unwrap_err();
    // The pause ended with the lease.
    assert_eq!((attempts.swap(0, Ordering::Relaxed), begun.elapsed()), (1, 3 * SECOND));
    run(&service, call).await.unwrap_err();
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
}

/// What an attempt of the model's handler ends with.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Well,
    Fails,
    ForGood,
    /// It names a wait, in milliseconds.
    Later(u64),
}

fn ends() -> impl Strategy<Value = Ends> {
    prop_oneof![
        2 => Just(Ends::Well),
        6 => Just(Ends::Fails),
        1 => Just(Ends::ForGood),
        2 => (0_u64..4_000).prop_map(Ends::Later),
    ]
}

/// The rules of a retry, in milliseconds. Of the budget: what a call gives in thousandths of a retry, and what a
/// second gives in whole ones.
#[derive(Clone, Copy, Debug)]
struct Given {
    attempts: u32,
    first: u64,
    cap: u64,
    wait_max: u64,
    per_call: u64,
    per_second: u64,
}

/// The budget in thousandths of a retry: full at first, and filled by calls and by time.
struct Naive {
    given: Given,
    level: u64,
    at: u64,
}

impl Naive {
    fn capacity(&self) -> u64 {
        (self.given.per_second * 10_000).max(self.given.per_call * 100)
    }

    /// Lets the time pass, and adds something. A thousandth comes in each millisecond, for each retry per second.
    fn add(&mut self, now: u64, thousandths: u64) {
        self.level = (self.level + (now - self.at) * self.given.per_second).min(self.capacity());
        self.level = (self.level + thousandths).min(self.capacity());
        self.at = now;
    }

    /// The shortest and the longest pause after so many failures, if there may be another attempt; whether that
    /// is sure.
    fn pause(&self, n_failed: u32, ended: Ends) -> Option<(u64, u64, bool)> {
        let Given { attempts, first, cap, wait_max, .. } = self.given;
        let named = match ended {
            Ends::Well | Ends::ForGood => return None,
            Ends::Fails => 0,
            Ends::Later(wait) => wait,
        };
        let doubled = (first << (n_failed - 1)).min(cap);
        let (least, most) = ((doubled / 2).max(named), doubled.max(named));
        // Rounding to a nanosecond must not matter.
        let is_sure = most <= wait_max && self.level != 1_000;
        let may_be = n_failed < attempts && least <= wait_max && 1_000 <= self.level;
        may_be.then_some((least, most, is_sure))
    }
}

proptest! {
    #[test]
    fn attempts_and_pauses_are_those_of_a_naive_model(
        attempts in 1_u32..6,
        first in 0_u64..1_000,
        cap in 0_u64..3_000,
        wait_max in prop_oneof![1 => 0_u64..3_000, 3 => Just(100_000)],
        per_call in prop_oneof![Just(0_u64), Just(20), Just(250), Just(1_000)],
        per_second in 0_u64..3,
        calls in collection::vec((0_u64..2_000, collection::vec(ends(), 6)), 1..40),
    ) {
        let given = Given { attempts, first, cap, wait_max, per_call, per_second };
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(compare(given, calls));
    }
}

#[expect(clippy::cast_precision_loss, reason = "they are small")]
async fn compare(given: Given, calls: Vec<(u64, Vec<Ends>)>) {
    let ms = Duration::from_millis;
    let budget = RetryBudget::new(given.per_call as f64 / 1_000.0, given.per_second as f64);
    let retry = Retry::new()
        .attempts(given.attempts)
        .backoff(Backoff { first: ms(given.first), cap: ms(given.cap) })
        .wait_max(ms(given.wait_max))
        .budget(budget);
    let begun = Instant::now();
    let elapsed = move || u64::try_from(begun.elapsed().as_millis()).unwrap();
    // What is to come of the attempts, and when they were made.
    let script: Arc<Mutex<(Vec<Ends>, Vec<u64>)>> = Arc::default();
    let handler = {
        let script = script.clone();
        move || {
            let (ends, at) = &mut *script.lock().unwrap();
            let result: Result<(), BoxError> = match ends[at.len()] {
                Ends::Well => Ok(()),
                Ends::Fails => Err("reset".into()),
                Ends::ForGood => Err(Permanent::new("never").into()),
                Ends::Later(wait) => Err(RetryAfter::new(ms(wait), "busy").into()),
            };
            at.push(elapsed());
            async move { result }
        }
    };
    let service = retry.layer(crate::service::<_, _, _, Call>(handler, ()));
    let mut naive = Naive { given, level: u64::MAX / 2, at: 0 };
    let (n_calls, mut n_retries, mut n_recovered) = (calls.len() as u64, 0, 0);
    for (gap, ends) in calls {
        tokio::time::sleep(ms(gap)).await;
        *script.lock().unwrap() = (ends.clone(), Vec::new());
        let result = run(&service, call("x")).await;
        let at = script.lock().unwrap().1.clone();
        let what = format!("{given:?}: {ends:?} at {at:?}");
        naive.add(at[0], given.per_call);
        for (n, now) in at.iter().enumerate() {
            naive.add(*now, 0);
            let pause = naive.pause(u32::try_from(n + 1).unwrap(), ends[n]);
            match (pause, at.get(n + 1)) {
                (Some((least, most, _)), Some(next)) => {
                    // The clock goes by whole milliseconds.
                    let took = next - now;
                    assert!(least <= took && took <= most + 1, "{took} after {n}: {what}");
                    naive.level -= 1_000;
                    n_retries += 1;
                }
                (Some((.., is_sure)), None) => assert!(!is_sure, "none after {n}: {what}"),
                (None, Some(_)) => panic!("one too many after {n}: {what}"),
                (None, None) => {}
            }
        }
        let is_well = matches!(ends[at.len() - 1], Ends::Well);
        assert_eq!(result.is_ok(), is_well, "{what}");
        n_recovered += u64::from(is_well && 1 < at.len());
    }
    let stats = retry.stats();
    assert_eq!((stats.calls, stats.retries, stats.recovered), (n_calls, n_retries, n_recovered));
}
