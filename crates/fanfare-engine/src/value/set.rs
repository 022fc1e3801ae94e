//! A set.
//!
//! Few integers are an [`IntSet`], anything else is a [`HashTree`]; what became a hash table remains one, as in Redis.

mod iter;
mod sample;
#[cfg(test)]
mod tests;

use triomphe::Arc;

use crate::number;
use crate::packed::IntSet;
use crate::tree::{HashTree, Name};
use crate::value::hasher;

pub use iter::{Iter, Member};

/// A set.
#[derive(Clone, Debug)]
pub enum Set {
    /// Integers, in ascending order.
    Ints(IntSet),
    /// Any members, in no order.
    Table(Arc<Table>),
}

/// The members of a set that is not packed.
#[derive(Clone, Debug, Default)]
pub struct Table {
    members: HashTree<Name>,
    /// What long members hold themselves.
    names_len: usize,
}

/// Redis packs no more, whatever the setting is.
const INTS_MAX: u32 = 1 << 30;

/// A reference count, a tree and a length.
const ROOT_LEN: usize = size_of::<usize>() + size_of::<Table>();

impl Default for Set {
    fn default() -> Self {
        Self::Ints(IntSet::new())
    }
}

impl Set {
    /// Number of members.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Ints(ints) => ints.len(),
            Self::Table(table) => table.members.len(),
        }
    }

    /// Whether there is none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it has this member.
    #[inline]
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Self::Ints(ints) => number::parse_int(member).is_some_and(|it| ints.contains(it)),
            Self::Table(table) => table.contains(hasher::hash(member), member),
        }
    }

    /// Adds a member; false if it was there. No more than `ints_max` integers are packed (`set-max-intset-entries`).
    #[inline]
    pub fn insert(&mut self, member: &[u8], ints_max: u32) -> bool {
        if let Self::Ints(ints) = self {
            let inserted = number::parse_int(member).map(|it| insert_int(ints, it, ints_max));
            match inserted {
                Some(Inserted::There) => return false,
                Some(Inserted::Fits) => return true,
                Some(Inserted::TooMany) => {
                    self.unpack();
                    return true;
                }
                None => self.unpack(),
            }
        }
        match self {
            Self::Table(table) => insert_name(table, member),
            Self::Ints(_) => unreachable!("it was unpacked"),
        }
    }

    /// Removes a member; false if it was not there.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Self::Ints(ints) => match number::parse_int(member) {
                Some(number) => ints.remove(number),
                None => false,
            },
            Self::Table(table) => {
                let hash = hasher::hash(member);
                table.contains(hash, member) && Arc::make_mut(table).remove(hash, member)
            }
        }
    }

    /// Its members: integers in ascending order, others in the order of their hashes.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        match self {
            Self::Ints(ints) => Iter::ints(ints),
            Self::Table(table) => Iter::names(table.members.iter()),
        }
    }

    /// The members of a hash table; `None` if it is packed.
    #[must_use]
    pub fn names(&self) -> Option<&HashTree<Name>> {
        match self {
            Self::Ints(_) => None,
            Self::Table(table) => Some(&table.members),
        }
    }

    /// The set that Redis would have if all members were added to an empty one.
    #[must_use]
    pub fn rebuilt(&self, ints_max: u32) -> Self {
        let fits = self.len() <= n_ints(ints_max);
        match self {
            Self::Ints(_) if fits => self.clone(),
            Self::Table(_) if !fits => self.clone(),
            Self::Ints(_) | Self::Table(_) => {
                let mut set = Self::default();
                for member in self {
                    set.insert(&member.to_name(), ints_max);
                }
                set
            }
        }
    }

    /// Becomes a hash table.
    #[cold]
    fn unpack(&mut self) {
        let mut table = Table::default();
        for member in &*self {
            let name = member.to_name();
            table.insert(hasher::hash(&name), name);
        }
        *self = Self::Table(Arc::new(table));
    }

    /// The name that `OBJECT ENCODING` answers.
    pub(super) fn encoding(&self) -> &'static str {
        match self {
            Self::Ints(_) => "intset",
            Self::Table(_) => "hashtable",
        }
    }

    /// Bytes on the heap, in constant time.
    pub(super) fn n_bytes(&self) -> usize {
        match self {
            Self::Ints(ints) => ints.n_bytes(),
            Self::Table(table) => ROOT_LEN + table.members.n_bytes() + table.names_len,
        }
    }

    /// About how many small allocations it takes as long to free as this.
    pub(super) fn effort(&self) -> usize {
        match self {
            // The system takes large allocations back page by page.
            Self::Ints(ints) => ints.n_bytes() / 4096,
            // A leaf has about twenty members; a long name holds at least forty bytes.
            Self::Table(table) => {
                let n_long = (table.names_len / 40).min(table.members.len());
                table.members.len() / 16 + n_long
            }
        }
    }
}

impl<'a> IntoIterator for &'a Set {
    type Item = Member<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// How many integers may be packed where that is the setting.
fn n_ints(ints_max: u32) -> usize {
    usize::try_from(ints_max.min(INTS_MAX)).unwrap_or(usize::MAX)
}

/// What became of an integer.
enum Inserted {
    /// It was there.
    There,
    Fits,
    /// It was added, and now there are too many.
    TooMany,
}

fn insert_int(ints: &mut IntSet, number: i64, ints_max: u32) -> Inserted {
    match ints.insert(number) {
        Ok(false) => Inserted::There,
        Ok(true) if ints.len() <= n_ints(ints_max) => Inserted::Fits,
        // It can not be full: there may be far fewer.
        Ok(true) | Err(_) => Inserted::TooMany,
    }
}

#[inline]
fn insert_name(table: &mut Arc<Table>, member: &[u8]) -> bool {
    let hash = hasher::hash(member);
    let is_new = !table.contains(hash, member);
    if is_new {
        Arc::make_mut(table).insert(hash, Name::from(member));
    }
    is_new
}

impl Table {
    #[inline]
    fn contains(&self, hash: u64, member: &[u8]) -> bool {
        self.members.find(hash, |it| **it == *member).is_some()
    }

    #[inline]
    fn insert(&mut self, hash: u64, member: Name) {
        self.names_len += member.n_bytes();
        self.members.insert(hash, member, |it| hasher::hash(it));
    }

    #[inline]
    fn remove(&mut self, hash: u64, member: &[u8]) -> bool {
        let removed = self.members.remove(hash, |it| **it == *member);
        removed.map(|it| self.names_len -= it.n_bytes()).is_some()
    }
}
