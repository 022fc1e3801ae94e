//! LPOP, RPOP key [count]: remove elements at an end of a list and answer them.
//!
//! Sources: <https://redis.io/docs/latest/commands/lpop/>, <https://redis.io/docs/latest/commands/rpop/>.

use crate::notify::Classes;
use crate::number;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Run};
use crate::value::List;
use crate::value::list::Side;
use crate::{Blob, Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static LPOP: Spec = spec(
    "lpop",
    Docs::new("Remove and get the first elements in a list", "1.0.0", COMPLEXITY),
    |ctx, request| pop(ctx, request, Side::Left),
);

pub(crate) static RPOP: Spec = spec(
    "rpop",
    Docs::new("Remove and get the last elements in a list", "1.0.0", COMPLEXITY),
    |ctx, request| pop(ctx, request, Side::Right),
);

const COMPLEXITY: &str = "O(N) where N is the number of elements returned";

const ARGS: &[Arg] =
    &[Arg::key("key"), Arg::new("count", "integer").since("6.2.0").flags(&["optional"])];

/// What both share.
const fn spec(name: &'static str, docs: Docs, run: Run) -> Spec {
    Spec {
        name,
        arity: Arity::AtLeast(2),
        flags: &[Flag::Write, Flag::Fast],
        keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "access", "delete"] },
        group: Group::List,
        categories: &[],
        tips: &[],
        docs: docs.history(&[("6.2.0", "Added the `count` argument.")]).args(ARGS),
        subcommands: &[],
        run,
    }
}

fn pop(ctx: &mut Ctx<'_>, request: Request<'_>, side: Side) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    if 3 < request.len() {
        return Err(WireError::wrong_arity(ctx.spec().name));
    }
    let Some(raw) = request.get(2) else {
        return Ok(pop_one(ctx, key, side)?.map_or(Reply::Null, Reply::Bulk));
    };
    let n = number::parse_int(raw).and_then(|it| usize::try_from(it).ok());
    let n = n.ok_or(wire_error::NOT_POSITIVE)?;
    if n == 0 {
        let is_there = ctx.peek::<List>(key)?.is_some();
        return Ok(if is_there { Reply::Array(Vec::new()) } else { Reply::NullArray });
    }
    Ok(pop_many(ctx, key, side, n)?.map_or(Reply::NullArray, Reply::bulks))
}

/// Pops one element, if there is a list, and tells of it.
pub(super) fn pop_one(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    side: Side,
) -> Result<Option<Blob>, WireError> {
    let popped = ctx.edit::<List, _>(key, |list| (list.pop(side), list.is_empty()))?;
    let Some((popped, is_empty)) = popped else { return Ok(None) };
    tell(ctx, key, side, is_empty);
    Ok(popped)
}

/// Pops so many elements or as many as there are, if there is a list, and tells of it.
pub(super) fn pop_many(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    side: Side,
    n: usize,
) -> Result<Option<Vec<Blob>>, WireError> {
    let popped = ctx.edit::<List, _>(key, |list| (list.pop_many(side, n), list.is_empty()))?;
    let Some((popped, is_empty)) = popped else { return Ok(None) };
    tell(ctx, key, side, is_empty);
    Ok(Some(popped))
}

/// Elements were popped: tells of it, and removes the key if they were the last ones.
pub(super) fn tell(ctx: &mut Ctx<'_>, key: &[u8], side: Side, is_empty: bool) {
    let event = match side {
        Side::Left => "lpop",
        Side::Right => "rpop",
    };
    ctx.changed(Classes::LIST, event, key);
    if is_empty {
        ctx.delete(key);
        ctx.notify(Classes::GENERIC, "del", key);
    }
}
