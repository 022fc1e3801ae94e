//! LINDEX key index: one element of a list.
//!
//! Source: <https://redis.io/docs/latest/commands/lindex/>. A negative index counts from the end.

use super::lrange::resolve;
use crate::number;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::List;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static LINDEX: Spec = Spec {
    name: "lindex",
    arity: Arity::Exactly(3),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Get an element from a list by its index",
        "1.0.0",
        "O(N) where N is the number of elements to traverse to get to the element at index. This makes asking for the first or the last element of the list O(1).",
    )
    .args(&[Arg::key("key"), Arg::new("index", "integer")]),
    subcommands: &[],
    run: lindex,
};

fn lindex(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let list = ctx.read::<List>(request.get(1).unwrap_or_default())?;
    let Some(list) = list else { return Ok(Reply::Null) };
    let index = request.get(2).and_then(number::parse_int).ok_or(wire_error::NOT_AN_INTEGER)?;
    let element = resolve(index, list.len()).and_then(|it| list.get(it));
    Ok(element.map_or(Reply::Null, Reply::Bulk))
}
