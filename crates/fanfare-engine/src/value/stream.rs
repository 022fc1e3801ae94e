//! A stream: entries in the order of their IDs, and the groups that read them.
//!
//! | file | holds |
//! |---|---|
//! | `id` | [`StreamId`]: what orders entries |
//! | `block` | some hundred entries in a listpack, as Redis has it |
//! | `chain` | all of them: sealed blocks in a tree, and the open one |
//! | `slice` | [`Slice`]: entries for a reply |
//! | `group`, `consumer` | [`Group`], [`Consumer`]: who reads, and what is pending |
//! | `kept` | what a group keeps of each pending entry |
//! | `position` | how far a group has come: entries read, and lag |
//! | `producer` | [`Producers`]: what was added by whom, so that it is added once |

mod block;
mod chain;
mod consumer;
mod finder;
mod group;
mod id;
mod kept;
mod position;
mod producer;
mod slice;
#[cfg(test)]
mod tests;

pub(crate) use block::Block;
pub use block::{Entry, Limits};
pub use chain::{Keep, Trim};
pub use consumer::Consumer;
pub use finder::Finder;
pub use group::{Group, Owner, Pending};
pub use id::{NewId, Spelled, StreamId};
pub use position::Extent;
pub use producer::{IidHash, Producers, Settings};
pub(crate) use slice::Shown;
pub use slice::{Delivery, Order, Slice};

use triomphe::Arc;

use chain::Chain;
use group::hint_of;

use crate::packed::Full;
use crate::tree::Name;
use crate::tree::rank::RankTree;

/// A stream of entries.
#[derive(Clone, Debug, Default)]
pub struct Stream(Arc<Body>);

#[derive(Clone, Debug, Default)]
struct Body {
    chain: Chain,
    last_id: StreamId,
    max_deleted_id: StreamId,
    n_added: u64,
    /// In the order of their names.
    groups: RankTree<Group>,
    /// Bytes that the groups hold.
    n_group_bytes: usize,
    producers: Producers,
    /// The largest ID of which the entry was cut off.
    trimmed_id: StreamId,
    /// Which stream it is among those that were ever at a key.
    identity: u64,
}

/// How far entries are counted: what there are numbers for in replies.
const N_ADDED_MAX: u64 = i64::MAX as u64;

/// What a stream remembers beside its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The last ID that was given to an entry; the next one is larger.
    pub last_id: StreamId,
    /// The largest ID of which the entry was deleted.
    pub max_deleted_id: StreamId,
    /// How many entries were added in all its life.
    pub n_added: u64,
}

