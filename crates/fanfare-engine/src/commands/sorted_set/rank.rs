//! ZRANK key member [WITHSCORE], ZREVRANK key member [WITHSCORE]: how many members are before one.
//!
//! Sources: <https://redis.io/docs/latest/commands/zrank/>, <https://redis.io/docs/latest/commands/zrevrank/>.
//! `WITHSCORE` came with Redis 7.2.

use super::{one_key, spec};
use crate::spec::{Arg, Arity, Docs, Flag};
use crate::value::SortedSet;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static ZRANK: Spec = spec(
    "zrank",
    Arity::AtLeast(3),
    (&[Flag::ReadOnly, Flag::Fast], one_key(&["RO", "access"])),
    Docs::new("Determine the index of a member in a sorted set", "2.0.0", "O(log(N))")
        .history(&[("7.2.0", "Added the optional `WITHSCORE` argument.")])
        .args(&[
            Arg::key("key"),
            Arg::new("member", "string"),
            Arg::word("withscore", "WITHSCORE").flags(&["optional"]),
        ]),
    |ctx, request| rank(ctx, request, false),
);

pub(crate) static ZREVRANK: Spec = spec(
    "zrevrank",
    Arity::AtLeast(3),
    (&[Flag::ReadOnly, Flag::Fast], one_key(&["RO", "access"])),
    Docs::new(
        "Determine the index of a member in a sorted set, with scores ordered from high to low",
        "2.0.0",
        "O(log(N))",
    )
    .history(&[("7.2.0", "Added the optional `WITHSCORE` argument.")])
    .args(&[
        Arg::key("key"),
        Arg::new("member", "string"),
        Arg::word("withscore", "WITHSCORE").flags(&["optional"]),
    ]),
    |ctx, request| rank(ctx, request, true),
);

fn rank(ctx: &mut Ctx<'_>, request: Request<'_>, from_end: bool) -> Result<Reply, WireError> {
    let [key, member] = [1, 2].map(|at| request.get(at).unwrap_or_default());
    let with_score = match (request.len(), request.get(3)) {
        (..=4, None) => false,
        (..=4, Some(word)) if word.eq_ignore_ascii_case(b"withscore") => true,
        (..=4, Some(_)) => return Err(wire_error::SYNTAX),
        (5.., _) => return Err(WireError::wrong_arity(ctx.spec().name)),
    };
    let found = ctx.read::<SortedSet>(key)?.and_then(|set| {
        let (rank, score) = set.rank(member)?;
        Some((if from_end { set.len() - 1 - rank } else { rank }, score))
    });
    Ok(match (found, with_score) {
        (Some((rank, _)), false) => Reply::count(rank),
        (Some((rank, score)), true) => Reply::Array(vec![Reply::count(rank), Reply::Double(score)]),
        (None, false) => Reply::Null,
        (None, true) => Reply::NullArray,
    })
}
