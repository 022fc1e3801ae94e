//! What a worker finds on the server, and what it must not lose of that.

use std::{sync::Arc, time::Duration};

use fanfare::{
    Backoff, ErrorKind,
    stream::{Entry, Pending, Position},
    testing,
    worker::WorkerEvent,
};

use tokio::sync::watch;

use crate::{
    support::{Target, TestResult, on_everything, until},
    worker_support::{Seen, add, noting, pending, quick, settled},
};

on_everything!(
    leases_are_renewed_beside_many_that_it_does_not_know_of,
    what_rests_for_long_does_not_hide_what_is_due,
    what_can_not_be_put_with_the_dead_letters_stays_pending,
    a_letter_that_can_not_be_sent_back_stays,
    what_fails_is_not_taken_from_who_has_it_by_now,
);

/// A consumer that had a lot comes back under its old name.
async fn leases_are_renewed_beside_many_that_it_does_not_know_of(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    group.create(Position::Start).await?;
    add(&group, 0..1_600).await?;
    let read = ["XREADGROUP", "GROUP", "g", "me", "COUNT", "1600", "STREAMS", "s", ">"];
    fanfare.command(read).await?;
    add(&group, 1_600..1_601).await?;
    let worker = group
        .worker()
        .consumer("me")
        .concurrency(2)
        .prefetch(0)
        .lease(Duration::from_secs(2))
        .spawn(|_, _| std::future::pending::<()>())?;
    until("it has the oldest too", || 1 <= worker.stats().counts.claimed).await?;
    let idle = async || {
        let all = group.pending(Pending::new().limit(2_000)).await;
        all.ok().and_then(|it| it.last().map(|it| it.idle))
    };
    // It grows until the lease is renewed: twice, since the first may have been under way before.
    for _ in 0..2 {
        let mut last = Duration::ZERO;
        testing::eventually("the newest one's lease is renewed", async || {
            let before = last;
            last = idle().await.unwrap_or(before);
            last < before
        })
        .await;
    }
    drop(worker);
    Ok(())
}

async fn what_rests_for_long_does_not_hide_what_is_due(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    group.create(Position::Start).await?;
    add(&group, 0..2_101).await?;
    let read = ["XREADGROUP", "GROUP", "g", "c", "COUNT", "2101", "STREAMS", "s", ">"];
    fanfare.command(read).await?;
    let entries = group.stream().range(.., None).await?;
    let ids: Vec<String> = entries.iter().map(|it| it.id.to_string()).collect();
    let (due, resting) = ids.split_last().ok_or("no entries")?;
    for (ids, deliveries) in [(resting, "20"), (std::slice::from_ref(due), "1")] {
        let mut rest = vec!["XCLAIM", "s", "g", "fanfare:retry", "0"];
        rest.extend(ids.iter().map(String::as_str));
        rest.extend(["IDLE", "60000", "RETRYCOUNT", deliveries, "JUSTID"]);
        fanfare.command(rest).await?;
    }
    let hour = Duration::from_secs(3_600);
    let backoff = Backoff { first: Duration::from_secs(1), cap: hour };
    let seen = Seen::default();
    let worker = group.worker().lease(hour).retry(backoff).deliveries_max(0);
    let worker = noting(worker, &seen)?;
    until("the one that is due is handled", || seen.len() == 1).await?;
    assert_eq!(*seen.lock(), [("2100".to_owned(), 2)]);
    worker.stop().await;
    Ok(())
}

async fn what_can_not_be_put_with_the_dead_letters_stays_pending(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    add(&group, 0..2).await?;
    let dead = group.dead_letters();
    let key = String::from_utf8(dead.stream().key().to_vec())?;
    fanfare.command(["SET", &key, "no stream"]).await?;
    let worker = quick(&group).deliveries_max(1).spawn(async |entry: Arc<Entry>, _| {
        if entry.text("n").is_ok_and(|it| it == "0") { Err("poison") } else { Ok(()) }
    })?;
    let mut events = worker.events();
    let mut is_told = async || loop {
        match events.next().await {
            Some(WorkerEvent::Failed { what: "to add dead letters", error }) => {
                return error.server_code() == Some("WRONGTYPE");
            }
            Some(_) => {}
            None => return false,
        }
    };
    assert!(tokio::time::timeout(testing::PATIENCE, is_told()).await?);
    until("the other one is acknowledged", || worker.stats().counts.acknowledged == 1).await?;
    assert_eq!(pending(&group).await?.len(), 1, "it is not acknowledged");
    fanfare.command(["DEL", &key]).await?;
    until("it is dead", || worker.stats().counts.dead_lettered == 1).await?;
    settled(&group).await?;
    assert_eq!(dead.list(None, 10).await?.first().ok_or("none")?.error, "poison");
    worker.stop().await;
    Ok(())
}

async fn a_letter_that_can_not_be_sent_back_stays(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    add(&group, 0..1).await?;
    let worker = quick(&group).deliveries_max(1).spawn(async |_, _| Err::<(), _>("no"))?;
    until("it is dead", || worker.stats().counts.dead_lettered == 1).await?;
    worker.stop().await;
    let dead = group.dead_letters();
    let letter = dead.list(None, 1).await?.pop().ok_or("none")?;
    fanfare.command(["DEL", "s"]).await?;
    fanfare.command(["SET", "s", "no stream"]).await?;
    let error = dead.requeue(letter.dead_id).await.err().ok_or("it was sent back")?;
    assert_eq!((error.kind(), error.server_code()), (ErrorKind::Server, Some("WRONGTYPE")));
    assert_eq!(dead.list(None, 2).await?, std::slice::from_ref(&letter));
    fanfare.command(["DEL", "s"]).await?;
    assert!(dead.requeue(letter.dead_id).await?.is_some());
    assert_eq!((dead.len().await?, group.stream().len().await?), (0, 1));
    Ok(())
}

/// Another program takes an entry, and the handler fails before its worker has noticed.
async fn what_fails_is_not_taken_from_who_has_it_by_now(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    add(&group, 0..2).await?;
    let go_on = watch::Sender::new(false);
    let worker = group.worker().lease(Duration::from_secs(3_600)).spawn({
        let go_on = go_on.subscribe();
        move |entry: Arc<Entry>, _| {
            let mut go_on = go_on.clone();
            async move {
                go_on.wait_for(|it| *it).await.map_err(|_| "the test is over")?;
                if entry.text("n").is_ok_and(|it| it == "0") { Err("it fails") } else { Ok(()) }
            }
        }
    })?;
    until("both are begun", || worker.stats().in_flight == 2).await?;
    let id = pending(&group).await?.first().ok_or("none")?.id.to_string();
    fanfare.command(["XCLAIM", "s", "g", "thief", "0", &id, "JUSTID"]).await?;
    go_on.send_replace(true);
    until("it is let go", || worker.stats().held == 0).await?;
    let left = pending(&group).await?;
    let left: Vec<_> = left.iter().map(|it| (&it.consumer[..], it.id.to_string())).collect();
    assert_eq!(left, [(&b"thief"[..], id)]);
    worker.stop().await;
    Ok(())
}
