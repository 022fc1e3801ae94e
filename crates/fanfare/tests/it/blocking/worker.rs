//! Workers without a runtime: plain functions on threads apart.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use fanfare::{
    Backoff, Envelope, Json, State,
    blocking::{self, Fanfare},
    layers::{Idempotency, Layer, Stack},
    stream::{Entry, StreamId},
    worker::{Context, WorkerEvent, WorkerState},
};

use super::{PATIENCE, until};
use crate::support::{Target, TestResult};

on_everything!(
    what_fails_is_tried_again_and_what_always_fails_is_put_aside,
    handlers_block_side_by_side_and_are_waited_for,
    arguments_are_extracted_and_what_is_done_may_be_deleted,
    layers_fit_around_handlers_that_block,
);

const SHORT: Backoff = Backoff { first: Duration::from_millis(10), cap: Duration::from_millis(50) };

fn what_fails_is_tried_again_and_what_always_fails_is_put_aside(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let jobs = fanfare.stream("jobs");
    for kind in ["good", "fails once", "panics once", "always fails"] {
        jobs.add([("kind", kind)])?;
    }
    let group = jobs.group("team");
    let tries: Arc<Mutex<HashMap<StreamId, u64>>> = Arc::default();
    let worker = group.worker().retry(SHORT).deliveries_max(3).consumer("me").spawn({
        let tries = tries.clone();
        move |entry: Arc<Entry>, context: Context| {
            *tries.lock().unwrap_or_else(PoisonError::into_inner).entry(entry.id).or_default() += 1;
            let is_first = context.deliveries() == 1;
            match entry.text("kind").map_err(|error| error.to_string())? {
                "fails once" if is_first => Err("as asked".to_owned()),
                "panics once" if is_first => panic!("as asked"),
                "always fails" => Err("again".to_owned()),
                _ => Ok(()),
            }
        }
    })?;
    let events = worker.events();
    assert_eq!(worker.consumer(), b"me");
    until("all is settled", || {
        let counts = worker.stats().counts;
        (counts.handled, counts.dead_lettered) == (3, 1)
    })?;
    let counts = worker.stats().counts;
    assert_eq!((counts.failed, counts.panicked), (4, 1));
    let dead = group.dead_letters();
    assert_eq!((dead.len()?, dead.is_empty()?), (1, false));
    let letter = dead.list(None, 10)?.remove(0);
    assert_eq!((letter.deliveries, letter.error.as_str()), (3, "again"));
    assert_eq!(dead.show(letter.dead_id)?.ok_or("it is there")?, letter);
    assert_eq!(tries.lock().unwrap_or_else(PoisonError::into_inner).get(&letter.id), Some(&3));
    assert!(dead.requeue(letter.dead_id)?.is_some());
    assert_eq!(dead.requeue(letter.dead_id)?, None);
    until("it is put aside again", || worker.stats().counts.dead_lettered == 2)?;
    assert_eq!(dead.drop(dead.list(None, 10)?.iter().map(|it| it.dead_id))?, 1);
    let stats = worker.stop();
    assert_eq!((stats.state, stats.held), (WorkerState::Stopped, 0));
    let n_dead = events.filter(|it| matches!(it, WorkerEvent::DeadLettered { .. })).count();
    assert!((1..=2).contains(&n_dead), "the events end with the worker");
    assert_eq!(group.info()?.ok_or("the group is there")?.pending, 0);
    assert_eq!((group.name(), group.stream().key()), (&b"team"[..], &b"jobs"[..]));
    Ok(())
}

fn handlers_block_side_by_side_and_are_waited_for(server: &Target) -> TestResult {
    const AT_A_TIME: usize = 4;
    let fanfare = Fanfare::connect(&server.url())?;
    let jobs = fanfare.stream("jobs");
    let (arrive, arrived) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let worker = jobs.group("team").worker().concurrency(AT_A_TIME).prefetch(0).spawn(
        move |_entry, _context| {
            // Whoever listens may have gone.
            let _ = arrive.send(());
            let gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
            // An error: the gate is open.
            let _ = gate.recv_timeout(PATIENCE);
        },
    )?;
    for outcome in jobs.add_batch((0..AT_A_TIME).map(|n| [("n", n.to_string())])) {
        outcome?;
    }
    for _ in 0..AT_A_TIME {
        arrived.recv_timeout(PATIENCE)?;
    }
    // While threads are blocked, the connections are not.
    until("all is well", || fanfare.health().is_healthy(PATIENCE))?;
    assert_eq!(jobs.len()?, 4);
    drop(open);
    let stats = worker.drain(PATIENCE);
    assert_eq!((stats.counts.handled, stats.counts.acknowledged, stats.held), (4, 4, 0));

    // As a whole program does it: until one of its threads says so.
    let (stop, stopped) = mpsc::channel();
    jobs.add([("n", "the last")])?;
    let handler = move |entry: Arc<Entry>, _: Context| {
        entry.text("n").map_err(|_| "no number")?;
        stop.send(()).map_err(|_| "nobody listens")
    };
    let until = move || assert!(stopped.recv_timeout(PATIENCE).is_ok(), "nothing is handled");
    let stats = jobs.group("team").worker().run(handler, until, PATIENCE)?;
    assert_eq!((stats.counts.handled, stats.state), (1, WorkerState::Stopped));
    Ok(())
}

fn arguments_are_extracted_and_what_is_done_may_be_deleted(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let numbers = fanfare.stream("numbers");
    for n in 1..=3 {
        numbers.add_json("n", &n)?;
    }
    numbers.add([("n", "no number")])?;
    let (sender, handled) = mpsc::channel();
    let group = numbers.group("team");
    let worker = group.worker().retry(SHORT).deliveries_max(2).delete_acknowledged();
    let worker = worker.spawn_with(
        |Json(n): Json<u64>, State(sender): State<mpsc::Sender<u64>>| sender.send(n),
        sender,
    )?;
    let mut sum = 0;
    for _ in 0..3 {
        sum += handled.recv_timeout(PATIENCE)?;
    }
    assert_eq!(sum, 6);
    until("what has no number is put aside", || worker.stats().counts.dead_lettered == 1)?;
    until("all are deleted", || numbers.is_empty().is_ok_and(|it| it))?;
    assert!(group.dead_letters().list(None, 1)?.remove(0).error.contains("JSON"));
    assert_eq!(worker.stop().held, 0);
    Ok(())
}

/// A handler that blocks its thread has the same layers around it.
fn layers_fit_around_handlers_that_block(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let jobs = fanfare.stream("jobs");
    let envelope = Envelope::new("job", 7).source("shop");
    for _ in 0..2 {
        jobs.add(envelope.to_fields()?)?;
    }
    let n_calls = Arc::new(AtomicU64::new(0));
    let counted = n_calls.clone();
    let handler = move |Json(n): Json<u64>| {
        let is_first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        std::thread::sleep(Duration::from_millis(5));
        if is_first || n != 7 { Err("as asked") } else { Ok(()) }
    };
    let once = Idempotency::new(fanfare.asynchronous(), "team");
    let stack = Stack::new("team").idempotency(once.clone());
    let service = stack.layer(blocking::service(handler, ()));
    let worker = jobs.group("team").worker().retry(SHORT).spawn_service(service)?;
    until("both are done", || worker.stats().counts.handled == 2)?;
    let stats = once.stats();
    assert_eq!((n_calls.load(Ordering::SeqCst), stats.recorded, stats.duplicates), (2, 1, 1));
    worker.stop();
    Ok(())
}
