//! SELECT index: moves the connection to another database.
//!
//! Source: <https://redis.io/docs/latest/commands/select/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, exec, number, wire_error};

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
    let Some(index) = number::parse_int(request.get(1).unwrap_or_default()) else {
        return Err(wire_error::NOT_AN_INTEGER);
    };
    if i32::try_from(index).is_err() {
        return Err(wire_error::NOT_A_32_BIT_INTEGER);
    }
    ctx.client.db = exec::selected(request, ctx.keyspace).ok_or(wire_error::DB_OUT_OF_RANGE)?;
    Ok(Reply::Ok)
}
