//! WAIT numreplicas timeout: waits until replicas have what this client wrote.
//!
//! Source: <https://redis.io/docs/latest/commands/wait/>. There are no replicas, so none has it at the end.

use crate::block::Wait;
use crate::spec::{Arg, Arity, Category, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static WAIT: Spec = Spec {
    name: "wait",
    arity: Arity::Exactly(3),
    flags: &[Flag::NoScript],
    keys: Keys::None,
    group: Group::Generic,
    categories: &[Category::Connection],
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    docs: Docs::new(
        "Wait for the synchronous replication of all the write commands sent in the context of the current connection",
        "3.0.0",
        "O(1)",
    )
    .args(&[Arg::new("numreplicas", "integer"), Arg::new("timeout", "integer")]),
    subcommands: &[],
    run: wait,
};

fn wait(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let number = |at| request.get(at).and_then(number::parse_int);
    let n_replicas = number(1).ok_or(wire_error::NOT_AN_INTEGER)?;
    let timeout_ms = number(2).ok_or(wire_error::TIMEOUT_NOT_AN_INTEGER)?;
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| wire_error::TIMEOUT_NEGATIVE)?;
    let deadline_unix_ms = ctx.now.unix_ms().saturating_add(timeout_ms);
    if n_replicas <= 0 {
        return Ok(Reply::Int(0));
    }
    let deadline_unix_ms = (timeout_ms != 0).then_some(deadline_unix_ms);
    let wait = Wait::new(None, [], deadline_unix_ms, Reply::Int(0));
    Ok(ctx.block(request, wait))
}
