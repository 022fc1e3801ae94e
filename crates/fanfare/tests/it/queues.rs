//! Queues, taken from by hand: leases, tokens, retries, dead letters, results.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use fanfare::{
    Backoff, ErrorKind, Fanfare, Value,
    queue::{Ending, Failing, Job, Settled, TaskQueue, TaskState},
    testing,
};

use crate::{
    queue_support::{HOUR, LONG, MS, say, take_one},
    support::{Target, TestResult, on_everything},
};

on_everything!(
    what_a_dead_program_had_is_delivered_again_and_it_is_fenced_off,
    what_is_never_finished_is_put_with_the_dead_letters,
    what_fails_rests_and_dies_at_last,
    any_number_may_wait_for_an_outcome,
    payloads_are_any_bytes,
    first_come_is_first_served,
    a_job_is_enqueued_once_however_often_it_is_said,
    what_is_given_back_keeps_its_place,
    what_is_late_expires,
    what_is_cancelled_is_not_run,
    dead_letters_are_thrown_away,
    what_is_over_is_forgotten,
    tokens_grow_when_everything_is_lost,
    only_who_has_the_lease_settles,
    what_was_begun_ends_although_the_memory_is_full,
    what_can_not_be_read_dies_and_holds_up_nothing,
    data_that_is_gone_does_not_stop_the_queue,
    names_are_kept_apart,
);

/// T12: a sketch popped with BLPOP: what a program had when it crashed was lost, and nobody could tell.
async fn what_a_dead_program_had_is_delivered_again_and_it_is_fenced_off(
    server: Target,
) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR);
    queue.enqueue("x").await?;
    let late = take_one(&queue.clone().lease(MS(100))).await?;
    assert_eq!(late.task().deliveries(), 1);
    // Who has it says nothing for as long as its lease.
    let taken = take_one(&queue).await?;
    assert_eq!((taken.task().id(), taken.task().deliveries()), (late.task().id(), 2));
    assert!(late.task().token() < taken.task().token());
    assert!(taken.task().last_error().is_some_and(|it| it.contains("no sign of life")));
    assert_eq!(late.complete().await?, Settled::Lost);
    assert_eq!(late.fail("late").await?, Failing::Lost);
    assert_eq!(late.release().await?, Settled::Lost);
    assert_eq!(late.renew().await?, Settled::Lost);
    assert!(late.task().is_lost());
    let info = queue.show(taken.task().id()).await?.ok_or("it is gone")?;
    assert_eq!((info.state, info.deliveries), (TaskState::Leased, 2));
    assert_eq!(taken.renew().await?, Settled::Yes);
    assert_eq!(taken.complete().await?, Settled::Yes);
    // Said twice, as after an answer that was lost.
    assert_eq!(taken.complete().await?, Settled::Yes);
    let stats = queue.stats().await?;
    assert_eq!(
        (stats.ready, stats.leased, stats.counts.done, stats.counts.abandoned),
        (0, 0, 1, 1)
    );
    Ok(())
}

/// T13: what kills each program that takes it does not go round for ever.
async fn what_is_never_finished_is_put_with_the_dead_letters(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(MS(100)).deliveries_max(2);
    let ticket = queue.enqueue(Job::new("poison").header("from", "ada")).await?;
    for n in 1..=2 {
        assert_eq!(take_one(&queue).await?.task().deliveries(), n);
    }
    testing::eventually("it is with the dead letters", async || {
        let taken = queue.take(1).await.unwrap_or_default();
        assert!(taken.is_empty(), "delivered too often");
        queue.stats().await.is_ok_and(|it| it.dead == 1)
    })
    .await;
    let dead = queue.dead_letters();
    let letter = dead.list(10).await?.pop().ok_or("no dead letter")?;
    assert_eq!(
        (&letter.id, &letter.payload[..], letter.deliveries),
        (ticket.id(), &b"poison"[..], 2)
    );
    assert_eq!(letter.headers, [("from".to_owned(), "ada".to_owned())]);
    assert!(letter.error.is_some_and(|it| it.contains("no sign of life")));
    assert!(letter.first < letter.started && letter.started < letter.finished);
    let worker = letter.worker.ok_or("nobody had it")?;
    assert!(worker.contains(&std::process::id().to_string()), "{worker}");
    // Mended and sent back, it begins anew.
    assert!(dead.requeue(ticket.id()).await?);
    assert!(!dead.requeue(ticket.id()).await?);
    let taken = take_one(&queue.lease(HOUR)).await?;
    assert_eq!((taken.task().id(), taken.task().deliveries()), (ticket.id(), 1));
    assert_eq!(taken.complete().await?, Settled::Yes);
    assert!(dead.is_empty().await?);
    Ok(())
}

