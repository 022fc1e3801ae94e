//! What was taken out of the keyspace and is still to be freed.

use super::entry::Entry;
use super::stripe::Contents;
use super::tracked::TrackedKeys;
use crate::tree::HashTree;
use crate::value::Value;
use crate::value::text::PAGE_LEN;

/// Freeing so much takes some tens of microseconds: no more than handing it to somebody else would cost both.
const EFFORT_MAX: usize = 256;

/// Entries and values that nobody can reach any more. Dropping it frees them, which takes long if it
/// [is large](Self::is_large).
#[derive(Debug, Default)]
pub struct Garbage {
    contents: Vec<Contents>,
    values: Vec<Value>,
    tracked: Vec<TrackedKeys>,
}

/// Whether a string of so many bytes is freed as quickly as it is handed over.
#[inline]
pub(super) fn is_freed_quickly(text_bytes: usize) -> bool {
    text_bytes / PAGE_LEN <= EFFORT_MAX
}

impl Value {
    /// Whether freeing it takes longer than handing it to somebody else.
    #[inline]
    pub(super) fn is_large(&self) -> bool {
        EFFORT_MAX < self.effort()
    }
}

impl From<Value> for Garbage {
    fn from(value: Value) -> Self {
        Self { values: vec![value], ..Self::default() }
    }
}

impl Garbage {
    pub(super) fn add_contents(&mut self, contents: Contents) {
        self.contents.push(contents);
    }

    pub(super) fn append(&mut self, other: Self) {
        self.contents.extend(other.contents);
        self.values.extend(other.values);
        self.tracked.extend(other.tracked);
    }

    pub(super) fn add_value(&mut self, value: Value) {
        self.values.push(value);
    }

    pub(super) fn add_tracked(&mut self, tracked: TrackedKeys) {
        if !tracked.is_empty() {
            self.tracked.push(tracked);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.contents.is_empty() && self.values.is_empty() && self.tracked.is_empty()
    }

    /// How many keys, and values without a key.
    #[must_use]
    pub fn n_objects(&self) -> usize {
        self.tables().map(HashTree::len).sum::<usize>() + self.values.len()
    }

    /// Whether freeing it takes so long that another thread should do it.
    #[must_use]
    pub fn is_large(&self) -> bool {
        // So many keys need not be looked at one by one.
        EFFORT_MAX < self.n_objects() || EFFORT_MAX < self.effort()
    }

    fn tables(&self) -> impl Iterator<Item = &HashTree<Entry>> {
        self.contents.iter().map(Contents::table)
    }

    fn effort(&self) -> usize {
        let entries = self.tables().flat_map(|it| it.iter()).map(|it| it.value().effort());
        let values = entries.chain(self.values.iter().map(Value::effort));
        values.chain(self.tracked.iter().map(|it| it.size().0)).sum()
    }
}
