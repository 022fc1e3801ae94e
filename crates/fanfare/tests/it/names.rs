//! Names of channels and patterns that are built from what users call themselves.

use fanfare::{Channel, Pattern};

use crate::support::{Target, TestResult, next, on_everything};

on_everything!(an_id_full_of_wildcards_widens_nothing, segments_are_exact_where_globs_are_not);

/// Hostile ids, the sketch's `*` (T14) first.
const IDS: [&str; 6] = ["*", "?????", "[a-z]*", r"\*", "a:b", "victi[^x]"];

fn events_of(user: &str) -> Result<Channel, fanfare::Error> {
    Channel::new("events:user").segment(user)?.segment("login")
}

async fn an_id_full_of_wildcards_widens_nothing(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    for id in IDS {
        let pattern = Pattern::new("events:user").segment(id)?.any();
        let mut messages = fanfare.psubscribe([pattern.glob()]).await?;
        for other in IDS.iter().chain(&["victim", "a"]).filter(|other| **other != id) {
            fanfare.publish(events_of(other)?, "somebody else's").await?;
        }
        fanfare.publish("events:user:a:b", "somebody else's").await?;
        fanfare.publish(events_of(id)?, "own").await?;
        let message = next(&mut messages).await?;
        assert_eq!((message.text()?, &message.channel), ("own", &events_of(id)?.0), "{id}");
    }
    Ok(())
}

async fn segments_are_exact_where_globs_are_not(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let (sender, mut seen) = tokio::sync::mpsc::channel(10);
    let handler = move |channel: Channel| {
        let sender = sender.clone();
        async move { sender.send(channel.name().into_owned()).await }
    };
    let high = Pattern::new("alerts").any().segment("high")?;
    let router = fanfare.router().matching(&high, handler.clone()).start().await?;
    let deep = Pattern::new("deep").rest();
    let id = router.matching(&deep, handler).await?;
    for channel in ["alerts:a:b:c:high", "alerts:high", "alerts:a:high", "deep", "deep:a:b"] {
        fanfare.publish(channel, "").await?;
    }
    assert_eq!(seen.recv().await.as_deref(), Some("alerts:a:high"));
    assert_eq!(seen.recv().await.as_deref(), Some("deep:a:b"));
    let received = router.remove(id).await.map(|stats| stats.received);
    assert_eq!(received, Some(1));
    // What matches the glob alone came, and was nobody's.
    let stats = router.stop().await;
    assert_eq!(stats.routes.iter().map(|it| it.received).sum::<u64>(), 1);
    Ok(())
}
