//! Workers: every entry is handled, whatever becomes of handlers, workers, and what is in between.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use fanfare::{
    Backoff, BoxError, Call, Envelope, Fanfare, Json, Kind, Permanent,
    stream::{Entry, Position, StreamId},
    worker::{Context, WorkerEvent, WorkerState},
};
use tokio::sync::Notify;

use crate::{
    support::{Target, TestResult, on_every_broker, on_everything, until},
    worker_support::{MS, Seen, add, noting, pending, quick, settled},
};

on_everything!(
    all_is_handled_and_acknowledged,
    a_slow_handler_is_not_robbed,
    what_a_crash_leaves_is_delivered_once_more,
    poison_ends_among_the_dead_letters_and_can_be_sent_back,
    what_can_never_be_handled_is_not_tried_again,
    what_kills_its_workers_is_put_aside_unhandled,
    a_group_that_is_gone_is_made_again_where_it_was,
    what_was_trimmed_away_is_cleared,
    a_read_that_waits_delays_nobody,
    entries_of_a_key_are_handled_in_order_also_when_one_fails,
    what_is_given_back_is_had_at_once_by_others,
    no_more_is_read_than_there_is_room_for,
    consumers_without_entries_are_reaped_and_those_with_some_are_not,
    what_all_groups_have_acknowledged_is_trimmed,
    a_lost_lease_is_told_and_nothing_is_taken_back,
    one_service_handles_entries_and_messages;
    // An embedded broker can not hang while its program goes on.
    not embedded: it_goes_on_when_connections_are_killed_and_the_server_hangs,
);

// A cluster and sentinels count in other places.
on_every_broker!(many_are_read_and_acknowledged_at_once);

/// Silence that no test reaches.
const LONG: Duration = Duration::from_secs(3_600);

async fn all_is_handled_and_acknowledged(server: Target) -> TestResult {
    let group = server.connect().await?.stream("s").group("g");
    add(&group, 0..500).await?;
    let seen = Seen::default();
    let worker = noting(group.worker().concurrency(20), &seen)?;
    until("all are handled", || seen.len() == 500).await?;
    add(&group, 500..600).await?;
    until("those that came later, too", || seen.len() == 600).await?;
    settled(&group).await?;
    let mut got: Vec<u32> = seen.lock().iter().filter_map(|(n, _)| n.parse().ok()).collect();
    got.sort_unstable();
    assert_eq!(got, (0..600).collect::<Vec<_>>());
    assert!(seen.lock().iter().all(|(_, deliveries)| *deliveries == 1));
    let stats = worker.stats();
    assert_eq!(stats.state, WorkerState::Running);
    assert!(stats.last_read_age < Duration::from_secs(60));
    let stats = worker.stop().await;
    assert_eq!((stats.counts.handled, stats.counts.read), (600, 600));
    assert_eq!((stats.counts.acknowledged, stats.held, stats.in_flight), (600, 0, 0));
    assert_eq!(stats.state, WorkerState::Stopped);
    assert_eq!(group.consumers().await?, [], "it has left");
    Ok(())
}

/// Test 11 of the failures that other clients have.
async fn a_slow_handler_is_not_robbed(server: Target) -> TestResult {
    let group = server.connect().await?.stream("s").group("g");
    add(&group, 0..4).await?;
    let seen = Seen::default();
    let lease = Duration::from_secs(6);
    let mut workers = Vec::new();
    for _ in 0..3 {
        let seen = seen.clone();
        workers.push(group.worker().lease(lease).prefetch(0).concurrency(2).spawn(
            move |entry, context: Context| {
                seen.push(&entry, &context);
                async move {
                    tokio::time::sleep(lease * 2).await;
                    if context.is_lost() { Err("lost") } else { Ok(()) }
                }
            },
        )?);
    }
    until("all are being handled", || seen.len() == 4).await?;
    let handled = || workers.iter().map(|it| it.stats().counts.handled).sum::<u64>();
    until("all were handled", || handled() == 4).await?;
    settled(&group).await?;
    assert_eq!(seen.len(), 4, "none twice");
    for worker in workers {
        let counts = worker.stop().await.counts;
        assert_eq!((counts.claimed, counts.lost, counts.failed), (0, 0, 0));
    }
    Ok(())
}

