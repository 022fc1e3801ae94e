//! BITPOS key bit [start [end [BYTE | BIT]]]: where the first bit is that is set or not set.
//!
//! Source: <https://redis.io/docs/latest/commands/bitpos/>. Unless an end is given, zeros follow the string.

use super::bits::{Unit, edges};
use crate::commands::string::span::Span;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Text;
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static BITPOS: Spec = Spec {
    name: "bitpos",
    arity: Arity::AtLeast(3),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::Bitmap,
    categories: &[],
    tips: &[],
    docs: Docs::new("Find first bit set or clear in a string", "2.8.7", "O(N)")
        .history(&[("7.0.0", "Added the `BYTE|BIT` option.")])
        .args(&[
            Arg::key("key"),
            Arg::new("bit", "integer"),
            Arg::new("index", "block").flags(&["optional"]).args(&[
                Arg::new("start", "integer"),
                Arg::new("end_index", "block").flags(&["optional"]).args(&[
                    Arg::new("end", "integer"),
                    Arg::new("index_unit", "oneof")
                        .since("7.0.0")
                        .flags(&["optional"])
                        .args(&[Arg::word("byte", "BYTE"), Arg::word("bit", "BIT")]),
                ]),
            ]),
        ]),
    subcommands: &[],
    run: bitpos,
};

fn bitpos(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key), Some(raw)) = (request.get(1), request.get(2)) else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let on = match number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)? {
        0 => false,
        1 => true,
        _ => return Err(wire_error::BIT_ARGUMENT),
    };
    let Some(text) = ctx.read::<Text>(key)? else { return Ok(Reply::Int(if on { -1 } else { 0 })) };
    let mut buffer = itoa::Buffer::new();
    let bytes = text.bytes(&mut buffer);
    let Some(bounds) = Bounds::parse(request, bytes)? else { return Ok(Reply::Int(-1)) };
    let found = find(bytes, bounds.span, on);
    // An end that is given is one: without it, the string has zeros behind it.
    let behind = (!on && !bounds.has_end).then_some(8 * bytes.len() as u64);
    Ok(found.or(behind).map_or(Reply::Int(-1), Reply::uint))
}

/// Where to look.
struct Bounds {
    /// In bits.
    span: Span,
    has_end: bool,
}

impl Bounds {
    fn parse(request: Request<'_>, bytes: &[u8]) -> Result<Option<Self>, WireError> {
        if 6 < request.len() {
            return Err(wire_error::SYNTAX);
        }
        let int = |raw| number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER);
        let start = request.get(3).map_or(Ok(0), int)?;
        let unit = request.get(5).map_or(Ok(Unit::Byte), Unit::parse)?;
        let end = request.get(4).map(int).transpose()?;
        let span = Span::new(start, end.unwrap_or(-1), unit.len_of(bytes));
        let span = span.map(|it| match unit {
            Unit::Bit => it,
            Unit::Byte => Span { first: it.first << 3, last: it.last << 3 | 7 },
        });
        Ok(span.map(|span| Self { span, has_end: end.is_some() }))
    }
}

/// The first bit of `span` that is as wanted.
fn find(bytes: &[u8], span: Span, on: bool) -> Option<u64> {
    let part = Span { first: span.first >> 3, last: span.last >> 3 }.of(bytes);
    let (outside_first, outside_last) = edges(span);
    let flip = if on { 0 } else { 0xFF };
    // The first byte with a wanted bit; in the first and the last one, some bits do not count.
    let last_idx = part.len().checked_sub(1)?;
    let wanted = |byte_idx: usize| {
        let byte = part.get(byte_idx).map_or(0, |it| it ^ flip);
        let before = if byte_idx == 0 { outside_first } else { 0 };
        let after = if byte_idx == last_idx { outside_last } else { 0 };
        byte & !before & !after
    };
    let byte_idx = match wanted(0) {
        0 => 1 + skip(part.get(1..).unwrap_or_default(), flip),
        _ => 0,
    };
    let byte = wanted(byte_idx);
    let bit_idx = 8 * (byte_idx as u64 + (span.first >> 3)) + u64::from(byte.leading_zeros());
    (byte != 0).then_some(bit_idx)
}

/// How many bytes at the beginning are all `flip`.
fn skip(bytes: &[u8], flip: u8) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    match words.iter().position(|it| *it != [flip; 8]) {
        Some(word_idx) => {
            let word = words.get(word_idx).map_or(&[][..], |it| it);
            8 * word_idx + word.iter().take_while(|it| **it == flip).count()
        }
        None => 8 * words.len() + rest.iter().take_while(|it| **it == flip).count(),
    }
}
