//! [`Group`]: consumers that share the entries of a stream, and what they were given and did not acknowledge.
//!
//! What is pending is kept in three orders: by ID, by the time of the last delivery, and by ID for each consumer. So
//! nothing has to be looked through, whoever asks.
//!
//! Source: <https://redis.io/docs/latest/develop/data-types/streams/#consumer-groups>.

use std::num::NonZeroU32;

use triomphe::Arc;

use super::consumer::{Consumer, Consumers};
use super::id::StreamId;
use super::kept::{Due, Kept, Often};
use crate::tree::Name;
use crate::tree::rank::{Item, RankTree};

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group(Arc<Body>);

#[derive(Clone, Debug)]
struct Body {
    name: Name,
    last_id: StreamId,
    entries_read: Option<u64>,
    pending: RankTree<Kept>,
    by_time: RankTree<Due>,
    /// Of what was delivered very often.
    often: Often,
    /// Turns that were taken so far.
    n_turns: u64,
    consumers: Consumers,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Of the entry.
    pub id: StreamId,
    /// When it was delivered last, in milliseconds since the Unix epoch; 0 if it was given back.
    pub delivered_ms: u64,
    /// How often it was delivered.
    pub n_deliveries: u64,
    /// Who has it; `None`: it was given back.
    pub owner: Option<Owner>,
}

impl Pending {
    /// Milliseconds since it was delivered last. One that was given back has waited for ever.
    #[must_use]
    pub fn idle_ms(&self, now_ms: u64) -> u64 {
        if self.owner.is_none() { u64::MAX } else { now_ms.saturating_sub(self.delivered_ms) }
    }
}

/// Number of a consumer, for as long as there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(NonZeroU32);

impl Owner {
    pub(super) fn new(number: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(number))
    }

    pub(super) fn number(self) -> u32 {
        self.0.get() - 1
    }
}

impl Item for Group {
    type Hint = u64;
    const LEAF_MAX: usize = 16;

    fn hint(&self) -> u64 {
        hint_of(self.name())
    }
}

/// The first bytes of a name, which decide most comparisons.
pub(super) fn hint_of(name: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(name) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}

impl Group {
    pub(super) fn new(name: Name, last_id: StreamId, entries_read: Option<u64>) -> Self {
        Self(Arc::new(Body {
            name,
            last_id,
            entries_read,
            pending: RankTree::new(),
            by_time: RankTree::new(),
            often: Often::default(),
            n_turns: 0,
            consumers: Consumers::default(),
        }))
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.0.name
    }

    /// The last entry that was delivered to a consumer.
    #[must_use]
    pub fn last_id(&self) -> StreamId {
        self.0.last_id
    }

    /// How many entries of the stream were read up to [`Self::last_id`], counted from the very first; `None`: nobody
    /// knows.
    #[must_use]
    pub fn entries_read(&self) -> Option<u64> {
        self.0.entries_read
    }

    /// Sets [`Self::last_id`] and [`Self::entries_read`].
    pub fn set_position(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        let body = Arc::make_mut(&mut self.0);
        (body.last_id, body.entries_read) = (last_id, entries_read);
    }

    /// Bytes that it holds.
    pub(super) fn n_bytes(&self) -> usize {
        let body = &*self.0;
        let trees = body.pending.n_bytes() + body.by_time.n_bytes() + body.often.n_bytes();
        size_of::<Body>() + body.name.n_bytes() + trees + body.consumers.n_bytes()
    }

    /// About how many small allocations it takes as long to free as this.
    pub(super) fn effort(&self) -> usize {
        // Three orders, of 64 to a leaf.
        1 + self.0.consumers.len() + 3 * self.0.pending.len() / 64
    }
}

/// What is pending.
impl Group {
    /// How many entries are pending.
    #[must_use]
    pub fn n_pending(&self) -> usize {
        self.0.pending.len()
    }

    /// How many of them were given back.
    #[must_use]
    pub fn n_given_back(&self) -> usize {
        let n_owned: usize = self.consumers().map(Consumer::n_pending).sum();
        self.n_pending().saturating_sub(n_owned)
    }

    /// The first and the last entry that is pending.
    #[must_use]
    pub fn pending_bounds(&self) -> Option<(StreamId, StreamId)> {
        Some((self.0.pending.first()?.id, self.0.pending.last()?.id))
    }

    /// What is pending of an entry.
    #[must_use]
    pub fn pending(&self, id: StreamId) -> Option<Pending> {
        let at = find_pending(&self.0.pending, id).ok()?;
        self.0.pending.get(at).map(|it| it.pending(&self.0.often))
    }

