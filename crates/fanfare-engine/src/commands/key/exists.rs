//! EXISTS key [key ...]: how many of the keys are there; a key that is named twice counts twice.
//!
//! Source: <https://redis.io/docs/latest/commands/exists/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static EXISTS: Spec = Spec {
    name: "exists",
    arity: Arity::AtLeast(2),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: -1, step: 1, flags: &["RO"] },
    group: Group::Generic,
    categories: &[],
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    docs: Docs::new(
        "Determine if a key exists",
        "1.0.0",
        "O(N) where N is the number of keys to check.",
    )
    .history(&[("3.0.3", "Accepts multiple `key` arguments.")])
    .args(&[Arg::key("key").flags(&["multiple"])]),
    subcommands: &[],
    run: exists,
};

fn exists(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let n_found = request.iter().skip(1).filter(|key| ctx.lookup_untouched(key).is_some()).count();
    Ok(Reply::count(n_found))
}
