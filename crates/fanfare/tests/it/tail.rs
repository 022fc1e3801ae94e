//! Following a stream: every entry once and in order, whatever happens to the connection; and what
//! happens to the stream is told.

use std::{error::Error, ops::RangeInclusive, time::Duration};

use fanfare::{
    ErrorKind, Fanfare, Role,
    stream::{AddOptions, Delivery, Entry, NewId, Position, Stream, StreamId, Tail, Trim},
};
use fanfare_testkit::RawClient;

use crate::support::{
    Target, TestResult, is_down, is_up, on_every_broker, on_everything, run, until, wait_event,
};

on_everything!(nothing_is_missed_or_doubled_while_connections_are_killed, outages_that_nobody_sees_are_one; not embedded: a_hung_server_is_noticed,);

on_every_broker!(
    history_comes_first_and_then_what_is_added,
    a_tail_begins_where_it_is_told,
    a_slow_program_holds_the_server_back_and_loses_nothing,
    a_queue_is_bounded_in_bytes_too,
    what_was_trimmed_unread_is_a_gap,
    what_was_trimmed_after_it_was_read_is_no_gap,
    what_was_trimmed_while_the_connection_was_away_is_a_gap,
    single_entries_may_be_deleted,
    a_stream_that_goes_away_is_a_reset,
    a_stream_that_is_replaced_while_the_connection_is_away_is_a_reset,
    a_server_that_forgot_everything_is_a_reset,
    a_key_that_becomes_something_else_is_told_and_tried_again,
    a_dropped_tail_leaves_no_connection,
    a_closed_link_ends_its_tails,
    a_server_that_is_away_is_an_error,
);

const NAME: &str = "follower";

/// A connection whose clients `kill` finds.
pub(crate) async fn follower(server: &Target) -> Result<Fanfare, fanfare::Error> {
    let options = |it: fanfare::Options| it.client_name(NAME);
    Fanfare::builder(&server.url()).options(options).connect().await
}

/// The ids of the follower's connections.
fn clients(client: &mut RawClient) -> Vec<String> {
    let list = String::from_utf8_lossy(&client.call(&["CLIENT", "LIST"])).into_owned();
    let named = list.lines().filter(|line| line.contains(&format!("name={NAME} ")));
    let id = |line: &str| Some(line.split_once("id=")?.1.split_once(' ')?.0.to_owned());
    named.filter_map(id).collect()
}

/// Cuts the follower's connections.
pub(crate) fn kill(client: &mut RawClient) {
    for id in clients(client) {
        client.call(&["CLIENT", "KILL", "ID", &id]);
    }
}

/// Keeps the follower away while `commands` are run.
async fn while_away(
    server: &Target,
    follower: &Fanfare,
    commands: impl IntoIterator<Item = Vec<String>>,
) -> TestResult {
    let mut events = follower.events();
    let mut client = server.client();
    client.call(&["CONFIG", "SET", "requirepass", "nobody knows"]);
    kill(&mut client);
    wait_event(&mut events, is_down(Role::Streams)).await?;
    for command in commands {
        let answer = client.call(&command);
        assert!(!answer.starts_with(b"-"), "{}", String::from_utf8_lossy(&answer));
    }
    client.call(&["CONFIG", "SET", "requirepass", ""]);
    Ok(())
}

fn words(words: &str) -> Vec<String> {
    words.split(' ').map(str::to_owned).collect()
}

async fn next(tail: &mut Tail) -> Result<Delivery, Box<dyn Error>> {
    match tokio::time::timeout(Duration::from_secs(60), tail.next_delivery()).await {
        Ok(Some(delivery)) => Ok(delivery),
        Ok(None) => Err(format!("the tail ended: {:?}", tail.error()).into()),
        Err(_) => Err(format!("nothing within a minute: {:?}", tail.stats()).into()),
    }
}

/// The next item, which must be an entry.
async fn entry(tail: &mut Tail) -> Result<Entry, Box<dyn Error>> {
    match next(tail).await? {
        Delivery::Entry(entry) => Ok(entry),
        other => Err(format!("no entry but {other:?}").into()),
    }
}

