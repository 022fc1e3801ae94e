//! How far a stream has been read, and what a look at it tells about what happened meanwhile.
//!
//! A server tells of a stream how many entries it has, how many were ever added, its first ID and
//! the last that was given (`XINFO STREAM`). Trimming takes entries from the front. So of a stream
//! whose first ID is above the cursor, `added - length` entries are gone, and if those are more
//! than were accounted for when the cursor passed, some were trimmed unread. And a stream in which
//! a number that can only grow has become smaller is another one.

use crate::stream::{Delivery, StreamId};

/// What `XINFO STREAM` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Entries in the stream.
    pub(crate) length: u64,
    /// Entries ever added; `None` before Redis 7.0.
    pub(crate) added: Option<u64>,
    /// The first entry that is there.
    pub(crate) first: Option<StreamId>,
    /// The last ID that was given.
    pub(crate) last: StreamId,
    /// The largest ID that `XDEL` removed.
    pub(crate) max_deleted: StreamId,
}

/// A place in a stream, and what is known of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Everything up to here was delivered, or told to be missing.
    last: StreamId,
    /// The server told that entries up to here may be missing. Some may be left, and come.
    told: StreamId,
    /// A number of entries that were ever added up to here; there may be more, but not fewer.
    accounted: u64,
    /// What the stream has reached, if it was ever seen.
    seen: Option<Seen>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    added: u64,
    last: StreamId,
}

impl Cursor {
    /// A cursor behind an entry of which nothing else is known.
    pub(crate) fn after(last: StreamId) -> Self {
        Self { last, ..Self::default() }
    }

    /// A cursor behind everything that has been added; `None`: there is no stream.
    pub(crate) fn at_end(facts: Option<&Facts>) -> Self {
        let Some(facts) = facts else { return Self::default() };
        let mut this = Self::after(facts.last);
        this.accounted = facts.added.unwrap_or_default();
        this.see(facts);
        this
    }

    /// The ID behind which to read on.
    pub(crate) fn last(&self) -> StreamId {
        self.last
    }

    /// What has happened to the stream since the cursor was moved; `None`: there is no stream.
    /// After a reset, read again: what was read behind the old cursor is not all.
    pub(crate) fn judge(&mut self, facts: Option<&Facts>) -> Vec<Delivery> {
        let mut found = self.judge_identity(facts);
        found.extend(facts.and_then(|facts| self.judge_trimming(facts)));
        found
    }

    /// Whether it is still the same stream, and no more: a server that pushes tells of gaps itself.
    pub(crate) fn judge_identity(&mut self, facts: Option<&Facts>) -> Vec<Delivery> {
        let seen = self.seen.unwrap_or_default();
        let is_other = match facts {
            None => self.seen.is_some(),
            Some(facts) => {
                // A cursor that begins behind an ID above the last one is of another stream, too.
                facts.last < self.last.max(seen.last)
                    || facts.added.is_some_and(|added| added < seen.added)
                    || self.n_lost(facts).is_some_and(|n| n < 0)
            }
        };
        if is_other {
            self.reset();
        }
        if let Some(facts) = facts {
            self.see(facts);
        }
        if is_other { vec![Delivery::Reset] } else { Vec::new() }
    }

    fn judge_trimming(&mut self, facts: &Facts) -> Option<Delivery> {
        if self.n_lost(facts)? <= 0 {
            return None;
        }
        // All that is below the first entry, or everything.
        let upto = facts.first.map_or(facts.last, StreamId::before);
        let gap = Delivery::Gap { after: self.last, upto };
        self.last = upto;
        let has_holes = facts.first.is_some_and(|first| first <= facts.max_deleted);
        if !has_holes {
            self.accounted = facts.added.unwrap_or_default().saturating_sub(facts.length);
        }
        Some(gap)
    }

    /// How many entries between the cursor and the first entry are gone, at most; `None` if there
    /// is nothing between them, or the server does not tell. Less than 0 can not be.
    fn n_lost(&self, facts: &Facts) -> Option<i128> {
        let is_beyond = match facts.first {
            Some(first) => self.last < first,
            None => self.last < facts.last,
        };
        let n_gone = facts.added?.saturating_sub(facts.length);
        is_beyond.then(|| i128::from(n_gone) - i128::from(self.accounted))
    }

    /// An entry has been delivered. Returns false if it had been before.
    pub(crate) fn pass(&mut self, id: StreamId) -> bool {
        if id <= self.last {
            return false;
        }
        self.last = id;
        self.accounted += 1;
        let seen = self.seen.get_or_insert_default();
        seen.last = seen.last.max(id);
        seen.added = seen.added.max(self.accounted);
        true
    }

    /// All that the stream had when these facts were told has been delivered.
    pub(crate) fn catch_up(&mut self, facts: &Facts) {
        self.accounted = self.accounted.max(facts.added.unwrap_or_default());
    }

    /// The server said that entries up to here are missing. Returns whether that is news.
    pub(crate) fn miss(&mut self, upto: StreamId) -> bool {
        let is_news = self.last.max(self.told) < upto;
        self.told = self.told.max(upto);
        let seen = self.seen.get_or_insert_default();
        seen.last = seen.last.max(upto);
        is_news
    }

    /// Another stream begins. Returns whether this one was ever seen.
    pub(crate) fn reset(&mut self) -> bool {
        std::mem::take(self).seen.is_some()
    }

    fn see(&mut self, facts: &Facts) {
        self.seen = Some(Seen { added: facts.added.unwrap_or_default(), last: facts.last });
    }
}

#[cfg(test)]
mod tests;
