//! [`Table`]: a large hash.

use super::{Field, Lifetime, Part};
use crate::tree::rank::Item;
use crate::tree::{HashTree, Name, RankTree};
use crate::value::hasher;

/// Fields by name, and those that expire by time. Both trees share what a clone of them does not change.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    fields: HashTree<Row>,
    due: RankTree<Due>,
    /// Of names and values that are not inline.
    n_heap: usize,
}

/// One field.
#[derive(Clone, Debug)]
pub(super) struct Row {
    name: Name,
    value: Name,
    /// 0: never.
    expires_at_ms: u64,
}

/// A field that expires. It is known by its hash: what the name takes would be there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    at_ms: u64,
    hash: u64,
}

impl Item for Due {
    type Hint = u64;

    fn hint(&self) -> u64 {
        self.at_ms
    }
}

impl Row {
    fn n_heap(&self) -> usize {
        self.name.n_bytes() + self.value.n_bytes()
    }

    fn field(&self) -> Field<'_> {
        Field {
            name: Part::Name(&self.name),
            value: Part::Name(&self.value),
            expires_at_ms: (self.expires_at_ms != 0).then_some(self.expires_at_ms),
        }
    }
}

impl Table {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    #[inline]
    pub(super) fn n_bytes(&self) -> usize {
        let own = size_of::<usize>() + size_of::<Self>();
        own + self.fields.n_bytes() + self.due.n_bytes() + self.n_heap
    }

    /// A leaf has some twenty fields; long names and values are each an allocation.
    pub(super) fn effort(&self) -> usize {
        self.len() / 8 + self.n_heap / 64
    }

    #[inline]
    pub(super) fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        self.fields.find(hasher::hash(name), |it| *it.name == *name).map(Row::field)
    }

    /// When the next field expires.
    #[inline]
    pub(super) fn soonest_ms(&self) -> Option<u64> {
        self.due.first().map(|it| it.at_ms)
    }

    /// Sets a field; returns whether it is new.
    pub(super) fn set(&mut self, name: &[u8], value: &[u8], lifetime: Lifetime) -> bool {
        let hash = hasher::hash(name);
        let mut n_before = 0;
        let (row, is_new) = self.fields.get_or_insert_with(
            hash,
            |it| *it.name == *name,
            |it| hasher::hash(&it.name),
            || Row { name: name.into(), value: value.into(), expires_at_ms: 0 },
        );
        if !is_new {
            n_before = row.n_heap();
            if !row.value.overwrite(value) {
                row.value = value.into();
            }
        }
        let before = row.field().expires_at_ms;
        let after = lifetime.after(before);
        row.expires_at_ms = after.unwrap_or(0);
        self.n_heap = self.n_heap - n_before + row.n_heap();
        self.reschedule(hash, before, after);
        is_new
    }

    /// Changes when a field expires that is there.
    pub(super) fn put_time(&mut self, name: &[u8], expires_at_ms: Option<u64>) {
        let hash = hasher::hash(name);
        let Some(row) = self.fields.find_mut(hash, |it| *it.name == *name) else { return };
        let before = row.field().expires_at_ms;
        row.expires_at_ms = expires_at_ms.unwrap_or(0);
        self.reschedule(hash, before, expires_at_ms);
    }

    #[inline]
    fn reschedule(&mut self, hash: u64, before: Option<u64>, after: Option<u64>) {
        if before == after {
            return;
        }
        if let Some(at_ms) = before
            && let Ok(index) = self.index_of(Due { at_ms, hash })
        {
            self.due.remove(index);
        }
        if let Some(at_ms) = after {
            let due = Due { at_ms, hash };
            // Two fields with one hash and one time have two equal items.
            let index = self.index_of(due).unwrap_or_else(|index| index);
            self.due.insert(index, due);
        }
    }

    fn index_of(&self, due: Due) -> Result<usize, usize> {
        self.due.search(due.at_ms, |it| it.cmp(&due))
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let hash = hasher::hash(name);
        let Some(row) = self.fields.remove(hash, |it| *it.name == *name) else { return false };
        self.n_heap -= row.n_heap();
        self.reschedule(hash, row.field().expires_at_ms, None);
        true
    }

    /// Removes up to `n_max` fields whose time has come.
    pub(super) fn expire(&mut self, now_ms: u64, n_max: usize, removed: &mut Vec<Name>) {
        let n_due = self.due.partition_point(|it| it.at_ms <= now_ms).min(n_max);
        let Self { fields, due, n_heap } = self;
        due.remove_range(..n_due, |due| {
            // Of two with one hash and one time any will do: both are due.
            if let Some(row) = fields.remove(due.hash, |it| it.expires_at_ms == due.at_ms) {
                *n_heap -= row.n_heap();
                removed.push(row.name);
            }
        });
    }

    /// The field number `index` in the order of [`Self::iter`].
    pub(super) fn nth(&self, index: usize) -> Option<Field<'_>> {
        let len = u128::try_from(self.len()).ok().filter(|it| *it != 0)?;
        // The least number that stands for this place.
        let random = (u128::try_from(index).ok()? << u64::BITS).div_ceil(len);
        self.fields.sample(u64::try_from(random).ok()?).map(Row::field)
    }

    pub(super) fn iter(&self) -> Iter<'_> {
        Iter(self.fields.iter())
    }

    /// See [`HashTree::visit`].
    pub(super) fn visit<'a>(&'a self, position: u64, mut f: impl FnMut(Field<'a>)) -> Option<u64> {
        self.fields.visit(position, |it| hasher::hash(&it.name), |it| f(it.field()))
    }
}

/// The fields of a table.
#[derive(Debug)]
pub(super) struct Iter<'a>(crate::tree::hash::Iter<'a, Row>);

impl<'a> Iterator for Iter<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        self.0.next().map(Row::field)
    }
}
