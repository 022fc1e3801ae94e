//! LSET key index element: replaces an element of a list.
//!
//! Source: <https://redis.io/docs/latest/commands/lset/>. A negative index counts from the end.

use super::lrange::resolve;
use crate::notify::Classes;
use crate::number;
use crate::packed::Fill;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::List;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static LSET: Spec = Spec {
    name: "lset",
    arity: Arity::Exactly(4),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "update"] },
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Set the value of an element in a list by its index",
        "1.0.0",
        "O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1).",
    )
    .args(&[Arg::key("key"), Arg::new("index", "integer"), Arg::new("element", "string")]),
    subcommands: &[],
    run: lset,
};

fn lset(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key), Some(raw), Some(element)) = (request.get(1), request.get(2), request.get(3))
    else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let fill = Fill::new(ctx.tuning().list_fill());
    let is_set = ctx.edit::<List, _>(key, |list| {
        let index = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
        let index = resolve(index, list.len());
        Ok(index.is_some_and(|it| list.set(it, element, fill)))
    })?;
    if !is_set.ok_or(wire_error::NO_SUCH_KEY)?? {
        return Err(wire_error::INDEX_OUT_OF_RANGE);
    }
    ctx.changed(Classes::LIST, "lset", key);
    Ok(Reply::Ok)
}
