//! Publishers: values of one type, batches, and messages gathered from many callers; each has an
//! outcome of its own, and it is true.

use std::{collections::HashMap, time::Duration};

use fanfare::{
    Error, ErrorKind, Fanfare, Json, Linger, Lingering, Raw, Subscription, Text, WhenFull,
};

use crate::support::{Target, TestResult, next, on_everything, until};

on_everything!(
    values_arrive_as_what_they_are,
    what_can_not_be_sent_fails_alone,
    many_small_messages_are_not_too_large_together,
    callers_share_sends_and_have_outcomes_of_their_own,
    what_is_gathered_is_sent_when_it_is_time_or_asked_for_or_too_much,
    a_full_queue_makes_wait_or_refuses,
    closing_says_what_was_not_sent,
    what_was_gathered_is_sent_at_most_once_however_often_connections_break,
);

#[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug, Clone)]
struct Order {
    id: u64,
    item: String,
}

async fn values_arrive_as_what_they_are(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let mut subscription =
        fanfare.subscriber().channels(["a", "b"]).sharded(["s"]).connect().await?;
    let order = Order { id: 7, item: "tea".into() };
    let orders = fanfare.publisher::<Json<Order>>("a");
    server.check_receivers(orders.publish(&order).await?, 1);
    assert_eq!(next(&mut subscription).await?.json::<Order>()?, order);
    orders.publish_to("b", order.clone()).await?;
    assert_eq!(next(&mut subscription).await?.channel, "b");
    let every_byte: Vec<u8> = (0..=255).collect();
    fanfare.publisher::<Raw>("a").publish(&every_byte[..]).await?;
    assert_eq!(next(&mut subscription).await?.payload, every_byte);
    assert_eq!(fanfare.publisher::<Text>("s").sharded().publish("Grüße").await?, 1);
    assert_eq!(next(&mut subscription).await?.text()?, "Grüße");
    let batch = [("a", "1"), ("b", "2"), ("a", "3")];
    for outcome in fanfare.publisher::<Text>("a").publish_batch_to(batch).await {
        server.check_receivers(outcome?, 1);
    }
    let mut got = Vec::new();
    for _ in 0..batch.len() {
        let message = next(&mut subscription).await?;
        got.push((message.channel_name().into_owned(), message.text()?.to_owned()));
    }
    // In a cluster, that of different channels may overtake each other.
    got.sort_unstable();
    let expected = [("a", "1"), ("a", "3"), ("b", "2")];
    assert_eq!(got, expected.map(|(channel, text)| (channel.to_owned(), text.to_owned())));
    Ok(())
}

async fn what_can_not_be_sent_fails_alone(server: Target) -> TestResult {
    let fanfare = Fanfare::builder(&server.url())
        .options(|options| options.in_flight_max(1_000, 64 << 10))
        .connect()
        .await?;
    let mut subscription = fanfare.ssubscribe(["s"]).await?;
    // JSON has no keys that are lists.
    let bad = || HashMap::from([(vec![1], 1)]);
    let values: Vec<HashMap<Vec<u32>, u32>> = vec![HashMap::new(), bad(), HashMap::new(), bad()];
    let maps = fanfare.publisher::<Json<HashMap<Vec<u32>, u32>>>("s").sharded();
    let outcomes = maps.publish_batch(values).await;
    let kinds: Vec<_> = outcomes.iter().map(|it| it.as_ref().map_err(Error::kind)).collect();
    assert_eq!(kinds, [Ok(&1), Err(ErrorKind::Encode), Ok(&1), Err(ErrorKind::Encode)]);
    assert!(outcomes.iter().flatten().all(|n| *n == 1));
    for _ in 0..2 {
        assert_eq!(next(&mut subscription).await?.payload, "{}");
    }
    let texts = fanfare.publisher::<Text>("s").sharded().chunks(2, 1_000);
    let too_large = "x".repeat(65 << 10);
    let values = (0..50).map(|n| if n == 7 { too_large.clone() } else { n.to_string() });
    for (n, outcome) in texts.publish_batch(values).await.into_iter().enumerate() {
        match outcome {
            Ok(n_receivers) => assert_eq!(n_receivers, 1),
            Err(error) => {
                assert_eq!((n, error.kind()), (7, ErrorKind::TooLarge));
                assert!(!error.may_have_been_delivered());
            }
        }
    }
    for n in (0..50).filter(|n| *n != 7) {
        assert_eq!(next(&mut subscription).await?.text()?, n.to_string());
    }
    Ok(())
}

/// A gathering publisher of numbers to a sharded channel, and a subscription of it.
async fn gathering(
    fanfare: &Fanfare,
    linger: Linger,
) -> Result<(Lingering<Text>, Subscription), Error> {
    let subscription = fanfare.ssubscribe(["s"]).await?;
    Ok((fanfare.publisher::<Text>("s").sharded().linger(linger), subscription))
}

