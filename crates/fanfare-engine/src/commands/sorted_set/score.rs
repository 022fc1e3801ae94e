//! ZSCORE key member, ZMSCORE key member [member ...]: the scores of members.
//!
//! Sources: <https://redis.io/docs/latest/commands/zscore/>, <https://redis.io/docs/latest/commands/zmscore/>.

use super::{one_key, spec};
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::SortedSet;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static ZSCORE: Spec = spec(
    "zscore",
    Arity::Exactly(3),
    (&[Flag::ReadOnly, Flag::Fast], one_key(&["RO", "access"])),
    Docs::new("Get the score associated with the given member in a sorted set", "1.2.0", "O(1)")
        .args(&[Arg::key("key"), Arg::new("member", "string")]),
    zscore,
);

pub(crate) static ZMSCORE: Spec = spec(
    "zmscore",
    Arity::AtLeast(3),
    (&[Flag::ReadOnly, Flag::Fast], one_key(&["RO", "access"])),
    Docs::new(
        "Get the score associated with the given members in a sorted set",
        "6.2.0",
        "O(N) where N is the number of members being requested.",
    )
    .args(&[Arg::key("key"), Arg::new("member", "string").flags(&["multiple"])]),
    zmscore,
);

fn zscore(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let [key, member] = [1, 2].map(|at| request.get(at).unwrap_or_default());
    let score = ctx.read::<SortedSet>(key)?.and_then(|set| set.score(member));
    Ok(score.map_or(Reply::Null, Reply::Double))
}

fn zmscore(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let set = ctx.read::<SortedSet>(request.get(1).unwrap_or_default())?;
    let scores = request.iter().skip(2).map(|member| {
        let score = set.and_then(|set| set.score(member));
        score.map_or(Reply::Null, Reply::Double)
    });
    Ok(Reply::Array(scores.collect()))
}
