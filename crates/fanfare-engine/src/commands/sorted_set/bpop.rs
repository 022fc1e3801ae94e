//! BZPOPMIN and BZPOPMAX key [key ...] timeout, BZMPOP timeout numkeys key [key ...] MIN | MAX [COUNT count]: as ZPOPMIN,
//! ZPOPMAX and ZMPOP, but wait for a member if there is none.
//!
//! Sources: <https://redis.io/docs/latest/commands/bzpopmin/>, <https://redis.io/docs/latest/commands/bzmpop/>. What is
//! recorded is the pop of the key that had members.

use super::pop::{End, MultiPop, pop, pop_nested};
use super::{COUNT, WHERE, counted_keys, spec};
use crate::block::{Awaited, Wait, parse_deadline};
use crate::spec::{Arg, Arity, Docs, Flag, Keys};
use crate::value::SortedSet;
use crate::value::sorted_set::Member;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static BZPOPMIN: Spec = spec(
    "bzpopmin",
    Arity::AtLeast(3),
    (&[Flag::Write, Flag::NoScript, Flag::Blocking, Flag::Fast], KEYS),
    Docs::new(
        "Remove and return the member with the lowest score from one or more sorted sets, or block until one is available",
        "5.0.0",
        "O(log(N)) with N being the number of elements in the sorted set.",
    )
    .history(&[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")])
    .args(&[Arg::key("key").flags(&["multiple"]), Arg::new("timeout", "double")]),
    |ctx, request| bzpop(ctx, request, End::Min),
);

pub(crate) static BZPOPMAX: Spec = spec(
    "bzpopmax",
    Arity::AtLeast(3),
    (&[Flag::Write, Flag::NoScript, Flag::Blocking, Flag::Fast], KEYS),
    Docs::new(
        "Remove and return the member with the highest score from one or more sorted sets, or block until one is available",
        "5.0.0",
        "O(log(N)) with N being the number of elements in the sorted set.",
    )
    .history(&[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")])
    .args(&[Arg::key("key").flags(&["multiple"]), Arg::new("timeout", "double")]),
    |ctx, request| bzpop(ctx, request, End::Max),
);

pub(crate) static BZMPOP: Spec = spec(
    "bzmpop",
    Arity::AtLeast(5),
    (&[Flag::Write, Flag::Blocking], Keys::Specs(&[counted_keys(2, &["RW", "access", "delete"])])),
    Docs::new(
        "Remove and return members with scores in a sorted set or block until one is available",
        "7.0.0",
        "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
    )
    .args(&[
        Arg::new("timeout", "double"),
        Arg::new("numkeys", "integer"),
        Arg::key("key").flags(&["multiple"]),
        WHERE,
        COUNT,
    ]),
    bzmpop,
);

const KEYS: Keys = Keys::Range { first: 1, last: -2, step: 1, flags: &["RW", "access", "delete"] };

fn bzpop(ctx: &mut Ctx<'_>, request: Request<'_>, end: End) -> Result<Reply, WireError> {
    let n_keys = request.len().saturating_sub(2);
    let deadline = parse_deadline(request.get(n_keys + 1).unwrap_or_default(), ctx.now)?;
    let keys: Vec<&[u8]> = request.iter().skip(1).take(n_keys).collect();
    for &key in &keys {
        if ctx.peek_or_wait::<SortedSet>(key)?.is_none() {
            continue;
        }
        let members = pop(ctx, key, (end, 1))?;
        ctx.record([end.command(), key]);
        let parts = members
            .into_iter()
            .flat_map(|Member { score, name }| [Reply::bulk(name.to_blob()), Reply::Double(score)]);
        return Ok(Reply::Array(std::iter::once(Reply::bulk(key)).chain(parts).collect()));
    }
    Ok(wait(ctx, request, keys, deadline))
}

fn bzmpop(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let MultiPop { keys, end, count } = MultiPop::parse(request, 2)?;
    let deadline = parse_deadline(request.get(1).unwrap_or_default(), ctx.now)?;
    for &key in &keys {
        if ctx.peek_or_wait::<SortedSet>(key)?.is_none() {
            continue;
        }
        let (reply, n_members) = pop_nested(ctx, key, (end, count))?;
        ctx.record([end.command(), key, itoa::Buffer::new().format(n_members).as_bytes()]);
        return Ok(reply);
    }
    Ok(wait(ctx, request, keys, deadline))
}

fn wait(
    ctx: &mut Ctx<'_>,
    request: Request<'_>,
    keys: Vec<&[u8]>,
    deadline_unix_ms: Option<u64>,
) -> Reply {
    let wait = Wait::new(Awaited::SortedSet, keys, deadline_unix_ms, Reply::NullArray);
    ctx.block(request, wait)
}