/// Test 12.
async fn what_a_crash_leaves_is_delivered_once_more(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    add(&group, 0..5).await?;
    let first = Seen::default();
    let crashed = {
        let first = first.clone();
        quick(&group).concurrency(3).prefetch(2).spawn(move |entry, context| {
            first.push(&entry, &context);
            std::future::pending::<()>()
        })?
    };
    until("three are begun", || first.len() == 3).await?;
    drop(crashed);
    let seen = Seen::default();
    let worker = noting(quick(&group), &seen)?;
    until("all are delivered again", || seen.len() == 5).await?;
    settled(&group).await?;
    assert!(seen.lock().iter().all(|(_, deliveries)| *deliveries == 2), "{:?}", seen.lock());
    let stats = worker.stop().await;
    assert_eq!((stats.counts.claimed, stats.counts.handled), (5, 5));
    Ok(())
}

/// Test 13.
async fn poison_ends_among_the_dead_letters_and_can_be_sent_back(server: Target) -> TestResult {
    let group = server.connect().await?.stream("s").group("g");
    group.stream().add([("n", "panics"), ("n", "twice"), ("", "")]).await?;
    group.stream().add([("n", "fails")]).await?;
    group.stream().add([("n", "hangs")]).await?;
    group.stream().add([("n", "works")]).await?;
    let (seen, is_mended) = (Seen::default(), Arc::new(AtomicBool::new(false)));
    let worker = quick(&group).deliveries_max(3).timeout(MS(300)).spawn({
        let (seen, is_mended) = (seen.clone(), is_mended.clone());
        move |entry: Arc<Entry>, context| {
            seen.push(&entry, &context);
            let is_mended = is_mended.load(Ordering::Relaxed);
            async move {
                match entry.text("n") {
                    _ if is_mended => Ok(()),
                    Ok("panics") => panic!("this one"),
                    Ok("fails") => Err(format!("delivery {}", context.deliveries())),
                    Ok("hangs") => std::future::pending().await,
                    _ => Ok(()),
                }
            }
        }
    })?;
    let mut events = worker.events();
    let dead = group.dead_letters();
    until("three are dead", || worker.stats().counts.dead_lettered == 3).await?;
    settled(&group).await?;
    assert_eq!(seen.len(), 10);
    let mut letters = dead.list(None, 10).await?;
    letters.sort_by_key(|it| it.id);
    let errors: Vec<_> = letters.iter().map(|it| it.error.as_str()).collect();
    let expected =
        ["the handler panicked: this one", "delivery 3", "the handler took longer than 300ms"];
    assert_eq!(errors, expected);
    let letter = letters.first().ok_or("none")?;
    assert_eq!(
        (&letter.stream[..], &letter.group[..], letter.deliveries),
        (&b"s"[..], &b"g"[..], 3)
    );
    assert_eq!(letter.consumer, worker.consumer());
    assert!(letter.first <= letter.last);
    let own: [(bytes::Bytes, bytes::Bytes); 3] =
        [("n", "panics"), ("n", "twice"), ("", "")].map(|(name, it)| (name.into(), it.into()));
    assert_eq!(letter.fields, own);
    assert_eq!(dead.show(letter.dead_id).await?.as_ref(), Some(letter));

    is_mended.store(true, Ordering::Relaxed);
    let new_id = dead.requeue(letter.dead_id).await?.ok_or("it was not there")?;
    assert!(letter.id < new_id);
    assert_eq!(dead.requeue(letter.dead_id).await?, None, "it is done once");
    assert_eq!(dead.requeue_all().await?, 2);
    until("they are handled", || worker.stats().counts.handled == 4).await?;
    settled(&group).await?;
    assert!(dead.is_empty().await?);
    let entries = group.stream().range(new_id..=new_id, None).await?;
    assert_eq!(entries.first().ok_or("none")?.fields, own);
    let told = events.next().await.ok_or("no event")?;
    assert!(
        matches!(told, WorkerEvent::Claimed { .. } | WorkerEvent::DeadLettered { .. }),
        "{told:?}"
    );
    let counts = worker.stop().await.counts;
    assert_eq!((counts.panicked, counts.failed, counts.timed_out, counts.retried), (3, 3, 3, 6));
    Ok(())
}

