//! Who waits to hear of a key: clients that watch it, clients that are blocked until it holds something, and clients
//! that may hold a copy of it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashTable;

use super::tracked::TrackedKeys;
use super::{Key, StripeId};
use crate::block::{Awaited, Blocked, Ticket};
use crate::tracking::{Tracker, Trackers};
use crate::tree::Name;

/// The keys of one stripe that somebody is interested in.
#[derive(Debug, Default)]
pub(super) struct Interests {
    keys: HashTable<Interest>,
    /// Stripes that are written when a blocked client here is served: `BLMOVE`'s destination. Counted.
    reached: Vec<(StripeId, usize)>,
    tracked: TrackedKeys,
}

#[derive(Debug)]
struct Interest {
    hash: u64,
    key: Name,
    /// Of the clients that watch it: set when it changes.
    marks: Vec<Arc<AtomicBool>>,
    /// In the order in which they came; any of them may leave.
    blocked: BTreeMap<Ticket, Arc<Blocked>>,
    /// How many of them read a stream.
    n_readers: usize,
}

impl Interests {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.tracked.is_empty()
    }

    /// The key changed. Those who may hold a copy of it are returned, and forgotten here.
    pub(super) fn changed(&mut self, hash: u64, key: &[u8]) -> Trackers {
        if let Some(interest) = self.find(hash, key) {
            raise(&interest.marks);
        }
        self.tracked.take(hash, key)
    }

    /// Remembers that a client may hold a copy of the key.
    pub(super) fn track(
        &mut self,
        key: Key<'_>,
        tracker: &Arc<Tracker>,
        rehash: impl Fn(&[u8]) -> u64,
    ) {
        self.tracked.add(key, tracker, rehash);
    }

    /// Forgets any of the keys that clients may hold copies of.
    pub(super) fn take_any_tracked(
        &mut self,
        random: u64,
        hash: impl Fn(&[u8]) -> u64,
    ) -> Option<(Name, Trackers)> {
        self.tracked.take_any(random, hash)
    }

    /// Keys that clients may hold copies of, and clients over all of them.
    pub(super) fn n_tracked(&self) -> (usize, usize) {
        self.tracked.size()
    }

    /// Forgets all copies; what knew of them is returned, to be dropped outside the lock.
    pub(super) fn forget_tracked(&mut self) -> TrackedKeys {
        std::mem::take(&mut self.tracked)
    }

    /// The keys that `is_there` says are there are about to be removed together.
    pub(super) fn changed_where(&self, is_there: impl Fn(u64, &[u8]) -> bool) {
        for interest in self.keys.iter().filter(|it| is_there(it.hash, &it.key)) {
            raise(&interest.marks);
        }
    }

    /// Keys on which clients are blocked.
    pub(super) fn blocking(&self) -> impl Iterator<Item = (u64, &Name)> {
        self.keys.iter().filter(|it| !it.blocked.is_empty()).map(|it| (it.hash, &it.key))
    }

    pub(super) fn watch(&mut self, hash: u64, key: &[u8], mark: &Arc<AtomicBool>) {
        self.entry(hash, key).marks.push(Arc::clone(mark));
    }

    pub(super) fn unwatch(&mut self, hash: u64, key: &[u8], mark: &Arc<AtomicBool>) {
        self.change(hash, key, |it| it.marks.retain(|it| !Arc::ptr_eq(it, mark)));
    }

    pub(super) fn block(&mut self, hash: u64, key: &[u8], blocked: &Arc<Blocked>) {
        let interest = self.entry(hash, key);
        interest.blocked.insert(blocked.ticket(), Arc::clone(blocked));
        interest.n_readers += usize::from(blocked.awaits(Awaited::Stream));
        for stripe in blocked.reaches() {
            match self.reached.iter_mut().find(|it| it.0 == stripe) {
                Some((_, n)) => *n += 1,
                None => self.reached.push((stripe, 1)),
            }
        }
    }

    pub(super) fn unblock(&mut self, hash: u64, key: &[u8], blocked: &Blocked) {
        let mut found = false;
        self.change(hash, key, |it| {
            found = it.blocked.remove(&blocked.ticket()).is_some();
            it.n_readers -= usize::from(found && blocked.awaits(Awaited::Stream));
        });
        if found {
            blocked.note_left();
            for stripe in blocked.reaches() {
                self.reached.iter_mut().filter(|it| it.0 == stripe).for_each(|it| it.1 -= 1);
            }
            self.reached.retain(|it| it.1 != 0);
        }
    }

    /// The client that is blocked on the key for longest, of those behind `after`.
    pub(super) fn next_blocked(
        &self,
        hash: u64,
        key: &[u8],
        after: Option<Ticket>,
    ) -> Option<Arc<Blocked>> {
        let blocked = &self.find(hash, key)?.blocked;
        let next = match after {
            None => blocked.first_key_value(),
            Some(after) => blocked.range((Bound::Excluded(after), Bound::Unbounded)).next(),
        };
        next.map(|(_, blocked)| Arc::clone(blocked))
    }

    /// Whether somebody who reads a stream is blocked on the key.
    pub(super) fn has_readers(&self, hash: u64, key: &[u8]) -> bool {
        self.find(hash, key).is_some_and(|it| it.n_readers != 0)
    }

    /// Keys on which those are blocked who read a stream.
    pub(super) fn read(&self) -> impl Iterator<Item = (u64, &Name)> {
        self.keys.iter().filter(|it| it.n_readers != 0).map(|it| (it.hash, &it.key))
    }

    /// Stripes that are written when clients here are served.
    pub(super) fn reached(&self) -> impl Iterator<Item = StripeId> {
        self.reached.iter().map(|it| it.0)
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<&Interest> {
        self.keys.find(hash, |it| *it.key == *key)
    }

    fn entry(&mut self, hash: u64, key: &[u8]) -> &mut Interest {
        let new = || Interest {
            hash,
            key: key.into(),
            marks: vec![],
            blocked: BTreeMap::new(),
            n_readers: 0,
        };
        self.keys.entry(hash, |it| *it.key == *key, |it| it.hash).or_insert_with(new).into_mut()
    }

    /// Changes an interest; one that nobody has any more is forgotten.
    fn change(&mut self, hash: u64, key: &[u8], change: impl FnOnce(&mut Interest)) {
        let Ok(mut found) = self.keys.find_entry(hash, |it| *it.key == *key) else { return };
        change(found.get_mut());
        if found.get().marks.is_empty() && found.get().blocked.is_empty() {
            found.remove();
        }
    }
}

