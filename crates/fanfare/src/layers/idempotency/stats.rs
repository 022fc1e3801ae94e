//! What an idempotency layer has done.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) claimed: AtomicU64,
    pub(super) taken_over: AtomicU64,
    pub(super) recorded: AtomicU64,
    pub(super) released: AtomicU64,
    pub(super) duplicates: AtomicU64,
    pub(super) in_flight: AtomicU64,
    pub(super) without_id: AtomicU64,
    pub(super) overtaken: AtomicU64,
    pub(super) unrecorded: AtomicU64,
    pub(super) away: AtomicU64,
}

impl Counts {
    pub(super) fn read(&self) -> IdempotencyStats {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        IdempotencyStats {
            claimed: get(&self.claimed),
            taken_over: get(&self.taken_over),
            recorded: get(&self.recorded),
            released: get(&self.released),
            duplicates: get(&self.duplicates),
            in_flight: get(&self.in_flight),
            without_id: get(&self.without_id),
            overtaken: get(&self.overtaken),
            unrecorded: get(&self.unrecorded),
            away: get(&self.away),
        }
    }
}

/// What an [`Idempotency`](super::Idempotency) has done in this program since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdempotencyStats {
    /// Messages that were claimed.
    pub claimed: u64,
    /// Those of them whose claim by another program had ended without a word.
    pub taken_over: u64,
    /// Messages that were marked as done.
    pub recorded: u64,
    /// Claims that were released because the handler failed.
    pub released: u64,
    /// Messages that were skipped because they were done before.
    pub duplicates: u64,
    /// Messages that were found in flight.
    pub in_flight: u64,
    /// Messages that nothing tells from others.
    pub without_id: u64,
    /// Handlers that ended well after another program had claimed their message.
    pub overtaken: u64,
    /// Handlers that ended well and could not be marked as done, since the broker was away for too
    /// long.
    pub unrecorded: u64,
    /// Messages for which the broker could not be asked at the first attempt.
    pub away: u64,
}
