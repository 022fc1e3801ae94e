//! One stripe: its keys, when they expire, and who is interested in them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::access::{Access, Clock};
use super::count::{Counters, StripeCounts};
use super::entry::Entry;
use super::expired::Expired;
use super::garbage::is_freed_quickly;
use super::interest::Interests;
use super::schedule::{Due, Part, Schedule};
use super::tracked::TrackedKeys;
use super::{Key, StripeId};
use crate::block::{Blocked, Ticket};
use crate::tracking::{Counts, Tracker, Trackers};
use crate::tree::{HashTree, Name};
use crate::value::{Hash, Text, Typed, Value};

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
    table: HashTree<Entry>,
    interests: Option<Box<Interests>>,
    schedule: Option<Box<Schedule>>,
}

/// A stripe that is locked. Its holder is the only one who writes its counts.
#[derive(Debug)]
pub(crate) struct StripeGuard<'a> {
    stripe: MutexGuard<'a, Stripe>,
    counters: &'a Counters,
}

/// The keys of a stripe, when they expire, and their counts.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    table: HashTree<Entry>,
    schedule: Option<Box<Schedule>>,
    n_expires: usize,
    n_timed: usize,
    n_bytes: usize,
}

impl Contents {
    /// The keys.
    pub(super) fn table(&self) -> &HashTree<Entry> {
        &self.table
    }
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

    pub(crate) fn try_lock_for(&self, patience: Duration) -> Option<StripeGuard<'_>> {
        let stripe = self.stripe.try_lock_for(patience)?;
        Some(StripeGuard { stripe, counters: &self.counters })
    }

    pub(crate) fn n_keys(&self) -> usize {
        self.counters.n_keys.get()
    }

    pub(crate) fn n_expires(&self) -> usize {
        self.counters.n_expires.get()
    }

    pub(crate) fn n_timed(&self) -> usize {
        self.counters.n_timed.get()
    }

    pub(crate) fn n_bytes(&self) -> usize {
        self.counters.n_bytes.get()
    }

    pub(crate) fn counts(&self) -> StripeCounts {
        self.counters.events()
    }
}

/// Reading.
impl StripeGuard<'_> {
    /// The entry of `key`; a due one is there until [`Self::expire`] removes it.
    #[inline]
    pub(crate) fn find(&self, key: Key<'_>) -> Option<&Entry> {
        self.stripe.table.find(key.hash, |it| *it.key == *key.name)
    }

    /// The live entry of `key`, counted as hit or miss and as a use.
    #[inline]
    pub(crate) fn lookup(&self, key: Key<'_>, clock: Option<Clock>) -> Option<&Entry> {
        let found = self.find(key);
        match found {
            Some(entry) => {
                self.counters.n_hits.add(1);
                if let Some(clock) = clock {
                    entry.note_access(clock);
                }
            }
            None => self.counters.n_misses.add(1),
        }
        found
    }

    /// The keys.
    pub(crate) fn table(&self) -> &HashTree<Entry> {
        &self.stripe.table
    }

    /// Some key that expires; which one `random` decides.
    pub(crate) fn sample_expiring(&self, random: u64) -> Option<&Entry> {
        self.stripe.schedule.as_ref()?.sample(random, &self.stripe.table)
    }

    /// Whether the time of any key or field may have come; mostly not, and then none needs to be looked up for it.
    #[inline]
    pub(crate) fn may_have_due(&self, now_ms: u64) -> bool {
        self.stripe.schedule.as_ref().is_some_and(|it| it.may_have_due(now_ms))
    }

    /// Number of keys.
    pub(crate) fn n_keys(&self) -> usize {
        self.stripe.table.len()
    }

    /// Bytes that keys and values take, with the table they are in.
    pub(crate) fn n_bytes(&self) -> usize {
        self.counters.n_bytes.get()
    }
}

