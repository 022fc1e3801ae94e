//! Which members a command means: by rank, by score, or by name.

use std::ops::Range;

use crate::value::SortedSet;
use crate::value::sorted_set::{LexRange, ScoreRange};
use crate::{WireError, number, wire_error};

/// What members are chosen by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Lex,
}

/// The members that are chosen.
#[derive(Clone, Copy)]
pub(super) enum Selection<'a> {
    /// First and last, negative: counted from the end.
    Ranks(i64, i64),
    Scores(ScoreRange),
    Names(LexRange<'a>),
}

impl<'a> Selection<'a> {
    pub(super) fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Self, WireError> {
        match by {
            By::Rank => {
                let rank = |raw| number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER);
                Ok(Self::Ranks(rank(min)?, rank(max)?))
            }
            By::Score => {
                let range = ScoreRange::parse(min, max).ok_or(wire_error::BOUND_NOT_A_FLOAT)?;
                Ok(Self::Scores(range))
            }
            By::Lex => {
                let range = LexRange::parse(min, max).ok_or(wire_error::BOUND_NOT_A_STRING)?;
                Ok(Self::Names(range))
            }
        }
    }

    /// The ranks of these members. Ranks that were chosen are as they were given: whoever wants them from the end has
    /// to turn them.
    pub(super) fn ranks(&self, set: &SortedSet) -> Range<usize> {
        match self {
            Self::Ranks(first, last) => resolve(*first, *last, set.len()),
            Self::Scores(range) => set.ranks_by_score(range),
            Self::Names(range) => set.ranks_by_lex(range),
        }
    }
}

/// First and last of `len` as a range.
fn resolve(first: i64, last: i64, len: usize) -> Range<usize> {
    let from_start = |at: i64| match usize::try_from(at) {
        Ok(at) => Some(at),
        Err(_) => len.checked_sub(usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    let start = from_start(first).unwrap_or(0);
    let end = from_start(last).map_or(0, |it| it.saturating_add(1).min(len));
    if start < end { start..end } else { 0..0 }
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn ranks_count_from_either_end() {
        for ((first, last), expected) in [
            ((0, -1), 0..3),
            ((1, 1), 1..2),
            ((-2, 9), 1..3),
            ((-9, 0), 0..1),
            ((2, 1), 0..0),
            ((3, 5), 0..0),
            ((0, -4), 0..0),
            ((i64::MIN, i64::MAX), 0..3),
            ((i64::MAX, i64::MIN), 0..0),
        ] {
            assert_eq!(resolve(first, last, 3), expected, "{first} {last}");
        }
    }
}