    /// What is pending, from an ID on.
    pub fn pending_from(&self, id: StreamId) -> impl Iterator<Item = Pending> + use<'_> {
        let (Ok(at) | Err(at)) = find_pending(&self.0.pending, id);
        self.0.pending.range(at..).map(|it| it.pending(&self.0.often))
    }

    /// What a consumer has, from an ID on.
    pub fn pending_of(
        &self,
        owner: Owner,
        id: StreamId,
    ) -> impl Iterator<Item = Pending> + use<'_> {
        let ids = self.consumer(owner).map(|it| it.pending_from(id));
        ids.into_iter().flatten().filter_map(|it| self.pending(it))
    }

    /// What was delivered last at a time or before, and not since: the longest ago first.
    pub fn idle(&self, delivered_ms_max: u64) -> impl Iterator<Item = StreamId> + use<'_> {
        let is_idle = move |it: &&Due| it.delivered_ms <= delivered_ms_max;
        self.0.by_time.iter().take_while(is_idle).map(|it| it.id)
    }

    /// How many entries [`Self::idle`] has.
    #[must_use]
    pub fn n_idle(&self, delivered_ms_max: u64) -> usize {
        self.0.by_time.partition_point(|it| it.delivered_ms <= delivered_ms_max)
    }

    /// What was given back and has no owner, the first first.
    pub fn unowned(&self) -> impl Iterator<Item = StreamId> + use<'_> {
        // It has the time 0, which some with an owner may have, too.
        self.idle(0).filter(|it| self.pending(*it).is_some_and(|it| it.owner.is_none()))
    }

    /// Whether something was given back and has no owner.
    #[must_use]
    pub fn has_unowned(&self) -> bool {
        self.unowned().next().is_some()
    }

    /// When what is pending for longest was delivered.
    #[must_use]
    pub fn oldest_delivery_ms(&self) -> Option<u64> {
        self.0.by_time.first().map(|it| it.delivered_ms)
    }

    /// Makes an entry pending, or changes what is known of one that is: among those that were delivered at the same time
    /// it is the last one from now on.
    pub fn set_pending(&mut self, pending: Pending) {
        let body = Arc::make_mut(&mut self.0);
        body.n_turns += 1;
        let new = Kept::new(pending, body.n_turns);
        let old = match find_pending(&body.pending, pending.id) {
            Ok(at) => body.pending.update(at, |it| std::mem::replace(it, new)),
            Err(at) => {
                body.pending.insert(at, new);
                None
            }
        };
        if old.is_some_and(|it| it.is_often()) {
            body.often.remove(pending.id);
        }
        if new.is_often() {
            body.often.insert(pending.id, pending.n_deliveries);
        }
        if let Some(old) = &old {
            remove_due(&mut body.by_time, old.due());
        }
        insert_due(&mut body.by_time, new.due());
        let old_owner = old.map(|it| it.owner);
        if old_owner != Some(pending.owner) {
            body.consumers.remove_pending(old_owner.flatten(), pending.id);
            body.consumers.add_pending(pending.owner, pending.id);
        }
    }

    /// An entry is pending no longer; returns what was known of it.
    pub fn remove_pending(&mut self, id: StreamId) -> Option<Pending> {
        let at = find_pending(&self.0.pending, id).ok()?;
        let body = Arc::make_mut(&mut self.0);
        let old = body.pending.remove(at)?;
        let pending = old.pending(&body.often);
        if old.is_often() {
            body.often.remove(id);
        }
        remove_due(&mut body.by_time, old.due());
        body.consumers.remove_pending(old.owner, id);
        Some(pending)
    }
}

/// Consumers.
impl Group {
    /// How many consumers it has.
    #[must_use]
    pub fn n_consumers(&self) -> usize {
        self.0.consumers.len()
    }

    /// The number of a consumer.
    #[must_use]
    pub fn owner(&self, name: &[u8]) -> Option<Owner> {
        self.0.consumers.find(name)
    }

    /// A consumer.
    #[must_use]
    pub fn consumer(&self, owner: Owner) -> Option<&Consumer> {
        self.0.consumers.get(owner)
    }

    /// All consumers, in the order of their names.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.0.consumers.iter()
    }

    /// The number of a consumer, which is made if there is none of this name; and whether it was.
    pub fn owner_or_new(&mut self, name: &[u8], now_ms: u64) -> (Owner, bool) {
        match self.owner(name) {
            Some(owner) => (owner, false),
            None => (Arc::make_mut(&mut self.0).consumers.add(name, now_ms), true),
        }
    }

    /// Has `edit` change a consumer.
    pub fn edit_consumer(&mut self, owner: Owner, edit: impl FnOnce(&mut Consumer)) {
        Arc::make_mut(&mut self.0).consumers.edit(owner, edit);
    }

    /// Removes a consumer and all that it has; returns how much that was.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let owner = self.owner(name)?;
        let ids: Vec<StreamId> = self.consumer(owner)?.pending_from(StreamId::MIN).collect();
        for &id in &ids {
            self.remove_pending(id);
        }
        Arc::make_mut(&mut self.0).consumers.remove(owner);
        Some(ids.len())
    }
}

fn find_pending(pending: &RankTree<Kept>, id: StreamId) -> Result<usize, usize> {
    // Entries are delivered in order, mostly.
    if pending.last().is_none_or(|last| last.id < id) {
        return Err(pending.len());
    }
    pending.search(id, |it| it.id.cmp(&id))
}

fn insert_due(by_time: &mut RankTree<Due>, due: Due) {
    if by_time.last().is_none_or(|last| *last < due) {
        return by_time.push_back(due);
    }
    let (Ok(at) | Err(at)) = by_time.search(due.delivered_ms, |it| it.cmp(&due));
    by_time.insert(at, due);
}

fn remove_due(by_time: &mut RankTree<Due>, due: Due) {
    if let Ok(at) = by_time.search(due.delivered_ms, |it| it.cmp(&due)) {
        by_time.remove(at);
    }
}
