//! ZREM key member [member ...], ZREMRANGEBYRANK key start stop, ZREMRANGEBYSCORE and ZREMRANGEBYLEX key min max: take
//! members out.
//!
//! Sources: <https://redis.io/docs/latest/commands/zrem/>,
//! <https://redis.io/docs/latest/commands/zremrangebyscore/>.

use super::select::{By, Selection};
use super::{one_key, spec};
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::SortedSet;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static ZREM: Spec = spec(
    "zrem",
    Arity::AtLeast(3),
    (&[Flag::Write, Flag::Fast], one_key(&["RW", "delete"])),
    Docs::new(
        "Remove one or more members from a sorted set",
        "1.2.0",
        "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.",
    )
    .history(&[("2.4.0", "Accepts multiple elements.")])
    .args(&[Arg::key("key"), Arg::new("member", "string").flags(&["multiple"])]),
    zrem,
);

pub(crate) static ZREMRANGEBYRANK: Spec = spec(
    "zremrangebyrank",
    Arity::Exactly(4),
    (&[Flag::Write], one_key(&["RW", "delete"])),
    Docs::new(
        "Remove all members in a sorted set within the given indexes",
        "2.0.0",
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
    )
    .args(&[Arg::key("key"), Arg::new("start", "integer"), Arg::new("stop", "integer")]),
    |ctx, request| remove(ctx, request, By::Rank),
);

pub(crate) static ZREMRANGEBYSCORE: Spec = spec(
    "zremrangebyscore",
    Arity::Exactly(4),
    (&[Flag::Write], one_key(&["RW", "delete"])),
    Docs::new(
        "Remove all members in a sorted set within the given scores",
        "1.2.0",
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
    )
    .args(&[Arg::key("key"), Arg::new("min", "double"), Arg::new("max", "double")]),
    |ctx, request| remove(ctx, request, By::Score),
);

pub(crate) static ZREMRANGEBYLEX: Spec = spec(
    "zremrangebylex",
    Arity::Exactly(4),
    (&[Flag::Write], one_key(&["RW", "delete"])),
    Docs::new(
        "Remove all members in a sorted set between the given lexicographical range",
        "2.8.9",
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
    )
    .args(&[Arg::key("key"), Arg::new("min", "string"), Arg::new("max", "string")]),
    |ctx, request| remove(ctx, request, By::Lex),
);

fn zrem(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let members = request.iter().skip(2);
    let n_removed =
        ctx.edit::<SortedSet, _>(key, |set| members.filter(|it| set.remove(it)).count())?;
    let n_removed = n_removed.unwrap_or_default();
    if n_removed != 0 {
        ctx.changed(Classes::SORTED_SET, "zrem", key);
        ctx.delete_if_empty::<SortedSet>(key);
    }
    Ok(Reply::count(n_removed))
}

fn remove(ctx: &mut Ctx<'_>, request: Request<'_>, by: By) -> Result<Reply, WireError> {
    let [key, min, max] = [1, 2, 3].map(|at| request.get(at).unwrap_or_default());
    let selection = Selection::parse(by, min, max)?;
    let Some(set) = ctx.peek::<SortedSet>(key)? else { return Ok(Reply::Int(0)) };
    let ranks = selection.ranks(set);
    let n_removed = ranks.len();
    if n_removed == 0 {
        return Ok(Reply::Int(0));
    }
    // What is removed as a whole can be freed elsewhere.
    let is_all = n_removed == set.len();
    if is_all {
        ctx.delete(key);
    } else {
        ctx.edit::<SortedSet, _>(key, |set| set.remove_range(ranks))?;
    }
    let event = match by {
        By::Rank => "zremrangebyrank",
        By::Score => "zremrangebyscore",
        By::Lex => "zremrangebylex",
    };
    ctx.changed(Classes::SORTED_SET, event, key);
    if is_all {
        ctx.notify(Classes::GENERIC, "del", key);
    }
    Ok(Reply::count(n_removed))
}
