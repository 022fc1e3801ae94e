//! Channels: records come to those who are there, and nothing ends a subscriber.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use fanfare::{
    ErrorKind, Fanfare, Overflow,
    data::{
        Arrival, DataPublisher, DataSubscriber, Destination, Missing, PublisherOptions, Received,
        Record, SubscriberOptions, open_publisher, open_subscriber,
    },
    stream::Trim,
    testing::{Fault, Proxy, Way},
};
use tokio::sync::mpsc;

use super::{HOUR, PATIENCE, next, next_missing, url_of_database, within};
use crate::support::{Target, TestResult, on_every_broker, on_everything, until};

on_everything!(records_come_to_whoever_subscribes, whole_urls_have_connections_of_their_own, bad_payloads_are_counted_shown_and_passed_over, a_handler_that_is_given_is_called, a_stop_lets_receivers_have_what_came_and_then_the_end, receiving_waits_no_longer_than_asked, publishers_are_counted_exactly_however_many_there_are, a_batch_has_an_outcome_for_each_record, a_full_queue_drops_and_counts, after_a_lost_connection_it_goes_on_with_a_gap, environments_are_namespaces, a_subscriber_that_is_slow; not embedded: what_may_have_been_published_is_counted_apart,);
on_every_broker!(another_database_hears_nothing_since_channels_have_none,);

type Reading = BTreeMap<String, f64>;

fn reading(n: u32) -> Reading {
    Reading::from([("n".to_owned(), f64::from(n))])
}