async fn what_fails_rests_and_dies_at_last(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let backoff = Backoff { first: MS(20), cap: MS(50) };
    let queue =
        fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR).deliveries_max(3).retry(backoff);
    let ticket = queue.enqueue("x").await?;
    for n in 1..=3 {
        let taken = take_one(&queue).await?;
        assert_eq!(taken.task().deliveries(), n);
        let error = format!("failure {n}");
        let expected = if n < 3 { Failing::Again } else { Failing::Dead };
        assert_eq!(taken.fail(&error).await?, expected);
        assert_eq!(taken.fail(&error).await?, Failing::Lost, "said twice");
    }
    let ending = ticket.outcome(LONG).await?;
    assert_eq!(ending, Some(Ending::Dead("failure 3".to_owned())));
    // What the task says goes before what the queue says.
    let ticket = queue.enqueue(Job::new("y").deliveries_max(1)).await?;
    assert_eq!(take_one(&queue).await?.fail("at once").await?, Failing::Dead);
    assert_eq!(ticket.outcome(LONG).await?, Some(Ending::Dead("at once".to_owned())));
    let ticket = queue.enqueue("z").await?;
    let endless = "\u{e4}".repeat(1_000_000);
    assert_eq!(take_one(&queue).await?.give_up(&endless).await?, Failing::Dead);
    let cut = "\u{e4}".repeat(2_048) + "…";
    assert_eq!(ticket.outcome(LONG).await?, Some(Ending::Dead(cut)));
    assert_eq!(queue.dead_letters().requeue_all().await?, 3);
    assert_eq!(queue.stats().await?.ready, 3);
    Ok(())
}

async fn any_number_may_wait_for_an_outcome(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(Duration::ZERO);
    let ticket = queue.enqueue("x").await?;
    assert_eq!(ticket.outcome(Duration::ZERO).await?, None);
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let ticket = queue.ticket(ticket.id().clone());
            tokio::spawn(async move { ticket.outcome(LONG).await })
        })
        .collect();
    let taken = take_one(&queue).await?;
    taken.task().set_json(&[1, 2])?;
    assert_eq!(taken.complete().await?, Settled::Yes);
    for waiting in waiting {
        assert_eq!(waiting.await??, Some(Ending::Done(Some(Bytes::from("[1,2]")))));
    }
    // Without a result; and nobody waited, so it is forgotten at once.
    let ticket = queue.enqueue("y").await?;
    assert_eq!(take_one(&queue).await?.complete().await?, Settled::Yes);
    assert_eq!(ticket.outcome(LONG).await?, Some(Ending::Forgotten));
    Ok(())
}

async fn payloads_are_any_bytes(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue(&b"q\xff\0"[..]).lease(HOUR);
    let all: Vec<u8> = (0..=255).collect();
    for payload in [all, Vec::new(), b"\r\n".to_vec(), vec![0; 100_000]] {
        let job = Job::new(payload.clone()).header("ключ", "wert\n\"").header("ключ", "2");
        let ticket = queue.enqueue(job.with_id(Bytes::from(&b"\0\xfe"[..]))).await?;
        let taken = take_one(&queue).await?;
        assert_eq!(taken.task().payload(), &payload);
        assert_eq!(taken.task().headers().len(), 2);
        assert_eq!(taken.task().header("ключ"), Some("wert\n\""));
        taken.task().set_result(payload.clone());
        assert_eq!(taken.complete().await?, Settled::Yes);
        assert_eq!(ticket.outcome(LONG).await?, Some(Ending::Done(Some(payload.into()))));
        fanfare.command([&b"DEL"[..], b"{q\xff\0}:task:\0\xfe"]).await?;
    }
    Ok(())
}

async fn a_job_is_enqueued_once_however_often_it_is_said(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR);
    let job = Job::new("x");
    let first = queue.enqueue(job.clone()).await?;
    let second = queue.enqueue(job.clone()).await?;
    assert_eq!((first.is_new(), second.is_new()), (true, false));
    assert_eq!((first.id(), second.id()), (job.id(), job.id()));
    assert_eq!(take_one(&queue).await?.complete().await?, Settled::Yes);
    assert!(!queue.enqueue(job).await?.is_new(), "it is known for an hour");
    let stats = queue.stats().await?;
    assert_eq!((stats.counts.enqueued, stats.counts.duplicates, stats.ready), (1, 2, 0));
    Ok(())
}