async fn what_can_never_be_handled_is_not_tried_again(server: Target) -> TestResult {
    let group = server.connect().await?.stream("s").group("g");
    add(&group, 0..20).await?;
    // In order too: those behind it must go on.
    for is_ordered in [false, true] {
        let worker = quick(&group).deliveries_max(1_000);
        let worker = if is_ordered { worker.order_by(|_| "all".into()) } else { worker };
        let handler = async |entry: Arc<Entry>| match entry.text("n")?.parse::<u64>()? % 2 {
            0 => Err(BoxError::from(Permanent::new("even"))),
            _ => Ok(()),
        };
        let worker = worker.spawn_with(handler, ())?;
        until("all have ended", || {
            let counts = worker.stats().counts;
            (counts.dead_lettered, counts.acknowledged) == (10, 10)
        })
        .await?;
        settled(&group).await?;
        let counts = worker.stop().await.counts;
        assert_eq!((counts.handled, counts.failed, counts.retried), (10, 10, 0));
        let letters = group.dead_letters().list(None, 100).await?;
        assert!(letters.iter().all(|it| it.deliveries == 1 && it.error == "even"), "{letters:?}");
        group.dead_letters().drop(letters.iter().map(|it| it.dead_id)).await?;
        add(&group, 20..40).await?;
    }
    Ok(())
}

async fn one_service_handles_entries_and_messages(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let (sender, mut seen) = tokio::sync::mpsc::channel(10);
    let handler = move |call: Call, Json(n): Json<u64>| {
        let (sender, seen) = (sender.clone(), format!("{} {n}", call.source()));
        async move {
            let has_context = call.context().is_some();
            sender.send((seen, has_context, call.deliveries())).await
        }
    };
    let service = fanfare::service(handler, ());
    let orders = fanfare.stream("s");
    let worker = quick(&orders.group("g")).spawn_service(service.clone())?;
    let router = fanfare.router().service(Kind::Pattern, "n*", service).start().await?;

    orders.add_json("n", &1).await?;
    assert_eq!(seen.recv().await, Some(("stream s 1".to_owned(), true, 1)));
    orders.add(Envelope::new("counted", 2).to_fields()?).await?;
    assert_eq!(seen.recv().await, Some(("stream s 2".to_owned(), true, 1)));
    fanfare.publish("news", "3").await?;
    assert_eq!(seen.recv().await, Some(("channel news 3".to_owned(), false, 1)));
    fanfare.publish("news", Envelope::new("counted", 4).to_payload()?).await?;
    assert_eq!(seen.recv().await, Some(("channel news 4".to_owned(), false, 1)));

    // What can not be turned into the arguments fails as it does without a service.
    fanfare.publish("news", &b"\xff\xfe"[..]).await?;
    let stats = router.wait_finished(3).await;
    let route = stats.routes.first().ok_or("no route")?;
    assert_eq!((route.handled, route.undecodable), (2, 1));
    router.stop().await;
    assert_eq!(worker.stop().await.counts.acknowledged, 2);
    Ok(())
}

/// The process that had it died each time: it is not handled once more before it is put aside.
async fn what_kills_its_workers_is_put_aside_unhandled(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    group.create(Position::Start).await?;
    let id = group.stream().add([("n", "kills")]).await?.to_string();
    fanfare.command(["XREADGROUP", "GROUP", "g", "dead", "STREAMS", "s", ">"]).await?;
    fanfare.command(["XCLAIM", "s", "g", "dead", "0", &id, "RETRYCOUNT", "3"]).await?;
    let seen = Seen::default();
    let worker = noting(quick(&group).deliveries_max(3), &seen)?;
    until("it is dead", || worker.stats().counts.dead_lettered == 1).await?;
    settled(&group).await?;
    assert_eq!(seen.len(), 0);
    let letter = group.dead_letters().list(None, 1).await?.pop().ok_or("none")?;
    assert_eq!((letter.id.to_string(), letter.deliveries), (id, 3));
    worker.stop().await;
    Ok(())
}

