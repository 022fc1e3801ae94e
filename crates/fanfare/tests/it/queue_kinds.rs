//! Queues with keys, priorities and times, and what wakes those who wait.

use std::time::{Duration, SystemTime};

use fanfare::{
    Fanfare,
    queue::{Job, Settled, Taken, TaskQueue, TaskState},
    testing,
};
use futures_util::future::join_all;

use crate::{
    queue_support::{HOUR, LONG, MS, take_one},
    support::{Target, TestResult, on_everything},
};

on_everything!(
    twenty_who_enqueue_a_key_at_once_make_one_task,
    the_unimportant_have_their_turn,
    all_that_is_delayed_fires_in_order_and_none_early,
    a_key_is_taken_until_its_task_is_over,
    a_key_may_be_taken_for_longer,
    a_letter_whose_key_another_has_stays,
    equals_are_served_as_they_came,
    what_is_delayed_can_be_put_off_and_brought_forward,
    who_waits_is_woken_by_what_is_due_earlier,
);

/// A sketch asked with SADD and then pushed: two programs could both push, and the set grew for ever.
async fn twenty_who_enqueue_a_key_at_once_make_one_task(server: Target) -> TestResult {
    let mut programs = Vec::new();
    for _ in 0..20 {
        programs.push(server.connect().await?);
    }
    let enqueuing = programs.iter().map(|program| {
        let queue = program.unique_queue("q");
        tokio::spawn(async move { queue.enqueue("user:7", "x").await })
    });
    let mut tickets = Vec::new();
    for enqueuing in enqueuing.collect::<Vec<_>>() {
        tickets.push(enqueuing.await??);
    }
    assert_eq!(tickets.iter().filter(|it| it.is_new()).count(), 1);
    let first = tickets.first().ok_or("no ticket")?;
    assert!(tickets.iter().all(|it| it.id() == first.id()));
    let queue = programs.first().ok_or("nobody")?.unique_queue("q");
    let stats = queue.stats().await?;
    assert_eq!((stats.ready, stats.counts.duplicates), (1, 19));
    Ok(())
}

async fn a_key_is_taken_until_its_task_is_over(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let tasks = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR).deliveries_max(1);
    let queue = fanfare::queue::UniqueQueue::from(tasks);
    let first = queue.enqueue("k", "1").await?;
    assert!(queue.enqueue("other", "2").await?.is_new());
    let taken = take_one(&queue).await?;
    assert_eq!(queue.enqueue("k", "3").await?.id(), first.id(), "it is being run");
    assert_eq!(taken.complete().await?, Settled::Yes);
    let again = queue.enqueue("k", "4").await?;
    assert!(again.is_new(), "it is done");
    assert!(queue.cancel(again.id()).await?);
    assert!(queue.enqueue("k", "5").await?.is_new(), "it was taken back");
    assert_eq!(take_one(&queue).await?.task().text()?, "2");
    let taken = take_one(&queue).await?;
    let _ = taken.fail("no").await?;
    assert!(queue.enqueue("k", "6").await?.is_new(), "it is dead");
    Ok(())
}

async fn a_key_may_be_taken_for_longer(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let tasks = fanfare.task_queue("q").lease(HOUR).result_ttl(Duration::ZERO);
    let queue = fanfare::queue::UniqueQueue::from(tasks).window(HOUR);
    let first = queue.enqueue("k", "1").await?;
    assert_eq!(take_one(&queue).await?.complete().await?, Settled::Yes);
    let second = queue.enqueue("k", "2").await?;
    assert!(!second.is_new() && second.id() == first.id());
    let ttl = fanfare.command(["PTTL", "{q}:unique:k"]).await?;
    assert!(ttl.as_int().is_some_and(|it| 0 < it && it <= 3_600_000), "{ttl:?}");
    let brief = queue.clone().window(MS(20));
    let job = Job::new("3").result_ttl(Duration::ZERO);
    assert!(brief.enqueue("brief", job).await?.is_new());
    assert_eq!(take_one(&brief).await?.complete().await?, Settled::Yes);
    testing::eventually("the window has passed", async || {
        brief.enqueue("brief", "4").await.is_ok_and(|it| it.is_new())
    })
    .await;
    Ok(())
}