/// A subscription is there when `start` returns: nobody has to wait "for a moment" between subscribing
/// and publishing, which the sketch did.
async fn records_come_to_whoever_subscribes(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let here = fanfare.data_subscriber("redischannel://readings")?;
    let all = fanfare.data_subscriber("pattern:read*")?;
    let shard = fanfare.data_subscriber("shard:readings")?;
    for subscriber in [&here, &all, &shard] {
        assert!(!subscriber.is_running());
        assert_eq!(subscriber.try_recv().err().map(|it| it.kind()), Some(ErrorKind::Closed));
        subscriber.start().await?;
        subscriber.start().await?;
        assert!(subscriber.is_running() && subscriber.try_recv()?.is_none());
    }
    let publisher = fanfare.data_publisher("channel:readings")?;
    let published = publisher.publish(&reading(1)).await?;
    let receivers = published.receivers.ok_or("no count")?;
    assert!(receivers <= 2 && (published.id, published.key) == (None, None));
    for subscriber in [&here, &all] {
        let received = next(&**subscriber).await?;
        assert_eq!(
            (&received.source[..], &received.payload[..]),
            (&b"readings"[..], &br#"{"n":1.0}"#[..])
        );
        assert_eq!(received.json::<Reading>()?, reading(1));
        assert_eq!((received.id, received.version), (None, None));
        assert_eq!((subscriber.message_count(), subscriber.stats().delivered), (1, 1));
    }
    let shards = fanfare.data_publisher("shard:readings")?;
    assert_eq!(shards.publish(&reading(2)).await?.receivers, Some(1));
    assert_eq!(next(&*shard).await?.json::<Reading>()?, reading(2));
    let error = publisher.publish_at("key", &reading(3)).await.err().ok_or("it has no keys")?;
    assert_eq!(error.kind(), ErrorKind::InvalidRecord);
    let stats = publisher.stop().await;
    assert_eq!((stats.published, stats.failed, stats.is_running), (1, 1, false));
    assert!(stats.last_published_at.is_some());
    let error = publisher.publish(&reading(4)).await.err().ok_or("it is stopped")?;
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(!error.may_have_been_delivered());
    publisher.start().await?;
    publisher.publish(&reading(5)).await?;
    assert_eq!(next(&*here).await?.json::<Reading>()?, reading(5));
    assert_eq!(publisher.stats().published, 2);
    // What the handle's publishers and subscribers stop does not concern the handle.
    here.stop().await;
    fanfare.ping().await?;
    for wrong in ["redis://localhost", "redis://host:6379", "orders", "pattern:x"] {
        assert!(fanfare.data_publisher(wrong).is_err(), "{wrong}");
    }
    let options = PublisherOptions::new().ttl(HOUR);
    let error = fanfare.data_publisher_with("channel:x", options).err().ok_or("no TTL there")?;
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    let options = PublisherOptions::new().keep(Trim::maxlen(1));
    assert!(fanfare.data_publisher_with("channel:x", options).is_err());
    Ok(())
}

async fn whole_urls_have_connections_of_their_own(server: Target) -> TestResult {
    let subscriber = open_subscriber(&format!("{}#channel:news", server.url()))?;
    assert_eq!(subscriber.destination(), &Destination::Channel("news".into()));
    subscriber.start().await?;
    let url = format!("{}#channel:news", server.url());
    let publisher: Box<dyn DataPublisher> = open_publisher(&url).await?;
    for round in 1..=2 {
        publisher.publish(&round).await?;
        assert_eq!(next(&*subscriber).await?.json::<u64>()?, round);
        assert_eq!(publisher.stop().await.published, round);
        assert!(!publisher.is_running());
        assert!(publisher.publish(&0).await.is_err());
        publisher.start().await?;
    }
    let stats = subscriber.stop().await;
    assert_eq!((stats.received, stats.delivered, stats.is_running), (2, 2, false));
    publisher.publish(&3).await?;
    assert_eq!(subscriber.try_recv().err().map(|it| it.kind()), Some(ErrorKind::Closed));
    subscriber.start().await?;
    publisher.publish(&4).await?;
    assert_eq!(next(&*subscriber).await?.payload, "4");
    assert_eq!(subscriber.message_count(), 3);
    Ok(())
}

/// In the sketch, what was no JSON ended the loop that read.
async fn bad_payloads_are_counted_shown_and_passed_over(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let seen: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let options = SubscriberOptions::new().on_undecodable({
        let seen = seen.clone();
        move |bad| {
            assert!(bad.source == "s" && bad.error.kind() == ErrorKind::Decode);
            if let Ok(mut seen) = seen.lock() {
                seen.push(bad.payload.to_vec());
            }
            assert_ne!(bad.payload, "panic", "a hook may panic");
        }
    });
    let subscriber = fanfare.data_subscriber_with("shard:s", options)?;
    subscriber.start().await?;
    let every_byte: Vec<u8> = (0..=255).collect();
    let deep = "[".repeat(100_000);
    let bad: [&[u8]; 6] = [b"not JSON", b"", &every_byte, b"{\"half\":", deep.as_bytes(), b"panic"];
    for payload in bad {
        fanfare.spublish("s", payload).await?;
    }
    fanfare.spublish("s", r#""good""#).await?;
    assert_eq!(next(&*subscriber).await?.json::<String>()?, "good");
    let stats = subscriber.stats();
    assert_eq!((stats.received, stats.undecodable, stats.delivered), (7, 6, 1));
    assert!(stats.is_running && stats.last_failure.is_some_and(|it| it.contains("may panic")));
    assert_eq!(*seen.lock().map_err(|_| "poisoned")?, bad);
    // JSON of another type than the program's is for the program to see.
    fanfare.spublish("s", "17").await?;
    let received = next(&*subscriber).await?;
    assert_eq!(received.json::<String>().err().map(|it| it.kind()), Some(ErrorKind::Decode));
    Ok(())
}

/// The sketch had a class for this that nothing ever called.
async fn a_handler_that_is_given_is_called(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let (sender, mut handled) = mpsc::channel(64);
    let options = SubscriberOptions::new().handler(move |received: Received| {
        let sender = sender.clone();
        async move {
            match received.json::<u32>()? {
                2 => panic!("as asked"),
                3 => Err(fanfare::Error::new(ErrorKind::Decode, "as asked")),
                n => {
                    let _ = sender.send(n).await;
                    Ok(())
                }
            }
        }
    });
    let subscriber = fanfare.data_subscriber_with("shard:s", options)?;
    subscriber.start().await?;
    let error = subscriber.recv().await.err().ok_or("the handler gets all")?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let publisher = fanfare.data_publisher("shard:s")?;
    for n in 1..=4 {
        publisher.publish(&n).await?;
    }
    assert_eq!((handled.recv().await, handled.recv().await), (Some(1), Some(4)));
    until("all are counted", || subscriber.stats().delivered == 4).await?;
    let stats = subscriber.stop().await;
    assert_eq!((stats.received, stats.failed, stats.panicked), (4, 1, 1));
    assert_eq!(stats.last_failure.as_deref(), Some("as asked"));
    // A handler that blocks a thread has one apart.
    let (sender, blocked) = std::sync::mpsc::channel();
    let options = SubscriberOptions::new().blocking_handler(move |received: Received| {
        sender.send(received.payload).map_err(|_| "nobody listens")
    });
    let subscriber = fanfare.data_subscriber_with("shard:s", options)?;
    subscriber.start().await?;
    publisher.publish(&5).await?;
    let payload = tokio::task::spawn_blocking(move || blocked.recv_timeout(PATIENCE)).await??;
    assert_eq!(payload, "5");
    Ok(())
}

/// S1: stopping closed the socket under the thread that read from it, which died of that.
async fn a_stop_lets_receivers_have_what_came_and_then_the_end(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let subscriber: Arc<dyn DataSubscriber> = fanfare.data_subscriber("shard:s")?.into();
    subscriber.start().await?;
    let receivers: Vec<_> = (0..4)
        .map(|_| {
            let subscriber = subscriber.clone();
            tokio::spawn(async move {
                let mut n = 0;
                loop {
                    match subscriber.recv().await {
                        Ok(Arrival::Record(_)) => n += 1,
                        Ok(Arrival::Missing(missing)) => panic!("{missing:?}"),
                        Err(error) => break (n, error.kind()),
                    }
                }
            })
        })
        .collect();
    let publisher = fanfare.data_publisher("shard:s")?;
    for outcome in publisher.publish_records(vec![Record::new(&1)?; 1_000]).await {
        assert_eq!(outcome?.receivers, Some(1));
    }
    until("all have arrived", || subscriber.message_count() == 1_000).await?;
    let stats = subscriber.stop().await;
    assert!(!stats.is_running && !subscriber.is_running());
    let mut n_received = 0;
    for receiver in receivers {
        let (n, kind) = receiver.await?;
        assert_eq!(kind, ErrorKind::Closed);
        n_received += n;
    }
    let stats = subscriber.stop().await;
    assert_eq!(
        (n_received, stats.received, stats.delivered, stats.queued),
        (1_000, 1_000, 1_000, 0)
    );
    Ok(())
}

async fn receiving_waits_no_longer_than_asked(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let subscriber: Arc<dyn DataSubscriber> = fanfare.data_subscriber("shard:s")?.into();
    subscriber.start().await?;
    assert!(subscriber.recv_within(std::time::Duration::from_millis(20)).await?.is_none());
    assert!(subscriber.try_recv()?.is_none());
    let waiting = tokio::spawn({
        let subscriber = subscriber.clone();
        async move { subscriber.recv_within(PATIENCE).await }
    });
    let publisher = fanfare.data_publisher("shard:s")?;
    publisher.publish("x").await?;
    assert!(matches!(waiting.await??, Some(Arrival::Record(_))));
    // Receivers that give up lose nothing.
    for n in 0..200 {
        publisher.publish(&n).await?;
        let patience = std::time::Duration::from_micros(n % 7 * 50);
        let got = match subscriber.recv_within(patience).await? {
            Some(Arrival::Record(received)) => received,
            _ => next(&*subscriber).await?,
        };
        assert_eq!(got.json::<u64>()?, n);
    }
    Ok(())
}

/// The sketch's counts were plain numbers that several threads changed.
async fn publishers_are_counted_exactly_however_many_there_are(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let publisher: Arc<dyn DataPublisher> = fanfare.data_publisher("shard:s")?.into();
    let n_ok = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (publisher, n_ok) = (publisher.clone(), n_ok.clone());
            tokio::spawn(async move {
                for n in 0..50 {
                    match publisher.publish(&n).await {
                        Ok(_) => n_ok.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Closed);
                            break;
                        }
                    };
                }
            })
        })
        .collect();
    until("some are published", || 300 <= publisher.stats().published).await?;
    let stats = publisher.stop().await;
    for task in tasks {
        task.await?;
    }
    // Whoever was let in had an outcome before the stop returned.
    assert_eq!(
        (stats.published, stats.failed, stats.unknown),
        (n_ok.load(Ordering::Relaxed), 0, 0)
    );
    assert_eq!(publisher.stats(), stats);
    Ok(())
}

