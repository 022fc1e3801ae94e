//! ZCARD key, ZCOUNT key min max, ZLEXCOUNT key min max: how many members there are, in all or in a range.
//!
//! Sources: <https://redis.io/docs/latest/commands/zcard/>, <https://redis.io/docs/latest/commands/zcount/>.

use super::select::{By, Selection};
use super::{one_key, spec};
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::SortedSet;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static ZCARD: Spec = spec(
    "zcard",
    Arity::Exactly(2),
    (&[Flag::ReadOnly, Flag::Fast], one_key(&["RO"])),
    Docs::new("Get the number of members in a sorted set", "1.2.0", "O(1)")
        .args(&[Arg::key("key")]),
    zcard,
);

pub(crate) static ZCOUNT: Spec = spec(
    "zcount",
    Arity::Exactly(4),
    (&[Flag::ReadOnly, Flag::Fast], one_key(&["RO", "access"])),
    Docs::new(
        "Count the members in a sorted set with scores within the given values",
        "2.0.0",
        "O(log(N)) with N being the number of elements in the sorted set.",
    )
    .args(&[Arg::key("key"), Arg::new("min", "double"), Arg::new("max", "double")]),
    |ctx, request| count(ctx, request, By::Score),
);

pub(crate) static ZLEXCOUNT: Spec = spec(
    "zlexcount",
    Arity::Exactly(4),
    (&[Flag::ReadOnly, Flag::Fast], one_key(&["RO", "access"])),
    Docs::new(
        "Count the number of members in a sorted set between a given lexicographical range",
        "2.8.9",
        "O(log(N)) with N being the number of elements in the sorted set.",
    )
    .args(&[Arg::key("key"), Arg::new("min", "string"), Arg::new("max", "string")]),
    |ctx, request| count(ctx, request, By::Lex),
);

fn zcard(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let set = ctx.read::<SortedSet>(request.get(1).unwrap_or_default())?;
    Ok(Reply::count(set.map_or(0, SortedSet::len)))
}

fn count(ctx: &mut Ctx<'_>, request: Request<'_>, by: By) -> Result<Reply, WireError> {
    let [key, min, max] = [1, 2, 3].map(|at| request.get(at).unwrap_or_default());
    let selection = Selection::parse(by, min, max)?;
    let set = ctx.read::<SortedSet>(key)?;
    Ok(Reply::count(set.map_or(0, |set| selection.ranks(set).len())))
}