/// Entries.
impl Stream {
    /// How many entries there are.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.chain.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name that `OBJECT ENCODING` answers.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        "stream"
    }

    /// Bytes on the heap that it holds.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        let body = &*self.0;
        let parts = body.chain.n_bytes() + body.groups.n_bytes() + body.producers.n_bytes();
        size_of::<Body>() + size_of::<usize>() + parts + body.n_group_bytes
    }

    /// About how many small allocations it takes as long to free as this.
    #[must_use]
    pub fn effort(&self) -> usize {
        let groups = self.0.groups.iter().map(Group::effort).sum::<usize>();
        2 * self.n_blocks() + groups + self.0.producers.effort()
    }

    /// In how many blocks the entries are.
    #[must_use]
    pub fn n_blocks(&self) -> usize {
        self.0.chain.n_blocks()
    }

    /// What it remembers beside its entries.
    #[inline]
    #[must_use]
    pub fn marks(&self) -> Marks {
        let Body { last_id, max_deleted_id, n_added, .. } = *self.0;
        Marks { last_id, max_deleted_id, n_added }
    }

    /// Sets what it remembers. A group that has read more than was added then has read nobody knows how much.
    pub fn set_marks(&mut self, marks: Marks) {
        let body = Arc::make_mut(&mut self.0);
        (body.last_id, body.max_deleted_id) = (marks.last_id, marks.max_deleted_id);
        body.n_added = marks.n_added.min(N_ADDED_MAX);
        let n_added = body.n_added;
        for at in 0..self.n_groups() {
            let read_more = |it: &&Group| it.entries_read().is_some_and(|it| n_added < it);
            if self.0.groups.get(at).filter(read_more).is_some() {
                self.edit_group_at(at, |it| it.set_position(it.last_id(), None));
            }
        }
    }

    /// The largest ID of which the entry was cut off; 0-0, if none was.
    #[must_use]
    pub fn trimmed_id(&self) -> StreamId {
        self.0.trimmed_id
    }

    /// Which stream it is among those that were ever at a key: no two have the same, but for copies in snapshots.
    #[must_use]
    pub fn identity(&self) -> u64 {
        self.0.identity
    }

    /// It is another stream from now on.
    pub(crate) fn set_identity(&mut self, identity: u64) {
        Arc::make_mut(&mut self.0).identity = identity;
    }

    /// The ID of the first entry; the smallest, if there is none.
    #[must_use]
    pub fn first_id(&self) -> StreamId {
        self.0.chain.first_id().unwrap_or_default()
    }

    /// The ID that an entry gets which is added now; `None`: it has to be larger than the last one, and can not.
    #[must_use]
    pub fn next_id(&self, wanted: NewId, now_ms: u64) -> Option<StreamId> {
        let last = self.0.last_id;
        let id = match wanted {
            NewId::Auto if last.ms < now_ms => StreamId { ms: now_ms, seq: 0 },
            NewId::Auto => last.next()?,
            NewId::AutoSeq(ms) if ms == last.ms => StreamId { ms, seq: last.seq.checked_add(1)? },
            NewId::AutoSeq(ms) => StreamId { ms, seq: 0 },
            NewId::Explicit(id) => id,
        };
        (last < id).then_some(id)
    }

    /// Adds an entry, whose ID is larger than the last one.
    ///
    /// # Errors
    /// If it is too large; nothing is changed then.
    #[inline]
    pub fn push<'f>(
        &mut self,
        id: StreamId,
        fields: impl ExactSizeIterator<Item = (&'f [u8], &'f [u8])> + Clone,
        limits: Limits,
    ) -> Result<(), Full> {
        let body = Arc::make_mut(&mut self.0);
        body.chain.push(id, fields, limits)?;
        body.last_id = id;
        body.n_added = (body.n_added + 1).min(N_ADDED_MAX);
        Ok(())
    }

    /// Adds a block of entries behind all others; false if it does not belong there.
    pub(crate) fn push_block(&mut self, block: Block) -> bool {
        Arc::make_mut(&mut self.0).chain.push_block(block)
    }

    /// The blocks that it is made of.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.0.chain.blocks()
    }

    /// The entry with an ID.
    #[must_use]
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.0.chain.get(id)
    }

    /// Entries from the first whose ID is not less.
    pub fn iter_from(&self, id: StreamId) -> impl Iterator<Item = Entry<'_>> + use<'_> {
        self.0.chain.iter_from(id)
    }

    /// Entries from the last whose ID is not greater, backwards.
    pub fn iter_back_from(&self, id: StreamId) -> impl Iterator<Item = Entry<'_>> + use<'_> {
        self.0.chain.iter_back_from(id)
    }

    /// Entries with IDs from the first to the second, as long as `take` is true for them.
    #[must_use]
    pub fn slice(
        &self,
        bounds: (StreamId, StreamId),
        order: Order,
        take: impl FnMut(&Entry<'_>) -> bool,
    ) -> Slice {
        Slice::new(&self.0.chain, bounds, order, take)
    }

    /// Removes an entry; false if it is not there.
    pub fn remove(&mut self, id: StreamId) -> bool {
        if self.get(id).is_none() {
            return false;
        }
        let body = Arc::make_mut(&mut self.0);
        body.max_deleted_id = body.max_deleted_id.max(id);
        body.chain.remove(id)
    }

    /// Cuts the beginning off; returns how many entries went.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        // Most writers trim after each entry, and there is nothing to be cut off.
        if let Keep::Last(n) = trim.keep
            && self.len() as u64 <= n
        {
            return 0;
        }
        let body = Arc::make_mut(&mut self.0);
        let (n_removed, last_gone) = body.chain.trim(trim);
        body.trimmed_id = body.trimmed_id.max(last_gone.unwrap_or_default());
        n_removed
    }

    /// Cuts entries off the beginning one by one, whether it is exact or not, but for those that `keeps` is true for;
    /// returns the IDs of those that went. None behind `last` goes.
    pub fn trim_unless(
        &mut self,
        (trim, last): (Trim, StreamId),
        keeps: impl Fn(&Self, StreamId) -> bool,
    ) -> Vec<StreamId> {
        let mut removed = Vec::new();
        let len = self.len() as u64;
        let mut n_removed = 0;
        'blocks: for block in self.blocks() {
            let n_here = block.n_entries() as u64;
            if trim.n_max != 0 && trim.n_max < n_removed + n_here {
                break;
            }
            let goes_wholly = match trim.keep {
                Keep::Last(n) if len - n_removed <= n => break,
                Keep::Last(n) => n <= len - n_removed - n_here,
                Keep::From(id) => block.last_id() < id,
            };
            for id in block.ids() {
                let is_wanted = match trim.keep {
                    Keep::Last(n) => n < len - n_removed,
                    Keep::From(first) => id < first,
                };
                if !is_wanted || last < id {
                    break 'blocks;
                }
                if !keeps(self, id) {
                    removed.push(id);
                    n_removed += 1;
                }
            }
            if !goes_wholly {
                break;
            }
        }
        let body = Arc::make_mut(&mut self.0);
        for &id in &removed {
            body.chain.remove(id);
        }
        body.trimmed_id = body.trimmed_id.max(removed.last().copied().unwrap_or_default());
        removed
    }
}

