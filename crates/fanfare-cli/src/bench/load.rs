//! Publishers that keep a fixed number of messages in flight, and subscribers that count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fanfare::{Delivery, Fanfare, Message, Subscription};
use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};

use crate::latency::{Clock, Latencies};
use crate::pace::Pace;

/// Bytes of a payload that carry its time and its publisher.
pub(super) const HEADER_BYTES: usize = 10;
/// A publisher whose messages do not arrive for so long gives up.
const STALL: Duration = Duration::from_secs(5);
/// Messages read in a row before publishers are told.
const BURST_MAX: usize = 512;

/// What is wanted.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) channel: String,
    pub(super) n_subscribers: u64,
    pub(super) depth: u64,
    pub(super) payload_bytes: usize,
    /// Of each publisher, a second; none: as fast as possible.
    pub(super) rate: Option<f64>,
}

/// What all share.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) plan: Plan,
    clock: Clock,
    /// By publisher.
    lanes: Vec<Lane>,
    is_over: AtomicBool,
    /// Messages that may still be published, if their number is fixed.
    n_left: Option<AtomicU64>,
}

/// The messages of one publisher.
#[derive(Debug, Default)]
struct Lane {
    n_published: AtomicU64,
    n_receivers: AtomicU64,
    n_delivered: AtomicU64,
    /// Rings when deliveries came.
    delivered: Notify,
}

impl Load {
    pub(super) fn new(plan: Plan, n_publishers: u16, n_messages: Option<u64>) -> Self {
        Self {
            plan,
            clock: Clock::start(),
            lanes: (0..n_publishers).map(|_| Lane::default()).collect(),
            is_over: AtomicBool::new(false),
            n_left: n_messages.map(AtomicU64::new),
        }
    }

    /// Publishers end after what they are sending.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.lanes.iter().for_each(|it| it.delivered.notify_one());
    }

    pub(super) fn n_published(&self) -> u64 {
        self.sum(|it| &it.n_published)
    }

    /// What the answers to PUBLISH say.
    pub(super) fn n_receivers(&self) -> u64 {
        self.sum(|it| &it.n_receivers)
    }

    pub(super) fn n_delivered(&self) -> u64 {
        self.sum(|it| &it.n_delivered)
    }

    fn sum(&self, count: impl Fn(&Lane) -> &AtomicU64) -> u64 {
        self.lanes.iter().map(|it| count(it).load(Ordering::SeqCst)).sum()
    }

    /// Takes up to `n` messages from those that may still be published.
    fn claim(&self, n: u64) -> u64 {
        if self.is_over.load(Ordering::SeqCst) {
            return 0;
        }
        let Some(n_left) = &self.n_left else { return n };
        let take = |left: u64| Some(left.saturating_sub(n));
        let left = n_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).unwrap_or(0);
        left.min(n)
    }
}

/// How a publisher ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    Everything,
    /// Messages in flight were not delivered for long.
    Stalled,
}

/// Publishes with at most `depth` messages in flight. A message is in flight until every
/// subscriber has it, so no queue on the way grows without bound.
pub(super) async fn publish(
    load: Arc<Load>,
    publisher: u16,
    fanfare: Fanfare,
) -> Result<Published, fanfare::Error> {
    let Some(lane) = load.lanes.get(usize::from(publisher)) else {
        return Ok(Published::Everything);
    };
    let plan = &load.plan;
    let mut pace = Pace::new(plan.rate, Duration::MAX).precise();
    let mut payload = vec![b'x'; plan.payload_bytes.max(HEADER_BYTES)];
    loop {
        let Some(room) = room(&load, lane).await else { return Ok(Published::Stalled) };
        let n_due = pace.due(usize::try_from(room).unwrap_or(usize::MAX)).await;
        let n = load.claim(n_due as u64);
        if n == 0 {
            return Ok(Published::Everything);
        }
        let first = pace.n_taken();
        let chunk = (first..first + n).map(|idx| {
            // With a rate, from when it should have been sent: a server that delays the next
            // message is charged for that too.
            let sent_ns = load.clock.at_ns(pace.scheduled(idx).into_std());
            put(&mut payload, sent_ns, publisher);
            (plan.channel.as_str(), payload.clone())
        });
        let chunk: Vec<(&str, Vec<u8>)> = chunk.collect();
        for n_receivers in fanfare.publish_batch(chunk).await {
            lane.n_receivers.fetch_add(n_receivers?, Ordering::SeqCst);
            lane.n_published.fetch_add(1, Ordering::SeqCst);
        }
        pace.take(usize::try_from(n).unwrap_or(usize::MAX));
    }
}

