//! Streams: what is there, then what comes, over stops and lost connections.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fanfare::{
    ErrorKind,
    data::{Missing, PublisherOptions, Received, Record, SubscriberOptions, open_publisher},
    stream::{Position, Trim},
};

use super::{next, next_missing, url_of_database};
use crate::support::{Target, TestResult, on_every_broker, on_everything, until};

on_everything!(
    history_comes_first_and_then_what_is_added,
    a_stop_and_a_start_miss_nothing,
    entries_of_others_are_shown_and_passed_over,
    what_was_trimmed_unread_is_told,
    a_lost_connection_loses_nothing,
    a_stream_is_kept_as_short_as_asked,
);
on_every_broker!(streams_have_databases,);

async fn history_comes_first_and_then_what_is_added(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let publisher = fanfare.data_publisher("redisstream://orders")?;
    let first = publisher.publish(&1).await?;
    assert!(first.id.is_some() && first.receivers.is_none());
    let records: Result<Vec<_>, _> = (2..=600).map(|n| Record::new(&n)).collect();
    for outcome in publisher.publish_records(records?).await {
        assert!(outcome?.id.is_some());
    }
    let subscriber = fanfare.data_subscriber("redisstream://orders")?;
    subscriber.start().await?;
    let newest = SubscriberOptions::new().from(Position::New);
    let newest = fanfare.data_subscriber_with("stream:orders", newest)?;
    newest.start().await?;
    publisher.publish(&601).await?;
    for n in 1..=601 {
        let received = next(&*subscriber).await?;
        assert_eq!((received.json::<u64>()?, &received.source[..]), (n, &b"orders"[..]));
        assert!(n != 1 || received.id == first.id);
    }
    assert_eq!(next(&*newest).await?.json::<u64>()?, 601);
    assert!(subscriber.try_recv()?.is_none());
    let stats = subscriber.stats();
    assert_eq!((stats.received, stats.delivered, stats.gaps), (601, 601, 0));
    assert_eq!(publisher.stop().await.published, 601);
    Ok(())
}

async fn a_stop_and_a_start_miss_nothing(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let publisher = fanfare.data_publisher("stream:orders")?;
    let seen = Arc::new(AtomicU64::new(0));
    let options = SubscriberOptions::new().handler({
        let seen = seen.clone();
        move |received: Received| {
            let seen = seen.clone();
            async move {
                assert_eq!(received.json::<u64>()?, seen.fetch_add(1, Ordering::Relaxed));
                Ok::<_, fanfare::Error>(())
            }
        }
    });
    let handled = fanfare.data_subscriber_with("stream:orders", options)?;
    let taken = fanfare.data_subscriber("stream:orders")?;
    let mut n = 0;
    for _round in 0..3 {
        handled.start().await?;
        taken.start().await?;
        let records: Result<Vec<_>, _> = (n..n + 400).map(|n| Record::new(&n)).collect();
        for outcome in publisher.publish_records(records?).await {
            outcome?;
        }
        for _ in 0..100 {
            let received = next(&*taken).await?;
            assert_eq!(received.json::<u64>()?, n);
            n += 1;
        }
        // In the middle of it.
        taken.stop().await;
        handled.stop().await;
        while let Ok(Some(arrival)) = taken.try_recv() {
            let fanfare::data::Arrival::Record(received) = arrival else {
                return Err("a gap".into());
            };
            assert_eq!(received.json::<u64>()?, n);
            n += 1;
        }
        // What is added next goes on where the last round ended.
        taken.start().await?;
        let end = n.div_ceil(400) * 400;
        while n < end {
            assert_eq!(next(&*taken).await?.json::<u64>()?, n);
            n += 1;
        }
        taken.stop().await;
    }
    handled.start().await?;
    until("the handler has all", || seen.load(Ordering::Relaxed) == n).await?;
    let stats = handled.stop().await;
    assert_eq!((stats.delivered, stats.failed, stats.panicked, stats.discarded), (n, 0, 0, 0));
    Ok(())
}

