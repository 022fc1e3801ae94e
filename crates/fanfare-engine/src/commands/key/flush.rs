//! FLUSHDB [ASYNC | SYNC], FLUSHALL [ASYNC | SYNC]: remove every key of the selected database, or of all.
//!
//! Sources: <https://redis.io/docs/latest/commands/flushdb/>, <https://redis.io/docs/latest/commands/flushall/>.
//! No client waits for memory to be given back, so both modes do the same: after the locks are gone it is freed at once
//! if that is quick, and in the background otherwise.

use crate::spec::{Arg, Arity, Category, Docs, Flag, Group, Keys, Run};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static FLUSHDB: Spec = spec(
    "flushdb",
    Keys::Database,
    Docs::new(
        "Remove all keys from the current database",
        "1.0.0",
        "O(N) where N is the number of keys in the selected database",
    ),
    flushdb,
);

pub(crate) static FLUSHALL: Spec = spec(
    "flushall",
    Keys::Everything,
    Docs::new(
        "Remove all keys from all databases",
        "1.0.0",
        "O(N) where N is the total number of keys in all databases",
    ),
    flushall,
);

/// What both share.
const fn spec(name: &'static str, keys: Keys, docs: Docs, run: Run) -> Spec {
    Spec {
        name,
        arity: Arity::AtLeast(1),
        flags: &[Flag::Write],
        keys,
        group: Group::Server,
        categories: &[Category::Keyspace, Category::Dangerous],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        docs: docs.history(HISTORY).args(MODE),
        subcommands: &[],
        run,
    }
}

const HISTORY: &[(&str, &str)] = &[
    ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
    ("6.2.0", "Added the `SYNC` flushing mode modifier."),
];

const MODE: &[Arg] = &[Arg::new("async", "oneof")
    .flags(&["optional"])
    .args(&[Arg::word("async", "ASYNC").since("4.0.0"), Arg::word("sync", "SYNC").since("6.2.0")])];

fn flushdb(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    check_mode(request)?;
    let db = ctx.client.db;
    ctx.restart_streams(|it| it == db);
    ctx.keys.flush(Some(db));
    Ok(Reply::Ok)
}

fn flushall(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    check_mode(request)?;
    ctx.restart_streams(|_| true);
    ctx.keys.flush(None);
    Ok(Reply::Ok)
}

fn check_mode(request: Request<'_>) -> Result<(), WireError> {
    let known = request
        .get(1)
        .is_none_or(|it| it.eq_ignore_ascii_case(b"async") || it.eq_ignore_ascii_case(b"sync"));
    if known && request.len() <= 2 { Ok(()) } else { Err(wire_error::SYNTAX) }
}