/// The next item that is neither `Down` nor `Resumed`.
async fn next_of_stream(tail: &mut Tail) -> Result<Delivery, Box<dyn Error>> {
    loop {
        match next(tail).await? {
            Delivery::Down { .. } | Delivery::Resumed { .. } => {}
            delivery => return Ok(delivery),
        }
    }
}

async fn expect_reset(tail: &mut Tail) -> TestResult {
    match next_of_stream(tail).await? {
        Delivery::Reset => Ok(()),
        other => Err(format!("no reset but {other:?}").into()),
    }
}

fn id(ms: u64) -> StreamId {
    StreamId::new(ms, 0)
}

/// Adds entries with these IDs.
async fn add(stream: &Stream, ids: impl IntoIterator<Item = u64>) -> TestResult {
    for ms in ids {
        let options = AddOptions::new().id(NewId::Exact(id(ms)));
        stream.add_with(&options, [("n", ms.to_string())]).await?;
    }
    Ok(())
}

/// Takes entries with these IDs.
async fn expect(tail: &mut Tail, ids: impl IntoIterator<Item = u64>) -> TestResult {
    for ms in ids {
        let entry = entry(tail).await?;
        assert_eq!((entry.id, entry.text("n")?), (id(ms), &ms.to_string()[..]));
    }
    Ok(())
}

/// Takes entries up to a gap, which must end just below `first`, and returns how many came.
async fn expect_gap(tail: &mut Tail, begin: u64, first: u64) -> Result<u64, Box<dyn Error>> {
    let mut last = begin;
    loop {
        match next_of_stream(tail).await? {
            Delivery::Entry(entry) => {
                last += 1;
                assert_eq!(entry.id, id(last));
            }
            Delivery::Gap { after, upto } => {
                assert_eq!(after, id(last));
                assert!(id(first - 1) <= upto && upto < id(first), "{upto}");
                return Ok(last - begin);
            }
            other => return Err(format!("no gap but {other:?}").into()),
        }
    }
}

async fn history_comes_first_and_then_what_is_added(server: Target) -> TestResult {
    for protocol in ["2", "3"] {
        let fanfare = Fanfare::connect(&format!("{}?protocol={protocol}", server.url())).await?;
        let stream = fanfare.stream(format!("s{protocol}"));
        add(&stream, 1..=2_500).await?;
        let mut tail = stream.tail(Position::Start).await?;
        let adding = tokio::spawn({
            let stream = stream.clone();
            async move { add(&stream, 2_501..=3_000).await.map_err(|error| error.to_string()) }
        });
        expect(&mut tail, 1..=3_000).await?;
        adding.await??;
        assert_eq!(tail.last_id(), Some(id(3_000)));
        let stats = tail.stats();
        assert_eq!((stats.received, stats.delivered), (3_000, 3_000));
        assert_eq!((stats.gaps, stats.resets, stats.reconnects), (0, 0, 0));
        assert!(stats.is_up && !stats.is_held_back);
    }
    Ok(())
}

async fn a_tail_begins_where_it_is_told(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s");
    let mut before = stream.tail(Position::New).await?;
    add(&stream, 1..=10).await?;
    let mut start = stream.tail(Position::Start).await?;
    let mut after = stream.tail(id(7)).await?;
    let mut new = stream.tail(Position::New).await?;
    add(&stream, 11..=12).await?;
    expect(&mut before, 1..=12).await?;
    expect(&mut start, 1..=12).await?;
    expect(&mut after, 8..=12).await?;
    expect(&mut new, 11..=12).await?;

    // An ID above the last one is that of another stream.
    let mut ahead = stream.tail(id(100)).await?;
    expect_reset(&mut ahead).await?;
    expect(&mut ahead, 1..=12).await?;

    // One of nothing at all waits for the stream to be made.
    let other = fanfare.stream("other");
    let mut tail = other.tail(Position::Start).await?;
    assert_eq!(tail.last_id(), None);
    add(&other, 1..=3).await?;
    expect(&mut tail, 1..=3).await?;
    Ok(())
}

