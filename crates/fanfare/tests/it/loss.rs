//! Fast publishers and slow subscribers: nothing is lost while it need not be, and what is lost is
//! bounded, counted and visible.

use std::time::Duration;

use fanfare::{Delivery, ErrorKind, Event, Fanfare, Options, Overflow, Role};

use crate::support::{
    Target, TestResult, is_down, is_up, next, next_gap, on_everything, until, wait_event,
};

on_everything!(
    half_a_million_messages_arrive_without_loss,
    a_subscriber_that_never_polls_is_bounded_and_every_drop_is_counted,
    a_queue_is_bounded_in_bytes_too,
    drop_newest_keeps_the_first,
    disconnect_ends_one_subscription_only,
    block_holds_the_server_back_and_loses_nothing,
    an_output_buffer_kill_is_a_gap,
);

const BLAST: u64 = 500_000;

async fn half_a_million_messages_arrive_without_loss(server: Target) -> TestResult {
    // What the server cuts off is another test's matter; here nobody may lose anything.
    server.say(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0"]);
    let subscriber = server.connect().await?;
    let publisher = patient(&server).await?;
    for (channel, overflow) in [("default", None), ("block", Some(Overflow::Block))] {
        let builder = subscriber.subscriber().channels([channel]);
        let mut subscription = match overflow {
            None => builder.connect().await?,
            Some(overflow) => builder.queue(overflow, 10_000, 8 << 20).connect().await?,
        };
        let publisher = publisher.clone();
        let publishing = tokio::spawn(async move {
            let messages = (0..BLAST).map(|n| (channel, format!("{n:0100}")));
            publisher.publish_batch(messages).await
        });
        for expected in 0..BLAST {
            let message = next(&mut subscription).await?;
            assert_eq!(message.text()?.parse::<u64>()?, expected);
        }
        for outcome in publishing.await? {
            server.check_receivers(outcome?, 1);
        }
        let stats = subscription.stats();
        assert_eq!((stats.received, stats.dropped, stats.gaps), (BLAST, 0, 0));
    }
    Ok(())
}

/// A connection that has time for a great deal, also on a busy machine.
async fn patient(server: &Target) -> Result<Fanfare, fanfare::Error> {
    let options = |it: Options| it.request_timeout(Duration::from_secs(120));
    Fanfare::builder(&server.url()).options(options).connect().await
}

/// Publishes `n` numbered messages of `len` bytes.
async fn publish(server: &Target, channel: &str, n: usize, len: usize) -> TestResult {
    let publisher = patient(server).await?;
    let messages = (0..n).map(|n| {
        let number = n.to_string();
        (channel, "0".repeat(len.saturating_sub(number.len())) + &number)
    });
    for outcome in publisher.publish_batch(messages).await {
        outcome?;
    }
    Ok(())
}

async fn a_subscriber_that_never_polls_is_bounded_and_every_drop_is_counted(
    server: Target,
) -> TestResult {
    const N: usize = 50_000;
    let fanfare = server.connect().await?;
    let mut events = fanfare.events();
    let builder = fanfare.subscriber().channels(["c"]);
    let mut lazy = builder.queue(Overflow::DropOldest, 1_000, 1 << 20).connect().await?;
    let mut diligent = fanfare.subscribe(["c"]).await?;
    publish(&server, "c", N, 100).await?;

    for expected in 0..N {
        let message = next(&mut diligent).await?;
        assert_eq!(message.text()?.parse::<usize>()?, expected, "the lazy one delays nobody");
    }
    until("the lazy queue has seen everything", || lazy.stats().received == N as u64).await?;
    let stats = lazy.stats();
    assert_eq!((stats.queued_messages, stats.dropped), (1_000, N as u64 - 1_000));
    assert!(stats.queued_bytes <= 1 << 20);

    // The loss is where it happened: before the 1,000 newest.
    let (before, gap) = next_gap(&mut lazy).await?;
    assert_eq!((before.len(), gap.n_dropped), (0, stats.dropped));
    for expected in N - 1_000..N {
        assert_eq!(next(&mut lazy).await?.text()?.parse::<usize>()?, expected);
    }
    let mut n_reported = 0;
    while n_reported < stats.dropped {
        let seen = wait_event(&mut events, |it| matches!(it, Event::Dropped { .. })).await?;
        if let Some(Event::Dropped { subscription, n }) = seen.last() {
            assert_eq!(*subscription, lazy.id());
            n_reported += n;
        }
    }
    assert_eq!(n_reported, stats.dropped, "the link's events add up too");
    Ok(())
}

async fn a_queue_is_bounded_in_bytes_too(server: Target) -> TestResult {
    const MIB: usize = 1 << 20;
    let fanfare = server.connect().await?;
    let builder = fanfare.subscriber().channels(["c"]);
    let mut lazy = builder.queue(Overflow::DropOldest, usize::MAX, 4 * MIB).connect().await?;
    publish(&server, "c", 20, MIB).await?;
    until("everything has arrived", || lazy.stats().received == 20).await?;
    let stats = lazy.stats();
    assert!(stats.queued_bytes <= 4 * MIB && stats.queued_messages == 3, "{stats:?}");
    assert_eq!(stats.dropped, 17);
    let (_, gap) = next_gap(&mut lazy).await?;
    assert_eq!(gap.n_dropped, 17);
    Ok(())
}

async fn drop_newest_keeps_the_first(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let builder = fanfare.subscriber().channels(["c"]);
    let mut lazy = builder.queue(Overflow::DropNewest, 100, 1 << 20).connect().await?;
    publish(&server, "c", 1_000, 10).await?;
    until("everything has arrived", || lazy.stats().received == 1_000).await?;
    let (kept, gap) = next_gap(&mut lazy).await?;
    assert_eq!((kept.len(), gap.n_dropped), (100, 900));
    fanfare.publish("c", "later").await?;
    assert_eq!(next(&mut lazy).await?.payload, "later");
    Ok(())
}

async fn disconnect_ends_one_subscription_only(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let builder = fanfare.subscriber().channels(["c"]);
    let mut lazy = builder.queue(Overflow::Disconnect, 100, 1 << 20).connect().await?;
    let mut diligent = fanfare.subscribe(["c"]).await?;
    publish(&server, "c", 1_000, 10).await?;
    for _ in 0..1_000 {
        next(&mut diligent).await?;
    }
    let mut n_messages = 0;
    while let Some(delivery) = lazy.next_delivery().await {
        n_messages += usize::from(matches!(delivery, Delivery::Message(_)));
    }
    let error = lazy.error().ok_or("no reason for the end")?;
    assert_eq!((n_messages, error.kind()), (100, ErrorKind::SlowConsumer));
    assert!(error.to_string().contains("100 messages"), "{error}");
    fanfare.publish("c", "more").await?;
    assert_eq!(next(&mut diligent).await?.payload, "more");
    Ok(())
}

async fn block_holds_the_server_back_and_loses_nothing(server: Target) -> TestResult {
    const N: usize = 50_000;
    let fanfare = server.connect().await?;
    let builder = fanfare.subscriber().channels(["c"]);
    let mut slow = builder.queue(Overflow::Block, 100, 1 << 20).connect().await?;
    let mut other = fanfare.subscribe(["c"]).await?;
    publish(&server, "c", N, 100).await?;
    for _ in 0..N {
        next(&mut other).await?;
    }
    until("the queue is full", || slow.stats().is_held_back).await?;
    let stats = slow.stats();
    assert_eq!((stats.queued_messages, stats.received), (100, 100), "memory is bounded here");
    for expected in 0..N {
        assert_eq!(next(&mut slow).await?.text()?.parse::<usize>()?, expected);
    }
    let stats = slow.stats();
    assert_eq!((stats.dropped, stats.gaps, stats.is_held_back), (0, 0, false));
    Ok(())
}

async fn an_output_buffer_kill_is_a_gap(server: Target) -> TestResult {
    let limit = ["CONFIG", "SET", "client-output-buffer-limit", "pubsub 1048576 0 0"];
    let fanfare = server.connect().await?;
    assert_eq!(server.say(&limit), "+OK\r\n");
    let builder = fanfare.subscriber().channels(["c"]);
    let mut slow = builder.queue(Overflow::Block, 10, 1 << 20).connect().await?;
    let mut events = fanfare.events();
    // More than the sockets' buffers of both sides can hold.
    publish(&server, "c", 3_000, 10_000).await?;
    until("the server has cut the connection", || server.n_subscribers("c") == 0).await?;

    // Nobody reads, so nobody here knows yet. Once somebody does, everything is told.
    let (before, gap) = next_gap(&mut slow).await?;
    assert!(10 <= before.len() && before.len() < 3_000, "{} came before", before.len());
    for (expected, message) in before.iter().enumerate() {
        assert_eq!(message.text()?.parse::<usize>()?, expected, "what came is in order");
    }
    assert!(gap.outage.is_some());
    let seen = wait_event(&mut events, is_up(Role::Subscriptions)).await?;
    let position = |wanted: &dyn Fn(&Event) -> bool| seen.iter().position(wanted);
    let down = position(&is_down(Role::Subscriptions)).ok_or("no Down")?;
    let back = position(&|it| matches!(it, Event::Resubscribed { may_have_lost: true, .. }))
        .ok_or("no Resubscribed")?;
    assert!(down < back);
    server.check_receivers(fanfare.publish("c", "after").await?, 1);
    let mut after = next(&mut slow).await?;
    // The nodes of a cluster hand messages on to each other after they have answered PUBLISH.
    let mut expected = before.len();
    while matches!(server, Target::Cluster(_)) && after.payload != "after" {
        let number = after.text()?.parse::<usize>()?;
        assert!(expected <= number && number < 3_000, "{number} came again, or out of turn");
        expected = number + 1;
        after = next(&mut slow).await?;
    }
    assert_eq!(after.payload, "after");
    assert_eq!(slow.stats().reconnects, 1);
    Ok(())
}
