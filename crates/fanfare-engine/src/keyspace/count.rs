//! Counters of a stripe: written by the holder of its lock only, read by everyone without it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A stripe's counters, that of the most frequent event first.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Counters {
    pub(super) n_hits: Events,
    pub(super) n_misses: Events,
    pub(super) n_changes: Events,
    pub(super) n_expired: Events,
    pub(super) n_keys: Level,
    pub(super) n_expires: Level,
    /// Hashes with fields that expire.
    pub(super) n_timed: Level,
    pub(super) n_bytes: Level,
    pub(super) n_fields_expired: Events,
}

impl Counters {
    pub(super) fn events(&self) -> StripeCounts {
        StripeCounts {
            n_hits: self.n_hits.get(),
            n_misses: self.n_misses.get(),
            n_expired: self.n_expired.get(),
            n_evicted: 0,
            n_fields_expired: self.n_fields_expired.get(),
            n_changes: self.n_changes.get(),
        }
    }
}

/// What happened to a stripe since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StripeCounts {
    /// Lookups that found a key.
    pub n_hits: u64,
    /// Lookups that found none.
    pub n_misses: u64,
    /// Keys removed because their time had come.
    pub n_expired: u64,
    /// Keys removed to make room.
    pub n_evicted: u64,
    /// Fields of hashes removed because their time had come.
    pub n_fields_expired: u64,
    /// Writes.
    pub n_changes: u64,
}

impl std::ops::AddAssign for StripeCounts {
    fn add_assign(&mut self, other: Self) {
        self.n_hits += other.n_hits;
        self.n_misses += other.n_misses;
        self.n_expired += other.n_expired;
        self.n_evicted += other.n_evicted;
        self.n_fields_expired += other.n_fields_expired;
        self.n_changes += other.n_changes;
    }
}

/// How often something happened. There is one writer at a time, so a load and a store do.
#[derive(Debug, Default)]
pub(super) struct Events(AtomicU64);

impl Events {
    #[inline]
    pub(super) fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many of something there are; one writer at a time.
#[derive(Debug, Default)]
pub(super) struct Level(AtomicUsize);

impl Level {
    #[inline]
    pub(super) fn add(&self, n: usize) {
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn sub(&self, n: usize) {
        self.0.store(self.get().wrapping_sub(n), Ordering::Relaxed);
    }

    /// A part of it that was `before` is `after` now.
    #[inline]
    pub(super) fn moved(&self, before: usize, after: usize) {
        if before != after {
            self.0.store(self.get().wrapping_sub(before).wrapping_add(after), Ordering::Relaxed);
        }
    }

    pub(super) fn replace(&self, level: usize) -> usize {
        let before = self.get();
        self.0.store(level, Ordering::Relaxed);
        before
    }

    #[inline]
    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
