//! BITOP operation destination key [key ...]: combines strings bit by bit.
//!
//! Source: <https://redis.io/docs/latest/commands/bitop/>. A shorter string, and a missing key, has zeros at its end.
//! DIFF, DIFF1, ANDOR and ONE are Redis 8.2's.

use smallvec::SmallVec;

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Begin, Docs, Find, Flag, Group, KeySpec, Keys};
use crate::value::{Text, Value};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static BITOP: Spec = Spec {
    name: "bitop",
    arity: Arity::AtLeast(4),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Specs(&[
        KeySpec {
            begin: Begin::Index(2),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            flags: &["OW", "update"],
            notes: None,
        },
        KeySpec {
            begin: Begin::Index(3),
            find: Find::Range { last: -1, step: 1, limit: 0 },
            flags: &["RO", "access"],
            notes: None,
        },
    ]),
    group: Group::Bitmap,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Performs bitwise operations on multiple strings, and stores the result.",
        "2.6.0",
        "O(N)",
    )
    .args(&[
        Arg::new("operation", "oneof").args(&[
            Arg::word("and", "AND"),
            Arg::word("or", "OR"),
            Arg::word("xor", "XOR"),
            Arg::word("not", "NOT"),
            Arg::word("diff", "DIFF").since("8.2.0"),
            Arg::word("diff1", "DIFF1").since("8.2.0"),
            Arg::word("andor", "ANDOR").since("8.2.0"),
            Arg::word("one", "ONE").since("8.2.0"),
        ]),
        Arg::key("destkey"),
        Arg::key("key").key_spec(1).flags(&["multiple"]),
    ]),
    subcommands: &[],
    run: bitop,
};

fn bitop(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(raw), Some(destination)) = (request.get(1), request.get(2)) else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let operation = Operation::parse(raw, request.len().saturating_sub(3))?;
    let mut texts = SmallVec::<[Text; 4]>::new();
    for key in request.iter().skip(3) {
        texts.push(ctx.read::<Text>(key)?.cloned().unwrap_or_default());
    }
    let mut buffers = vec![itoa::Buffer::new(); texts.len()];
    let sources: Vec<&[u8]> =
        texts.iter().zip(&mut buffers).map(|(text, buffer)| text.bytes(buffer)).collect();
    let result = operation.apply(&sources);
    let len = result.len();
    if !result.is_empty() {
        ctx.put(destination, Value::Text(Text::grown(result)), None);
        ctx.changed(Classes::STRING, "set", destination);
    } else if ctx.delete(destination) {
        ctx.changed(Classes::GENERIC, "del", destination);
    }
    Ok(Reply::count(len))
}

#[derive(Clone, Copy)]
enum Operation {
    And,
    Or,
    Xor,
    Not,
    Diff,
    Diff1,
    AndOr,
    One,
}

impl Operation {
    fn parse(name: &[u8], n_sources: usize) -> Result<Self, WireError> {
        let at_least_two = |operation, name| match n_sources {
            0 | 1 => Err(WireError::bitop_sources(name)),
            _ => Ok(operation),
        };
        match &*name.to_ascii_lowercase() {
            b"and" => Ok(Self::And),
            b"or" => Ok(Self::Or),
            b"xor" => Ok(Self::Xor),
            b"not" if n_sources == 1 => Ok(Self::Not),
            b"not" => Err(wire_error::BITOP_NOT_SOURCES),
            b"diff" => at_least_two(Self::Diff, "DIFF"),
            b"diff1" => at_least_two(Self::Diff1, "DIFF1"),
            b"andor" => at_least_two(Self::AndOr, "ANDOR"),
            b"one" => Ok(Self::One),
            _ => Err(wire_error::SYNTAX),
        }
    }

    /// As long as the longest of the sources.
    fn apply(self, sources: &[&[u8]]) -> Vec<u8> {
        let len = sources.iter().map(|it| it.len()).max().unwrap_or_default();
        let Some((first, others)) = sources.split_first() else { return Vec::new() };
        let or = |sources: &[&[u8]]| fold(padded(&[], len), sources, |it, other| it | other);
        let first_padded = || padded(first, len);
        match self {
            Self::And => fold_and(first_padded(), others),
            Self::Or => or(sources),
            Self::Xor => fold(first_padded(), others, |it, other| it ^ other),
            Self::Not => first.iter().map(|it| !it).collect(),
            Self::Diff => fold(first_padded(), others, |it, other| it & !other),
            Self::Diff1 => fold(or(others), &[first], |it, other| it & !other),
            Self::AndOr => fold_and(or(others), &[first]),
            Self::One => {
                let mut once = first_padded();
                let mut more = padded(&[], len);
                for other in others {
                    for ((once, more), other) in once.iter_mut().zip(&mut more).zip(*other) {
                        *more |= *once & other;
                        *once |= other;
                    }
                }
                fold(once, &[&more], |it, other| it & !other)
            }
        }
    }
}

/// `bytes` with zeros behind them.
fn padded(bytes: &[u8], len: usize) -> Vec<u8> {
    let mut padded = vec![0; len];
    if let Some(head) = padded.get_mut(..bytes.len()) {
        head.copy_from_slice(bytes);
    }
    padded
}

/// Combines with one source after the other, where a zero of that changes nothing.
fn fold(mut result: Vec<u8>, sources: &[&[u8]], combine: impl Fn(u8, u8) -> u8) -> Vec<u8> {
    for source in sources {
        for (byte, other) in result.iter_mut().zip(*source) {
            *byte = combine(*byte, *other);
        }
    }
    result
}

/// What all have.
fn fold_and(mut result: Vec<u8>, sources: &[&[u8]]) -> Vec<u8> {
    for source in sources {
        for (byte, other) in result.iter_mut().zip(*source) {
            *byte &= other;
        }
        result.iter_mut().skip(source.len()).for_each(|it| *it = 0);
    }
    result
}
