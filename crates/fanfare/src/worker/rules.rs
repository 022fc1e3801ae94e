//! What a worker goes by, and what it makes of an entry that is pending. No I/O.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare_client::Backoff;

use crate::stream::{PendingEntry, StreamId};

/// The consumer that has what failed and is to be tried again. It is not a program: an entry's time
/// is up when it has been there for as long as its number of deliveries says, and then any worker
/// of the group takes it.
pub(crate) const RETRY_CONSUMER: &[u8] = b"fanfare:retry";

/// The options of a worker that decide what happens to an entry.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Entries that are handled at the same time.
    pub(crate) concurrency: usize,
    /// Entries beyond them that may be read ahead.
    pub(crate) prefetch: usize,
    /// After so long without a sign of life, an entry may be taken by another worker.
    pub(crate) lease: Duration,
    pub(crate) backoff: Backoff,
    /// An entry is delivered at most so often.
    pub(crate) deliveries_max: u64,
    /// Whether an entry that failed is kept, so that those of the same key wait for it.
    pub(crate) is_ordered: bool,
}

/// What to do with an entry that is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing: somebody has it, or its time has not come.
    Leave,
    /// Take it and handle it.
    Claim,
    /// Take it, and put it with the dead letters: it was delivered as often as is allowed.
    Bury,
}

impl Rules {
    /// Entries that a worker may have by reading: then it reads no more.
    pub(crate) fn capacity(&self) -> usize {
        self.concurrency.saturating_add(self.prefetch)
    }

    /// How long an entry rests after so many deliveries: the same for every worker, since it is
    /// computed from what the server knows.
    pub(crate) fn rest(&self, id: StreamId, deliveries: u64) -> Duration {
        match u32::try_from(deliveries) {
            Ok(0) => Duration::ZERO,
            Ok(n) => self.backoff.delay(n, spread(id, deliveries)),
            Err(_) => self.backoff.cap,
        }
    }

    /// When to give a sign of life again.
    pub(crate) fn renew_after(&self) -> Duration {
        self.lease / 3
    }

    /// Until when an entry is surely still ours, if nobody answers.
    pub(crate) fn is_surely_ours(&self, confirmed_at: Instant, now: Instant) -> bool {
        now.saturating_duration_since(confirmed_at) < self.lease * 4 / 5
    }

    /// What to do with an entry that this worker does not have. `orphaned_after`: if it is this
    /// worker's own by the server's account and was delivered at least so long ago, then the
    /// answer was lost on its way.
    pub(crate) fn judge(
        &self,
        pending: &PendingEntry,
        me: &Bytes,
        orphaned_after: Duration,
    ) -> Verdict {
        let is_free = if pending.consumer.is_empty() {
            true
        } else if pending.consumer == RETRY_CONSUMER {
            self.rest(pending.id, pending.deliveries) <= pending.idle
        } else if pending.consumer == me {
            orphaned_after.min(self.lease) <= pending.idle
        } else {
            self.lease <= pending.idle
        };
        match (is_free, self.deliveries_max <= pending.deliveries) {
            (false, _) => Verdict::Leave,
            (true, false) => Verdict::Claim,
            (true, true) => Verdict::Bury,
        }
    }
}

/// A number in `0.0..1.0` that looks random and is the same for the same entry and count.
fn spread(id: StreamId, deliveries: u64) -> f64 {
    let mut mixed = id.ms ^ id.seq.rotate_left(32) ^ deliveries.rotate_left(48);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let top = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0);
    f64::from(top) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            concurrency: 10,
            prefetch: 10,
            lease: Duration::from_secs(30),
            backoff: Backoff { first: Duration::from_secs(1), cap: Duration::from_secs(60) },
            deliveries_max: 5,
            is_ordered: false,
        }
    }

    fn pending(consumer: &[u8], idle_ms: u64, deliveries: u64) -> PendingEntry {
        let idle = Duration::from_millis(idle_ms);
        let consumer = Bytes::copy_from_slice(consumer);
        PendingEntry { id: StreamId::new(7, 1), consumer, idle, deliveries }
    }

    #[test]
    fn only_what_nobody_has_is_taken() {
        let (rules, me) = (rules(), Bytes::from("me"));
        let soon = Duration::from_secs(2);
        let judge = |consumer, idle, n| rules.judge(&pending(consumer, idle, n), &me, soon);
        assert_eq!(judge(b"other", 29_999, 1), Verdict::Leave);
        assert_eq!(judge(b"other", 30_000, 1), Verdict::Claim);
        assert_eq!(judge(b"other", 29_999, 5), Verdict::Leave);
        assert_eq!(judge(b"other", 30_000, 5), Verdict::Bury);
        assert_eq!(judge(b"me", 1_999, 1), Verdict::Leave);
        assert_eq!(judge(b"me", 2_000, 1), Verdict::Claim);
        // Given back.
        assert_eq!(judge(b"", 0, 1), Verdict::Claim);
        assert_eq!(judge(b"", 0, u64::MAX), Verdict::Bury);
        // Waiting for their time: at least half of the backoff, at most all of it.
        assert_eq!(judge(RETRY_CONSUMER, 0, 0), Verdict::Claim);
        assert_eq!(judge(RETRY_CONSUMER, 499, 1), Verdict::Leave);
        assert_eq!(judge(RETRY_CONSUMER, 1_000, 1), Verdict::Claim);
        assert_eq!(judge(RETRY_CONSUMER, 3_999, 4), Verdict::Leave);
        assert_eq!(judge(RETRY_CONSUMER, 8_000, 4), Verdict::Claim);
    }

    #[test]
    fn rests_double_up_to_the_cap_and_differ_between_entries() {
        let rules = rules();
        let rest = |ms, n| rules.rest(StreamId::new(ms, 0), n);
        assert_eq!(rest(1, 3), rest(1, 3));
        assert!((0..100).any(|ms| rest(ms, 3) != rest(1, 3)));
        for ms in 0..1_000 {
            assert!(rest(ms, 2) <= Duration::from_secs(2) && Duration::from_secs(1) <= rest(ms, 2));
            assert!(rest(ms, u64::MAX) <= Duration::from_secs(60));
        }
    }
}
