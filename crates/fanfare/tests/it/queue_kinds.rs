//! Queues with keys, priorities and times, and what wakes those who wait.

use std::time::{Duration, SystemTime};

use fanfare::{
    Fanfare,
    queue::{Job, Settled, TaskQueue, TaskState},
    testing,
};

use crate::{
    queue_support::{HOUR, LONG, MS, take_one},
    support::{Target, TestResult, on_embedded, on_every_broker, on_every_topology},
};

on_every_topology!(
    twenty_who_enqueue_a_key_at_once_make_one_task,
    the_unimportant_have_their_turn,
    all_that_is_delayed_fires_and_none_early,
);

on_every_broker!(
    a_key_is_taken_until_its_task_is_over,
    a_key_may_be_taken_for_longer,
    a_letter_whose_key_another_has_stays,
    equals_are_served_as_they_came,
    what_is_delayed_can_be_put_off_and_brought_forward,
    who_waits_is_woken_by_what_is_due_earlier,
);

on_embedded!(
    twenty_who_enqueue_a_key_at_once_make_one_task,
    the_unimportant_have_their_turn,
    all_that_is_delayed_fires_and_none_early,
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
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR).boost(MS(50));
    queue.enqueue_many([Job::new("low"), Job::new("high").priority(9)]).await?;
    let mut n_before = 0;
    loop {
        let taken = take_one(&queue).await?;
        if taken.task().text()? == "low" {
            break;
        }
        assert_eq!(taken.complete().await?, Settled::Yes);
        // There is never nothing important.
        queue.enqueue(Job::new("high").priority(9)).await?;
        n_before += 1;
    }
    assert!(1 <= n_before, "what is important goes first");
    // It was overtaken by nothing that came later than the boost of nine steps.
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

/// A sketch took what was due by the clock of whoever asked, and popped it in two commands.
async fn all_that_is_delayed_fires_and_none_early(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let queue = fanfare.task_queue("q").lease(HOUR).result_ttl(HOUR);
    let delays = (0..400_u64).map(|n| Job::new("x").delay(MS((n * 37) % 500)));
    let tickets = queue.enqueue_many(delays).await?;
    let others: Vec<TaskQueue> = (0..3).map(|_| queue.clone()).collect();
    let taking = others.into_iter().map(|queue| {
        tokio::spawn(async move {
            while queue.stats().await?.counts.done < 400 {
                for taken in queue.take_within(7, MS(50)).await? {
                    let _ = taken.complete().await?;
                }
            }
            Ok::<_, fanfare::Error>(())
        })
    });
    for taking in taking.collect::<Vec<_>>() {
        tokio::time::timeout(LONG, taking).await???;
    }
    for ticket in tickets {
        let info = queue.show(ticket.id()).await?.ok_or("it is gone")?;
        assert_eq!((info.state, info.deliveries), (TaskState::Done, 1));
        let due = info.due.unwrap_or(info.enqueued);
        assert!(info.started.is_some_and(|it| due <= it), "{info:?}");
    }
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
