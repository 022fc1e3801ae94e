//! LREM key count element: removes elements that are equal to one.
//!
//! Source: <https://redis.io/docs/latest/commands/lrem/>. A negative count begins at the end, 0 means all.

use crate::notify::Classes;
use crate::number;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::List;
use crate::value::list::Side;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static LREM: Spec = Spec {
    name: "lrem",
    arity: Arity::Exactly(4),
    flags: &[Flag::Write],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "delete"] },
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Remove elements from a list",
        "1.0.0",
        "O(N+M) where N is the length of the list and M is the number of elements removed.",
    )
    .args(&[Arg::key("key"), Arg::new("count", "integer"), Arg::new("element", "string")]),
    subcommands: &[],
    run: lrem,
};

fn lrem(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (key, element) = (request.get(1).unwrap_or_default(), request.get(3).unwrap_or_default());
    let count = request.get(2).and_then(number::parse_int).ok_or(wire_error::NOT_AN_INTEGER)?;
    let side = if count < 0 { Side::Right } else { Side::Left };
    let n_max = match count {
        0 => usize::MAX,
        _ => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
    };
    let removed = ctx.edit::<List, _>(key, |list| list.remove_matching(element, n_max, side))?;
    let n_removed = removed.unwrap_or_default();
    if n_removed != 0 {
        ctx.changed(Classes::LIST, "lrem", key);
        ctx.delete_if_empty::<List>(key);
    }
    Ok(Reply::count(n_removed))
}
