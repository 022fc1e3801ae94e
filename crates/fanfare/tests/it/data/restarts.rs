//! Stops and starts: one follower at a time, from where the last one was, within bounds.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fanfare::{
    Overflow,
    data::{Arrival, Missing, Received, Record, SubscriberOptions},
    stream::Position,
};
use futures_util::FutureExt;
use tokio::sync::Semaphore;

use super::{PATIENCE, next};
use crate::support::{Target, TestResult, on_every_broker, until};

on_every_broker!(
    a_start_after_a_stop_that_nobody_waited_for_waits_for_it,
    a_place_at_the_end_is_kept_though_nothing_came,
    one_that_has_ended_is_started_at_once,
    stops_do_not_fill_the_memory,
);

/// Both handled what came: the one that was to stop was still at it.
async fn a_start_after_a_stop_that_nobody_waited_for_waits_for_it(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU64::new(0)));
    let options = SubscriberOptions::new().handler({
        let (gate, begun) = (gate.clone(), begun.clone());
        move |_: Received| {
            let (gate, begun) = (gate.clone(), begun.clone());
            async move {
                begun.fetch_add(1, Ordering::Relaxed);
                gate.acquire().await.map_err(|_| "closed")?.forget();
                Ok::<_, &str>(())
            }
        }
    });
    let subscriber = Arc::new(fanfare.data_subscriber_with("channel:c", options)?);
    subscriber.start().await?;
    fanfare.publish("c", "1").await?;
    until("it is being handled", || begun.load(Ordering::Relaxed) == 1).await?;
    assert!(subscriber.stop().now_or_never().is_none());
    let starting = tokio::spawn({
        let subscriber = subscriber.clone();
        async move { subscriber.start().await }
    });
    // Longer than a subscription takes.
    for _ in 0..100 {
        fanfare.ping().await?;
    }
    assert!(!starting.is_finished(), "there are two");
    gate.add_permits(10);
    starting.await??;
    fanfare.publish("c", "2").await?;
    until("the other is handled", || subscriber.stats().delivered == 2).await?;
    assert_eq!((begun.load(Ordering::Relaxed), subscriber.stop().await.received), (2, 2));
    Ok(())
}

/// It began at the end of the stream each time.
async fn a_place_at_the_end_is_kept_though_nothing_came(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let publisher = fanfare.data_publisher("stream:orders")?;
    let newest = || {
        let options = SubscriberOptions::new().from(Position::New);
        fanfare.data_subscriber_with("stream:orders", options)
    };
    // There is no stream yet.
    let early = newest()?;
    early.start().await?;
    early.stop().await;
    publisher.publish(&1).await?;
    let late = newest()?;
    late.start().await?;
    late.stop().await;
    publisher.publish(&2).await?;
    early.start().await?;
    late.start().await?;
    for n in 1..=2 {
        assert_eq!(next(&*early).await?.json::<u8>()?, n);
    }
    assert_eq!(next(&*late).await?.json::<u8>()?, 2);
    Ok(())
}

/// Between its end and that of its task a start did nothing.
async fn one_that_has_ended_is_started_at_once(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let options = SubscriberOptions::new().queue(Overflow::Disconnect, 10, 1 << 20);
    let subscriber = fanfare.data_subscriber_with("channel:c", options)?;
    for round in 0..20 {
        subscriber.start().await?;
        assert!(subscriber.is_running(), "round {round}");
        for outcome in fanfare.publish_batch((0..500).map(|n| ("c", n.to_string()))).await {
            outcome?;
        }
        while subscriber.recv_within(PATIENCE).await.is_ok() {}
    }
    Ok(())
}

/// Each stop put the whole queue beside what earlier ones had left.
async fn stops_do_not_fill_the_memory(server: Target) -> TestResult {
    const N: u64 = 1_000;
    let fanfare = server.connect().await?;
    let options = || SubscriberOptions::new().queue(Overflow::DropOldest, 100, 1 << 20);
    let subscribers = [
        fanfare.data_subscriber_with("channel:c", options())?,
        fanfare.data_subscriber_with("stream:s", options())?,
    ];
    let publishers = [fanfare.data_publisher("channel:c")?, fanfare.data_publisher("stream:s")?];
    for (subscriber, publisher) in subscribers.iter().zip(&publishers) {
        let mut n_published = 0;
        for _ in 0..4 {
            subscriber.start().await?;
            for outcome in publisher.publish_records(vec![Record::new(&7)?; 1_000]).await {
                outcome?;
            }
            n_published += N;
            let is_channel = publisher.destination().to_string().starts_with("channel");
            until("it has come", || !is_channel || subscriber.message_count() == n_published)
                .await?;
            let stats = subscriber.stop().await;
            assert!(stats.queued <= 256 + 100 + 2, "{stats:?}");
        }
        let mut stats = subscriber.stats();
        let (mut n_records, mut n_missing) = (0, 0);
        while let Ok(Some(arrival)) = subscriber.try_recv() {
            match arrival {
                Arrival::Record(_) => n_records += 1,
                Arrival::Missing(Missing::Dropped(n)) => n_missing += n,
                other @ Arrival::Missing(_) => return Err(format!("{other:?}").into()),
            }
        }
        assert_eq!(n_missing, stats.dropped + stats.discarded);
        assert_eq!(n_records + n_missing, stats.received);
        // A stream keeps the rest.
        if publisher.destination().to_string().starts_with("stream") {
            subscriber.start().await?;
            while n_records < n_published {
                next(&**subscriber).await?;
                n_records += 1;
            }
            stats = subscriber.stop().await;
            assert_eq!((stats.received, stats.gaps), (n_published, 0));
        }
    }
    Ok(())
}
