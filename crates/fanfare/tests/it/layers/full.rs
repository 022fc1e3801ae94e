//! Brokers whose memory is full.

use std::{sync::Arc, time::Duration};

use fanfare::{
    Call, Fanfare, HandlerService,
    commands::Hashes,
    layers::{
        Fence, Idempotency, Layer, Refused, RefusedReason, SharedConcurrencyLimit, SharedRateLimit,
        WhenAway,
    },
};
use tokio::sync::Notify;

use super::{Count, event, failure, run};
use crate::support::{Target, TestResult, on_every_broker, until};

on_every_broker!(
    what_was_begun_is_recorded,
    what_can_not_be_claimed_waits_or_is_refused,
    a_shared_limit_goes_by_what_is_said_for_a_broker_that_is_away,
);

const LONG: Duration = Duration::from_secs(600);

async fn memory_max(fanfare: &Fanfare, bytes: &str) -> TestResult {
    if bytes != "0" {
        // An empty broker may have less than a byte.
        fanfare.command(["SET", "something", "x"]).await?;
    }
    fanfare.command(["CONFIG", "SET", "maxmemory", bytes]).await?;
    Ok(())
}

fn counting(count: &Count) -> HandlerService<Call> {
    let count = count.clone();
    let handler = move || {
        count.add();
        async {}
    };
    fanfare::service(handler, ())
}

fn reason(error: &super::Failure) -> Result<RefusedReason, &'static str> {
    Ok(error.downcast_ref::<Refused>().ok_or("not refused")?.reason)
}

/// What was done could not be recorded, and was done again.
async fn what_was_begun_is_recorded(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        move |fence: Fence| {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            async move {
                begun.notify_one();
                go_on.notified().await;
                fence.keep("done");
            }
        }
    };
    let once = Idempotency::new(&fanfare, "billing").lease(LONG).retention(2 * LONG);
    let service = once.layer(fanfare::service(handler, ()));
    let (running, call) = (service.clone(), event("e1")?);
    let running = tokio::spawn(async move { run(&running, call).await });
    begun.notified().await;
    memory_max(&fanfare, "1").await?;
    go_on.notify_one();
    running.await??;
    assert_eq!((once.stats().recorded, once.stats().unrecorded), (1, 0));
    run(&service, event("e1")?).await?;
    assert_eq!(once.stats().duplicates, 1);
    let key = "fanfare:done:7:billing0:5:event4:shop2:id2:e1";
    let result: Option<String> = fanfare.client().hget(key, "result").await?;
    assert_eq!(result.as_deref(), Some("done"));
    memory_max(&fanfare, "0").await
}

async fn what_can_not_be_claimed_waits_or_is_refused(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let effects = Count::default();
    let once = Idempotency::new(&fanfare, "billing").lease(LONG).retention(2 * LONG);
    memory_max(&fanfare, "1").await?;
    let refusing = once.clone().when_away(WhenAway::Refuse).layer(counting(&effects));
    let error = failure(run(&refusing, event("e1")?).await)?;
    assert_eq!((reason(&error)?, effects.get()), (RefusedReason::Away, 0));
    let (service, call) = (once.layer(counting(&effects)), event("e1")?);
    let waiting = tokio::spawn(async move { run(&service, call).await });
    until("it waits", || once.stats().away == 1).await?;
    memory_max(&fanfare, "0").await?;
    waiting.await??;
    assert_eq!((effects.get(), once.stats().recorded), (1, 1));
    Ok(())
}

async fn a_shared_limit_goes_by_what_is_said_for_a_broker_that_is_away(
    server: Target,
) -> TestResult {
    let fanfare = server.connect().await?;
    let effects = Count::default();
    memory_max(&fanfare, "1").await?;
    let rate = || SharedRateLimit::new(&fanfare, "partner", 0.001);
    let refusing = rate().when_away(WhenAway::Refuse).layer(counting(&effects));
    let error = failure(run(&refusing, event("e")?).await)?;
    assert_eq!((reason(&error)?, effects.get()), (RefusedReason::Away, 0));
    run(&rate().when_away(WhenAway::Pass).layer(counting(&effects)), event("e")?).await?;
    assert_eq!(effects.get(), 1);
    // Places are few, and are taken and given back as always.
    let places = SharedConcurrencyLimit::new(&fanfare, "reports", 1);
    run(&places.layer(counting(&effects)), event("e")?).await?;
    assert_eq!((effects.get(), places.stats().passed), (2, 1));
    memory_max(&fanfare, "0").await
}
