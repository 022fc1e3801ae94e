//! The stripes that one command holds.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use hashbrown::HashTable;
use parking_lot::MutexGuard;

use super::entry::{Entry, Value};
use super::stripe::{Slot, Stripe};
use super::{Keyspace, N_STRIPES, StripeId};

/// Which stripes a command needs.
#[derive(Debug, Default)]
pub struct Plan {
    /// Most commands have one key: they neither allocate nor sort.
    first: Option<StripeId>,
    more: Vec<StripeId>,
}

/// Locked stripes. Only what is locked can be read or written through it.
#[derive(Debug)]
pub struct Locked<'a> {
    keyspace: &'a Keyspace,
    first: Option<Held<'a>>,
    more: Vec<Held<'a>>,
    /// Tables that were flushed: freed after the locks are gone.
    flushed: Vec<HashTable<Entry>>,
}

#[derive(Debug)]
struct Held<'a> {
    id: StripeId,
    slot: &'a Slot,
    stripe: MutexGuard<'a, Stripe>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.slot.publish(&self.stripe);
    }
}

impl Plan {
    /// Adds the stripe of `key` in database `db`.
    #[inline]
    pub fn key(&mut self, keyspace: &Keyspace, db: u16, key: &[u8]) {
        self.add(keyspace.stripe_of(db, keyspace.hash(key)));
    }

    /// Adds all stripes of `db`.
    pub fn database(&mut self, db: u16) {
        for index in 0..N_STRIPES {
            self.add(StripeId { db, index: u16::try_from(index).unwrap_or(u16::MAX) });
        }
    }

    /// Adds all stripes of all databases.
    pub fn everything(&mut self, keyspace: &Keyspace) {
        for db in 0..keyspace.n_databases() {
            self.database(u16::try_from(db).unwrap_or(u16::MAX));
        }
    }

    #[inline]
    fn add(&mut self, id: StripeId) {
        if self.first.is_none() {
            self.first = Some(id);
        } else {
            self.more.push(id);
        }
    }
}

impl Keyspace {
    /// Locks the stripes of `plan`, lowest first, so that no two commands can wait for each other.
    #[inline]
    pub fn lock(&self, plan: Plan) -> Locked<'_> {
        let mut locked =
            Locked { keyspace: self, first: None, more: Vec::new(), flushed: Vec::new() };
        if plan.more.is_empty() {
            locked.first = plan.first.and_then(|id| self.hold(id));
            return locked;
        }
        let mut ids = plan.more;
        ids.extend(plan.first);
        ids.sort_unstable();
        ids.dedup();
        locked.more = ids.into_iter().filter_map(|id| self.hold(id)).collect();
        locked
    }

    #[inline]
    fn hold(&self, id: StripeId) -> Option<Held<'_>> {
        let slot = self.slot(id)?;
        Some(Held { id, slot, stripe: slot.lock() })
    }
}