/// Many at once, more than fit into one script.
async fn first_come_is_first_served(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR);
    let tickets = queue.enqueue_many((0..250).map(|n| Job::new(n.to_string()))).await?;
    assert!(tickets.iter().all(|it| it.is_new()));
    assert_eq!(tickets.iter().map(|it| it.id().clone()).collect::<HashSet<_>>().len(), 250);
    queue.enqueue("250").await?;
    let stats = queue.stats().await?;
    assert!(stats.ready == 251 && stats.first_ready_age.is_some(), "{stats:?}");
    let mut order = Vec::new();
    loop {
        let taken = queue.take(60).await?;
        assert!(taken.len() <= 60);
        if taken.is_empty() {
            break;
        }
        order.extend(taken.iter().map(|it| it.task().text().map(str::to_owned)));
    }
    let order: Vec<String> = order.into_iter().collect::<Result<_, _>>()?;
    assert_eq!(order, (0..251).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(queue.stats().await?.first_ready_age, None);
    Ok(())
}

async fn what_is_given_back_keeps_its_place(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR);
    queue.enqueue_many(["a", "b"].map(Job::new)).await?;
    let taken = take_one(&queue).await?;
    assert_eq!(taken.release().await?, Settled::Yes);
    let again = take_one(&queue).await?;
    assert_eq!((again.task().text()?, again.task().deliveries()), ("a", 1));
    Ok(())
}

async fn what_is_late_expires(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR);
    let late = queue.enqueue(Job::new("late").delay(MS(50)).ttl(MS(10))).await?;
    let fresh = queue.enqueue(Job::new("fresh").delay(MS(60)).ttl(HOUR)).await?;
    assert_eq!(take_one(&queue).await?.task().id(), fresh.id());
    assert_eq!(late.outcome(LONG).await?, Some(Ending::Expired));
    assert_eq!(queue.stats().await?.counts.expired, 1);
    Ok(())
}

async fn what_is_cancelled_is_not_run(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR);
    let ready = queue.enqueue("ready").await?;
    let delayed = queue.enqueue(Job::new("delayed").delay(HOUR)).await?;
    assert!(queue.cancel(ready.id()).await? && queue.cancel(delayed.id()).await?);
    assert!(!queue.cancel(ready.id()).await?);
    assert_eq!(ready.outcome(LONG).await?, Some(Ending::Cancelled));
    assert!(queue.take(10).await?.is_empty());
    let running = queue.enqueue("running").await?;
    let taken = take_one(&queue).await?;
    assert!(!queue.cancel(running.id()).await?, "too late");
    assert!(!queue.reschedule_in(running.id(), HOUR).await?, "too late");
    assert_eq!(taken.complete().await?, Settled::Yes);
    Ok(())
}

async fn dead_letters_are_thrown_away(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR).deliveries_max(1);
    let mut tickets = queue.enqueue_many(["a", "b", "c"].map(Job::new)).await?;
    for taken in queue.take(3).await? {
        assert_eq!(taken.fail("no").await?, Failing::Dead);
    }
    let dead = queue.dead_letters();
    assert_eq!(dead.len().await?, 3);
    let (last, others) = (tickets.pop().ok_or("none")?, tickets);
    let ids: Vec<_> = others.iter().map(|it| it.id().clone()).collect();
    assert_eq!(dead.purge(ids.clone()).await?, 2);
    assert_eq!(dead.purge(ids).await?, 0);
    assert_eq!(dead.list(10).await?.len(), 1);
    assert!(dead.show(last.id()).await?.is_some());
    assert!(queue.show(others.first().ok_or("none")?.id()).await?.is_none());
    Ok(())
}

/// A queue takes no more memory the more it has done.
async fn what_is_over_is_forgotten(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(Duration::ZERO);
    queue
        .enqueue_many((0..50).map(|n| Job::new("x").unique(n.to_string(), Duration::ZERO)))
        .await?;
    for taken in queue.take(50).await? {
        assert_eq!(taken.complete().await?, Settled::Yes);
    }
    let keys = fanfare.command(["KEYS", "*"]).await?;
    let keys: Vec<_> = keys.into_array().ok_or("no keys")?;
    let mut keys: Vec<_> = keys.iter().filter_map(Value::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["{q}:meta", "{q}:wake"]);
    // With a time to live it is there, without its payload, and goes by itself.
    let ticket = queue.enqueue(Job::new("y").result_ttl(HOUR)).await?;
    assert_eq!(take_one(&queue).await?.complete().await?, Settled::Yes);
    let info = queue.show(ticket.id()).await?.ok_or("it is gone")?;
    assert_eq!((info.state, info.payload.len()), (TaskState::Done, 0));
    let ttl =
        fanfare.command([b"PTTL", &[b"{q}:task:", ticket.id().as_bytes()].concat()[..]]).await?;
    assert!(ttl.as_int().is_some_and(|it| 0 < it && it <= 3_600_000), "{ttl:?}");
    Ok(())
}

