//! Layers around the handlers of queues.

use std::time::Duration;

use fanfare::{
    Backoff, Call, Envelope, Json, Permanent,
    layers::{CircuitBreaker, Idempotency, Layer, Retry, Stack, Timeout, TraceParent},
    queue::{Ending, Job},
};

use super::{Count, Seen};
use crate::{
    queue_support::{HOUR, LONG, MS},
    support::{Target, TestResult, on_everything, until},
};

on_everything!(
    a_stack_fits_around_the_handler_of_a_queue,
    what_an_open_breaker_refuses_comes_again,
    no_attempts_are_made_when_the_lease_is_gone,
);

async fn a_stack_fits_around_the_handler_of_a_queue(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR).deliveries_max(1);
    let (attempts, traces) = (Count::default(), Seen::default());
    let handler = {
        let (attempts, traces) = (attempts.clone(), traces.clone());
        move |Json(n): Json<u64>, here: TraceParent, call: Call| {
            let is_first = attempts.add() == 1;
            traces.push(here.trace_id());
            async move {
                assert!(call.task().is_some() && !call.is_lost());
                match n {
                    7 if is_first => Err("connection reset".into()),
                    7 => Ok(()),
                    _ => Err(fanfare::BoxError::from(Permanent::new("there is only seven"))),
                }
            }
        }
    };
    let once = Idempotency::new(&fanfare, "billing").lease(HOUR);
    let retry = Retry::new().backoff(Backoff { first: MS(10), cap: MS(10) });
    let stack = Stack::new("billing").idempotency(once.clone()).retry(retry.clone());
    let service = stack.layer(fanfare::service(handler, ()));
    let worker = queue.worker().concurrency(1).spawn_service(service)?;
    let parent = TraceParent::root();
    let traced = || Job::new("7").header("traceparent", parent.to_string());
    let ticket = queue.enqueue(traced()).await?;
    assert_eq!(ticket.outcome(LONG).await?, Some(Ending::Done(None)));
    assert_eq!((attempts.get(), retry.stats().retries), (2, 1), "within one delivery");
    assert_eq!(traces.all(), [parent.trace_id(); 2]);
    // The same event in two tasks, which has one effect.
    let event = Envelope::new("seven", 7).source("shop").to_payload()?;
    for _ in 0..2 {
        let ticket = queue.enqueue(Job::new(event.clone())).await?;
        assert_eq!(ticket.outcome(LONG).await?, Some(Ending::Done(None)));
    }
    assert_eq!((attempts.get(), once.stats().duplicates), (3, 1));
    let dead = |error: &str| Some(Ending::Dead(error.to_owned()));
    let ticket = queue.enqueue("8").await?;
    assert_eq!(ticket.outcome(LONG).await?, dead("there is only seven"));
    let ticket = queue.enqueue("no number").await?;
    assert!(matches!(ticket.outcome(LONG).await?, Some(Ending::Dead(it)) if it.contains("JSON")));
    assert_eq!(worker.stop().await.counts.dead_lettered, 2);
    Ok(())
}

async fn what_an_open_breaker_refuses_comes_again(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR).deliveries_max(2);
    let queue = queue.retry(Backoff { first: MS(10), cap: MS(10) });
    let attempts = Count::default();
    let handler = {
        let attempts = attempts.clone();
        move |_: Call| {
            let n = attempts.add();
            async move { if n == 1 { Err("connection reset") } else { Ok(()) } }
        }
    };
    let breaker = CircuitBreaker::new("bank").calls_min(1).failure_ratio(1.0);
    let breaker = breaker.open_for(Backoff { first: MS(200), cap: MS(200) });
    let service = breaker.layer(fanfare::service(handler, ()));
    let worker = queue.worker().concurrency(1).spawn_service(service)?;
    let tickets = queue.enqueue_many((0..3).map(|n| Job::new(n.to_string()))).await?;
    for ticket in &tickets {
        assert_eq!(ticket.outcome(LONG).await?, Some(Ending::Done(None)));
    }
    let counts = worker.stop().await.counts;
    assert_eq!((counts.failed, counts.completed, counts.dead_lettered), (1, 3, 0));
    assert!(1 <= counts.refused && attempts.get() == 4, "{counts:?}");
    Ok(())
}

/// Retries went on after the lease, beside whoever had the task then.
async fn no_attempts_are_made_when_the_lease_is_gone(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(MS(900));
    let attempts = Count::default();
    let handler = {
        let attempts = attempts.clone();
        move |_: Call| {
            attempts.add();
            async { Err::<(), _>("connection reset") }
        }
    };
    let retry = Retry::new().attempts(9).backoff(Backoff { first: HOUR, cap: HOUR }).wait_max(HOUR);
    let service = retry.layer(Timeout::new(HOUR).layer(fanfare::service(handler, ())));
    let worker = queue.worker().spawn_service(service)?;
    let ticket = queue.enqueue("x").await?;
    until("it has failed once", || attempts.get() == 1).await?;
    let key = format!("{{q}}:task:{}", ticket.id());
    fanfare.command(["DEL", &key]).await?;
    until("it is lost", || worker.stats().counts.lost == 1).await?;
    assert_eq!((attempts.get(), retry.stats().retries), (1, 0));
    worker.drain(Duration::ZERO).await;
    Ok(())
}
