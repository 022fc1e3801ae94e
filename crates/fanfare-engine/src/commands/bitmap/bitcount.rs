//! BITCOUNT key [start end [BYTE | BIT]]: how many bits of a string are set.
//!
//! Source: <https://redis.io/docs/latest/commands/bitcount/>. A missing key is 0 whatever the other arguments are.

use super::bits::{Unit, edges};
use crate::commands::string::span::Span;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Text;
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static BITCOUNT: Spec = Spec {
    name: "bitcount",
    arity: Arity::AtLeast(2),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Bitmap,
    categories: &[],
    tips: &[],
    docs: Docs::new("Count set bits in a string", "2.6.0", "O(N)")
        .history(&[("7.0.0", "Added the `BYTE|BIT` option.")])
        .args(&[
            Arg::key("key"),
            Arg::new("index", "block").flags(&["optional"]).args(&[
                Arg::new("start", "integer"),
                Arg::new("end", "integer"),
                Arg::new("index_unit", "oneof")
                    .since("7.0.0")
                    .flags(&["optional"])
                    .args(&[Arg::word("byte", "BYTE"), Arg::word("bit", "BIT")]),
            ]),
        ]),
    subcommands: &[],
    run: bitcount,
};

fn bitcount(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let Some(text) = ctx.read::<Text>(key)? else { return Ok(Reply::Int(0)) };
    let mut buffer = itoa::Buffer::new();
    let bytes = text.bytes(&mut buffer);
    let (raw_start, raw_end, unit) = match (request.get(2), request.get(3), request.get(4)) {
        (None, ..) => return Ok(Reply::uint(count(bytes))),
        (Some(start), Some(end), unit) if request.len() <= 5 => (start, end, unit),
        (Some(_), ..) => return Err(wire_error::SYNTAX),
    };
    let start = number::parse_int(raw_start).ok_or(wire_error::NOT_AN_INTEGER)?;
    let end = number::parse_int(raw_end).ok_or(wire_error::NOT_AN_INTEGER)?;
    if start < 0 && end < start {
        return Ok(Reply::Int(0));
    }
    let unit = unit.map_or(Ok(Unit::Byte), Unit::parse)?;
    let Some(span) = Span::new(start, end, unit.len_of(bytes)) else { return Ok(Reply::Int(0)) };
    Ok(Reply::uint(match unit {
        Unit::Byte => count(span.of(bytes)),
        Unit::Bit => {
            let part = Span { first: span.first >> 3, last: span.last >> 3 }.of(bytes);
            let (outside_first, outside_last) = edges(span);
            let outside = |byte: Option<&u8>, mask: u8| {
                byte.map_or(0, |it| u64::from((it & mask).count_ones()))
            };
            count(part) - outside(part.first(), outside_first) - outside(part.last(), outside_last)
        }
    }))
}

fn count(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let in_words: u64 =
        words.iter().map(|it| u64::from(u64::from_ne_bytes(*it).count_ones())).sum();
    in_words + rest.iter().map(|it| u64::from(it.count_ones())).sum::<u64>()
}
