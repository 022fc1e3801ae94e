//! What ZUNION and its kind are told behind the keys.

use super::aggregate::Aggregate;
use super::{Operation, Purpose};
use crate::{WireError, double, number, wire_error};

/// The options of all of them; each command has some.
#[derive(Default)]
pub(super) struct Options {
    /// One for each key, or none: all are 1.
    pub(super) weights: Vec<f64>,
    pub(super) aggregate: Aggregate,
    pub(super) with_scores: bool,
    /// Where ZINTERCARD stops counting.
    pub(super) limit: Option<usize>,
}

impl Options {
    /// Reads `words` in their order.
    pub(super) fn parse(
        words: Vec<&[u8]>,
        n_keys: usize,
        (operation, purpose): (Operation, Purpose),
    ) -> Result<Self, WireError> {
        let has_weights = operation != Operation::Difference && purpose != Purpose::Count;
        let mut options = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            if has_weights && is(b"weights") && n_keys <= words.len() {
                let weights = words.by_ref().take(n_keys).map(double::parse);
                let weights = weights.collect::<Option<_>>();
                options.weights = weights.ok_or(wire_error::WEIGHT_NOT_A_FLOAT)?;
            } else if has_weights && is(b"aggregate") {
                let name = words.next().ok_or(wire_error::SYNTAX)?;
                options.aggregate = Aggregate::named(name).ok_or(wire_error::SYNTAX)?;
            } else if purpose == Purpose::Show && is(b"withscores") {
                options.with_scores = true;
            } else if purpose == Purpose::Count && is(b"limit") {
                let raw = words.next().ok_or(wire_error::SYNTAX)?;
                let limit = number::parse_int(raw).and_then(|it| usize::try_from(it).ok());
                let limit = limit.ok_or(wire_error::LIMIT_NEGATIVE)?;
                options.limit = Some(limit).filter(|it| *it != 0);
            } else {
                return Err(wire_error::SYNTAX);
            }
        }
        Ok(options)
    }
}
