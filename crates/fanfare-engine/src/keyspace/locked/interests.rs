//! Those who are interested in keys: who watches, tracks or waits for them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Locked;
use crate::block::{Blocked, Ticket};
use crate::keyspace::Key;
use crate::keyspace::expired::Expired;
use crate::keyspace::stripe::StripeGuard;
use crate::tracking::{Stale, Tracker};
use crate::tree::Name;

impl Locked<'_> {
    /// Tells those who watch `key` that it changed.
    #[inline]
    pub(crate) fn touch(&mut self, db: u16, name: &[u8]) {
        self.n_changes += 1;
        match &mut self.first {
            // Then it is that stripe's.
            Some(first) if self.rest.is_none() => {
                if first.stripe.touch() {
                    self.tell(db, self.key(name));
                }
            }
            Some(_) | None => {
                let key = self.key(name);
                if self.find(db, key).is_some_and(StripeGuard::touch) {
                    self.tell(db, key);
                }
            }
        }
        if self.keyspace.tuning().broadcasts() {
            self.note_changed(name, true);
        }
    }

    /// Tells those who watch `key`, and notes those who may hold a copy of it.
    pub(super) fn tell(&mut self, db: u16, key: Key<'_>) {
        let counts = self.keyspace.tracked();
        let Some(stripe) = self.find(db, key) else { return };
        let trackers = stripe.tell(key, counts);
        if !trackers.is_empty() {
            self.rest_mut().stale.push(Stale::Key(key.name.into(), trackers));
        }
    }

    /// Notes that a key changed: somebody tracks prefixes.
    #[cold]
    pub(super) fn note_changed(&mut self, name: &[u8], by_client: bool) {
        self.rest_mut().stale.push(Stale::Changed { key: name.into(), by_client });
    }

    /// Whoever tracks prefixes is not told of the last change of `key`, since that was asked for last.
    pub(crate) fn forget_change(&mut self, name: &[u8]) {
        let Some(rest) = &mut self.rest else { return };
        let is_it = |it: &Stale| matches!(it, Stale::Changed { key, .. } if **key == *name);
        if let Some(at) = rest.stale.iter().rposition(is_it) {
            rest.stale.remove(at);
        }
    }

    /// Remembers that a client may hold a copy of `key`.
    pub(crate) fn track(&mut self, db: u16, key: Key<'_>, tracker: &Arc<Tracker>) {
        let keyspace = self.keyspace;
        let rehash = |name: &[u8]| keyspace.hash(name);
        self.stripe(db, key).track(key, tracker, (rehash, keyspace.tracked()));
    }

    /// What clients may hold copies of and that changed since this was asked.
    #[inline]
    pub(crate) fn take_stale(&mut self) -> Vec<Stale> {
        self.rest.as_mut().map(|it| std::mem::take(&mut it.stale)).unwrap_or_default()
    }

    #[cold]
    pub(super) fn note_ready(&mut self, db: u16, key: Key<'_>) {
        self.rest_mut().ready.push(db, key.name.into());
    }

    /// `key` changed in a way that those who watch it are not told of.
    pub(crate) fn note_quiet_change(&mut self, db: u16, name: &[u8]) {
        self.n_changes += 1;
        let key = self.key(name);
        if let Some(stripe) = self.find(db, key) {
            stripe.note_change();
        }
    }

    /// Something changed that is no key.
    pub(crate) fn note_change(&mut self) {
        self.n_changes += 1;
    }

    /// How many changes there were since these stripes were locked.
    #[inline]
    pub(crate) fn n_changes(&self) -> u32 {
        self.n_changes
    }

    /// The next key that changed and on which clients are blocked.
    #[inline]
    pub(crate) fn next_ready(&mut self) -> Option<(u16, Name)> {
        self.rest.as_mut()?.ready.pop()
    }

    /// What was removed because its time had come, and was not asked for so far.
    #[inline]
    pub(crate) fn take_expired(&mut self) -> Vec<(u16, Expired)> {
        self.rest.as_mut().map(|it| std::mem::take(&mut it.expired)).unwrap_or_default()
    }

    /// A stream went from `key`, or came to it: those whom it is pushed to begin again.
    #[inline]
    pub(crate) fn note_restarted(&mut self, db: u16, key: Key<'_>) {
        if self.keyspace.pushed().any() {
            self.rest_mut().restarted.push((db, key.name.into()));
        }
    }

    /// Nobody is told of the stream that came to `key` last: its entries are pushed as they are added.
    pub(crate) fn forget_restarted(&mut self, db: u16, name: &[u8]) {
        let Some(rest) = &mut self.rest else { return };
        rest.restarted.pop_if(|it| it.0 == db && *it.1 == *name);
    }

    /// Keys at which streams begin again, and that were not asked for so far.
    #[inline]
    pub(crate) fn take_restarted(&mut self) -> Vec<(u16, Name)> {
        self.rest.as_mut().map(|it| std::mem::take(&mut it.restarted)).unwrap_or_default()
    }

    /// Marks `mark` when `key` changes.
    pub(crate) fn watch(&mut self, db: u16, key: Key<'_>, mark: &Arc<AtomicBool>) {
        self.stripe(db, key).watch(key, mark);
    }

    pub(crate) fn unwatch(&mut self, db: u16, key: Key<'_>, mark: &Arc<AtomicBool>) {
        if let Some(stripe) = self.find(db, key) {
            stripe.unwatch(key, mark);
        }
    }

    /// Lines a client up at a key.
    pub(crate) fn block(&mut self, db: u16, key: Key<'_>, blocked: &Arc<Blocked>) {
        self.stripe(db, key).block(key, blocked);
    }

    /// The client that is blocked on `key` for longest, of those behind `after`.
    pub(crate) fn next_blocked(
        &mut self,
        db: u16,
        key: Key<'_>,
        after: Option<Ticket>,
    ) -> Option<Arc<Blocked>> {
        self.find(db, key)?.next_blocked(key, after)
    }

    /// Whether somebody who reads a stream is blocked on `key`.
    pub(crate) fn has_readers(&mut self, db: u16, key: Key<'_>) -> bool {
        self.find(db, key).is_some_and(|it| it.has_readers(key))
    }

    /// Those who wait to read the stream at `key` look again.
    pub(crate) fn wake_readers(&mut self, db: u16, key: Key<'_>) {
        if self.has_readers(db, key) {
            self.note_ready(db, key);
        }
    }

    pub(crate) fn unblock(&mut self, db: u16, key: Key<'_>, blocked: &Blocked) {
        if let Some(stripe) = self.find(db, key) {
            stripe.unblock(key, blocked);
        }
    }
}
