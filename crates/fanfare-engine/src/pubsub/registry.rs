//! Subscriptions of the whole server, counted per reactor.
//!
//! The lock of a channel's stripe is what gives the channel its order. `publish` holds it while it reads the counts and
//! posts to the interested reactors; `subscribe` and `unsubscribe` hold it while they change the counts and post their
//! marker. So every reactor finds, in its mailbox, messages and markers of a channel in one and the same order.
//! Patterns belong to every channel: changing one takes all stripes, in order.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use std::hash::BuildHasher;

use super::Patterns;
use super::counted::Counted;
use crate::glob;
use crate::host::Kind;
use crate::sync::{AtomicUsize, Mutex, Ordering, RwLock};

/// Number of stripes: contention between reactors against the cost of changing a pattern.
const N_STRIPES: usize = 64;

/// Index of a reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReactorId(pub u8);

/// A set of reactors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReactorSet([u64; 4]);

/// Who is subscribed to what, by number and reactor.
#[derive(Debug)]
pub struct Registry {
    stripes: Box<[Stripe]>,
    patterns: RwLock<Patterns<Counted>>,
    /// Changed only while all stripes are held, so that a publisher, who holds one, reads it exactly.
    n_patterns: AtomicUsize,
    hasher: FixedState,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    tables: Mutex<Tables>,
    /// Everything in `tables`, so that publishing to nobody takes no lock.
    n_channels: AtomicUsize,
}

#[derive(Debug, Default)]
struct Tables {
    channels: HashTable<Counted>,
    shards: HashTable<Counted>,
    streams: HashTable<Counted>,
}

impl ReactorSet {
    /// Adds a reactor.
    #[inline]
    pub fn insert(&mut self, reactor: ReactorId) {
        if let Some(word) = self.0.get_mut(usize::from(reactor.0 >> 6)) {
            *word |= 1 << (reactor.0 & 63);
        }
    }

    /// Whether `reactor` is in it.
    #[must_use]
    pub fn contains(&self, reactor: ReactorId) -> bool {
        self.0
            .get(usize::from(reactor.0 >> 6))
            .is_some_and(|word| word & (1 << (reactor.0 & 63)) != 0)
    }

    /// Its members, lowest first.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = ReactorId> {
        self.0.into_iter().enumerate().flat_map(|(index, mut word)| {
            std::iter::from_fn(move || {
                let bit = u8::try_from(word.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
                word &= word - 1;
                Some(ReactorId((u8::try_from(index).ok()? << 6) | bit))
            })
        })
    }
}