/// Test 15. The worker can not always tell another stream from the one that it knew: time goes on,
/// and so do the IDs. What holds is this:
/// - the group is made again before everything that the stream has now and that was not handled;
/// - if the stream is taken for another one, that is its beginning;
/// - a stream that lost its group is not taken for another one;
/// - a stream whose IDs begin again is.
async fn a_group_that_is_gone_is_made_again_where_it_was(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    add(&group, 0..50).await?;
    let seen = Seen::default();
    let worker = noting(quick(&group), &seen)?;
    until("all are handled", || seen.len() == 50).await?;
    settled(&group).await?;
    let mut events = worker.events();
    for (round, lost) in
        [Lost::Stream, Lost::Everything, Lost::Group, Lost::IdsToo].iter().enumerate()
    {
        match lost {
            Lost::Stream | Lost::IdsToo => drop(fanfare.command(["DEL", "s"]).await?),
            Lost::Everything => drop(fanfare.command(["FLUSHALL"]).await?),
            Lost::Group => drop(group.delete().await?),
        }
        let first = 100 * (u32::try_from(round)? + 1);
        let oldest = match lost {
            Lost::Stream | Lost::Everything | Lost::Group => {
                let n = first.to_string();
                let oldest = group.stream().add([("n", n.as_str())]).await?;
                add(&group, first + 1..first + 50).await?;
                oldest
            }
            Lost::IdsToo => {
                for n in 0..50 {
                    let (id, n) = (format!("1-{}", n + 1), (first + n).to_string());
                    fanfare.command(["XADD", "s", &id, "n", &n]).await?;
                }
                StreamId::new(1, 1)
            }
        };
        until("none is skipped", || (first..first + 50).all(|n| seen.has(&n.to_string()))).await?;
        settled(&group).await?;
        let (after, is_new_stream) = loop {
            let event = tokio::time::timeout(Duration::from_secs(60), events.next()).await?;
            if let WorkerEvent::GroupMade { is_new_stream, after } =
                event.ok_or("the events ended")?
            {
                break (after, is_new_stream);
            }
        };
        assert!(after < oldest, "{after}, {oldest}");
        assert!(!is_new_stream || after == StreamId::MIN, "{after}");
        match lost {
            Lost::Stream | Lost::Everything => {}
            Lost::Group => assert!(!is_new_stream),
            Lost::IdsToo => assert!(is_new_stream),
        }
    }
    assert_eq!(worker.stop().await.counts.groups_made, 4);
    Ok(())
}

/// What is lost with the group.
enum Lost {
    Stream,
    Everything,
    Group,
    /// The stream, and another one begins with small IDs.
    IdsToo,
}

/// Test 16.
async fn what_was_trimmed_away_is_cleared(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    group.create(Position::Start).await?;
    add(&group, 0..10).await?;
    fanfare.command(["XREADGROUP", "GROUP", "g", "dead", "STREAMS", "s", ">"]).await?;
    fanfare.command(["XTRIM", "s", "MAXLEN", "4"]).await?;
    let seen = Seen::default();
    let worker = noting(quick(&group), &seen)?;
    until("those that are left are handled", || seen.len() == 4).await?;
    until("the others are cleared", || worker.stats().counts.cleared == 6).await?;
    settled(&group).await?;
    assert_eq!(worker.stop().await.counts.claimed, 4);
    Ok(())
}

/// Test 17: what a worker waits for, it waits for on a connection of its own.
async fn a_read_that_waits_delays_nobody(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    let seen = Seen::default();
    let worker = noting(group.worker(), &seen)?;
    until("it reads", || worker.stats().state == WorkerState::Running).await?;
    let asked = std::time::Instant::now();
    // One after the other: had each to wait for a read of a second, these would take minutes.
    for _ in 0..300 {
        fanfare.command(["XLEN", "s"]).await?;
    }
    assert!(asked.elapsed() < Duration::from_secs(120));
    worker.stop().await;
    Ok(())
}

