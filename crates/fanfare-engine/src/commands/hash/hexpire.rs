//! HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT key time [NX | XX | GT | LT] FIELDS n field [field …]: set when fields of a
//! hash go away.
//!
//! Sources: <https://redis.io/docs/latest/commands/hexpire/>, <https://redis.io/docs/latest/commands/hpexpireat/>. A time that
//! has passed removes the field at once.

use super::fields;
use crate::commands::unit::Unit;
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Run};
use crate::value::Hash;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static HEXPIRE: Spec = spec(
    "hexpire",
    Docs::new(
        "Set expiry for hash field using relative time to expire (seconds)",
        "7.4.0",
        "O(N) where N is the number of specified fields",
    )
    .args(&[Arg::key("key"), Arg::new("seconds", "integer"), CONDITION, FIELDS]),
    |ctx, request| hexpire(ctx, request, Unit::Seconds),
);

pub(crate) static HPEXPIRE: Spec = spec(
    "hpexpire",
    Docs::new(
        "Set expiry for hash field using relative time to expire (milliseconds)",
        "7.4.0",
        "O(N) where N is the number of specified fields",
    )
    .args(&[Arg::key("key"), Arg::new("milliseconds", "integer"), CONDITION, FIELDS]),
    |ctx, request| hexpire(ctx, request, Unit::Milliseconds),
);

pub(crate) static HEXPIREAT: Spec = spec(
    "hexpireat",
    Docs::new(
        "Set expiry for hash field using an absolute Unix timestamp (seconds)",
        "7.4.0",
        "O(N) where N is the number of specified fields",
    )
    .args(&[Arg::key("key"), Arg::new("unix-time-seconds", "unix-time"), CONDITION, FIELDS]),
    |ctx, request| hexpire(ctx, request, Unit::UnixSeconds),
);

pub(crate) static HPEXPIREAT: Spec = spec(
    "hpexpireat",
    Docs::new(
        "Set expiry for hash field using an absolute Unix timestamp (milliseconds)",
        "7.4.0",
        "O(N) where N is the number of specified fields",
    )
    .args(&[
        Arg::key("key"),
        Arg::new("unix-time-milliseconds", "unix-time"),
        CONDITION,
        FIELDS,
    ]),
    |ctx, request| hexpire(ctx, request, Unit::UnixMilliseconds),
);

/// What the family shares.
const fn spec(name: &'static str, docs: Docs, run: Run) -> Spec {
    Spec {
        name,
        arity: Arity::AtLeast(6),
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "update"] },
        group: Group::Hash,
        categories: &[],
        tips: &[],
        docs,
        subcommands: &[],
        run,
    }
}

const CONDITION: Arg = Arg::new("condition", "oneof").flags(&["optional"]).args(&[
    Arg::word("nx", "NX"),
    Arg::word("xx", "XX"),
    Arg::word("gt", "GT"),
    Arg::word("lt", "LT"),
]);

const FIELDS: Arg = Arg::new("fields", "block")
    .token("FIELDS")
    .args(&[Arg::new("numfields", "integer"), Arg::new("field", "string").flags(&["multiple"])]);

/// When a field's time is changed.
#[derive(Clone, Copy)]
enum Condition {
    Always,
    /// It has none.
    Absent,
    /// It has one.
    Present,
    /// The new one is later.
    Later,
    /// The new one is sooner.
    Sooner,
}

/// What became of a field.
const NO_SUCH_FIELD: i64 = -2;
const NOT_CHANGED: i64 = 0;
const CHANGED: i64 = 1;
const REMOVED: i64 = 2;

fn hexpire(ctx: &mut Ctx<'_>, request: Request<'_>, unit: Unit) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    fields::check_type(ctx, key)?;
    let at_ms = fields::expiry(ctx, unit, request.get(2).unwrap_or_default())?;
    let condition = request.get(3).and_then(Condition::named);
    let fields_at = if condition.is_some() { 4 } else { 3 };
    let first = fields::parse(request, fields_at, wire_error::N_FIELDS_NOT_ABOVE_0)?;
    let condition = condition.unwrap_or(Condition::Always);
    let names = || request.iter().skip(first);
    let is_past = at_ms <= ctx.now.unix_ms();
    let change = |hash: &mut Hash| -> Vec<i64> {
        names().map(|name| put_time(hash, name, (at_ms, is_past), condition)).collect()
    };
    let results = match ctx.edit::<Hash, _>(key, change)? {
        Some(results) => results,
        None => vec![NO_SUCH_FIELD; names().len()],
    };
    let with = |result: i64| -> Vec<&[u8]> {
        names().zip(&results).filter(|(_, it)| **it == result).map(|(name, _)| name).collect()
    };
    if results.contains(&REMOVED) {
        ctx.changed(Classes::HASH, "hdel", key);
        fields::record_removed(ctx, key, &with(REMOVED));
        ctx.delete_if_empty::<Hash>(key);
    } else if results.contains(&CHANGED) {
        ctx.changed(Classes::HASH, "hexpire", key);
        let at_ms = at_ms.to_string();
        fields::record(ctx, &[b"HPEXPIREAT", key, at_ms.as_bytes()], &with(CHANGED));
    }
    Ok(Reply::Array(results.into_iter().map(Reply::Int).collect()))
}

fn put_time(
    hash: &mut Hash,
    name: &[u8],
    (at_ms, is_past): (u64, bool),
    condition: Condition,
) -> i64 {
    let Some(field) = hash.get(name) else { return NO_SUCH_FIELD };
    if !condition.holds(field.expires_at_ms, at_ms) {
        return NOT_CHANGED;
    }
    if is_past {
        hash.remove(name);
        return REMOVED;
    }
    hash.put_time(name, Some(at_ms));
    CHANGED
}

impl Condition {
    fn named(word: &[u8]) -> Option<Self> {
        match &*word.to_ascii_lowercase() {
            b"nx" => Some(Self::Absent),
            b"xx" => Some(Self::Present),
            b"gt" => Some(Self::Later),
            b"lt" => Some(Self::Sooner),
            _ => None,
        }
    }

    /// A field that never expires counts as one that expires at the end of time.
    fn holds(self, before_ms: Option<u64>, after_ms: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => before_ms.is_none(),
            Self::Present => before_ms.is_some(),
            Self::Later => before_ms.is_some_and(|it| it < after_ms),
            Self::Sooner => before_ms.is_none_or(|it| after_ms < it),
        }
    }
}
