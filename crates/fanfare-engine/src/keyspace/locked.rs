//! The stripes that one command holds.

mod footprint;
mod interests;
mod plan;
mod ready;
mod walk;

pub(crate) use footprint::Footprint;
pub use plan::Plan;
pub(crate) use walk::Position;

use parking_lot::MutexGuard;

use plan::ALL;
use ready::Ready;

use super::access::Clock;
use super::entry::Entry;
use super::expired::Expired;
use super::garbage::Garbage;
use super::stripe::{Slot, StripeGuard};
use super::{Key, Keyspace, StripeId};
use crate::block::Awaited;
use crate::tracking::Stale;
use crate::tree::Name;
use crate::value::Value;
use crate::value::stream::StreamId;

/// Locked stripes. Only what is locked can be read or written through it.
#[derive(Debug)]
pub struct Locked<'a> {
    keyspace: &'a Keyspace,
    /// The only one that most commands have.
    first: Option<Held<'a>>,
    /// The command's own name of its only key, and the hash of it, which need not be computed again.
    only: (&'a [u8], u64),
    /// Keys that were changed.
    n_changes: u32,
    /// It goes from stripe to stripe.
    steps: bool,
    /// Most commands have none.
    rest: Option<Box<Rest<'a>>>,
}

/// A locked stripe.
#[derive(Debug)]
pub(super) struct Held<'a> {
    id: StripeId,
    pub(super) stripe: StripeGuard<'a>,
}

#[derive(Debug)]
struct Rest<'a> {
    keyspace: &'a Keyspace,
    /// Stripes beside the first one, in order.
    more: Vec<Held<'a>>,
    /// Keeps databases from being made.
    making: Option<MutexGuard<'a, ()>>,
    /// Databases that are wanted as a whole and were never used: there is nothing to lock, and nothing in them.
    absent: Vec<u16>,
    /// Those of them that came to be meanwhile.
    made: Vec<u16>,
    /// What was removed because its time had come, and that nobody was told of so far.
    expired: Vec<(u16, Expired)>,
    /// Keys from which streams went, or to which streams came, that nobody was told of so far.
    restarted: Vec<(u16, Name)>,
    /// Keys that changed and on which clients are blocked, the first first.
    ready: Ready,
    /// What clients may hold copies of and that changed, in order.
    stale: Vec<Stale>,
    garbage: Garbage,
}

