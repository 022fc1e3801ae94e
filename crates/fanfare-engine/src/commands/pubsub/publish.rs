//! PUBLISH channel message, SPUBLISH shardchannel message: hands a message to all who are subscribed now.
//!
//! Sources: <https://redis.io/docs/latest/commands/publish/>, <https://redis.io/docs/latest/commands/spublish/>.
//! Delivery is at most once: who is not connected never sees it.

use crate::host::Kind;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static PUBLISH: Spec = Spec {
    name: "publish",
    arity: Arity::Exactly(3),
    flags: &[Flag::PubSub, Flag::Loading, Flag::Stale, Flag::Fast, Flag::MayReplicate],
    keys: Keys::None,
    group: Group::PubSub,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Post a message to a channel",
        "2.0.0",
        "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).",
    )
    .args(&[
        Arg::new("channel", "string"),
        Arg::new("message", "string"),
    ]),
    subcommands: &[],
    run: |ctx, request| publish(ctx, Kind::Channel, request),
};

pub(crate) static SPUBLISH: Spec = Spec {
    name: "spublish",
    arity: Arity::Exactly(3),
    flags: &[Flag::PubSub, Flag::Loading, Flag::Stale, Flag::Fast, Flag::MayReplicate],
    keys: Keys::ShardChannels { first: 1, last: 1 },
    group: Group::PubSub,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Post a message to a shard channel",
        "7.0.0",
        "O(N) where N is the number of clients subscribed to the receiving shard channel.",
    )
    .args(&[Arg::new("shardchannel", "string"), Arg::new("message", "string")]),
    subcommands: &[],
    run: |ctx, request| publish(ctx, Kind::Shard, request),
};

fn publish(ctx: &mut Ctx<'_>, kind: Kind, request: Request<'_>) -> Result<Reply, WireError> {
    let (Some(channel), Some(message)) = (request.get(1), request.get(2)) else {
        return Err(WireError::wrong_arity(ctx.spec().name));
    };
    Ok(Reply::count(ctx.host.publish(kind, channel, message)))
}
