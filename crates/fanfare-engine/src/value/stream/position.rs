//! [`Extent`]: how far a group has come in a stream: how many entries it has read, and how many are ahead of it.
//!
//! Entries are only counted, not numbered, so the place of an ID is known at the ends of a stream and where nothing was
//! deleted between it and one of them. Sources: <https://redis.io/docs/latest/commands/xinfo-groups/>, "Consumer group
//! lag", and the rules as Redis 8 has them: those of 7.0.15 take entries that were trimmed for entries that are ahead.

use std::cmp::Ordering;

use super::{Group, Marks, Stream, StreamId};

/// Where a stream begins and ends, and what is gone from it.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    marks: Marks,
    /// The ID of the first entry; 0-0, if there is none.
    first: StreamId,
    len: u64,
}

impl Stream {
    /// Where it begins and ends.
    #[must_use]
    pub fn extent(&self) -> Extent {
        Extent { marks: self.marks(), first: self.first_id(), len: self.len() as u64 }
    }
}

impl Extent {
    /// How many entries were added before and up to an ID, counted from the very first; `None`: nobody knows.
    #[must_use]
    pub fn n_added_up_to(&self, id: StreamId) -> Option<u64> {
        let Marks { last_id, max_deleted_id, n_added } = self.marks;
        if n_added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= last_id {
            return Some(n_added);
        }
        if id != StreamId::MIN && id < max_deleted_id {
            return None;
        }
        // Nothing was deleted from the first entry on.
        let is_whole = max_deleted_id == StreamId::MIN || max_deleted_id < self.first;
        let n_before = n_added.checked_sub(self.len).filter(|_| is_whole);
        match (id.cmp(&last_id), id.cmp(&self.first)) {
            (Ordering::Equal, _) => Some(n_added),
            (Ordering::Greater, _) | (Ordering::Less, Ordering::Greater) => None,
            (Ordering::Less, Ordering::Less) => n_before,
            (Ordering::Less, Ordering::Equal) => n_before.map(|it| it + 1),
        }
    }

    /// Whether an entry was deleted whose ID is not less, of a stream that has entries.
    fn has_deleted_from(&self, id: StreamId) -> bool {
        let max_deleted = self.marks.max_deleted_id;
        self.len != 0 && max_deleted != StreamId::MIN && id <= max_deleted
    }

    /// How many entries a group has still to be given; `None`: nobody knows.
    #[must_use]
    pub fn lag(&self, group: &Group) -> Option<u64> {
        let (n_added, last_id) = (self.marks.n_added, group.last_id());
        if n_added == 0 || self.len == 0 {
            return Some(0);
        }
        if last_id < self.first && self.marks.max_deleted_id < self.first {
            return Some(self.len);
        }
        let known = group.entries_read().filter(|_| !self.has_deleted_from(last_id));
        n_added.checked_sub(known.or_else(|| self.n_added_up_to(last_id))?)
    }

    /// How many entries a group has read that has read `entries_read` up to `last_id` and is given the entry `id` now;
    /// `None`: nobody knows.
    #[must_use]
    pub fn n_read_with(
        &self,
        (last_id, entries_read): (StreamId, Option<u64>),
        id: StreamId,
    ) -> Option<u64> {
        let counts_on = self.first <= last_id && !self.has_deleted_from(last_id);
        // Nobody can have read more than was added.
        match entries_read.filter(|it| counts_on && *it < self.marks.n_added) {
            Some(n) => Some(n + 1),
            None => self.n_added_up_to(id),
        }
    }
}
