//! Workers of queues.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fanfare::{
    Backoff, BoxError, Call, ErrorKind, Fanfare, Json, LiveKind, Permanent, State, Text,
    layers::{Layer, RateLimit, RetryAfter},
    queue::{Ending, Job, QueueWorkerEvent, QueueWorkerEvents, Task, TaskId, TaskQueue, TaskState},
    testing,
    worker::WorkerState,
};
use tokio::sync::{Semaphore, watch};

use crate::{
    queue_support::{HOUR, LONG, MS, say, take_one},
    support::{Target, TestResult, on_everything, until},
};

on_everything!(what_fails_panics_or_hangs_is_tried_again, a_slow_handler_keeps_its_task, a_lost_wake_up_stalls_nothing, what_a_drained_worker_has_goes_back, who_looks_sees_a_task_whole, a_worker_goes_on_after_everything_was_deleted, who_lost_its_task_is_told, what_is_taken_over_or_dies_is_told, what_can_not_be_told_dies, what_is_refused_comes_again_and_that_does_not_count, a_worker_whose_layer_refuses_pauses, a_wake_up_that_a_busy_worker_hears_is_passed_on, no_more_is_taken_than_can_be_run, handlers_say_what_they_want, what_can_not_work_is_refused; not embedded: a_worker_goes_on_after_the_server_was_away,);

fn quick(fanfare: &Fanfare) -> TaskQueue {
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR);
    queue.retry(Backoff { first: MS(10), cap: MS(50) }).deliveries_max(3)
}

async fn what_fails_panics_or_hangs_is_tried_again(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = quick(&fanfare);
    let worker = queue.worker().timeout(MS(200)).spawn(async |task: Task| {
        let is_first = task.deliveries() == 1;
        match task.text().unwrap_or_default() {
            "fail" if is_first => return Err("first".into()),
            "panic" if is_first => panic!("this one panics"),
            "hang" if is_first => std::future::pending::<()>().await,
            "always" => return Err(format!("failure {}", task.deliveries()).into()),
            "hopeless" => return Err(Permanent::new("no hope").into()),
            _ => {}
        }
        task.set_result(task.deliveries().to_string());
        Ok::<_, BoxError>(())
    })?;
    let kinds = ["fail", "panic", "hang", "always", "well", "hopeless"];
    let tickets = queue.enqueue_many(kinds.map(Job::new)).await?;
    let after = |n: &str| Ending::Done(Some(n.to_owned().into()));
    let dead = |error: &str| Ending::Dead(error.to_owned());
    let again = after("2");
    let endings =
        [again.clone(), again.clone(), again, dead("failure 3"), after("1"), dead("no hope")];
    for ((kind, ticket), ending) in kinds.into_iter().zip(tickets).zip(endings) {
        assert_eq!(ticket.outcome(LONG).await?, Some(ending), "{kind}");
    }
    let stats = worker.stop().await;
    let counts = &stats.counts;
    assert_eq!((counts.handled, counts.failed, counts.panicked, counts.timed_out), (4, 5, 1, 1));
    assert_eq!((counts.completed, counts.dead_lettered, counts.lost), (4, 2, 0));
    assert_eq!((counts.taken, counts.again, stats.held), (11, 5, 0));
    assert_eq!(stats.state, WorkerState::Stopped);
    let dead = queue.dead_letters().list(10).await?;
    let errors: Vec<_> = dead.iter().map(|it| (it.deliveries, it.error.as_deref())).collect();
    assert_eq!(errors, [(1, Some("no hope")), (3, Some("failure 3"))]);
    Ok(())
}