/// Writing. Nothing here tells those who are interested: see [`Self::touch`].
impl StripeGuard<'_> {
    /// Removes what is due of `key`, the key itself or up to `n_fields_max` fields of it. Returns what that was, and what
    /// is still to be freed.
    #[cold]
    pub(crate) fn expire(
        &mut self,
        key: Key<'_>,
        now_ms: u64,
        n_fields_max: usize,
    ) -> Option<(Expired, Option<Value>)> {
        if self.find(key)?.is_due(now_ms) {
            let value = self.remove(key);
            self.counters.n_expired.add(1);
            let was_stream = matches!(value, Some(Value::Stream(_)));
            return Some((Expired::Key { key: key.name.into(), was_stream }, value));
        }
        let edited = self.edit(key, None, |value| {
            let hash = Hash::of_mut(value)?;
            Some((hash.expire(now_ms, n_fields_max), hash.is_empty()))
        });
        let (names, were_all) = edited.flatten()?;
        self.counters.n_fields_expired.add(u64::try_from(names.len()).unwrap_or(u64::MAX));
        let value = if were_all { self.remove(key) } else { None };
        Some((Expired::Fields { key: key.name.into(), names, were_all }, value))
    }

    /// Sets a string; where the key holds one of the same length its memory is used again. Returns what it held, if
    /// that is still to be freed.
    #[inline]
    pub(crate) fn put_text(
        &mut self,
        key: Key<'_>,
        bytes: &[u8],
        expires_at_ms: u64,
        new: (Clock, impl Fn(&Entry) -> u64),
    ) -> Option<Value> {
        let found = self.stripe.table.find_mut(key.hash, |it| *it.key == *key.name);
        let Some(entry) = found else {
            let access = Access::new(new.0);
            let entry =
                Entry::new(key.name.into(), Value::Text(Text::new(bytes)), expires_at_ms, access);
            self.insert(key.hash, entry, new.1);
            return None;
        };
        entry.note_access(new.0);
        let n_before = entry.n_content_bytes();
        let before_ms = entry.set_expires_at_ms(expires_at_ms);
        // Its memory goes while the stripe is locked, or is used again: not if that takes long.
        if let Value::Text(text) = entry.value_mut()
            && is_freed_quickly(n_before)
        {
            text.assign(bytes);
            let n_after = entry.n_content_bytes();
            self.counters.n_bytes.moved(n_before, n_after);
            self.account_expiry(key.hash, before_ms, expires_at_ms);
            return None;
        }
        let soonest_before_ms = entry.soonest_ms();
        let replaced = std::mem::replace(entry.value_mut(), Value::Text(Text::new(bytes)));
        let n_after = entry.n_content_bytes();
        self.counters.n_bytes.moved(n_before, n_after);
        self.account_expiry(key.hash, before_ms, expires_at_ms);
        self.account_fields(key.hash, soonest_before_ms, 0);
        Some(replaced)
    }

    /// Sets the value; `expires_at_ms` 0 means never.
    pub(crate) fn put(
        &mut self,
        key: Key<'_>,
        value: Value,
        expires_at_ms: u64,
        new: (Clock, impl Fn(&Entry) -> u64),
    ) -> Option<Value> {
        let found = self.stripe.table.find_mut(key.hash, |it| *it.key == *key.name);
        let Some(entry) = found else {
            let entry = Entry::new(key.name.into(), value, expires_at_ms, Access::new(new.0));
            self.insert(key.hash, entry, new.1);
            return None;
        };
        entry.set_access(Access::new(new.0));
        let (n_before, soonest_before_ms) = (entry.n_content_bytes(), entry.soonest_ms());
        let before_ms = entry.set_expires_at_ms(expires_at_ms);
        let before = std::mem::replace(entry.value_mut(), value);
        let soonest_ms = entry.soonest_ms();
        self.counters.n_bytes.moved(n_before, entry.n_content_bytes());
        self.account_expiry(key.hash, before_ms, expires_at_ms);
        self.account_fields(key.hash, soonest_before_ms, soonest_ms);
        Some(before)
    }

    fn insert(&mut self, hash: u64, entry: Entry, rehash: impl Fn(&Entry) -> u64) {
        let (expires_at_ms, soonest_ms) = (entry.expires_at_ms().unwrap_or(0), entry.soonest_ms());
        let n_bytes = entry.n_bytes();
        let table = &mut self.stripe.table;
        let n_before = table.n_bytes();
        table.insert(hash, entry, rehash);
        self.counters.n_bytes.moved(n_before, table.n_bytes() + n_bytes);
        self.counters.n_keys.add(1);
        self.account_expiry(hash, 0, expires_at_ms);
        self.account_fields(hash, 0, soonest_ms);
    }

    /// Changes the value of `key` in place; counts it as a use.
    #[inline]
    pub(crate) fn edit<R>(
        &mut self,
        key: Key<'_>,
        clock: Option<Clock>,
        edit: impl FnOnce(&mut Value) -> R,
    ) -> Option<R> {
        let entry = self.stripe.table.find_mut(key.hash, |it| *it.key == *key.name)?;
        if let Some(clock) = clock {
            entry.note_access(clock);
        }
        let (n_before, soonest_before_ms) = (entry.n_content_bytes(), entry.soonest_ms());
        let result = edit(entry.value_mut());
        let soonest_ms = entry.soonest_ms();
        self.counters.n_bytes.moved(n_before, entry.n_content_bytes());
        self.account_fields(key.hash, soonest_before_ms, soonest_ms);
        Some(result)
    }

    pub(crate) fn remove(&mut self, key: Key<'_>) -> Option<Value> {
        let table = &mut self.stripe.table;
        let n_before = table.n_bytes();
        let entry = table.remove(key.hash, |it| *it.key == *key.name)?;
        self.counters.n_bytes.moved(n_before + entry.n_bytes(), table.n_bytes());
        self.counters.n_keys.sub(1);
        self.account_expiry(key.hash, entry.expires_at_ms().unwrap_or(0), 0);
        self.account_fields(key.hash, entry.soonest_ms(), 0);
        Some(entry.into_value())
    }

    /// Changes when `key` expires (0: never); returns whether the key is there.
    pub(crate) fn set_expiry(&mut self, key: Key<'_>, expires_at_ms: u64) -> bool {
        let found = self.stripe.table.find_mut(key.hash, |it| *it.key == *key.name);
        let Some(entry) = found else { return false };
        let n_before = entry.n_content_bytes();
        let before_ms = entry.set_expires_at_ms(expires_at_ms);
        self.counters.n_bytes.moved(n_before, entry.n_content_bytes());
        self.account_expiry(key.hash, before_ms, expires_at_ms);
        true
    }

    #[inline]
    fn account_expiry(&mut self, hash: u64, before_ms: u64, after_ms: u64) {
        if before_ms != after_ms {
            self.reschedule(Part::Key, hash, (before_ms, after_ms));
        }
    }

    #[inline]
    fn account_fields(&mut self, hash: u64, before_ms: u64, after_ms: u64) {
        if before_ms != after_ms {
            self.reschedule(Part::Fields, hash, (before_ms, after_ms));
        }
    }

    fn reschedule(&mut self, part: Part, hash: u64, (before_ms, after_ms): (u64, u64)) {
        let n = match part {
            Part::Key => &self.counters.n_expires,
            Part::Fields => &self.counters.n_timed,
        };
        if before_ms != 0 {
            n.sub(1);
        }
        if after_ms != 0 {
            n.add(1);
            let Stripe { table, schedule, .. } = &mut *self.stripe;
            let schedule = schedule.get_or_insert_default();
            schedule.push(part, (after_ms, hash), n.get(), table);
        }
        // Without any there is no schedule.
        if self.counters.n_expires.get() == 0 && self.counters.n_timed.get() == 0 {
            self.stripe.schedule = None;
        }
    }

    /// A key something of which is due.
    pub(super) fn next_due(&mut self, now_ms: u64) -> Option<Due> {
        let Stripe { table, schedule, .. } = &mut *self.stripe;
        schedule.as_mut()?.next_due(now_ms, table)
    }

    /// Empties the stripe; what it held is returned, to be dropped outside the lock.
    pub(crate) fn clear(&mut self) -> Contents {
        let before = self.exchange(Contents::default());
        self.counters.n_changes.add(before.table.len() as u64);
        before
    }

    /// Puts other keys into the stripe; those who watch one that was there or is there now are told.
    pub(crate) fn exchange(&mut self, contents: Contents) -> Contents {
        let Stripe { table, schedule, interests } = &mut *self.stripe;
        let before = Contents {
            table: std::mem::replace(table, contents.table),
            schedule: std::mem::replace(schedule, contents.schedule),
            n_expires: self.counters.n_expires.replace(contents.n_expires),
            n_timed: self.counters.n_timed.replace(contents.n_timed),
            n_bytes: self.counters.n_bytes.replace(contents.n_bytes),
        };
        self.counters.n_keys.replace(table.len());
        if let Some(interests) = interests {
            let is_in = |table: &HashTree<Entry>, hash, key: &[u8]| {
                table.find(hash, |it: &Entry| *it.key == *key).is_some()
            };
            interests.changed_where(|hash, key| {
                is_in(&before.table, hash, key) || is_in(table, hash, key)
            });
        }
        before
    }
}

