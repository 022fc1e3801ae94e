//! CLIENT UNBLOCK client-id [TIMEOUT | ERROR]: ends the wait of a blocked client.
//!
//! Source: <https://redis.io/docs/latest/commands/client-unblock/>.

use crate::number;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(super) static UNBLOCK: Spec = Spec {
    name: "client|unblock",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Unblock a client blocked in a blocking command from a different connection",
        "5.0.0",
        "O(log N) where N is the number of client connections",
    )
    .args(&[
        Arg::new("client-id", "integer"),
        Arg::new("timeout_error", "oneof")
            .flags(&["optional"])
            .args(&[Arg::word("timeout", "TIMEOUT"), Arg::word("error", "ERROR")]),
    ]),
    subcommands: &[],
    run: unblock,
};

fn unblock(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    if 4 < request.len() {
        return Err(WireError::wrong_subcommand_arity(
            "client",
            request.get(1).unwrap_or_default(),
        ));
    }
    let with_error = match request.get(3).map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"timeout") => false,
        Some(b"error") => true,
        Some(_) => return Err(wire_error::BAD_UNBLOCK_REASON),
    };
    let id = request.get(2).and_then(number::parse_int).ok_or(wire_error::NOT_AN_INTEGER)?;
    let is_unblocked = u64::try_from(id).is_ok_and(|id| ctx.host.unblock(id, with_error));
    Ok(Reply::Int(i64::from(is_unblocked)))
}
