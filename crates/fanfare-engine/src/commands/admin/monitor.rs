//! MONITOR: from now on the connection is told every command that any client runs.
//!
//! Source: <https://redis.io/docs/latest/commands/monitor/>.

use crate::spec::{Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static MONITOR: Spec = Spec {
    name: "monitor",
    arity: Arity::Exactly(1),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &[],
    docs: Docs::new("Listen for all requests received by the server in real time", "1.0.0", ""),
    subcommands: &[],
    run: monitor,
};

fn monitor(ctx: &mut Ctx<'_>, _: Request<'_>) -> Result<Reply, WireError> {
    if ctx.client.in_exec {
        return Err(wire_error::MONITOR_IN_EXEC);
    }
    // Redis answers a second MONITOR with nothing at all.
    if ctx.client.monitoring {
        return Ok(Reply::None);
    }
    ctx.client.monitoring = true;
    ctx.host.monitor(true);
    Ok(Reply::Ok)
}
