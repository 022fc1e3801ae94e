//! Worker processes of a queue that are killed at random while handlers fail, panic, hang and take long:
//! every task is run well or ends among the dead letters, and none is taken from a live handler.

use std::{collections::HashSet, time::Duration};

use fanfare::{
    Backoff, Fanfare,
    queue::{Ending, Job, Task, TaskQueue, UniqueQueue},
    testing::eventually,
};

use crate::{
    conservation::{Killing, LEASE, Process, URL, check_numbers, handle_number, n_entries},
    queue_support::{LONG, MS},
    support::{Target, TestResult, run, run_for},
};

#[test]
fn no_task_is_lost_on_redis_server() {
    let server = fanfare_testkit::RedisServer::start(&[]);
    run_for(Duration::from_secs(3_600), conserve(Target::Redis(server)));
}

#[test]
fn no_task_is_lost_on_fanfare() {
    let server = fanfare_testkit::FanfareServer::start(&[]);
    run_for(Duration::from_secs(3_600), conserve(Target::Fanfare(server)));
}

#[test]
fn no_task_is_lost_on_sentinel() {
    let group = fanfare_testkit::SentinelGroup::start();
    run_for(Duration::from_secs(3_600), conserve(Target::Sentinel(group)));
}

#[test]
fn no_task_is_lost_on_a_cluster() {
    let group = fanfare_testkit::ClusterGroup::start();
    run_for(Duration::from_secs(3_600), conserve(Target::Cluster(group)));
}

#[test]
fn a_killed_holders_key_is_free_again_on_redis_server() {
    run(free_again(Target::Redis(fanfare_testkit::RedisServer::start(&[]))));
}

#[test]
fn a_killed_holders_key_is_free_again_on_fanfare() {
    run(free_again(Target::Fanfare(fanfare_testkit::FanfareServer::start(&[]))));
}

#[test]
fn a_killed_holders_key_is_free_again_on_a_cluster() {
    run(free_again(Target::Cluster(fanfare_testkit::ClusterGroup::start())));
}

/// Not a test by itself: a process that takes a task of each unique queue, and hangs until it is killed.
#[test]
fn holder_process() {
    if let Ok(url) = std::env::var(URL) {
        run_for(Duration::from_secs(3_600), hold(url));
    }
}

/// Not a test by itself: what a worker process runs, until it is killed.
#[test]
fn worker_process() {
    if let Ok(url) = std::env::var(URL) {
        run_for(Duration::from_secs(3_600), work(url));
    }
}

fn queue(fanfare: &Fanfare) -> TaskQueue {
    let queue = fanfare.task_queue("q").lease(LEASE).deliveries_max(20);
    queue.retry(Backoff { first: MS(50), cap: Duration::from_secs(1) })
}

/// One whose tasks are delivered so often.
fn unique(fanfare: &Fanfare, deliveries_max: u64) -> UniqueQueue {
    // That it ends is what is tried; a process that is alive renews it.
    let tasks = fanfare.task_queue(format!("unique{deliveries_max}")).lease(MS(4_000));
    UniqueQueue::from(tasks.deliveries_max(deliveries_max))
}

async fn hold(url: String) -> TestResult {
    let fanfare = Fanfare::connect(&url).await?;
    let mut workers = Vec::new();
    for deliveries_max in [1, 5] {
        let fanfare = fanfare.clone();
        let worker = unique(&fanfare, deliveries_max).worker();
        workers.push(worker.spawn(move |_: Task| {
            let fanfare = fanfare.clone();
            async move {
                let _ = fanfare.command(["INCR", "held"]).await;
                std::future::pending::<()>().await;
            }
        })?);
    }
    std::future::pending().await
}

/// A sketch took keys by SADD and gave them back in the worker: those of a killed one were taken for ever.
async fn free_again(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let [once, often] = [1, 5].map(|n| unique(&fanfare, n));
    let [dying, going_on] = [once.enqueue("k", "1").await?, often.enqueue("k", "1").await?];
    let holder = Process::start("queue_conservation::holder_process", &server.url())?;
    eventually("it has both", async || {
        fanfare.command(["GET", "held"]).await.is_ok_and(|it| it.as_str() == Some("2"))
    })
    .await;
    for queue in [&once, &often] {
        assert!(!queue.enqueue("k", "2").await?.is_new(), "it is being run");
    }
    drop(holder);
    let works = async |_: Task| {};
    let workers = [once.worker().spawn(works)?, often.worker().spawn(works)?];
    // Its last delivery was that of the dead process, or another worker ends it: both free the key.
    let ending = dying.outcome(LONG).await?;
    assert!(
        matches!(&ending, Some(Ending::Dead(it)) if it.contains("no sign of life")),
        "{ending:?}"
    );
    assert_eq!(going_on.outcome(LONG).await?, Some(Ending::Done(None)));
    for (queue, done) in [(&once, 0), (&often, 1)] {
        let counts = queue.stats().await?.counts;
        assert_eq!((counts.abandoned, counts.done), (1, done), "{counts:?}");
        let again = queue.enqueue("k", "3").await?;
        assert!(again.is_new(), "it is free");
        assert_eq!(again.outcome(LONG).await?, Some(Ending::Done(None)));
    }
    for worker in workers {
        worker.stop().await;
    }
    Ok(())
}

async fn work(url: String) -> TestResult {
    let fanfare = Fanfare::connect(&url).await?;
    let worker = queue(&fanfare).worker().concurrency(20).timeout(LEASE * 2);
    let worker = worker.spawn(move |task: Task| {
        let fanfare = fanfare.clone();
        async move {
            let n = task.text().map_err(|error| error.to_string())?;
            handle_number(&fanfare, n, task.deliveries()).await
        }
    })?;
    worker.ended().await;
    Ok(())
}

async fn conserve(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let (queue, n_tasks) = (queue(&fanfare), n_entries());
    let mut killing = Killing::start("queue_conservation::worker_process", &server.url())?;
    // Some at once, and some with a time of their own.
    let delay = |n: u64| Duration::from_millis(if n.is_multiple_of(3) { n % 700 } else { 0 });
    queue.enqueue_many((0..n_tasks).map(|n| Job::new(n.to_string()).delay(delay(n)))).await?;
    loop {
        let stats = queue.stats().await?;
        let is_settled = stats.ready + stats.delayed + stats.leased == 0;
        if !killing.goes_on(is_settled, n_tasks).await? {
            break;
        }
    }
    let n_killed = killing.n_killed;
    drop(killing);
    let mut dead = HashSet::new();
    for letter in queue.dead_letters().list(u32::MAX).await? {
        dead.insert(std::str::from_utf8(&letter.payload)?.parse()?);
    }
    check_numbers(&fanfare, &dead, n_tasks).await?;
    let stats = queue.stats().await?;
    assert_eq!(stats.counts.done + stats.dead, n_tasks, "each has ended once: {stats:?}");
    assert_eq!(stats.counts.missing, 0);
    println!("{n_tasks} tasks, {n_killed} processes killed, {:?}", stats.counts);
    Ok(())
}