async fn a_letter_whose_key_another_has_stays(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let tasks = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR).deliveries_max(1);
    let queue = fanfare::queue::UniqueQueue::from(tasks);
    let dead = queue.enqueue("k", "dead").await?;
    let _ = take_one(&queue).await?.fail("no").await?;
    let live = queue.enqueue("k", "live").await?;
    let letters = queue.dead_letters();
    let error = letters.requeue(dead.id()).await.err().ok_or("it was sent back")?;
    assert!(error.to_string().contains(&live.id().to_string()), "{error}");
    assert_eq!((letters.requeue_all().await?, letters.len().await?), (0, 1));
    assert_eq!(take_one(&queue).await?.complete().await?, Settled::Yes);
    assert!(letters.requeue(dead.id()).await?);
    assert!(!queue.enqueue("k", "x").await?.is_new(), "the key is its again");
    Ok(())
}

/// A sketch took the highest score first, for ever: as long as something important came, the rest starved.
async fn the_unimportant_have_their_turn(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let boost = MS(50);
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR).boost(boost);
    let tickets = queue.enqueue_many([Job::new("low"), Job::new("high").priority(9)]).await?;
    let low = tickets.first().ok_or("no ticket")?.id().clone();
    let low = queue.show(&low).await?.ok_or("it is gone")?.enqueued;
    // Those that came before this overtake it, and nothing else does.
    let overtaken_until = low + 9 * boost;
    let mut n_before = 0;
    loop {
        let taken = take_one(&queue).await?;
        if taken.task().text()? == "low" {
            break;
        }
        let enqueued = taken.task().enqueued();
        assert!(
            enqueued <= overtaken_until,
            "{n_before} before, {enqueued:?}, {overtaken_until:?}"
        );
        assert_eq!(taken.complete().await?, Settled::Yes);
        // There is never nothing important.
        queue.enqueue(Job::new("high").priority(9)).await?;
        n_before += 1;
    }
    assert!(1 <= n_before, "what is important goes first");
    let next = take_one(&queue).await?.task().enqueued();
    assert!(overtaken_until <= next, "{n_before} before, {next:?}, {overtaken_until:?}");
    let tasks = fanfare.task_queue("q2").lease(HOUR).boost(HOUR);
    tasks.enqueue(Job::new("low").priority(-3)).await?;
    tasks.enqueue(Job::new("middle")).await?;
    tasks.enqueue(Job::new("high").priority(2)).await?;
    let order: Vec<_> = tasks.take(3).await?.iter().map(|it| it.task().priority()).collect();
    assert_eq!(order, [2, 0, -3]);
    Ok(())
}

/// A sketch kept tasks of the same priority in the order of their names.
async fn equals_are_served_as_they_came(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.priority_queue("q");
    for id in ["z", "m", "a"] {
        queue.enqueue(7, Job::new(id).with_id(id)).await?;
    }
    let order: Vec<_> = queue.take(3).await?.iter().map(|it| it.task().id().to_string()).collect();
    assert_eq!(order, ["z", "m", "a"]);
    Ok(())
}

