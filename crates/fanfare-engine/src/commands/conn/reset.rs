//! RESET: makes the connection what it was when it was opened.
//!
//! Source: <https://redis.io/docs/latest/commands/reset/>. The names that a library gave itself with `CLIENT SETINFO`
//! stay: the library is still the same.

use fanfare_resp::Version;

use crate::client::Replies;
use crate::host::Kind;
use crate::spec::{Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static RESET: Spec = Spec {
    name: "reset",
    arity: Arity::Exactly(1),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::NoAuth, Flag::AllowBusy],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new("Reset the connection", "6.2.0", "O(1)"),
    subcommands: &[],
    run: reset,
};

fn reset(ctx: &mut Ctx<'_>, _: Request<'_>) -> Result<Reply, WireError> {
    if ctx.client.monitoring {
        ctx.host.monitor(false);
        ctx.client.monitoring = false;
    }
    for kind in [Kind::Channel, Kind::Shard, Kind::Pattern, Kind::Stream] {
        for name in ctx.host.subscriptions(kind) {
            ctx.host.unsubscribe(kind, &name);
        }
    }
    if let Some(tracking) = &mut ctx.client.tracking {
        tracking.stop(ctx.host);
    }
    let client = &mut *ctx.client;
    client.discard(ctx.keyspace);
    client.n_subscriptions = 0;
    client.n_shard_subscriptions = 0;
    client.n_stream_subscriptions = 0;
    client.db = 0;
    client.version = Version::Resp2;
    client.authenticated = !ctx.host.requires_auth();
    client.name.clear();
    client.no_evict = false;
    client.no_touch = false;
    // The reply that CLIENT REPLY SKIP asked to drop is this one.
    if client.replies != Replies::Skipping {
        client.replies = Replies::On;
    }
    Ok(Reply::Simple("RESET".into()))
}
