//! One stripe: a hash table, its expiries, and who watches its keys.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashTable;
use parking_lot::{Mutex, MutexGuard};

use super::count::{Counters, StripeCounts};
use super::entry::{Entry, Text, Value};

/// A stripe behind its lock, with counts that can be read without it.
///
/// Two cache lines: a lookup that finds its key needs only the first.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct Slot {
    stripe: Mutex<Stripe>,
    counters: Counters,
}

/// What is seldom there is boxed, so that what every command looks at lies together.
#[derive(Debug, Default)]
struct Stripe {
    table: HashTable<Entry>,
    watched: Option<Box<HashTable<Watched>>>,
    schedule: Option<Box<Schedule>>,
}

/// `(when in ms, hash of the key)`, soonest first; entries that no longer hold are skipped when they come up.
type Schedule = BinaryHeap<Reverse<(u64, u64)>>;

#[derive(Debug)]
struct Watched {
    hash: u64,
    key: Box<[u8]>,
    /// Of the clients that watch it.
    marks: Vec<Arc<AtomicBool>>,
}

/// A stripe that is locked. Its holder is the only one who writes its counts.
#[derive(Debug)]
pub(crate) struct StripeGuard<'a> {
    stripe: MutexGuard<'a, Stripe>,
    counters: &'a Counters,
}

impl Slot {
    #[inline]
    pub(crate) fn lock(&self) -> StripeGuard<'_> {
        StripeGuard { stripe: self.stripe.lock(), counters: &self.counters }
    }

    pub(crate) fn try_lock(&self) -> Option<StripeGuard<'_>> {
        let stripe = self.stripe.try_lock()?;
        Some(StripeGuard { stripe, counters: &self.counters })
    }

    pub(crate) fn n_keys(&self) -> usize {
        self.counters.n_keys.get()
    }

    pub(crate) fn n_expires(&self) -> usize {
        self.counters.n_expires.get()
    }

    pub(crate) fn counts(&self) -> StripeCounts {
        self.counters.events()
    }
}

