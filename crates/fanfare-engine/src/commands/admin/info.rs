//! INFO [section ...]: facts and figures of the server.
//!
//! Source: <https://redis.io/docs/latest/commands/info/>. The text is the host's.

use crate::spec::{Arg, Arity, Category, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static INFO: Spec = Spec {
    name: "info",
    arity: Arity::AtLeast(1),
    flags: &[Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[Category::Dangerous],
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    docs: Docs::new("Get information and statistics about the server", "1.0.0", "O(1)")
        .history(&[("7.0.0", "Added support for taking multiple section arguments.")])
        .args(&[Arg::new("section", "string").flags(&["optional", "multiple"])]),
    subcommands: &[],
    run: info,
};

fn info(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let sections: Vec<_> = request.iter().skip(1).map(<[u8]>::to_ascii_lowercase).collect();
    Ok(Reply::text(ctx.host.info(&sections)))
}