/// Groups.
impl Stream {
    /// How many groups there are.
    #[must_use]
    pub fn n_groups(&self) -> usize {
        self.0.groups.len()
    }

    /// All groups, in the order of their names.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.0.groups.iter()
    }

    fn search_group(&self, name: &[u8]) -> Result<usize, usize> {
        self.0.groups.search(hint_of(name), |it| (**it.name()).cmp(name))
    }

    /// A group.
    #[must_use]
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.0.groups.get(self.search_group(name).ok()?)
    }

    /// Has `edit` change a group.
    pub fn edit_group<R>(&mut self, name: &[u8], edit: impl FnOnce(&mut Group) -> R) -> Option<R> {
        let at = self.search_group(name).ok()?;
        self.edit_group_at(at, edit)
    }

    fn edit_group_at<R>(&mut self, at: usize, edit: impl FnOnce(&mut Group) -> R) -> Option<R> {
        let body = Arc::make_mut(&mut self.0);
        let (before, after, result) = body.groups.update(at, |group| {
            let before = group.n_bytes();
            let result = edit(group);
            (before, group.n_bytes(), result)
        })?;
        body.n_group_bytes = body.n_group_bytes + after - before;
        Some(result)
    }

    /// Adds a group; false if there is one of this name.
    pub fn add_group(&mut self, name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> bool {
        let Err(at) = self.search_group(name) else { return false };
        let group = Group::new(Name::from(name), last_id, entries_read);
        let body = Arc::make_mut(&mut self.0);
        body.n_group_bytes += group.n_bytes();
        body.groups.insert(at, group);
        true
    }

    /// Removes a group: it is all that the stream has which is returned, and which may take long to free. `None`: there is
    /// none of this name.
    pub fn remove_group(&mut self, name: &[u8]) -> Option<Self> {
        let at = self.search_group(name).ok()?;
        let body = Arc::make_mut(&mut self.0);
        let group = body.groups.remove(at)?;
        let n_group_bytes = group.n_bytes();
        body.n_group_bytes -= n_group_bytes;
        let mut removed = Body { n_group_bytes, ..Body::default() };
        removed.groups.push_back(group);
        Some(Self(Arc::new(removed)))
    }

    /// No group knows of an entry any more; returns whether one did.
    pub fn forget_pending(&mut self, id: StreamId) -> bool {
        let mut was_pending = false;
        for at in 0..self.n_groups() {
            if self.0.groups.get(at).is_some_and(|it| it.pending(id).is_some()) {
                self.edit_group_at(at, |it| it.remove_pending(id));
                was_pending = true;
            }
        }
        was_pending
    }

    /// The last ID up to which every group was given entries; the largest one, if there are no groups.
    #[must_use]
    pub fn given_to_all(&self) -> StreamId {
        self.groups().map(Group::last_id).min().unwrap_or(StreamId::MAX)
    }

    /// Whether a group was not given an entry so far, or did not acknowledge it.
    #[must_use]
    pub fn is_wanted(&self, id: StreamId) -> bool {
        self.groups().any(|it| it.last_id() < id || it.pending(id).is_some())
    }
}

/// Producers.
impl Stream {
    /// What was added by whom.
    #[must_use]
    pub fn producers(&self) -> &Producers {
        &self.0.producers
    }

    /// Has `edit` change what is known of producers.
    pub fn edit_producers<R>(&mut self, edit: impl FnOnce(&mut Producers) -> R) -> R {
        edit(&mut Arc::make_mut(&mut self.0).producers)
    }
}