/// Where in `held`, which is in order, the stripe is.
#[inline]
fn position(held: &[Held<'_>], id: StripeId) -> Option<usize> {
    let index = usize::from(id.index);
    // All stripes of the first database are held, most likely.
    if held.get(index).is_some_and(|it| it.id == id) {
        return Some(index);
    }
    held.binary_search_by_key(&id, |it| it.id).ok()
}

impl<'a> Rest<'a> {
    fn new(keyspace: &'a Keyspace) -> Self {
        Self {
            keyspace,
            more: Vec::new(),
            making: None,
            absent: Vec::new(),
            made: Vec::new(),
            expired: Vec::new(),
            restarted: Vec::new(),
            ready: Ready::default(),
            stale: Vec::new(),
            garbage: Garbage::default(),
        }
    }
}

impl Keyspace {
    /// Locks the stripes of `plan`, lowest first, so that no two commands can wait for each other, and those that are
    /// written when a client is served that is blocked on one of their keys. `None`: a script holds everything and
    /// runs on; nothing is locked.
    pub fn lock(&self, plan: &Plan) -> Option<Locked<'_>> {
        if plan.everything {
            return self.lock_everything();
        }
        if plan.more.is_empty() {
            let Some(id) = plan.first else { return Some(Locked::new(self)) };
            let first = self.hold(id)?;
            // Who goes from stripe to stripe writes nothing, so it serves nobody.
            if first.stripe.reached().next().is_none() || plan.steps {
                let steps = plan.steps;
                return Some(Locked { first: Some(first), steps, ..Locked::new(self) });
            }
        }
        self.lock_many(plan.clone())
    }

    /// As [`Self::lock`], for a command with one key.
    #[inline]
    pub(crate) fn lock_one<'a>(&'a self, db: u16, key: &'a [u8]) -> Option<Locked<'a>> {
        let hash = self.hash(key);
        let id = self.stripe_of(db, hash);
        let first = self.hold(id)?;
        if first.stripe.reached().next().is_some() {
            drop(first);
            return self.lock_many(Plan { first: Some(id), ..Plan::default() });
        }
        Some(Locked { first: Some(first), only: (key, hash), ..Locked::new(self) })
    }

    fn lock_many(&self, mut plan: Plan) -> Option<Locked<'_>> {
        loop {
            let mut locked = Locked::new(self);
            let mut wanted = plan.more.clone();
            wanted.extend(plan.first);
            if wanted.iter().any(|it| it.index == ALL) {
                locked.hold_databases(&wanted)?;
            } else {
                locked.rest_mut().more = self.hold_in_order(wanted)?;
            }
            let reached = locked.more().iter().flat_map(|it| it.stripe.reached());
            let reached: Vec<_> = reached.filter(|id| !locked.holds(*id)).collect();
            if reached.is_empty() {
                return Some(locked);
            }
            reached.into_iter().for_each(|id| plan.stripe(id));
        }
    }

    /// Scripts are called often, and this is most of what their locks cost: nothing is sorted or looked for.
    fn lock_everything(&self) -> Option<Locked<'_>> {
        let making = self.hold_making()?;
        let databases = || (0..).take(self.n_databases()).map(|db| (db, self.existing(db)));
        let mut more = Vec::with_capacity(databases().map(|(_, slots)| slots.len()).sum());
        let mut absent = Vec::with_capacity(self.n_databases());
        for (db, slots) in databases() {
            if slots.is_empty() {
                absent.push(db);
            }
            for (slot, index) in slots.iter().zip(0..) {
                more.push(self.hold_slot(slot, StripeId { db, index })?);
            }
        }
        let mut locked = Locked::new(self);
        let rest = locked.rest_mut();
        rest.absent = absent;
        rest.making = Some(making);
        rest.more = more;
        Some(locked)
    }

    /// Keeps databases from being made.
    fn hold_making(&self) -> Option<MutexGuard<'_, ()>> {
        match self.making.try_lock() {
            Some(making) => Some(making),
            None => self.gate.pass(|patience| self.making.try_lock_for(patience)),
        }
    }

    fn stripes_of(&self, wanted: StripeId) -> impl Iterator<Item = StripeId> + use<> {
        let (first, n) = match wanted.index {
            ALL => (0, self.existing(wanted.db).len()),
            index => (index, 1),
        };
        (first..).take(n).map(move |index| StripeId { db: wanted.db, index })
    }

    fn hold_in_order(&self, mut ids: Vec<StripeId>) -> Option<Vec<Held<'_>>> {
        ids.sort_unstable();
        ids.dedup();
        // A database is made before anything is locked: whoever holds all stripes keeps new ones from being made.
        for id in &ids {
            self.slot(*id)?;
        }
        ids.into_iter().map(|id| self.hold(id)).collect()
    }

    #[inline]
    pub(super) fn hold(&self, id: StripeId) -> Option<Held<'_>> {
        self.hold_slot(self.slot(id)?, id)
    }

    #[inline]
    fn hold_slot<'a>(&self, slot: &'a Slot, id: StripeId) -> Option<Held<'a>> {
        let stripe = match slot.try_lock() {
            Some(stripe) => stripe,
            None => self.gate.pass(|patience| slot.try_lock_for(patience))?,
        };
        Some(Held { id, stripe })
    }
}

impl<'a> Locked<'a> {
    #[inline]
    fn new(keyspace: &'a Keyspace) -> Self {
        Self { keyspace, first: None, only: (&[], 0), n_changes: 0, steps: false, rest: None }
    }

    fn more(&self) -> &[Held<'a>] {
        self.rest.as_ref().map(|it| &*it.more).unwrap_or_default()
    }

