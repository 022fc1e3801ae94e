//! What has failed for good is kept once, wherever it came from.

use std::time::Duration;

use fanfare::{
    Backoff, Call, Kind, Text,
    layers::{DeadLetter, Layer, Retry, Stack},
};

use super::Count;
use crate::{
    support::{Target, TestResult, next, on_everything, until},
    worker_support::settled,
};

on_everything!(
    a_message_that_fails_for_good_is_kept_and_can_be_sent_again,
    an_entry_is_put_with_the_dead_letters_of_its_worker_only,
);

const MS: fn(u64) -> Duration = Duration::from_millis;

fn quick() -> Backoff {
    Backoff { first: MS(1), cap: MS(5) }
}

/// C17: what was dead-lettered inside of the retries was never tried again.
async fn a_message_that_fails_for_good_is_kept_and_can_be_sent_again(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let dead = DeadLetter::new(&fanfare, "dead", "billing");
    let attempts = Count::default();
    let counted = attempts.clone();
    let handler = move |Text(text): Text| {
        counted.add();
        async move {
            assert!(text != "panic", "it panics");
            if text == "good" { Ok(()) } else { Err("never") }
        }
    };
    let stack =
        Stack::new("billing").dead_letter(dead.clone()).retry(Retry::new().backoff(quick()));
    let service = stack.layer(fanfare::service::<_, _, _, Call>(handler, ()));
    let router = fanfare.router().service(Kind::Channel, "orders", service).start().await?;
    for payload in ["good", "bad", "panic"] {
        fanfare.publish("orders", payload).await?;
    }
    let stats = router.wait_finished(3).await;
    let counts: Vec<_> = stats.routes.iter().map(|it| (it.handled, it.panicked)).collect();
    assert_eq!(counts, [(2, 1)]);
    // Three attempts for the bad one.
    assert_eq!((attempts.get(), dead.stats().put), (5, 2));
    let letters = dead.list(None, 10).await?;
    let told: Vec<_> = letters.iter().map(|it| (&it.payload[..], &it.error[..])).collect();
    assert_eq!(told, [(&b"bad"[..], "never"), (b"panic", "the handler panicked: it panics")]);
    let first = letters.first().ok_or("no letters")?;
    assert_eq!((&first.channel[..], &first.handler[..]), (&b"orders"[..], "billing"));
    assert!(first.received <= first.died && !first.is_sharded);
    router.stop().await;

    let mut orders = fanfare.subscribe(["orders"]).await?;
    assert!(dead.republish(first.dead_id).await?.is_some());
    assert_eq!(&next(&mut orders).await?.payload[..], b"bad");
    assert_eq!(dead.republish(first.dead_id).await?, None);
    assert_eq!(dead.list(None, 10).await?.len(), 1);
    Ok(())
}

async fn an_entry_is_put_with_the_dead_letters_of_its_worker_only(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let dead = DeadLetter::new(&fanfare, "dead", "billing");
    let stack =
        Stack::new("billing").dead_letter(dead.clone()).retry(Retry::new().backoff(quick()));
    let handler = async |_: Call| Err::<(), _>(fanfare::Permanent::new("never"));
    let group = fanfare.stream("orders").group("billing");
    let worker = group.worker().spawn_service(stack.layer(fanfare::service(handler, ())))?;
    group.stream().add([("item", "a unicorn")]).await?;
    until("it is dead", || worker.stats().counts.dead_lettered == 1).await?;
    settled(&group).await?;
    assert_eq!(worker.stop().await.counts.failed, 1);
    assert_eq!(group.dead_letters().len().await?, 1);
    assert!(dead.list(None, 10).await?.is_empty());
    Ok(())
}