/// S2: a batch of nothing ended in an error of the sketch's own, and the replies were thrown away.
async fn a_batch_has_an_outcome_for_each_record(server: Target) -> TestResult {
    let fanfare = Fanfare::builder(&server.url())
        .options(|options| options.in_flight_max(1_000, 64 << 10))
        .connect()
        .await?;
    let subscriber = fanfare.data_subscriber("shard:s")?;
    subscriber.start().await?;
    let publisher = fanfare.data_publisher("shard:s")?;
    let mut records: Vec<_> = (0..100).map(|n| Record::new(&n)).collect::<Result<_, _>>()?;
    *records.get_mut(7).ok_or("no record")? = Record::new(&"x".repeat(65 << 10))?;
    for (n, outcome) in publisher.publish_records(records).await.into_iter().enumerate() {
        match outcome {
            Ok(published) => assert_eq!((n == 7, published.receivers), (false, Some(1))),
            Err(error) => assert_eq!((n, error.kind()), (7, ErrorKind::TooLarge)),
        }
    }
    for n in (0..100).filter(|n| *n != 7) {
        assert_eq!(next(&*subscriber).await?.json::<u32>()?, n);
    }
    let stats = publisher.stop().await;
    assert_eq!((stats.published, stats.failed, stats.unknown), (99, 1, 0));
    assert!(publisher.publish_records(Vec::new()).await.is_empty());
    let refused = publisher.publish_records(vec![Record::new(&1)?; 3]).await;
    assert!(refused.len() == 3 && refused.iter().all(Result::is_err));
    Ok(())
}