    fn all(&self) -> impl Iterator<Item = &Held<'a>> {
        self.first.iter().chain(self.more())
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Held<'a>> {
        self.first.iter_mut().chain(self.rest.iter_mut().flat_map(|it| &mut it.more))
    }

    /// Locks `wanted`, of which some are whole databases, and keeps databases from being made that do not exist.
    fn hold_databases(&mut self, wanted: &[StripeId]) -> Option<()> {
        let keyspace = self.keyspace;
        for id in wanted.iter().filter(|it| it.index != ALL) {
            keyspace.slot(*id)?;
        }
        let making = keyspace.hold_making()?;
        let ids = wanted.iter().flat_map(|it| keyspace.stripes_of(*it)).collect();
        let more = keyspace.hold_in_order(ids)?;
        let whole = wanted.iter().filter(|it| it.index == ALL).map(|it| it.db);
        let mut absent: Vec<u16> = whole.filter(|db| keyspace.existing(*db).is_empty()).collect();
        // Commands of one transaction may each want all of it; it is made once.
        absent.sort_unstable();
        absent.dedup();
        let rest = self.rest_mut();
        rest.more = more;
        rest.absent = absent;
        rest.making = Some(making);
        Some(())
    }

    /// Whether there is anything but one stripe: other stripes, or something to tell, serve or free. Most commands leave
    /// nothing behind, and need not be asked for each of these.
    #[inline]
    pub(crate) fn has_more(&self) -> bool {
        self.rest.is_some()
    }

    fn rest_mut(&mut self) -> &mut Rest<'a> {
        let keyspace = self.keyspace;
        self.rest.get_or_insert_with(|| Box::new(Rest::new(keyspace)))
    }

    fn holds(&self, id: StripeId) -> bool {
        self.all().any(|it| it.id == id)
    }

    /// The key with its hash, for the other methods.
    #[inline]
    pub(crate) fn key<'k>(&self, name: &'k [u8]) -> Key<'k> {
        // The same bytes in the same place: nobody has changed them, since they are borrowed.
        let is_only = std::ptr::eq(name, self.only.0) && !name.is_empty();
        Key { hash: if is_only { self.only.1 } else { self.keyspace.hash(name) }, name }
    }

    /// The stripe of a key. `None`: its database is locked as a whole, and empty because it was never used.
    ///
    /// # Panics
    /// If the key is not locked: then the command's `Spec` does not name its keys, and going on would lose data.
    #[inline]
    fn find(&mut self, db: u16, key: Key<'_>) -> Option<&mut StripeGuard<'a>> {
        let id = self.keyspace.stripe_of(db, key.hash);
        match &mut self.first {
            Some(first) if first.id == id => Some(&mut first.stripe),
            _ => Self::find_in_rest(self.rest.as_deref_mut(), id),
        }
    }

    fn find_in_rest<'s>(
        rest: Option<&'s mut Rest<'a>>,
        id: StripeId,
    ) -> Option<&'s mut StripeGuard<'a>> {
        let found = rest.and_then(|rest| match position(&rest.more, id) {
            Some(at) => rest.more.get_mut(at).map(Some),
            None => rest.absent.contains(&id.db).then_some(None),
        });
        assert!(found.is_some(), "a command reads only keys that its Spec names");
        found.flatten().map(|it| &mut it.stripe)
    }

    /// The stripe of a key that may be put there. Makes its database, if all stripes of that are wanted and there were
    /// none.
    ///
    /// # Panics
    /// If the key is not locked: then the command's `Spec` does not name its keys, and going on would lose data.
    #[expect(
        clippy::expect_used,
        reason = "a stripe that is not held is a bug in a Spec; see Panics"
    )]
    #[inline]
    fn stripe(&mut self, db: u16, key: Key<'_>) -> &mut StripeGuard<'a> {
        if self.rest.is_some() {
            self.make_database(db);
        }
        self.find(db, key).expect("a command writes only keys that its Spec names")
    }

    /// Makes a database that was absent when all its stripes were wanted. Nobody else uses it before it is released.
    fn make_database(&mut self, db: u16) {
        let Some(rest) = &mut self.rest else { return };
        let Some(at) = rest.absent.iter().position(|it| *it == db) else { return };
        rest.absent.swap_remove(at);
        rest.made.push(db);
        let slots = self.keyspace.make(db);
        let held = slots
            .iter()
            .zip(0..)
            .map(|(slot, index)| Held { id: StripeId { db, index }, stripe: slot.lock() });
        let at = rest.more.partition_point(|it| it.id.db < db);
        rest.more.splice(at..at, held);
    }
}

