//! One effect for each message: duplicates, crashes, and those who come too late.

use std::{sync::Arc, time::Duration};

use fanfare::{
    Call, Fanfare, HandlerService,
    client::Ttl,
    commands::{Hashes, Keys},
    layers::{
        Fence, Idempotency, Layer, Layered, Overtaken, Refused, RefusedReason, WhenAway,
        WhenInFlight, WithoutId,
    },
    testing::{Fault, Proxy, Way},
};
use futures_util::future::join_all;
use tokio::sync::Notify;

use super::{Count, Seen, event, failure, run};
use crate::support::{Target, TestResult, on_every_broker, on_everything, until};

on_everything!(
    twenty_duplicates_have_one_effect,
    after_a_crash_another_one_takes_over,
    who_comes_too_late_is_told_and_records_nothing,
    a_failure_lets_the_next_one_try,
    a_slow_handler_keeps_its_claim,
    duplicates_in_flight_are_dealt_with_as_is_said,
    what_is_kept_is_given_to_duplicates,
    handlers_groups_and_ids_do_not_exclude_each_other,
);

on_every_broker!(the_broker_may_be_away);

const MS: fn(u64) -> Duration = Duration::from_millis;

/// How long nothing happens: records must outlive it.
const LONG: Duration = Duration::from_secs(600);

fn once(fanfare: &Fanfare) -> Idempotency {
    Idempotency::new(fanfare, "billing").lease(LONG).retention(2 * LONG)
}

/// A handler that counts, and is as slow as a sleep makes it.
fn counting(count: &Count) -> HandlerService<Call> {
    let count = count.clone();
    let handler = move || {
        let count = count.clone();
        async move {
            tokio::time::sleep(MS(20)).await;
            count.add();
        }
    };
    fanfare::service(handler, ())
}

/// A handler that says that it has begun, and hangs.
fn hanging(begun: &Arc<Notify>) -> HandlerService<Call> {
    let begun = begun.clone();
    let handler = move || {
        begun.notify_one();
        std::future::pending::<()>()
    };
    fanfare::service(handler, ())
}

/// T13: between the look whether it is done and the note that it is there was room for 20.
async fn twenty_duplicates_have_one_effect(server: Target) -> TestResult {
    let effects = Count::default();
    let mut services: Vec<Layered<Idempotency, HandlerService<Call>>> = Vec::new();
    let mut layers = Vec::new();
    // As in four programs.
    for _ in 0..4 {
        let once = once(&server.connect().await?);
        services.push(once.layer(counting(&effects)));
        layers.push(once);
    }
    let mut calls = Vec::new();
    for service in services.iter().cycle().take(20) {
        calls.push(run(service, event("e1")?));
    }
    for result in join_all(calls).await {
        result?;
    }
    assert_eq!(effects.get(), 1);
    let stats = layers.iter().map(Idempotency::stats);
    let (recorded, duplicates) =
        stats.fold((0, 0), |sum, it| (sum.0 + it.recorded, sum.1 + it.duplicates));
    assert_eq!((recorded, duplicates), (1, 19));
    // And later ones.
    for (service, id) in services.iter().zip(["e1", "e2"]) {
        run(service, event(id)?).await?;
    }
    assert_eq!(effects.get(), 2);

    // What is done is remembered for as long as was said, which no claim of a later time shortens.
    let client = server.connect().await?.client();
    let key = "fanfare:done:7:billing0:5:event4:shop2:id2:e1";
    let state: Option<String> = client.hget(key, "state").await?;
    assert_eq!(state.as_deref(), Some("done"));
    let left = client.ttl(key).await?;
    assert!(matches!(left, Ttl::Left(left) if LONG < left && left <= 2 * LONG), "{left:?}");
    Ok(())
}

/// A sketch marked a message as seen before it was handled: what crashed in between was lost.
async fn after_a_crash_another_one_takes_over(server: Target) -> TestResult {
    let (begun, effects) = (Arc::new(Notify::new()), Count::default());
    let dying = server.connect().await?;
    let service = once(&dying).layer(hanging(&begun));
    let call = event("e1")?;
    let crashed = tokio::spawn(async move { run(&service, call).await });
    begun.notified().await;
    // Its connections are gone before it can release anything, as in a crash.
    dying.close().await;
    crashed.abort();
    assert!(crashed.await.is_err_and(|it| it.is_cancelled()));

    // The claim is left: it is not free before its lease has ended, which is not in this test's time.
    let client = server.connect().await?.client();
    let key = "fanfare:done:7:billing0:5:event4:shop2:id2:e1";
    let state: Option<String> = client.hget(key, "state").await?;
    assert_eq!(state.as_deref(), Some("busy"));
    let other = once(&server.connect().await?);
    let refusing = other.clone().in_flight(WhenInFlight::Refuse);
    let error = failure(run(&refusing.layer(counting(&effects)), event("e1")?).await)?;
    let refused = error.downcast_ref::<Refused>().ok_or("not refused")?;
    assert_eq!((refused.reason, effects.get()), (RefusedReason::InFlight, 0));

    // As if it had ended.
    client.hset(key, [("until", "1")]).await?;
    let service = other.layer(counting(&effects));
    for _ in 0..2 {
        run(&service, event("e1")?).await?;
    }
    assert_eq!(effects.get(), 1);
    let stats = other.stats();
    assert_eq!((stats.taken_over, stats.recorded, stats.duplicates), (1, 1, 1));
    Ok(())
}

