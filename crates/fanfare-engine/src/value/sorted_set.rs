//! A sorted set: members with scores, in the order of score and name.
//!
//! | file | holds |
//! |---|---|
//! | `member` | [`Member`]: a name and its score |
//! | `packed` | a small one: member, score, member, score … in a listpack, as Redis has it |
//! | `tree` | a large one: a hash table by name, and a tree by rank |
//! | `range` | [`ScoreRange`] and [`LexRange`]: which members a command asks for |
//! | `iter` | [`Members`]: members in order, from either end |

mod iter;
mod member;
mod packed;
mod range;
#[cfg(test)]
mod tests;
mod tree;

use std::ops::Range;

use triomphe::Arc;

pub use iter::Members;
pub use member::{Member, sort};
pub use range::{LexRange, ScoreRange};

use crate::packed::Listpack;
use crate::tuning::Tuning;
use tree::Tree;

/// What an `Arc` has in front of what it holds.
const COUNT_LEN: usize = 8;
/// Room for the first member, which most small sorted sets soon need.
const FIRST_LEN: usize = 32;
/// What is reserved at most for members that may be too many.
const RESERVED_MAX: usize = 4096;
/// Members for each node that is freed, about.
const MEMBERS_PER_NODE: usize = 16;
/// Bytes of long names for each that is freed, about.
const BYTES_PER_NAME: usize = 64;

/// A sorted set.
#[derive(Clone, Debug)]
pub struct SortedSet(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Packed(Listpack),
    Tree(Arc<Tree>),
}

/// How large a sorted set may be that is packed.
#[derive(Clone, Copy, Debug)]
pub struct Packing {
    /// `zset-max-listpack-entries`
    pub entries_max: usize,
    /// `zset-max-listpack-value`
    pub value_max: usize,
}

impl Packing {
    /// As it is set now.
    #[inline]
    #[must_use]
    pub fn of(tuning: &Tuning) -> Self {
        let number = |it: u32| usize::try_from(it).unwrap_or(usize::MAX);
        Self {
            entries_max: number(tuning.zset_entries_max()),
            value_max: number(tuning.zset_value_max()),
        }
    }
}

impl Default for SortedSet {
    fn default() -> Self {
        Self(Repr::Packed(Listpack::with_capacity(FIRST_LEN)))
    }
}

/// Reading.
impl SortedSet {
    /// Number of members.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Packed(pack) => pack.len() / 2,
            Repr::Tree(tree) => tree.len(),
        }
    }

    /// Whether there is none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The score of a member.
    #[must_use]
    pub fn score(&self, name: &[u8]) -> Option<f64> {
        match &self.0 {
            Repr::Packed(pack) => packed::find(pack, name).map(|(_, score)| score),
            Repr::Tree(tree) => tree.score(name),
        }
    }

    /// How many members are before one, and its score.
    #[must_use]
    pub fn rank(&self, name: &[u8]) -> Option<(usize, f64)> {
        match &self.0 {
            Repr::Packed(pack) => packed::rank(pack, name),
            Repr::Tree(tree) => tree.rank(name),
        }
    }

    /// The members with these ranks; past the end there are none.
    #[must_use]
    pub fn members(&self, ranks: Range<usize>) -> Members<'_> {
        match &self.0 {
            Repr::Packed(pack) => Members::packed(pack, ranks),
            Repr::Tree(tree) => Members::tree(tree, ranks),
        }
    }

    /// All members, in order.
    #[must_use]
    pub fn iter(&self) -> Members<'_> {
        self.members(0..self.len())
    }

    /// The ranks of the members whose scores are in a range.
    #[must_use]
    pub fn ranks_by_score(&self, range: &ScoreRange) -> Range<usize> {
        match &self.0 {
            Repr::Packed(pack) => packed::ranks_by_score(pack, range),
            Repr::Tree(tree) => tree.ranks_by_score(range),
        }
    }

    /// The ranks of the members whose names are in a range. All must have the same score.
    #[must_use]
    pub fn ranks_by_lex(&self, range: &LexRange<'_>) -> Range<usize> {
        match &self.0 {
            Repr::Packed(pack) => packed::ranks_by_lex(pack, range),
            Repr::Tree(tree) => tree.ranks_by_lex(range),
        }
    }

    /// Calls `f` with some of the members and returns where to go on, as [`HashTree::visit`] does.
    ///
    /// [`HashTree::visit`]: crate::tree::HashTree::visit
    pub fn visit(&self, position: u64, mut f: impl FnMut(Member)) -> Option<u64> {
        match &self.0 {
            Repr::Packed(_) => {
                self.iter().for_each(f);
                None
            }
            Repr::Tree(tree) => tree.visit(position, |it| f(it.clone())),
        }
    }

    /// The members as Redis packs them, if they are.
    #[must_use]
    pub fn as_listpack(&self) -> Option<&Listpack> {
        match &self.0 {
            Repr::Packed(pack) => Some(pack),
            Repr::Tree(_) => None,
        }
    }
}