async fn a_full_queue_drops_and_counts(server: Target) -> TestResult {
    const N: u64 = 2_000;
    let fanfare = server.connect().await?;
    let options = SubscriberOptions::new().queue(Overflow::DropOldest, 100, 1 << 20);
    let subscriber = fanfare.data_subscriber_with("shard:s", options)?;
    subscriber.start().await?;
    let publisher = fanfare.data_publisher("shard:s")?;
    let records: Result<Vec<_>, _> = (0..N).map(|n| Record::new(&n)).collect();
    for outcome in publisher.publish_records(records?).await {
        outcome?;
    }
    until("all have arrived", || subscriber.message_count() == N).await?;
    let (mut n_records, mut n_dropped, mut next_n) = (0, 0, 0);
    while next_n < N {
        match subscriber.recv_within(PATIENCE).await?.ok_or("nothing came")? {
            Arrival::Record(received) => {
                assert_eq!(received.json::<u64>()?, next_n);
                (n_records, next_n) = (n_records + 1, next_n + 1);
            }
            Arrival::Missing(Missing::Dropped(n)) => {
                (n_dropped, next_n) = (n_dropped + n, next_n + n);
            }
            other @ Arrival::Missing(_) => return Err(format!("{other:?}").into()),
        }
    }
    let stats = subscriber.stop().await;
    assert!(0 < n_dropped && 0 < stats.gaps, "{stats:?}");
    assert_eq!((stats.delivered, stats.dropped, n_records + n_dropped), (n_records, n_dropped, N));
    Ok(())
}

async fn after_a_lost_connection_it_goes_on_with_a_gap(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let missed = Arc::new(AtomicU64::new(0));
    let options = SubscriberOptions::new().on_missing({
        let missed = missed.clone();
        move |_| {
            missed.fetch_add(1, Ordering::Relaxed);
        }
    });
    let subscriber = fanfare.data_subscriber_with("channel:c", options)?;
    subscriber.start().await?;
    until("somebody is cut off", || 0 < server.kill_clients("pubsub")).await?;
    let (records, missing) = next_missing(&*subscriber).await?;
    assert!(records.is_empty() && matches!(missing, Missing::Outage(_)), "{missing:?}");
    assert_eq!(missed.load(Ordering::Relaxed), 1);
    let publisher = fanfare.data_publisher("channel:c")?;
    loop {
        publisher.publish(&1).await?;
        if subscriber.recv_within(std::time::Duration::from_millis(100)).await?.is_some() {
            break;
        }
    }
    let stats = subscriber.stats();
    assert!(stats.is_running && 1 <= stats.reconnects && 1 <= stats.gaps, "{stats:?}");
    Ok(())
}

