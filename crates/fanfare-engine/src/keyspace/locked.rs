//! The stripes that one command holds.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::entry::{Entry, Value};
use super::garbage::Garbage;
use super::stripe::StripeGuard;
use super::{Keyspace, StripeId};

/// Which stripes a command needs.
#[derive(Debug, Default)]
pub struct Plan {
    /// Most commands have one key: they neither allocate nor sort.
    first: Option<StripeId>,
    /// Of databases that are wanted as a whole, [`ALL`] stripes.
    more: Vec<StripeId>,
}

/// Stands for every stripe of a database, if it was ever used.
const ALL: u16 = u16::MAX;

/// Locked stripes. Only what is locked can be read or written through it.
#[derive(Debug)]
pub struct Locked<'a> {
    keyspace: &'a Keyspace,
    first: Option<Held<'a>>,
    more: Vec<Held<'a>>,
    /// Most commands have none.
    rest: Option<Box<Rest>>,
}

#[derive(Debug)]
struct Held<'a> {
    id: StripeId,
    stripe: StripeGuard<'a>,
}

#[derive(Debug, Default)]
struct Rest {
    /// Databases that are wanted as a whole and were never used: there is nothing to lock, and nothing in them.
    absent: Vec<u16>,
    garbage: Garbage,
}

impl Plan {
    /// Adds the stripe of `key` in database `db`.
    #[inline]
    pub fn key(&mut self, keyspace: &Keyspace, db: u16, key: &[u8]) {
        let id = keyspace.stripe_of(db, keyspace.hash(key));
        if self.first.is_none() {
            self.first = Some(id);
        } else {
            self.more.push(id);
        }
    }

    /// Adds all stripes of `db`.
    pub fn database(&mut self, db: u16) {
        self.more.push(StripeId { db, index: ALL });
    }

    /// Adds all stripes of all databases.
    pub fn everything(&mut self, keyspace: &Keyspace) {
        (0..).take(keyspace.n_databases()).for_each(|db| self.database(db));
    }
}

impl Keyspace {
    /// Locks the stripes of `plan`, lowest first, so that no two commands can wait for each other.
    #[inline]
    pub fn lock(&self, plan: Plan) -> Locked<'_> {
        let mut locked = Locked { keyspace: self, first: None, more: Vec::new(), rest: None };
        if plan.more.is_empty() {
            locked.first = plan.first.and_then(|id| self.hold(id));
            return locked;
        }
        let mut wanted = plan.more;
        wanted.extend(plan.first);
        if wanted.iter().any(|it| it.index == ALL) {
            locked.hold_databases(&wanted);
        } else {
            locked.more = self.hold_in_order(wanted);
        }
        locked
    }

    fn stripes_of(&self, wanted: StripeId) -> impl Iterator<Item = StripeId> + use<> {
        let (first, n) = match wanted.index {
            ALL => (0, self.existing(wanted.db).len()),
            index => (index, 1),
        };
        (first..).take(n).map(move |index| StripeId { db: wanted.db, index })
    }

    #[inline]
    fn hold_in_order(&self, mut ids: Vec<StripeId>) -> Vec<Held<'_>> {
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.hold(id)).collect()
    }

    #[inline]
    fn hold(&self, id: StripeId) -> Option<Held<'_>> {
        Some(Held { id, stripe: self.slot(id)?.lock() })
    }
}

impl<'a> Locked<'a> {
    /// Locks `wanted`, of which some are whole databases.
    fn hold_databases(&mut self, wanted: &[StripeId]) {
        let keyspace = self.keyspace;
        loop {
            // Should an absent database come to be used before all others are locked, its keys could be older than what
            // is seen of the others: then everything is locked anew.
            let n_existing = keyspace.n_existing();
            let ids = wanted.iter().flat_map(|it| keyspace.stripes_of(*it)).collect();
            self.more = keyspace.hold_in_order(ids);
            if keyspace.n_existing() == n_existing {
                break;
            }
            self.more.clear();
        }
        let whole = wanted.iter().filter(|it| it.index == ALL).map(|it| it.db);
        self.rest_mut().absent = whole.filter(|db| keyspace.existing(*db).is_empty()).collect();
    }

    fn rest_mut(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }

