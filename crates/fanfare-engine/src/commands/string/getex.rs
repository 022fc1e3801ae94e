//! GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]: tells a string and sets when its key expires.
//!
//! Source: <https://redis.io/docs/latest/commands/getex/>. The number is read only if there is a string.

use super::expiry::Expiry;
use crate::commands::unit::Unit;
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::Text;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static GETEX: Spec = Spec {
    name: "getex",
    arity: Arity::AtLeast(2),
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RW", "access", "update"] },
    group: Group::String,
    categories: &[],
    tips: &[],
    docs: Docs::new("Get the value of a key and optionally set its expiration", "6.2.0", "O(1)")
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
        ]),
    subcommands: &[],
    run: getex,
};

/// What becomes of the expiry.
#[derive(Clone, Copy)]
enum Change<'a> {
    Set(Expiry<'a>),
    Remove,
}

fn getex(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let change = parse(request)?;
    let Some(text) = ctx.read::<Text>(key)? else { return Ok(Reply::Null) };
    let value = Reply::Bulk(text.to_blob());
    match change {
        Some(Change::Set(expiry)) => {
            let at_ms = expiry.resolve(ctx.now, ctx.spec().name)?;
            if at_ms <= ctx.now.unix_ms() {
                ctx.delete(key);
                ctx.changed(Classes::GENERIC, "del", key);
                ctx.record([&b"DEL"[..], key]);
            } else {
                ctx.set_expiry(key, Some(at_ms));
                ctx.changed(Classes::GENERIC, "expire", key);
                ctx.record([&b"PEXPIREAT"[..], key, at_ms.to_string().as_bytes()]);
            }
        }
        Some(Change::Remove) if ctx.entry(key).is_some_and(|it| it.expires_at_ms().is_some()) => {
            ctx.set_expiry(key, None);
            ctx.changed(Classes::GENERIC, "persist", key);
            ctx.record([&b"PERSIST"[..], key]);
        }
        Some(Change::Remove) | None => {}
    }
    Ok(value)
}

/// The same option may come twice; then the last one counts.
fn parse(request: Request<'_>) -> Result<Option<Change<'_>>, WireError> {
    let mut change = None;
    let mut args = request.iter().skip(2);
    while let Some(word) = args.next() {
        change = match (Unit::named(word), change) {
            (Some(unit), None) => Some(Change::Set(Expiry::read(unit, args.next())?)),
            (Some(unit), Some(Change::Set(before))) if before.unit == unit => {
                Some(Change::Set(Expiry::read(unit, args.next())?))
            }
            (None, None | Some(Change::Remove)) if word.eq_ignore_ascii_case(b"persist") => {
                Some(Change::Remove)
            }
            (Some(_) | None, _) => return Err(wire_error::SYNTAX),
        };
    }
    Ok(change)
}
