//! What publish and subscribe do when all is well.

use std::collections::BTreeSet;

use fanfare::{ErrorKind, Event, Kind};

use crate::support::{Target, TestResult, next, on_every_broker, rng, run, until};

on_every_broker!(
    channels_patterns_and_sharded_channels,
    subscribe_returns_after_the_confirmation,
    subscriptions_share_one_on_the_server,
    names_can_be_added_and_removed,
    a_batch_tells_the_outcome_of_each_message,
    random_subscriptions_come_and_go,
    a_closed_handle_says_so,
    dropping_everything_closes_the_connections,
);

async fn channels_patterns_and_sharded_channels(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let builder = fanfare.subscriber().channels(["a.1"]).patterns(["a.*", "?.1"]).sharded(["s"]);
    let mut subscription = builder.connect().await?;
    assert_eq!(fanfare.publish("a.1", "x").await?, 3);
    assert_eq!(fanfare.spublish("s", "y").await?, 1);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let message = next(&mut subscription).await?;
        seen.push((message.kind, message.pattern.clone(), message.channel_name().into_owned()));
    }
    seen.sort_by_key(|(_, pattern, channel)| (channel.clone(), pattern.clone()));
    let expected = [
        (Kind::Channel, None, "a.1"),
        (Kind::Pattern, Some("?.1"), "a.1"),
        (Kind::Pattern, Some("a.*"), "a.1"),
        (Kind::Shard, None, "s"),
    ];
    for ((kind, pattern, channel), expected) in seen.iter().zip(expected) {
        let pattern = pattern.as_ref().map(|it| String::from_utf8_lossy(it));
        assert_eq!((*kind, pattern.as_deref(), channel.as_str()), expected);
    }
    Ok(())
}

async fn subscribe_returns_after_the_confirmation(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    for n in 0..200 {
        let channel = format!("c{n}");
        assert_eq!(fanfare.publish(&channel, "too early").await?, 0);
        let mut subscription = fanfare.subscribe([&channel]).await?;
        assert_eq!(fanfare.publish(&channel, "in time").await?, 1);
        assert_eq!(next(&mut subscription).await?.payload, "in time");
    }
    Ok(())
}

async fn subscriptions_share_one_on_the_server(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut first = fanfare.subscribe(["c"]).await?;
    let mut second = fanfare.subscribe(["c", "c"]).await?;
    let numsub = || server.say(&["PUBSUB", "NUMSUB", "c"]);
    assert!(numsub().ends_with(":1\r\n"));
    assert_eq!(fanfare.publish("c", vec![b'x'; 100_000]).await?, 1);
    let (one, two) = (next(&mut first).await?, next(&mut second).await?);
    assert_eq!(one.payload.as_ptr(), two.payload.as_ptr(), "the bytes are shared");
    drop(first);
    assert_eq!(fanfare.publish("c", "y").await?, 1);
    assert_eq!(next(&mut second).await?.payload, "y");
    drop(second);
    until("nobody is subscribed", || numsub().ends_with(":0\r\n")).await?;
    let mut third = fanfare.subscribe(["c"]).await?;
    fanfare.publish("c", "z").await?;
    assert_eq!(next(&mut third).await?.payload, "z");
    Ok(())
}

async fn names_can_be_added_and_removed(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut subscription = fanfare.subscribe(["a"]).await?;
    subscription.add([(Kind::Channel, "b".into()), (Kind::Channel, "a".into())]).await?;
    assert_eq!(fanfare.publish("b", "1").await?, 1);
    assert_eq!(next(&mut subscription).await?.channel, "b");
    subscription.remove([(Kind::Channel, "a".into())]).await;
    until("a is unsubscribed", || server.say(&["PUBSUB", "NUMSUB", "a"]).ends_with(":0\r\n"))
        .await?;
    assert_eq!(fanfare.publish("a", "2").await?, 0);
    assert_eq!(fanfare.publish("b", "3").await?, 1);
    assert_eq!(next(&mut subscription).await?.payload, "3");
    let nothing = fanfare.subscriber().connect().await;
    assert_eq!(nothing.err().map(|error| error.kind()), Some(ErrorKind::InvalidRequest));
    Ok(())
}

async fn a_batch_tells_the_outcome_of_each_message(server: Target) -> TestResult {
    let fanfare = fanfare::Fanfare::builder(&server.url())
        .options(|options| options.in_flight_max(1_000, 4 << 20))
        .connect()
        .await?;
    let none: [(&str, &str); 0] = [];
    assert!(fanfare.publish_batch(none).await.is_empty());

    let mut subscription = fanfare.subscribe(["yes"]).await?;
    let too_large = vec![b'x'; 5 << 20];
    let payload = |n: usize| if n == 2_500 { too_large.clone() } else { n.to_string().into() };
    let messages = (0..5_000).map(|n| (if n % 2 == 0 { "yes" } else { "no" }, payload(n)));
    let outcomes = fanfare.publish_batch(messages).await;
    assert_eq!(outcomes.len(), 5_000);
    for (n, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Ok(receivers) => assert_eq!(*receivers, u64::from(n % 2 == 0)),
            Err(error) => assert_eq!((n, error.kind()), (2_500, ErrorKind::TooLarge)),
        }
    }
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1);
    for n in (0..5_000).step_by(2).filter(|n| *n != 2_500) {
        assert_eq!(next(&mut subscription).await?.text()?.parse::<usize>()?, n);
    }
    Ok(())
}

