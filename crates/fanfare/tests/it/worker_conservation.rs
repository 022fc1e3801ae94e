//! Worker processes that are killed at random while handlers fail, panic, hang and take long: every
//! entry is handled or ends among the dead letters, and none is taken from a live handler.

use std::{collections::HashSet, sync::Arc, time::Duration};

use fanfare::{
    Backoff, Fanfare,
    stream::{Entry, Group},
    worker::Context,
};

use crate::{
    conservation::{Killing, LEASE, URL, check_numbers, handle_number, n_entries},
    support::{Target, TestResult, run_for},
};

#[test]
fn nothing_is_lost_on_redis_server() {
    let server = fanfare_testkit::RedisServer::start(&[]);
    run_for(Duration::from_secs(3_600), conserve(Target::Redis(server)));
}

#[test]
fn nothing_is_lost_on_fanfare() {
    let server = fanfare_testkit::FanfareServer::start(&[]);
    run_for(Duration::from_secs(3_600), conserve(Target::Fanfare(server)));
}

#[test]
fn nothing_is_lost_on_sentinel() {
    let group = fanfare_testkit::SentinelGroup::start();
    run_for(Duration::from_secs(3_600), conserve(Target::Sentinel(group)));
}

#[test]
fn nothing_is_lost_on_a_cluster() {
    let group = fanfare_testkit::ClusterGroup::start();
    run_for(Duration::from_secs(3_600), conserve(Target::Cluster(group)));
}

/// Not a test by itself: what a worker process runs, until it is killed.
#[test]
fn worker_process() {
    if let Ok(url) = std::env::var(URL) {
        run_for(Duration::from_secs(3_600), work(url));
    }
}

async fn work(url: String) -> TestResult {
    let fanfare = Fanfare::connect(&url).await?;
    let stream = fanfare.stream("s");
    let worker = stream
        .group("g")
        .worker()
        .concurrency(20)
        .lease(LEASE)
        .timeout(LEASE * 2)
        .deliveries_max(20)
        .retry(Backoff { first: Duration::from_millis(50), cap: Duration::from_secs(1) })
        .spawn(move |entry: Arc<Entry>, context| handle(fanfare.clone(), entry, context))?;
    worker.ended().await;
    Ok(())
}

async fn handle(fanfare: Fanfare, entry: Arc<Entry>, context: Context) -> Result<(), String> {
    let n = entry.text("n").map_err(|error| error.to_string())?;
    handle_number(&fanfare, n, context.deliveries()).await
}

async fn conserve(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let (group, n_entries) = (fanfare.stream("s").group("g"), n_entries());
    let mut killing = Killing::start("worker_conservation::worker_process", &server.url())?;
    for first in (0..n_entries).step_by(100) {
        let entries = (first..first + 100).map(|n| [("n", n.to_string())]);
        for outcome in group.stream().add_batch(entries).await {
            outcome?;
        }
    }
    while killing.goes_on(is_settled(&group).await?, n_entries).await? {}
    let n_killed = killing.n_killed;
    drop(killing);
    check(&fanfare, &group, n_entries).await?;
    println!("{n_entries} entries, {n_killed} processes killed");
    Ok(())
}

async fn is_settled(group: &Group) -> Result<bool, fanfare::Error> {
    let info = group.info().await?;
    Ok(info.is_some_and(|it| it.pending == 0 && it.lag == Some(0)))
}

async fn check(fanfare: &Fanfare, group: &Group, n_entries: u64) -> TestResult {
    let mut dead: HashSet<u64> = HashSet::new();
    for letter in group.dead_letters().list(None, n_entries).await? {
        let n =
            letter.fields.first().and_then(|(_, it)| std::str::from_utf8(it).ok()?.parse().ok());
        dead.insert(n.ok_or("a dead letter without a number")?);
    }
    check_numbers(fanfare, &dead, n_entries).await
}
