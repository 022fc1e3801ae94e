//! FLUSHDB [ASYNC | SYNC], FLUSHALL [ASYNC | SYNC]: remove every key of the selected database, or of all.
//!
//! Sources: <https://redis.io/docs/latest/commands/flushdb/>, <https://redis.io/docs/latest/commands/flushall/>.
//! Memory is given back after the locks are gone, so both modes do the same.

use crate::spec::{Arg, Arity, Category, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static FLUSHDB: Spec = Spec {
    name: "flushdb",
    arity: Arity::AtLeast(1),
    flags: &[Flag::Write],
    keys: Keys::Database,
    group: Group::Server,
    categories: &[Category::Keyspace, Category::Dangerous],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    docs: Docs::new(
        "Remove all keys from the current database",
        "1.0.0",
        "O(N) where N is the number of keys in the selected database",
    )
    .history(&[
        ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
        ("6.2.0", "Added the `SYNC` flushing mode modifier."),
    ])
    .args(&[Arg::new("async", "oneof").flags(&["optional"]).args(&[
        Arg::word("async", "ASYNC").since("4.0.0"),
        Arg::word("sync", "SYNC").since("6.2.0"),
    ])]),
    subcommands: &[],
    run: flushdb,
};

pub(crate) static FLUSHALL: Spec = Spec {
    name: "flushall",
    arity: Arity::AtLeast(1),
    flags: &[Flag::Write],
    keys: Keys::Everything,
    group: Group::Server,
    categories: &[Category::Keyspace, Category::Dangerous],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    docs: Docs::new(
        "Remove all keys from all databases",
        "1.0.0",
        "O(N) where N is the total number of keys in all databases",
    )
    .history(&[
        ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
        ("6.2.0", "Added the `SYNC` flushing mode modifier."),
    ])
    .args(&[Arg::new("async", "oneof").flags(&["optional"]).args(&[
        Arg::word("async", "ASYNC").since("4.0.0"),
        Arg::word("sync", "SYNC").since("6.2.0"),
    ])]),
    subcommands: &[],
    run: flushall,
};

fn flushdb(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    check_mode(request)?;
    ctx.keys.flush(Some(ctx.client.db));
    Ok(Reply::Ok)
}

fn flushall(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    check_mode(request)?;
    ctx.keys.flush(None);
    Ok(Reply::Ok)
}

fn check_mode(request: Request<'_>) -> Result<(), WireError> {
    let known = request
        .get(1)
        .is_none_or(|it| it.eq_ignore_ascii_case(b"async") || it.eq_ignore_ascii_case(b"sync"));
    if known && request.len() <= 2 { Ok(()) } else { Err(wire_error::SYNTAX) }
}
