//! MGET key [key ...]: the strings at several keys; null for a key that holds something else.
//!
//! Source: <https://redis.io/docs/latest/commands/mget/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::{Text, Typed};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static MGET: Spec = Spec {
    name: "mget",
    arity: Arity::AtLeast(2),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Range { first: 1, last: -1, step: 1, flags: &["RO", "access"] },
    group: Group::String,
    categories: &[],
    tips: &["request_policy:multi_shard"],
    docs: Docs::new(
        "Get the values of all the given keys",
        "1.0.0",
        "O(N) where N is the number of keys to retrieve.",
    )
    .args(&[Arg::key("key").flags(&["multiple"])]),
    subcommands: &[],
    run: mget,
};

fn mget(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let values = request.iter().skip(1).map(|key| {
        let text = ctx.lookup(key).and_then(|it| Text::of(it.value()));
        text.map_or(Reply::Null, |it| Reply::Bulk(it.to_blob()))
    });
    Ok(Reply::Array(values.collect()))
}
