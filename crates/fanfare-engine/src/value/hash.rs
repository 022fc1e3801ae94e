//! A hash: fields with values, each of which may expire by itself.
//!
//! | module | holds |
//! |---|---|
//! | `packed` | a small hash: one listpack, as Redis's `listpack` and `listpackex` |
//! | `table` | a large hash: a hash tree, and the times of what expires in order |
//! | `part` | [`Field`] and [`Part`]: what is looked at |
//!
//! A hash becomes a table where Redis's does, by the number of its fields or the length of one, and never again packed.
//! The first field that expires makes a packed hash one with times, which it stays. Most hashes are small and without
//! times: for these there is nothing but the listpack.
//!
//! Fields whose time has come are here until [`Hash::expire`]. The keyspace calls it before a command looks at the
//! hash, so no command ever sees them; that differs from Redis, where `HLEN` counts them until they are removed.

mod packed;
mod part;
mod table;
#[cfg(test)]
mod tests;

use triomphe::Arc;

pub use part::{Field, Part};

use crate::packed::{Element, Listpack};
use crate::tree::Name;
use crate::tuning::Tuning;
use packed::{Packed, PackedMut};
use table::Table;

/// A hash.
#[derive(Clone, Debug)]
pub struct Hash(Form);

#[derive(Clone, Debug)]
enum Form {
    Packed(Listpack),
    Other(Arc<Other>),
}

#[derive(Clone, Debug)]
enum Other {
    /// Packed, with times.
    Timed(Listpack),
    Table(Table),
}

/// A [`Form`] that is looked at.
enum View<'a> {
    Packed(Packed<'a>),
    Table(&'a Table),
}

/// A [`Form`] that is changed; a clone has its own.
enum ViewMut<'a> {
    Packed(PackedMut<'a>),
    Table(&'a mut Table),
}

/// What an `Arc` has in front of what it holds.
const COUNT_LEN: usize = size_of::<usize>();

/// Room for the first field, as a rule.
const FIRST_LEN: usize = 40;

/// What is reserved at most for fields that may be too many.
const RESERVED_MAX: usize = 4096;

/// Where a packed hash becomes a table.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// More fields than this.
    pub n_fields_max: u32,
    /// A longer name or value.
    pub len_max: u32,
}

impl Limits {
    /// Those that are set.
    #[inline]
    #[must_use]
    pub fn of(tuning: &Tuning) -> Self {
        Self { n_fields_max: tuning.hash_entries_max(), len_max: tuning.hash_value_max() }
    }

    /// Whether a name or a value of so many bytes may be packed.
    #[inline]
    pub(crate) fn admits_len(self, len: usize) -> bool {
        u32::try_from(len).is_ok_and(|it| it <= self.len_max)
    }

    /// Whether so many fields may be packed.
    #[inline]
    pub(crate) fn admits(self, n_fields: usize) -> bool {
        u32::try_from(n_fields).is_ok_and(|it| it <= self.n_fields_max)
    }
}

/// How long a field lives that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// It never expires.
    Forever,
    /// As before; a new field never expires.
    Kept,
    /// Until then, in milliseconds since the Unix epoch.
    Until(u64),
}

impl Lifetime {
    #[inline]
    fn after(self, before: Option<u64>) -> Option<u64> {
        match self {
            Self::Forever => None,
            Self::Kept => before,
            Self::Until(at_ms) => Some(at_ms),
        }
    }

    #[inline]
    fn of_new(self) -> Option<u64> {
        self.after(None)
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self(Form::Packed(Listpack::with_capacity(FIRST_LEN)))
    }
}

