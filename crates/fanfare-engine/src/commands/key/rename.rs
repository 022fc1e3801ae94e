//! RENAME key newkey, RENAMENX key newkey: gives a key another name; RENAMENX only if nobody has it.
//!
//! Sources: <https://redis.io/docs/latest/commands/rename/>, <https://redis.io/docs/latest/commands/renamenx/>.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Begin, Docs, Find, Flag, Group, KeySpec, Keys, Run};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static RENAME: Spec = spec(
    "rename",
    &[Flag::Write],
    Keys::Specs(&[OLD, new(&["OW", "update"])]),
    Docs::new("Rename a key", "1.0.0", "O(1)"),
    |ctx, request| Ok(if rename(ctx, request, false)? { Reply::Ok } else { Reply::Int(0) }),
);

pub(crate) static RENAMENX: Spec = spec(
    "renamenx",
    &[Flag::Write, Flag::Fast],
    Keys::Specs(&[OLD, new(&["OW", "insert"])]),
    Docs::new("Rename a key, only if the new key does not exist", "1.0.0", "O(1)").history(&[(
        "3.2.0",
        "The command no longer returns an error when source and destination names are the same.",
    )]),
    |ctx, request| Ok(Reply::Int(rename(ctx, request, true)?.into())),
);

const OLD: KeySpec = KeySpec {
    begin: Begin::Index(1),
    find: Find::Range { last: 0, step: 1, limit: 0 },
    flags: &["RW", "access", "delete"],
    notes: None,
};

const fn new(flags: &'static [&'static str]) -> KeySpec {
    KeySpec { begin: Begin::Index(2), flags, ..OLD }
}

/// What both share.
const fn spec(
    name: &'static str,
    flags: &'static [Flag],
    keys: Keys,
    docs: Docs,
    run: Run,
) -> Spec {
    Spec {
        name,
        arity: Arity::Exactly(3),
        flags,
        keys,
        group: Group::Generic,
        categories: &[],
        tips: &[],
        docs: docs.args(const { &[Arg::key("key"), Arg::key("newkey").key_spec(1)] }),
        subcommands: &[],
        run,
    }
}

/// Whether the key has the new name now, and did not have it before if that was asked for.
fn rename(ctx: &mut Ctx<'_>, request: Request<'_>, only_if_free: bool) -> Result<bool, WireError> {
    let old = request.get(1).unwrap_or_default();
    let new = request.get(2).unwrap_or_default();
    let belongings = ctx.belongings(old).ok_or(wire_error::NO_SUCH_KEY)?;
    if old == new {
        return Ok(!only_if_free);
    }
    if only_if_free && ctx.entry(new).is_some() {
        return Ok(false);
    }
    let db = ctx.client.db;
    ctx.delete(new);
    ctx.hand_over(old, (db, new), belongings);
    ctx.touch(db, old);
    ctx.touch(db, new);
    ctx.notify(Classes::GENERIC, "rename_from", old);
    ctx.notify(Classes::GENERIC, "rename_to", new);
    Ok(true)
}