/// The claim of a program that stood still has gone to another one, which is done before it goes on.
async fn who_comes_too_late_is_told_and_records_nothing(server: Target) -> TestResult {
    for other_is_done in [false, true] {
        let id = if other_is_done { "done" } else { "busy" };
        let client = server.connect().await?.client();
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let numbers = Seen::default();
        let handler = {
            let (begun, go_on, numbers) = (begun.clone(), go_on.clone(), numbers.clone());
            move |fence: Fence| {
                let (begun, go_on) = (begun.clone(), go_on.clone());
                numbers.push(fence.number());
                async move {
                    fence.keep("late");
                    begun.notify_one();
                    go_on.notified().await;
                    // It is noticed when it is recorded, or at a renewal.
                    if fence.is_lost() { Err("lost") } else { Ok(()) }
                }
            }
        };
        let late = once(&server.connect().await?);
        let service = late.layer(fanfare::service(handler, ()));
        let call = event(id)?;
        let running = tokio::spawn(async move { run(&service, call).await });
        begun.notified().await;
        // As if its lease had ended: nothing renews it for minutes.
        let key = format!("fanfare:done:7:billing0:5:event4:shop2:id4:{id}");
        client.hset(&key, [("until", "1")]).await?;

        let other = once(&server.connect().await?);
        let (other_begun, effects) = (Arc::new(Notify::new()), Count::default());
        let taken = if other_is_done {
            let counted = effects.clone();
            let numbers = numbers.clone();
            let handler = move |fence: Fence| {
                fence.keep("other");
                numbers.push(fence.number());
                counted.add();
                async {}
            };
            run(&other.layer(fanfare::service(handler, ())), event(id)?).await?;
            None
        } else {
            let service = other.layer(hanging(&other_begun));
            let call = event(id)?;
            let running = tokio::spawn(async move { run(&service, call).await });
            other_begun.notified().await;
            Some(running)
        };
        go_on.notify_one();
        let result = running.await?;
        assert_eq!((late.stats().overtaken, late.stats().recorded), (1, 0));
        let record: std::collections::HashMap<String, String> = client.hgetall(&key).await?;
        if other_is_done {
            // The message is done, by the other one.
            result?;
            assert_eq!(record.get("result").map(String::as_str), Some("other"));
            let numbers = numbers.all();
            assert!(numbers.is_sorted_by(|a, b| a < b) && numbers.len() == 2, "{numbers:?}");
            assert_eq!(record.get("fence"), numbers.last().map(u64::to_string).as_ref());
        } else {
            let error = failure(result)?;
            assert!(error.is::<Overtaken>(), "{error}");
            assert_eq!(record.get("state").map(String::as_str), Some("busy"));
            assert_eq!(record.get("result"), None);
        }
        if let Some(taken) = taken {
            taken.abort();
        }
    }
    Ok(())
}

async fn a_failure_lets_the_next_one_try(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let once = once(&fanfare);
    let attempts = Count::default();
    let counted = attempts.clone();
    let handler = move || {
        let n = counted.add();
        async move {
            assert!(n != 2, "the second one panics");
            if n == 1 { Err("reset") } else { Ok(()) }
        }
    };
    let service = once.layer(fanfare::service(handler, ()));
    assert_eq!(failure(run(&service, event("e1")?).await)?.to_string(), "reset");
    let (panicking, call) = (service.clone(), event("e1")?);
    let panicked = tokio::spawn(async move { run(&panicking, call).await });
    assert!(panicked.await.is_err_and(|error| error.is_panic()));
    run(&service, event("e1")?).await?;
    run(&service, event("e1")?).await?;
    assert_eq!(attempts.get(), 3);
    let stats = once.stats();
    assert_eq!((stats.claimed, stats.released, stats.recorded), (3, 2, 1));
    Ok(())
}

async fn a_slow_handler_keeps_its_claim(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        move || {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            async move {
                begun.notify_one();
                go_on.notified().await;
            }
        }
    };
    let slow = once(&fanfare).lease(Duration::from_secs(6));
    let service = slow.layer(fanfare::service(handler, ()));
    let call = event("e1")?;
    let running = tokio::spawn(async move { run(&service, call).await });
    begun.notified().await;
    let client = fanfare.client();
    let key = "fanfare:done:7:billing0:5:event4:shop2:id2:e1";
    let first: u64 = client.hget(key, "until").await?.ok_or("no record")?;
    // Renewed, and so in flight for longer than the lease.
    let mut last = first;
    while last < first + 6_000 {
        tokio::time::sleep(MS(100)).await;
        last = client.hget(key, "until").await?.ok_or("no record")?;
    }
    go_on.notify_one();
    running.await??;
    assert_eq!((slow.stats().recorded, slow.stats().overtaken), (1, 0));
    Ok(())
}

