//! Going through a set.

use crate::packed::IntSet;
use crate::tree::Name;
use crate::tree::hash;
use crate::{Blob, Reply};

/// A member of a set.
#[derive(Clone, Copy, Debug)]
pub enum Member<'a> {
    /// One of a set of integers.
    Int(i64),
    /// One of a hash table.
    Name(&'a Name),
}

impl Member<'_> {
    /// What it spells.
    #[inline]
    #[must_use]
    pub fn to_name(self) -> Name {
        match self {
            Self::Int(number) => Name::from(itoa::Buffer::new().format(number).as_bytes()),
            Self::Name(name) => name.clone(),
        }
    }

    /// As a reply: a long member is not copied.
    #[inline]
    #[must_use]
    pub fn to_reply(self) -> Reply {
        Reply::Bulk(Blob::Name(self.to_name()))
    }
}

/// The members of a set.
#[derive(Debug)]
pub struct Iter<'a>(Inner<'a>);

#[derive(Debug)]
enum Inner<'a> {
    Ints { ints: &'a IntSet, next_idx: usize },
    Names(hash::Iter<'a, Name>),
}

impl<'a> Iter<'a> {
    pub(super) fn ints(ints: &'a IntSet) -> Self {
        Self(Inner::Ints { ints, next_idx: 0 })
    }

    pub(super) fn names(names: hash::Iter<'a, Name>) -> Self {
        Self(Inner::Names(names))
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        match &mut self.0 {
            Inner::Ints { ints, next_idx } => {
                let number = ints.nth(*next_idx)?;
                *next_idx += 1;
                Some(Member::Int(number))
            }
            Inner::Names(names) => names.next().map(Member::Name),
        }
    }
}
