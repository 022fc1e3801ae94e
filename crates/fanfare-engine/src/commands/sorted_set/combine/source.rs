//! What a key contributes.

use crate::value::sorted_set::Member;
use crate::value::{Set, SortedSet, Value};

/// The score of a member of a set.
const SET_SCORE: f64 = 1.0;

/// A sorted set, or something that counts as one. Holds the value as it is now.
pub(super) enum Source {
    /// There is no key.
    Nothing,
    Set(Set),
    SortedSet(SortedSet),
}

impl Source {
    /// What a value contributes; `None`: it is of another type.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Set(set) => Some(Self::Set(set.clone())),
            Value::SortedSet(set) => Some(Self::SortedSet(set.clone())),
            Value::Text(_) | Value::List(_) | Value::Hash(_) | Value::Stream(_) => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Set(set) => set.len(),
            Self::SortedSet(set) => set.len(),
        }
    }

    /// All members.
    pub(super) fn members(&self) -> Box<dyn Iterator<Item = Member> + '_> {
        match self {
            Self::Nothing => Box::new(std::iter::empty()),
            Self::Set(set) => {
                Box::new(set.iter().map(|it| Member { score: SET_SCORE, name: it.to_name() }))
            }
            Self::SortedSet(set) => Box::new(set.iter()),
        }
    }

    /// The score of a member.
    pub(super) fn score(&self, name: &[u8]) -> Option<f64> {
        match self {
            Self::Nothing => None,
            Self::Set(set) => set.contains(name).then_some(SET_SCORE),
            Self::SortedSet(set) => set.score(name),
        }
    }
}
