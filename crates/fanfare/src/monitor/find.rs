//! Which streams and queues there are: a walk over all keys, a few steps at each look.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Pipeline, Value};

use super::node::Place;
use crate::{Fanfare, queue};

/// Keys that a server looks at in one step.
const STEP: &[u8] = b"1000";

/// Names of each kind that are remembered of one server.
const NAMES_MAX: usize = 10_000;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sought {
    Streams,
    /// By the hash that each of them has, whatever waits in it.
    Queues,
}

impl Sought {
    /// The type of the keys.
    fn key_type(self) -> &'static [u8] {
        match self {
            Self::Streams => b"stream",
            Self::Queues => b"hash",
        }
    }

    /// The keys, within the namespace, of all whose names match a glob pattern.
    fn patterns(self, names: &[u8]) -> Vec<Bytes> {
        match self {
            Self::Streams => vec![Bytes::copy_from_slice(names)],
            Self::Queues => queue::key_patterns(names, "meta"),
        }
    }

    /// What is called so, if it has such a key.
    fn name(self, key: Bytes) -> Option<Bytes> {
        match self {
            Self::Streams => Some(key),
            Self::Queues => queue::name_of(&key, "meta"),
        }
    }
}

/// Finds streams and queues by their names, on all servers.
#[derive(Debug)]
pub(crate) struct Finder {
    searches: Vec<Search>,
    /// Steps on each server at each look.
    steps_max: usize,
    /// The walks over the keys of each server, one for each search.
    walks: BTreeMap<String, Vec<Walk>>,
}

#[derive(Debug)]
struct Search {
    sought: Sought,
    /// On the server.
    pattern: Bytes,
}

/// The walk over the keys of one server, again and again.
#[derive(Debug)]
struct Walk {
    cursor: Bytes,
    /// What the last whole walk found.
    known: BTreeSet<Bytes>,
    /// What this one has found so far.
    finding: BTreeSet<Bytes>,
    is_known_whole: bool,
    /// Whether this one, or the one before, has found more names than are remembered.
    is_overfull: [bool; 2],
}

impl Walk {
    fn new() -> Self {
        Self {
            cursor: Bytes::from_static(b"0"),
            known: BTreeSet::new(),
            finding: BTreeSet::new(),
            is_known_whole: false,
            is_overfull: [false; 2],
        }
    }

    /// Takes in the answer to a step; returns whether the walk has come to its end.
    fn take_in(&mut self, reply: Value, name: impl Fn(Bytes) -> Option<Bytes>) -> Option<bool> {
        let mut parts = reply.into_array()?.into_iter();
        let (cursor, keys) = (parts.next()?.into_bytes()?, parts.next()?.into_array()?);
        for name in keys.into_iter().filter_map(Value::into_bytes).filter_map(name) {
            if self.finding.len() < NAMES_MAX {
                self.finding.insert(name);
            } else if !self.finding.contains(&name) {
                self.is_overfull[0] = true;
            }
        }
        let is_end = cursor == "0";
        self.cursor = cursor;
        if is_end {
            self.known = std::mem::take(&mut self.finding);
            self.is_known_whole = true;
            self.is_overfull = [false, self.is_overfull[0]];
        }
        Some(is_end)
    }
}

impl Finder {
    /// Finds those whose names, within the namespace, match a glob pattern.
    pub(crate) fn new(fanfare: &Fanfare, sought: &[(Sought, Bytes)], steps_max: usize) -> Self {
        let names = fanfare.link().options().names();
        let searches = sought.iter().flat_map(|(sought, pattern)| {
            let patterns = sought.patterns(pattern).into_iter();
            patterns.map(|it| Search { sought: *sought, pattern: names.full(it) })
        });
        Self { searches: searches.collect(), steps_max, walks: BTreeMap::new() }
    }

    /// Goes on for some steps on each of these servers. What is found later comes with a later
    /// look.
    ///
    /// # Errors
    /// Of each server that refuses or does not answer, why; and of each that has more than are
    /// remembered.
    pub(crate) async fn walk(
        &mut self,
        fanfare: &Fanfare,
        places: &[Place],
        deadline: Instant,
    ) -> Vec<(String, String)> {
        self.walks.retain(|name, _| places.iter().any(|it| it.name == *name));
        let mut errors = Vec::new();
        for place in places {
            let walks = self.walks.entry(place.name.clone());
            let walks =
                walks.or_insert_with(|| self.searches.iter().map(|_| Walk::new()).collect());
            let mut under_way: Vec<_> = self.searches.iter().zip(walks.iter_mut()).collect();
            for _ in 0..self.steps_max {
                if let Err(error) = step(&mut under_way, fanfare, place, deadline).await {
                    errors.push((place.name.clone(), error.to_string()));
                    break;
                }
                if under_way.is_empty() {
                    break;
                }
            }
            if walks.iter().any(|it| it.is_overfull.contains(&true)) {
                let why = format!(
                    "there are more than {NAMES_MAX} streams or queues of such names, and the others are not even \
                     counted: look for fewer"
                );
                errors.push((place.name.clone(), why));
            }
        }
        errors
    }

    /// All that are known, by name.
    pub(crate) fn names(&self, sought: Sought) -> BTreeSet<Bytes> {
        let walks = self.walks.values().flat_map(|it| self.searches.iter().zip(it));
        let walks = walks.filter(|(search, _)| search.sought == sought);
        walks.flat_map(|(_, it)| it.known.iter().chain(&it.finding)).cloned().collect()
    }

    /// Whether all keys were looked at, at least once.
    pub(crate) fn is_whole(&self) -> bool {
        self.walks.values().flatten().all(|it| it.is_known_whole)
    }
}

/// Takes one step of each walk in one round trip. Those that come to their end are under way no more.
async fn step(
    under_way: &mut Vec<(&Search, &mut Walk)>,
    fanfare: &Fanfare,
    place: &Place,
    deadline: Instant,
) -> Result<(), Error> {
    let mut pipeline = Pipeline::new();
    for (search, walk) in under_way.iter() {
        let words: [&[u8]; 8] = [
            b"SCAN",
            &walk.cursor,
            b"MATCH",
            &search.pattern,
            b"COUNT",
            STEP,
            b"TYPE",
            search.sought.key_type(),
        ];
        pipeline.push(words);
    }
    let odd = || Error::new(ErrorKind::Protocol, "the server's answer to SCAN is not one");
    let mut replies = place.ask(fanfare, pipeline, deadline).await?.into_iter();
    let names = fanfare.link().options().names();
    let mut failed = None;
    under_way.retain_mut(|(search, walk)| {
        let name = |mut key: Bytes| {
            names.strip(&mut key);
            search.sought.name(key)
        };
        let taken_in = replies.next().ok_or_else(odd).and_then(|reply| reply).and_then(|reply| {
            let is_end = walk.take_in(reply, name);
            is_end.ok_or_else(odd)
        });
        match taken_in {
            Ok(is_end) => !is_end,
            Err(error) => {
                failed.get_or_insert(error);
                false
            }
        }
    });
    failed.map_or(Ok(()), Err)
}
