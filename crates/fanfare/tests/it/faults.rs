//! What hand-written toolkits get wrong, by the numbers of docs/failures.md, as far as no other test shows it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fanfare::{
    Algorithm, Compression, Envelope, ErrorKind, Fanfare, Head, Options, Overflow, RouteStats,
    Sealed,
    doctor::Doctor,
    layers::{BreakerState, CircuitBreaker, Refused},
    monitor::{Metric, Severity},
};
use tokio::time::timeout;

use crate::support::{Target, TestResult, next, on_everything, restored, until};

on_everything!(
    t6_a_channel_and_a_pattern_are_told_apart,
    t7_texts_stay_texts,
    t12_what_would_grow_stays_as_it_is,
    t15_bursts_are_told_at_their_mean_rate,
    bombs_are_refused_and_the_next_message_is_handled,
    s2_an_empty_batch_is_nothing,
    s3_a_slow_handler_counts_what_it_loses,
    t2_a_publish_without_a_server_is_an_error_that_a_breaker_sees,
    t16_active_channels_are_counted_by_one_command,
    t17_a_batch_is_no_transaction,
    s1_a_listener_is_stopped_from_elsewhere,
    the_fields_that_monitors_read_are_where_they_are,
    a_broker_that_wants_a_password_is_not_healthy;
    not embedded: t1_a_listener_outlives_its_server,
);

/// For calls that are to fail soon.
const SOON: Duration = Duration::from_millis(300);

async fn impatient(server: &Target) -> Result<Fanfare, fanfare::Error> {
    let options = |it: Options| it.request_timeout(SOON);
    Fanfare::builder(&server.url()).options(options).connect().await
}

/// How often each server of a group has run a command since its statistics were reset.
fn calls(server: &Target, command: &str) -> Vec<u64> {
    let prefix = format!("cmdstat_{command}:calls=");
    let count = |info: String| {
        let line = info.lines().find_map(|it| it.strip_prefix(&prefix));
        line.and_then(|it| it.split(',').next()?.parse().ok()).unwrap_or(0)
    };
    server.say_to_all(&["INFO", "commandstats"]).into_iter().map(count).collect()
}

/// T1: one outage, and the sketch's thread is dead while it says that it listens.
async fn t1_a_listener_outlives_its_server(mut server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let router = fanfare.router().channel("c", async || {}).start().await?;
    fanfare.publish("c", "before").await?;
    router.wait_finished(1).await;
    server.stop();
    until("the outage is noticed", || !router.stats().subscription.is_up).await?;
    server.restart();
    until("it listens again", || router.stats().subscription.is_up).await?;
    let publisher = server.connect().await?;
    publisher.publish("c", "after").await?;
    let stats = router.wait_finished(2).await;
    assert_eq!(stats.routes.iter().map(|it| it.handled).sum::<u64>(), 2);
    assert!(0 < stats.subscription.gaps, "it was told that something may be missing: {stats:?}");
    Ok(())
}

/// T2: errors become zeros, calls take as long as they like, and so no breaker ever opens.
async fn t2_a_publish_without_a_server_is_an_error_that_a_breaker_sees(
    mut server: Target,
) -> TestResult {
    let fanfare = impatient(&server).await?;
    server.stop();
    let breaker = CircuitBreaker::new("broker").calls_min(5);
    for _ in 0..5 {
        // It took four seconds each in the sketch; here it may take less than one.
        let publishing = timeout(Duration::from_secs(3), breaker.call(fanfare.publish("c", "x")));
        let failed = publishing.await?.err().ok_or("published")?;
        let error: &fanfare::Error = failed.downcast_ref().ok_or("another error")?;
        let kinds = [ErrorKind::NotConnected, ErrorKind::Disconnected, ErrorKind::Timeout];
        assert!(kinds.contains(&error.kind()) && error.is_retryable(), "{error}");
    }
    assert_eq!((breaker.state(), breaker.stats().failed), (BreakerState::Open, 5));
    let refused = breaker.call(fanfare.publish("c", "x")).await.err().ok_or("let through")?;
    assert!(refused.is::<Refused>(), "{refused}");
    Ok(())
}

