//! KEYS pattern: the names of all keys that match.
//!
//! Source: <https://redis.io/docs/latest/commands/keys/>.

use crate::commands::scan::Pattern;
use crate::spec::{Arg, Arity, Category, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static KEYS: Spec = Spec {
    name: "keys",
    arity: Arity::Exactly(2),
    flags: &[Flag::ReadOnly],
    keys: Keys::Database,
    group: Group::Generic,
    categories: &[Category::Dangerous],
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    docs: Docs::new(
        "Find all keys matching the given pattern",
        "1.0.0",
        "O(N) with N being the number of keys in the database, under the assumption that the key names in the database and the given pattern have limited length.",
    )
    .args(&[Arg::new("pattern", "pattern")]),
    subcommands: &[],
    run: keys,
};

fn keys(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let pattern = Pattern::new(request.get(1).unwrap_or_default());
    let now_ms = ctx.now.unix_ms();
    let entries = ctx.keys.stripes(ctx.client.db).flat_map(|it| it.table());
    let found = entries.filter(|it| !it.is_due(now_ms) && pattern.matches(it.key()));
    Ok(Reply::Array(found.map(|it| Reply::Bulk(it.key().to_blob())).collect()))
}