/// A sketch gave a task away as soon as its time was up, whether or not somebody was still at it.
async fn a_slow_handler_keeps_its_task(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = quick(&fanfare).lease(Duration::from_secs(8));
    let (finish, finished) = watch::channel(false);
    let handler = move |_: Task| {
        let mut finished = finished.clone();
        async move {
            // It ends when the sender says so, or is gone.
            let _ = finished.wait_for(|it| *it).await;
        }
    };
    let worker = queue.worker().spawn(handler)?;
    let ticket = queue.enqueue("x").await?;
    until("it runs", || worker.stats().in_flight == 1).await?;
    let until_leased = async || -> Result<_, fanfare::Error> {
        let score =
            fanfare.command([b"ZSCORE", &b"{q}:leased"[..], ticket.id().as_bytes()]).await?;
        Ok(score.as_double().unwrap_or(0.0))
    };
    // It is renewed, and whoever takes does not get it.
    let mut ends = vec![until_leased().await?];
    while ends.len() < 3 {
        assert!(queue.take(1).await?.is_empty(), "it was given away");
        let end = until_leased().await?;
        if ends.last().is_some_and(|it| *it < end) {
            ends.push(end);
        }
        tokio::time::sleep(MS(20)).await;
    }
    finish.send_replace(true);
    assert_eq!(ticket.outcome(LONG).await?, Some(Ending::Done(None)));
    assert_eq!(worker.stop().await.counts.lost, 0);
    Ok(())
}

/// A sketch took a notification for the truth: one that was lost left the list full and everybody asleep.
async fn a_lost_wake_up_stalls_nothing(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("{q}:2").lease(HOUR);
    let worker = queue.worker().spawn(async |_: Task| {})?;
    until("it waits", || worker.stats().state == WorkerState::Running).await?;
    // A task that nobody was told of: it is moved there from another queue, key by key.
    let other = fanfare.task_queue("{q}:1");
    for n in 1..=3 {
        let ticket = other.enqueue("x").await?;
        let id = ticket.id().to_string();
        for part in [format!("task:{id}"), "ready".to_owned()] {
            let (from, to) = (format!("{{q}}:1:{part}"), format!("{{q}}:2:{part}"));
            fanfare.command(["RENAME", &from, &to]).await?;
        }
        fanfare.command(["DEL", "{q}:2:wake"]).await?;
        until("it is run", || worker.stats().counts.completed == n).await?;
    }
    worker.stop().await;
    Ok(())
}

/// A sketch wrote the fields of a hash and published in two commands: who looked in between saw half of it.
async fn who_looks_sees_a_task_whole(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = quick(&fanfare);
    let worker = queue.worker().spawn(async |task: Task| task.set_result("result"))?;
    let looking = server.connect().await?.task_queue("q");
    let mut unseen = queue.enqueue_many((0..200).map(|n| Job::new(n.to_string()))).await?;
    while let Some(ticket) = unseen.pop() {
        let info = looking.show(ticket.id()).await?.ok_or("it is gone")?;
        let is_done = info.state == TaskState::Done;
        let was_begun = is_done || info.state == TaskState::Leased;
        assert_eq!((info.result.is_some(), info.finished.is_some()), (is_done, is_done));
        assert_eq!((info.worker.is_some(), info.started.is_some()), (was_begun, was_begun));
        assert_eq!((info.payload.is_empty(), info.deliveries == 1), (is_done, was_begun));
        if !is_done {
            unseen.insert(0, ticket);
        }
    }
    worker.stop().await;
    Ok(())
}

async fn what_a_drained_worker_has_goes_back(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = quick(&fanfare);
    let worker = queue.worker().concurrency(2).spawn(async |task: Task| {
        if task.text().is_ok_and(|it| it == "hang") {
            std::future::pending::<()>().await;
        }
    })?;
    let tickets = queue.enqueue_many(["hang", "well", "hang", "hang"].map(Job::new)).await?;
    until("all places are taken", || {
        let stats = worker.stats();
        stats.is_held_back && (stats.in_flight, stats.counts.completed) == (2, 1)
    })
    .await?;
    let stats = worker.drain(MS(1)).await;
    assert_eq!((stats.counts.returned, stats.held), (2, 0));
    // At once, though the lease is an hour; and the one that was begun first is the first again.
    let first = take_one(&queue).await?;
    assert_eq!(
        (first.task().id(), first.task().deliveries()),
        (tickets.first().ok_or("no ticket")?.id(), 2)
    );
    let order: Vec<u64> = queue.take(9).await?.iter().map(|it| it.task().deliveries()).collect();
    assert_eq!(order, [2, 1]);
    Ok(())
}

