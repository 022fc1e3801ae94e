//! ECHO message: gives it back.
//!
//! Source: <https://redis.io/docs/latest/commands/echo/>.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static ECHO: Spec = Spec {
    name: "echo",
    arity: Arity::Exactly(2),
    flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new("Echo the given string", "1.0.0", "O(1)")
        .args(&[Arg::new("message", "string")]),
    subcommands: &[],
    run: echo,
};

fn echo(_: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    Ok(Reply::bulk(request.get(1).unwrap_or_default()))
}
