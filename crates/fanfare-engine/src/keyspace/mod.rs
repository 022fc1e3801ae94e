//! Databases: hash tables striped by key, each stripe behind a mutex of its own.
//!
//! Single-key commands on different cores rarely meet; a command that touches several keys takes their stripes in
//! ascending order ([`Locked`]), so no two commands can wait for each other.

mod access;
mod count;
mod entry;
mod expired;
mod garbage;
mod gate;
mod interest;
mod locked;
mod moments;
mod policy;
mod pushed;
mod schedule;
mod snapshot;
mod stripe;
mod tracked;
mod victim;

pub use access::{Access, Clock};
pub use count::StripeCounts;
pub use entry::Entry;
pub use expired::{Expired, Swept};
pub use garbage::Garbage;
pub use gate::Gate;
pub(crate) use locked::{Footprint, Position};
pub use locked::{Locked, Plan};
pub use policy::Policy;
pub use pushed::Pushed;
pub use snapshot::Snapshot;

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use foldhash::fast::FixedState;
use parking_lot::Mutex;

use crate::Now;
use crate::block::{Awaited, Blocked, Waiting};
use crate::scripting::Scripts;
use crate::tracking::{self, Trackers};
use crate::tree::Name;
use crate::tuning::Tuning;
use crate::value::{Value, hasher};
use access::{Counting, Dice};

use schedule::Due;
use stripe::{Slot, StripeGuard};

/// Stripes per database, at most.
const N_STRIPES_MAX: u16 = 64;
/// Stripes for each thread: two threads seldom want the same one, and who wants all is not kept long.
const N_STRIPES_PER_THREAD: usize = 4;
/// Due keys and fields that are removed under one lock: some tens of microseconds of work.
const EXPIRED_PER_LOCK_MAX: usize = 256;

/// All databases of a server.
#[derive(Debug)]
pub struct Keyspace {
    databases: Box<[OnceLock<Database>]>,
    /// Stripes of each; a power of two.
    n_stripes: u16,
    hasher: FixedState,
    tuning: Tuning,
    gate: Gate,
    scripts: Scripts,
    /// Held while a database is made, and by whoever holds all stripes of one.
    making: Mutex<()>,
    /// The stripe that is next looked through for due keys.
    next_swept: AtomicUsize,
    dice: Dice,
    n_evicted: AtomicU64,
    /// What is to be taken out of stripes that a script held.
    /// Keys that went away in the background while clients waited to read streams: whoever waits for one is to be told.
    gone: Mutex<Vec<(u16, Name)>>,
    unsettled: Mutex<Vec<Unsettled>>,
    /// Copies that clients may hold.
    tracked: tracking::Counts,
    waiting: Waiting,
    pushed: Pushed,
}

#[derive(Debug)]
struct Database {
    slots: Box<[Slot]>,
    /// `false`: who made it holds all its stripes still.
    is_open: AtomicBool,
}

/// What a client leaves behind in stripes.
#[derive(Debug)]
enum Unsettled {
    /// Its mark at a key that it watched.
    Watch { db: u16, key: Box<[u8]>, mark: Arc<AtomicBool> },
    /// Its places in the lines of its keys.
    Wait(Arc<Blocked>),
}

/// Names one stripe; ordered as locks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StripeId {
    pub(crate) db: u16,
    pub(crate) index: u16,
}

/// A key's name with its hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) hash: u64,
    pub(crate) name: &'a [u8],
}

/// Counts of one database or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys.
    pub n_keys: usize,
    /// Keys with an expiry.
    pub n_expires: usize,
    /// Hashes with fields that expire.
    pub n_timed: usize,
}

impl Keyspace {
    /// Empty databases for any number of threads. `seed` keys the hash function: give each process another one.
    #[must_use]
    pub fn new(n_databases: u16, seed: u64) -> Self {
        Self::for_threads(n_databases, seed, usize::MAX)
    }

