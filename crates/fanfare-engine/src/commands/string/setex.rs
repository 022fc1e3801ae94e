//! SETEX key seconds value, PSETEX key milliseconds value: put a string at a key that expires.
//!
//! Source: <https://redis.io/docs/latest/commands/setex/>.

use super::expiry::Expiry;
use crate::commands::unit::Unit;
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static PSETEX: Spec = Spec {
    name: "psetex",
    arity: Arity::Exactly(4),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["OW", "update"] },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new("Set the value and expiration in milliseconds of a key", "2.6.0", "O(1)")
        .args(&[Arg::key("key"), Arg::new("milliseconds", "integer"), Arg::new("value", "string")]),
    subcommands: &[],
    run: |ctx, request| put(ctx, request, Unit::Milliseconds),
};

pub(crate) static SETEX: Spec = Spec {
    name: "setex",
    arity: Arity::Exactly(4),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["OW", "update"] },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new("Set the value and expiration of a key", "2.0.0", "O(1)").args(&[
        Arg::key("key"),
        Arg::new("seconds", "integer"),
        Arg::new("value", "string"),
    ]),
    subcommands: &[],
    run: |ctx, request| put(ctx, request, Unit::Seconds),
};

fn put(ctx: &mut Ctx<'_>, request: Request<'_>, unit: Unit) -> Result<Reply, WireError> {
    let (Some(key), Some(value)) = (request.get(1), request.get(3)) else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let at_ms = Expiry::read(unit, request.get(2))?.resolve(ctx.now, ctx.spec().name)?;
    ctx.put_text(key, value, Some(at_ms));
    ctx.changed(Classes::STRING, "set", key);
    ctx.notify(Classes::GENERIC, "expire", key);
    ctx.record([&b"SET"[..], key, value, b"PXAT", at_ms.to_string().as_bytes()]);
    Ok(Reply::Ok)
}