/// T6: whoever subscribes to a channel and to a pattern that matches it gets the message twice, and
/// can not tell.
async fn t6_a_channel_and_a_pattern_are_told_apart(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut both = fanfare.subscriber().channels(["a:1"]).patterns(["a:*"]).connect().await?;
    let (by_name, by_pattern) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let counting = |count: &Arc<AtomicU64>| {
        let count = count.clone();
        move || {
            count.fetch_add(1, Ordering::Relaxed);
            async {}
        }
    };
    let router = fanfare
        .router()
        .channel("a:1", counting(&by_name))
        .pattern("a:*", counting(&by_pattern))
        .start()
        .await?;
    fanfare.publish("a:1", "x").await?;
    let mut patterns = Vec::new();
    for _ in 0..2 {
        let message = next(&mut both).await?;
        assert_eq!((&message.channel[..], &message.payload[..]), (&b"a:1"[..], &b"x"[..]));
        patterns.push(message.pattern);
    }
    patterns.sort();
    assert_eq!(patterns, [None, Some("a:*".into())]);
    router.wait_finished(2).await;
    assert_eq!([by_name, by_pattern].map(|it| it.load(Ordering::Relaxed)), [1, 1]);
    Ok(())
}

/// T7: everything that happens to be JSON is taken for it.
async fn t7_texts_stay_texts(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let texts = ["007", "true", "null", "1e5", "NaN", "\"quoted\"", "", "{}"];
    let mut messages = fanfare.subscribe(["raw", "sealed"]).await?;
    for text in texts {
        fanfare.publish("raw", text).await?;
        assert_eq!(next(&mut messages).await?.text()?, text);
        fanfare.publish("sealed", Envelope::new("said", text).to_payload()?).await?;
        let sealed = Sealed::from_payload(&next(&mut messages).await?.payload)?;
        assert_eq!(sealed.open::<String>()?.data, text);
    }
    Ok(())
}