/// Reading. A key whose time has come is removed first, and so are the fields of a hash.
impl Locked<'_> {
    /// The live entry of `key`.
    #[inline]
    pub(crate) fn get(&mut self, db: u16, key: Key<'_>, now_ms: u64) -> Option<&Entry> {
        self.expire(db, key, now_ms);
        self.find(db, key)?.find(key)
    }

    /// As [`Self::get`], counted for `INFO`'s `keyspace_hits` and `keyspace_misses`, and as a use of the key if there
    /// is a clock.
    #[inline]
    pub(crate) fn lookup(
        &mut self,
        db: u16,
        key: Key<'_>,
        (now_ms, clock): (u64, Option<Clock>),
    ) -> Option<&Entry> {
        self.expire(db, key, now_ms);
        self.find(db, key)?.lookup(key, clock)
    }

    /// Removes what is due of `key`.
    #[inline]
    fn expire(&mut self, db: u16, key: Key<'_>, now_ms: u64) {
        if self.find(db, key).is_some_and(|it| it.may_have_due(now_ms)) {
            self.expire_due(db, key, now_ms);
        }
    }

    #[cold]
    fn expire_due(&mut self, db: u16, key: Key<'_>, now_ms: u64) {
        let Some(stripe) = self.find(db, key) else { return };
        if stripe.find(key).is_some_and(|it| it.has_due(now_ms))
            && let Some((expired, garbage)) = stripe.expire(key, now_ms, usize::MAX)
        {
            if stripe.touch() {
                self.tell(db, key);
            }
            if let Expired::Key { .. } = expired {
                self.wake_readers_of_gone(db, key);
            }
            if self.keyspace.tuning().broadcasts() {
                self.note_changed(key.name, false);
            }
            self.rest_mut().expired.push((db, expired));
            garbage.into_iter().for_each(|it| self.discard(it));
        }
    }

    /// Number of keys in the locked stripes of `db`.
    #[must_use]
    pub fn n_keys(&self, db: u16) -> usize {
        self.stripes(db).map(StripeGuard::n_keys).sum()
    }

    /// The locked stripes of `db`, in order.
    pub(crate) fn stripes(&self, db: u16) -> impl Iterator<Item = &StripeGuard<'_>> {
        self.all().filter(move |it| it.id.db == db).map(|it| &it.stripe)
    }
}