async fn entries_of_others_are_shown_and_passed_over(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let (sender, mut bad) = tokio::sync::mpsc::channel(8);
    let options = SubscriberOptions::new().on_undecodable(move |it| {
        let _ = sender.try_send((it.id, it.payload.clone()));
    });
    let stream = fanfare.stream("orders");
    let no_field = stream.add([("other", "1")]).await?;
    let no_json = stream.add([("data", "\u{0}\u{1}")]).await?;
    fanfare.data_publisher("stream:orders")?.publish(&3).await?;
    let subscriber = fanfare.data_subscriber_with("stream:orders", options)?;
    subscriber.start().await?;
    assert_eq!(next(&*subscriber).await?.payload, "3");
    let stats = subscriber.stats();
    assert_eq!((stats.received, stats.undecodable, stats.delivered), (3, 2, 1));
    assert_eq!(bad.recv().await, Some((Some(no_field), "".into())));
    assert_eq!(bad.recv().await, Some((Some(no_json), "\u{0}\u{1}".into())));
    Ok(())
}

async fn what_was_trimmed_unread_is_told(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let publisher = fanfare.data_publisher("stream:orders")?;
    let subscriber = fanfare.data_subscriber("stream:orders")?;
    subscriber.start().await?;
    publisher.publish(&0).await?;
    assert_eq!(next(&*subscriber).await?.payload, "0");
    subscriber.stop().await;
    for n in 1..10 {
        publisher.publish(&n).await?;
    }
    fanfare.stream("orders").trim(Trim::maxlen(3)).await?;
    subscriber.start().await?;
    let (records, missing) = next_missing(&*subscriber).await?;
    assert!(records.is_empty() && matches!(missing, Missing::Trimmed { .. }), "{missing:?}");
    for n in 7..10 {
        assert_eq!(next(&*subscriber).await?.json::<u64>()?, n);
    }
    assert_eq!(subscriber.stats().gaps, 1);
    Ok(())
}

async fn a_lost_connection_loses_nothing(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let publisher = fanfare.data_publisher("stream:orders")?;
    let subscriber = fanfare.data_subscriber("stream:orders")?;
    subscriber.start().await?;
    for n in 0..200 {
        if n % 50 == 25 {
            server.kill_clients("normal");
        }
        while let Err(error) = publisher.publish(&n).await {
            assert!(error.is_retryable(), "{error:?}");
        }
    }
    let mut last = None;
    while last != Some(199) {
        let n = next(&*subscriber).await?.json::<u64>()?;
        // One whose answer was lost may have been added twice.
        assert!(last.is_none_or(|last| n == last || n == last + 1), "{n} after {last:?}");
        last = Some(n);
    }
    let stats = publisher.stats();
    assert_eq!(stats.published, 200);
    assert_eq!(subscriber.stats().gaps, 0);
    Ok(())
}

async fn a_stream_is_kept_as_short_as_asked(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let options = PublisherOptions::new().name("short").keep(Trim::maxlen(10));
    let publisher = fanfare.data_publisher_with("stream:orders", options)?;
    assert_eq!((publisher.name(), publisher.destination().name()), ("short", "orders"));
    for n in 0..30 {
        publisher.publish(&n).await?;
    }
    publisher.publish_records(vec![Record::new(&30)?]).await;
    assert_eq!(fanfare.stream("orders").len().await?, 10);
    Ok(())
}

async fn streams_have_databases(server: Target) -> TestResult {
    let url = format!("{}#stream:orders", url_of_database(&server, 2));
    let publisher = open_publisher(&url).await?;
    publisher.publish(&1).await?;
    let plain = server.connect().await?;
    assert!(plain.stream("orders").is_empty().await?);
    let error = plain.data_publisher("key:x")?.publish(&1).await.err().ok_or("no key")?;
    assert_eq!(error.kind(), ErrorKind::InvalidRecord);
    Ok(())
}