/// Looking at it.
impl Hash {
    #[inline]
    fn view(&self) -> View<'_> {
        match &self.0 {
            Form::Packed(elements) => View::Packed(Packed::new(elements, false)),
            Form::Other(other) => match &**other {
                Other::Timed(elements) => View::Packed(Packed::new(elements, true)),
                Other::Table(table) => View::Table(table),
            },
        }
    }

    /// Number of fields.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match self.view() {
            View::Packed(packed) => packed.len(),
            View::Table(table) => table.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A field.
    #[inline]
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        match self.view() {
            View::Packed(packed) => packed.get(name),
            View::Table(table) => table.get(name),
        }
    }

    /// The field number `index` in the order of [`Self::iter`].
    #[must_use]
    pub fn nth(&self, index: usize) -> Option<Field<'_>> {
        match self.view() {
            View::Packed(packed) => packed.nth(index),
            View::Table(table) => table.nth(index),
        }
    }

    /// All fields with their values and times: those of a packed hash in its order, those of a table in none.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter(match self.view() {
            View::Packed(packed) => Fields::Packed(packed.iter()),
            View::Table(table) => Fields::Table(table.iter()),
        })
    }

    /// Calls `f` with some fields from `position` on, as [`HashTree::visit`](crate::tree::HashTree::visit) does; a
    /// packed hash is visited at once.
    pub fn visit<'a>(&'a self, position: u64, f: impl FnMut(Field<'a>)) -> Option<u64> {
        match self.view() {
            View::Packed(packed) => {
                packed.iter().for_each(f);
                None
            }
            View::Table(table) => table.visit(position, f),
        }
    }

    /// When the next field expires, in milliseconds since the Unix epoch; quickly found.
    #[inline]
    #[must_use]
    pub fn soonest_ms(&self) -> Option<u64> {
        match self.view() {
            View::Packed(packed) => packed.soonest_ms(),
            View::Table(table) => table.soonest_ms(),
        }
    }

    /// The listpack of a packed hash, and whether it has times in it.
    #[must_use]
    pub fn listpack(&self) -> Option<(&Listpack, bool)> {
        match self.view() {
            View::Packed(packed) => Some((packed.elements, packed.is_timed)),
            View::Table(_) => None,
        }
    }

    /// The name that `OBJECT ENCODING` answers.
    pub(super) fn encoding(&self) -> &'static str {
        match self.view() {
            View::Packed(packed) if packed.is_timed => "listpackex",
            View::Packed(_) => "listpack",
            View::Table(_) => "hashtable",
        }
    }

    /// Bytes on the heap, in constant time.
    #[inline]
    pub(super) fn n_bytes(&self) -> usize {
        match &self.0 {
            Form::Packed(elements) => elements.n_bytes(),
            Form::Other(other) => {
                let own = match &**other {
                    Other::Timed(elements) => elements.n_bytes(),
                    Other::Table(table) => table.n_bytes(),
                };
                COUNT_LEN + size_of::<Other>() + own
            }
        }
    }

    /// About how many small allocations it takes as long to free as this.
    pub(super) fn effort(&self) -> usize {
        match self.view() {
            View::Packed(_) => 1,
            View::Table(table) => table.effort(),
        }
    }
}