    /// As [`Self::new`], for as many threads. With fewer threads there are fewer locks, which scripts and others that
    /// want all of them need not take.
    #[must_use]
    pub fn for_threads(n_databases: u16, seed: u64, n_threads: usize) -> Self {
        let wanted = match n_threads {
            // Nobody else wants any.
            0 | 1 => 1,
            n => n.saturating_mul(N_STRIPES_PER_THREAD).min(usize::from(N_STRIPES_MAX)),
        };
        let wanted = wanted.next_power_of_two();
        hasher::seed(seed);
        let databases = (0..n_databases.max(1)).map(|_| OnceLock::new()).collect();
        Self {
            databases,
            n_stripes: u16::try_from(wanted).unwrap_or(N_STRIPES_MAX),
            hasher: FixedState::with_seed(seed),
            tuning: Tuning::default(),
            gate: Gate::default(),
            scripts: Scripts::default(),
            making: Mutex::new(()),
            next_swept: AtomicUsize::new(0),
            dice: Dice::default(),
            n_evicted: AtomicU64::new(0),
            gone: Mutex::default(),
            unsettled: Mutex::default(),
            tracked: tracking::Counts::default(),
            waiting: Waiting::default(),
            pushed: Pushed::default(),
        }
    }

    /// Settings that change while commands run.
    #[inline]
    #[must_use]
    pub fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// What a use of a key is noted with at this time.
    #[inline]
    pub(crate) fn clock(&self, now: Now) -> Clock {
        let clock = Clock::new(now);
        if self.tuning.policy().is_lfu() { self.counting(clock) } else { clock }
    }

    #[cold]
    fn counting(&self, clock: Clock) -> Clock {
        let counting = Counting {
            log_factor: self.tuning.lfu_log_factor(),
            decay_min: self.tuning.lfu_decay_min(),
            random: self.dice.throw(),
        };
        clock.counting(counting)
    }

