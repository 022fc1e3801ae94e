//! [`Member`]: a name and its score.

use std::cmp::Ordering;

use crate::tree::Name;
use crate::tree::rank::Item;

/// A member of a sorted set. Its score is not NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// What it is ordered by.
    pub score: f64,
    /// What it is called, and what it is ordered by among equal scores.
    pub name: Name,
}

impl Member {
    /// How it compares to another. 0 and -0 are the same score.
    #[inline]
    pub(super) fn compare(&self, score: f64, name: &[u8]) -> Ordering {
        let by_score = self.score.partial_cmp(&score).unwrap_or(Ordering::Equal);
        by_score.then_with(|| (*self.name).cmp(name))
    }
}

/// Puts members in the order of a sorted set. What comes out of another one is in order already; that costs one pass.
pub fn sort(members: &mut [Member]) {
    members.sort_by(|a, b| a.compare(b.score, &b.name));
}

impl Item for Member {
    type Hint = f64;

    #[inline]
    fn hint(&self) -> f64 {
        self.score
    }
}