/// Waits until at least half of the depth is free, and returns how much is; `None` if nothing is
/// delivered any more.
async fn room(load: &Load, lane: &Lane) -> Option<u64> {
    let plan = &load.plan;
    let mut n_before = lane.n_delivered.load(Ordering::SeqCst);
    loop {
        let n_delivered = lane.n_delivered.load(Ordering::SeqCst);
        let n_done = n_delivered / plan.n_subscribers.max(1);
        let in_flight = lane.n_published.load(Ordering::SeqCst).saturating_sub(n_done);
        let room = plan.depth.saturating_sub(in_flight);
        if plan.depth.div_ceil(2) <= room || load.is_over.load(Ordering::SeqCst) {
            return Some(room.max(1));
        }
        if tokio::time::timeout(STALL, lane.delivered.notified()).await.is_err() {
            if lane.n_delivered.load(Ordering::SeqCst) == n_before {
                return None;
            }
            n_before = n_delivered;
        }
    }
}

fn put(payload: &mut [u8], sent_ns: u64, publisher: u16) {
    if let Some((header, _)) = payload.split_first_chunk_mut::<HEADER_BYTES>() {
        let (time, from) = header.split_at_mut(8);
        time.copy_from_slice(&sent_ns.to_le_bytes());
        from.copy_from_slice(&publisher.to_le_bytes());
    }
}

fn take(payload: &[u8]) -> Option<(u64, u16)> {
    let (time, rest) = payload.split_first_chunk::<8>()?;
    let (from, _) = rest.split_first_chunk::<2>()?;
    Some((u64::from_le_bytes(*time), u16::from_le_bytes(*from)))
}

/// What one subscriber, or all of them, measured.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) latencies: Latencies,
    /// Times the connection was lost or messages were dropped.
    pub(super) n_gaps: u64,
}

impl Measured {
    pub(super) fn new() -> Self {
        Self { latencies: Latencies::new(), n_gaps: 0 }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies);
        self.n_gaps += other.n_gaps;
    }
}

/// Counts and measures what comes until `ended` is true.
pub(super) async fn listen(
    load: Arc<Load>,
    mut subscription: Subscription,
    mut ended: watch::Receiver<bool>,
) -> Measured {
    let mut measured = Measured::new();
    let mut n_by_publisher = vec![0u64; load.lanes.len()];
    loop {
        let mut next = tokio::select! {
            delivery = subscription.next_delivery() => delivery,
            _ = ended.wait_for(|it| *it) => return measured,
        };
        for _ in 0..BURST_MAX {
            match next {
                Some(Delivery::Message(it)) => {
                    count(&load, &mut measured, &mut n_by_publisher, &it);
                }
                Some(Delivery::Gap(_)) => measured.n_gaps += 1,
                None => return measured,
            }
            match subscription.next_delivery().now_or_never() {
                Some(delivery) => next = delivery,
                None => break,
            }
        }
        for (n, lane) in n_by_publisher.iter_mut().zip(&load.lanes).filter(|(n, _)| **n != 0) {
            lane.n_delivered.fetch_add(std::mem::take(n), Ordering::SeqCst);
            lane.delivered.notify_one();
        }
    }
}

fn count(load: &Load, measured: &mut Measured, n_by_publisher: &mut [u64], message: &Message) {
    let Some((sent_ns, publisher)) = take(&message.payload) else { return };
    if let Some(n) = n_by_publisher.get_mut(usize::from(publisher)) {
        *n += 1;
        measured.latencies.record(load.clock.since(sent_ns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_carries_its_time_and_publisher() {
        let mut payload = [b'x'; 12];
        put(&mut payload, 7, 300);
        assert_eq!(take(&payload), Some((7, 300)));
        assert_eq!(&payload[10..], b"xx");
        assert_eq!(take(b"short"), None);
    }

    #[test]
    fn a_fixed_number_of_messages_is_shared() {
        let plan = Plan {
            channel: "c".to_owned(),
            n_subscribers: 1,
            depth: 1,
            payload_bytes: 16,
            rate: None,
        };
        let load = Load::new(plan, 1, Some(5));
        assert_eq!([load.claim(3), load.claim(3), load.claim(3)], [3, 2, 0]);
    }
}