    /// Closed while a script runs for long.
    #[inline]
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Scripts and libraries of functions.
    #[must_use]
    pub fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    /// Bytes that keys and values take, without taking a lock.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        let all = (0..).take(self.databases.len()).flat_map(|db| self.existing(db));
        all.map(Slot::n_bytes).sum()
    }

    /// The database with this number, if there is such a one.
    #[must_use]
    pub fn database(&self, number: i64) -> Option<u16> {
        u16::try_from(number).ok().filter(|it| usize::from(*it) < self.databases.len())
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
            counts.n_timed += slot.n_timed();
        }
        counts
    }

    /// Lookups, expiries and changes over all databases, without taking a lock.
    #[must_use]
    pub fn totals(&self) -> StripeCounts {
        let n_evicted = self.n_evicted.load(Ordering::Relaxed);
        let mut totals = StripeCounts { n_evicted, ..StripeCounts::default() };
        for db in 0..self.databases.len() {
            for slot in self.existing(u16::try_from(db).unwrap_or(u16::MAX)) {
                totals += slot.counts();
            }
        }
        totals
    }

    /// Removes up to `n_max` keys and fields of hashes whose time has come, a few under each lock, and tells `removed`
    /// the database, what it was and who may hold a copy of the key while the stripe is locked. Skips stripes that are in
    /// use, and goes on where it stopped the last time.
    pub fn expire_due(
        &self,
        now: Now,
        n_max: usize,
        mut removed: impl FnMut(u16, &Expired, &Trackers),
    ) -> Swept {
        self.settle_all();
        let n_stripes = usize::from(self.n_stripes);
        let n_slots = self.databases.len() * n_stripes;
        let mut swept = Swept::default();
        for _ in 0..n_slots {
            if n_max <= swept.n_removed {
                break;
            }
            let at = self.next_swept.fetch_add(1, Ordering::Relaxed) % n_slots;
            let db = u16::try_from(at / n_stripes).unwrap_or(u16::MAX);
            let Some(slot) = self.existing(db).get(at % n_stripes) else { continue };
            if (slot.n_expires() != 0 || slot.n_timed() != 0)
                && let Some(mut stripe) = slot.try_lock()
            {
                let removed = |it: &Expired, trackers: &_| {
                    removed(db, it, trackers);
                    if let Expired::Key { key, .. } = it {
                        self.note_gone(db, key);
                    }
                };
                let times = (now.unix_ms(), &self.tracked);
                let values = sweep(&mut stripe, times, &mut swept.n_removed, removed);
                drop(stripe);
                swept.discard(values);
            }
        }
        swept
    }

    pub(crate) fn tracked(&self) -> &tracking::Counts {
        &self.tracked
    }

    /// Keys that clients may hold copies of, and clients over all of these keys.
    #[must_use]
    pub fn n_tracked(&self) -> (usize, usize) {
        (self.tracked.n_keys(), self.tracked.n_items())
    }

    /// Whether clients may hold copies of more keys than [`tracked_keys_max`](Tuning::tracked_keys_max).
    pub(crate) fn tracks_too_many(&self) -> bool {
        let max = usize::try_from(self.tuning.tracked_keys_max()).unwrap_or(usize::MAX);
        max != 0 && max < self.tracked.n_keys()
    }

    /// Forgets a key that clients may hold copies of, chosen at random, and tells `forgotten` while its stripe is
    /// locked. Skips stripes that are in use.
    pub(crate) fn forget_any_tracked(
        &self,
        random: u64,
        mut forgotten: impl FnMut(&Name, &Trackers),
    ) {
        let start = usize::try_from(random >> 40).unwrap_or_default();
        let n_databases = self.databases.len();
        // Stripe by stripe over all databases, since most of these are never used.
        let n_stripes = usize::from(self.n_stripes);
        let slots = (0..n_stripes * n_databases).filter_map(|n| {
            let (index, db) = ((start + n / n_databases) % n_stripes, (start + n) % n_databases);
            self.existing(u16::try_from(db).unwrap_or(u16::MAX)).get(index)
        });
        let hash = |name: &[u8]| self.hash(name);
        for mut stripe in slots.filter_map(Slot::try_lock) {
            let taken = stripe.take_any_tracked(random, (hash, &self.tracked));
            if let Some((name, trackers)) = taken {
                forgotten(&name, &trackers);
                return;
            }
        }
    }

    /// Takes a client's mark off a key it watched; later, if a script that holds everything runs on.
    pub(crate) fn unwatch(&self, db: u16, key: &[u8], mark: &Arc<AtomicBool>) {
        let mark = Arc::clone(mark);
        self.settle_or_put_off(Unsettled::Watch { db, key: key.into(), mark });
    }

    /// Takes a client whose wait is over out of the lines of its keys; later, if a script that holds everything runs
    /// on. Until then it is passed over. Who served it has taken it out of one line already, mostly the only one.
    pub fn forget_blocked(&self, blocked: &Arc<Blocked>) {
        self.waiting.remove(blocked);
        if blocked.is_in_line() {
            self.settle_or_put_off(Unsettled::Wait(Arc::clone(blocked)));
        }
    }

    /// A key went away in the background. Its stripe may be locked.
    pub(crate) fn note_gone(&self, db: u16, key: &Name) {
        if self.waiting.any(Awaited::Stream) {
            self.gone.lock().push((db, key.clone()));
        }
    }

    /// Keys that went away in the background, and for which somebody may wait who reads a stream.
    pub(crate) fn take_gone(&self) -> Vec<(u16, Name)> {
        std::mem::take(&mut *self.gone.lock())
    }

    /// Streams that are pushed to somebody.
    #[inline]
    #[must_use]
    pub fn pushed(&self) -> &Pushed {
        &self.pushed
    }

    pub(crate) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    fn settle_or_put_off(&self, unsettled: Unsettled) {
        if self.settle(&unsettled).is_none() {
            self.unsettled.lock().push(unsettled);
        }
    }

    /// Does what was put off while a script held everything.
    fn settle_all(&self) {
        let put_off = std::mem::take(&mut *self.unsettled.lock());
        put_off.into_iter().for_each(|it| self.settle_or_put_off(it));
    }

    /// `None`: a script that holds everything runs on.
    fn settle(&self, unsettled: &Unsettled) -> Option<()> {
        match unsettled {
            Unsettled::Watch { db, key, mark } => {
                let key = Key { hash: self.hash(key), name: key };
                self.with_existing(*db, key, |stripe| stripe.unwatch(key, mark))
            }
            Unsettled::Wait(blocked) => blocked.keys().try_for_each(|name| {
                let key = Key { hash: self.hash(name), name };
                self.with_existing(blocked.db, key, |stripe| stripe.unblock(key, blocked))
            }),
        }
    }

    fn with_existing(
        &self,
        db: u16,
        key: Key<'_>,
        change: impl FnOnce(&mut StripeGuard<'_>),
    ) -> Option<()> {
        let Some(slot) = self.existing_slot(self.stripe_of(db, key.hash)) else { return Some(()) };
        let mut stripe = match slot.try_lock() {
            Some(stripe) => stripe,
            None => self.gate.pass(|patience| slot.try_lock_for(patience))?,
        };
        change(&mut stripe);
        Some(())
    }

    fn existing_slot(&self, id: StripeId) -> Option<&Slot> {
        self.existing(id.db).get(usize::from(id.index))
    }

    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The stripe of a hash. Takes bits that the hash table of a stripe uses neither for its order nor for its tags.
    #[inline]
    pub(crate) fn stripe_of(&self, db: u16, hash: u64) -> StripeId {
        let index = u16::try_from((hash >> 8) & u64::from(self.n_stripes - 1)).unwrap_or_default();
        StripeId { db, index }
    }

    /// How many stripes each database has.
    #[inline]
    pub(crate) fn n_stripes(&self) -> u16 {
        self.n_stripes
    }

    /// The stripe; its database is made if it was never used. `None`: there is no such database, or a script that
    /// holds everything runs on.
    #[inline]
    pub(crate) fn slot(&self, id: StripeId) -> Option<&Slot> {
        let database = self.databases.get(usize::from(id.db))?;
        let database = match database.get() {
            Some(database) if database.is_open.load(Ordering::Acquire) => database,
            Some(_) | None => self.wait_for(database)?,
        };
        database.slots.get(usize::from(id.index))
    }

    #[cold]
    fn wait_for<'a>(&self, database: &'a OnceLock<Database>) -> Option<&'a Database> {
        let _making = self.gate.pass(|patience| self.making.try_lock_for(patience))?;
        Some(database.get_or_init(|| Database::new(self.n_stripes, true)))
    }

    /// Makes a database that nobody else uses before it is [opened](Self::open).
    fn make(&self, db: u16) -> &[Slot] {
        if let Some(database) = self.databases.get(usize::from(db)) {
            database.get_or_init(|| Database::new(self.n_stripes, false));
        }
        self.existing(db)
    }

    fn open(&self, db: u16) {
        if let Some(database) = self.databases.get(usize::from(db)).and_then(OnceLock::get) {
            database.is_open.store(true, Ordering::Release);
        }
    }

    /// The stripes of `db`, if it was ever used.
    fn existing(&self, db: u16) -> &[Slot] {
        let database = self.databases.get(usize::from(db)).and_then(OnceLock::get);
        database.map(|it| &*it.slots).unwrap_or_default()
    }
}

