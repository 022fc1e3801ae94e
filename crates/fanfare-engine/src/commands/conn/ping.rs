//! PING [message]: answers, so that a client knows the server is there.
//!
//! Source: <https://redis.io/docs/latest/commands/ping/>. A subscribed RESP2 client gets an array, since it can not
//! tell a status line from a message.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static PING: Spec = Spec {
    name: "ping",
    arity: Arity::AtLeast(1),
    flags: &[Flag::Fast],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    docs: Docs::new("Ping the server", "1.0.0", "O(1)")
        .args(&[Arg::new("message", "string").flags(&["optional"])]),
    subcommands: &[],
    run: ping,
};

fn ping(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    if 2 < request.len() {
        return Err(WireError::wrong_arity("ping"));
    }
    let message = request.get(1);
    if ctx.client.is_subscribed_resp2() {
        let message = message.unwrap_or_default();
        return Ok(Reply::Array(vec![Reply::bulk("pong"), Reply::bulk(message)]));
    }
    Ok(message.map_or(Reply::Simple("PONG".into()), Reply::bulk))
}
