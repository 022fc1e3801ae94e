//! Limits that several programs share.

use std::{sync::Arc, time::Duration};

use fanfare::{
    Call, HandlerService,
    client::Ttl,
    commands::{Keys, SortedSets, Strings},
    layers::{Layer, Refused, RefusedReason, SharedConcurrencyLimit, SharedRateLimit},
};
use futures_util::future::join_all;
use tokio::sync::Notify;

use super::{Count, event, run};
use crate::support::{Target, TestResult, on_everything, until};

on_everything!(
    a_rate_holds_for_all_together,
    places_are_taken_by_all_together,
    a_killed_program_frees_its_place,
);

const LONG: Duration = Duration::from_secs(600);

/// The time of the server that has the key, in microseconds.
const NOW_US: &str =
    "local t = redis.call('TIME') return string.format('%.0f', t[1] * 1000000 + t[2])";

fn nothing() -> HandlerService<Call> {
    fanfare::service::<_, (), (), Call>(async || {}, ())
}

async fn a_rate_holds_for_all_together(server: Target) -> TestResult {
    let mut services = Vec::new();
    for _ in 0..3 {
        let fanfare = server.connect().await?;
        let limit = SharedRateLimit::new(&fanfare, "partner", 0.001).burst(5);
        services.push(limit.wait_max(Duration::ZERO).layer(nothing()));
    }
    let mut calls = Vec::new();
    for service in services.iter().cycle().take(30) {
        calls.push(run(service, event("e")?));
    }
    let results = join_all(calls).await;
    assert_eq!(results.iter().filter(|it| it.is_ok()).count(), 5);
    let refused = results.iter().filter_map(|it| it.as_ref().err()?.downcast_ref::<Refused>());
    let waits: Vec<_> = refused.map(|it| (it.reason, it.retry_after)).collect();
    assert_eq!(waits.len(), 25);
    for (reason, wait) in waits {
        assert_eq!(reason, RefusedReason::Rate);
        assert!(wait <= Duration::from_secs(1_000) && LONG < wait, "{wait:?}");
    }
    // The key goes away by itself; another limit is another key.
    let fanfare = server.connect().await?;
    let ttl = fanfare.client().ttl("fanfare:rate:partner").await?;
    assert!(matches!(ttl, Ttl::Left(_)), "{ttl:?}");
    let other = SharedRateLimit::new(&fanfare, "other", 0.001).wait_max(Duration::ZERO);
    run(&other.layer(nothing()), event("e")?).await?;

    check_turns(&server).await
}

/// Each who may wait is given a turn of its own, one interval after the last: 21 calls use up 21 intervals of
/// the server's time. (That a turn is what the model says is tried beside the script.)
async fn check_turns(server: &Target) -> TestResult {
    const INTERVAL_US: u64 = 1_000_000_000;
    let client = server.connect().await?.client();
    let raw = || server.connect();
    let now = async || -> Result<u64, Box<dyn std::error::Error>> {
        let time = raw().await?.command(["EVAL", NOW_US, "1", "fanfare:rate:slow"]).await?;
        Ok(time.as_str().ok_or("no time")?.parse()?)
    };
    let limit = SharedRateLimit::new(&server.connect().await?, "slow", 0.001).burst(1);
    let service = limit.layer(nothing());
    let before = now().await?;
    let mut waiting = Vec::new();
    for _ in 0..21 {
        let (service, call) = (service.clone(), event("e")?);
        waiting.push(tokio::spawn(async move { run(&service, call).await }));
    }
    until("all but one wait", || (limit.stats().passed, limit.stats().waited) == (1, 20)).await?;
    let after = now().await?;
    let used: u64 = client.get("fanfare:rate:slow").await?.ok_or("no key")?;
    let turns = before + 21 * INTERVAL_US..=after + 21 * INTERVAL_US;
    assert!(turns.contains(&used), "{used} is not in {turns:?}");
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(())
}

async fn places_are_taken_by_all_together(server: Target) -> TestResult {
    let (running, effects) = (Count::default(), Count::default());
    let handler = {
        let (running, effects) = (running.clone(), effects.clone());
        move || {
            let (running, effects) = (running.clone(), effects.clone());
            async move {
                let n = running.add();
                tokio::time::sleep(Duration::from_millis(5)).await;
                running.sub();
                effects.add();
                if n <= 3 { Ok(()) } else { Err(format!("{n} at the same time")) }
            }
        }
    };
    let mut services = Vec::new();
    for _ in 0..3 {
        let limit = SharedConcurrencyLimit::new(&server.connect().await?, "reports", 3);
        services.push(limit.layer(fanfare::service(handler.clone(), ())));
    }
    let mut calls = Vec::new();
    for service in services.iter().cycle().take(30) {
        calls.push(run(service, event("e")?));
    }
    for result in join_all(calls).await {
        result?;
    }
    assert_eq!(effects.get(), 30);
    // All places are given back.
    let client = server.connect().await?.client();
    fanfare::testing::eventually("no places are taken", async || {
        client.zcard("fanfare:places:reports").await.is_ok_and(|n| n == 0)
    })
    .await;
    Ok(())
}

async fn a_killed_program_frees_its_place(server: Target) -> TestResult {
    let begun = Arc::new(Notify::new());
    let hanging = {
        let begun = begun.clone();
        move || {
            begun.notify_one();
            std::future::pending::<()>()
        }
    };
    let hanging = fanfare::service::<_, (), (), Call>(hanging, ());
    let one = |fanfare| SharedConcurrencyLimit::new(fanfare, "one", 1).wait_max(Duration::ZERO);
    let dying = server.connect().await?;
    let service = one(&dying).lease(Duration::from_millis(700)).layer(hanging);
    let call = event("e")?;
    let killed = tokio::spawn(async move { run(&service, call).await });
    begun.notified().await;
    // Its connections are gone before it can give anything back, as in a crash.
    dying.close().await;
    killed.abort();
    let other = one(&server.connect().await?).layer(nothing());
    let early = run(&other, event("e")?).await;
    if let Err(error) = early {
        let refused = error.downcast_ref::<Refused>().ok_or("not refused")?;
        assert_eq!(refused.reason, RefusedReason::Concurrency);
        assert!(refused.retry_after <= Duration::from_millis(700));
    }
    fanfare::testing::eventually("a place", async || match event("e") {
        Ok(call) => run(&other, call).await.is_ok(),
        Err(_) => false,
    })
    .await;
    Ok(())
}