async fn entries_of_a_key_are_handled_in_order_also_when_one_fails(server: Target) -> TestResult {
    let group = server.connect().await?.stream("s").group("g");
    let entries = (0..60).map(|n| [("key", (n % 6).to_string()), ("n", n.to_string())]);
    for outcome in group.stream().add_batch(entries).await {
        outcome?;
    }
    let by_key = |entry: &Entry| entry.get("key").cloned().unwrap_or_default();
    let begun: Arc<Mutex<HashMap<String, Vec<u32>>>> = Arc::default();
    let n_overlaps = Arc::new(AtomicUsize::new(0));
    let running: Arc<Mutex<Vec<String>>> = Arc::default();
    let worker = quick(&group).concurrency(4).prefetch(100).order_by(by_key).spawn({
        let (begun, running, n_overlaps) = (begun.clone(), running.clone(), n_overlaps.clone());
        move |entry: Arc<Entry>, context| {
            let (begun, running, n_overlaps) = (begun.clone(), running.clone(), n_overlaps.clone());
            async move {
                let key = entry.text("key").map_err(|_| "no key")?.to_owned();
                let n: u32 = entry.text("n").ok().and_then(|it| it.parse().ok()).ok_or("no n")?;
                {
                    let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
                    if running.contains(&key) {
                        n_overlaps.fetch_add(1, Ordering::Relaxed);
                    }
                    running.push(key.clone());
                }
                tokio::task::yield_now().await;
                running.lock().unwrap_or_else(PoisonError::into_inner).retain(|it| *it != key);
                begun
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .entry(key)
                    .or_default()
                    .push(n);
                // Every seventh fails twice, and those of its key wait.
                if n % 7 == 3 && context.deliveries() < 3 { Err("not yet") } else { Ok(()) }
            }
        }
    })?;
    until("all are handled", || worker.stats().counts.handled == 60).await?;
    settled(&group).await?;
    assert_eq!(n_overlaps.load(Ordering::Relaxed), 0);
    let counts = worker.stop().await.counts;
    assert_eq!(counts.claimed, 0);
    for (key, order) in begun.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let mut expected = Vec::new();
        for n in (0..60).filter(|n| (n % 6).to_string() == *key) {
            expected.extend(std::iter::repeat_n(n, if n % 7 == 3 { 3 } else { 1 }));
        }
        assert_eq!(*order, expected, "of key {key}");
    }
    Ok(())
}

async fn what_is_given_back_is_had_at_once_by_others(server: Target) -> TestResult {
    let group = server.connect().await?.stream("s").group("g");
    add(&group, 0..6).await?;
    let (first, go_on) = (Seen::default(), Arc::new(Notify::new()));
    // No lease ends before the test does.
    let lease = Duration::from_secs(3_600);
    let rests = Backoff { first: lease, cap: lease };
    let slow =
        |n, prefetch| group.worker().concurrency(n).prefetch(prefetch).lease(lease).retry(rests);
    let worker = slow(2, 4).spawn({
        let (first, go_on) = (first.clone(), go_on.clone());
        move |entry: Arc<Entry>, context| {
            first.push(&entry, &context);
            let go_on = go_on.clone();
            async move {
                match entry.text("n") {
                    Ok("0") => go_on.notified().await,
                    _ => std::future::pending().await,
                }
            }
        }
    })?;
    until("all are read", || worker.stats().held == 6).await?;
    until("two are begun", || first.len() == 2).await?;
    go_on.notify_one();
    until("one is done, another begun", || first.len() == 3).await?;
    let stats = worker.drain(MS(1_500)).await;
    assert_eq!((stats.counts.handled, stats.counts.returned, stats.held), (1, 5, 0));

    let seen = Seen::default();
    let other = {
        let seen = seen.clone();
        slow(10, 0).spawn(move |entry, context| {
            seen.push(&entry, &context);
            async {}
        })?
    };
    until("the other one gets them", || seen.len() == 5).await?;
    settled(&group).await?;
    let mut got = seen.lock().clone();
    got.sort();
    let expected = [("1", 2), ("2", 2), ("3", 1), ("4", 1), ("5", 1)];
    assert_eq!(got, expected.map(|(n, deliveries)| (n.to_owned(), deliveries)));
    other.stop().await;
    Ok(())
}

