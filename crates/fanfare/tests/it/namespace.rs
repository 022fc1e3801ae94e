//! Two programs on one server that do not see each other.

use std::time::Duration;

use fanfare::{Fanfare, stream::Position};

use crate::support::{Target, TestResult, next, on_everything, until};

on_everything!(
    a_namespace_separates_everything,
    a_publisher_publishes_within_the_namespace,
    dead_letters_stay_within_the_namespace,
);

async fn within(server: &Target, namespace: &str) -> Result<Fanfare, fanfare::Error> {
    Fanfare::builder(&server.url()).options(|it| it.namespace(namespace)).connect().await
}

async fn a_namespace_separates_everything(server: Target) -> TestResult {
    let staging = within(&server, "staging:").await?;
    let production = within(&server, "production:").await?;
    let plain = server.connect().await?;
    let subscribe = async |fanfare: &Fanfare| {
        let subscriber = fanfare.subscriber().channels(["news"]).patterns(["new?"]);
        subscriber.sharded(["shard"]).connect().await
    };
    let mut here = subscribe(&staging).await?;
    let mut there = subscribe(&production).await?;
    let mut all = plain.psubscribe(["*:news"]).await?;
    for (fanfare, payload) in [(&staging, "from staging"), (&production, "from production")] {
        fanfare.publish("news", payload).await?;
        let _: Vec<_> = fanfare.publish_batch([("news", payload)]).await;
        fanfare.spublish("shard", payload).await?;
        fanfare.stream("log").add([("n", payload)]).await?;
    }
    for (subscription, payload) in [(&mut here, "from staging"), (&mut there, "from production")] {
        let mut seen = Vec::new();
        for _ in 0..5 {
            let message = next(subscription).await?;
            assert_eq!(message.payload, payload);
            let pattern = message.pattern.as_deref().map(String::from_utf8_lossy);
            seen.push((message.channel_name().into_owned(), pattern.map(Into::into)));
        }
        seen.sort();
        let mut expected: Vec<(String, Option<String>)> = vec![
            ("news".into(), None),
            ("news".into(), None),
            ("news".into(), Some("new?".into())),
            ("news".into(), Some("new?".into())),
            ("shard".into(), None),
        ];
        expected.sort();
        assert_eq!(seen, expected);
        assert_eq!(subscription.stats().queued_messages, 0);
    }
    let mut raw = Vec::new();
    for _ in 0..4 {
        raw.push(next(&mut all).await?.channel_name().into_owned());
    }
    raw.sort();
    assert_eq!(raw, ["production:news", "production:news", "staging:news", "staging:news"]);
    let stream = staging.stream("log");
    assert_eq!((stream.key(), stream.len().await?), (&b"log"[..], 1));
    let mut tail = stream.tail(Position::Start).await?;
    assert_eq!(tail.next().await.ok_or("the tail ended")?.text("n")?, "from staging");
    // Raw commands are sent as they are.
    assert_eq!(staging.command(["XLEN", "production:log"]).await?.as_int(), Some(1));
    Ok(())
}

async fn a_publisher_publishes_within_the_namespace(server: Target) -> TestResult {
    let (staging, plain) = (within(&server, "staging:").await?, server.connect().await?);
    let publisher = staging.publisher::<fanfare::Text>("letters");
    let mut letters = plain.subscribe(["staging:letters"]).await?;
    publisher.publish("one").await?;
    let _: Vec<_> = publisher.publish_batch(["two"]).await;
    let lingering = publisher.linger(fanfare::Linger::new(Duration::from_millis(1)));
    lingering.publish("three").await?;
    for payload in ["one", "two", "three"] {
        assert_eq!(next(&mut letters).await?.text()?, payload);
    }
    Ok(())
}

async fn dead_letters_stay_within_the_namespace(server: Target) -> TestResult {
    let (staging, plain) = (within(&server, "staging:").await?, server.connect().await?);
    let jobs = staging.stream("jobs").group("team");
    jobs.create(Position::Start).await?;
    let id = staging.stream("jobs").add([("n", "1")]).await?;
    let worker = jobs.worker().deliveries_max(1);
    let worker = worker.spawn(|_, _| std::future::ready(Err::<(), _>("it never works")))?;
    until("the entry is put aside", || worker.stats().counts.dead_lettered == 1).await?;
    worker.stop().await;
    let dead = plain.command(["XLEN", "staging:{staging:jobs}:team:dead"]).await?;
    assert_eq!(dead.as_int(), Some(1));
    let letter = jobs.dead_letters().list(None, 1).await?.pop().ok_or("no letter")?;
    assert_eq!((letter.id, letter.error.as_str()), (id, "it never works"));
    jobs.dead_letters().requeue(letter.dead_id).await?.ok_or("it is gone")?;
    assert_eq!(staging.stream("jobs").len().await?, 2);
    Ok(())
}
