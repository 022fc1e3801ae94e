//! What replicas have confirmed outlives their master: entries of a stream, and the tasks of a queue, which its
//! worker goes on to run. (Without `WAIT` a server says yes before its replicas know.)

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fanfare::{
    Backoff, Fanfare,
    client::Command,
    commands::Run as _,
    queue::{Job, Task},
    stream::StreamId,
};
use fanfare_testkit::{ClusterGroup, SentinelGroup, ServerProcess};

use crate::{
    queue_support::MS,
    support::{Target, TestResult, run_for, until},
};

const STREAM: &str = "{b}entries";

/// Of the same slot, so that their master is killed, too.
const QUEUE: &str = "b";

fn n_rounds() -> u64 {
    if std::env::var_os("FANFARE_FULL").is_some() { 20 } else { 2 }
}

#[test]
fn what_was_confirmed_outlives_the_master_with_sentinels() {
    let group = Target::Sentinel(SentinelGroup::start());
    run_for(Duration::from_secs(3_600), outlive(group, 2));
}

#[test]
fn what_was_confirmed_outlives_the_master_in_a_cluster() {
    let group = ClusterGroup::start_with_timeout(Duration::from_millis(1_500));
    run_for(Duration::from_secs(3_600), outlive(Target::Cluster(group), 1));
}

type Confirmed = Arc<Mutex<Vec<StreamId>>>;

fn len(confirmed: &Confirmed) -> usize {
    confirmed.lock().unwrap_or_else(PoisonError::into_inner).len()
}

async fn outlive(mut server: Target, n_replicas: u32) -> TestResult {
    let (fanfare, confirmed) = (server.connect().await?, Confirmed::default());
    let writer = tokio::spawn(write(fanfare.clone(), confirmed.clone(), n_replicas));
    let backoff = Backoff { first: MS(50), cap: Duration::from_secs(1) };
    let queue = fanfare.task_queue(QUEUE).lease(Duration::from_secs(2)).retry(backoff);
    let ran = Arc::new(Mutex::new(HashSet::new()));
    let worker = queue.worker().spawn({
        let ran = ran.clone();
        move |task: Task| -> std::future::Ready<()> {
            let n = String::from_utf8_lossy(task.payload()).into_owned();
            ran.lock().unwrap_or_else(PoisonError::into_inner).insert(n);
            std::future::ready(())
        }
    })?;
    for round in 0..n_rounds() {
        let before = len(&confirmed);
        until("entries are confirmed", || before + 20 <= len(&confirmed)).await?;
        let jobs = (0..50).map(|n| Job::new(format!("{round}.{n}")).delay(MS(500)));
        queue.enqueue_many(jobs).await?;
        tokio::task::block_in_place(|| kill_the_master(&mut server));
    }
    let before = len(&confirmed);
    until("it goes on", || before + 20 <= len(&confirmed)).await?;
    writer.abort();
    let n_tasks = usize::try_from(n_rounds() * 50)?;
    until("all tasks are run", || {
        ran.lock().unwrap_or_else(PoisonError::into_inner).len() == n_tasks
    })
    .await?;
    worker.stop().await;

    let entries = fanfare.stream(STREAM).range(.., None).await?;
    let kept: HashSet<_> = entries.iter().map(|it| it.id).collect();
    let confirmed = confirmed.lock().unwrap_or_else(PoisonError::into_inner);
    let lost: Vec<_> = confirmed.iter().filter(|id| !kept.contains(id)).collect();
    assert!(lost.is_empty(), "{} of {} confirmed entries: {lost:?}", lost.len(), confirmed.len());
    println!("{} confirmed, {} kept, {n_tasks} tasks run", confirmed.len(), kept.len());
    Ok(())
}

/// Adds entries, and notes those that all replicas have.
async fn write(fanfare: Fanfare, confirmed: Confirmed, n_replicas: u32) {
    let client = fanfare.client();
    loop {
        let pipeline = client.pipeline();
        let added = pipeline.run(Command::raw(["XADD", STREAM, "*", "n", "1"]));
        // What fails, or is not confirmed, may be there or not.
        let sent = pipeline.send_and_wait(n_replicas, Duration::from_secs(1)).await;
        if let Ok((mut answers, n)) = sent
            && u64::from(n_replicas) <= n
            && let Ok(id) = answers.take(added)
            && let Some(id) = id.as_str().and_then(|it| it.parse().ok())
        {
            confirmed.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        }
        tokio::time::sleep(MS(5)).await;
    }
}

/// Kills the master of the keys once its replicas have the tasks, and starts it again as a replica.
fn kill_the_master(server: &mut Target) {
    match server {
        Target::Sentinel(group) => {
            group.wait_whole();
            group.wait_replicated();
            let old = group.master().addr();
            group.master_mut().stop();
            group.wait_switched(old);
            group.servers_mut().filter(|it| it.pid().is_none()).for_each(ServerProcess::restart);
            group.wait_whole();
        }
        Target::Cluster(group) => {
            group.wait_whole();
            group.wait_replicated("b");
            let port = group.owner("b").port();
            group.owner_mut("b").stop();
            group.wait_switched("b", port);
            group.nodes_mut().filter(|it| it.pid().is_none()).for_each(ServerProcess::restart);
            group.wait_whole();
        }
        _ => unreachable!("only these have replicas"),
    }
}