/// A counter began anew after a failover that lost it: the late one had the higher number.
async fn tokens_grow_when_everything_is_lost(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR);
    let mut last = 0;
    for lost in [&["FLUSHALL"][..], &["DEL", "{q}:meta"], &["PING"]] {
        queue.enqueue_many((0..50).map(|n| Job::new(n.to_string()))).await?;
        for taken in queue.take(50).await? {
            assert!(last < taken.task().token(), "{} after {last}", taken.task().token());
            last = taken.task().token();
        }
        say(&fanfare, lost).await?;
    }
    // The clock of the server may be set back.
    let ahead = (2 * last).to_string();
    say(&fanfare, &["HSET", "{q}:meta", "token", &ahead]).await?;
    queue.enqueue("x").await?;
    assert_eq!(take_one(&queue).await?.task().token(), 2 * last + 1);
    say(&fanfare, &["DEL", "{q}:meta"]).await?;
    let ticket = queue.enqueue("y").await?;
    let key = format!("{{q}}:task:{}", ticket.id());
    say(&fanfare, &["HSET", &key, "token", &ahead]).await?;
    assert_eq!(take_one(&queue).await?.task().token(), 2 * last + 1);
    Ok(())
}

/// Two servers may give the same token.
async fn only_who_has_the_lease_settles(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR);
    let ticket = queue.enqueue("x").await?;
    let taken = take_one(&queue).await?;
    let key = format!("{{q}}:task:{}", ticket.id());
    let me = queue.show(ticket.id()).await?.and_then(|it| it.worker).ok_or("nobody has it")?;
    say(&fanfare, &["HSET", &key, "worker", "another one"]).await?;
    assert_eq!(taken.complete().await?, Settled::Lost);
    assert_eq!(taken.fail("no").await?, Failing::Lost);
    assert_eq!(taken.release().await?, Settled::Lost);
    assert_eq!(taken.renew().await?, Settled::Lost);
    say(&fanfare, &["HSET", &key, "worker", &me]).await?;
    assert_eq!(taken.renew().await?, Settled::Yes);
    assert_eq!(taken.release_for(HOUR).await?, Settled::Yes);
    let info = queue.show(ticket.id()).await?.ok_or("it is gone")?;
    assert_eq!((info.state, info.deliveries), (TaskState::Delayed, 0));
    Ok(())
}

/// A renewal was refused for want of memory while others went on to take: so they took what was being run.
async fn what_was_begun_ends_although_the_memory_is_full(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).deliveries_max(1).result_ttl(HOUR);
    let dead = queue.enqueue(Job::new("dead").unique("k", HOUR)).await?;
    assert_eq!(take_one(&queue).await?.fail("no").await?, Failing::Dead);
    let tickets = queue.enqueue_many(["a", "b", "c", "d"].map(Job::new)).await?;
    let first = take_one(&queue).await?;
    server.say_to_all(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = queue.enqueue("no room").await.err().ok_or("it was put in")?;
    assert_eq!(error.server_code(), Some("OOM"), "{error}");
    assert_eq!(first.renew().await?, Settled::Yes);
    let [b, c, d] = &queue.take(3).await?[..] else { return Err("not all were taken".into()) };
    let waiting = {
        let ticket = queue.ticket(first.task().id().clone());
        tokio::spawn(async move { ticket.outcome(LONG).await })
    };
    testing::eventually("somebody waits", async || {
        let key = format!("{{q}}:task:{}", first.task().id());
        fanfare.command(["HEXISTS", &key, "awaited"]).await.is_ok_and(|it| it.as_int() == Some(1))
    })
    .await;
    first.task().set_result("sent");
    assert_eq!(first.complete().await?, Settled::Yes);
    assert_eq!(waiting.await??, Some(Ending::Done(Some("sent".into()))));
    assert_eq!(b.fail("no").await?, Failing::Dead);
    assert_eq!(c.release().await?, Settled::Yes);
    assert_eq!(d.release_for(HOUR).await?, Settled::Yes);
    assert!(queue.reschedule_in(c.task().id(), HOUR).await?);
    assert!(queue.cancel(d.task().id()).await?);
    assert!(queue.dead_letters().requeue(dead.id()).await?);
    assert_eq!(take_one(&queue).await?.complete().await?, Settled::Yes);
    server.say_to_all(&["CONFIG", "SET", "maxmemory", "0"]);
    let stats = queue.stats().await?;
    assert_eq!((stats.ready, stats.delayed, stats.leased, stats.dead), (0, 1, 0, 1));
    assert_eq!(tickets.len(), 4);
    Ok(())
}