/// T4: a subscriber in database 2 received what was published in database 0.
async fn another_database_hears_nothing_since_channels_have_none(server: Target) -> TestResult {
    let staging = Fanfare::connect(&url_of_database(&server, 2)).await?;
    let kind = |error: Option<fanfare::Error>| error.map(|it| it.kind());
    let subscriber = staging.data_subscriber("redischannel://secrets").err();
    assert!(subscriber.as_ref().is_some_and(|it| it.to_string().contains("namespace")));
    assert_eq!(kind(subscriber), Some(ErrorKind::InvalidOption));
    let publisher = staging.data_publisher("channel:secrets").err();
    assert_eq!(kind(publisher), Some(ErrorKind::InvalidOption));
    let keys = staging.data_subscriber("redis://secrets").err();
    assert_eq!(kind(keys), Some(ErrorKind::InvalidOption));
    let url = format!("{}#channel:secrets", url_of_database(&server, 2));
    assert_eq!(kind(open_subscriber(&url).err()), Some(ErrorKind::InvalidOption));
    assert_eq!(kind(open_publisher(&url).await.err()), Some(ErrorKind::InvalidOption));
    Ok(())
}

/// T4: what separates environments instead.
async fn environments_are_namespaces(server: Target) -> TestResult {
    let production = within(&server, "production:").await?;
    let staging = within(&server, "staging:").await?;
    let (here, there) =
        (production.data_subscriber("channel:c")?, staging.data_subscriber("channel:c")?);
    here.start().await?;
    there.start().await?;
    production.data_publisher("channel:c")?.publish("the secret of production").await?;
    staging.data_publisher("channel:c")?.publish("staging").await?;
    let received = next(&*here).await?;
    assert_eq!(received.json::<String>()?, "the secret of production");
    assert_eq!(received.source, "c");
    assert_eq!(next(&*there).await?.json::<String>()?, "staging");
    assert_eq!((here.message_count(), there.message_count()), (1, 1));
    Ok(())
}

/// A program that never asks still sees the count grow, and its memory does not.
async fn a_subscriber_that_is_slow(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let options = SubscriberOptions::new().queue(Overflow::Disconnect, 100, 1 << 20);
    let subscriber = fanfare.data_subscriber_with("channel:c", options)?;
    subscriber.start().await?;
    let publisher = fanfare.data_publisher("channel:c")?;
    for outcome in publisher.publish_records(vec![Record::new(&7)?; 2_000]).await {
        outcome?;
    }
    let mut n_records = 0;
    let error = loop {
        match subscriber.recv_within(PATIENCE).await {
            Ok(Some(Arrival::Record(_))) => n_records += 1,
            // What ended it.
            Ok(Some(Arrival::Missing(Missing::Dropped(_)))) => {}
            Ok(other) => return Err(format!("{other:?}").into()),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::SlowConsumer);
    assert!((100..2_000).contains(&n_records), "{n_records}");
    assert!(!subscriber.is_running());
    // It can be started again; some of what was published may still be on its way.
    let mut is_over = false;
    while !is_over {
        subscriber.start().await?;
        publisher.publish(&8).await?;
        is_over = loop {
            match subscriber.recv_within(PATIENCE).await {
                Ok(Some(Arrival::Record(received))) if received.payload == "8" => break true,
                Ok(Some(_)) => {}
                Ok(None) => return Err("nothing came".into()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::SlowConsumer);
                    break false;
                }
            }
        };
    }
    Ok(())
}

/// The sketch returned nothing, so that its caller published again what had been published.
async fn what_may_have_been_published_is_counted_apart(server: Target) -> TestResult {
    let proxy = Proxy::start(server.addr())?;
    let fanfare = Fanfare::builder(&proxy.url())
        .options(|options| options.request_timeout(std::time::Duration::from_secs(3)))
        .connect()
        .await?;
    let subscriber = server.connect().await?.data_subscriber("channel:c")?;
    subscriber.start().await?;
    let publisher = fanfare.data_publisher("channel:c")?;
    publisher.publish(&1).await?;
    proxy.inject(Fault::Swallow(Way::ToClient));
    let error = publisher.publish(&2).await.err().ok_or("the answer was swallowed")?;
    assert!(error.may_have_been_delivered(), "{error:?}");
    // It was.
    for n in 1..=2 {
        assert_eq!(next(&*subscriber).await?.json::<u64>()?, n);
    }
    let stats = publisher.stop().await;
    assert_eq!((stats.published, stats.failed, stats.unknown), (1, 0, 1));
    Ok(())
}
