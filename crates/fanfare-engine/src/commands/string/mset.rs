//! MSET, MSETNX key value [key value ...]: put strings at several keys; MSETNX only if there is nothing at any.
//!
//! Sources: <https://redis.io/docs/latest/commands/mset/>, <https://redis.io/docs/latest/commands/msetnx/>.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static MSET: Spec = Spec {
    name: "mset",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Range { first: 1, last: -1, step: 2, flags: &["OW", "update"] },
    group: Group::String,
    categories: &[],
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    docs: Docs::new(
        "Set multiple keys to multiple values",
        "1.0.1",
        "O(N) where N is the number of keys to set.",
    )
    .args(&[Arg::new("key_value", "block")
        .flags(&["multiple"])
        .args(&[Arg::key("key"), Arg::new("value", "string")])]),
    subcommands: &[],
    run: mset,
};

pub(crate) static MSETNX: Spec = Spec {
    name: "msetnx",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Range { first: 1, last: -1, step: 2, flags: &["OW", "insert"] },
    group: Group::String,
    categories: &[],
    tips: &["request_policy:multi_shard", "response_policy:agg_min"],
    docs: Docs::new(
        "Set multiple keys to multiple values, only if none of the keys exist",
        "1.0.1",
        "O(N) where N is the number of keys to set.",
    )
    .args(&[Arg::new("key_value", "block")
        .flags(&["multiple"])
        .args(&[Arg::key("key"), Arg::new("value", "string")])]),
    subcommands: &[],
    run: msetnx,
};

fn mset(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    check(ctx, request)?;
    put(ctx, request);
    Ok(Reply::Ok)
}

fn msetnx(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    check(ctx, request)?;
    if request.iter().skip(1).step_by(2).any(|key| ctx.entry(key).is_some()) {
        return Ok(Reply::Int(0));
    }
    put(ctx, request);
    Ok(Reply::Int(1))
}

/// A key without a value is refused before anything is put.
fn check(ctx: &Ctx<'_>, request: Request<'_>) -> Result<(), WireError> {
    if request.len().is_multiple_of(2) {
        return Err(WireError::wrong_arity(ctx.spec().name));
    }
    Ok(())
}

fn put(ctx: &mut Ctx<'_>, request: Request<'_>) {
    let keys = request.iter().skip(1).step_by(2);
    for (key, value) in keys.zip(request.iter().skip(2).step_by(2)) {
        ctx.put_text(key, value, None);
        ctx.changed(Classes::STRING, "set", key);
    }
}
