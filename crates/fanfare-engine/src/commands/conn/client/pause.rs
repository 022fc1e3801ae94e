//! CLIENT PAUSE timeout [WRITE | ALL] and CLIENT UNPAUSE: lets commands of all clients wait.
//!
//! Sources: <https://redis.io/docs/latest/commands/client-pause/>,
//! <https://redis.io/docs/latest/commands/client-unpause/>.

use crate::number;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(super) static PAUSE: Spec = Spec {
    name: "client|pause",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new("Stop processing commands from clients for some time", "2.9.50", "O(1)")
        .history(&[("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option.")])
        .args(&[
            Arg::new("timeout", "integer"),
            Arg::new("mode", "oneof")
                .since("6.2.0")
                .flags(&["optional"])
                .args(&[Arg::word("write", "WRITE"), Arg::word("all", "ALL")]),
        ]),
    subcommands: &[],
    run: pause,
};

pub(super) static UNPAUSE: Spec = Spec {
    name: "client|unpause",
    arity: Arity::Exactly(2),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Resume processing of clients that were paused",
        "6.2.0",
        "O(N) Where N is the number of paused clients",
    ),
    subcommands: &[],
    run: unpause,
};

fn pause(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    if 4 < request.len() {
        return Err(WireError::wrong_subcommand_arity(
            "client",
            request.get(1).unwrap_or_default(),
        ));
    }
    let writes_only = request.get(3).map_or(Ok(false), parse_mode)?;
    let timeout_ms = parse_timeout(request.get(2).unwrap_or_default())?;
    ctx.host.pause(ctx.now.unix_ms().saturating_add(timeout_ms), writes_only);
    Ok(Reply::Ok)
}

fn unpause(ctx: &mut Ctx<'_>, _: Request<'_>) -> Result<Reply, WireError> {
    ctx.host.unpause();
    Ok(Reply::Ok)
}

fn parse_mode(raw: &[u8]) -> Result<bool, WireError> {
    match raw.to_ascii_lowercase().as_slice() {
        b"write" => Ok(true),
        b"all" => Ok(false),
        _ => Err(wire_error::BAD_PAUSE_MODE),
    }
}

fn parse_timeout(raw: &[u8]) -> Result<u64, WireError> {
    let timeout_ms = number::parse_int(raw).ok_or(wire_error::TIMEOUT_NOT_AN_INTEGER)?;
    u64::try_from(timeout_ms).map_err(|_| wire_error::TIMEOUT_NEGATIVE)
}
