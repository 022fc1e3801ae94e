//! LRANGE key start stop: consecutive elements of a list.
//!
//! Source: <https://redis.io/docs/latest/commands/lrange/>. A negative index counts from the end.

use crate::number;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::List;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static LRANGE: Spec = Spec {
    name: "lrange",
    arity: Arity::Exactly(4),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Get a range of elements from a list",
        "1.0.0",
        "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) for large lists; and N is the number of elements in the specified range.",
    )
    .args(&[Arg::key("key"), Arg::new("start", "integer"), Arg::new("stop", "integer")]),
    subcommands: &[],
    run: lrange,
};

fn lrange(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (start, stop) = bounds(request)?;
    let list = ctx.read::<List>(request.get(1).unwrap_or_default())?;
    let Some(list) = list else { return Ok(Reply::Array(Vec::new())) };
    let (start, n) = within(start, stop, list.len());
    Ok(Reply::Elements(list.slice(start, n)))
}

/// The indexes that a request names behind its key.
pub(super) fn bounds(request: Request<'_>) -> Result<(i64, i64), WireError> {
    let index = |at| request.get(at).and_then(number::parse_int).ok_or(wire_error::NOT_AN_INTEGER);
    Ok((index(2)?, index(3)?))
}

/// The index of the first element and how many there are from `start` to `stop` in a list of `len` elements.
pub(super) fn within(start: i64, stop: i64, len: usize) -> (usize, usize) {
    let from = resolve(start, len).unwrap_or(0).min(len);
    // Before the first element there is nothing to stop at.
    let end = resolve(stop, len).map_or(0, |it| it.saturating_add(1).min(len));
    (from, end.saturating_sub(from))
}

/// The index that `index` means, which may be beyond the last one; `None`: it is before the first one.
pub(super) fn resolve(index: i64, len: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}
