//! Outages, killed connections, hung servers: the link notices, comes back, and says so.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use fanfare::{Error, ErrorKind, Event, Fanfare, Role, WhileDown};

use crate::support::{
    Target, TestResult, is_down, is_up, next, next_gap, on_every_topology, wait_event,
};

on_every_topology!(
    a_pure_subscriber_survives_an_outage_of_40_seconds,
    a_killed_subscription_connection_comes_back,
    a_killed_command_connection_comes_back,
    a_hung_server_is_noticed_within_15_seconds,
    commands_wait_for_the_connection_or_fail_fast,
    a_publish_that_was_sent_is_never_sent_again,
    many_subscriptions_are_restored_before_up,
);

/// The server is away for `outage`; a program that only subscribes must get messages again, see
/// the gap, and be told in the right order.
async fn survive_outage(mut server: Target, outage: Duration) -> TestResult {
    let fanfare = server.connect().await?;
    let mut subscription =
        fanfare.subscriber().channels(["a", "b"]).patterns(["p.*"]).connect().await?;
    let mut events = fanfare.events();
    fanfare.publish("a", "before").await?;
    assert_eq!(next(&mut subscription).await?.payload, "before");

    server.stop();
    wait_event(&mut events, is_down(Role::Subscriptions)).await?;
    tokio::time::sleep(outage).await;
    assert!(!subscription.stats().is_up);
    assert!(outage <= subscription.stats().last_read_age + Duration::from_secs(1));
    server.restart();

    let seen = wait_event(&mut events, is_up(Role::Subscriptions)).await?;
    let restored = seen.iter().find_map(|event| match event {
        Event::Resubscribed { gap, may_have_lost, .. } => Some((*gap, *may_have_lost)),
        _ => None,
    });
    let (gap, may_have_lost) = restored.ok_or("no Resubscribed before Up")?;
    assert!(may_have_lost && outage <= gap + Duration::from_secs(1));
    // Restored *before* Up: nobody has to wait and try.
    assert_eq!(server.n_subscribers("a"), 1);

    let publisher = server.connect().await?;
    for channel in ["a", "b", "p.1"] {
        server.check_receivers(publisher.publish(channel, "after").await?, 1);
    }
    let (before, gap) = next_gap(&mut subscription).await?;
    assert!(before.is_empty());
    let lost = gap.outage.ok_or("the gap says nothing of the outage")?;
    assert_eq!((gap.n_dropped, lost.n_disconnects), (0, 1));
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(next(&mut subscription).await?.channel);
    }
    // Channels of different nodes of a cluster have no order.
    if matches!(server, Target::Cluster(_)) {
        seen.sort_unstable();
    }
    assert_eq!(seen, ["a", "b", "p.1"]);
    let stats = subscription.stats();
    assert_eq!((stats.reconnects, stats.dropped, stats.is_up), (1, 0, true));
    Ok(())
}

async fn a_pure_subscriber_survives_an_outage_of_40_seconds(server: Target) -> TestResult {
    survive_outage(server, Duration::from_secs(40)).await
}

async fn a_killed_subscription_connection_comes_back(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut subscription = fanfare.subscribe(["c"]).await?;
    let mut events = fanfare.events();
    for round in 1..=3 {
        assert_ne!(server.kill_clients("pubsub"), 0);
        let seen = wait_event(&mut events, is_up(Role::Subscriptions)).await?;
        assert!(is_down(Role::Subscriptions)(seen.first().ok_or("no event")?), "{seen:?}");
        server.check_receivers(fanfare.publish("c", "again").await?, 1);
        let (_, gap) = next_gap(&mut subscription).await?;
        assert!(gap.outage.is_some());
        assert_eq!(next(&mut subscription).await?.payload, "again");
        assert_eq!(subscription.stats().reconnects, round);
    }
    assert_eq!(fanfare.stats().commands.disconnects, 0, "the command connection had no part in it");
    Ok(())
}

async fn a_killed_command_connection_comes_back(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut subscription = fanfare.subscribe(["c"]).await?;
    let mut events = fanfare.events();
    // In a cluster each node's connection is killed, and the end of some is read later than that of the
    // first: until then they look well.
    let is_cluster = matches!(server, Target::Cluster(_));
    let was_killed = |error: &Error| is_cluster && error.kind() == ErrorKind::Disconnected;
    for round in 0..3 {
        while let Err(error) = fanfare.ping().await {
            if !was_killed(&error) {
                return Err(error.into());
            }
        }
        server.kill_clients("normal");
        wait_event(&mut events, is_down(Role::Commands)).await?;
        let payload = round.to_string();
        let n_receivers = loop {
            match fanfare.publish("c", &payload).await {
                Err(error) if was_killed(&error) => {}
                published => break published?,
            }
        };
        server.check_receivers(n_receivers, 1);
        while next(&mut subscription).await?.payload != payload {}
    }
    assert_eq!(subscription.stats().reconnects, 0, "the subscription had no part in it");
    Ok(())
}