async fn what_can_not_be_read_dies_and_holds_up_nothing(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR);
    let jobs = (0..6).map(|n| Job::new(n.to_string()).header("n", "1").ttl(HOUR));
    let tickets = queue.enqueue_many(jobs).await?;
    let keys: Vec<_> = tickets.iter().map(|it| format!("{{q}}:task:{}", it.id())).collect();
    let [headers, deliveries, expires, endless, gone, _] = &keys[..] else {
        return Err("not six".into());
    };
    say(&fanfare, &["HSET", headers, "headers", "no JSON"]).await?;
    say(&fanfare, &["HSET", deliveries, "deliveries", "many"]).await?;
    say(&fanfare, &["HSET", expires, "expires", "soon"]).await?;
    say(&fanfare, &["HSET", endless, "expires", "nan"]).await?;
    say(&fanfare, &["SET", gone, "something else"]).await?;
    let taken = queue.take(10).await?;
    let texts: Vec<_> = taken.iter().map(|it| it.task().payload().clone()).collect();
    assert_eq!(texts, ["5"]);
    let mut letters = queue.dead_letters().list(10).await?;
    letters.sort_by(|a, b| a.payload.cmp(&b.payload));
    let errors: Vec<_> = letters.iter().filter_map(|it| it.error.as_deref()).collect();
    let expected = [
        "headers can not be read: expected",
        "can not be read: deliveries is many",
        "can not be read: expires is soon",
        "can not be read: expires is nan",
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:?}");
    assert!(errors.iter().zip(expected).all(|(it, what)| it.contains(what)), "{errors:?}");
    let stats = queue.stats().await?;
    assert_eq!((stats.leased, stats.counts.dead, stats.counts.missing), (1, 4, 1));
    // Mended, it is as good as any.
    say(&fanfare, &["HSET", headers, "headers", "[]"]).await?;
    assert_eq!(queue.dead_letters().requeue_all().await?, 4);
    assert_eq!(queue.take(10).await?.len(), 4);
    Ok(())
}

async fn data_that_is_gone_does_not_stop_the_queue(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(MS(100));
    for job in [Job::new("a"), Job::new("b").delay(MS(1)), Job::new("c")] {
        let job = job.unique("key", Duration::ZERO);
        let id = job.id().clone();
        assert!(queue.enqueue(job).await?.is_new(), "the key of what is gone is free");
        let other = queue.enqueue(Job::new("").unique("key", HOUR)).await?;
        assert_eq!(other.id(), &id, "another one has the key");
        fanfare.command([b"DEL", &[b"{q}:task:", id.as_bytes()].concat()[..]]).await?;
    }
    // One that is gone while it is leased.
    let leased = queue.enqueue("leased").await?;
    assert_eq!(take_one(&queue).await?.task().id(), leased.id());
    fanfare.command([b"DEL", &[b"{q}:task:", leased.id().as_bytes()].concat()[..]]).await?;
    testing::eventually("all are missed", async || {
        queue.take(10).await.is_ok_and(|it| it.is_empty())
            && queue.stats().await.is_ok_and(|it| it.counts.missing == 4 && it.leased == 0)
    })
    .await;
    queue.enqueue("whole").await?;
    assert_eq!(take_one(&queue).await?.task().text()?, "whole");
    Ok(())
}

async fn names_are_kept_apart(server: Target) -> TestResult {
    let plain = server.connect().await?;
    let options = |options: fanfare::Options| options.namespace("eu:");
    let spaced = Fanfare::builder(&server.url()).options(options).connect().await?;
    for (fanfare, name) in [(&plain, "q"), (&plain, "{q}:2"), (&spaced, "q")] {
        fanfare.task_queue(name).enqueue("x").await?;
    }
    for key in ["{q}:ready", "{q}:2:ready", "eu:{q}:ready"] {
        assert_eq!(plain.command(["ZCARD", key]).await?.as_int(), Some(1), "{key}");
    }
    let queue: TaskQueue = spaced.task_queue("q").lease(HOUR).result_ttl(HOUR);
    assert_eq!(take_one(&queue).await?.complete().await?, Settled::Yes);
    assert_eq!(plain.task_queue("q").stats().await?.ready, 1);
    for wrong in ["", "}q"] {
        let error = plain.task_queue(wrong).enqueue("x").await.err().ok_or("it was taken")?;
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{wrong}");
        let error = plain.task_queue(wrong).show(&"x".into()).await.err().ok_or("it was read")?;
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{wrong}");
    }
    Ok(())
}
