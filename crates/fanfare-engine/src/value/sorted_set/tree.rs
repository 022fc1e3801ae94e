//! A large sorted set: a hash table by name, and a tree by rank. Both hold every member; long names are shared.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use triomphe::Arc;

use super::{LexRange, Member, ScoreRange};
use crate::tree::rank;
use crate::tree::{HashTree, Name, RankTree};
use crate::value::hasher;

/// A sorted set of any size.
#[derive(Clone, Default)]
pub(super) struct Tree {
    by_name: HashTree<Member>,
    by_rank: RankTree<Member>,
    /// What long names take, once each.
    name_bytes: usize,
}

#[inline]
fn hash(name: &[u8]) -> u64 {
    hasher::hash(name)
}

fn hash_of(member: &Member) -> u64 {
    hash(&member.name)
}

impl Tree {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.by_rank.len()
    }

    #[inline]
    pub(super) fn n_bytes(&self) -> usize {
        self.by_name.n_bytes() + self.by_rank.n_bytes() + self.name_bytes
    }

    #[inline]
    pub(super) fn name_bytes(&self) -> usize {
        self.name_bytes
    }

    #[inline]
    pub(super) fn score(&self, name: &[u8]) -> Option<f64> {
        self.find(hash(name), name)
    }

    #[inline]
    fn find(&self, hash: u64, name: &[u8]) -> Option<f64> {
        self.by_name.find(hash, |it| *it.name == *name).map(|it| it.score)
    }

    pub(super) fn rank(&self, name: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(name)?;
        let rank = self.search(score, name).ok()?;
        Some((rank, score))
    }

    #[inline]
    fn search(&self, score: f64, name: &[u8]) -> Result<usize, usize> {
        self.by_rank.search(score, |it| it.compare(score, name))
    }

    pub(super) fn range(&self, ranks: Range<usize>) -> rank::Range<'_, Member> {
        self.by_rank.range(ranks)
    }

    pub(super) fn ranks_by_score(&self, range: &ScoreRange) -> Range<usize> {
        let (min, max) = range.ends();
        let n_before = |hint: f64, is_before: &dyn Fn(f64) -> bool| {
            let order =
                |it: &Member| if is_before(it.score) { Ordering::Less } else { Ordering::Greater };
            self.by_rank.search(hint, order).unwrap_or_else(|rank| rank)
        };
        let start = n_before(min, &|score| range.is_after(score));
        start..n_before(max, &|score| range.reaches(score)).max(start)
    }

    pub(super) fn ranks_by_lex(&self, range: &LexRange<'_>) -> Range<usize> {
        let start = self.by_rank.partition_point(|it| range.is_after(&it.name));
        let end = self.by_rank.partition_point(|it| range.reaches(&it.name));
        start..end.max(start)
    }

    pub(super) fn visit(&self, position: u64, f: impl FnMut(&Member)) -> Option<u64> {
        self.by_name.visit(position, hash_of, f)
    }

    /// As [`Self::update`], of a tree that a clone may have too: it is copied only if something changes.
    pub(super) fn update_shared(
        tree: &mut Arc<Self>,
        name: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) {
        let hash = hash(name);
        let before = tree.find(hash, name);
        if let Some(score) = decide(before) {
            Arc::make_mut(tree).set(hash, name, (before, score));
        }
    }

    /// Gives a member the score that `decide` tells for the one it has.
    pub(super) fn update(&mut self, name: &[u8], decide: impl FnOnce(Option<f64>) -> Option<f64>) {
        let hash = hash(name);
        let before = self.find(hash, name);
        if let Some(score) = decide(before) {
            self.set(hash, name, (before, score));
        }
    }

    fn set(&mut self, hash: u64, name: &[u8], (before, score): (Option<f64>, f64)) {
        let Some(before) = before else {
            return self.add(hash, Member { score, name: name.into() });
        };
        if let Some(member) = self.by_name.find_mut(hash, |it| *it.name == *name) {
            member.score = score;
        }
        let Ok(old_rank) = self.search(before, name) else { return };
        let new_rank = self.search(score, name).unwrap_or_else(|rank| rank);
        if new_rank == old_rank || new_rank == old_rank + 1 {
            self.by_rank.update(old_rank, |it| it.score = score);
        } else if let Some(member) = self.by_rank.remove(old_rank) {
            // The ranks behind the one that was removed are one less now.
            let new_rank = if old_rank < new_rank { new_rank - 1 } else { new_rank };
            self.by_rank.insert(new_rank, Member { score, ..member });
        }
    }

    /// Adds a member that is not there yet.
    fn add(&mut self, hash: u64, member: Member) {
        let rank = self.search(member.score, &member.name).unwrap_or_else(|rank| rank);
        self.name_bytes += member.name.n_bytes();
        self.by_rank.insert(rank, member.clone());
        self.by_name.insert(hash, member, hash_of);
    }

    /// Takes out a member, which has this score.
    pub(super) fn remove(&mut self, name: &[u8], score: f64) -> bool {
        let Ok(rank) = self.search(score, name) else { return false };
        self.by_rank.remove(rank);
        let removed = self.by_name.remove(hash(name), |it| *it.name == *name);
        self.name_bytes -= removed.map_or(0, |it| it.name.n_bytes());
        true
    }

    pub(super) fn remove_range(&mut self, ranks: Range<usize>) {
        let Self { by_name, by_rank, name_bytes } = self;
        by_rank.remove_range(ranks, |member| {
            by_name.remove(hash_of(&member), |it| it.name == member.name);
            *name_bytes -= member.name.n_bytes();
        });
    }
}

/// Members in order, of which no two have the same name.
impl FromIterator<Member> for Tree {
    fn from_iter<I: IntoIterator<Item = Member>>(members: I) -> Self {
        let by_rank: RankTree<Member> = members.into_iter().collect();
        let mut by_name = HashTree::new();
        let mut name_bytes = 0;
        for member in &by_rank {
            name_bytes += member.name.n_bytes();
            by_name.insert(hash_of(member), member.clone(), hash_of);
        }
        Self { by_name, by_rank, name_bytes }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.by_rank.iter().map(|it| (&it.name as &Name, it.score));
        f.debug_map().entries(pairs).finish()
    }
}