async fn a_hung_server_is_noticed_within_15_seconds(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut subscription = fanfare.subscribe(["c"]).await?;
    let mut events = fanfare.events();
    fanfare.publish("c", "before").await?;
    let stopped = Instant::now();
    server.freeze().await?;

    let error =
        fanfare.publish("c", "into the void").await.err().ok_or("a frozen server answered")?;
    assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Disconnected), "{error:?}");
    assert!(error.is_retryable() && error.may_have_been_delivered());

    wait_event(&mut events, is_down(Role::Subscriptions)).await?;
    assert!(stopped.elapsed() < Duration::from_secs(15), "noticed after {:?}", stopped.elapsed());
    server.sigcont();
    wait_event(&mut events, is_up(Role::Subscriptions)).await?;
    let publisher = server.connect().await?;
    publisher.publish("c", "alive").await?;
    while next(&mut subscription).await?.payload != "alive" {}
    Ok(())
}

async fn commands_wait_for_the_connection_or_fail_fast(mut server: Target) -> TestResult {
    let waiting = server.connect().await?;
    let hasty = Fanfare::builder(&server.url())
        .options(|options| options.while_down(WhileDown::FailFast))
        .connect()
        .await?;
    let impatient = Fanfare::builder(&server.url())
        .options(|options| options.request_timeout(Duration::from_millis(300)))
        .connect()
        .await?;
    let mut events = [waiting.events(), hasty.events(), impatient.events()];
    server.stop();
    for events in &mut events {
        wait_event(events, is_down(Role::Commands)).await?;
    }

    for error in [hasty.publish("c", "x").await.err(), hasty.subscribe(["c"]).await.err()] {
        let error = error.ok_or("it worked without a server")?;
        assert_eq!(error.kind(), ErrorKind::NotConnected, "{error:?}");
        assert!(error.is_retryable() && !error.may_have_been_delivered());
    }
    for error in [impatient.publish("c", "x").await.err(), impatient.subscribe(["c"]).await.err()] {
        let error = error.ok_or("it worked without a server")?;
        assert_eq!(error.kind(), ErrorKind::NotConnected, "{error:?}");
    }

    let publish = tokio::spawn({
        let waiting = waiting.clone();
        async move { waiting.publish("c", "patient").await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.restart();
    assert_eq!(publish.await??, 0);
    wait_event(&mut events[1], is_up(Role::Commands)).await?;
    assert_eq!(hasty.publish("c", "x").await?, 0);
    Ok(())
}

/// However often the connection is cut under load: every message is delivered at most once, and
/// every message that was reported as not delivered was not.
async fn a_publish_that_was_sent_is_never_sent_again(server: Target) -> TestResult {
    let subscriber = server.connect().await?;
    let mut subscription = subscriber.subscribe(["c"]).await?;
    let publisher = server.connect().await?;
    let mut outcomes = Vec::new();
    for round in 0..20 {
        let batch: Vec<_> = (0..2_000).map(|n| ("c", format!("{}", round * 2_000 + n))).collect();
        let (sent, _) = tokio::join!(publisher.publish_batch(batch), async {
            tokio::time::sleep(Duration::from_millis(2)).await;
            server.kill_clients("normal")
        });
        outcomes.extend(sent);
    }
    // The last cut may come only now.
    while publisher.publish("c", "end").await.is_err() {}
    let mut n_received = vec![0_u32; outcomes.len()];
    loop {
        let message = next(&mut subscription).await?;
        if message.payload == "end" {
            break;
        }
        let n: usize = message.text()?.parse()?;
        *n_received.get_mut(n).ok_or("a message that was never sent")? += 1;
    }
    let mut n_uncertain = 0;
    for (n, (outcome, n_received)) in outcomes.iter().zip(&n_received).enumerate() {
        match outcome {
            Ok(receivers) => {
                server.check_receivers(*receivers, 1);
                assert_eq!(*n_received, 1, "message {n}");
            }
            Err(error) if error.may_have_been_delivered() => {
                n_uncertain += 1;
                assert!(*n_received <= 1, "message {n} came {n_received} times: {error:?}");
            }
            Err(error) => assert_eq!(*n_received, 0, "message {n}: {error:?}"),
        }
    }
    println!("{n_uncertain} of {} outcomes unknown", outcomes.len());
    Ok(())
}

async fn many_subscriptions_are_restored_before_up(server: Target) -> TestResult {
    const N: usize = 5_000;
    let fanfare = server.connect().await?;
    let names: Vec<_> = (0..N).map(|n| format!("channel:{n}")).collect();
    let mut all = fanfare.subscriber().channels(&names).connect().await?;
    let mut half = fanfare.subscriber().channels(names.iter().take(N / 2)).connect().await?;
    let mut events = fanfare.events();
    server.kill_clients("pubsub");
    wait_event(&mut events, is_up(Role::Subscriptions)).await?;
    for name in &names {
        server.check_receivers(fanfare.publish(name, "x").await?, 1);
    }
    // Each once; the order of different channels is not a cluster's.
    for (subscription, n) in [(&mut all, N), (&mut half, N / 2)] {
        let mut missing: HashSet<_> = names.iter().take(n).cloned().collect();
        while !missing.is_empty() {
            let channel = next(subscription).await?.channel_name().into_owned();
            assert!(missing.remove(&channel), "{channel} came twice");
        }
    }
    Ok(())
}
