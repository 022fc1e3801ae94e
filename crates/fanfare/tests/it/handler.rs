//! Whatever a message contains and whatever a handler does, the loop goes on.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use fanfare::{Error, ErrorKind, Message, Overflow};
use futures_util::FutureExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::support::{Target, TestResult, next, on_everything, until};

on_everything!(
    bad_payloads_and_panics_do_not_stop_the_loop,
    binary_payloads_and_channels_pass_unchanged,
    a_handler_that_ends_is_unsubscribed_and_finishes_its_work,
    concurrency_is_bounded,
    finish_handles_what_has_arrived_and_stop_does_not,
    a_slow_handler_delays_nobody_else,
);

async fn bad_payloads_and_panics_do_not_stop_the_loop(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let handler = fanfare
        .handle("numbers", |message: Message| {
            // Even the call itself may panic, before there is a future.
            assert!(message.payload != "panic early", "early");
            async move {
                if message.payload == "panic" {
                    std::panic::resume_unwind(Box::new("late"));
                }
                let number: u32 = message.json()?;
                if 100 < number {
                    return Err(Error::new(ErrorKind::Decode, "too large"));
                }
                Ok(())
            }
        })
        .await?;
    for _ in 0..10 {
        for payload in [&b"\xff\xfe"[..], b"{bad json", b"", b"panic", b"panic early", b"101", b"7"]
        {
            server.check_receivers(fanfare.publish("numbers", payload).await?, 1);
        }
    }
    let stats = handler.wait_finished(70).await;
    assert_eq!((stats.handled, stats.failed, stats.panicked), (10, 40, 20));
    assert_eq!(handler.error().map(|error| error.to_string()), None);
    let stats = handler.stop().await;
    assert_eq!((stats.subscription.received, stats.subscription.dropped), (70, 0));
    Ok(())
}

async fn binary_payloads_and_channels_pass_unchanged(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let every_byte: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = every_byte.iter().copied().cycle().take(8 << 20).collect();
    let mut subscription = fanfare.subscribe([&every_byte]).await?;
    for payload in [&b""[..], b"\r\n", &every_byte, &large] {
        server.check_receivers(fanfare.publish(&every_byte, payload).await?, 1);
        let message = next(&mut subscription).await?;
        assert_eq!(message.channel, every_byte);
        assert!(message.payload == payload, "a payload of {} bytes changed", payload.len());
    }
    let text = next_text(&fanfare, &mut subscription, &every_byte).await?;
    assert_eq!(text.kind(), ErrorKind::Decode);
    Ok(())
}

/// What `text` says of a payload that is none.
async fn next_text(
    fanfare: &fanfare::Fanfare,
    subscription: &mut fanfare::Subscription,
    channel: &[u8],
) -> Result<Error, Box<dyn std::error::Error>> {
    fanfare.publish(channel, b"\xff").await?;
    Ok(next(subscription).await?.text().err().ok_or("0xff is UTF-8?")?)
}

async fn a_handler_that_ends_is_unsubscribed_and_finishes_its_work(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let n_begun = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let handler = fanfare
        .handle("c", {
            let (n_begun, gate) = (n_begun.clone(), gate.clone());
            move |_| {
                let (n_begun, gate) = (n_begun.clone(), gate.clone());
                async move {
                    n_begun.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.map(|permit| permit.forget())
                }
            }
        })
        .await?;
    fanfare.publish("c", "one").await?;
    until("the handler has begun", || n_begun.load(Ordering::SeqCst) == 1).await?;
    let stopping = tokio::spawn(handler.stop());
    gate.add_permits(1);
    assert_eq!(stopping.await?.handled, 1);
    until("it is unsubscribed", || server.n_subscribers("c") == 0).await
}

async fn concurrency_is_bounded(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let handler = fanfare
        .subscriber()
        .channels(["c"])
        .concurrency(4)
        .handle({
            let (running, most) = (running.clone(), most.clone());
            move |_| {
                let (running, most) = (running.clone(), most.clone());
                async move {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    for _ in 0..10 {
                        tokio::task::yield_now().await;
                    }
                    running.fetch_sub(1, Ordering::SeqCst);
                }
            }
        })
        .await?;
    for outcome in fanfare.publish_batch((0..1_000).map(|n| ("c", n.to_string()))).await {
        outcome?;
    }
    assert_eq!(handler.wait_finished(1_000).await.handled, 1_000);
    assert_eq!(most.load(Ordering::SeqCst), 4);
    Ok(())
}

async fn finish_handles_what_has_arrived_and_stop_does_not(server: Target) -> TestResult {
    for must_finish in [true, false] {
        let fanfare = server.connect().await?;
        let gate = Arc::new(Semaphore::new(0));
        let handler = fanfare
            .handle("c", {
                let gate = gate.clone();
                move |_| {
                    let gate = gate.clone();
                    async move { gate.acquire().await.map(SemaphorePermit::forget) }
                }
            })
            .await?;
        let mut others = fanfare.subscribe(["c"]).await?;
        for outcome in fanfare.publish_batch((0..100).map(|n| ("c", n.to_string()))).await {
            outcome?;
        }
        for _ in 0..100 {
            next(&mut others).await?;
        }
        let mut ending = std::pin::pin!(async {
            if must_finish { handler.finish().await } else { handler.stop().await }
        });
        assert!(ending.as_mut().now_or_never().is_none(), "the first is not handled");
        gate.add_permits(100);
        let stats = ending.await;
        assert_eq!(stats.finished() == 100, must_finish, "{stats:?}");
        assert_eq!(stats.failed + stats.panicked, 0);
    }
    Ok(())
}

async fn a_slow_handler_delays_nobody_else(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    for overflow in [Overflow::DropOldest, Overflow::Block] {
        let stuck = fanfare
            .subscriber()
            .channels(["c"])
            .queue(overflow, 10, 1 << 20)
            .handle(|_| std::future::pending::<()>())
            .await?;
        let mut other = fanfare.subscribe(["c"]).await?;
        for n in 0..1_000 {
            fanfare.publish("c", n.to_string()).await?;
            assert_eq!(next(&mut other).await?.text()?, n.to_string());
        }
        drop(stuck);
    }
    Ok(())
}
