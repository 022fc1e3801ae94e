//! WATCH key [key ...]: EXEC does nothing if one of the keys changes before. UNWATCH forgets them.
//!
//! Sources: <https://redis.io/docs/latest/commands/watch/>, <https://redis.io/docs/latest/commands/unwatch/>.

use crate::client::{Mode, WatchedKey};
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static WATCH: Spec = Spec {
    name: "watch",
    arity: Arity::AtLeast(2),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::AllowBusy],
    keys: Keys::Range { first: 1, last: -1, step: 1, flags: &["RO"] },
    group: Group::Transactions,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Watch the given keys to determine execution of the MULTI/EXEC block",
        "2.2.0",
        "O(1) for every key.",
    )
    .args(&[Arg::key("key").flags(&["multiple"])]),
    subcommands: &[],
    run: watch,
};

pub(crate) static UNWATCH: Spec = Spec {
    name: "unwatch",
    arity: Arity::Exactly(1),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::AllowBusy],
    keys: Keys::None,
    group: Group::Transactions,
    categories: &[],
    tips: &[],
    docs: Docs::new("Forget about all watched keys", "2.2.0", "O(1)"),
    subcommands: &[],
    run: unwatch,
};

fn watch(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    if matches!(ctx.client.mode, Mode::Multi { .. }) {
        return Err(wire_error::WATCH_IN_MULTI);
    }
    for key in request.iter().skip(1) {
        watch_one(ctx, key);
    }
    Ok(Reply::Ok)
}

fn watch_one(ctx: &mut Ctx<'_>, key: &[u8]) {
    let db = ctx.client.db;
    if ctx.client.watch.keys.iter().any(|it| it.db == db && *it.key == *key) {
        return;
    }
    // A key whose time has come is gone before the watch begins: its removal later is no change.
    ctx.entry(key);
    let mark = ctx.client.watch.mark_or_new();
    let watched = ctx.keys.key(key);
    ctx.keys.watch(db, watched, &mark);
    ctx.client.watch.keys.push(WatchedKey { db, key: key.into() });
}

fn unwatch(ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    // Inside EXEC there is nothing left to forget, so no lock is taken there.
    ctx.client.unwatch(ctx.keyspace);
    Ok(Reply::Ok)
}