const HOUR: Duration = Duration::from_secs(3_600);

async fn callers_share_sends_and_have_outcomes_of_their_own(server: Target) -> TestResult {
    const CALLERS: u64 = 50;
    const EACH: u64 = 40;
    let fanfare = server.connect().await?;
    let (numbers, mut subscription) =
        gathering(&fanfare, Linger::new(Duration::from_millis(5))).await?;
    let callers = (0..CALLERS).map(|caller| {
        let numbers = numbers.clone();
        tokio::spawn(async move {
            for n in 0..EACH {
                assert_eq!(numbers.publish(format!("{caller}:{n}")).await?, 1);
            }
            assert_eq!(numbers.enqueue_to("{s}void", "x").await?.await?, 0);
            Ok::<_, Error>(())
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await??;
    }
    let stats = numbers.stats();
    assert_eq!(stats.enqueued, CALLERS * (EACH + 1));
    assert_eq!((stats.published, stats.failed, stats.unknown), (stats.enqueued, 0, 0));
    assert!(stats.sends <= stats.published / 2, "{stats:?}");
    let mut last = HashMap::new();
    for _ in 0..CALLERS * EACH {
        let message = next(&mut subscription).await?;
        let (caller, n) = message.text()?.split_once(':').ok_or("no colon")?;
        let n: i64 = n.parse()?;
        assert_eq!(last.insert(caller.to_owned(), n).unwrap_or(-1), n - 1, "in their order");
    }
    Ok(())
}

async fn what_is_gathered_is_sent_when_it_is_time_or_asked_for_or_too_much(
    server: Target,
) -> TestResult {
    let fanfare = server.connect().await?;
    let (numbers, mut subscription) =
        gathering(&fanfare, Linger::new(HOUR).chunks(10, 10_000)).await?;
    let receipts = futures_util::future::join_all((0..9).map(|n| numbers.enqueue(n.to_string())));
    let receipts: Vec<_> = receipts.await.into_iter().collect::<Result<_, _>>()?;
    assert_eq!((numbers.stats().waiting, numbers.stats().sends), (9, 0));
    let stats = numbers.flush().await;
    assert_eq!((stats.published, stats.waiting, stats.sends), (9, 0, 1));
    for receipt in receipts {
        assert_eq!(receipt.await?, 1);
    }
    // The tenth message, and the one that makes it too many bytes.
    for n in 0..10 {
        drop(numbers.enqueue(n.to_string()).await?);
    }
    until("ten are sent", || numbers.stats().published == 19).await?;
    for _ in 0..2 {
        drop(numbers.enqueue("x".repeat(9_000)).await?);
    }
    until("the first is sent", || numbers.stats().published == 20).await?;
    assert_eq!(numbers.stats().waiting, 1);
    // With the last clone gone, what was gathered still goes out.
    drop(numbers);
    for _ in 0..21 {
        next(&mut subscription).await?;
    }
    let (numbers, mut subscription) = gathering(&fanfare, Linger::new(Duration::ZERO)).await?;
    assert_eq!(numbers.publish("at once").await?, 1);
    assert_eq!(next(&mut subscription).await?.payload, "at once");
    Ok(())
}

async fn a_full_queue_makes_wait_or_refuses(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let linger = Linger::new(HOUR).chunks(100, 100_000);
    let (numbers, _) = gathering(&fanfare, linger.queue(WhenFull::Refuse, 5, 10_000)).await?;
    for n in 0..5 {
        drop(numbers.enqueue(n.to_string()).await?);
    }
    let refused = numbers.enqueue("too much").await.err().ok_or("it was taken")?;
    assert_eq!(refused.kind(), ErrorKind::Overloaded);
    assert!(!refused.may_have_been_delivered() && refused.is_retryable());
    assert_eq!(numbers.flush().await.published, 5);
    drop(numbers.enqueue("x".repeat(50_000)).await?);
    let refused = numbers.enqueue("too much").await.err().ok_or("it was taken")?;
    assert_eq!(refused.kind(), ErrorKind::Overloaded);
    assert_eq!(numbers.close().await.published, 6);
    let closed = numbers.publish("too late").await.err().ok_or("it was taken")?;
    assert_eq!(closed.kind(), ErrorKind::Closed);

    let linger = linger.chunks(2, 100_000).queue(WhenFull::Wait, 5, 10_000);
    let (numbers, mut subscription) = gathering(&fanfare, linger).await?;
    for n in 0..1_000 {
        drop(numbers.enqueue(n.to_string()).await?);
        assert!(numbers.stats().waiting <= 5);
    }
    assert_eq!(numbers.close().await.published, 1_000);
    for n in 0..1_000 {
        assert_eq!(next(&mut subscription).await?.text()?, n.to_string());
    }

    // Chunks that would never be full: who waits for room does not wait for them.
    let linger = linger.chunks(100, 100_000);
    let (numbers, mut subscription) = gathering(&fanfare, linger).await?;
    let enqueued = (0..50).map(|n| numbers.enqueue(n.to_string()));
    for receipt in futures_util::future::join_all(enqueued).await {
        drop(receipt?);
    }
    let mut seen = Vec::new();
    for _ in 0..45 {
        seen.push(next(&mut subscription).await?.text()?.parse::<u32>()?);
    }
    assert_eq!(numbers.close().await.published, 50);
    for _ in 45..50 {
        seen.push(next(&mut subscription).await?.text()?.parse()?);
    }
    // Those who ask at the same time have no order.
    seen.sort_unstable();
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
    Ok(())
}

async fn many_small_messages_are_not_too_large_together(server: Target) -> TestResult {
    let fanfare = Fanfare::builder(&server.url())
        .options(|options| options.in_flight_max(10, 1_000))
        .connect()
        .await?;
    let mut subscription = fanfare.subscribe(["c"]).await?;
    let outcomes = fanfare.publish_batch((100..200).map(|n| ("c", n.to_string()))).await;
    outcomes.into_iter().try_for_each(|outcome| outcome.map(drop))?;
    let numbers = fanfare.publisher::<Text>("c").linger(Linger::new(HOUR));
    for n in 200..300 {
        drop(numbers.enqueue(n.to_string()).await?);
    }
    assert_eq!(numbers.close().await.published, 100);
    for n in 100..300 {
        assert_eq!(next(&mut subscription).await?.text()?, n.to_string());
    }
    Ok(())
}

async fn closing_says_what_was_not_sent(mut server: Target) -> TestResult {
    let fanfare = Fanfare::builder(&server.url())
        .options(|options| options.request_timeout(Duration::from_secs(10)))
        .connect()
        .await?;
    let numbers = fanfare.publisher::<Text>("c").linger(Linger::new(HOUR));
    for n in 0..3 {
        drop(numbers.enqueue(n.to_string()).await?);
    }
    numbers.flush().await;
    server.stop();
    until("the connection is gone", || !fanfare.stats().commands.is_up).await?;
    let receipts: Vec<_> =
        futures_util::future::join_all((0..7).map(|n| numbers.enqueue(n.to_string()))).await;
    let stats = numbers.close().await;
    assert_eq!((stats.published, stats.failed, stats.unknown, stats.waiting), (3, 7, 0, 0));
    for receipt in receipts {
        let error = receipt?.await.err().ok_or("it was published")?;
        assert!(!error.may_have_been_delivered(), "{error:?}");
    }
    Ok(())
}

async fn what_was_gathered_is_sent_at_most_once_however_often_connections_break(
    server: Target,
) -> TestResult {
    let subscriber = server.connect().await?;
    let mut subscription = subscriber.ssubscribe(["s"]).await?;
    let fanfare = server.connect().await?;
    let numbers =
        fanfare.publisher::<Text>("s").sharded().linger(Linger::new(Duration::from_millis(1)));
    let mut receipts = Vec::new();
    for round in 0..20 {
        let enqueuing = async {
            for n in 0..1_000 {
                receipts.push(numbers.enqueue((round * 1_000 + n).to_string()).await?);
            }
            Ok::<_, Error>(())
        };
        let (enqueued, _) = tokio::join!(enqueuing, async {
            tokio::time::sleep(Duration::from_millis(2)).await;
            server.kill_clients("normal")
        });
        enqueued?;
    }
    let stats = numbers.flush().await;
    let mut outcomes = Vec::new();
    for receipt in receipts {
        outcomes.push(receipt.await);
    }
    let n_of = |it: &dyn Fn(&Result<u64, Error>) -> bool| {
        u64::try_from(outcomes.iter().filter(|outcome| it(outcome)).count()).unwrap_or(u64::MAX)
    };
    assert_eq!(stats.published, n_of(&|it| it.is_ok()));
    let is_unknown = |it: &Error| it.may_have_been_delivered();
    assert_eq!(stats.unknown, n_of(&|it| it.as_ref().is_err_and(is_unknown)));
    assert_eq!(stats.published + stats.failed + stats.unknown, 20_000);
    while fanfare.spublish("s", "end").await.is_err() {}
    let mut n_received = vec![0_u32; outcomes.len()];
    loop {
        let message = next(&mut subscription).await?;
        if message.payload == "end" {
            break;
        }
        *n_received.get_mut(message.text()?.parse::<usize>()?).ok_or("never sent")? += 1;
    }
    for (n, (outcome, n_received)) in outcomes.iter().zip(&n_received).enumerate() {
        match outcome {
            Ok(_) => assert_eq!(*n_received, 1, "message {n}"),
            Err(error) if is_unknown(error) => assert!(*n_received <= 1, "message {n}"),
            Err(error) => assert_eq!(*n_received, 0, "message {n}: {error:?}"),
        }
    }
    println!("{stats:?}");
    Ok(())
}
