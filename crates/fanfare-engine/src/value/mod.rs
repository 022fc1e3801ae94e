//! What a key can hold.
//!
//! Every type is a root behind an `Arc`: a clone takes constant time and shares everything, and a write to one of the
//! two copies only the nodes on its way. That is how snapshots and replies hold values while writers go on.

pub mod hash;
pub(crate) mod hasher;
pub mod list;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod text;

pub use hash::Hash;
pub use list::List;
pub use set::Set;
pub use sorted_set::SortedSet;
pub use stream::Stream;
pub use text::Text;

/// A value of any type.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string.
    Text(Text),
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A hash.
    Hash(Hash),
    /// A sorted set.
    SortedSet(SortedSet),
    /// A stream.
    Stream(Stream),
}

/// A type of value: what a command that works on one type asks for by name.
pub trait Typed: Clone + Default {
    /// The value as this type, if it is of it.
    fn of(value: &Value) -> Option<&Self>;

    /// The value as this type, if it is of it.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;

    /// As a value of any type.
    fn into_value(self) -> Value;

    /// Whether a key that holds it is as good as none: Redis keeps no empty collections.
    fn is_nothing(&self) -> bool;
}

/// Says for each type how it is wrapped.
macro_rules! typed {
    ($kind:ident, $is_nothing:expr) => {
        impl Typed for $kind {
            #[inline]
            fn of(value: &Value) -> Option<&Self> {
                if let Value::$kind(it) = value { Some(it) } else { None }
            }

            #[inline]
            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                if let Value::$kind(it) = value { Some(it) } else { None }
            }

            fn into_value(self) -> Value {
                Value::$kind(self)
            }

            #[inline]
            fn is_nothing(&self) -> bool {
                let is_nothing: fn(&Self) -> bool = $is_nothing;
                is_nothing(self)
            }
        }
    };
}

// An empty string is a value like any other.
typed!(Text, |_| false);
typed!(List, List::is_empty);
typed!(Set, Set::is_empty);
typed!(Hash, Hash::is_empty);
typed!(SortedSet, SortedSet::is_empty);
// A stream without entries still has its groups, and knows its last ID.
typed!(Stream, |_| false);

impl Value {
    /// The name that `TYPE` answers.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Hash(_) => "hash",
            Self::SortedSet(_) => "zset",
            Self::Stream(_) => "stream",
        }
    }

    /// The name that `OBJECT ENCODING` answers.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Text(text) => text.encoding(),
            Self::List(list) => list.encoding(),
            Self::Set(set) => set.encoding(),
            Self::Hash(hash) => hash.encoding(),
            Self::SortedSet(sorted_set) => sorted_set.encoding(),
            Self::Stream(stream) => stream.encoding(),
        }
    }

    /// Bytes on the heap that it holds.
    #[inline]
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.n_bytes(),
            Self::List(list) => list.n_bytes(),
            Self::Set(set) => set.n_bytes(),
            Self::Hash(hash) => hash.n_bytes(),
            Self::SortedSet(sorted_set) => sorted_set.n_bytes(),
            Self::Stream(stream) => stream.n_bytes(),
        }
    }

    /// When the next part of it expires, in milliseconds since the Unix epoch; only a hash has such parts.
    #[inline]
    pub(crate) fn soonest_ms(&self) -> Option<u64> {
        match self {
            Self::Hash(hash) => hash.soonest_ms(),
            Self::Text(_) | Self::List(_) | Self::Set(_) | Self::SortedSet(_) | Self::Stream(_) => {
                None
            }
        }
    }

    /// About how many small allocations it takes as long to free as this.
    #[inline]
    pub(crate) fn effort(&self) -> usize {
        match self {
            Self::Text(text) => text.effort(),
            Self::List(list) => list.effort(),
            Self::Set(set) => set.effort(),
            Self::Hash(hash) => hash.effort(),
            Self::SortedSet(sorted_set) => sorted_set.effort(),
            Self::Stream(stream) => stream.effort(),
        }
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::hash::Lifetime;
    use super::{Hash, Set, SortedSet, Value, hash, sorted_set};

    #[test]
    fn a_value_is_three_words() {
        assert_eq!(size_of::<Value>(), 24);
    }

    /// What Redis's allocations for these have, and no more: the counter of references takes what is left of them.
    #[test]
    fn small_collections_take_one_small_piece_of_memory() {
        let number = |n: usize| n.to_string().into_bytes();
        let mut set = Set::default();
        (0..10).for_each(|n| assert!(set.insert(&number(n * 3000), 512)));
        assert_eq!(Value::Set(set).n_bytes(), 32);

        let mut hash = Hash::default();
        let limits = hash::Limits { n_fields_max: 128, len_max: 64 };
        for n in 0..5 {
            hash.set(format!("field:{n:03}").as_bytes(), &[b'x'; 16], Lifetime::Forever, limits);
        }
        assert_eq!(Value::Hash(hash).n_bytes(), 160);

        let mut sorted_set = SortedSet::default();
        let packing = sorted_set::Packing { entries_max: 128, value_max: 64 };
        for n in 0..10 {
            let name = format!("member:{n:09}");
            sorted_set.update(name.as_bytes(), packing, |_| Some(n as f64 * 90_000.0 + 40_000.0));
        }
        assert_eq!(Value::SortedSet(sorted_set).n_bytes(), 256);
    }
}
