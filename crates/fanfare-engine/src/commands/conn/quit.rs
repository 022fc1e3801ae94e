//! QUIT: closes the connection once everything before it is answered.
//!
//! Source: <https://redis.io/docs/latest/commands/quit/>. Arguments are ignored, as Redis does.

use crate::spec::{Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static QUIT: Spec = Spec {
    name: "quit",
    arity: Arity::AtLeast(1),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::NoAuth, Flag::AllowBusy],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new("Close the connection", "1.0.0", "O(1)"),
    subcommands: &[],
    run: quit,
};

fn quit(ctx: &mut Ctx<'_>, _: Request<'_>) -> Result<Reply, WireError> {
    ctx.client.closing = true;
    Ok(Reply::Ok)
}
