//! LTRIM key start stop: keeps only consecutive elements of a list.
//!
//! Source: <https://redis.io/docs/latest/commands/ltrim/>. A negative index counts from the end.

use super::lrange::{bounds, within};
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::List;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static LTRIM: Spec = Spec {
    name: "ltrim",
    arity: Arity::Exactly(4),
    flags: &[Flag::Write],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "delete"] },
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Trim a list to the specified range",
        "1.0.0",
        "O(N) where N is the number of elements to be removed by the operation.",
    )
    .args(&[Arg::key("key"), Arg::new("start", "integer"), Arg::new("stop", "integer")]),
    subcommands: &[],
    run: ltrim,
};

fn ltrim(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let (start, stop) = bounds(request)?;
    let trimmed = ctx.edit::<List, _>(key, |list| {
        let (start, n) = within(start, stop, list.len());
        list.remove_range(start.saturating_add(n), usize::MAX);
        list.remove_range(0, if n == 0 { usize::MAX } else { start });
    })?;
    if trimmed.is_some() {
        ctx.changed(Classes::LIST, "ltrim", key);
        ctx.delete_if_empty::<List>(key);
    }
    Ok(Reply::Ok)
}