async fn nothing_is_missed_or_doubled_while_connections_are_killed(server: Target) -> TestResult {
    const N: u64 = 20_000;
    let fanfare = follower(&server).await?;
    let mut tail = fanfare.stream("s").queue(500, 1 << 20).tail(Position::Start).await?;
    let mut events = fanfare.events();
    let writer = server.connect().await?.stream("s");
    let (go_on, may_end) = tokio::sync::oneshot::channel();
    let writing = tokio::spawn(async move {
        let mut may_end = Some(may_end);
        for first in (1..=N).step_by(100) {
            if N < first + 100
                && let Some(may_end) = may_end.take()
            {
                // An error means that the test has failed elsewhere.
                let _ = may_end.await;
            }
            let batch = (first..first + 100).map(|n| [("n", n.to_string())]);
            for outcome in writer.add_batch(batch).await {
                outcome?;
            }
        }
        Ok::<_, fanfare::Error>(())
    });
    let mut reading = tokio::spawn(async move {
        let (mut n, mut is_up, mut last) = (0, true, StreamId::MIN);
        while n < N {
            match next(&mut tail).await.map_err(|error| error.to_string())? {
                Delivery::Entry(entry) => {
                    n += 1;
                    assert_eq!(entry.text("n").ok(), Some(&n.to_string()[..]));
                    assert!(last < entry.id && is_up);
                    last = entry.id;
                }
                Delivery::Down { .. } if is_up => is_up = false,
                Delivery::Resumed { outage } if !is_up => {
                    assert!(1 <= outage.n_disconnects);
                    is_up = true;
                }
                other => return Err(format!("after {n} entries: {other:?}")),
            }
        }
        Ok::<_, String>(tail.stats())
    });
    let mut client = server.client_for("s");
    let mut n_killed = 0;
    let killing = async {
        let mut go_on = Some(go_on);
        loop {
            kill(&mut client);
            n_killed += 1;
            if let Err(error) = wait_event(&mut events, is_up(Role::Streams)).await {
                break error;
            }
            if 10 <= n_killed
                && let Some(go_on) = go_on.take()
            {
                // An error means that the test has failed elsewhere.
                let _ = go_on.send(());
            }
        }
    };
    let stats = tokio::select! {
        stats = &mut reading => stats??,
        error = killing => return Err(error),
    };
    writing.await??;
    println!("{n_killed} times killed, {} times resumed", stats.reconnects);
    assert_eq!((stats.delivered, stats.gaps, stats.resets), (N, 0, 0));
    assert!(10 <= stats.reconnects);
    Ok(())
}

#[test]
fn a_restarted_server_with_an_append_only_file_loses_nothing() {
    let always = ["--appendonly", "yes", "--appendfsync", "always"];
    let mut server = Target::Redis(fanfare_testkit::RedisServer::start(&always));
    run(async move {
        let fanfare = server.connect().await?;
        let mut events = fanfare.events();
        let stream = fanfare.stream("s");
        let mut tail = stream.queue(50, 1 << 20).tail(Position::Start).await?;
        let stream = fanfare.stream("s");
        for round in 0..3 {
            add(&stream, round * 200 + 1..=round * 200 + 100).await?;
            server.stop();
            wait_event(&mut events, is_down(Role::Streams)).await?;
            server.restart();
            // One that is not up yet would not go down.
            wait_event(&mut events, is_up(Role::Streams)).await?;
            add(&stream, round * 200 + 101..=round * 200 + 200).await?;
        }
        for expected in 1..=600 {
            let Delivery::Entry(entry) = next_of_stream(&mut tail).await? else {
                return Err(format!("no entry {expected}").into());
            };
            assert_eq!(entry.id, id(expected));
        }
        let stats = tail.stats();
        assert_eq!((stats.gaps, stats.resets), (0, 0));
        Ok(())
    });
}

async fn a_slow_program_holds_the_server_back_and_loses_nothing(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s");
    let mut tail = stream.clone().queue(100, 1 << 20).tail(Position::Start).await?;
    for outcome in stream.add_batch((1..=20_000).map(|n| [("n", n.to_string())])).await {
        outcome?;
    }
    until("the queue is full", || tail.stats().is_held_back).await?;
    for expected in 1..=20_000 {
        let stats = tail.stats();
        assert!(stats.queued_entries <= 100 && stats.queued_bytes <= 1 << 20, "{stats:?}");
        assert_eq!(stats.received, stats.delivered + stats.queued_entries as u64);
        assert_eq!(entry(&mut tail).await?.text("n")?, expected.to_string());
    }
    assert_eq!(tail.stats().reconnects, 0);
    Ok(())
}

