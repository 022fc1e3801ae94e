//! DEL key [key ...], UNLINK key [key ...]: remove keys.
//!
//! Sources: <https://redis.io/docs/latest/commands/del/>, <https://redis.io/docs/latest/commands/unlink/>. A large
//! value is freed in the background, any other at once, so both do the same.

use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static DEL: Spec = spec(
    "del",
    &[Flag::Write],
    Docs::new(
        "Delete a key",
        "1.0.0",
        "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other than a string, the individual complexity for this key is O(M) where M is the number of elements in the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).",
    ),
);

pub(crate) static UNLINK: Spec = spec(
    "unlink",
    &[Flag::Write, Flag::Fast],
    Docs::new(
        "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking.",
        "4.0.0",
        "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.",
    ),
);

/// What both share.
const fn spec(name: &'static str, flags: &'static [Flag], docs: Docs) -> Spec {
    Spec {
        name,
        arity: Arity::AtLeast(2),
        flags,
        keys: Keys::Range { first: 1, last: -1, step: 1, flags: &["RM", "delete"] },
        group: Group::Generic,
        categories: &[],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        docs: docs.args(const { &[Arg::key("key").flags(&["multiple"])] }),
        subcommands: &[],
        run: del,
    }
}

fn del(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let mut n_removed = 0;
    for key in request.iter().skip(1) {
        if ctx.delete(key) {
            ctx.changed(Classes::GENERIC, "del", key);
            n_removed += 1;
        }
    }
    Ok(Reply::Int(n_removed))
}
