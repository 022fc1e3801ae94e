//! TOUCH key [key ...]: counts as a use of each; answers how many are there.
//!
//! Source: <https://redis.io/docs/latest/commands/touch/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static TOUCH: Spec = Spec {
    name: "touch",
    arity: Arity::AtLeast(2),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: -1, step: 1, flags: &["RO"] },
    group: Group::Generic,
    categories: &[],
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    docs: Docs::new(
        "Alters the last access time of a key(s). Returns the number of existing keys specified.",
        "3.2.1",
        "O(N) where N is the number of keys that will be touched.",
    )
    .args(&[Arg::key("key").flags(&["multiple"])]),
    subcommands: &[],
    run: touch,
};

fn touch(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    // A client that wants its uses not to be noted asks for it here.
    let no_touch = std::mem::take(&mut ctx.client.no_touch);
    let n_found = request.iter().skip(1).filter(|key| ctx.lookup(key).is_some()).count();
    ctx.client.no_touch = no_touch;
    Ok(Reply::count(n_found))
}
