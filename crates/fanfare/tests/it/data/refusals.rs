//! What a server refuses is not announced, and what somebody forges misleads nobody.

use fanfare::{
    commands::*,
    data::{Announce, PublisherOptions, Record},
};

use super::next;
use crate::support::{
    Target, TestResult, next as next_message, on_every_broker, on_everything, until,
};

on_every_broker!(
    a_full_server_takes_no_value_and_announces_none,
    a_batch_runs_the_script_by_its_hash,
);
on_everything!(
    a_version_that_is_none_is_overwritten,
    forged_announcements_mislead_nobody,
    a_server_that_has_forgotten_the_script_is_told_it,
);

/// The announcement was on its way when the value was refused.
async fn a_full_server_takes_no_value_and_announces_none(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut notes = fanfare.subscribe(["config"]).await?;
    let on_stream = Announce::Stream { key: "changes".into(), maxlen: 10 };
    let on_stream = PublisherOptions::new().announce(on_stream);
    let publishers = [
        fanfare.data_publisher("key:config")?,
        fanfare.data_publisher_with("key:config", on_stream)?,
    ];
    let [first, _] = &publishers;
    let before = first.publish_at("old", &1).await?;
    server.say(&["CONFIG", "SET", "maxmemory", "1"]);
    for publisher in &publishers {
        for key in ["old", "new"] {
            let error = publisher.publish_at(key, &2).await.err().ok_or("it is full")?;
            assert!(error.to_string().contains("OOM"), "{error}");
            assert!(!error.may_have_been_delivered());
        }
        let record = Record::from_json(br#"{"__dagserver_key": "new"}"#)?;
        let outcomes = publisher.publish_records(vec![record; 3]).await;
        assert!(outcomes.len() == 3 && outcomes.iter().all(Result::is_err));
    }
    server.say(&["CONFIG", "SET", "maxmemory", "0"]);
    let stored = fanfare.data_value("old").await?.ok_or("gone")?;
    assert_eq!((stored.version, stored.json::<u8>()?), (before.version, 1));
    assert_eq!(fanfare.client().exists(["new", "{new}:version", "changes"]).await?, 0);
    // What comes next after the first is the next that was written.
    let after = first.publish_at("new", &3).await?;
    for published in [before, after] {
        let note = next_message(&mut notes).await?;
        assert!(note.text()?.contains(&published.version.ok_or("none")?.to_string()), "{note:?}");
    }
    Ok(())
}

/// Such a key could not be published ever again, or what was published had no version.
async fn a_version_that_is_none_is_overwritten(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let client = fanfare.client();
    let publisher = fanfare.data_publisher("key:k")?;
    let now = publisher.publish_at("a", &0).await?.version.ok_or("none")?;
    for poison in ["99999999999999999999", "inf", "-1", "x", "", "9007199254740993", "1e300"] {
        client.set("{a}:version", poison).await?;
        let read = fanfare.data_value("a").await?.ok_or("gone")?;
        assert_eq!(read.version, None, "{poison}");
        let version = publisher.publish_at("a", &1).await?.version;
        assert!(Some(now) < version && version < Some(1 << 53), "{poison}: {version:?}");
        assert_eq!(fanfare.data_value("a").await?.ok_or("gone")?.version, version);
    }
    // Whatever is in the way.
    client.del(["a", "{a}:version"]).await?;
    client.rpush("{a}:version", ["x"]).await?;
    client.rpush("a", ["x"]).await?;
    let version = publisher.publish_at("a", &2).await?.version;
    assert_eq!(fanfare.data_value("a").await?.ok_or("gone")?.version, version);
    Ok(())
}

/// One with a large version made a subscriber deaf for its key, and one more for the same version brought
/// the value again.
async fn forged_announcements_mislead_nobody(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let publisher = fanfare.data_publisher("key:k")?;
    let changes = fanfare.data_subscriber("key:k")?;
    changes.start().await?;
    publisher.publish_at("a", &1).await?;
    assert_eq!(next(&*changes).await?.json::<u8>()?, 1);
    for version in [0, 1 << 53, u64::MAX] {
        fanfare.publish("k", format!(r#"{{"key":"a","version":{version}}}"#)).await?;
    }
    until("they are known for what they are", || changes.stats().outdated == 3).await?;
    publisher.publish_at("a", &2).await?;
    assert_eq!(next(&*changes).await?.json::<u8>()?, 2);
    // A value without a version, which somebody announces with one.
    fanfare.client().set("theirs", "3").await?;
    fanfare.publish("k", r#"{"key":"theirs","version":9007199254740991}"#).await?;
    let received = next(&*changes).await?;
    assert_eq!((received.json::<u8>()?, received.version), (3, None));
    let published = publisher.publish_at("theirs", &4).await?;
    assert_eq!(next(&*changes).await?.version, published.version);
    // Nor does one whose version went back: it is another value.
    fanfare.client().set("{a}:version", "7").await?;
    fanfare.client().set("a", "5").await?;
    fanfare.publish("k", r#"{"key":"a","version":7}"#).await?;
    let received = next(&*changes).await?;
    assert_eq!((received.json::<u8>()?, received.version), (5, Some(7)));
    assert_eq!(changes.stop().await.gaps, 0);
    Ok(())
}

async fn a_server_that_has_forgotten_the_script_is_told_it(server: Target) -> TestResult {
    const N: u64 = 200;
    let fanfare = server.connect().await?;
    let publisher = fanfare.data_publisher("key:k")?;
    let record = |n: u64| {
        let json = format!(r#"{{"__dagserver_key":"k:{}","n":{n}}}"#, n % 3);
        Record::from_json(json.as_bytes())
    };
    for _ in 0..2 {
        server.flush_scripts();
        let records: Result<Vec<_>, _> = (0..N).map(record).collect();
        for outcome in publisher.publish_records(records?).await {
            outcome?;
        }
        // The last is the last.
        for n in N - 3..N {
            let key = format!("k:{}", n % 3);
            let stored = fanfare.data_value(&key).await?.ok_or("gone")?;
            assert_eq!(stored.payload, format!(r#"{{"n":{n}}}"#));
        }
    }
    Ok(())
}

async fn a_batch_runs_the_script_by_its_hash(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let publisher = fanfare.data_publisher("key:k")?;
    let records = |n: u64| -> Result<Vec<Record>, fanfare::Error> {
        let json = |n| format!(r#"{{"__dagserver_key":"k:{n}"}}"#);
        (0..n).map(|n| Record::from_json(json(n).as_bytes())).collect()
    };
    // The first may have to tell it.
    publisher.publish_records(records(1)?).await;
    server.say(&["CONFIG", "RESETSTAT"]);
    let outcomes = publisher.publish_records(records(100)?).await;
    assert!(outcomes.iter().all(Result::is_ok));
    let stats = server.say(&["INFO", "commandstats"]);
    assert!(stats.contains("cmdstat_evalsha:calls=100,"), "{stats}");
    assert!(!stats.contains("cmdstat_eval:"), "{stats}");
    Ok(())
}
