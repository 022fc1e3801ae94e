//! SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE and their opposites: begin and end to receive.
//!
//! Sources: <https://redis.io/docs/latest/commands/subscribe/>, <https://redis.io/docs/latest/commands/psubscribe/>,
//! <https://redis.io/docs/latest/commands/ssubscribe/>, <https://redis.io/docs/latest/commands/unsubscribe/>. Each
//! name is confirmed on its own, with the number of subscriptions after it: channels and patterns are counted
//! together, shard channels apart.

use crate::host::Kind;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Run};
use crate::{Client, Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static SUBSCRIBE: Spec = spec(
    "subscribe",
    Arity::AtLeast(2),
    Keys::None,
    Docs::new(
        "Listen for messages published to the given channels",
        "2.0.0",
        "O(N) where N is the number of channels to subscribe to.",
    )
    .args(&[Arg::new("channel", "string").flags(&["multiple"])]),
    |ctx, request| Ok(subscribe(ctx, Kind::Channel, request)),
);

pub(crate) static PSUBSCRIBE: Spec = spec(
    "psubscribe",
    Arity::AtLeast(2),
    Keys::None,
    Docs::new(
        "Listen for messages published to channels matching the given patterns",
        "2.0.0",
        "O(N) where N is the number of patterns the client is already subscribed to.",
    )
    .args(&[Arg::new("pattern", "block")
        .flags(&["multiple"])
        .args(&[Arg::new("pattern", "pattern")])]),
    |ctx, request| Ok(subscribe(ctx, Kind::Pattern, request)),
);

pub(crate) static SSUBSCRIBE: Spec = spec(
    "ssubscribe",
    Arity::AtLeast(2),
    Keys::ShardChannels { first: 1, last: -1 },
    Docs::new(
        "Listen for messages published to the given shard channels",
        "7.0.0",
        "O(N) where N is the number of shard channels to subscribe to.",
    )
    .args(&[Arg::new("shardchannel", "string").flags(&["multiple"])]),
    ssubscribe,
);

pub(crate) static UNSUBSCRIBE: Spec = spec(
    "unsubscribe",
    Arity::AtLeast(1),
    Keys::None,
    Docs::new(
        "Stop listening for messages posted to the given channels",
        "2.0.0",
        "O(N) where N is the number of clients already subscribed to a channel.",
    )
    .args(&[Arg::new("channel", "string").flags(&["optional", "multiple"])]),
    |ctx, request| Ok(unsubscribe(ctx, Kind::Channel, request)),
);

pub(crate) static PUNSUBSCRIBE: Spec = spec(
    "punsubscribe",
    Arity::AtLeast(1),
    Keys::None,
    Docs::new(
        "Stop listening for messages posted to channels matching the given patterns",
        "2.0.0",
        "O(N+M) where N is the number of patterns the client is already subscribed and M is the number of total patterns subscribed in the system (by any client).",
    )
    .args(&[
        Arg::new("pattern", "pattern").flags(&["optional", "multiple"]),
    ]),
    |ctx, request| Ok(unsubscribe(ctx, Kind::Pattern, request)),
);

pub(crate) static SUNSUBSCRIBE: Spec = spec(
    "sunsubscribe",
    Arity::AtLeast(1),
    Keys::ShardChannels { first: 1, last: -1 },
    Docs::new(
        "Stop listening for messages posted to the given shard channels",
        "7.0.0",
        "O(N) where N is the number of clients already subscribed to a shard channel.",
    )
    .args(&[Arg::new("shardchannel", "string").flags(&["optional", "multiple"])]),
    |ctx, request| Ok(unsubscribe(ctx, Kind::Shard, request)),
);

/// What the family shares.
const fn spec(name: &'static str, arity: Arity, keys: Keys, docs: Docs, run: Run) -> Spec {
    Spec {
        name,
        arity,
        flags: &[Flag::PubSub, Flag::NoScript, Flag::Loading, Flag::Stale],
        keys,
        group: Group::PubSub,
        categories: &[],
        tips: &[],
        docs,
        subcommands: &[],
        run,
    }
}

fn ssubscribe(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    // Redis lets SUBSCRIBE and PSUBSCRIBE through here, for old clients.
    if ctx.client.in_exec {
        return Err(wire_error::SSUBSCRIBE_IN_EXEC);
    }
    Ok(subscribe(ctx, Kind::Shard, request))
}

fn subscribe(ctx: &mut Ctx<'_>, kind: Kind, request: Request<'_>) -> Reply {
    let confirm = |name| {
        if ctx.host.subscribe(kind, name) {
            *count(ctx.client, kind) += 1;
        }
        confirmation(ctx, kind, Reply::bulk(name))
    };
    Reply::Many(request.iter().skip(1).map(confirm).collect())
}

fn unsubscribe(ctx: &mut Ctx<'_>, kind: Kind, request: Request<'_>) -> Reply {
    if 1 < request.len() {
        return Reply::Many(
            request.iter().skip(1).map(|name| unsubscribe_one(ctx, kind, name)).collect(),
        );
    }
    let names = ctx.host.subscriptions(kind);
    if names.is_empty() {
        return confirmation(ctx, kind, Reply::Null);
    }
    Reply::Many(names.iter().map(|name| unsubscribe_one(ctx, kind, name)).collect())
}

fn unsubscribe_one(ctx: &mut Ctx<'_>, kind: Kind, name: &[u8]) -> Reply {
    if ctx.host.unsubscribe(kind, name) {
        let count = count(ctx.client, kind);
        *count = count.saturating_sub(1);
    }
    confirmation(ctx, kind, Reply::bulk(name))
}

fn confirmation(ctx: &mut Ctx<'_>, kind: Kind, name: Reply) -> Reply {
    let count = Reply::count(*count(ctx.client, kind));
    Reply::Push(vec![Reply::bulk(ctx.spec().name), name, count])
}

/// The counter that confirmations of `kind` show.
fn count(client: &mut Client, kind: Kind) -> &mut usize {
    match kind {
        Kind::Channel | Kind::Pattern => &mut client.n_subscriptions,
        Kind::Shard => &mut client.n_shard_subscriptions,
        Kind::Stream => &mut client.n_stream_subscriptions,
    }
}
