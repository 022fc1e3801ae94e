//! The subscribers of one reactor.
//!
//! Two tables: names to lists of subscribers, and, in each connection, the lists it is on. A list is created when a
//! client of this reactor asks for its name and goes away with the last one; between asking and the marker that puts
//! the subscriber on the list it is only *reserved*.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use super::Patterns;
use crate::host::Kind;

/// A connection of the reactor.
pub type Subscriber = u32;

/// Names a list of subscribers; may be reused once the list is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListId(u32);

/// Names and their subscribers.
#[derive(Debug)]
pub struct Index {
    lists: Lists,
    free: Vec<u32>,
    by_name: HashTable<u32>,
    patterns: Patterns<ListId>,
    hasher: FixedState,
}

/// Lists by number, in chunks: there may be very many, and a chunk never moves.
#[derive(Debug, Default)]
struct Lists {
    chunks: Vec<Vec<List>>,
    len: usize,
}

/// Lists per chunk.
const CHUNK_LEN: usize = 1024;

#[derive(Debug)]
struct List {
    name: Box<[u8]>,
    subscribers: Subscribers,
    /// Clients that asked for it and were not taken off it yet.
    n_reserved: u32,
    kind: Kind,
}

/// Most channels have one subscriber per reactor; then there is no allocation.
#[derive(Debug)]
enum Subscribers {
    None,
    One(Subscriber),
    #[expect(clippy::box_collection, reason = "a Vec in place would make every list larger")]
    Many(Box<Vec<Subscriber>>),
}

impl Default for Index {
    fn default() -> Self {
        Self {
            lists: Lists::default(),
            free: Vec::new(),
            by_name: HashTable::new(),
            patterns: Patterns::default(),
            hasher: FixedState::with_seed(0),
        }
    }
}

impl Index {
    /// The list of a channel that has one on this reactor.
    #[inline]
    #[must_use]
    pub fn find(&self, kind: Kind, name: &[u8]) -> Option<ListId> {
        let hash = self.hasher.hash_one(name);
        let found = self.by_name.find(hash, |&it| self.is(it, kind, name));
        found.map(|it| ListId(*it))
    }

    /// Calls `found` with the list of every pattern that matches `channel`.
    #[inline]
    pub fn for_each_match(&self, channel: &[u8], mut found: impl FnMut(ListId)) {
        if !self.patterns.is_empty() {
            self.patterns.for_each_match(channel, |_, list| found(*list));
        }
    }

    /// The name that a list stands for.
    #[must_use]
    pub fn name(&self, list: ListId) -> &[u8] {
        self.list(list).map(|it| &*it.name).unwrap_or_default()
    }

    /// The subscribers on a list, in the order in which they subscribed until one left.
    #[inline]
    #[must_use]
    pub fn subscribers(&self, list: ListId) -> &[Subscriber] {
        match self.list(list).map(|it| &it.subscribers) {
            Some(Subscribers::One(one)) => std::slice::from_ref(one),
            Some(Subscribers::Many(many)) => many,
            Some(Subscribers::None) | None => &[],
        }
    }

    /// Finds or makes the list of `name` for one more client, who is on it only after [`Self::add`].
    pub fn reserve(&mut self, kind: Kind, name: &[u8]) -> ListId {
        let list = self.find(kind, name).unwrap_or_else(|| self.make(kind, name));
        if let Some(it) = self.list_mut(list) {
            it.n_reserved += 1;
        }
        list
    }

    /// Puts a subscriber on a list that was reserved for it.
    pub fn add(&mut self, list: ListId, subscriber: Subscriber) {
        let Some(list) = self.list_mut(list) else { return };
        match &mut list.subscribers {
            Subscribers::None => list.subscribers = Subscribers::One(subscriber),
            Subscribers::One(one) => {
                list.subscribers = Subscribers::Many(Box::new(vec![*one, subscriber]))
            }
            Subscribers::Many(many) => many.push(subscriber),
        }
    }

    /// Takes a subscriber off a list and gives its reservation back; the list goes with the last one.
    pub fn remove(&mut self, list: ListId, subscriber: Subscriber) {
        let Some(it) = self.list_mut(list) else { return };
        it.subscribers.remove(subscriber);
        it.n_reserved = it.n_reserved.saturating_sub(1);
        if it.n_reserved == 0 {
            self.unmake(list);
        }
    }

