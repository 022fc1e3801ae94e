//! DBSIZE: number of keys in the selected database.
//!
//! Source: <https://redis.io/docs/latest/commands/dbsize/>. Keys whose time has come count until they are looked at
//! or swept.

use crate::spec::{Arity, Category, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static DBSIZE: Spec = Spec {
    name: "dbsize",
    arity: Arity::Exactly(1),
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::Database,
    group: Group::Server,
    categories: &[Category::Keyspace],
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    docs: Docs::new("Return the number of keys in the selected database", "1.0.0", "O(1)"),
    subcommands: &[],
    run: dbsize,
};

fn dbsize(ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    Ok(Reply::count(ctx.keys.n_keys(ctx.client.db)))
}