/// Writing. Nobody is told of it until [`Self::touch`].
impl Locked<'_> {
    /// Sets `key` to a string and when it expires (`None`: never).
    #[inline]
    pub(crate) fn put_text(
        &mut self,
        db: u16,
        key: Key<'_>,
        bytes: &[u8],
        (expires_at_ms, clock): (Option<u64>, Clock),
    ) {
        let keyspace = self.keyspace;
        let rehash = |entry: &Entry| keyspace.hash(entry.key());
        let replaced =
            self.stripe(db, key).put_text(key, bytes, expires_at_ms.unwrap_or(0), (clock, rehash));
        if let Some(value) = replaced {
            if let Value::Stream(_) = value {
                self.wake_readers_of_gone(db, key);
                self.note_restarted(db, key);
            }
            self.discard(value);
        }
    }

    /// Sets the value of `key` and when it expires (`None`: never); returns the value before.
    pub(crate) fn put(
        &mut self,
        db: u16,
        key: Key<'_>,
        mut value: Value,
        (expires_at_ms, clock): (Option<u64>, Clock),
    ) -> Option<Value> {
        let keyspace = self.keyspace;
        let brings_entries = self.identify(&mut value);
        let rehash = |entry: &Entry| keyspace.hash(entry.key());
        let awaited = Awaited::of(&value).filter(|it| keyspace.waiting().any(*it));
        let stripe = self.stripe(db, key);
        let before = stripe.put(key, value, expires_at_ms.unwrap_or(0), (clock, rehash));
        // Who is blocked on a key is served, once, when it comes to hold such a value.
        if let Some(awaited) = awaited
            && stripe.is_blocking(key)
            && before.as_ref().and_then(Awaited::of) != Some(awaited)
        {
            self.note_ready(db, key);
        } else if let Some(Value::Stream(_)) = before {
            self.wake_readers_of_gone(db, key);
        }
        if brings_entries || matches!(before, Some(Value::Stream(_))) {
            self.note_restarted(db, key);
        }
        before
    }

    /// A stream is another one at another key. Returns whether it is one that has had entries.
    fn identify(&self, value: &mut Value) -> bool {
        let Value::Stream(stream) = value else { return false };
        stream.set_identity(self.keyspace.pushed().draw_identity());
        stream.marks().last_id != StreamId::MIN
    }

    /// Changes the value of a live key in place.
    #[inline]
    pub(crate) fn edit<R>(
        &mut self,
        db: u16,
        key: Key<'_>,
        (now_ms, clock): (u64, Option<Clock>),
        edit: impl FnOnce(&mut Value) -> R,
    ) -> Option<R> {
        self.expire(db, key, now_ms);
        self.find(db, key)?.edit(key, clock, edit)
    }

    /// Removes `key`, due or not; returns what it held.
    pub(crate) fn remove(&mut self, db: u16, key: Key<'_>) -> Option<Value> {
        let removed = self.find(db, key)?.remove(key)?;
        if let Value::Stream(_) = removed {
            self.wake_readers_of_gone(db, key);
            self.note_restarted(db, key);
        }
        Some(removed)
    }

    /// A stream is no longer at `key`: those who wait in one of its groups are told.
    #[cold]
    fn wake_readers_of_gone(&mut self, db: u16, key: Key<'_>) {
        if self.keyspace.waiting().any(Awaited::Stream) {
            self.wake_readers(db, key);
        }
    }

    /// Changes when `key` expires (`None`: never); returns whether the key is there.
    pub(crate) fn set_expiry(&mut self, db: u16, key: Key<'_>, expires_at_ms: Option<u64>) -> bool {
        let Some(stripe) = self.find(db, key) else { return false };
        stripe.set_expiry(key, expires_at_ms.unwrap_or(0))
    }

    /// Empties the locked stripes of `db`, or all locked stripes; returns how many keys are gone.
    pub(crate) fn flush(&mut self, db: Option<u16>) -> usize {
        let mut n_removed = 0;
        let mut garbage = Garbage::default();
        let keyspace = self.keyspace;
        let mut gone = Vec::new();
        for held in self.all_mut().filter(|it| db.is_none_or(|db| it.id.db == db)) {
            if keyspace.waiting().any(Awaited::Stream) {
                gone.extend(held.stripe.read_streams().into_iter().map(|key| (held.id.db, key)));
            }
            let contents = held.stripe.clear();
            garbage.add_tracked(held.stripe.forget_tracked(keyspace.tracked()));
            n_removed += contents.table().len();
            if !contents.table().is_empty() {
                garbage.add_contents(contents);
            }
        }
        self.n_changes += 1;
        let rest = self.rest_mut();
        gone.into_iter().for_each(|(db, key)| rest.ready.push(db, key));
        rest.garbage.append(garbage);
        rest.stale.push(Stale::All);
        n_removed
    }

    /// Exchanges the keys of two databases, all of whose stripes are locked. Those who watch a key of either are told,
    /// and clients that are blocked on a key that is there now are served.
    pub(crate) fn swap(&mut self, a: u16, b: u16) {
        self.make_database(a);
        self.make_database(b);
        let mut of_a: Vec<_> = Vec::new();
        let mut of_b: Vec<_> = Vec::new();
        let keyspace = self.keyspace;
        for held in self.all_mut() {
            if held.id.db == a {
                of_a.push(&mut held.stripe);
            } else if held.id.db == b {
                of_b.push(&mut held.stripe);
            }
        }
        let (mut ready, mut garbage) = (Vec::new(), Garbage::default());
        for (in_a, in_b) in of_a.into_iter().zip(of_b) {
            if keyspace.waiting().any(Awaited::Stream) {
                ready.extend(in_a.read_streams().into_iter().map(|key| (a, key)));
                ready.extend(in_b.read_streams().into_iter().map(|key| (b, key)));
            }
            let contents = in_b.exchange(super::stripe::Contents::default());
            let contents = in_a.exchange(contents);
            in_b.exchange(contents);
            garbage.add_tracked(in_a.forget_tracked(keyspace.tracked()));
            garbage.add_tracked(in_b.forget_tracked(keyspace.tracked()));
            let is_awaited =
                |value: &Value| Awaited::of(value).is_some_and(|it| keyspace.waiting().any(it));
            ready.extend(in_a.ready(is_awaited).into_iter().map(|key| (a, key)));
            ready.extend(in_b.ready(is_awaited).into_iter().map(|key| (b, key)));
        }
        self.n_changes += 1;
        let rest = self.rest_mut();
        ready.into_iter().for_each(|(db, key)| rest.ready.push(db, key));
        rest.stale.push(Stale::All);
        rest.garbage.append(garbage);
    }

    /// Frees a value that was taken out: now if that is quick, otherwise it is part of what [`Self::release`] returns.
    #[inline]
    pub(crate) fn discard(&mut self, value: Value) {
        if value.is_large() {
            self.rest_mut().garbage.add_value(value);
        }
    }
}

impl Locked<'_> {
    /// Gives the locks back; returns what is still to be freed.
    #[inline]
    #[must_use]
    pub fn release(&mut self) -> Option<Garbage> {
        self.first = None;
        let mut rest = self.rest.take()?;
        let garbage = std::mem::take(&mut rest.garbage);
        (!garbage.is_empty()).then_some(garbage)
    }
}

/// Databases are opened to others after the stripes were given back. The first one was: it is dropped before the rest.
impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.more.clear();
        for db in &self.made {
            self.keyspace.open(*db);
        }
    }
}
