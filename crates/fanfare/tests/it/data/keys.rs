//! Keys: a value, its version and its announcement are written together, and read in their order.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fanfare::{
    ErrorKind, Fanfare,
    commands::*,
    data::{
        Announce, DataPublisher, Missing, PublisherOptions, Record, SubscriberOptions,
        open_publisher,
    },
};
use futures_util::TryStreamExt;

use super::{HOUR, next, url_of_database, within};
use crate::support::{
    Target, TestResult, next as next_message, on_every_broker, on_everything, until,
};

on_everything!(
    a_record_says_its_own_key,
    a_record_without_a_key_is_an_error_and_nothing_is_written,
    time_to_live_comes_with_the_value,
    value_version_and_announcement_are_one,
    versions_grow_over_deletion_and_expiry,
    changes_are_followed,
    announcements_on_a_stream_wait_for_who_is_away,
    what_can_not_be_announced_is_not_written,
    a_batch_of_records_has_an_outcome_for_each,
    namespaces_keep_keys_apart,
);
on_every_broker!(databases_keep_keys_apart,);

fn record(key: &str, value: u64) -> HashMap<&'static str, String> {
    HashMap::from([("__dagserver_key", key.to_owned()), ("value", value.to_string())])
}

/// The key stood in the data and was stored with it.
async fn a_record_says_its_own_key(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let client = fanfare.client();
    let publisher = fanfare.data_publisher("redis://sensor_data")?;
    let published = publisher.publish(&record("sensor:1", 7)).await?;
    assert_eq!((published.key.as_deref(), published.receivers), (Some("sensor:1"), Some(0)));
    // Any client can read it.
    assert_eq!(client.get::<String>("sensor:1").await?.as_deref(), Some(r#"{"value":"7"}"#));
    let stored = fanfare.data_value("sensor:1").await?.ok_or("it is not there")?;
    assert_eq!((stored.version, stored.payload.len()), (published.version, 13));
    publisher.publish_at("sensor:{2}:x", &record("ignored", 8)).await?;
    let stored = fanfare.data_value("sensor:{2}:x").await?.ok_or("it is not there")?;
    let members: HashMap<String, String> = stored.json()?;
    assert_eq!(members.get("__dagserver_key").map(String::as_str), Some("ignored"));

    let options = PublisherOptions::new().key_member("id").keep_key_member();
    let kept = fanfare.data_publisher_with("key:sensor_data", options)?;
    kept.publish(&HashMap::from([("id", "a")])).await?;
    assert_eq!(client.get::<String>("a").await?.as_deref(), Some(r#"{"id":"a"}"#));

    let options = PublisherOptions::new()
        .key_by(|record| Ok(format!("user:{}", record.text("name").ok_or("it has no name")?)));
    let made = fanfare.data_publisher_with("key:users", options)?;
    made.publish(&HashMap::from([("name", "anna")])).await?;
    assert_eq!(client.exists(["user:anna"]).await?, 1);
    let error = made.publish(&HashMap::from([("nome", "anna")])).await.err().ok_or("no name")?;
    assert_eq!(error.kind(), ErrorKind::InvalidRecord);
    assert_eq!((made.stats().published, made.stats().failed), (1, 1));
    assert_eq!(fanfare.data_value("nothing").await?, None);
    Ok(())
}

/// The sketch logged "No __dagserver_key found in data", dropped the data and returned nothing.
async fn a_record_without_a_key_is_an_error_and_nothing_is_written(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let publisher = fanfare.data_publisher("key:sensors")?;
    let mut announced = fanfare.subscribe(["sensors"]).await?;
    let wrong = [
        r#"{"value": 1}"#,
        r#"{"__dagserver_key": 17}"#,
        r#"{"__dagserver_key": null}"#,
        r#"{"__dagserver_key": ["a"]}"#,
        r#"{"__dagserver_key": ""}"#,
        r#"["__dagserver_key"]"#,
        "17",
    ];
    for text in wrong {
        let record = Record::from_json(text.as_bytes())?;
        let error = publisher.publish_record(record).await.err().ok_or("there is no key")?;
        assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidRecord, "FF-6101"), "{text}");
        assert!(!error.may_have_been_delivered() && !error.is_retryable());
    }
    assert!(publisher.publish_at("", &1).await.is_err());
    let stats = publisher.stats();
    assert_eq!((stats.published, stats.failed, stats.last_published_at), (0, 8, None));
    let keys = async || fanfare.client().scan().stream().try_collect::<HashSet<_>>().await;
    assert_eq!(keys().await?, HashSet::new());
    publisher.publish(&record("a", 1)).await?;
    assert_eq!(keys().await?, HashSet::from(["a".into(), "{a}:version".into()]));
    let note = next_message(&mut announced).await?;
    assert!(note.text()?.starts_with(r#"{"key":"a","version":"#), "{note:?}");
    Ok(())
}

/// The sketch set the time to live in a second command on another connection.
async fn time_to_live_comes_with_the_value(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let options = PublisherOptions::new().ttl(HOUR);
    let publisher = fanfare.data_publisher_with("key:sessions", options)?;
    publisher.publish_at("session:1", &1).await?;
    for key in ["session:1", "{session:1}:version"] {
        let ttl = fanfare.command(["PTTL", key]).await?.as_int().ok_or("no number")?;
        assert!(0 < ttl && ttl <= 3_600_000, "{key}: {ttl}");
    }
    // A later value without one lives for ever.
    fanfare.data_publisher("key:sessions")?.publish_at("session:1", &2).await?;
    assert_eq!(fanfare.command(["PTTL", "session:1"]).await?.as_int(), Some(-1));
    let options = PublisherOptions::new().ttl(Duration::ZERO);
    let error = fanfare.data_publisher_with("key:x", options).err().ok_or("no time at all")?;
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    // A server would refuse it, after the announcement.
    let options = PublisherOptions::new().ttl(Duration::MAX);
    assert!(fanfare.data_publisher_with("key:x", options).is_err());
    Ok(())
}

/// A reader could see an announcement before the value, and could not tell new from old.
async fn value_version_and_announcement_are_one(server: Target) -> TestResult {
    const N: u64 = 300;
    let (fanfare, reading) = (server.connect().await?, server.connect().await?);
    let is_done = Arc::new(AtomicBool::new(false));
    // Reads all the time: a value with another's version would be seen as one that does not grow.
    let reader = tokio::spawn({
        let is_done = is_done.clone();
        async move {
            let mut last = (None, None);
            let mut n_reads = 0_u64;
            while !is_done.load(Ordering::Relaxed) {
                if let Some(it) = reading.data_value("counter").await? {
                    let now = (it.version, Some(it.json::<u64>()?));
                    assert_eq!(last.0 < now.0, last.1 < now.1, "{last:?}, then {now:?}");
                    assert!(last.0 <= now.0);
                    last = now;
                }
                n_reads += 1;
            }
            Ok::<_, fanfare::Error>((last.1, n_reads))
        }
    });
    let mut notes = fanfare.subscribe(["counters"]).await?;
    let publisher = fanfare.data_publisher("key:counters")?;
    let mut versions = Vec::new();
    for n in 0..N {
        versions.push(publisher.publish_at("counter", &n).await?.version.ok_or("no version")?);
    }
    assert!(versions.is_sorted_by(|a, b| a < b));
    for version in &versions {
        #[derive(serde::Deserialize)]
        struct Note {
            key: String,
            version: u64,
        }
        let note: Note = next_message(&mut notes).await?.json()?;
        assert_eq!((note.key.as_str(), note.version), ("counter", *version));
        // Whoever was told of it finds it, or a newer one.
        let found = fanfare.data_value("counter").await?.ok_or("it is not there")?;
        assert!(Some(*version) <= found.version);
    }
    is_done.store(true, Ordering::Relaxed);
    let (_, n_reads) = reader.await??;
    assert!(0 < n_reads);
    assert_eq!(fanfare.data_value("counter").await?.ok_or("gone")?.json::<u64>()?, N - 1);
    Ok(())
}

async fn versions_grow_over_deletion_and_expiry(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let publisher = fanfare.data_publisher("key:k")?;
    let first = publisher.publish_at("a", &1).await?.version;
    fanfare.client().del(["a"]).await?;
    fanfare.client().del(["{a}:version"]).await?;
    let second = publisher.publish_at("a", &1).await?.version;
    assert!(first < second, "{first:?} {second:?}");
    // A server whose clock is behind counts on.
    let future = second.ok_or("no version")? + 3_600_000_000;
    fanfare.client().set("{a}:version", future).await?;
    assert_eq!(publisher.publish_at("a", &2).await?.version, Some(future + 1));
    // What others write has no version of its own.
    fanfare.client().set("theirs", "1").await?;
    assert_eq!(fanfare.data_value("theirs").await?.ok_or("gone")?.version, None);
    Ok(())
}

async fn changes_are_followed(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let changes = fanfare.data_subscriber("redis://sensors")?;
    changes.start().await?;
    let publisher = fanfare.data_publisher("redis://sensors")?;
    for n in 0..20 {
        let published = publisher.publish(&record("sensor:1", n)).await?;
        let received = next(&*changes).await?;
        assert_eq!((received.source, received.version), ("sensor:1".into(), published.version));
        assert_eq!(received.record.text("value").as_deref(), Some(n.to_string().as_str()));
        assert_eq!(received.record.text("__dagserver_key"), None);
    }
    // Nonsense on the channel is nobody's end, nor is a key that holds something else or nothing.
    fanfare.publish("sensors", "nonsense").await?;
    fanfare.publish("sensors", r#"{"key":"nowhere","version":1}"#).await?;
    fanfare.client().set("broken", "{").await?;
    fanfare.publish("sensors", r#"{"key":"broken","version":1}"#).await?;
    let last = publisher.publish_at("sensor:2", &1).await?;
    let received = next(&*changes).await?;
    assert_eq!((received.source, received.version), ("sensor:2".into(), last.version));
    // In a cluster what was published through other nodes may come behind it.
    until("all have come", || changes.stats().received == 24).await?;
    let stats = changes.stop().await;
    assert_eq!((stats.received, stats.delivered, stats.undecodable), (24, 21, 2));
    assert_eq!((stats.outdated, stats.gaps), (1, 0));
    // Many changes at once: the last one comes, each version at most once, and all are accounted for.
    changes.start().await?;
    let mut last = None;
    for n in 0..500 {
        last = publisher.publish(&record("sensor:3", n)).await?.version;
    }
    let mut seen = None;
    while seen != last {
        let received = next(&*changes).await?;
        assert!(seen < received.version, "{seen:?}, then {:?}", received.version);
        seen = received.version;
    }
    Ok(())
}

async fn announcements_on_a_stream_wait_for_who_is_away(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let announce = Announce::Stream { key: "{s}:changes".into(), maxlen: 1_000 };
    let options = PublisherOptions::new().announce(announce.clone());
    let publisher = fanfare.data_publisher_with("key:sensors", options)?;
    let options = SubscriberOptions::new().announced(announce);
    let changes = fanfare.data_subscriber_with("key:sensors", options)?;
    let first = publisher.publish_at("{s}:1", &1).await?;
    assert!(first.id.is_some() && first.receivers.is_none());
    changes.start().await?;
    let received = next(&*changes).await?;
    assert_eq!((received.version, received.id), (first.version, first.id));
    changes.stop().await;
    publisher.publish_at("{s}:2", &2).await?;
    let third = publisher.publish_at("{s}:3", &3).await?;
    changes.start().await?;
    assert_eq!(next(&*changes).await?.source, "{s}:2");
    let received = next(&*changes).await?;
    assert_eq!((received.source, received.version), ("{s}:3".into(), third.version));
    let nowhere = SubscriberOptions::new().announced(Announce::Nowhere);
    assert!(fanfare.data_subscriber_with("key:sensors", nowhere).is_err());
    Ok(())
}

async fn what_can_not_be_announced_is_not_written(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    fanfare.client().set("{s}:changes", "no stream").await?;
    let announce = Announce::Stream { key: "{s}:changes".into(), maxlen: 1_000 };
    let options = PublisherOptions::new().announce(announce);
    let publisher = fanfare.data_publisher_with("key:sensors", options)?;
    let error = publisher.publish_at("{s}:1", &1).await.err().ok_or("it is no stream")?;
    assert!(error.to_string().contains("WRONGTYPE"), "{error}");
    // Nothing was made for it either, and nothing is changed.
    assert_eq!(fanfare.client().exists(["{s}:1", "{s}:1:version"]).await?, 0);
    fanfare.client().set("{s}:1", "old").await?;
    assert!(publisher.publish_at("{s}:1", &1).await.is_err());
    assert_eq!(fanfare.client().get::<String>("{s}:1").await?.as_deref(), Some("old"));
    assert_eq!(publisher.stats().failed, 2);
    // In a cluster they must be together.
    let is_cluster = matches!(server, Target::Cluster(_));
    fanfare.client().del(["{s}:changes"]).await?;
    match publisher.publish_at("elsewhere", &1).await {
        Ok(published) => assert!(!is_cluster && published.id.is_some()),
        Err(error) => assert!(is_cluster && error.kind() == ErrorKind::InvalidRecord, "{error}"),
    }
    assert_eq!(fanfare.data_value("elsewhere").await?.is_none(), is_cluster);
    Ok(())
}

async fn a_batch_of_records_has_an_outcome_for_each(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let publisher = fanfare.data_publisher("key:batch")?;
    let records = (0..300).map(|n| match n % 10 {
        3 => Record::new(&n),
        _ => Record::new(&record(&format!("k:{}", n % 7), n)),
    });
    let records: Vec<_> = records.collect::<Result<_, _>>()?;
    let outcomes = publisher.publish_records(records).await;
    let mut versions: HashMap<String, u64> = HashMap::new();
    for (n, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(published) => {
                let key = published.key.ok_or("no key")?;
                assert_eq!(key, format!("k:{}", n % 7));
                let before = versions.insert(key, published.version.ok_or("no version")?);
                assert!(before < published.version);
            }
            Err(error) => assert_eq!((n % 10, error.kind()), (3, ErrorKind::InvalidRecord)),
        }
    }
    assert_eq!(versions.len(), 7);
    for (key, version) in versions {
        assert_eq!(fanfare.data_value(key).await?.ok_or("gone")?.version, Some(version));
    }
    assert_eq!((publisher.stats().published, publisher.stats().failed), (270, 30));
    Ok(())
}

async fn namespaces_keep_keys_apart(server: Target) -> TestResult {
    let (staging, plain) = (within(&server, "staging:").await?, server.connect().await?);
    let changes = staging.data_subscriber("key:config")?;
    changes.start().await?;
    let mut notes = plain.subscribe(["staging:config"]).await?;
    let published = staging.data_publisher("key:config")?.publish_at("app", &"s").await?;
    assert_eq!(next(&*changes).await?.source, "app");
    assert!(next_message(&mut notes).await?.text()?.contains(r#""key":"app""#));
    assert_eq!(plain.data_value("app").await?, None);
    assert_eq!(staging.data_value("app").await?.ok_or("gone")?.version, published.version);
    assert_eq!(plain.client().get::<String>("staging:app").await?.as_deref(), Some(r#""s""#));
    let version: Option<u64> = plain.client().get("staging:{staging:app}:version").await?;
    assert_eq!(version, published.version);
    Ok(())
}

/// T4, for keys: they do have databases, and what announces them has not.
async fn databases_keep_keys_apart(server: Target) -> TestResult {
    let staging = Fanfare::connect(&url_of_database(&server, 1)).await?;
    let error = staging.data_publisher("redis://config").err().ok_or("it would be heard")?;
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("announce"), "{error}");
    let options = PublisherOptions::new().announce(Announce::Nowhere);
    let publisher = staging.data_publisher_with("redis://config", options)?;
    publisher.publish(&record("config:staging", 1)).await?;
    let production: Box<dyn DataPublisher> =
        open_publisher(&format!("{}#key:config", url_of_database(&server, 0))).await?;
    production.publish(&record("config:production", 1)).await?;
    let plain = server.connect().await?;
    assert_eq!(plain.data_value("config:staging").await?, None);
    assert!(plain.data_value("config:production").await?.is_some());
    assert!(staging.data_value("config:staging").await?.is_some());
    // A subscriber whose value can not be read says so and goes on.
    let changes = plain.data_subscriber("key:config")?;
    changes.start().await?;
    server.say(&["CONFIG", "SET", "maxmemory", "0"]);
    plain.client().rpush("list", ["x"]).await?;
    plain.publish("config", r#"{"key":"list","version":1}"#).await?;
    production.publish_at("config:production", &2).await?;
    assert_eq!(next(&*changes).await?.source, "config:production");
    assert_eq!(changes.stats().outdated, 1);
    assert!(!matches!(changes.try_recv()?, Some(fanfare::data::Arrival::Missing(Missing::Reset))));
    Ok(())
}
