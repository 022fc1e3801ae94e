//! What keys take.

use super::Locked;
use crate::keyspace::{Entry, Key};

/// What the keys of a database take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footprint {
    /// Keys.
    pub(crate) n_keys: usize,
    /// Bytes of keys and values, with the tables that they are in.
    pub(crate) n_bytes: usize,
    /// Bytes of the tables: entries and what finds them.
    pub(crate) n_table_bytes: usize,
}

impl Locked<'_> {
    /// What the keys in the locked stripes of `db` take.
    pub(crate) fn footprint(&self, db: u16) -> Footprint {
        let mut footprint = Footprint::default();
        for stripe in self.stripes(db) {
            footprint.n_keys += stripe.n_keys();
            footprint.n_bytes += stripe.n_bytes();
            footprint.n_table_bytes += stripe.table().n_bytes();
        }
        footprint
    }

    /// What a live key takes: its own bytes, those of its value, and its share of the table.
    pub(crate) fn n_bytes_of(&mut self, db: u16, key: Key<'_>, now_ms: u64) -> Option<usize> {
        let n_own_bytes = self.get(db, key, now_ms).map(Entry::n_bytes)?;
        let stripe = self.find(db, key)?;
        Some(n_own_bytes + stripe.table().n_bytes() / stripe.n_keys().max(1))
    }
}