async fn a_queue_is_bounded_in_bytes_too(server: Target) -> TestResult {
    const LEN: usize = 10_000;
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s");
    let value = "x".repeat(LEN);
    for outcome in stream.add_batch((0..1_000).map(|_| [("value", &value)])).await {
        outcome?;
    }
    let mut tail = stream.queue(100_000, 50 * LEN).tail(Position::Start).await?;
    until("the queue is full", || tail.stats().is_held_back).await?;
    for _ in 0..1_000 {
        let stats = tail.stats();
        assert!(stats.queued_bytes < 60 * LEN, "{stats:?}");
        entry(&mut tail).await?;
    }
    Ok(())
}

async fn what_was_trimmed_unread_is_a_gap(server: Target) -> TestResult {
    const N: u64 = 2_000;
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s");
    // More than the sockets' buffers of both sides can hold.
    let padding = "x".repeat(20_000);
    let fill = async |ids: RangeInclusive<u64>| {
        for ms in ids {
            let options = AddOptions::new().id(NewId::Exact(id(ms)));
            stream.add_with(&options, [("n", &ms.to_string()), ("padding", &padding)]).await?;
        }
        Ok::<_, fanfare::Error>(())
    };
    fill(1..=N).await?;
    let mut tail = stream.clone().queue(10, 1 << 30).tail(Position::Start).await?;
    until("the queue is full", || tail.stats().is_held_back).await?;
    stream.trim(Trim::maxlen(5)).await?;
    let n_read = expect_gap(&mut tail, 0, N - 4).await?;
    assert!((10..N - 5).contains(&n_read), "{n_read}");
    expect(&mut tail, N - 4..=N).await?;

    fill(N + 1..=2 * N).await?;
    until("the queue is full", || tail.stats().is_held_back).await?;
    stream.trim(Trim::maxlen(0)).await?;
    expect_gap(&mut tail, N, 2 * N + 1).await?;
    add(&stream, 2 * N + 1..=2 * N + 5).await?;
    expect(&mut tail, 2 * N + 1..=2 * N + 5).await?;
    let stats = tail.stats();
    assert_eq!((stats.gaps, stats.resets), (2, 0));

    // History that was gone before anybody asked for it is missing all the same.
    let mut late = stream.tail(Position::Start).await?;
    expect_gap(&mut late, 0, 2 * N + 1).await?;
    expect(&mut late, 2 * N + 1..=2 * N + 5).await?;
    Ok(())
}

async fn what_was_trimmed_after_it_was_read_is_no_gap(server: Target) -> TestResult {
    let fanfare = follower(&server).await?;
    let stream = fanfare.stream("s");
    add(&stream, 1..=10).await?;
    let mut from_start = stream.tail(Position::Start).await?;
    let mut from_new = stream.tail(Position::New).await?;
    expect(&mut from_start, 1..=10).await?;
    for round in 1..=3 {
        stream.trim(Trim::maxlen(3)).await?;
        add(&stream, round * 10 + 1..=round * 10 + 10).await?;
        expect(&mut from_start, round * 10 + 1..=round * 10 + 10).await?;
        expect(&mut from_new, round * 10 + 1..=round * 10 + 10).await?;
    }
    stream.trim(Trim::maxlen(0)).await?;
    // Also when a new connection looks at it for the first time.
    kill(&mut server.client());
    for tail in [&mut from_start, &mut from_new] {
        assert!(matches!(next(tail).await?, Delivery::Down { .. }));
        assert!(matches!(next(tail).await?, Delivery::Resumed { .. }));
    }
    add(&stream, 41..=50).await?;
    expect(&mut from_start, 41..=50).await?;
    expect(&mut from_new, 41..=50).await?;
    Ok(())
}

async fn what_was_trimmed_while_the_connection_was_away_is_a_gap(server: Target) -> TestResult {
    let fanfare = follower(&server).await?;
    let writer = server.connect().await?.stream("s");
    add(&writer, 1..=10).await?;
    let mut tail = fanfare.stream("s").tail(id(4)).await?;
    expect(&mut tail, 5..=10).await?;
    let add = |ms: u64| words(&format!("XADD s MAXLEN 5 {ms}-0 n {ms}"));
    while_away(&server, &fanfare, (11..=30).map(add)).await?;
    let n_read = expect_gap(&mut tail, 10, 26).await?;
    assert_eq!(n_read, 0);
    expect(&mut tail, 26..=30).await?;
    Ok(())
}