async fn duplicates_in_flight_are_dealt_with_as_is_said(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let begun = Arc::new(Notify::new());
    let first = once(&fanfare);
    let service = first.layer(hanging(&begun));
    let call = event("e1")?;
    let running = tokio::spawn(async move { run(&service, call).await });
    begun.notified().await;
    let effects = Count::default();
    let with = |in_flight| first.clone().in_flight(in_flight).layer(counting(&effects));
    run(&with(WhenInFlight::Skip), event("e1")?).await?;
    let error = failure(run(&with(WhenInFlight::Refuse), event("e1")?).await)?;
    let refused = error.downcast_ref::<Refused>().ok_or("not refused")?;
    assert_eq!(refused.reason, RefusedReason::InFlight);
    assert!(LONG / 2 < refused.retry_after && refused.retry_after <= LONG, "{refused}");
    assert_eq!(effects.get(), 0);
    running.abort();
    Ok(())
}

async fn what_is_kept_is_given_to_duplicates(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let answers = Seen::default();
    let noted = answers.clone();
    let once = once(&fanfare).on_duplicate(move |_call, result| {
        noted.push(result);
        async {}
    });
    let keeping = async |fence: Fence| fence.keep(&b"\0answer"[..]);
    let service = once.layer(fanfare::service(keeping, ()));
    let plain = once.clone().layer(counting(&Count::default()));
    for id in ["e1", "e1"] {
        run(&service, event(id)?).await?;
    }
    for id in ["e2", "e2"] {
        run(&plain, event(id)?).await?;
    }
    assert_eq!(answers.all(), [Some(b"\0answer"[..].into()), None]);
    Ok(())
}

async fn handlers_groups_and_ids_do_not_exclude_each_other(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let effects = Count::default();
    let base = once(&fanfare);
    let other_handler = Idempotency::new(&fanfare, "mailing").layer(counting(&effects));
    let other_group = base.clone().group("replicas").layer(counting(&effects));
    let service = base.layer(counting(&effects));
    for _ in 0..2 {
        run(&service, event("e1")?).await?;
        run(&service, event("e1 ")?).await?;
        run(&other_handler, event("e1")?).await?;
        run(&other_group, event("e1")?).await?;
    }
    assert_eq!(effects.get(), 4);

    // A message without an id.
    let plain = || event("e1").map(|call| call.message().cloned().ok_or("no message"));
    let mut message = plain()??;
    message.payload = "tea".into();
    let call = || Call::from(message.clone());
    for _ in 0..2 {
        run(&service, call()).await?;
    }
    assert_eq!((effects.get(), base.stats().without_id), (6, 2));
    let hashing = base.clone().without_id(WithoutId::Hash).layer(counting(&effects));
    for _ in 0..2 {
        run(&hashing, call()).await?;
    }
    assert_eq!(effects.get(), 7);
    let refusing = base.clone().without_id(WithoutId::Refuse).layer(counting(&effects));
    let error = failure(run(&refusing, call()).await)?;
    assert!(fanfare::Permanent::is(&**error));
    Ok(())
}

async fn the_broker_may_be_away(server: Target) -> TestResult {
    let proxy = Proxy::start(server.addr())?;
    let fanfare = Fanfare::builder(&proxy.url())
        .options(|options| options.request_timeout(MS(1_000)))
        .connect()
        .await?;
    let effects = Count::default();
    let waiting = once(&fanfare);
    // The script is known before.
    run(&waiting.layer(counting(&effects)), event("e0")?).await?;
    proxy.inject(Fault::Swallow(Way::Both));
    let passing = waiting.clone().when_away(WhenAway::Pass).layer(counting(&effects));
    run(&passing, event("e1")?).await?;
    assert_eq!(effects.get(), 2);
    let refusing = waiting.clone().when_away(WhenAway::Refuse).layer(counting(&effects));
    let error = failure(run(&refusing, event("e1")?).await)?;
    let refused = error.downcast_ref::<Refused>().ok_or("not refused")?;
    assert_eq!(refused.reason, RefusedReason::Away);
    let (service, call) = (waiting.layer(counting(&effects)), event("e1")?);
    let running = tokio::spawn(async move { run(&service, call).await });
    until("it waits", || waiting.stats().away != 0).await?;
    proxy.heal();
    running.await??;
    assert_eq!((effects.get(), waiting.stats().recorded), (3, 2));
    Ok(())
}
