//! Limits that several programs share.

use std::{sync::Arc, time::Duration};

use fanfare::{
    Call, HandlerService,
    client::Ttl,
    commands::{Keys, SortedSets},
    layers::{Layer, Refused, RefusedReason, SharedConcurrencyLimit, SharedRateLimit},
};
use futures_util::future::join_all;
use tokio::sync::Notify;

use super::{Count, event, run};
use crate::support::{Target, TestResult, on_everything};

on_everything!(
    a_rate_holds_for_all_together,
    places_are_taken_by_all_together,
    a_killed_program_frees_its_place,
);

const LONG: Duration = Duration::from_secs(600);

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

    // Who may wait comes at the rate: 20 beyond the first one, at 100 per second.
    let limit = SharedRateLimit::new(&fanfare, "quick", 100.0).burst(1);
    let service = limit.layer(nothing());
    let begun = tokio::time::Instant::now();
    let mut calls = Vec::new();
    for _ in 0..21 {
        calls.push(run(&service, event("e")?));
    }
    for result in join_all(calls).await {
        result?;
    }
    assert!(Duration::from_millis(190) <= begun.elapsed(), "{:?}", begun.elapsed());
    assert_eq!(limit.stats().passed, 21);
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