impl Locked<'_> {
    /// The stripe of a key.
    ///
    /// # Panics
    /// If it is not locked: then the command's `Spec` does not name its keys, and going on would lose data.
    #[expect(
        clippy::expect_used,
        reason = "a stripe that is not held is a bug in a Spec; see Panics"
    )]
    #[inline]
    fn stripe(&mut self, db: u16, hash: u64) -> &mut Stripe {
        let id = self.keyspace.stripe_of(db, hash);
        let held = match &mut self.first {
            Some(first) if first.id == id => Some(first),
            _ => self.more.iter_mut().find(|it| it.id == id),
        };
        &mut held.expect("a command reads only keys that its Spec names").stripe
    }

    /// The live entry of `key`; a due one is removed first.
    #[inline]
    pub fn get(&mut self, db: u16, key: &[u8], now_ms: u64) -> Option<&mut Entry> {
        let hash = self.keyspace.hash(key);
        self.stripe(db, hash).get(hash, key, now_ms)
    }

    /// As [`Self::get`], counted for `INFO`'s `keyspace_hits` and `keyspace_misses`.
    #[inline]
    pub fn lookup(&mut self, db: u16, key: &[u8], now_ms: u64) -> Option<&mut Entry> {
        let hash = self.keyspace.hash(key);
        self.stripe(db, hash).lookup(hash, key, now_ms)
    }

    /// Sets `key` to a string and when it expires (`None`: never).
    #[inline]
    pub fn put_text(&mut self, db: u16, key: &[u8], bytes: &[u8], expires_at_ms: Option<u64>) {
        let keyspace = self.keyspace;
        let hash = keyspace.hash(key);
        let stripe = self.stripe(db, hash);
        stripe.put_text(hash, key, bytes, expires_at_ms.unwrap_or(0), |it| keyspace.hash(it));
        stripe.touch(key);
    }

    /// Sets the value of `key` and when it expires (`None`: never); returns the value before.
    pub fn put(
        &mut self,
        db: u16,
        key: &[u8],
        value: Value,
        expires_at_ms: Option<u64>,
    ) -> Option<Value> {
        let keyspace = self.keyspace;
        let hash = keyspace.hash(key);
        let stripe = self.stripe(db, hash);
        let before =
            stripe.put(hash, key, value, expires_at_ms.unwrap_or(0), |it| keyspace.hash(it));
        stripe.touch(key);
        before
    }

    /// Removes `key`; returns what it held.
    pub fn remove(&mut self, db: u16, key: &[u8], now_ms: u64) -> Option<Value> {
        let hash = self.keyspace.hash(key);
        let stripe = self.stripe(db, hash);
        stripe.get(hash, key, now_ms)?;
        let value = stripe.remove(hash, key);
        stripe.touch(key);
        value
    }

    /// Changes when `key` expires (`None`: never); returns whether the key is there.
    pub fn set_expiry(&mut self, db: u16, key: &[u8], expires_at_ms: Option<u64>) -> bool {
        let hash = self.keyspace.hash(key);
        let stripe = self.stripe(db, hash);
        let found = stripe.set_expiry(hash, key, expires_at_ms.unwrap_or(0));
        if found {
            stripe.touch(key);
        }
        found
    }

    /// Tells those who watch `key` that its value was changed in place.
    pub fn touch(&mut self, db: u16, key: &[u8]) {
        let hash = self.keyspace.hash(key);
        self.stripe(db, hash).touch(key);
    }

    /// Marks `mark` when `key` changes.
    pub(crate) fn watch(&mut self, db: u16, key: &[u8], mark: &Arc<AtomicBool>) {
        let hash = self.keyspace.hash(key);
        self.stripe(db, hash).watch(key, mark);
    }

    pub(crate) fn unwatch(&mut self, db: u16, key: &[u8], mark: &Arc<AtomicBool>) {
        let hash = self.keyspace.hash(key);
        self.stripe(db, hash).unwatch(key, mark);
    }

    /// Number of keys in the locked stripes of `db`.
    #[must_use]
    pub fn n_keys(&mut self, db: u16) -> usize {
        let held = self.first.iter_mut().chain(&mut self.more).filter(|it| it.id.db == db);
        held.map(|it| {
            it.slot.publish(&it.stripe);
            it.slot.n_keys()
        })
        .sum()
    }

    /// Empties the locked stripes of `db`, or all locked stripes; returns how many keys are gone.
    ///
    /// The memory is given back after the locks are released.
    pub fn flush(&mut self, db: Option<u16>) -> usize {
        let keyspace = self.keyspace;
        let mut n_removed = 0;
        let held = self.first.iter_mut().chain(&mut self.more);
        for held in held.filter(|it| db.is_none_or(|db| it.id.db == db)) {
            let table = held.stripe.clear(|key| keyspace.hash(key));
            n_removed += table.len();
            if !table.is_empty() {
                self.flushed.push(table);
            }
        }
        n_removed
    }
}
