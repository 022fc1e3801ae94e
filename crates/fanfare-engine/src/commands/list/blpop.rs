//! BLPOP, BRPOP key [key ...] timeout: pop from the first list that is there, or wait for one.
//!
//! Sources: <https://redis.io/docs/latest/commands/blpop/>, <https://redis.io/docs/latest/commands/brpop/>.

use super::pop::pop_one;
use crate::block::{Awaited, Wait, parse_deadline};
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::List;
use crate::value::list::Side;
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static BLPOP: Spec = Spec {
    name: "blpop",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Write, Flag::NoScript, Flag::Blocking],
    keys: Keys::Range { first: 1, last: -2, step: 1, flags: &["RW", "access", "delete"] },
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Remove and get the first element in a list, or block until one is available",
        "2.0.0",
        "O(N) where N is the number of provided keys.",
    )
    .history(&[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")])
    .args(&[Arg::key("key").flags(&["multiple"]), Arg::new("timeout", "double")]),
    subcommands: &[],
    run: |ctx, request| pop_or_wait(ctx, request, Side::Left),
};

pub(crate) static BRPOP: Spec = Spec {
    name: "brpop",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Write, Flag::NoScript, Flag::Blocking],
    keys: Keys::Range { first: 1, last: -2, step: 1, flags: &["RW", "access", "delete"] },
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Remove and get the last element in a list, or block until one is available",
        "2.0.0",
        "O(N) where N is the number of provided keys.",
    )
    .history(&[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")])
    .args(&[Arg::key("key").flags(&["multiple"]), Arg::new("timeout", "double")]),
    subcommands: &[],
    run: |ctx, request| pop_or_wait(ctx, request, Side::Right),
};

fn pop_or_wait(ctx: &mut Ctx<'_>, request: Request<'_>, side: Side) -> Result<Reply, WireError> {
    let n_keys = request.len().saturating_sub(2);
    let timeout = request.get(n_keys + 1).unwrap_or_default();
    let deadline_unix_ms = parse_deadline(timeout, ctx.now)?;
    for key in request.iter().skip(1).take(n_keys) {
        if ctx.peek_or_wait::<List>(key)?.is_some() {
            let popped = pop_one(ctx, key, side)?.map_or(Reply::Null, Reply::Bulk);
            ctx.record([if side == Side::Left { &b"LPOP"[..] } else { b"RPOP" }, key]);
            return Ok(Reply::Array(vec![Reply::bulk(key), popped]));
        }
    }
    let keys = request.iter().skip(1).take(n_keys);
    let wait = Wait::new(Awaited::List, keys, deadline_unix_ms, Reply::NullArray);
    Ok(ctx.block(request, wait))
}
