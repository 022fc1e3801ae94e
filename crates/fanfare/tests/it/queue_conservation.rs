//! Worker processes of a queue that are killed at random while handlers fail, panic, hang and take long:
//! every task is run well or ends among the dead letters, and none is taken from a live handler.

use std::{collections::HashSet, time::Duration};

use fanfare::{
    Backoff, Fanfare,
    queue::{Job, Task, TaskQueue},
};

use crate::{
    conservation::{Killing, LEASE, URL, check_numbers, handle_number, n_entries},
    support::{Target, TestResult, run_for},
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

/// Not a test by itself: what a worker process runs, until it is killed.
#[test]
fn worker_process() {
    if let Ok(url) = std::env::var(URL) {
        run_for(Duration::from_secs(3_600), work(url));
    }
}

fn queue(fanfare: &Fanfare) -> TaskQueue {
    let ms = Duration::from_millis;
    let queue = fanfare.task_queue("q").lease(LEASE).deliveries_max(20);
    queue.retry(Backoff { first: ms(50), cap: Duration::from_secs(1) })
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
