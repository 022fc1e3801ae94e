//! HGETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST] FIELDS n field [field …]: the values of fields, and when these
//! go away.
//!
//! Source: <https://redis.io/docs/latest/commands/hgetex/>. A time that has passed removes the fields at once.

use super::fields;
use super::hget::value_of;
use crate::commands::unit::Unit;
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Hash;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static HGETEX: Spec = Spec {
    name: "hgetex",
    arity: Arity::AtLeast(5),
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "access", "update"] },
    group: Group::Hash,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Get the value of one or more fields of a given hash key, and optionally set their expiration.",
        "8.0.0",
        "O(N) where N is the number of specified fields",
    )
    .key_notes("RW and UPDATE because it changes the TTL")
    .args(&[
        Arg::key("key"),
        Arg::new("expiration", "oneof").flags(&["optional"]).args(&[
            Arg::new("seconds", "integer").token("EX"),
            Arg::new("milliseconds", "integer").token("PX"),
            Arg::new("unix-time-seconds", "unix-time").token("EXAT"),
            Arg::new("unix-time-milliseconds", "unix-time").token("PXAT"),
            Arg::word("persist", "PERSIST"),
        ]),
        Arg::new("fields", "block").token("FIELDS").args(&[
            Arg::new("numfields", "integer"),
            Arg::new("field", "string").flags(&["multiple"]),
        ]),
    ]),
    subcommands: &[],
    run: hgetex,
};

/// What is done to the fields.
#[derive(Clone, Copy)]
enum Change {
    None,
    Persist,
    Expire(u64),
    Remove,
}

fn hgetex(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    fields::check_type(ctx, key)?;
    let (change, fields_at) = Change::parse(ctx, request)?;
    let first = fields::parse(request, fields_at, wire_error::N_FIELDS_NOT_POSITIVE)?;
    let names = || request.iter().skip(first);
    if let Change::None = change {
        let hash = ctx.read::<Hash>(key)?;
        return Ok(Reply::Array(names().map(|it| value_of(hash, it)).collect()));
    }
    let mut changed = Vec::new();
    let replies = ctx.edit::<Hash, _>(key, |hash| -> Vec<Reply> {
        let get = |name| {
            let value = value_of(Some(hash), name);
            if change.apply(hash, name) {
                changed.push(name);
            }
            value
        };
        names().map(get).collect()
    })?;
    if !changed.is_empty() {
        change.tell(ctx, key, &changed);
    }
    Ok(Reply::Array(replies.unwrap_or_else(|| vec![Reply::Null; names().len()])))
}

impl Change {
    /// Also returns where `FIELDS` must be.
    fn parse(ctx: &Ctx<'_>, request: Request<'_>) -> Result<(Self, usize), WireError> {
        let word = request.get(2).unwrap_or_default();
        if word.eq_ignore_ascii_case(b"persist") {
            return Ok((Self::Persist, 3));
        }
        let Some(unit) = Unit::named(word) else { return Ok((Self::None, 2)) };
        let at_ms = fields::expiry(ctx, unit, request.get(3).unwrap_or_default())?;
        let is_past = at_ms <= ctx.now.unix_ms();
        Ok((if is_past { Self::Remove } else { Self::Expire(at_ms) }, 4))
    }

    /// Returns whether something was changed.
    fn apply(self, hash: &mut Hash, name: &[u8]) -> bool {
        let Some(field) = hash.get(name) else { return false };
        match self {
            Self::None => return false,
            Self::Persist if field.expires_at_ms.is_none() => return false,
            Self::Persist => hash.put_time(name, None),
            Self::Expire(at_ms) => hash.put_time(name, Some(at_ms)),
            Self::Remove => {
                hash.remove(name);
            }
        }
        true
    }

    fn tell(self, ctx: &mut Ctx<'_>, key: &[u8], names: &[&[u8]]) {
        match self {
            Self::None => {}
            Self::Persist => {
                ctx.changed(Classes::HASH, "hpersist", key);
                fields::record(ctx, &[b"HPERSIST", key], names);
            }
            Self::Expire(at_ms) => {
                ctx.changed(Classes::HASH, "hexpire", key);
                let at_ms = at_ms.to_string();
                let start = [&b"HPEXPIREAT"[..], key, at_ms.as_bytes()];
                fields::record(ctx, &start, names);
            }
            Self::Remove => {
                ctx.changed(Classes::HASH, "hdel", key);
                fields::record_removed(ctx, key, names);
                ctx.delete_if_empty::<Hash>(key);
            }
        }
    }
}
