//! What SCAN, HSCAN, SSCAN and ZSCAN share: the cursor, the options, the reply.
//!
//! Source: <https://redis.io/docs/latest/commands/scan/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Run};
use crate::{Reply, Spec, WireError, glob, number, wire_error};

/// Options of a scan.
#[derive(Debug)]
pub(super) struct Options<'a> {
    /// What is returned.
    pub(super) pattern: Pattern<'a>,
    /// How many elements are looked at, about.
    pub(super) count: usize,
    /// `TYPE` (SCAN).
    kind: Option<&'a [u8]>,
    /// `NOVALUES` (HSCAN).
    pub(super) no_values: bool,
}

/// A command that goes through one key.
pub(super) const fn spec(
    group: Group,
    name: &'static str,
    summary: &'static str,
    run: Run,
) -> Spec {
    Spec {
        name,
        arity: Arity::AtLeast(3),
        flags: &[Flag::ReadOnly],
        keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
        group,
        categories: &[],
        tips: &["nondeterministic_output"],
        docs: Docs::new(
            summary,
            "2.8.0",
            "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
        )
        .args(const {
            &[
                Arg::key("key"),
                Arg::new("cursor", "integer"),
                Arg::new("pattern", "pattern").token("MATCH").flags(&["optional"]),
                Arg::new("count", "integer").token("COUNT").flags(&["optional"]),
            ]
        }),
        subcommands: &[],
        run,
    }
}

/// How many elements are looked at if nothing else is said.
const COUNT: usize = 10;

/// Bits of a position that a cursor does not keep: clients may keep cursors in floating-point numbers.
const N_LOW: u32 = 16;

impl<'a> Options<'a> {
    /// Reads options. `also`: those that only this command has, of `type` and `novalues`.
    ///
    /// # Errors
    /// The first of them that is wrong.
    pub(super) fn parse(
        mut words: impl Iterator<Item = &'a [u8]>,
        also: &[&str],
    ) -> Result<Self, WireError> {
        let mut options =
            Self { pattern: Pattern(None), count: COUNT, kind: None, no_values: false };
        while let Some(word) = words.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let has = |name: &str| is(name) && also.contains(&name);
            if has("novalues") {
                options.no_values = true;
                continue;
            }
            let value = words.next().ok_or(wire_error::SYNTAX)?;
            if is("count") {
                let count = number::parse_int(value).ok_or(wire_error::NOT_AN_INTEGER)?;
                let count = usize::try_from(count).ok().filter(|it| *it != 0);
                options.count = count.ok_or(wire_error::SYNTAX)?;
            } else if is("match") {
                options.pattern = Pattern::new(value);
            } else if has("type") {
                options.kind = Some(value);
            } else {
                return Err(wire_error::SYNTAX);
            }
        }
        Ok(options)
    }

    /// Goes on through a value from `cursor`; returns where to go on next time, 0 if it is over. `visit` looks at some
    /// elements from a position in the order of hashes on, counts them, and returns the position after them.
    pub(super) fn walk(
        &self,
        cursor: u64,
        mut visit: impl FnMut(u64, &mut usize) -> Option<u64>,
    ) -> u64 {
        if u64::MAX >> N_LOW < cursor {
            return 0;
        }
        let mut position = cursor << N_LOW;
        let mut n_seen = 0;
        while let Some(next) = visit(position, &mut n_seen) {
            if self.count <= n_seen && N_LOW <= next.trailing_zeros() {
                return next >> N_LOW;
            }
            position = next;
        }
        0
    }

    /// Whether keys of a type are wanted.
    pub(super) fn admits_type(&self, name: &str) -> bool {
        self.kind.is_none_or(|it| it.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// A glob pattern, by which not even an empty name is left out if it is `*`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern<'a>(Option<&'a [u8]>);

impl<'a> Pattern<'a> {
    pub(super) fn new(pattern: &'a [u8]) -> Self {
        Self(Some(pattern).filter(|it| *it != b"*"))
    }

    pub(super) fn matches(self, name: &[u8]) -> bool {
        self.0.is_none_or(|it| glob::matches(it, name))
    }
}

/// Reads a cursor as `strtoul` does.
///
/// # Errors
/// It is none.
pub(super) fn parse_cursor(raw: &[u8]) -> Result<u64, WireError> {
    let (is_negative, digits) = match raw {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let is_number = digits.iter().all(u8::is_ascii_digit) && (raw.is_empty() || !digits.is_empty());
    let cursor = digits.iter().try_fold(0u64, |sum, digit| {
        sum.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
    });
    match cursor {
        Some(cursor) if is_number && is_negative => Ok(cursor.wrapping_neg()),
        Some(cursor) if is_number => Ok(cursor),
        Some(_) | None => Err(wire_error::INVALID_CURSOR),
    }
}

/// The reply of a scan: where to go on, 0 if it is over, and what was found.
pub(super) fn reply(cursor: u64, found: Vec<Reply>) -> Reply {
    Reply::Array(vec![Reply::bulk(cursor.to_string()), Reply::Array(found)])
}

#[cfg(test)]
mod tests {
    use super::parse_cursor;

    #[test]
    fn a_cursor_is_read_as_strtoul_reads_it() {
        for (raw, expected) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("007", Some(7)),
            ("+5", Some(5)),
            ("-1", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            (" 1", None),
            ("1 ", None),
            ("-", None),
            ("+-1", None),
            ("0x10", None),
            ("a", None),
        ] {
            assert_eq!(parse_cursor(raw.as_bytes()).ok(), expected, "{raw:?}");
        }
    }
}