/// Several tasks subscribe, publish and unsubscribe at random on a few channels; whoever is
/// subscribed gets what is published after its confirmation.
async fn random_subscriptions_come_and_go(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut rng = rng();
    let mut tasks = Vec::new();
    for task in 0..8 {
        let fanfare = fanfare.clone();
        let mut rng = fanfare_testkit::Rng::new(rng.next_u64());
        tasks.push(tokio::spawn(async move {
            for round in 0..100 {
                let channel = format!("c{}", rng.below(4));
                let mut subscription = if rng.below(3) == 0 {
                    fanfare.psubscribe([&channel]).await?
                } else {
                    fanfare.subscribe([&channel]).await?
                };
                let payload = format!("{task}:{round}");
                assert!(1 <= fanfare.publish(&channel, &payload).await?);
                while let Some(message) = subscription.next().await {
                    if message.payload == payload {
                        break;
                    }
                }
                assert_eq!(subscription.stats().gaps, 0);
            }
            Ok::<_, fanfare::Error>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    until("everybody has left", || server.say(&["PUBSUB", "CHANNELS"]) == "*0\r\n").await
}

async fn a_closed_handle_says_so(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut subscription = fanfare.subscribe(["c"]).await?;
    fanfare.close().await;
    assert!(subscription.next().await.is_none());
    let error = subscription.error().ok_or("no reason for the end")?;
    assert_eq!(error.kind(), ErrorKind::Closed);
    let errors = [fanfare.publish("c", "x").await.err(), fanfare.subscribe(["c"]).await.err()];
    assert!(errors.iter().flatten().all(|error| error.kind() == ErrorKind::Closed));
    assert_eq!(errors.iter().flatten().count(), 2);
    until("the server sees nobody", || {
        server.say(&["CLIENT", "LIST"]).matches(" addr=").count() == 1
    })
    .await
}

async fn dropping_everything_closes_the_connections(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let shared = fanfare.subscribe(["c"]).await?;
    let builder = fanfare.subscriber().channels(["c"]);
    let own = builder.queue(fanfare::Overflow::Block, 10, 1000).connect().await?;
    let n_clients = || server.say(&["CLIENT", "LIST"]).matches(" addr=").count() - 1;
    assert_eq!(n_clients(), 3);
    drop(own);
    until("its own connection is closed", || n_clients() == 2).await?;
    drop(fanfare);
    server.say(&["PUBLISH", "c", "x"]);
    let mut shared = shared;
    assert_eq!(next(&mut shared).await?.payload, "x", "a subscription holds the link");
    drop(shared);
    until("all connections are closed", || n_clients() == 0).await
}

#[test]
fn a_forbidden_channel_is_an_error_and_after_an_outage_an_event() {
    let server = fanfare_testkit::RedisServer::start(&[]);
    run(async {
        let server = Target::Redis(server);
        server.say(&["ACL", "SETUSER", "bob", "on", ">pw", "+@all", "&ns:open*"]);
        let url = server.url().replace("redis://", "redis://bob:pw@");
        let builder = fanfare::Fanfare::builder(&url).options(|it| it.namespace("ns:"));
        let fanfare = builder.connect().await?;
        let refused = fanfare.subscribe(["open", "secret"]).await.err().ok_or("it was allowed")?;
        assert_eq!(refused.server_code(), Some("NOPERM"), "{refused:?}");
        assert!(!refused.is_retryable());

        let names: Vec<_> = (0..100).map(|n| format!("open{n}")).collect();
        let mut subscription = fanfare.subscribe(&names).await?;
        let mut events = fanfare.events();
        let forbid = ["ACL", "SETUSER", "bob", "resetchannels", "&ns:open1*"];
        server.say(&forbid);
        server.say(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        let seen = crate::support::wait_event(
            &mut events,
            crate::support::is_up(fanfare::Role::Subscriptions),
        )
        .await?;
        let refused = |it: &Event| match it {
            Event::Refused { channel, .. } => Some(String::from_utf8_lossy(channel).into_owned()),
            _ => None,
        };
        let refused: BTreeSet<String> = seen.iter().filter_map(refused).collect();
        let expected: BTreeSet<String> =
            names.iter().filter(|name| !name.starts_with("open1")).cloned().collect();
        assert_eq!(refused, expected);
        server.say(&["PUBLISH", "ns:open15", "x"]);
        assert_eq!(next(&mut subscription).await?.channel, "open15");

        // What is allowed again comes back without anybody's doing.
        server.say(&["ACL", "SETUSER", "bob", "&ns:open*"]);
        until("it is asked for again", || {
            server.say(&["PUBSUB", "NUMSUB", "ns:open2"]).ends_with(":1\r\n")
        })
        .await
    });
}
