//! Assertions that wait.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    Delivery, Event, Events, Fanfare, Gap, Message, Subscription,
    stream::{Group, Pending, Stream},
};

/// How long these functions wait before they panic. Long, because it is only ever waited for by a
/// test that fails, and machines that test are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until `condition` holds. It is asked every few milliseconds of real time, under a
/// [`Clock`](crate::testing::Clock) too.
///
/// # Panics
/// If it does not hold within [`PATIENCE`]; the message says `what` was waited for.
///
/// # Example: until a subscriber is there
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// # let fanfare = fanfare::testing::TestBroker::start()?.connect().await?;
/// # let fanfare = fanfare::Fanfare::connect("embedded:eventually").await?;
/// # let subscription = fanfare.subscribe(["news"]).await?;
/// fanfare::testing::eventually("a message arrives", async || {
///     matches!(fanfare.publish("news", "x").await, Ok(1))
/// })
/// .await;
/// # Ok(()) }
/// ```
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        pause(LOOK_EVERY).await;
    }
}

/// The next message of a subscription.
///
/// # Panics
/// If a gap comes first, if the subscription ends, and if nothing comes within [`PATIENCE`].
pub async fn expect_message(subscription: &mut Subscription) -> Message {
    match next(subscription).await {
        Delivery::Message(message) => message,
        Delivery::Gap(gap) => panic!("a gap came instead of a message: {gap:?}"),
    }
}

/// The next gap of a subscription, which must come before the next message.
///
/// # Panics
/// If a message comes first, if the subscription ends, and if nothing comes within [`PATIENCE`].
pub async fn expect_gap(subscription: &mut Subscription) -> Gap {
    match next(subscription).await {
        Delivery::Gap(gap) => gap,
        Delivery::Message(message) => panic!("a message came instead of a gap: {message:?}"),
    }
}

/// Makes sure that nothing is on its way: publishes to `channel`, to which the subscription must
/// belong, and expects that to be the next thing that comes. No time has to pass for that.
///
/// What other clients have published before and was acknowledged to them is noticed, as long as it
/// goes through the same server.
///
/// # Panics
/// If anything else comes first, if it can not be published, and if it does not come within
/// [`PATIENCE`].
pub async fn expect_nothing(fanfare: &Fanfare, subscription: &mut Subscription, channel: &str) {
    const MARK: &str = "fanfare: nothing came before this";
    if let Err(error) = fanfare.publish(channel, MARK).await {
        panic!("the mark could not be published to {channel}: {error}");
    }
    match next(subscription).await {
        Delivery::Message(message) if message.payload == MARK => {}
        other => panic!("nothing was expected, and there is {other:?}"),
    }
}

async fn next(subscription: &mut Subscription) -> Delivery {
    match in_time(subscription.next_delivery()).await {
        Some(Some(delivery)) => delivery,
        Some(None) => panic!("the subscription ended: {:?}", subscription.error()),
        None => panic!("nothing within {PATIENCE:?}: {:?}", subscription.stats()),
    }
}

/// Waits for an event that `wanted` accepts, and returns it after all those that came before it.
///
/// # Panics
/// If it does not come within [`PATIENCE`]; the message tells what came.
pub async fn expect_event(events: &mut Events, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut seen = Vec::new();
    loop {
        match in_time(events.next()).await {
            Some(Some(event)) => {
                let is_it = wanted(&event);
                seen.push(event);
                if is_it {
                    return seen;
                }
            }
            Some(None) => panic!("the events ended; there were {seen:?}"),
            None => panic!("the event did not come within {PATIENCE:?}; there were {seen:?}"),
        }
    }
}

/// Waits until so many subscribe to a channel, as `PUBSUB NUMSUB` counts: without patterns, and on
/// the node of a cluster that is asked.
///
/// # Panics
/// If it does not become so within [`PATIENCE`].
pub async fn expect_subscribers(fanfare: &Fanfare, channel: &str, n: i64) {
    let question = ["PUBSUB", "NUMSUB", channel];
    expect_number("subscribers", n, async || {
        let answer = fanfare.command(question).await.ok()?;
        answer.as_array()?.get(1)?.as_int()
    })
    .await;
}

/// Waits until a stream has so many entries.
///
/// # Panics
/// If it does not become so within [`PATIENCE`].
pub async fn expect_len(stream: &Stream, n: u64) {
    expect_number("entries", n, async || stream.len().await.ok()).await;
}

/// Waits until so many entries of a group are pending: delivered and not acknowledged.
///
/// # Panics
/// If it does not become so within [`PATIENCE`]; the message shows some of what is pending.
pub async fn expect_pending(group: &Group, n: u64) {
    let end = Instant::now() + PATIENCE;
    loop {
        let info = group.info().await;
        if matches!(&info, Ok(Some(info)) if info.pending == n) {
            return;
        }
        if end <= Instant::now() {
            let pending = group.pending(Pending::new().limit(10)).await;
            panic!("{n} pending entries were expected: {info:?}, {pending:?}");
        }
        pause(LOOK_EVERY).await;
    }
}

async fn expect_number<N: PartialEq + std::fmt::Debug>(
    what: &str,
    n: N,
    mut count: impl AsyncFnMut() -> Option<N>,
) {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = count().await;
        if found.as_ref() == Some(&n) {
            return;
        }
        assert!(Instant::now() < end, "{n:?} {what} were expected, and there are {found:?}");
        pause(LOOK_EVERY).await;
    }
}

/// The result, or `None` when the patience is at its end.
async fn in_time<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        result = future => Some(result),
        () = pause(PATIENCE) => None,
    }
}

/// Waits by the real clock, whatever was done to tokio's: a thread does it, in short sleeps, so that
/// nobody has to wait for it at the end.
pub(super) async fn pause(duration: Duration) {
    const STEP: Duration = Duration::from_millis(20);
    let end = Instant::now() + duration;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|it| !it.is_zero()) {
        let slept = tokio::task::spawn_blocking(move || thread::sleep(left.min(STEP))).await;
        // The runtime is ending, and this with it.
        if slept.is_err() {
            return;
        }
    }
}
