//! Databases: hash tables striped by key, each stripe behind a mutex of its own.
//!
//! Single-key commands on different cores rarely meet; a command that touches several keys takes their stripes in
//! ascending order ([`Locked`]), so no two commands can wait for each other.

mod count;
mod entry;
mod garbage;
mod locked;
mod stripe;

pub use count::StripeCounts;
pub use entry::{Entry, Text, Value};
pub use garbage::Garbage;
pub use locked::{Locked, Plan};

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use foldhash::fast::FixedState;

use crate::Now;
use stripe::Slot;

/// Stripes per database.
const N_STRIPES: usize = 64;
/// Due keys that are removed under one lock: some tens of microseconds of work.
const EXPIRED_PER_LOCK_MAX: usize = 256;

/// All databases of a server.
#[derive(Debug)]
pub struct Keyspace {
    databases: Box<[OnceLock<Database>]>,
    hasher: FixedState,
    /// The stripe that is next looked through for due keys.
    next_swept: AtomicUsize,
}

#[derive(Debug)]
struct Database {
    slots: Box<[Slot]>,
}

/// Names one stripe; ordered as locks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StripeId {
    pub(crate) db: u16,
    pub(crate) index: u16,
}

/// Counts of one database or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys.
    pub n_keys: usize,
    /// Keys with an expiry.
    pub n_expires: usize,
}

impl Keyspace {
    /// Empty databases. `seed` keys the hash function: give each process another one.
    #[must_use]
    pub fn new(n_databases: u16, seed: u64) -> Self {
        let databases = (0..n_databases.max(1)).map(|_| OnceLock::new()).collect();
        Self { databases, hasher: FixedState::with_seed(seed), next_swept: AtomicUsize::new(0) }
    }

    /// How many databases there are.
    #[must_use]
    pub fn n_databases(&self) -> usize {
        self.databases.len()
    }

    /// Keys and expiries of database `db`, without taking a lock.
    #[must_use]
    pub fn counts(&self, db: u16) -> Counts {
        let mut counts = Counts::default();
        for slot in self.existing(db) {
            counts.n_keys += slot.n_keys();
            counts.n_expires += slot.n_expires();
        }
        counts
    }

    /// Lookups, expiries and changes over all databases, without taking a lock.
    #[must_use]
    pub fn totals(&self) -> StripeCounts {
        let mut totals = StripeCounts::default();
        for db in 0..self.databases.len() {
            for slot in self.existing(u16::try_from(db).unwrap_or(u16::MAX)) {
                totals += slot.counts();
            }
        }
        totals
    }

    /// Removes up to `n_max` keys whose time has come, a few under each lock. Skips stripes that are in use, and goes
    /// on where it stopped the last time.
    pub fn expire_due(&self, now: Now, n_max: usize) -> usize {
        let n_slots = self.databases.len() * N_STRIPES;
        let mut n_removed = 0;
        for _ in 0..n_slots {
            if n_max <= n_removed {
                break;
            }
            let at = self.next_swept.fetch_add(1, Ordering::Relaxed) % n_slots;
            let db = u16::try_from(at / N_STRIPES).unwrap_or(u16::MAX);
            let Some(slot) = self.existing(db).get(at % N_STRIPES) else { continue };
            if slot.n_expires() != 0
                && let Some(mut stripe) = slot.try_lock()
            {
                n_removed += stripe.expire_due(now.unix_ms(), EXPIRED_PER_LOCK_MAX);
            }
        }
        n_removed
    }

    /// Takes a client's mark off a key it watched.
    pub(crate) fn unwatch(&self, db: u16, key: &[u8], mark: &Arc<AtomicBool>) {
        let hash = self.hash(key);
        if let Some(slot) = self.slot(self.stripe_of(db, hash)) {
            slot.lock().unwatch(hash, key, mark);
        }
    }

    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The stripe of a hash. Takes bits that the hash table uses neither for its index nor for its tags.
    #[inline]
    pub(crate) fn stripe_of(&self, db: u16, hash: u64) -> StripeId {
        let index = u16::try_from((hash >> 40) & (N_STRIPES as u64 - 1)).unwrap_or_default();
        StripeId { db, index }
    }

    /// The stripe; its database is made if it was never used.
    pub(crate) fn slot(&self, id: StripeId) -> Option<&Slot> {
        let database = self.databases.get(usize::from(id.db))?;
        let database = database
            .get_or_init(|| Database { slots: (0..N_STRIPES).map(|_| Slot::default()).collect() });
        database.slots.get(usize::from(id.index))
    }

    /// The stripes of `db`, if it was ever used.
    fn existing(&self, db: u16) -> &[Slot] {
        let database = self.databases.get(usize::from(db)).and_then(OnceLock::get);
        database.map(|it| &*it.slots).unwrap_or_default()
    }

    /// How many databases were ever used; they never become fewer.
    fn n_existing(&self) -> usize {
        self.databases.iter().filter(|it| it.get().is_some()).count()
    }
}

#[cfg(test)]
mod tests;
