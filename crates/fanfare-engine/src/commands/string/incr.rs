//! INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT: change the number that a string spells.
//!
//! Sources: <https://redis.io/docs/latest/commands/incr/>,
//! <https://redis.io/docs/latest/commands/incrbyfloat/>. A missing key counts as 0; the expiry stays.

use crate::long_double::LongDouble;
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Run};
use crate::value::{Text, Value};
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
    let after = ctx.edit::<Text, _>(key, |text| {
        let before = text.to_int().ok_or(wire_error::NOT_AN_INTEGER)?;
        let after = before.checked_add(increment).ok_or(wire_error::OVERFLOW)?;
        *text = Text::Int(after);
        Ok(after)
    });
    let after = match after? {
        Some(after) => after?,
        None => {
            ctx.put(key, Value::Text(Text::Int(increment)), None);
            increment
        }
    };
    ctx.changed(Classes::STRING, "incrby", key);
    Ok(Reply::Int(after))
}

fn incrbyfloat(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(key), Some(raw)) = (request.get(1), request.get(2)) else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    let before = match ctx.peek::<Text>(key)? {
        None => Some(LongDouble::ZERO),
        Some(text) => LongDouble::parse(text.bytes(&mut itoa::Buffer::new())),
    };
    let (Some(before), Some(increment)) = (before, LongDouble::parse(raw)) else {
        return Err(wire_error::NOT_A_FLOAT);
    };
    let after = before.plus(increment).ok_or(wire_error::NAN_OR_INFINITY)?.to_text();
    // Redis does not see an integer in the sum either: `OBJECT ENCODING` tells.
    ctx.edit_or_new::<Text, _>(key, |text| *text = Text::fixed(after.as_bytes()))?;
    ctx.changed(Classes::STRING, "incrbyfloat", key);
    // Another machine might round otherwise.
    ctx.record([&b"SET"[..], key, after.as_bytes(), b"KEEPTTL"]);
    Ok(Reply::bulk(after))
}