/// Changing.
impl SortedSet {
    /// An empty one that is packed, with room for these members.
    pub(crate) fn with_room<'n>(members: impl Iterator<Item = (&'n [u8], f64)>) -> Self {
        let n_bytes: usize = members.map(|(name, score)| packed::len_of(name, score)).sum();
        let mut pack = Listpack::new();
        pack.reserve(n_bytes.min(RESERVED_MAX));
        Self(Repr::Packed(pack))
    }

    /// Gives a member the score that `decide` tells for the one it has, if it has one. `None`: all stays as it is.
    pub fn update(
        &mut self,
        name: &[u8],
        packing: Packing,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) {
        match &mut self.0 {
            Repr::Packed(pack) => {
                let found = packed::find(pack, name);
                let Some(score) = decide(found.map(|(_, score)| score)) else { return };
                let fits = name.len() <= packing.value_max && pack.len() / 2 < packing.entries_max;
                if found.is_some() || fits {
                    found.into_iter().for_each(|(at, _)| packed::remove(pack, at));
                    if packed::insert(pack, name, score).is_ok() {
                        return;
                    }
                }
                let mut tree: Tree = packed::pairs(pack).map(|it| it.to_member()).collect();
                tree.update(name, |_| Some(score));
                self.0 = Repr::Tree(Arc::new(tree));
            }
            Repr::Tree(tree) => Tree::update_shared(tree, name, decide),
        }
    }

    /// Takes a member out; whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Packed(pack) => {
                let found = packed::find(pack, name);
                if let Some((at, _)) = found {
                    packed::remove(pack, at);
                }
                found.is_some()
            }
            Repr::Tree(tree) => match tree.score(name) {
                Some(score) => Arc::make_mut(tree).remove(name, score),
                None => false,
            },
        }
    }

    /// Takes out the members with these ranks.
    pub fn remove_range(&mut self, ranks: Range<usize>) {
        if ranks.is_empty() {
            return;
        }
        match &mut self.0 {
            Repr::Packed(pack) => {
                pack.remove_range(ranks.start * 2, ranks.len() * 2);
            }
            Repr::Tree(tree) => Arc::make_mut(tree).remove_range(ranks),
        }
    }

    /// A sorted set of these members, of which no two have the same name.
    #[must_use]
    pub fn from_members(mut members: Vec<Member>, packing: Packing) -> Self {
        sort(&mut members);
        let is_small = members.len() <= packing.entries_max
            && members.iter().all(|it| it.name.len() <= packing.value_max);
        let pack = is_small.then(|| packed::build(&members).ok()).flatten();
        Self(match pack {
            Some(pack) => Repr::Packed(pack),
            None => Repr::Tree(Arc::new(members.into_iter().collect())),
        })
    }
}

/// Accounting.
impl SortedSet {
    /// The name that `OBJECT ENCODING` answers.
    pub(super) fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Packed(_) => "listpack",
            Repr::Tree(_) => "skiplist",
        }
    }

    /// Bytes on the heap, in constant time.
    #[inline]
    pub(super) fn n_bytes(&self) -> usize {
        match &self.0 {
            Repr::Packed(pack) => pack.n_bytes(),
            Repr::Tree(tree) => COUNT_LEN + size_of::<Tree>() + tree.n_bytes(),
        }
    }

    /// About how many small allocations it takes as long to free as this.
    #[inline]
    pub(super) fn effort(&self) -> usize {
        match &self.0 {
            Repr::Packed(_) => 1,
            Repr::Tree(tree) => tree.len() / MEMBERS_PER_NODE + tree.name_bytes() / BYTES_PER_NAME,
        }
    }
}