async fn single_entries_may_be_deleted(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s");
    add(&stream, 1..=100).await?;
    stream.delete((1..=100).filter(|n| n % 3 == 0 && *n != 99).map(id)).await?;
    let mut tail = stream.tail(Position::Start).await?;
    if !tail.stats().is_pushed {
        // So many are gone; whether from the front the server does not tell.
        assert_eq!(expect_gap(&mut tail, 0, 1).await?, 0);
    }
    expect(&mut tail, (1..=100).filter(|n| n % 3 != 0 || *n == 99)).await?;
    stream.delete((90..=100).map(id)).await?;
    add(&stream, 101..=105).await?;
    expect(&mut tail, 101..=105).await?;
    Ok(())
}

async fn a_stream_that_goes_away_is_a_reset(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s");
    add(&stream, 1..=10).await?;
    let mut tail = stream.tail(Position::Start).await?;
    expect(&mut tail, 1..=10).await?;
    let ways: [&[&str]; 4] =
        [&["DEL", "s"], &["RENAME", "s", "t"], &["FLUSHDB"], &["PEXPIRE", "s", "1"]];
    for way in ways {
        fanfare.command(way).await?;
        expect_reset(&mut tail).await?;
        assert_eq!(tail.last_id(), None);
        add(&stream, 2..=5).await?;
        expect(&mut tail, 2..=5).await?;
    }
    let anew = "redis.call('DEL', KEYS[1]) redis.call('XADD', KEYS[1], '3-0', 'n', '3')";
    fanfare.command(["EVAL", anew, "1", "s"]).await?;
    expect_reset(&mut tail).await?;
    expect(&mut tail, [3]).await?;
    assert_eq!(tail.stats().resets, 5);
    assert_eq!(tail.stats().gaps, 0);
    Ok(())
}

async fn a_stream_that_is_replaced_while_the_connection_is_away_is_a_reset(
    server: Target,
) -> TestResult {
    // With IDs below and above those that were read.
    for first in [1, 1_000] {
        let fanfare = follower(&server).await?;
        let stream = fanfare.stream("s");
        fanfare.command(["DEL", "s"]).await?;
        add(&stream, 101..=110).await?;
        let mut tail = stream.tail(Position::Start).await?;
        expect(&mut tail, 101..=110).await?;
        let add = |ms: u64| words(&format!("XADD s {ms}-0 n {ms}"));
        let commands = std::iter::once(words("DEL s")).chain((first..first + 5).map(add));
        while_away(&server, &fanfare, commands).await?;
        expect_reset(&mut tail).await?;
        expect(&mut tail, first..first + 5).await?;
    }
    Ok(())
}

async fn a_server_that_forgot_everything_is_a_reset(mut server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s");
    add(&stream, 1..=10).await?;
    let mut tail = stream.tail(Position::Start).await?;
    expect(&mut tail, 1..=10).await?;
    server.restart();
    assert!(matches!(next(&mut tail).await?, Delivery::Down { .. }));
    assert!(matches!(next(&mut tail).await?, Delivery::Resumed { .. }));
    assert!(matches!(next(&mut tail).await?, Delivery::Reset));
    add(&stream, 1..=3).await?;
    expect(&mut tail, 1..=3).await?;
    Ok(())
}

async fn a_key_that_becomes_something_else_is_told_and_tried_again(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s");
    add(&stream, 1..=3).await?;
    let mut tail = stream.tail(Position::Start).await?;
    expect(&mut tail, 1..=3).await?;
    fanfare.command(["SET", "s", "x"]).await?;
    match next(&mut tail).await? {
        // Asked again and again, the server refuses.
        Delivery::Down { error } => {
            assert_eq!(error.server_code(), Some("WRONGTYPE"));
            assert!(!tail.stats().is_up);
        }
        // A server that pushes tells of it by itself.
        Delivery::Reset => assert!(tail.stats().is_pushed),
        other => return Err(format!("{other:?}").into()),
    }
    fanfare.command(["DEL", "s"]).await?;
    add(&stream, 1..=3).await?;
    let mut ids = Vec::new();
    while ids.last() != Some(&id(3)) {
        if let Delivery::Entry(entry) = next(&mut tail).await? {
            ids.push(entry.id);
        }
    }
    assert_eq!(ids, [id(1), id(2), id(3)]);
    assert_eq!(tail.stats().resets, 1);
    Ok(())
}

