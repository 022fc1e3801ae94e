//! INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT: change the number that a string spells.
//!
//! Sources: <https://redis.io/docs/latest/commands/incr/>,
//! <https://redis.io/docs/latest/commands/incrbyfloat/>. A missing key counts as 0; the expiry stays.

use crate::keyspace::{Text, Value};
use crate::long_double::LongDouble;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Run};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static INCR: Spec = spec(
    "incr",
    Arity::Exactly(2),
    Docs::new("Increment the integer value of a key by one", "1.0.0", "O(1)")
        .args(&[Arg::key("key")]),
    |ctx, request| add(ctx, request, 1),
);

pub(crate) static DECR: Spec = spec(
    "decr",
    Arity::Exactly(2),
    Docs::new("Decrement the integer value of a key by one", "1.0.0", "O(1)")
        .args(&[Arg::key("key")]),
    |ctx, request| add(ctx, request, -1),
);

pub(crate) static INCRBY: Spec = spec(
    "incrby",
    Arity::Exactly(3),
    Docs::new("Increment the integer value of a key by the given amount", "1.0.0", "O(1)")
        .args(&[Arg::key("key"), Arg::new("increment", "integer")]),
    incrby,
);

pub(crate) static DECRBY: Spec = spec(
    "decrby",
    Arity::Exactly(3),
    Docs::new("Decrement the integer value of a key by the given number", "1.0.0", "O(1)")
        .args(&[Arg::key("key"), Arg::new("decrement", "integer")]),
    decrby,
);

pub(crate) static INCRBYFLOAT: Spec = spec(
    "incrbyfloat",
    Arity::Exactly(3),
    Docs::new("Increment the float value of a key by the given amount", "2.6.0", "O(1)")
        .args(&[Arg::key("key"), Arg::new("increment", "double")]),
    incrbyfloat,
);

/// What the family shares.
const fn spec(name: &'static str, arity: Arity, docs: Docs, run: Run) -> Spec {
    Spec {
        name,
        arity,
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "access", "update"] },
        group: Group::String,
        categories: &[],
        tips: &[],
        docs,
        subcommands: &[],
        run,
    }
}

fn incrby(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let increment = amount(request)?;
    add(ctx, request, increment)
}

fn decrby(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let increment = amount(request)?.checked_neg().ok_or(wire_error::DECREMENT_OVERFLOW)?;
    add(ctx, request, increment)
}

fn amount(request: Request<'_>) -> Result<i64, WireError> {
    request.get(2).and_then(number::parse_int).ok_or(wire_error::NOT_AN_INTEGER)
}

fn add(ctx: &mut Ctx<'_>, request: Request<'_>, increment: i64) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let Some(entry) = ctx.entry(key) else {
        ctx.put(key, Value::Text(Text::Int(increment)), None);
        return Ok(Reply::Int(increment));
    };
    let Value::Text(text) = &entry.value;
    let before = match text {
        Text::Int(number) => *number,
        Text::Raw(_) => return Err(wire_error::NOT_AN_INTEGER),
    };
    let after = before.checked_add(increment).ok_or(wire_error::OVERFLOW)?;
    entry.value = Value::Text(Text::Int(after));
    ctx.touch(key);
    Ok(Reply::Int(after))
}

fn incrbyfloat(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key), Some(raw)) = (request.get(1), request.get(2)) else {
        return Err(WireError::wrong_arity(ctx.spec.name));
    };
    let entry = ctx.entry(key);
    let before = match entry.as_ref().map(|it| &it.value) {
        None => Some(LongDouble::ZERO),
        Some(Value::Text(text)) => LongDouble::parse(&text.to_blob()),
    };
    let (Some(before), Some(increment)) = (before, LongDouble::parse(raw)) else {
        return Err(wire_error::NOT_A_FLOAT);
    };
    let after = before.plus(increment).ok_or(wire_error::NAN_OR_INFINITY)?.to_text();
    let value = Value::Text(Text::new(after.as_bytes()));
    match entry {
        Some(entry) => {
            entry.value = value;
            ctx.touch(key);
        }
        None => {
            ctx.put(key, value, None);
        }
    }
    Ok(Reply::bulk(after))
}
