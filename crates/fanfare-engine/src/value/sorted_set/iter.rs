//! [`Members`]: members in order, from either end.

use std::ops::Range;

use super::Member;
use super::packed::{self, Pairs};
use super::tree::Tree;
use crate::packed::Listpack;
use crate::tree::rank;

/// Members of a sorted set in order; a long name is shared with it, not copied.
pub struct Members<'a>(Repr<'a>);

enum Repr<'a> {
    Packed(Pairs<'a>),
    Tree(rank::Range<'a, Member>),
}

impl<'a> Members<'a> {
    pub(super) fn packed(pack: &'a Listpack, ranks: Range<usize>) -> Self {
        Self(Repr::Packed(packed::range(pack, ranks)))
    }

    pub(super) fn tree(tree: &'a Tree, ranks: Range<usize>) -> Self {
        Self(Repr::Tree(tree.range(ranks)))
    }
}

impl Iterator for Members<'_> {
    type Item = Member;

    #[inline]
    fn next(&mut self) -> Option<Member> {
        match &mut self.0 {
            Repr::Packed(pairs) => pairs.next().map(|it| it.to_member()),
            Repr::Tree(range) => range.next().cloned(),
        }
    }
}

impl DoubleEndedIterator for Members<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Member> {
        match &mut self.0 {
            Repr::Packed(pairs) => pairs.next_back().map(|it| it.to_member()),
            Repr::Tree(range) => range.next_back().cloned(),
        }
    }
}
