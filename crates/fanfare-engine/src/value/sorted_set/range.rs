//! Which members a command asks for: by score, or by name.

use std::ops::Bound;

use crate::double;

/// A range of scores.
#[derive(Clone, Copy, Debug)]
pub struct ScoreRange {
    min: Bound<f64>,
    max: Bound<f64>,
}

impl ScoreRange {
    /// Reads `1.5`, `(1.5`, `-inf` … `None`: one of the two is no number.
    #[must_use]
    pub fn parse(min: &[u8], max: &[u8]) -> Option<Self> {
        Some(Self { min: score_bound(min)?, max: score_bound(max)? })
    }

    /// The scores that its bounds name.
    pub(super) fn ends(&self) -> (f64, f64) {
        let end = |it, unbounded| match it {
            Bound::Included(score) | Bound::Excluded(score) => score,
            Bound::Unbounded => unbounded,
        };
        (end(self.min, f64::NEG_INFINITY), end(self.max, f64::INFINITY))
    }

    /// Whether it begins after this score.
    #[inline]
    pub(super) fn is_after(&self, score: f64) -> bool {
        match self.min {
            Bound::Included(min) => score < min,
            Bound::Excluded(min) => score <= min,
            Bound::Unbounded => false,
        }
    }

    /// Whether it does not end before this score.
    #[inline]
    pub(super) fn reaches(&self, score: f64) -> bool {
        match self.max {
            Bound::Included(max) => score <= max,
            Bound::Excluded(max) => score < max,
            Bound::Unbounded => true,
        }
    }
}

fn score_bound(raw: &[u8]) -> Option<Bound<f64>> {
    match raw.split_first() {
        Some((b'(', rest)) => double::parse_bound(rest).map(Bound::Excluded),
        Some(_) | None => double::parse_bound(raw).map(Bound::Included),
    }
}

/// A range of names.
#[derive(Clone, Copy, Debug)]
pub struct LexRange<'a> {
    min: LexBound<'a>,
    max: LexBound<'a>,
}

#[derive(Clone, Copy, Debug)]
enum LexBound<'a> {
    /// Before all names.
    Least,
    Included(&'a [u8]),
    Excluded(&'a [u8]),
    /// After all names.
    Greatest,
}

impl<'a> LexRange<'a> {
    /// Reads `[a`, `(a`, `-` and `+`. `None`: one of the two is something else.
    #[must_use]
    pub fn parse(min: &'a [u8], max: &'a [u8]) -> Option<Self> {
        Some(Self { min: LexBound::parse(min)?, max: LexBound::parse(max)? })
    }

    /// Whether it begins after this name.
    #[inline]
    pub(super) fn is_after(&self, name: &[u8]) -> bool {
        match self.min {
            LexBound::Least => false,
            LexBound::Included(min) => name < min,
            LexBound::Excluded(min) => name <= min,
            LexBound::Greatest => true,
        }
    }

    /// Whether it does not end before this name.
    #[inline]
    pub(super) fn reaches(&self, name: &[u8]) -> bool {
        match self.max {
            LexBound::Least => false,
            LexBound::Included(max) => name <= max,
            LexBound::Excluded(max) => name < max,
            LexBound::Greatest => true,
        }
    }
}

impl<'a> LexBound<'a> {
    fn parse(raw: &'a [u8]) -> Option<Self> {
        let (first, rest) = raw.split_first()?;
        // Redis reads a zero byte as the end here.
        let is_alone = matches!(rest.first(), None | Some(0));
        match first {
            b'-' if is_alone => Some(Self::Least),
            b'+' if is_alone => Some(Self::Greatest),
            b'[' => Some(Self::Included(rest)),
            b'(' => Some(Self::Excluded(rest)),
            _ => None,
        }
    }
}