    fn make(&mut self, kind: Kind, name: &[u8]) -> ListId {
        let list = List { name: name.into(), subscribers: Subscribers::None, n_reserved: 0, kind };
        let slot = match self.free.pop() {
            Some(slot) => {
                if let Some(it) = self.lists.get_mut(slot) {
                    *it = list;
                }
                slot
            }
            None => self.lists.push(list),
        };
        let hash = self.hasher.hash_one(name);
        let (lists, hasher) = (&self.lists, &self.hasher);
        self.by_name.insert_unique(hash, slot, |&it| {
            hasher.hash_one(lists.get(it).map(|it| &*it.name).unwrap_or_default())
        });
        if kind == Kind::Pattern {
            self.patterns.get_or_insert_with(name, || ListId(slot));
        }
        ListId(slot)
    }

    fn unmake(&mut self, list: ListId) {
        let Some(it) = self.list_mut(list) else { return };
        let name = std::mem::take(&mut it.name);
        it.subscribers = Subscribers::None;
        if it.kind == Kind::Pattern {
            self.patterns.remove(&name);
        }
        let hash = self.hasher.hash_one(&*name);
        if let Ok(found) = self.by_name.find_entry(hash, |&it| it == list.0) {
            found.remove();
        }
        self.free.push(list.0);
        if self.free.len() == self.lists.len {
            // Nobody is subscribed to anything: give the memory of the peak back.
            self.lists = Lists::default();
            self.free = Vec::new();
            self.by_name = HashTable::new();
        }
    }

    fn is(&self, slot: u32, kind: Kind, name: &[u8]) -> bool {
        self.lists.get(slot).is_some_and(|it| it.kind == kind && *it.name == *name)
    }

    #[inline]
    fn list(&self, list: ListId) -> Option<&List> {
        self.lists.get(list.0)
    }

    fn list_mut(&mut self, list: ListId) -> Option<&mut List> {
        self.lists.get_mut(list.0)
    }
}

impl Lists {
    /// Appends a list; returns its number.
    fn push(&mut self, list: List) -> u32 {
        if self.len.is_multiple_of(CHUNK_LEN) {
            self.chunks.push(Vec::with_capacity(if self.len == 0 { 16 } else { CHUNK_LEN }));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(list);
        }
        self.len += 1;
        u32::try_from(self.len - 1).unwrap_or(u32::MAX)
    }

    #[inline]
    fn get(&self, number: u32) -> Option<&List> {
        let number = number as usize;
        self.chunks.get(number / CHUNK_LEN)?.get(number % CHUNK_LEN)
    }

    #[inline]
    fn get_mut(&mut self, number: u32) -> Option<&mut List> {
        let number = number as usize;
        self.chunks.get_mut(number / CHUNK_LEN)?.get_mut(number % CHUNK_LEN)
    }
}

impl Subscribers {
    fn remove(&mut self, subscriber: Subscriber) {
        match self {
            Self::None => {}
            Self::One(one) => {
                if *one == subscriber {
                    *self = Self::None;
                }
            }
            Self::Many(many) => {
                if let Some(index) = many.iter().position(|it| *it == subscriber) {
                    many.swap_remove(index);
                }
                if many.len() * 4 < many.capacity() {
                    many.shrink_to(many.len() * 2);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Index;
    use crate::host::Kind;

    #[test]
    fn a_list_lives_from_its_first_reservation_to_its_last_subscriber() {
        let mut index = Index::default();
        let list = index.reserve(Kind::Channel, b"a");
        assert_eq!(index.find(Kind::Channel, b"a"), Some(list));
        assert!(index.subscribers(list).is_empty());
        index.add(list, 7);
        assert_eq!(index.reserve(Kind::Channel, b"a"), list);
        index.add(list, 8);
        assert_eq!(index.subscribers(list), [7, 8]);
        index.remove(list, 7);
        assert_eq!(index.subscribers(list), [8]);
        index.remove(list, 8);
        assert_eq!(index.find(Kind::Channel, b"a"), None);
    }

    #[test]
    fn kinds_are_apart_and_patterns_match() {
        let mut index = Index::default();
        let channel = index.reserve(Kind::Channel, b"a*");
        let pattern = index.reserve(Kind::Pattern, b"a*");
        let shard = index.reserve(Kind::Shard, b"a*");
        assert!(channel != pattern && pattern != shard);
        let mut found = Vec::new();
        index.for_each_match(b"abc", |it| found.push(it));
        assert_eq!(found, [pattern]);
        index.remove(pattern, 1);
        index.for_each_match(b"abc", |_| panic!("the pattern is gone"));
    }
}
