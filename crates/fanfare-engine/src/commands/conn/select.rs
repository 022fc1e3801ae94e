//! SELECT index: moves the connection to another database.
//!
//! Source: <https://redis.io/docs/latest/commands/select/>.

use crate::commands::database;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static SELECT: Spec = Spec {
    name: "select",
    arity: Arity::Exactly(2),
    flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new("Change the selected database for the current connection", "1.0.0", "O(1)")
        .args(&[Arg::new("index", "integer")]),
    subcommands: &[],
    run: select,
};

fn select(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    ctx.client.db = database::parse(request.get(1).unwrap_or_default(), ctx.keyspace)?;
    Ok(Reply::Ok)
}
