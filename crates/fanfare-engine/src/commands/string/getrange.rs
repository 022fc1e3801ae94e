//! GETRANGE key start end, and its old name SUBSTR: a part of a string.
//!
//! Source: <https://redis.io/docs/latest/commands/getrange/>.

use super::span::Span;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Text;
use crate::{Blob, Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static GETRANGE: Spec = Spec {
    name: "getrange",
    arity: Arity::Exactly(4),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Get a substring of the string stored at a key",
        "2.4.0",
        "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.",
    )
    .args(&[Arg::key("key"), Arg::new("start", "integer"), Arg::new("end", "integer")]),
    subcommands: &[],
    run: getrange,
};

pub(crate) static SUBSTR: Spec = Spec {
    name: "substr",
    arity: Arity::Exactly(4),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Get a substring of the string stored at a key",
        "1.0.0",
        "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.",
    )
    .deprecated("2.0.0", "`GETRANGE`")
    .doc_flags(&["deprecated"])
    .args(&[Arg::key("key"), Arg::new("start", "integer"), Arg::new("end", "integer")]),
    subcommands: &[],
    run: getrange,
};

fn getrange(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key), Some(start), Some(end)) = (request.get(1), request.get(2), request.get(3))
    else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let start = number::parse_int(start).ok_or(wire_error::NOT_AN_INTEGER)?;
    let end = number::parse_int(end).ok_or(wire_error::NOT_AN_INTEGER)?;
    let Some(text) = ctx.read::<Text>(key)? else { return Ok(Reply::bulk("")) };
    if start < 0 && end < start {
        return Ok(Reply::bulk(""));
    }
    let mut buffer = itoa::Buffer::new();
    let bytes = text.bytes(&mut buffer);
    let part = Span::new(start, end, bytes.len() as u64).map(|it| it.of(bytes));
    let part = part.unwrap_or_default();
    // A long string is shared with the reply if all of it is wanted.
    Ok(Reply::Bulk(if part.len() == bytes.len() { text.to_blob() } else { Blob::from(part) }))
}
