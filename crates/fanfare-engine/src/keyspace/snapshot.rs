//! The whole keyspace as it is at one moment, read in steps while writers go on.
//!
//! Taking one locks every stripe for as long as it takes to clone their roots; after that writers copy what they change
//! and the snapshot still holds: one leaf and its path per write at most, once per leaf. Values are shared the same way,
//! so a write to a collection of millions copies a few nodes of it.

use crate::tree::HashTree;

use super::entry::Entry;
use super::{Keyspace, Plan};

/// Everything that was in the keyspace at one moment. It may be sent to another thread; dropping it frees what writers
/// have replaced since.
#[derive(Clone, Debug)]
pub struct Snapshot {
    databases: Vec<Tables>,
}

#[derive(Clone, Debug)]
struct Tables {
    db: u16,
    stripes: Vec<HashTree<Entry>>,
}

impl Keyspace {
    /// The keyspace as it is now, with all writes that are done and none that is in progress: whole transactions, whole
    /// scripts. `None`: a script that holds everything runs on.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        let mut plan = Plan::default();
        plan.everything();
        let locked = self.lock(&plan)?;
        let used = (0..).take(self.n_databases()).filter(|db| !self.existing(*db).is_empty());
        let tables =
            |db| Tables { db, stripes: locked.stripes(db).map(|it| it.table().clone()).collect() };
        Some(Snapshot { databases: used.map(tables).collect() })
    }
}

impl Snapshot {
    /// Databases with keys, in order.
    pub fn databases(&self) -> impl Iterator<Item = u16> + '_ {
        self.databases.iter().filter(|it| it.n_keys() != 0).map(|it| it.db)
    }

    /// Number of keys of a database, those included whose time has come.
    #[must_use]
    pub fn n_keys(&self, db: u16) -> usize {
        self.tables(db).map(Tables::n_keys).sum()
    }

    /// The keys of a database with their values, in no order that means anything; the iterator is as lazy as it looks.
    pub fn entries(&self, db: u16) -> impl Iterator<Item = &Entry> {
        self.tables(db).flat_map(|it| it.stripes.iter().flat_map(HashTree::iter))
    }

    fn tables(&self, db: u16) -> impl Iterator<Item = &Tables> {
        self.databases.iter().filter(move |it| it.db == db)
    }
}

impl Tables {
    fn n_keys(&self) -> usize {
        self.stripes.iter().map(HashTree::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Clock, Keyspace, Plan};
    use super::Snapshot;
    use crate::Now;
    use crate::value::{Text, Value};

    fn put(keyspace: &Keyspace, db: u16, name: &str, text: &str) {
        let mut plan = Plan::default();
        plan.key(keyspace, db, name.as_bytes());
        let mut keys = keyspace.lock(&plan).expect("no script runs");
        let key = keys.key(name.as_bytes());
        let value = Value::Text(Text::new(text.as_bytes()));
        keys.put(db, key, value, (None, Clock::new(Now::default())));
    }

    fn contents(snapshot: &Snapshot) -> BTreeMap<(u16, Vec<u8>), Vec<u8>> {
        let entries = |db| snapshot.entries(db).map(move |it| (db, it));
        let all = snapshot.databases().flat_map(entries);
        all.map(|(db, entry)| {
            let Value::Text(text) = entry.value() else { panic!("only strings were put") };
            let text = text.bytes(&mut itoa::Buffer::new()).to_vec();
            ((db, entry.key().to_vec()), text)
        })
        .collect()
    }

    #[test]
    fn a_snapshot_stays_what_it_was() {
        let keyspace = Keyspace::new(4, 7);
        for number in 0..5_000 {
            put(&keyspace, number % 3, &format!("key:{number}"), "before");
        }
        let snapshot = keyspace.snapshot().expect("no script runs");
        let before = contents(&snapshot);
        assert_eq!(before.len(), 5_000);
        assert_eq!(snapshot.n_keys(0) + snapshot.n_keys(1) + snapshot.n_keys(2), 5_000);
        for number in 2_000..7_000 {
            put(&keyspace, number % 4, &format!("key:{number}"), "after");
        }
        assert_eq!(contents(&snapshot), before);
        let mut plan = Plan::default();
        plan.everything();
        keyspace.lock(&plan).expect("no script runs").swap(0, 3);
        keyspace.lock(&plan).expect("no script runs").flush(None);
        assert_eq!(contents(&snapshot), before);
        assert_eq!(keyspace.counts(0).n_keys, 0);
        assert_eq!(keyspace.n_bytes(), 0);
    }

    #[test]
    fn what_a_snapshot_costs_is_what_was_changed() {
        let keyspace = Keyspace::new(1, 7);
        for number in 0..100_000 {
            put(&keyspace, 0, &format!("key:{number}"), "a text that needs memory of its own");
        }
        let snapshot = keyspace.snapshot().expect("no script runs");
        for number in 0..100 {
            put(&keyspace, 0, &format!("key:{number}"), "another text that needs its own memory");
        }
        let now = keyspace.snapshot().expect("no script runs");
        let leaves = |snapshot: &Snapshot| -> std::collections::BTreeSet<usize> {
            snapshot.entries(0).map(|it| std::ptr::from_ref(it).addr() >> 6).collect()
        };
        let (then, now) = (leaves(&snapshot), leaves(&now));
        let n_copied = now.difference(&then).count();
        assert!((100..=100 * 32).contains(&n_copied), "{n_copied} entries were copied");
    }
}
