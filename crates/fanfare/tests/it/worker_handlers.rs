//! What handlers are given, and what they may do to their worker.

use std::{
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fanfare::{
    Backoff, ErrorKind, Json, Raw, State,
    layers::RetryAfter,
    stream::{Entry, StreamId},
    worker::{Context, Worker},
};

use crate::{
    support::{Target, TestResult, on_everything, until},
    worker_support::{MS, add, quick, settled},
};

on_everything!(
    arguments_are_extracted,
    what_is_refused_is_begun_again_and_that_does_not_count,
    a_handler_may_ask_how_its_worker_is,
    a_handler_that_panics_when_it_is_dropped_harms_only_itself,
    an_endless_reason_is_cut,
    what_no_worker_can_be_is_refused,
);

#[derive(serde::Deserialize, serde::Serialize)]
struct Order {
    amount: u64,
}

/// What was ordered: the ID, the amount, the bytes, and the number of deliveries.
type Orders = Arc<Mutex<Vec<(StreamId, u64, usize, u64)>>>;

async fn arguments_are_extracted(server: Target) -> TestResult {
    let group = server.connect().await?.stream("s").group("g");
    let id = group.stream().add_json("order", &Order { amount: 7 }).await?;
    group.stream().add([("order", "{}")]).await?;
    group.stream().add([("order", r#"{"amount":1}"#), ("more", "1")]).await?;
    let orders = Orders::default();
    let worker = quick(&group).deliveries_max(2).spawn_with(
        async |State(orders): State<Orders>,
               Json(order): Json<Order>,
               Raw(bytes): Raw,
               entry: Arc<Entry>,
               context: Context| {
            let order = (entry.id, order.amount, bytes.len(), context.deliveries());
            orders.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        },
        orders.clone(),
    )?;
    until("two are dead", || worker.stats().counts.dead_lettered == 2).await?;
    settled(&group).await?;
    assert_eq!(*orders.lock().unwrap_or_else(PoisonError::into_inner), [(id, 7, 12, 1)]);
    let mut letters = group.dead_letters().list(None, 10).await?;
    letters.sort_by_key(|it| it.id);
    let reasons = ["is not the expected JSON", "has 2 fields"];
    assert_eq!(letters.len(), reasons.len());
    for (letter, reason) in letters.iter().zip(reasons) {
        assert!(letter.error.contains(reason) && letter.deliveries == 1, "{letter:?}");
    }
    let counts = worker.stop().await.counts;
    assert_eq!((counts.handled, counts.failed), (1, 2));
    Ok(())
}

async fn what_is_refused_is_begun_again_and_that_does_not_count(server: Target) -> TestResult {
    let group = server.connect().await?.stream("s").group("g");
    add(&group, 0..1).await?;
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let noted = attempts.clone();
    let worker =
        quick(&group).lease(MS(8_000)).deliveries_max(1).spawn(move |_, context: Context| {
            let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
            noted.push(context.deliveries());
            let is_early = noted.len() < 3;
            async move {
                if is_early { Err(RetryAfter::new(MS(30), "come back later")) } else { Ok(()) }
            }
        })?;
    until("it is handled", || worker.stats().counts.acknowledged == 1).await?;
    assert_eq!(*attempts.lock().unwrap_or_else(PoisonError::into_inner), [1, 1, 1]);
    let counts = worker.stop().await.counts;
    assert_eq!((counts.refused, counts.failed, counts.dead_lettered), (2, 0, 0));
    Ok(())
}

async fn a_handler_may_ask_how_its_worker_is(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    add(&group, 0..50).await?;
    let worker = group.worker().concurrency(20).spawn(move |_, _| {
        let fanfare = fanfare.clone();
        async move { if fanfare.health().live.is_empty() { Err("who calls?") } else { Ok(()) } }
    })?;
    until("all are handled", || worker.stats().counts.handled == 50).await?;
    worker.stop().await;
    Ok(())
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        // Without the hook, which may take seconds for a backtrace and so outlast the lease.
        if !std::thread::panicking() {
            std::panic::resume_unwind(Box::new("dropped"));
        }
    }
}

async fn a_handler_that_panics_when_it_is_dropped_harms_only_itself(server: Target) -> TestResult {
    let group = server.connect().await?.stream("s").group("g");
    add(&group, 0..1).await?;
    let worker =
        quick(&group).timeout(MS(300)).deliveries_max(1).spawn(async |entry: Arc<Entry>, _| {
            if entry.text("n").is_ok_and(|it| it == "0") {
                let _bomb = Bomb;
                pending::<()>().await;
            }
        })?;
    until("it is dead", || worker.stats().counts.dead_lettered == 1).await?;
    add(&group, 1..10).await?;
    until("others are handled", || worker.stats().counts.handled == 9).await?;
    settled(&group).await?;
    let letter = group.dead_letters().list(None, 1).await?.pop().ok_or("none")?;
    assert_eq!(letter.error, "the handler panicked: dropped");
    worker.stop().await;
    Ok(())
}

async fn an_endless_reason_is_cut(server: Target) -> TestResult {
    let group = server.connect().await?.stream("s").group("g");
    add(&group, 0..1).await?;
    let worker = quick(&group)
        .deliveries_max(1)
        .spawn(async |_, _| Err::<(), _>("\u{e4}".repeat(1_000_000)))?;
    until("it is dead", || worker.stats().counts.dead_lettered == 1).await?;
    worker.stop().await;
    let letter = group.dead_letters().list(None, 1).await?.pop().ok_or("none")?;
    assert_eq!(letter.error, "\u{e4}".repeat(2_048) + "…");
    Ok(())
}

async fn what_no_worker_can_be_is_refused(server: Target) -> TestResult {
    let group = server.connect().await?.stream("s").group("g");
    let rests = |first, cap| group.worker().retry(Backoff { first, cap });
    let wrong: [(Worker, &str); 9] = [
        (group.worker().concurrency(0), "concurrency of 0"),
        (group.worker().lease(MS(99)), "at least 100 ms"),
        (group.worker().lease(Duration::MAX), "at most 30 days"),
        (rests(MS(10), Duration::MAX), "at most 30 days"),
        (rests(MS(20), MS(10)), "not above `cap`"),
        (group.worker().rate(f64::NAN), "above 0"),
        (group.worker().rate(0.0), "above 0"),
        (group.worker().reap_after(Some(MS(1))), "after a second"),
        (group.worker().consumer("fanfare:retry"), "not `fanfare:retry`"),
    ];
    for (worker, words) in wrong {
        let error = worker.spawn(async |_, _| {}).err().ok_or(words)?;
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert!(error.message().contains(words), "{error}");
    }
    Ok(())
}
