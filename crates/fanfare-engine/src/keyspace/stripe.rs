//! One stripe: a hash table, its expiries, and who watches its keys.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use hashbrown::HashTable;
use parking_lot::{Mutex, MutexGuard};

use super::entry::{Entry, Text, Value};

/// A stripe behind its lock, with counts that can be read without it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Slot {
    stripe: Mutex<Stripe>,
    n_keys: AtomicUsize,
    n_expires: AtomicUsize,
    n_hits: AtomicU64,
    n_misses: AtomicU64,
    n_expired: AtomicU64,
    n_changes: AtomicU64,
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
    /// Writes.
    pub n_changes: u64,
}

impl std::ops::AddAssign for StripeCounts {
    fn add_assign(&mut self, other: Self) {
        self.n_hits += other.n_hits;
        self.n_misses += other.n_misses;
        self.n_expired += other.n_expired;
        self.n_changes += other.n_changes;
    }
}

impl Slot {
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Stripe> {
        self.stripe.lock()
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, Stripe>> {
        self.stripe.try_lock()
    }

    /// Makes the counts of the locked stripe readable for everyone.
    #[inline]
    pub(crate) fn publish(&self, stripe: &Stripe) {
        self.n_keys.store(stripe.table.len(), Ordering::Relaxed);
        self.n_expires.store(stripe.n_expires, Ordering::Relaxed);
        self.n_hits.store(stripe.counts.n_hits, Ordering::Relaxed);
        self.n_misses.store(stripe.counts.n_misses, Ordering::Relaxed);
        self.n_expired.store(stripe.counts.n_expired, Ordering::Relaxed);
        self.n_changes.store(stripe.counts.n_changes, Ordering::Relaxed);
    }

    pub(crate) fn n_keys(&self) -> usize {
        self.n_keys.load(Ordering::Relaxed)
    }

    pub(crate) fn n_expires(&self) -> usize {
        self.n_expires.load(Ordering::Relaxed)
    }

    pub(crate) fn counts(&self) -> StripeCounts {
        StripeCounts {
            n_hits: self.n_hits.load(Ordering::Relaxed),
            n_misses: self.n_misses.load(Ordering::Relaxed),
            n_expired: self.n_expired.load(Ordering::Relaxed),
            n_changes: self.n_changes.load(Ordering::Relaxed),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Stripe {
    table: HashTable<Entry>,
    n_expires: usize,
    /// `(when in ms, hash of the key)`, soonest first; entries that no longer hold are skipped when they come up.
    schedule: BinaryHeap<Reverse<(u64, u64)>>,
    watched: HashMap<Box<[u8]>, Vec<Arc<AtomicBool>>>,
    counts: StripeCounts,
}

impl Stripe {
    /// The entry of `key`, after removing it if its time has come.
    #[inline]
    pub(crate) fn get(&mut self, hash: u64, key: &[u8], now_ms: u64) -> Option<&mut Entry> {
        if self.n_expires != 0 {
            let due =
                self.table.find(hash, |it| *it.key == *key).is_some_and(|it| it.is_due(now_ms));
            if due {
                self.remove(hash, key);
                self.counts.n_expired += 1;
                self.touch(key);
            }
        }
        self.table.find_mut(hash, |it| *it.key == *key)
    }

    /// As [`Self::get`], counted as hit or miss.
    #[inline]
    pub(crate) fn lookup(&mut self, hash: u64, key: &[u8], now_ms: u64) -> Option<&mut Entry> {
        if self.n_expires != 0 {
            self.get(hash, key, now_ms);
        }
        let found = self.table.find_mut(hash, |it| *it.key == *key);
        if found.is_some() {
            self.counts.n_hits += 1;
        } else {
            self.counts.n_misses += 1;
        }
        found
    }

    /// Sets a string; where the key holds one of the same length its memory is used again.
    #[inline]
    pub(crate) fn put_text(
        &mut self,
        hash: u64,
        key: &[u8],
        bytes: &[u8],
        expires_at_ms: u64,
        rehash: impl Fn(&[u8]) -> u64,
    ) {
        match self.table.find_mut(hash, |it| *it.key == *key) {
            Some(entry) => {
                match &mut entry.value {
                    Value::Text(text) => text.assign(bytes),
                }
                let before_ms = std::mem::replace(&mut entry.expires_at_ms, expires_at_ms);
                self.account_expiry(hash, before_ms, expires_at_ms);
            }
            None => {
                let value = Value::Text(Text::new(bytes));
                self.insert(hash, Entry { key: key.into(), value, expires_at_ms }, rehash);
            }
        }
    }

    fn insert(&mut self, hash: u64, entry: Entry, rehash: impl Fn(&[u8]) -> u64) {
        let expires_at_ms = entry.expires_at_ms;
        self.table.insert_unique(hash, entry, |it| rehash(&it.key));
        self.account_expiry(hash, 0, expires_at_ms);
    }

    /// Sets the value; `expires_at_ms` 0 means never.
    #[inline]
    pub(crate) fn put(
        &mut self,
        hash: u64,
        key: &[u8],
        value: Value,
        expires_at_ms: u64,
        rehash: impl Fn(&[u8]) -> u64,
    ) -> Option<Value> {
        match self.table.find_mut(hash, |it| *it.key == *key) {
            Some(entry) => {
                let before_ms = std::mem::replace(&mut entry.expires_at_ms, expires_at_ms);
                let before = std::mem::replace(&mut entry.value, value);
                self.account_expiry(hash, before_ms, expires_at_ms);
                Some(before)
            }
            None => {
                self.insert(hash, Entry { key: key.into(), value, expires_at_ms }, rehash);
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, hash: u64, key: &[u8]) -> Option<Value> {
        let found = self.table.find_entry(hash, |it| *it.key == *key).ok()?;
        let (entry, _) = found.remove();
        self.account_expiry(hash, entry.expires_at_ms, 0);
        Some(entry.value)
    }

    /// Changes when `key` expires (0: never); returns whether the key is there.
    pub(crate) fn set_expiry(&mut self, hash: u64, key: &[u8], expires_at_ms: u64) -> bool {
        let Some(entry) = self.table.find_mut(hash, |it| *it.key == *key) else { return false };
        let before = std::mem::replace(&mut entry.expires_at_ms, expires_at_ms);
        self.account_expiry(hash, before, expires_at_ms);
        true
    }

    #[inline]
    fn account_expiry(&mut self, hash: u64, before_ms: u64, after_ms: u64) {
        if before_ms == after_ms {
            return;
        }
        if before_ms != 0 {
            self.n_expires -= 1;
        }
        if after_ms != 0 {
            self.n_expires += 1;
            self.schedule.push(Reverse((after_ms, hash)));
            self.prune_schedule();
        }
        if self.n_expires == 0 {
            self.schedule = BinaryHeap::new();
        }
    }

    /// Keeps the schedule proportional to the keys that expire, however often their expiry is changed.
    fn prune_schedule(&mut self) {
        if self.n_expires * 2 + 64 < self.schedule.len() {
            let table = &self.table;
            self.schedule.retain(|Reverse((at_ms, hash))| {
                table.find(*hash, |it| it.expires_at_ms == *at_ms).is_some()
            });
        }
    }

    /// Removes up to `n_max` keys that are due.
    pub(crate) fn expire_due(&mut self, now_ms: u64, n_max: usize) -> usize {
        let mut n_removed = 0;
        while n_removed < n_max {
            match self.schedule.peek() {
                Some(&Reverse((at_ms, hash))) if at_ms <= now_ms => {
                    self.schedule.pop();
                    let due = self.table.find_entry(hash, |it| it.expires_at_ms == at_ms);
                    if let Ok(found) = due {
                        let (entry, _) = found.remove();
                        self.account_expiry(hash, entry.expires_at_ms, 0);
                        self.counts.n_expired += 1;
                        self.touch(&entry.key);
                        n_removed += 1;
                    }
                }
                _ => break,
            }
        }
        n_removed
    }

    /// Tells those who watch `key` that it changed.
    #[inline]
    pub(crate) fn touch(&mut self, key: &[u8]) {
        self.counts.n_changes += 1;
        if !self.watched.is_empty() {
            for mark in self.watched.get(key).into_iter().flatten() {
                mark.store(true, Ordering::Release);
            }
        }
    }

    pub(crate) fn watch(&mut self, key: &[u8], mark: &Arc<AtomicBool>) {
        self.watched.entry(key.into()).or_default().push(Arc::clone(mark));
    }

    pub(crate) fn unwatch(&mut self, key: &[u8], mark: &Arc<AtomicBool>) {
        if let Some(marks) = self.watched.get_mut(key) {
            marks.retain(|it| !Arc::ptr_eq(it, mark));
            if marks.is_empty() {
                self.watched.remove(key);
            }
        }
    }

    /// Empties the stripe; what it held is returned, to be dropped outside the lock.
    pub(crate) fn clear(&mut self, hash_of: impl Fn(&[u8]) -> u64) -> HashTable<Entry> {
        for (key, marks) in &self.watched {
            if self.table.find(hash_of(key), |it| it.key == *key).is_some() {
                marks.iter().for_each(|mark| mark.store(true, Ordering::Release));
            }
        }
        self.n_expires = 0;
        self.schedule = BinaryHeap::new();
        self.counts.n_changes += self.table.len() as u64;
        std::mem::take(&mut self.table)
    }
}
