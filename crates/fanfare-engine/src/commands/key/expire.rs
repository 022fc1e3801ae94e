//! EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT key time [NX | XX | GT | LT]: set when a key goes away.
//!
//! Sources: <https://redis.io/docs/latest/commands/expire/>, <https://redis.io/docs/latest/commands/pexpireat/>. A
//! time that has passed removes the key at once.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Run};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static EXPIRE: Spec = spec(
    "expire",
    Docs::new("Set a key's time to live in seconds", "1.0.0", "O(1)").args(&[
        Arg::key("key"),
        Arg::new("seconds", "integer"),
        CONDITION,
    ]),
    |ctx, request| expire(ctx, request, Time::Seconds),
);

pub(crate) static PEXPIRE: Spec = spec(
    "pexpire",
    Docs::new("Set a key's time to live in milliseconds", "2.6.0", "O(1)").args(&[
        Arg::key("key"),
        Arg::new("milliseconds", "integer"),
        CONDITION,
    ]),
    |ctx, request| expire(ctx, request, Time::Milliseconds),
);

pub(crate) static EXPIREAT: Spec = spec(
    "expireat",
    Docs::new("Set the expiration for a key as a UNIX timestamp", "1.2.0", "O(1)").args(&[
        Arg::key("key"),
        Arg::new("unix-time-seconds", "unix-time"),
        CONDITION,
    ]),
    |ctx, request| expire(ctx, request, Time::UnixSeconds),
);

pub(crate) static PEXPIREAT: Spec = spec(
    "pexpireat",
    Docs::new(
        "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
        "2.6.0",
        "O(1)",
    )
    .args(&[Arg::key("key"), Arg::new("unix-time-milliseconds", "unix-time"), CONDITION]),
    |ctx, request| expire(ctx, request, Time::UnixMilliseconds),
);

/// What the family shares.
const fn spec(name: &'static str, docs: Docs, run: Run) -> Spec {
    Spec {
        name,
        arity: Arity::AtLeast(3),
        flags: &[Flag::Write, Flag::Fast],
        keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "update"] },
        group: Group::Generic,
        categories: &[],
        tips: &[],
        docs: docs.history(&[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")]),
        subcommands: &[],
        run,
    }
}

const CONDITION: Arg = Arg::new("condition", "oneof").since("7.0.0").flags(&["optional"]).args(&[
    Arg::word("nx", "NX"),
    Arg::word("xx", "XX"),
    Arg::word("gt", "GT"),
    Arg::word("lt", "LT"),
]);

/// How a command counts time.
#[derive(Clone, Copy)]
enum Time {
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
}

fn expire(ctx: &mut Ctx<'_>, request: Request<'_>, time: Time) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let conditions = Conditions::parse(request)?;
    let amount = request.get(2).and_then(number::parse_int).ok_or(wire_error::NOT_AN_INTEGER)?;
    let now_ms = ctx.now.unix_ms();
    let at_ms =
        time.resolve(amount, now_ms).ok_or_else(|| WireError::invalid_expire(ctx.spec().name))?;
    let Some(entry) = ctx.entry(key) else { return Ok(Reply::Int(0)) };
    if !conditions.hold(entry.expires_at_ms(), at_ms) {
        return Ok(Reply::Int(0));
    }
    match u64::try_from(at_ms) {
        Ok(at_ms) if now_ms < at_ms => {
            ctx.set_expiry(key, Some(at_ms));
            ctx.changed(Classes::GENERIC, "expire", key);
            ctx.record([&b"PEXPIREAT"[..], key, at_ms.to_string().as_bytes()]);
        }
        Ok(_) | Err(_) => {
            ctx.delete(key);
            ctx.changed(Classes::GENERIC, "del", key);
            ctx.record([&b"DEL"[..], key]);
        }
    }
    Ok(Reply::Int(1))
}

impl Time {
    /// Milliseconds since the Unix epoch; `None`: out of range.
    fn resolve(self, amount: i64, now_ms: u64) -> Option<i64> {
        let amount_ms = match self {
            Self::Seconds | Self::UnixSeconds => amount.checked_mul(1000)?,
            Self::Milliseconds | Self::UnixMilliseconds => amount,
        };
        match self {
            Self::Seconds | Self::Milliseconds => amount_ms.checked_add_unsigned(now_ms),
            Self::UnixSeconds | Self::UnixMilliseconds => Some(amount_ms),
        }
    }
}

#[derive(Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Conditions {
    fn parse(request: Request<'_>) -> Result<Self, WireError> {
        let mut conditions = Self::default();
        for word in request.iter().skip(3) {
            match &*word.to_ascii_lowercase() {
                b"nx" => conditions.nx = true,
                b"xx" => conditions.xx = true,
                b"gt" => conditions.gt = true,
                b"lt" => conditions.lt = true,
                _ => return Err(WireError::unsupported_option(word)),
            }
        }
        let Self { nx, xx, gt, lt } = conditions;
        if nx && (xx || gt || lt) {
            return Err(wire_error::EXPIRE_NX_AND_OTHERS);
        }
        if gt && lt {
            return Err(wire_error::EXPIRE_GT_AND_LT);
        }
        Ok(conditions)
    }

    /// A key that never expires counts as one that expires at the end of time.
    fn hold(&self, before_ms: Option<u64>, after_ms: i64) -> bool {
        let before_ms = before_ms.map(|it| i64::try_from(it).unwrap_or(i64::MAX));
        !(self.nx && before_ms.is_some()
            || self.xx && before_ms.is_none()
            || self.gt && before_ms.is_none_or(|it| after_ms <= it)
            || self.lt && before_ms.is_some_and(|it| it <= after_ms))
    }
}
