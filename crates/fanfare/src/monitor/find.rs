//! Which streams there are: a walk over all keys, a few steps at each look.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Pipeline, Value};

use super::node::Place;
use crate::Fanfare;

/// Keys that a server looks at in one step.
const STEP: &[u8] = b"1000";

/// Names that are remembered of one server.
const NAMES_MAX: usize = 10_000;

/// Finds streams by their names, on all servers.
#[derive(Debug)]
pub(crate) struct Finder {
    pattern: Bytes,
    /// Steps on each server at each look.
    steps_max: usize,
    walks: BTreeMap<String, Walk>,
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
}

impl Walk {
    fn new() -> Self {
        Self {
            cursor: Bytes::from_static(b"0"),
            known: BTreeSet::new(),
            finding: BTreeSet::new(),
            is_known_whole: false,
        }
    }

    /// Takes in the answer to a step; returns whether the walk has come to its end.
    fn take_in(&mut self, reply: Value, name: impl Fn(Bytes) -> Bytes) -> Option<bool> {
        let mut parts = reply.into_array()?.into_iter();
        let (cursor, keys) = (parts.next()?.into_bytes()?, parts.next()?.into_array()?);
        for key in keys.into_iter().filter_map(Value::into_bytes) {
            if self.finding.len() < NAMES_MAX {
                self.finding.insert(name(key));
            }
        }
        let is_end = cursor == "0";
        self.cursor = cursor;
        if is_end {
            self.known = std::mem::take(&mut self.finding);
            self.is_known_whole = true;
        }
        Some(is_end)
    }
}

impl Finder {
    /// Finds those whose names, within the namespace, match a glob pattern.
    pub(crate) fn new(fanfare: &Fanfare, pattern: &[u8], steps_max: usize) -> Self {
        let pattern = fanfare.link().options().names().full(Bytes::copy_from_slice(pattern));
        Self { pattern, steps_max, walks: BTreeMap::new() }
    }

    /// Goes on for some steps on each of these servers. What is found later comes with a later
    /// look.
    ///
    /// # Errors
    /// Of each server that refuses or does not answer, why.
    pub(crate) async fn walk(
        &mut self,
        fanfare: &Fanfare,
        places: &[Place],
        deadline: Instant,
    ) -> Vec<(String, Error)> {
        self.walks.retain(|name, _| places.iter().any(|it| it.name == *name));
        let mut errors = Vec::new();
        for place in places {
            let walk = self.walks.entry(place.name.clone()).or_insert_with(Walk::new);
            for _ in 0..self.steps_max {
                match step(walk, &self.pattern, fanfare, place, deadline).await {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(error) => {
                        errors.push((place.name.clone(), error));
                        break;
                    }
                }
            }
        }
        errors
    }

    /// All that are known, by name.
    pub(crate) fn names(&self) -> BTreeSet<Bytes> {
        self.walks.values().flat_map(|it| it.known.iter().chain(&it.finding)).cloned().collect()
    }

    /// Whether all keys were looked at, at least once.
    pub(crate) fn is_whole(&self) -> bool {
        self.walks.values().all(|it| it.is_known_whole)
    }
}

async fn step(
    walk: &mut Walk,
    pattern: &[u8],
    fanfare: &Fanfare,
    place: &Place,
    deadline: Instant,
) -> Result<bool, Error> {
    let mut pipeline = Pipeline::new();
    let words: [&[u8]; 8] =
        [b"SCAN", &walk.cursor, b"MATCH", pattern, b"COUNT", STEP, b"TYPE", b"stream"];
    pipeline.push(words);
    let odd = || Error::new(ErrorKind::Protocol, "the server's answer to SCAN is not one");
    let reply = place.ask(fanfare, pipeline, deadline).await?.pop().ok_or_else(odd)??;
    let names = fanfare.link().options().names();
    let name = |mut name: Bytes| {
        names.strip(&mut name);
        name
    };
    walk.take_in(reply, name).ok_or_else(odd)
}