fn raise(marks: &[Arc<AtomicBool>]) {
    marks.iter().for_each(|mark| mark.store(true, Ordering::Release));
}

#[cfg(test)]
mod tests {
    use super::Interests;
    use crate::block::Waiting;
    use crate::keyspace::tests::blocked;

    #[test]
    fn clients_leave_a_line_wherever_they_are_in_it() {
        let (waiting, mut interests) = (Waiting::default(), Interests::default());
        let clients: Vec<_> = (0..4).map(|_| blocked(&waiting, &["k"])).collect();
        clients.iter().for_each(|it| interests.block(1, b"k", it));
        interests.unblock(1, b"k", &clients[1]);
        interests.unblock(1, b"k", &clients[1]);
        let mut line = Vec::new();
        while let Some(next) = interests.next_blocked(1, b"k", line.last().copied()) {
            line.push(next.ticket());
        }
        assert_eq!(line, [0, 2, 3].map(|at| clients[at].ticket()));
        assert!(!clients[1].is_in_line() && clients[2].is_in_line());
        clients.iter().for_each(|it| interests.unblock(1, b"k", it));
        assert!(interests.is_empty());
    }

    #[test]
    fn who_was_served_at_one_key_is_still_in_line_at_the_others() {
        let (waiting, mut interests) = (Waiting::default(), Interests::default());
        let client = blocked(&waiting, &["a", "b", "a"]);
        client.keys().for_each(|key| interests.block(key[0].into(), key, &client));
        interests.unblock(b'a'.into(), b"a", &client);
        assert!(client.is_in_line());
        interests.unblock(b'b'.into(), b"b", &client);
        assert!(!client.is_in_line() && interests.is_empty());
    }
}