    /// The stripe of a key. `None`: its database is locked as a whole, and empty because it was never used.
    ///
    /// # Panics
    /// If the key is not locked: then the command's `Spec` does not name its keys, and going on would lose data.
    #[inline]
    fn find(&mut self, db: u16, hash: u64) -> Option<&mut StripeGuard<'a>> {
        let id = self.keyspace.stripe_of(db, hash);
        let held = match &mut self.first {
            Some(first) if first.id == id => Some(first),
            _ => self.more.iter_mut().find(|it| it.id == id),
        };
        if held.is_none() {
            let is_absent = self.rest.as_ref().is_some_and(|it| it.absent.contains(&db));
            assert!(is_absent, "a command reads only keys that its Spec names");
        }
        held.map(|it| &mut it.stripe)
    }

    /// The stripe of a key that may be put there.
    ///
    /// # Panics
    /// If the key is not locked by its name or with a database that has been used.
    #[expect(
        clippy::expect_used,
        reason = "a stripe that is not held is a bug in a Spec; see Panics"
    )]
    #[inline]
    fn stripe(&mut self, db: u16, hash: u64) -> &mut StripeGuard<'a> {
        self.find(db, hash).expect("a command writes only keys that its Spec names")
    }

    /// The live entry of `key`; a due one is removed first.
    #[inline]
    pub fn get(&mut self, db: u16, key: &[u8], now_ms: u64) -> Option<&mut Entry> {
        let hash = self.keyspace.hash(key);
        self.find(db, hash)?.get(hash, key, now_ms)
    }

    /// As [`Self::get`], counted for `INFO`'s `keyspace_hits` and `keyspace_misses`.
    #[inline]
    pub fn lookup(&mut self, db: u16, key: &[u8], now_ms: u64) -> Option<&mut Entry> {
        let hash = self.keyspace.hash(key);
        self.find(db, hash)?.lookup(hash, key, now_ms)
    }

    /// Sets `key` to a string and when it expires (`None`: never).
    #[inline]
    pub fn put_text(&mut self, db: u16, key: &[u8], bytes: &[u8], expires_at_ms: Option<u64>) {
        let keyspace = self.keyspace;
        let hash = keyspace.hash(key);
        let stripe = self.stripe(db, hash);
        stripe.put_text(hash, key, bytes, expires_at_ms.unwrap_or(0), |it| keyspace.hash(it));
        stripe.touch(hash, key);
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
        stripe.touch(hash, key);
        before
    }

    /// Removes `key`; returns what it held.
    pub fn remove(&mut self, db: u16, key: &[u8], now_ms: u64) -> Option<Value> {
        let hash = self.keyspace.hash(key);
        let stripe = self.find(db, hash)?;
        stripe.get(hash, key, now_ms)?;
        let value = stripe.remove(hash, key);
        stripe.touch(hash, key);
        value
    }

    /// Changes when `key` expires (`None`: never); returns whether the key is there.
    pub fn set_expiry(&mut self, db: u16, key: &[u8], expires_at_ms: Option<u64>) -> bool {
        let hash = self.keyspace.hash(key);
        let Some(stripe) = self.find(db, hash) else { return false };
        let found = stripe.set_expiry(hash, key, expires_at_ms.unwrap_or(0));
        if found {
            stripe.touch(hash, key);
        }
        found
    }

    /// Tells those who watch `key` that its value was changed in place.
    pub fn touch(&mut self, db: u16, key: &[u8]) {
        let hash = self.keyspace.hash(key);
        self.stripe(db, hash).touch(hash, key);
    }

    /// Marks `mark` when `key` changes.
    pub(crate) fn watch(&mut self, db: u16, key: &[u8], mark: &Arc<AtomicBool>) {
        let hash = self.keyspace.hash(key);
        self.stripe(db, hash).watch(hash, key, mark);
    }

    pub(crate) fn unwatch(&mut self, db: u16, key: &[u8], mark: &Arc<AtomicBool>) {
        let hash = self.keyspace.hash(key);
        self.stripe(db, hash).unwatch(hash, key, mark);
    }

    /// Number of keys in the locked stripes of `db`.
    #[must_use]
    pub fn n_keys(&self, db: u16) -> usize {
        let held = self.first.iter().chain(&self.more).filter(|it| it.id.db == db);
        held.map(|it| it.stripe.n_keys()).sum()
    }

    /// Empties the locked stripes of `db`, or all locked stripes; returns how many keys are gone.
    pub fn flush(&mut self, db: Option<u16>) -> usize {
        let mut n_removed = 0;
        let held = self.first.iter_mut().chain(&mut self.more);
        for held in held.filter(|it| db.is_none_or(|db| it.id.db == db)) {
            let table = held.stripe.clear();
            n_removed += table.len();
            if !table.is_empty() {
                self.rest.get_or_insert_default().garbage.add_table(table);
            }
        }
        n_removed
    }

    /// Frees a value that was taken out: now if that is quick, otherwise it is part of what [`Self::release`] returns.
    #[inline]
    pub fn discard(&mut self, value: Value) {
        if value.is_large() {
            self.rest_mut().garbage.add_value(value);
        }
    }

    /// Gives the locks back; returns what is still to be freed.
    #[inline]
    #[must_use]
    pub fn release(self) -> Option<Garbage> {
        self.rest.map(|it| it.garbage).filter(|it| !it.is_empty())
    }
}