async fn no_more_is_read_than_there_is_room_for(server: Target) -> TestResult {
    let group = server.connect().await?.stream("s").group("g");
    add(&group, 0..1_000).await?;
    let n_begun = Arc::new(AtomicUsize::new(0));
    let go_on = Arc::new(AtomicBool::new(false));
    let worker = group.worker().concurrency(5).prefetch(7).spawn({
        let (n_begun, go_on) = (n_begun.clone(), go_on.clone());
        move |_, _| {
            n_begun.fetch_add(1, Ordering::Relaxed);
            let go_on = go_on.clone();
            async move {
                while !go_on.load(Ordering::Relaxed) {
                    tokio::time::sleep(MS(10)).await;
                }
            }
        }
    })?;
    until("it is full", || {
        let stats = worker.stats();
        let is_full = (stats.held, stats.in_flight, n_begun.load(Ordering::Relaxed)) == (12, 5, 5);
        is_full && stats.is_held_back
    })
    .await?;
    assert!(worker.stats().oldest_running.is_some());
    assert_eq!(pending(&group).await?.len(), 12);
    until("the lag is known", || worker.stats().lag == Some(988)).await?;
    go_on.store(true, Ordering::Relaxed);
    until("all are handled", || worker.stats().counts.handled == 1_000).await?;
    worker.stop().await;
    Ok(())
}

async fn it_goes_on_when_connections_are_killed_and_the_server_hangs(server: Target) -> TestResult {
    let options = |it: fanfare::Options| {
        it.request_timeout(Duration::from_secs(2))
            .heartbeat(Duration::from_secs(2), Duration::from_secs(2))
    };
    let fanfare = Fanfare::builder(&server.url()).options(options).connect().await?;
    let group = fanfare.stream("s").group("g");
    let seen = Seen::default();
    let worker = noting(quick(&group), &seen)?;
    add(&group, 0..100).await?;
    until("it works", || seen.len() == 100).await?;
    let other = server.connect().await?.stream("s").group("g");
    for round in 1..=3 {
        server.kill_clients("normal");
        // The test's own connection was killed as well.
        while add(&other, round * 100..round * 100 + 1).await.is_err() {}
        until("it goes on", || seen.has(&(round * 100).to_string())).await?;
    }
    // A cluster and sentinels elect others instead: those have tests of their own.
    if let Target::Redis(_) | Target::Fanfare(_) = server {
        let mut events = worker.events();
        server.freeze().await?;
        loop {
            let event = tokio::time::timeout(Duration::from_secs(60), events.next()).await?;
            if let Some(WorkerEvent::ReadFailed { .. }) = event {
                break;
            }
        }
        assert_eq!(worker.stats().state, WorkerState::Failing);
        assert!(worker.stats().last_error.is_some());
        let unwell = fanfare.health().check(LONG).err().ok_or("health is good")?;
        let worker_is_named = |it: &String| it.starts_with("worker \"s:g\" is down");
        assert!(unwell.reasons.iter().any(worker_is_named), "{unwell}");
        server.sigcont();
        while add(&other, 900..901).await.is_err() {}
        until("it goes on", || seen.has("900")).await?;
        until("health is good again", || fanfare.health().is_healthy(LONG)).await?;
    }
    settled(&other).await?;
    assert!(1 <= worker.stop().await.counts.read_errors);
    assert!(fanfare.health().live.is_empty(), "a worker that has ended is still watched");
    Ok(())
}

