//! What becomes of entries that are done with.

use std::sync::Arc;

use fanfare::{
    stream::{Entry, Position},
    testing,
};

use crate::{
    support::{Target, TestResult, on_every_broker, on_everything, until},
    worker_support::{add, quick, settled},
};

on_everything!(
    what_is_acknowledged_is_deleted_with_it,
    what_another_group_needs_is_not_deleted,
    what_is_stuck_keeps_others_only_where_it_must,
);

// A cluster and sentinels count in other places.
on_every_broker!(the_newest_command_that_is_there_is_used);

async fn what_is_acknowledged_is_deleted_with_it(server: Target) -> TestResult {
    let group = server.connect().await?.stream("s").group("g");
    add(&group, 0..100).await?;
    let worker = quick(&group).deliveries_max(1).delete_acknowledged().spawn(
        async |entry: Arc<Entry>, _| {
            if entry.text("n").is_ok_and(|it| it == "50") { Err("poison") } else { Ok(()) }
        },
    )?;
    until("one is dead", || worker.stats().counts.dead_lettered == 1).await?;
    testing::expect_len(group.stream(), 0).await;
    settled(&group).await?;
    let counts = worker.stop().await.counts;
    assert_eq!((counts.handled, counts.acknowledged), (99, 99));
    assert_eq!(group.dead_letters().len().await?, 1);
    Ok(())
}

async fn what_another_group_needs_is_not_deleted(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    let other = group.stream().group("other");
    other.create(Position::Start).await?;
    add(&group, 0..100).await?;
    fanfare
        .command(["XREADGROUP", "GROUP", "other", "c", "COUNT", "60", "STREAMS", "s", ">"])
        .await?;
    let entries = group.stream().range(.., None).await?;
    let worker = quick(&group).delete_acknowledged().spawn(async |_, _| {})?;
    until("all are acknowledged", || worker.stats().counts.acknowledged == 100).await?;
    assert_eq!(group.stream().len().await?, 100, "the other one has acknowledged none");
    other.acknowledge(entries.iter().take(40).map(|it| it.id)).await?;
    testing::expect_len(group.stream(), 60).await;
    other.acknowledge(entries.iter().take(60).map(|it| it.id)).await?;
    testing::expect_len(group.stream(), 40).await;
    worker.stop().await;
    Ok(())
}

/// Where the server knows `ACKED`, each entry goes by itself.
async fn what_is_stuck_keeps_others_only_where_it_must(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    add(&group, 0..10).await?;
    let worker = group.worker().trim_acknowledged().spawn(async |entry: Arc<Entry>, _| {
        if entry.text("n").is_ok_and(|it| it == "4") {
            std::future::pending().await
        }
    })?;
    until("all others are acknowledged", || worker.stats().counts.acknowledged == 9).await?;
    let knows_acked = !matches!(
        fanfare.command(["COMMAND", "INFO", "xackdel"]).await?.as_array(),
        Some([it]) if it.as_array().is_none_or(<[_]>::is_empty)
    );
    testing::expect_len(group.stream(), if knows_acked { 1 } else { 6 }).await;
    drop(worker);
    Ok(())
}

async fn the_newest_command_that_is_there_is_used(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    add(&group, 0..10).await?;
    let worker = group.worker().delete_acknowledged().spawn(async |_, _| {})?;
    until("all are acknowledged", || worker.stats().counts.acknowledged == 10).await?;
    worker.stop().await;
    let stats = fanfare.command(["INFO", "commandstats"]).await?;
    let stats = stats.as_str().unwrap_or_default();
    let calls = |name: &str| stats.contains(&format!("cmdstat_{name}:calls="));
    let expected = match server {
        Target::Fanfare(_) => (true, false, false),
        _ => (false, true, true),
    };
    assert_eq!((calls("xackdel"), calls("xack"), calls("xdel")), expected);
    Ok(())
}