/// Those who are interested in a key.
impl StripeGuard<'_> {
    /// A key changed. Returns whether that may concern somebody: then [`Self::tell`] must be called.
    #[inline]
    #[must_use = "those who are interested must be told"]
    pub(crate) fn touch(&mut self) -> bool {
        self.counters.n_changes.add(1);
        self.stripe.interests.is_some()
    }

    /// A key changed that nobody is to be told of.
    pub(crate) fn note_change(&self) {
        self.counters.n_changes.add(1);
    }

    /// Tells those who watch `key` that it changed. Returns those who may hold a copy of it; they are off `counts`.
    pub(crate) fn tell(&mut self, key: Key<'_>, counts: &Counts) -> Trackers {
        let mut told = Trackers::default();
        self.with_interests(|it| {
            let before = it.n_tracked();
            told = it.changed(key.hash, key.name);
            take_off(counts, before, it.n_tracked());
        });
        told
    }

    /// Remembers that a client may hold a copy of `key`.
    pub(crate) fn track(
        &mut self,
        key: Key<'_>,
        tracker: &Arc<Tracker>,
        (rehash, counts): (impl Fn(&[u8]) -> u64, &Counts),
    ) {
        let interests = self.interests_mut();
        let (n_keys, n_items) = interests.n_tracked();
        interests.track(key, tracker, rehash);
        let after = interests.n_tracked();
        counts.add(after.0 - n_keys, after.1.saturating_sub(n_items));
        counts.sub(0, n_items.saturating_sub(after.1));
    }

    /// Forgets any of the keys that clients may hold copies of; returns whom to tell.
    pub(crate) fn take_any_tracked(
        &mut self,
        random: u64,
        (hash, counts): (impl Fn(&[u8]) -> u64, &Counts),
    ) -> Option<(Name, Trackers)> {
        let mut taken = None;
        self.with_interests(|it| {
            let before = it.n_tracked();
            taken = it.take_any_tracked(random, hash);
            take_off(counts, before, it.n_tracked());
        });
        taken
    }

    /// Forgets who may hold copies of the keys here; what knew of them is returned, to be dropped outside the lock.
    pub(super) fn forget_tracked(&mut self, counts: &Counts) -> TrackedKeys {
        let mut tracked = TrackedKeys::default();
        self.with_interests(|it| {
            let before = it.n_tracked();
            tracked = it.forget_tracked();
            take_off(counts, before, it.n_tracked());
        });
        tracked
    }

    pub(crate) fn watch(&mut self, key: Key<'_>, mark: &Arc<AtomicBool>) {
        self.interests_mut().watch(key.hash, key.name, mark);
    }

    pub(crate) fn unwatch(&mut self, key: Key<'_>, mark: &Arc<AtomicBool>) {
        self.with_interests(|it| it.unwatch(key.hash, key.name, mark));
    }

    pub(crate) fn block(&mut self, key: Key<'_>, blocked: &Arc<Blocked>) {
        self.interests_mut().block(key.hash, key.name, blocked);
    }

    pub(crate) fn unblock(&mut self, key: Key<'_>, blocked: &Blocked) {
        self.with_interests(|it| it.unblock(key.hash, key.name, blocked));
    }

    /// The client that is blocked on `key` for longest, of those behind `after`.
    pub(crate) fn next_blocked(&self, key: Key<'_>, after: Option<Ticket>) -> Option<Arc<Blocked>> {
        self.stripe.interests.as_ref()?.next_blocked(key.hash, key.name, after)
    }

    /// Stripes that are written when clients that are blocked here are served.
    #[inline]
    pub(crate) fn reached(&self) -> impl Iterator<Item = StripeId> {
        self.stripe.interests.iter().flat_map(|it| it.reached())
    }

    /// Whether clients are blocked on `key`.
    pub(crate) fn is_blocking(&self, key: Key<'_>) -> bool {
        self.next_blocked(key, None).is_some()
    }

    /// Whether somebody who reads a stream is blocked on `key`.
    pub(crate) fn has_readers(&self, key: Key<'_>) -> bool {
        self.stripe.interests.as_ref().is_some_and(|it| it.has_readers(key.hash, key.name))
    }

    /// Streams that are there and that somebody waits to read.
    pub(crate) fn read_streams(&self) -> Vec<Name> {
        let read = self.stripe.interests.iter().flat_map(|it| it.read());
        let table = &self.stripe.table;
        let is_stream = |hash, key: &Name| {
            let found = table.find(hash, |it| it.key == *key);
            found.is_some_and(|it| matches!(it.value(), Value::Stream(_)))
        };
        read.filter(|(hash, key)| is_stream(*hash, key)).map(|it| it.1.clone()).collect()
    }

    /// Keys on which clients are blocked and that hold such a value.
    pub(crate) fn ready(&self, is_awaited: impl Fn(&Value) -> bool) -> Vec<Name> {
        let blocking = self.stripe.interests.iter().flat_map(|it| it.blocking());
        let table = &self.stripe.table;
        let is_ready = |hash, key: &Name| {
            table.find(hash, |it| it.key == *key).is_some_and(|it| is_awaited(it.value()))
        };
        blocking.filter(|(hash, key)| is_ready(*hash, key)).map(|it| it.1.clone()).collect()
    }

    fn interests_mut(&mut self) -> &mut Interests {
        self.stripe.interests.get_or_insert_default()
    }

    fn with_interests(&mut self, change: impl FnOnce(&mut Interests)) {
        let Some(interests) = &mut self.stripe.interests else { return };
        change(interests);
        if interests.is_empty() {
            self.stripe.interests = None;
        }
    }
}

fn take_off(counts: &Counts, before: (usize, usize), after: (usize, usize)) {
    if before != after {
        counts.sub(before.0 - after.0, before.1 - after.1);
    }
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
