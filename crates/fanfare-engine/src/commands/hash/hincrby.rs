//! HINCRBY, HINCRBYFLOAT key field increment: change the number that a field's value spells.
//!
//! Sources: <https://redis.io/docs/latest/commands/hincrby/>, <https://redis.io/docs/latest/commands/hincrbyfloat/>. A missing
//! field counts as 0; the time of a field that expires stays.

use crate::long_double::LongDouble;
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::value::hash::{Lifetime, Limits};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static HINCRBY: Spec = Spec {
    name: "hincrby",
    arity: Arity::Exactly(4),
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "access", "update"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Increment the integer value of a hash field by the given number",
        "2.0.0",
        "O(1)",
    )
    .args(&[Arg::key("key"), Arg::new("field", "string"), Arg::new("increment", "integer")]),
    subcommands: &[],
    run: hincrby,
};

pub(crate) static HINCRBYFLOAT: Spec = Spec {
    name: "hincrbyfloat",
    arity: Arity::Exactly(4),
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "access", "update"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Increment the float value of a hash field by the given amount",
        "2.6.0",
        "O(1)",
    )
    .args(&[Arg::key("key"), Arg::new("field", "string"), Arg::new("increment", "double")]),
    subcommands: &[],
    run: hincrbyfloat,
};

fn hincrby(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key), Some(name)) = (request.get(1), request.get(2)) else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let increment = request.get(3).and_then(number::parse_int).ok_or(wire_error::NOT_AN_INTEGER)?;
    let limits = Limits::of(ctx.tuning());
    let after = ctx.edit_or_new::<Hash, _>(key, |hash| {
        let before = match hash.get(name) {
            Some(field) => field.value.to_int().ok_or(wire_error::HASH_VALUE_NOT_AN_INTEGER)?,
            None => 0,
        };
        let after = before.checked_add(increment).ok_or(wire_error::OVERFLOW)?;
        let mut buffer = itoa::Buffer::new();
        hash.set(name, buffer.format(after).as_bytes(), Lifetime::Kept, limits);
        Ok(after)
    })??;
    ctx.changed(Classes::HASH, "hincrby", key);
    Ok(Reply::Int(after))
}

fn hincrbyfloat(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key), Some(name), Some(raw)) = (request.get(1), request.get(2), request.get(3))
    else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let increment = LongDouble::parse(raw).ok_or(wire_error::NOT_A_FLOAT)?;
    if increment == LongDouble::Infinite {
        return Err(wire_error::INCREMENT_NOT_FINITE);
    }
    let limits = Limits::of(ctx.tuning());
    let (after, expires) = ctx.edit_or_new::<Hash, _>(key, |hash| {
        let field = hash.get(name);
        let expires = field.is_some_and(|it| it.expires_at_ms.is_some());
        let before = match field {
            Some(field) => LongDouble::parse(field.value.bytes(&mut itoa::Buffer::new()))
                .ok_or(wire_error::HASH_VALUE_NOT_A_FLOAT)?,
            None => LongDouble::ZERO,
        };
        let after = before.plus(increment).ok_or(wire_error::NAN_OR_INFINITY)?.to_text();
        hash.set(name, after.as_bytes(), Lifetime::Kept, limits);
        Ok((after, expires))
    })??;
    ctx.changed(Classes::HASH, "hincrbyfloat", key);
    // Another machine might round otherwise.
    if expires {
        ctx.record([&b"HSETEX"[..], key, b"KEEPTTL", b"FIELDS", b"1", name, after.as_bytes()]);
    } else {
        ctx.record([&b"HSET"[..], key, name, after.as_bytes()]);
    }
    Ok(Reply::bulk(after))
}
