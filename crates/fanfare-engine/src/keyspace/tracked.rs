//! The keys of one stripe that clients may hold copies of.

use std::sync::Arc;

use super::Key;
use crate::tracking::{Tracker, Trackers};
use crate::tree::{HashTree, Name};

/// From so many clients on, those that are gone are taken out of a key's list before it grows.
const PRUNED_FROM: usize = 8;

/// Keys with those who are told when they change.
#[derive(Debug, Default)]
pub(super) struct TrackedKeys {
    keys: HashTree<Tracked>,
    n_items: usize,
}

#[derive(Clone, Debug)]
struct Tracked {
    key: Name,
    trackers: Trackers,
}

impl TrackedKeys {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Keys, and clients over all keys.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.keys.len(), self.n_items)
    }

    /// Remembers the key for one more client.
    pub(super) fn add(
        &mut self,
        key: Key<'_>,
        tracker: &Arc<Tracker>,
        rehash: impl Fn(&[u8]) -> u64,
    ) {
        let new = || Tracked { key: key.name.into(), trackers: Trackers::new() };
        let found = self.keys.get_or_insert_with(
            key.hash,
            |it| *it.key == *key.name,
            |it| rehash(&it.key),
            new,
        );
        let trackers = &mut found.0.trackers;
        let id_of = |it: &Arc<Tracker>| it.client_id();
        let Err(at) = trackers.binary_search_by_key(&tracker.client_id(), id_of) else { return };
        trackers.insert(at, Arc::clone(tracker));
        self.n_items += 1;
        if PRUNED_FROM <= trackers.len() && trackers.len().is_power_of_two() {
            let n_before = trackers.len();
            trackers.retain(|it| !it.is_gone());
            self.n_items -= n_before - trackers.len();
        }
    }

    /// Forgets the key; returns those who are to be told.
    pub(super) fn take(&mut self, hash: u64, key: &[u8]) -> Trackers {
        let Some(tracked) = self.keys.remove(hash, |it| *it.key == *key) else {
            return Trackers::new();
        };
        self.n_items -= tracked.trackers.len();
        tracked.trackers
    }

    /// Forgets any of the keys.
    pub(super) fn take_any(
        &mut self,
        random: u64,
        hash: impl Fn(&[u8]) -> u64,
    ) -> Option<(Name, Trackers)> {
        let key = self.keys.sample(random)?.key.clone();
        let trackers = self.take(hash(&key), &key);
        Some((key, trackers))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use fanfare_testkit::{Rng, seed};

    use super::*;
    use crate::pubsub::ReactorId;

    const N_CLIENTS: u64 = 40;

    fn hash(name: &[u8]) -> u64 {
        name.iter().fold(7, |hash: u64, byte| {
            hash.wrapping_mul(0x9E37_79B9).wrapping_add(u64::from(*byte))
        })
    }

    fn ids(trackers: &Trackers) -> BTreeSet<u64> {
        trackers.iter().map(|it| it.client_id()).collect()
    }

    #[test]
    fn it_remembers_what_a_plain_map_remembers() {
        let mut rng = Rng::new(seed());
        let clients: Vec<_> =
            (1..=N_CLIENTS).map(|id| Arc::new(Tracker::new(id, ReactorId(0), 0))).collect();
        let mut tracked = TrackedKeys::default();
        let mut model: BTreeMap<Vec<u8>, BTreeSet<u64>> = BTreeMap::new();
        for _ in 0..20_000 {
            let name = format!("key:{}", rng.below(200)).into_bytes();
            match rng.below(10) {
                0 => {
                    let taken = ids(&tracked.take(hash(&name), &name));
                    assert_eq!(taken, model.remove(&name).unwrap_or_default());
                }
                1 => {
                    let taken = tracked.take_any(rng.next_u64(), hash);
                    let taken = taken.map(|(name, trackers)| (name.to_vec(), ids(&trackers)));
                    let expected = taken.as_ref().and_then(|it| model.remove_entry(&it.0));
                    assert_eq!(taken, expected);
                    assert!(taken.is_some() || model.is_empty());
                }
                _ => {
                    let client = &clients[usize::try_from(rng.below(N_CLIENTS)).unwrap()];
                    let key = Key { hash: hash(&name), name: &name };
                    tracked.add(key, client, hash);
                    model.entry(name).or_default().insert(client.client_id());
                }
            }
            let n_items = model.values().map(BTreeSet::len).sum();
            assert_eq!(tracked.size(), (model.len(), n_items));
        }
    }

    #[test]
    fn clients_that_are_gone_do_not_pile_up() {
        let mut tracked = TrackedKeys::default();
        let key = Key { hash: hash(b"hot"), name: b"hot" };
        let stays = Arc::new(Tracker::new(1, ReactorId(0), 0));
        tracked.add(key, &stays, hash);
        for id in 2..10_000 {
            let client = Arc::new(Tracker::new(id, ReactorId(0), 0));
            tracked.add(key, &client, hash);
            client.leave();
        }
        assert!(tracked.size().1 < 2 * PRUNED_FROM, "{:?}", tracked.size());
        assert!(ids(&tracked.take(key.hash, key.name)).contains(&1));
    }
}