/// T12: base64 within gzip, of what is then larger than it was, and no word of it in the message.
async fn t12_what_would_grow_stays_as_it_is(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut messages = fanfare.subscribe(["c"]).await?;
    // Like the sketch's, some 200 bytes of no pattern.
    let random: Vec<u8> =
        (0..209_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let repetitive = b"many words ".repeat(100);
    for (data, is_smaller) in
        [(b"hello world".to_vec(), false), (random, false), (repetitive, true)]
    {
        for algorithm in [Algorithm::Zstd, Algorithm::Lz4, Algorithm::Gzip] {
            let compression = Compression::new(algorithm)?.threshold(0);
            let plain = Sealed::new(Head::new("said"), "application/octet-stream", data.clone());
            let n_plain = plain.to_payload()?.len();
            let payload = plain.clone().compress(&compression)?.to_payload()?;
            assert_eq!(payload.len() < n_plain, is_smaller, "{algorithm}: {n_plain}");
            assert!(payload.len() <= n_plain);
            fanfare.publish("c", payload).await?;
            let sealed = Sealed::from_payload(&next(&mut messages).await?.payload)?;
            assert_eq!(sealed.head().content_encoding().is_some(), is_smaller);
            assert_eq!(sealed.decompress(10_000)?.body(), &data[..]);
        }
    }
    Ok(())
}

/// 64 KiB become 50 MB in the sketch, whoever sends them.
async fn bombs_are_refused_and_the_next_message_is_handled(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let (opened, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let handler = {
        let (opened, refused) = (opened.clone(), refused.clone());
        move |fanfare::Raw(payload): fanfare::Raw| {
            let expanded = Sealed::from_payload(&payload).and_then(|it| it.decompress(1 << 18));
            let count = if expanded.is_ok() { &opened } else { &refused };
            count.fetch_add(1, Ordering::Relaxed);
            async move { expanded.map(drop) }
        }
    };
    let router = fanfare.router().channel("c", handler).start().await?;
    for algorithm in [Algorithm::Zstd, Algorithm::Lz4, Algorithm::Gzip] {
        let compression = Compression::new(algorithm)?;
        for n_bytes in [5_000_000, 100_000] {
            let data = vec![0_u8; n_bytes];
            let sealed = Sealed::new(Head::new("zeros"), "application/octet-stream", data);
            fanfare.publish("c", sealed.compress(&compression)?.to_payload()?).await?;
        }
    }
    let stats = router.wait_finished(6).await;
    assert_eq!(stats.routes.iter().map(|it| it.failed).sum::<u64>(), 3, "{stats:?}");
    assert_eq!([opened, refused].map(|it| it.load(Ordering::Relaxed)), [3, 3]);
    Ok(())
}

/// T15: the mean of what neighbouring messages say is 32,589 a second where 40 are true.
async fn t15_bursts_are_told_at_their_mean_rate(server: Target) -> TestResult {
    const BURST: u32 = 10;
    let fanfare = server.connect().await?;
    let look = Duration::from_millis(50);
    let monitor = fanfare.broker_monitor().every(look).window(Duration::from_secs(600));
    let mut monitor = monitor.listen(["c*"]).start()?;
    let mut until_heard = async |n: u32| loop {
        let snapshot = monitor.next().await.ok_or("the monitor has ended")?;
        let channel = snapshot.channels.iter().find(|it| it.name == "c");
        if let Some(rate) = channel.filter(|it| it.messages == Some(n.into())) {
            return Ok::<_, &str>(rate.messages_per_s);
        }
        if snapshot.nodes.iter().any(|it| 0 < it.patterns.unwrap_or(0)) && n == 0 {
            return Ok(None);
        }
    };
    until_heard(0).await?;
    let (first_sent, mut first_seen) = (Instant::now(), None);
    for n in 1..=8 {
        let last_sent = Instant::now();
        for outcome in fanfare.publish_batch((0..BURST).map(|_| ("c", "x"))).await {
            outcome?;
        }
        let rate = until_heard(n * BURST).await?;
        let heard = Instant::now();
        let begin = *first_seen.get_or_insert(heard);
        if 1 < n {
            // It has looked at least from when the first burst was seen until the last one was sent.
            let most = f64::from(n * BURST) / last_sent.duration_since(begin).as_secs_f64();
            // And at most from when the first one was sent until now. The first look had some of that.
            let least = f64::from((n - 1) * BURST) / heard.duration_since(first_sent).as_secs_f64();
            let rate = rate.ok_or("no rate after two looks")?;
            assert!(least <= rate && rate <= most, "{rate} a second: not {least} to {most}");
        }
    }
    Ok(())
}

/// T16: one NUMSUB for each channel, and only of the node that one is connected to.
async fn t16_active_channels_are_counted_by_one_command(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let names: Vec<String> = (0..2_000).map(|n| format!("room.{n}")).collect();
    let subscription = fanfare.subscribe(&names).await?;
    restored(&subscription).await;
    server.say_to_all(&["CONFIG", "RESETSTAT"]);
    let active = fanfare.active_channels("room.*").await?;
    assert_eq!((active.len(), active.iter().all(|it| it.n_subscribers == 1)), (2_000, true));
    for command in ["pubsub|channels", "pubsub|numsub"] {
        let calls = calls(&server, command);
        assert!(calls.iter().all(|it| *it <= 1) && calls.contains(&1), "{command}: {calls:?}");
    }
    Ok(())
}

/// T17: a batch of the sketch is one transaction that holds up everybody else.
async fn t17_a_batch_is_no_transaction(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    server.say_to_all(&["CONFIG", "RESETSTAT"]);
    for outcome in fanfare.publish_batch((0..5_000).map(|n| (format!("c{n}"), "x"))).await {
        outcome?;
    }
    assert_eq!(calls(&server, "publish").iter().sum::<u64>(), 5_000);
    for command in ["multi", "exec"] {
        assert_eq!(calls(&server, command).iter().sum::<u64>(), 0, "{command}");
    }
    Ok(())
}

/// S1: closing the connection under the listener's hands.
async fn s1_a_listener_is_stopped_from_elsewhere(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let publisher = server.connect().await?;
    for _ in 0..20 {
        let handler = fanfare.handle("c", async |_| {}).await?;
        let messages = (0..100).map(|n| ("c", n.to_string()));
        let (stats, sent) =
            tokio::join!(tokio::spawn(handler.stop()), publisher.publish_batch(messages));
        let stats = stats?;
        assert_eq!((stats.failed, stats.panicked), (0, 0), "{stats:?}");
        sent.into_iter().collect::<Result<Vec<_>, _>>()?;
    }
    until("it is unsubscribed", || server.n_subscribers("c") == 0).await?;
    assert!(fanfare.ping().await.is_ok());
    Ok(())
}

/// S2: a variable that only a loop sets.
async fn s2_an_empty_batch_is_nothing(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    assert!(fanfare.publish_batch(Vec::<(&str, &str)>::new()).await.is_empty());
    assert_eq!(fanfare.publish("c", "x").await?, 0);
    Ok(())
}

/// S3: a handler of 20 ms holds up the reading loop until the server cuts it off, and nobody knows.
async fn s3_a_slow_handler_counts_what_it_loses(server: Target) -> TestResult {
    // 100 MB, and servers cut off who has 32 MB waiting.
    const N: u64 = 10_000;
    let fanfare = server.connect().await?;
    let publisher = server.connect().await?;
    let handled = Arc::new(AtomicU64::new(0));
    let slow = {
        let handled = handled.clone();
        move || {
            let handled = handled.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                handled.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let router = fanfare
        .router()
        .queue(Overflow::DropOldest, 10_000, 8 << 20)
        .channel("c", slow)
        .channel("c", async || {})
        .start()
        .await?;
    let payload = vec![b'x'; 10_000];
    for published in (100..=N).step_by(100) {
        for outcome in publisher.publish_batch((0..100).map(|_| ("c", &payload))).await {
            outcome?;
        }
        // A machine that is busy may be late to read, which is not what this is about; one that
        // waits for the handler would never be here.
        until("all are read", || {
            router.stats().routes.first().is_some_and(|it| it.received == published)
        })
        .await?;
    }
    // Nobody was cut off, and each knows what it has not had.
    let accounts = |it: &RouteStats| it.handled + it.dropped;
    until("the quick one is through", || {
        router.stats().routes.get(1).is_some_and(|it| accounts(it) == N)
    })
    .await?;
    let stats = router.stop().await;
    assert_eq!((stats.subscription.gaps, stats.subscription.dropped), (0, 0), "{stats:?}");
    let slow = stats.routes.first().ok_or("it was there")?;
    assert_eq!((slow.received, slow.handled), (N, handled.load(Ordering::Relaxed)), "{stats:?}");
    assert!(0 < slow.dropped, "{stats:?}");
    assert_eq!(accounts(slow) + slow.queued_messages as u64, N, "{stats:?}");
    Ok(())
}

/// A health check of `redis-cli ping` prints NOAUTH, and ends as if all were well.
async fn a_broker_that_wants_a_password_is_not_healthy(server: Target) -> TestResult {
    // Held to the end, since an embedded broker lives as long as somebody is connected to it.
    let inside = server.connect().await?;
    inside.self_test().await?;
    inside.health().check(Duration::from_secs(600))?;
    let seen = inside.broker_monitor().look(Duration::ZERO).await?;
    assert!(!seen.alerts.iter().any(|it| it.metric == Metric::Unreachable), "{seen:?}");
    for answer in server.say_to_all(&["CONFIG", "SET", "requirepass", "pw"]) {
        assert_eq!(answer, "+OK\r\n");
    }
    let mut urls = vec![server.url()];
    // An embedded broker's name has no place for a login.
    if server.url().contains("://") {
        urls.push(server.url().replacen("://", "://:wrong@", 1));
    }
    for url in urls {
        let refused = Fanfare::connect(&url).await.err().ok_or("it was let in")?;
        assert_eq!(refused.kind(), ErrorKind::Auth, "{refused}");
        // Whoever does not wait for a connection.
        let options = |it: Options| it.request_timeout(SOON);
        let outside = Fanfare::builder(&url).options(options).connect_lazy().await?;
        assert!(outside.self_test().await.is_err());
        let unwell = outside.health().check(Duration::from_secs(600)).err().ok_or("healthy")?;
        assert!(unwell.to_string().contains("the command connection"), "{unwell}");
        // What `fanfare check` prints, and ends by.
        let seen = outside.broker_monitor().deadline(SOON).look(Duration::ZERO).await?;
        assert_eq!(seen.worst(), Some(Severity::Critical), "{seen:?}");
        assert!(seen.alerts.iter().any(|it| it.metric == Metric::Unreachable), "{seen:?}");
        let found = Doctor::new(&url).looks_at_host(false).examine().await?.findings;
        let found = found.iter().find(|it| it.name == "authentication").ok_or("nothing found")?;
        assert_eq!(found.severity, Severity::Critical, "{found:?}");
        assert!(!found.evidence.contains("wrong@") && !found.at.contains("wrong"), "{found:?}");
    }
    drop(inside);
    Ok(())
}

/// `INFO pubsub`, and a field `channels` of CLIENT LIST, which are not there.
async fn the_fields_that_monitors_read_are_where_they_are(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let _subscription =
        fanfare.subscriber().channels(["c", "d"]).patterns(["p*"]).connect().await?;
    let info = server.say_to_all(&["INFO", "stats"]).concat();
    let counts = |field: &str| -> u64 {
        let lines = info.lines().filter_map(|it| it.strip_prefix(field)?.strip_prefix(':'));
        lines.filter_map(|it| it.parse::<u64>().ok()).sum()
    };
    assert!(2 <= counts("pubsub_channels"), "{info}");
    assert!(1 <= counts("pubsub_patterns"), "{info}");
    let clients = server.say_to_all(&["CLIENT", "LIST"]).concat();
    assert!(clients.contains(" sub=2 psub=1 "), "{clients}");
    Ok(())
}
