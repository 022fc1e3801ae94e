//! Attempts, pauses, the budget, and when there is no sense in it.

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