/// Changing it.
impl Hash {
    #[inline]
    fn view_mut(&mut self) -> ViewMut<'_> {
        match &mut self.0 {
            Form::Packed(elements) => ViewMut::Packed(PackedMut::new(elements, false)),
            Form::Other(other) => match Arc::make_mut(other) {
                Other::Timed(elements) => ViewMut::Packed(PackedMut::new(elements, true)),
                Other::Table(table) => ViewMut::Table(table),
            },
        }
    }

    /// Makes room for these names and values, if it is packed and stays so.
    pub(crate) fn reserve<'w>(&mut self, words: impl Iterator<Item = &'w [u8]>) {
        if let Form::Packed(elements) = &mut self.0 {
            let n_bytes: usize = words.map(|it| Element::Bytes(it).packed_len()).sum();
            elements.reserve(n_bytes.min(RESERVED_MAX));
        }
    }

    /// Sets a field; returns whether it is new.
    #[inline]
    pub fn set(&mut self, name: &[u8], value: &[u8], lifetime: Lifetime, limits: Limits) -> bool {
        if let View::Packed(packed) = self.view()
            && limits.admits_len(name.len())
            && limits.admits_len(value.len())
            && packed.has_room(name, value)
        {
            if matches!(lifetime, Lifetime::Until(_)) {
                self.make_timed();
            }
            if let ViewMut::Packed(mut packed) = self.view_mut() {
                let is_new = packed.set(name, value, lifetime);
                if !limits.admits(packed.len()) {
                    self.table_mut();
                }
                return is_new;
            }
        }
        self.table_mut().set(name, value, lifetime)
    }

    /// Changes when a field expires (`None`: never); nothing happens if it is not there.
    pub fn put_time(&mut self, name: &[u8], expires_at_ms: Option<u64>) {
        if expires_at_ms.is_some() && self.get(name).is_some() {
            self.make_timed();
        }
        match self.view_mut() {
            ViewMut::Packed(mut packed) => packed.put_time(name, expires_at_ms),
            ViewMut::Table(table) => table.put_time(name, expires_at_ms),
        }
    }

    /// Has times, if it is packed.
    fn make_timed(&mut self) {
        if let Form::Packed(elements) = &self.0 {
            self.0 = Form::Other(Arc::new(Other::Timed(packed::with_times(elements))));
        }
    }

    /// Removes a field; returns whether it was there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        match self.view_mut() {
            ViewMut::Packed(mut packed) => packed.remove(name),
            ViewMut::Table(table) => table.remove(name),
        }
    }

    /// Removes up to `n_max` fields whose time has come, and returns their names.
    pub fn expire(&mut self, now_ms: u64, n_max: usize) -> Vec<Name> {
        let mut removed = Vec::new();
        match self.view_mut() {
            ViewMut::Packed(mut packed) => packed.expire(now_ms, n_max, &mut removed),
            ViewMut::Table(table) => table.expire(now_ms, n_max, &mut removed),
        }
        removed
    }

    /// A hash that was saved: field and value, or, if it is timed, field, value and time in the order of the times, and
    /// so on, no name twice. Only the number of fields counts, as with Redis.
    pub(crate) fn from_listpack(elements: Listpack, is_timed: bool, limits: Limits) -> Self {
        let is_small = limits.admits(Packed::new(&elements, is_timed).len());
        let mut hash = Self(match is_timed {
            true => Form::Other(Arc::new(Other::Timed(elements))),
            false => Form::Packed(elements),
        });
        if !is_small {
            hash.table_mut();
        }
        hash
    }

    /// As [`Self::set`], where it is known that the hash is a large one.
    pub(crate) fn set_in_table(&mut self, name: &[u8], value: &[u8]) -> bool {
        self.table_mut().set(name, value, Lifetime::Forever)
    }

    /// The table; it is made of what is packed.
    fn table_mut(&mut self) -> &mut Table {
        if let View::Packed(packed) = self.view() {
            let mut table = Table::default();
            for field in packed.iter() {
                let lifetime = field.expires_at_ms.map_or(Lifetime::Forever, Lifetime::Until);
                table.set(&field.name.to_name(), &field.value.to_name(), lifetime);
            }
            self.0 = Form::Other(Arc::new(Other::Table(table)));
        }
        match self.view_mut() {
            ViewMut::Table(table) => table,
            ViewMut::Packed(_) => unreachable!("it was made a table"),
        }
    }
}

impl<'a> IntoIterator for &'a Hash {
    type Item = Field<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The fields of a [`struct@Hash`].
#[derive(Debug)]
pub struct Iter<'a>(Fields<'a>);

#[derive(Debug)]
enum Fields<'a> {
    Packed(packed::Iter<'a>),
    Table(table::Iter<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        match &mut self.0 {
            Fields::Packed(fields) => fields.next(),
            Fields::Table(fields) => fields.next(),
        }
    }
}
