//! MOVE key db: takes a key to another database, if that has no such key.
//!
//! Source: <https://redis.io/docs/latest/commands/move/>.

use crate::commands::database;
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Begin, Docs, Find, Flag, Group, KeyArg, KeySpec, Keys, Lock, Place};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static MOVE: Spec = Spec {
    name: "move",
    arity: Arity::Exactly(3),
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::Planned {
        specs: &[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update"],
            notes: None,
        }],
        lock: Lock::Custom(places),
    },
    group: Group::Generic,
    categories: &[],
    tips: &[],
    docs: Docs::new("Move a key to another database", "1.0.0", "O(1)")
        .args(&[Arg::key("key"), Arg::new("db", "integer")]),
    subcommands: &[],
    run: move_key,
};

fn places<'a>(request: Request<'a>, touch: &mut dyn FnMut(Place<'a>)) {
    let name = request.get(1).unwrap_or_default();
    touch(Place::Key(KeyArg { name, flags: &["RW", "access", "update"] }));
    let db = request.get(2).and_then(number::parse_int).and_then(|it| u16::try_from(it).ok());
    if let Some(db) = db {
        touch(Place::Elsewhere { db, name });
    }
}

fn move_key(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let key = request.get(1).unwrap_or_default();
    let from = ctx.client.db;
    let to = database::parse(request.get(2).unwrap_or_default(), ctx.keyspace)?;
    if from == to {
        return Err(wire_error::SAME_OBJECT);
    }
    let Some(belongings) = ctx.belongings(key) else { return Ok(Reply::Int(0)) };
    if ctx.entry_in(to, key).is_some() {
        return Ok(Reply::Int(0));
    }
    ctx.hand_over(key, (to, key), belongings);
    ctx.touch(from, key);
    ctx.touch(to, key);
    ctx.notify_in(from, (Classes::GENERIC, "move_from"), key);
    ctx.notify_in(to, (Classes::GENERIC, "move_to"), key);
    Ok(Reply::Int(1))
}