async fn consumers_without_entries_are_reaped_and_those_with_some_are_not(
    server: Target,
) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    group.create(Position::Start).await?;
    add(&group, 0..1).await?;
    fanfare.command(["XREADGROUP", "GROUP", "g", "has one", "STREAMS", "s", ">"]).await?;
    fanfare.command(["XGROUP", "CREATECONSUMER", "s", "g", "has none"]).await?;
    let worker = group.worker().reap_after(Some(Duration::from_secs(1))).spawn(async |_, _| {})?;
    until("one is reaped", || worker.stats().counts.consumers_reaped == 1).await?;
    let names: Vec<_> = group.consumers().await?.into_iter().map(|it| it.name).collect();
    assert!(names.iter().any(|it| it == "has one"), "{names:?}");
    assert!(!names.iter().any(|it| it == "has none"), "{names:?}");
    assert_eq!(pending(&group).await?.len(), 1);
    worker.stop().await;
    Ok(())
}

async fn what_all_groups_have_acknowledged_is_trimmed(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    let other = group.stream().group("other");
    group.create(Position::Start).await?;
    other.create(Position::Start).await?;
    add(&group, 0..100).await?;
    let command = ["XREADGROUP", "GROUP", "other", "c", "COUNT", "60", "STREAMS", "s", ">"];
    fanfare.command(command).await?;
    let ids: Vec<StreamId> = group.stream().range(.., None).await?.iter().map(|it| it.id).collect();
    let worker = quick(&group).trim_acknowledged().spawn(async |_, _| {})?;
    settled(&group).await?;
    assert_eq!(other.acknowledge(ids.iter().take(40).copied()).await?, 40);
    until("what both have done is gone", || worker.stats().counts.trimmed == 40).await?;
    assert_eq!(other.acknowledge(ids.iter().take(60).copied()).await?, 20);
    until("and what else they do", || worker.stats().counts.trimmed == 60).await?;
    assert_eq!(group.stream().len().await?, 40);
    worker.stop().await;
    Ok(())
}

/// Another program takes an entry: the handler is told, and the entry is not taken back.
async fn a_lost_lease_is_told_and_nothing_is_taken_back(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    add(&group, 0..2).await?;
    let n_told = Arc::new(AtomicUsize::new(0));
    let worker = group.worker().lease(Duration::from_secs(6)).spawn({
        let n_told = n_told.clone();
        move |_, context: Context| {
            let n_told = n_told.clone();
            async move {
                if 1 < context.deliveries() {
                    return Ok(());
                }
                context.lost().await;
                n_told.fetch_add(1, Ordering::Relaxed);
                Err("it is another one's")
            }
        }
    })?;
    until("both are begun", || worker.stats().in_flight == 2).await?;
    let ids: Vec<_> = pending(&group).await?.iter().map(|it| it.id.to_string()).collect();
    let mut command = vec!["XCLAIM", "s", "g", "thief", "0"];
    command.extend(ids.iter().map(String::as_str));
    command.push("JUSTID");
    fanfare.command(command).await?;
    until("both are told", || n_told.load(Ordering::Relaxed) == 2).await?;
    let consumers: Vec<_> = pending(&group).await?.into_iter().map(|it| it.consumer).collect();
    let counts = worker.stop().await.counts;
    assert_eq!((counts.lost, counts.retried), (2, 0));
    // On a slow machine the thief's lease may have ended.
    if counts.claimed == 0 {
        assert_eq!(consumers, ["thief", "thief"]);
    }
    Ok(())
}

/// Entries are read and acknowledged many at a time: the number of commands says so.
async fn many_are_read_and_acknowledged_at_once(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let group = fanfare.stream("s").group("g");
    add(&group, 0..20_000).await?;
    let worker = group.worker().concurrency(100).spawn(async |_, _| {})?;
    until("all are handled", || worker.stats().counts.acknowledged == 20_000).await?;
    worker.stop().await;
    let stats = fanfare.command(["INFO", "commandstats"]).await?;
    let stats = stats.as_str().unwrap_or_default();
    let calls = |name: &str| {
        let line = stats.lines().find_map(|it| it.strip_prefix(&format!("cmdstat_{name}:calls=")));
        line.and_then(|it| it.split(',').next()?.parse::<u64>().ok())
    };
    let (reads, acks) = (calls("xreadgroup").ok_or("no reads")?, calls("xack").ok_or("no acks")?);
    assert!(reads < 4_000 && acks < 4_000, "{reads} reads, {acks} acknowledgements");
    Ok(())
}
