//! DEL key [key ...], UNLINK key [key ...]: remove keys.
//!
//! Sources: <https://redis.io/docs/latest/commands/del/>, <https://redis.io/docs/latest/commands/unlink/>. A value is
//! a string, which is freed in no time, so both do the same.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static DEL: Spec = Spec {
    name: "del",
    arity: Arity::AtLeast(2),
    flags: &[Flag::Write],
    keys: Keys::Range { first: 1, last: -1, step: 1, flags: &["RM", "delete"] },
    group: Group::Generic,
    categories: &[],
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    docs: Docs::new(
        "Delete a key",
        "1.0.0",
        "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other than a string, the individual complexity for this key is O(M) where M is the number of elements in the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).",
    )
    .args(&[
        Arg::key("key").flags(&["multiple"]),
    ]),
    subcommands: &[],
    run: del,
};

pub(crate) static UNLINK: Spec = Spec {
    name: "unlink",
    arity: Arity::AtLeast(2),
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::Range { first: 1, last: -1, step: 1, flags: &["RM", "delete"] },
    group: Group::Generic,
    categories: &[],
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    docs: Docs::new(
        "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking.",
        "4.0.0",
        "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.",
    )
    .args(&[
        Arg::key("key").flags(&["multiple"]),
    ]),
    subcommands: &[],
    run: del,
};

fn del(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let n_removed = request.iter().skip(1).filter(|key| ctx.remove(key).is_some()).count();
    Ok(Reply::count(n_removed))
}
