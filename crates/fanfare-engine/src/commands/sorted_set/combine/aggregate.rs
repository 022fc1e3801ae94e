//! Several scores of a member as one, and several sorted sets as one.

use hashbrown::HashMap;

use super::source::Source;
use crate::value::hasher;
use crate::value::sorted_set::Member;

/// How scores of the same member become one.
#[derive(Clone, Copy, Default)]
pub(super) enum Aggregate {
    #[default]
    Sum,
    Min,
    Max,
}

impl Aggregate {
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        let names: [(&[u8], Self); 3] =
            [(b"sum", Self::Sum), (b"min", Self::Min), (b"max", Self::Max)];
        names.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|&(_, it)| it)
    }

    /// Of a score that is not NaN, and one that may be: a weight of 0 for one that is infinite.
    fn of(self, score: f64, other: f64) -> f64 {
        match self {
            Self::Sum => not_nan(score + other),
            Self::Min if other < score => other,
            Self::Max if score < other => other,
            Self::Min | Self::Max => score,
        }
    }
}

/// Where Redis would count with what is not a number, it takes 0.
fn not_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// Members of any of the sources.
pub(super) fn union(sources: &[(Source, f64)], aggregate: Aggregate) -> Vec<Member> {
    let n_least = sources.last().map_or(0, |(source, _)| source.len());
    let mut scores = HashMap::with_capacity_and_hasher(n_least, hasher::state());
    for (source, weight) in sources {
        for Member { score, name } in source.members() {
            let weighted = not_nan(weight * score);
            let sum = scores.entry(name).and_modify(|it| *it = aggregate.of(*it, weighted));
            sum.or_insert(weighted);
        }
    }
    scores.into_iter().map(|(name, score)| Member { score, name }).collect()
}

/// Members of all of the sources, which are in order of their size.
pub(super) fn intersection(
    sources: &[(Source, f64)],
    aggregate: Aggregate,
) -> impl Iterator<Item = Member> + '_ {
    let smallest = sources.first();
    let others = sources.get(1..).unwrap_or_default();
    smallest.into_iter().flat_map(move |(source, weight)| {
        source.members().filter_map(move |Member { score, name }| {
            let first = not_nan(weight * score);
            let score = others.iter().try_fold(first, |sum, (source, weight)| {
                Some(aggregate.of(sum, weight * source.score(&name)?))
            })?;
            Some(Member { score, name })
        })
    })
}

/// Members of the first source that are in none of the others.
pub(super) fn difference(sources: &[(Source, f64)]) -> Vec<Member> {
    let Some(((source, _), others)) = sources.split_first() else { return Vec::new() };
    let is_alone = |it: &Member| others.iter().all(|(source, _)| source.score(&it.name).is_none());
    source.members().filter(is_alone).collect()
}
