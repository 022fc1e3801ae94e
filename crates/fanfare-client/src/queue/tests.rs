//! Every policy, and the law that nothing is lost uncounted.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::task::noop_waker;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::{Kind, message::Outage};

fn message(n: u64) -> Message {
    Message {
        kind: Kind::Channel,
        channel: Bytes::from_static(b"c"),
        pattern: None,
        payload: Bytes::from(n.to_string()),
        received_at: SystemTime::UNIX_EPOCH,
    }
}

fn queue(overflow: Overflow, messages_max: usize) -> Queue {
    Queue::new(Bounds::new(overflow, messages_max, 1 << 20), Arc::default())
}

/// All entries as text: payloads, and `-n` for a gap of n messages, `!` for an outage.
fn drain(queue: &Queue) -> String {
    let waker = noop_waker();
    let mut cx = Context::from_waker(&waker);
    let mut out = Vec::new();
    while let Poll::Ready(Some(entry)) = queue.poll_next(&mut cx) {
        out.push(match entry {
            Delivery::Message(message) => String::from_utf8(message.payload.to_vec()).unwrap(),
            Delivery::Gap(gap) => {
                format!("-{}{}", gap.n_dropped, gap.outage.map_or("", |_| "!"))
            }
        });
    }
    out.join(" ")
}

fn fill(queue: &Queue, n: u64) {
    for n in 1..=n {
        let _ = queue.push(message(n));
    }
}

fn outage() -> Gap {
    Gap { n_dropped: 0, outage: Some(Outage::new(SystemTime::UNIX_EPOCH, Duration::from_secs(1))) }
}

#[test]
fn drop_oldest_leaves_its_gap_at_the_front() {
    let queue = queue(Overflow::DropOldest, 3);
    fill(&queue, 5);
    assert_eq!(drain(&queue), "-2 3 4 5");
    assert_eq!(queue.stats().dropped, 2);
}

#[test]
fn drop_newest_leaves_its_gap_where_the_messages_would_be() {
    let queue = queue(Overflow::DropNewest, 3);
    fill(&queue, 5);
    let waker = noop_waker();
    let _ = queue.poll_next(&mut Context::from_waker(&waker));
    let _ = queue.push(message(6));
    assert_eq!(drain(&queue), "2 3 -2 6");
}

#[test]
fn disconnect_ends_after_what_was_queued() {
    let queue = queue(Overflow::Disconnect, 3);
    fill(&queue, 5);
    assert!(queue.has_ended());
    assert_eq!(drain(&queue), "1 2 3 -1");
    assert_eq!(queue.error().unwrap().kind(), ErrorKind::SlowConsumer);
}

#[test]
fn block_hands_the_message_back_until_half_is_read() {
    let queue = queue(Overflow::Block, 4);
    fill(&queue, 4);
    assert!(matches!(queue.push(message(5)), Pushed::Full(_)));
    assert!(queue.is_full());
    let waker = noop_waker();
    let mut cx = Context::from_waker(&waker);
    let _ = queue.poll_next(&mut cx);
    assert!(queue.is_full());
    let _ = queue.poll_next(&mut cx);
    assert!(!queue.is_full());
    assert!(matches!(queue.push(message(5)), Pushed::Queued));
    assert_eq!(drain(&queue), "3 4 5");
}

#[test]
fn bytes_bound_too_and_one_message_always_fits() {
    let bounds = Bounds::new(Overflow::DropOldest, 1000, 300);
    let queue = Queue::new(bounds, Arc::default());
    fill(&queue, 3);
    assert_eq!(queue.stats().queued_messages, 2);
    let large = Message { payload: Bytes::from(vec![b'x'; 1000]), ..message(4) };
    let _ = queue.push(large);
    assert_eq!(queue.stats().queued_messages, 1);
    assert_eq!(queue.stats().dropped, 3);
}

#[test]
fn gaps_merge_and_never_touch() {
    let queue = queue(Overflow::DropOldest, 2);
    queue.push_outage(outage());
    queue.push_outage(outage());
    fill(&queue, 3);
    queue.push_outage(outage());
    let _ = queue.push(message(4));
    let _ = queue.push(message(5));
    assert_eq!(drain(&queue), "-3! 4 5");
    assert_eq!(queue.stats().gaps, 1);
}

#[test]
fn an_abandoned_queue_keeps_nothing() {
    let queue = queue(Overflow::DropOldest, 10);
    fill(&queue, 5);
    queue.abandon();
    assert!(matches!(queue.push(message(6)), Pushed::Ended));
    assert_eq!(queue.stats().queued_bytes, 0);
}

#[test]
fn received_is_delivered_and_dropped_and_queued_whatever_happens() {
    let seed = std::env::var("FANFARE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random::<u64>);
    println!("seed: {seed} (repeat with FANFARE_SEED={seed})");
    let mut rng = StdRng::seed_from_u64(seed);
    let waker = noop_waker();
    let mut cx = Context::from_waker(&waker);
    for overflow in [Overflow::DropOldest, Overflow::DropNewest, Overflow::Block] {
        let queue = queue(overflow, rng.random_range(1..20));
        let (mut n_pushed, mut last, mut n_gap_dropped) = (0, 0, 0);
        for _ in 0..20_000 {
            if rng.random_bool(0.01) {
                queue.push_outage(outage());
            }
            if rng.random_bool(0.6) {
                if let Pushed::Queued | Pushed::Dropped = queue.push(message(n_pushed + 1)) {
                    n_pushed += 1;
                }
            } else if let Poll::Ready(Some(entry)) = queue.poll_next(&mut cx) {
                match entry {
                    Delivery::Message(message) => {
                        let n: u64 =
                            std::str::from_utf8(&message.payload).unwrap().parse().unwrap();
                        assert_eq!(n, last + 1, "{overflow:?}: a loss without a gap before it");
                        last = n;
                    }
                    Delivery::Gap(gap) => {
                        last += gap.n_dropped;
                        n_gap_dropped += gap.n_dropped;
                    }
                }
            }
            let stats = queue.stats();
            let queued = stats.queued_messages as u64;
            assert_eq!(stats.received, stats.delivered + stats.dropped + queued);
            assert_eq!(stats.received, n_pushed);
        }
        assert!(n_gap_dropped <= queue.stats().dropped);
    }
}