async fn a_worker_goes_on_after_the_server_was_away(mut server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = quick(&fanfare);
    let worker = queue.worker().spawn(async |_: Task| {})?;
    let mut events = worker.events();
    let before = queue.enqueue("before").await?;
    assert_eq!(before.outcome(LONG).await?, Some(Ending::Done(None)));
    server.stop();
    until("it fails", || worker.stats().state == WorkerState::Failing).await?;
    assert!(worker.stats().last_error.is_some());
    server.restart();
    until("it takes again", || worker.stats().state == WorkerState::Running).await?;
    let after = queue.enqueue("after").await?;
    assert_eq!(after.outcome(LONG).await?, Some(Ending::Done(None)));
    event(&mut events, |it| matches!(it, QueueWorkerEvent::TakeFailed { .. })).await?;
    event(&mut events, |it| matches!(it, QueueWorkerEvent::TakesAgain { .. })).await?;
    worker.stop().await;
    while let Some(event) = events.next().await {
        assert!(!matches!(event, QueueWorkerEvent::Missed { .. }), "{event:?}");
    }
    Ok(())
}

/// Waits for an event that `wanted` accepts.
async fn event(
    events: &mut QueueWorkerEvents,
    wanted: impl Fn(&QueueWorkerEvent) -> bool,
) -> TestResult {
    loop {
        let event =
            tokio::time::timeout(LONG, events.next()).await?.ok_or("the worker has ended")?;
        if wanted(&event) {
            return Ok(());
        }
    }
}

async fn what_is_taken_over_or_dies_is_told(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = quick(&fanfare);
    let over = queue.enqueue("over").await?;
    let dead = queue.enqueue(Job::new("dead").deliveries_max(1)).await?;
    let torn = queue.enqueue("torn").await?;
    assert_eq!(queue.clone().lease(MS(100)).take(2).await?.len(), 2);
    let had = queue.show(over.id()).await?.and_then(|it| it.worker).ok_or("nobody has it")?;
    let key = format!("{{q}}:task:{}", torn.id());
    say(&fanfare, &["HSET", &key, "headers", "no JSON"]).await?;
    let worker = queue.worker().spawn(async |task: Task| {
        if task.text().is_ok_and(|it| it == "bad") { Err(Permanent::new("bad")) } else { Ok(()) }
    })?;
    let mut events = worker.events();
    let bad = queue.enqueue("bad").await?;
    let (mut taken_over, mut died) = (Vec::new(), Vec::new());
    while taken_over.is_empty() || died.len() < 3 {
        match tokio::time::timeout(LONG, events.next()).await?.ok_or("the worker has ended")? {
            QueueWorkerEvent::TakenOver { id, from, deliveries } => {
                taken_over.push((id, String::from_utf8(from.to_vec())?, deliveries));
            }
            QueueWorkerEvent::DeadLettered { id, error } => died.push((id, error)),
            other => return Err(format!("{other:?}").into()),
        }
    }
    assert_eq!(taken_over, [(over.id().clone(), had, 2)]);
    for (ticket, reason) in [(dead, "no sign of life"), (torn, "can not be read"), (bad, "bad")] {
        let letter = died.iter().find(|(id, _)| id == ticket.id()).ok_or(reason)?;
        assert!(letter.1.contains(reason), "{letter:?}");
    }
    assert_eq!(over.outcome(LONG).await?, Some(Ending::Done(None)));
    assert_eq!(worker.stop().await.counts.dead_lettered, 3);
    Ok(())
}

/// What no further attempt could tell was tried for ever, and the worker could not be stopped.
async fn what_can_not_be_told_dies(server: Target) -> TestResult {
    let options = |options: fanfare::Options| options.in_flight_max(100, 10_000);
    let fanfare = Fanfare::builder(&server.url()).options(options).connect().await?;
    let queue = quick(&fanfare);
    let worker = queue.worker().spawn(async |task: Task| {
        if task.text().is_ok_and(|it| it == "large") {
            task.set_result(vec![0; 20_000]);
        }
    })?;
    let ticket = queue.enqueue("large").await?;
    match ticket.outcome(LONG).await? {
        Some(Ending::Dead(error)) => assert!(error.contains("20"), "{error}"),
        other => return Err(format!("{other:?}").into()),
    }
    let after = queue.enqueue("small").await?;
    assert_eq!(after.outcome(LONG).await?, Some(Ending::Done(None)));
    let stats = worker.stop().await;
    assert_eq!((stats.counts.dead_lettered, stats.counts.completed, stats.held), (1, 1, 0));
    Ok(())
}