/// Removes some of what is due in a stripe and counts it; returns what is to be freed when the lock is gone.
fn sweep(
    stripe: &mut StripeGuard<'_>,
    (now_ms, tracked): (u64, &tracking::Counts),
    n_removed: &mut usize,
    mut removed: impl FnMut(&Expired, &Trackers),
) -> Vec<Value> {
    let mut values = Vec::new();
    let mut n_left = EXPIRED_PER_LOCK_MAX;
    while n_left != 0
        && let Some(Due { hash, key: name, .. }) = stripe.next_due(now_ms)
    {
        let key = Key { hash, name: &name };
        let Some((expired, value)) = stripe.expire(key, now_ms, n_left) else { break };
        values.extend(value);
        let trackers = if stripe.touch() { stripe.tell(key, tracked) } else { Trackers::default() };
        let n = match &expired {
            Expired::Key { .. } => 1,
            Expired::Fields { names, .. } => names.len(),
        };
        n_left = n_left.saturating_sub(n);
        *n_removed += n;
        removed(&expired, &trackers);
    }
    values
}

impl Database {
    fn new(n_stripes: u16, is_open: bool) -> Self {
        let slots = (0..n_stripes).map(|_| Slot::default()).collect();
        Self { slots, is_open: AtomicBool::new(is_open) }
    }
}

#[cfg(test)]
mod tests;
