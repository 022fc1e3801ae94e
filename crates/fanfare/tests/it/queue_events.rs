//! What a listener is told of a worker of a queue: once for each trouble, and how much it missed.

use std::{sync::Arc, time::Duration};

use fanfare::{
    Backoff, Fanfare, Options, Permanent, WhileDown,
    queue::{Ending, Job, QueueWorkerEvent, QueueWorkerEvents, Task, TaskQueue},
    testing,
};
use tokio::sync::Semaphore;

use crate::{
    queue_support::{HOUR, LONG, MS},
    support::{Target, TestResult, on_everything, until},
};

on_everything!(
    a_listener_that_is_too_slow_is_told_how_much_it_missed;
    not embedded: an_outage_is_told_once_and_what_was_lost_in_it,
);

fn quick(fanfare: &Fanfare) -> TaskQueue {
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR);
    queue.retry(Backoff { first: MS(10), cap: MS(50) })
}

/// All that are left, of a worker that has ended.
async fn rest(mut events: QueueWorkerEvents) -> Vec<QueueWorkerEvent> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    all
}

async fn an_outage_is_told_once_and_what_was_lost_in_it(mut server: Target) -> TestResult {
    let options = |options: Options| options.while_down(WhileDown::FailFast);
    let fanfare = Fanfare::builder(&server.url()).options(options).connect().await?;
    let queue = quick(&fanfare);
    let gate = Arc::new(Semaphore::new(0));
    let handler = {
        let gate = gate.clone();
        move |_: Task| {
            let gate = gate.clone();
            async move { gate.acquire().await.map(|it| it.forget()) }
        }
    };
    let worker = queue.worker().spawn(handler)?;
    let events = worker.events();
    let ticket = queue.enqueue("in the middle of it").await?;
    until("it runs", || worker.stats().in_flight == 1).await?;
    server.stop();
    until("it tries again and again", || 2 < worker.stats().counts.take_errors).await?;
    gate.add_permits(1);
    until("it can not be told", || 0 < worker.stats().counts.errors).await?;
    // The server has kept nothing.
    server.restart();
    until("it was lost", || worker.stats().counts.lost == 1).await?;
    gate.add_permits(1);
    let after = queue.enqueue("after").await?;
    assert_eq!(after.outcome(LONG).await?, Some(Ending::Done(None)));
    let counts = worker.stop().await.counts;
    let (mut of_taking, mut lost, mut n_failed) = (Vec::new(), Vec::new(), 0);
    for event in rest(events).await {
        match event {
            QueueWorkerEvent::TakeFailed { error } => {
                assert!(error.is_retryable(), "{error}");
                of_taking.push("failed");
            }
            QueueWorkerEvent::TakesAgain { outage } => {
                assert!(Duration::ZERO < outage);
                of_taking.push("takes again");
            }
            QueueWorkerEvent::Failed { what, error } => {
                assert!(what == "to tell what became of a task" && error.is_retryable(), "{what}");
                n_failed += 1;
            }
            QueueWorkerEvent::Lost { ids } => lost.extend(ids),
            other => return Err(format!("{other:?}").into()),
        }
    }
    assert_eq!(of_taking, ["failed", "takes again"]);
    assert_eq!(lost, [ticket.id().clone()]);
    assert_eq!((n_failed, counts.completed), (counts.errors, 1));
    Ok(())
}

async fn a_listener_that_is_too_slow_is_told_how_much_it_missed(server: Target) -> TestResult {
    const N: usize = 1_100;
    let fanfare = server.connect().await?;
    let queue = quick(&fanfare);
    let worker = queue.worker().concurrency(64);
    let worker = worker.spawn(async |_: Task| Err::<(), _>(Permanent::new("bad")))?;
    let events = worker.events();
    queue.enqueue_many((0..N).map(|n| Job::new(n.to_string()))).await?;
    testing::eventually("all are dead", async || {
        worker.stats().counts.dead_lettered == u64::try_from(N).unwrap_or_default()
    })
    .await;
    worker.stop().await;
    let mut events = rest(events).await.into_iter();
    // What is kept are the newest.
    assert!(matches!(events.next(), Some(QueueWorkerEvent::Missed { n: 76 })));
    assert_eq!(events.len(), 1_024);
    assert!(events.all(|it| matches!(it, QueueWorkerEvent::DeadLettered { .. })));
    Ok(())
}