async fn what_is_refused_comes_again_and_that_does_not_count(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = quick(&fanfare).deliveries_max(1);
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = attempts.clone();
    let worker = queue.worker().spawn(move |task: Task| {
        let n = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert_eq!(task.deliveries(), 1);
            if n < 2 { Err(RetryAfter::new(MS(30), "come back later")) } else { Ok(()) }
        }
    })?;
    let ticket = queue.enqueue("x").await?;
    assert_eq!(ticket.outcome(LONG).await?, Some(Ending::Done(None)));
    let info = queue.show(ticket.id()).await?.ok_or("it is gone")?;
    assert_eq!((info.deliveries, attempts.load(Ordering::SeqCst)), (1, 3));
    let counts = worker.stop().await.counts;
    assert_eq!((counts.refused, counts.failed, counts.completed), (2, 0, 1));
    Ok(())
}

/// All that waits was taken and put back while a circuit breaker was open.
async fn a_worker_whose_layer_refuses_pauses(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = quick(&fanfare).deliveries_max(1);
    let limit = RateLimit::per_second(10.0).burst(1).wait_max(Duration::ZERO);
    let service = limit.layer(fanfare::service(async |_: Call| {}, ()));
    let worker = queue.worker().concurrency(1).spawn_service(service)?;
    let mut events = worker.events();
    let tickets = queue.enqueue_many((0..4).map(|n| Job::new(n.to_string()))).await?;
    for ticket in &tickets {
        assert_eq!(ticket.outcome(LONG).await?, Some(Ending::Done(None)));
    }
    event(&mut events, |it| match it {
        QueueWorkerEvent::Paused { wait, error } => {
            assert!(*wait <= MS(100) && error.contains("rate"), "{wait:?} {error}");
            true
        }
        _ => false,
    })
    .await?;
    let counts = worker.stop().await.counts;
    assert_eq!((counts.completed, counts.failed, counts.dead_lettered), (4, 0, 0));
    assert!(1 <= counts.refused, "{counts:?}");
    Ok(())
}

/// Scripts and tokens are gone, too.
async fn a_worker_goes_on_after_everything_was_deleted(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
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
    queue.enqueue("lost with everything").await?;
    until("it runs", || worker.stats().in_flight == 1).await?;
    for command in [&["FLUSHALL"][..], &["SCRIPT", "FLUSH"]] {
        fanfare.command(command).await?;
    }
    let ticket = queue.enqueue("after").await?;
    until("both run", || worker.stats().in_flight == 2).await?;
    gate.add_permits(2);
    assert_eq!(ticket.outcome(LONG).await?, Some(Ending::Done(None)));
    let counts = worker.stop().await.counts;
    assert_eq!((counts.completed, counts.lost), (1, 1));
    Ok(())
}

async fn who_lost_its_task_is_told(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = quick(&fanfare).lease(MS(900));
    let (ends, mut ended) = watch::channel(false);
    let handler = move |task: Task| {
        let ends = ends.clone();
        async move {
            task.lost().await;
            ends.send_replace(task.is_lost());
        }
    };
    let worker = queue.worker().spawn(handler)?;
    let mut events = worker.events();
    let ticket = queue.enqueue("x").await?;
    until("it runs", || worker.stats().in_flight == 1).await?;
    // As if another one had taken it.
    let key = [b"{q}:task:", ticket.id().as_bytes()].concat();
    fanfare.command([&b"HSET"[..], &key, b"token", b"77"]).await?;
    tokio::time::timeout(LONG, ended.wait_for(|it| *it)).await??;
    let is_it = |it: &QueueWorkerEvent| matches!(it, QueueWorkerEvent::Lost { ids } if ids == &[ticket.id().clone()]);
    event(&mut events, is_it).await?;
    until("it was late", || worker.stats().counts.lost == 1).await?;
    assert_eq!(queue.stats().await?.counts.done, 0, "the late one has changed nothing");
    assert_eq!(worker.stats().counts.completed, 0);
    drop(worker);
    Ok(())
}