impl Registry {
    /// An empty registry; `seed` keys the hash function.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            stripes: (0..N_STRIPES).map(|_| Stripe::default()).collect(),
            patterns: RwLock::default(),
            n_patterns: AtomicUsize::new(0),
            hasher: FixedState::with_seed(seed),
        }
    }

    /// Calls `post` with the reactors that have a matching subscription (if any), at the message's place in the
    /// channel's order; returns the number of matching subscriptions.
    #[inline]
    pub fn publish(&self, kind: Kind, channel: &[u8], post: impl FnOnce(ReactorSet)) -> usize {
        let hash = self.hasher.hash_one(channel);
        let Some(stripe) = self.stripe(hash) else { return 0 };
        // Zero is this message's place in the order: before any subscription that is just being made.
        if self.nobody_in(stripe) {
            return 0;
        }
        let tables = stripe.tables.lock();
        let mut n_subscriptions = 0;
        let mut interested = ReactorSet::default();
        if let Some(found) = tables.of(kind).find(hash, |it| it.name() == channel) {
            n_subscriptions += found.add_to(&mut interested);
        }
        if kind == Kind::Channel && self.n_patterns.load(Ordering::Relaxed) != 0 {
            self.patterns.read().for_each_match(channel, |_, counts| {
                n_subscriptions += counts.add_to(&mut interested);
            });
        }
        if n_subscriptions != 0 {
            post(interested);
        }
        n_subscriptions
    }

    /// Whether a message to `channel` may have a subscriber, without taking a lock. `false` is certain.
    #[must_use]
    pub fn may_interest(&self, channel: &[u8]) -> bool {
        self.stripe(self.hasher.hash_one(channel)).is_some_and(|it| !self.nobody_in(it))
    }

    #[inline]
    fn nobody_in(&self, stripe: &Stripe) -> bool {
        stripe.n_channels.load(Ordering::Acquire) == 0
            && self.n_patterns.load(Ordering::Acquire) == 0
    }

    /// Counts one more subscription of `reactor` and calls `post` at its place in the channel's order.
    pub fn subscribe(&self, kind: Kind, name: &[u8], reactor: ReactorId, post: impl FnOnce()) {
        if kind == Kind::Pattern {
            self.with_all_stripes(|patterns| {
                patterns.get_or_insert_with(name, || Counted::new(&[])).add(reactor);
                post();
            });
            return;
        }
        let hash = self.hasher.hash_one(name);
        let Some(stripe) = self.stripe(hash) else { return };
        let mut tables = stripe.tables.lock();
        let table = tables.of_mut(kind);
        match table.find_mut(hash, |it| it.name() == name) {
            Some(channel) => channel.add(reactor),
            None => {
                let mut channel = Counted::new(name);
                channel.add(reactor);
                table.insert_unique(hash, channel, |it| self.hasher.hash_one(it.name()));
                stripe.n_channels.store(tables.len(), Ordering::Release);
            }
        }
        post();
    }

    /// Counts one subscription of `reactor` less and calls `post` at its place in the channel's order.
    pub fn unsubscribe(&self, kind: Kind, name: &[u8], reactor: ReactorId, post: impl FnOnce()) {
        if kind == Kind::Pattern {
            self.with_all_stripes(|patterns| {
                if patterns.get_or_insert_with(name, || Counted::new(&[])).take(reactor) {
                    patterns.remove(name);
                }
                post();
            });
            return;
        }
        let hash = self.hasher.hash_one(name);
        let Some(stripe) = self.stripe(hash) else { return };
        let mut tables = stripe.tables.lock();
        let table = tables.of_mut(kind);
        if let Ok(mut found) = table.find_entry(hash, |it| it.name() == name) {
            if found.get_mut().take(reactor) {
                found.remove();
            }
            if table.len() * 8 < table.capacity() {
                table.shrink_to(0, |it| self.hasher.hash_one(it.name()));
            }
            stripe.n_channels.store(tables.len(), Ordering::Release);
        }
        post();
    }

    /// Number of subscribers of a channel or shard channel.
    #[must_use]
    pub fn n_subscribers(&self, kind: Kind, name: &[u8]) -> usize {
        let hash = self.hasher.hash_one(name);
        let Some(stripe) = self.stripe(hash) else { return 0 };
        let tables = stripe.tables.lock();
        let found = tables.of(kind).find(hash, |it| it.name() == name);
        found.map_or(0, |it| it.add_to(&mut ReactorSet::default()))
    }

    /// Channels (or shard channels) with a subscriber, or the patterns, whose name matches `pattern`.
    #[must_use]
    pub fn active(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Vec<u8>> {
        let matches = |name: &[u8]| pattern.is_none_or(|it| glob::matches(it, name));
        if kind == Kind::Pattern {
            let patterns = self.patterns.read();
            return patterns
                .iter()
                .map(|it| it.0)
                .filter(|it| matches(it))
                .map(<[u8]>::to_vec)
                .collect();
        }
        let mut names = Vec::new();
        for stripe in &self.stripes {
            let tables = stripe.tables.lock();
            let found = tables.of(kind).iter().filter(|it| matches(it.name()));
            names.extend(found.map(|it| it.name().to_vec()));
        }
        names
    }

    /// Number of channels or shard channels with a subscriber, or of patterns.
    #[must_use]
    pub fn n_active(&self, kind: Kind) -> usize {
        if kind == Kind::Pattern {
            return self.n_patterns.load(Ordering::Relaxed);
        }
        self.stripes.iter().map(|it| it.tables.lock().of(kind).len()).sum()
    }

    #[inline]
    fn stripe(&self, hash: u64) -> Option<&Stripe> {
        self.stripes.get(usize::try_from((hash >> 40) & (N_STRIPES as u64 - 1)).ok()?)
    }

    /// Runs `change` while no publisher is between reading the counts and posting.
    fn with_all_stripes(&self, change: impl FnOnce(&mut Patterns<Counted>)) {
        let held: SmallVec<[_; N_STRIPES]> =
            self.stripes.iter().map(|it| it.tables.lock()).collect();
        let mut patterns = self.patterns.write();
        change(&mut patterns);
        self.n_patterns.store(patterns.len(), Ordering::Release);
        drop(held);
    }
}

impl Tables {
    /// Patterns are not in here; they look as if there were none.
    #[inline]
    fn of(&self, kind: Kind) -> &HashTable<Counted> {
        match kind {
            Kind::Channel | Kind::Pattern => &self.channels,
            Kind::Shard => &self.shards,
            Kind::Stream => &self.streams,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut HashTable<Counted> {
        match kind {
            Kind::Channel | Kind::Pattern => &mut self.channels,
            Kind::Shard => &mut self.shards,
            Kind::Stream => &mut self.streams,
        }
    }

    fn len(&self) -> usize {
        self.channels.len() + self.shards.len() + self.streams.len()
    }
}