/// A sketch took what was due by the clock of whoever asked, and popped it in two commands. How late they are is
/// printed: of 400 tasks within half a second, or with FANFARE_FULL=1 of 100,000 within a minute.
async fn all_that_is_delayed_fires_in_order_and_none_early(server: Target) -> TestResult {
    let is_full = std::env::var_os("FANFARE_FULL").is_some();
    let (n_tasks, within_ms, n_at_once) =
        if is_full { (100_000, 60_000, 100) } else { (400, 500, 7) };
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR);
    let others: Vec<TaskQueue> = (0..3).map(|_| queue.clone()).collect();
    let taking = others.into_iter().map(|queue| {
        tokio::spawn(async move {
            while queue.stats().await?.counts.done < n_tasks {
                let taken = queue.take_within(n_at_once, MS(50)).await?;
                for settled in join_all(taken.iter().map(Taken::complete)).await {
                    let _ = settled?;
                }
            }
            Ok::<_, fanfare::Error>(())
        })
    });
    let taking: Vec<_> = taking.collect();
    let delays = (0..n_tasks).map(|n| Job::new("x").delay(MS((n * 37) % within_ms)));
    let tickets = queue.enqueue_many(delays).await?;
    for taking in taking {
        tokio::time::timeout(2 * LONG, taking).await???;
    }
    let mut fired = Vec::new();
    for tickets in tickets.chunks(100) {
        for info in join_all(tickets.iter().map(|it| queue.show(it.id()))).await {
            let info = info?.ok_or("it is gone")?;
            assert_eq!((info.state, info.deliveries), (TaskState::Done, 1));
            let due = info.due.unwrap_or(info.enqueued);
            fired.push((due, info.started.ok_or("never started")?));
        }
    }
    // What is due is taken by one script, the earliest first: in that order, whoever takes it.
    fired.sort();
    assert!(fired.is_sorted_by_key(|(_, started)| *started), "not in the order of their times");
    let mut late = Vec::new();
    for (due, started) in fired {
        late.push(started.duration_since(due).map_err(|early| format!("too early: {early:?}"))?);
    }
    late.sort();
    let (half, most, last) = (late.len() / 2, late.len() * 99 / 100, late.len() - 1);
    let [half, most, last] = [half, most, last].map(|n| late.get(n).copied().unwrap_or_default());
    println!("{n_tasks} tasks, late by {half:?} (half), {most:?} (99 %), {last:?} (all)");
    Ok(())
}

async fn what_is_delayed_can_be_put_off_and_brought_forward(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.delay_queue("q");
    let moment = SystemTime::now() + 2 * HOUR;
    let later = queue.enqueue_at(moment, "later").await?;
    let sooner = queue.enqueue_in(HOUR, "sooner").await?;
    let ids = async || -> Result<Vec<_>, fanfare::Error> {
        Ok(queue.delayed(10).await?.into_iter().map(|(id, _)| id).collect())
    };
    assert_eq!(ids().await?, [sooner.id().clone(), later.id().clone()]);
    let due = queue.due(later.id()).await?.ok_or("it is not delayed")?;
    let apart = due.duration_since(moment).or_else(|_| moment.duration_since(due))?;
    assert!(apart <= MS(1), "{apart:?}");
    assert!(queue.reschedule_in(sooner.id(), 3 * HOUR).await?);
    assert_eq!(ids().await?, [later.id().clone(), sooner.id().clone()]);
    assert_eq!(queue.delayed(1).await?.len(), 1);
    assert!(queue.reschedule_at(sooner.id(), SystemTime::UNIX_EPOCH).await?);
    assert_eq!(take_one(&queue).await?.task().text()?, "sooner");
    assert_eq!(queue.due(sooner.id()).await?, None);
    assert!(queue.cancel(later.id()).await?);
    assert!(!queue.reschedule_in(later.id(), HOUR).await?);
    Ok(())
}

async fn who_waits_is_woken_by_what_is_due_earlier(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.delay_queue("q");
    let tokens = async |fanfare: &Fanfare| fanfare.command(["LLEN", "{q}:wake"]).await;
    queue.enqueue_in(2 * HOUR, "1").await?;
    assert_eq!(tokens(&fanfare).await?.as_int(), Some(1));
    fanfare.command(["DEL", "{q}:wake"]).await?;
    queue.enqueue_in(3 * HOUR, "2").await?;
    assert_eq!(tokens(&fanfare).await?.as_int(), Some(0), "nobody has to know");
    queue.enqueue_in(HOUR, "3").await?;
    assert_eq!(tokens(&fanfare).await?.as_int(), Some(1));
    queue.enqueue_in(MS(1), "4").await?;
    assert_eq!(tokens(&fanfare).await?.as_int(), Some(1), "one is enough");
    assert_eq!(take_one(&queue).await?.task().text()?, "4");
    Ok(())
}