impl StripeGuard<'_> {
    /// The entry of `key`, after removing it if its time has come.
    #[inline]
    pub(crate) fn get(&mut self, hash: u64, key: &[u8], now_ms: u64) -> Option<&mut Entry> {
        let Stripe { table, watched, schedule } = &mut *self.stripe;
        let found = table.find_entry(hash, |it| *it.key == *key).ok()?;
        if found.get().is_due(now_ms) {
            let (entry, _) = found.remove();
            expired(self.counters, schedule, watched.as_deref(), hash, entry);
            return None;
        }
        Some(found.into_mut())
    }

    /// As [`Self::get`], counted as hit or miss.
    #[inline]
    pub(crate) fn lookup(&mut self, hash: u64, key: &[u8], now_ms: u64) -> Option<&mut Entry> {
        let counters = self.counters;
        let found = self.get(hash, key, now_ms);
        let count = if found.is_some() { &counters.n_hits } else { &counters.n_misses };
        count.add(1);
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
        match self.stripe.table.find_mut(hash, |it| *it.key == *key) {
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
        self.stripe.table.insert_unique(hash, entry, |it| rehash(&it.key));
        self.counters.n_keys.add(1);
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
        match self.stripe.table.find_mut(hash, |it| *it.key == *key) {
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
        let found = self.stripe.table.find_entry(hash, |it| *it.key == *key).ok()?;
        let (entry, _) = found.remove();
        self.counters.n_keys.sub(1);
        self.account_expiry(hash, entry.expires_at_ms, 0);
        Some(entry.value)
    }

    /// Changes when `key` expires (0: never); returns whether the key is there.
    pub(crate) fn set_expiry(&mut self, hash: u64, key: &[u8], expires_at_ms: u64) -> bool {
        let found = self.stripe.table.find_mut(hash, |it| *it.key == *key);
        let Some(entry) = found else { return false };
        let before = std::mem::replace(&mut entry.expires_at_ms, expires_at_ms);
        self.account_expiry(hash, before, expires_at_ms);
        true
    }

    #[inline]
    fn account_expiry(&mut self, hash: u64, before_ms: u64, after_ms: u64) {
        if before_ms != after_ms {
            self.reschedule(hash, before_ms, after_ms);
        }
    }

    fn reschedule(&mut self, hash: u64, before_ms: u64, after_ms: u64) {
        if after_ms != 0 {
            self.counters.n_expires.add(1);
            self.stripe.schedule.get_or_insert_default().push(Reverse((after_ms, hash)));
        }
        if before_ms != 0 {
            forget_expiry(&mut self.stripe.schedule, self.counters);
        }
        if after_ms != 0 {
            self.prune_schedule();
        }
    }

    /// Keeps the schedule proportional to the keys that expire, however often their expiry is changed.
    fn prune_schedule(&mut self) {
        let Stripe { table, schedule, .. } = &mut *self.stripe;
        let Some(schedule) = schedule else { return };
        if self.counters.n_expires.get() * 2 + 64 < schedule.len() {
            schedule.retain(|Reverse((at_ms, hash))| {
                table.find(*hash, |it| it.expires_at_ms == *at_ms).is_some()
            });
        }
    }

    /// Removes up to `n_max` keys that are due.
    pub(crate) fn expire_due(&mut self, now_ms: u64, n_max: usize) -> usize {
        let mut n_removed = 0;
        while n_removed < n_max {
            let Some((at_ms, hash)) = self.pop_due(now_ms) else { break };
            let due = self.stripe.table.find_entry(hash, |it| it.expires_at_ms == at_ms);
            if let Ok(found) = due {
                let (entry, _) = found.remove();
                let Stripe { schedule, watched, .. } = &mut *self.stripe;
                expired(self.counters, schedule, watched.as_deref(), hash, entry);
                n_removed += 1;
            }
        }
        n_removed
    }

    /// The soonest expiry if its time has come, taken off the schedule.
    fn pop_due(&mut self, now_ms: u64) -> Option<(u64, u64)> {
        let schedule = self.stripe.schedule.as_mut()?;
        let &Reverse(soonest) = schedule.peek()?;
        (soonest.0 <= now_ms).then(|| schedule.pop())?;
        Some(soonest)
    }

    /// Tells those who watch `key` that it changed.
    #[inline]
    pub(crate) fn touch(&mut self, hash: u64, key: &[u8]) {
        self.counters.n_changes.add(1);
        mark(self.stripe.watched.as_deref(), hash, key);
    }

    pub(crate) fn watch(&mut self, hash: u64, key: &[u8], mark: &Arc<AtomicBool>) {
        let watched = self.stripe.watched.get_or_insert_default();
        let watched = watched.entry(hash, |it| *it.key == *key, |it| it.hash);
        let watched = watched.or_insert_with(|| Watched { hash, key: key.into(), marks: vec![] });
        watched.into_mut().marks.push(Arc::clone(mark));
    }

    pub(crate) fn unwatch(&mut self, hash: u64, key: &[u8], mark: &Arc<AtomicBool>) {
        let Some(watched) = &mut self.stripe.watched else { return };
        let Ok(mut found) = watched.find_entry(hash, |it| *it.key == *key) else { return };
        found.get_mut().marks.retain(|it| !Arc::ptr_eq(it, mark));
        if found.get().marks.is_empty() {
            found.remove();
        }
        if watched.is_empty() {
            self.stripe.watched = None;
        }
    }

    /// Number of keys.
    pub(crate) fn n_keys(&self) -> usize {
        self.stripe.table.len()
    }

    /// Empties the stripe; what it held is returned, to be dropped outside the lock.
    pub(crate) fn clear(&mut self) -> HashTable<Entry> {
        let table = std::mem::take(&mut self.stripe.table);
        for Watched { hash, key, marks } in self.stripe.watched.iter().flat_map(|it| it.iter()) {
            if table.find(*hash, |it| it.key == *key).is_some() {
                raise(marks);
            }
        }
        self.stripe.schedule = None;
        self.counters.n_keys.sub(table.len());
        self.counters.n_expires.sub(self.counters.n_expires.get());
        self.counters.n_changes.add(table.len() as u64);
        table
    }
}

/// An entry was taken out because its time had come.
#[cold]
fn expired(
    counters: &Counters,
    schedule: &mut Option<Box<Schedule>>,
    watched: Option<&HashTable<Watched>>,
    hash: u64,
    entry: Entry,
) {
    counters.n_keys.sub(1);
    counters.n_expired.add(1);
    counters.n_changes.add(1);
    forget_expiry(schedule, counters);
    mark(watched, hash, &entry.key);
}

/// One key less that expires. Without any there is no schedule.
#[inline]
fn forget_expiry(schedule: &mut Option<Box<Schedule>>, counters: &Counters) {
    counters.n_expires.sub(1);
    if counters.n_expires.get() == 0 {
        *schedule = None;
    }
}

#[inline]
fn mark(watched: Option<&HashTable<Watched>>, hash: u64, key: &[u8]) {
    if let Some(found) = watched.and_then(|it| it.find(hash, |it| *it.key == *key)) {
        raise(&found.marks);
    }
}

fn raise(marks: &[Arc<AtomicBool>]) {
    marks.iter().for_each(|mark| mark.store(true, Ordering::Release));
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::Slot;

    #[test]
    fn a_slot_has_two_cache_lines_and_what_lookups_need_is_in_the_first() {
        assert_eq!(size_of::<Slot>(), 128);
        // Whoever finds a key counts it: the first counter ends the first line.
        assert_eq!(std::mem::offset_of!(Slot, counters), 56);
    }
}