/// What is due is taken by the clock, so a worker may have no room any more while it still listens.
async fn a_wake_up_that_a_busy_worker_hears_is_passed_on(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = quick(&fanfare);
    let worker = queue.worker().concurrency(1).spawn(async |_: Task| {
        std::future::pending::<()>().await;
    })?;
    let n_tokens = async || fanfare.command(["LLEN", "{q}:wake"]).await.map(|it| it.as_int());
    queue.enqueue(Job::new("x").delay(MS(300))).await?;
    until("it is busy", || worker.stats().in_flight == 1).await?;
    say(&fanfare, &["DEL", "{q}:wake"]).await?;
    say(&fanfare, &["RPUSH", "{q}:wake", "1"]).await?;
    testing::eventually("another one may have it", async || {
        n_tokens().await.is_ok_and(|it| it == Some(1))
    })
    .await;
    worker.drain(MS(1)).await;
    Ok(())
}

async fn no_more_is_taken_than_can_be_run(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = quick(&fanfare);
    queue.enqueue_many((0..60).map(|n| Job::new(n.to_string()))).await?;
    let now = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (running, noted) = (now, most.clone());
    let worker = queue.worker().concurrency(4).spawn(move |_: Task| {
        let (running, noted) = (running.clone(), noted.clone());
        async move {
            noted.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(MS(5)).await;
            running.fetch_sub(1, Ordering::SeqCst);
        }
    })?;
    until("all are done", || worker.stats().counts.completed == 60).await?;
    assert_eq!(most.load(Ordering::SeqCst), 4);
    let vitals = fanfare.health().live;
    assert!(vitals.iter().any(|it| it.kind == LiveKind::Worker && it.name == "q"), "{vitals:?}");
    worker.stop().await;
    Ok(())
}

async fn handlers_say_what_they_want(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = quick(&fanfare);
    let worker = queue.worker().rate(1_000.0).name("me").spawn_with(
        async |Json(n): Json<u32>, State(m): State<u32>, id: TaskId, task: Task| {
            assert_eq!(&id, task.id());
            task.set_json(&(n * m))
        },
        7_u32,
    )?;
    let ticket = queue.enqueue_json(&6).await?;
    assert_eq!(ticket.outcome(LONG).await?, Some(Ending::Done(Some("42".into()))));
    let info = queue.show(ticket.id()).await?.ok_or("it is gone")?;
    assert_eq!((worker.name(), info.worker.as_deref()), (&b"me"[..], Some("me")));
    let ticket = queue.enqueue("no number").await?;
    match ticket.outcome(LONG).await? {
        Some(Ending::Dead(error)) => assert!(error.contains("expected JSON"), "{error}"),
        other => return Err(format!("{other:?}").into()),
    }
    let letter = queue.dead_letters().show(ticket.id()).await?.ok_or("it is gone")?;
    assert_eq!(letter.deliveries, 1, "no further attempt can help");
    worker.stop().await;
    let stats = queue.worker().run(async |_: Task| {}, std::future::ready(()), LONG).await?;
    assert_eq!(stats.state, WorkerState::Stopped);
    let raw = queue.worker().spawn_with(async |Text(_): Text, _: fanfare::Raw| {}, ())?;
    raw.stop().await;
    Ok(())
}

async fn what_can_not_work_is_refused(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q");
    for worker in [
        queue.worker().concurrency(0),
        queue.worker().rate(0.0),
        queue.clone().lease(MS(99)).worker(),
        queue.clone().lease(HOUR * 10_000).worker(),
        fanfare.task_queue("").worker(),
    ] {
        let error = worker.spawn(async |_: Task| {}).err().ok_or("it was started")?;
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
    }
    let worker = queue.worker().spawn(async |_: Task| {})?;
    fanfare.close().await;
    tokio::time::timeout(LONG, worker.ended()).await?;
    assert_eq!(worker.stats().state, WorkerState::Stopped);
    Ok(())
}