async fn a_hung_server_is_noticed(server: Target) -> TestResult {
    let beat = Duration::from_millis(300);
    let fanfare =
        Fanfare::builder(&server.url()).options(|it| it.heartbeat(beat, beat)).connect().await?;
    let stream = fanfare.stream("s");
    let mut tail = stream.tail(Position::New).await?;
    server.freeze().await?;
    assert!(matches!(next(&mut tail).await?, Delivery::Down { .. }));
    server.sigcont();
    assert!(matches!(next(&mut tail).await?, Delivery::Resumed { .. }));
    add(&stream, 1..=3).await?;
    let mut n_entries = 0;
    while n_entries < 3 {
        n_entries += u32::from(matches!(next(&mut tail).await?, Delivery::Entry(_)));
    }
    Ok(())
}

async fn a_dropped_tail_leaves_no_connection(server: Target) -> TestResult {
    let fanfare = follower(&server).await?;
    let stream = fanfare.stream("s");
    add(&stream, 1..=100).await?;
    let mut client = server.client();
    for queue in [1, 1_000] {
        let tails = [
            stream.clone().queue(queue, 1 << 20).tail(Position::Start).await?,
            stream.clone().queue(queue, 1 << 20).tail(Position::New).await?,
        ];
        assert_eq!(clients(&mut client).len(), 3);
        drop(tails);
        until("only the command connection is left", || clients(&mut client).len() == 1).await?;
    }
    // Nor does one that was never ready.
    server.freeze().await?;
    let opening = tokio::time::timeout(Duration::from_millis(50), stream.tail(Position::New)).await;
    assert!(opening.is_err());
    server.sigcont();
    until("only the command connection is left", || clients(&mut client).len() == 1).await?;
    Ok(())
}

async fn a_closed_link_ends_its_tails(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s");
    add(&stream, 1..=2).await?;
    let mut tail = stream.tail(Position::Start).await?;
    until("all is read", || tail.stats().queued_entries == 2).await?;
    fanfare.close().await;
    expect(&mut tail, 1..=2).await?;
    assert!(tail.next_delivery().await.is_none());
    assert_eq!(tail.error().map(|error| error.kind()), Some(ErrorKind::Closed));
    let error = stream.tail(Position::Start).await.err().ok_or("it was opened")?;
    assert_eq!(error.kind(), ErrorKind::Closed);
    Ok(())
}

async fn a_server_that_is_away_is_an_error(mut server: Target) -> TestResult {
    let timeout = Duration::from_millis(300);
    let fanfare =
        Fanfare::builder(&server.url()).options(|it| it.request_timeout(timeout)).connect().await?;
    let mut events = fanfare.events();
    let empty = fanfare.stream("s").queue(0, 1).tail(Position::New).await.err();
    assert_eq!(empty.map(|it| it.kind()), Some(ErrorKind::InvalidOption));
    server.stop();
    wait_event(&mut events, is_down(Role::Commands)).await?;
    let error = fanfare.stream("s").tail(Position::New).await.err().ok_or("it was opened")?;
    assert_eq!(error.kind(), ErrorKind::NotConnected, "{error:?}");
    Ok(())
}

async fn outages_that_nobody_sees_are_one(server: Target) -> TestResult {
    let fanfare = follower(&server).await?;
    let stream = fanfare.stream("s");
    let mut tail = stream.tail(Position::New).await?;
    let mut events = fanfare.events();
    let mut client = server.client_for("s");
    for _ in 0..5 {
        kill(&mut client);
        wait_event(&mut events, is_up(Role::Streams)).await?;
    }
    add(&stream, 1..=1).await?;
    assert!(matches!(next(&mut tail).await?, Delivery::Down { .. }));
    let Delivery::Resumed { outage } = next(&mut tail).await? else {
        return Err("still down".into());
    };
    assert_eq!(outage.n_disconnects, 5);
    expect(&mut tail, [1]).await?;
    assert_eq!(tail.stats().reconnects, 5);
    Ok(())
}
