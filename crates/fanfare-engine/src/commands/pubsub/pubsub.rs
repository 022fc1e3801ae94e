//! PUBSUB CHANNELS | NUMSUB | NUMPAT | SHARDCHANNELS | SHARDNUMSUB | HELP: who listens to what.
//!
//! Source: <https://redis.io/docs/latest/commands/pubsub/>. A cluster node answers for itself only.

use crate::host::Kind;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Run};
use crate::{Ctx, Reply, Request, Spec, WireError};

pub(crate) static PUBSUB: Spec = Spec::container(
    Group::PubSub,
    "pubsub",
    Docs::new("A container for Pub/Sub commands", "2.8.0", "Depends on subcommand."),
    &[&CHANNELS, &HELP, &NUMPAT, &NUMSUB, &SHARDCHANNELS, &SHARDNUMSUB],
);

static CHANNELS: Spec = spec(
    "pubsub|channels",
    Arity::AtLeast(2),
    Docs::new(
        "List active channels",
        "2.8.0",
        "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)",
    )
    .args(&[
        Arg::new("pattern", "pattern").flags(&["optional"]),
    ]),
    |ctx, request| active(ctx, Kind::Channel, request),
);

static HELP: Spec = Spec::help(
    Group::PubSub,
    "pubsub|help",
    Docs::new("Show helpful text about the different subcommands", "6.2.0", "O(1)"),
    |_, _| Ok(Reply::lines(HELP_LINES)),
);

static NUMPAT: Spec = spec(
    "pubsub|numpat",
    Arity::Exactly(2),
    Docs::new("Get the count of unique patterns pattern subscriptions", "2.8.0", "O(1)"),
    |ctx, _| Ok(Reply::count(ctx.host.n_patterns())),
);

static NUMSUB: Spec = spec(
    "pubsub|numsub",
    Arity::AtLeast(2),
    Docs::new(
        "Get the count of subscribers for channels",
        "2.8.0",
        "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
    )
    .args(&[Arg::new("channel", "string").flags(&["optional", "multiple"])]),
    |ctx, request| Ok(n_subscribers(ctx, Kind::Channel, request)),
);

static SHARDCHANNELS: Spec = spec(
    "pubsub|shardchannels",
    Arity::AtLeast(2),
    Docs::new(
        "List active shard channels",
        "7.0.0",
        "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).",
    )
    .args(&[
        Arg::new("pattern", "pattern").flags(&["optional"]),
    ]),
    |ctx, request| active(ctx, Kind::Shard, request),
);

static SHARDNUMSUB: Spec = spec(
    "pubsub|shardnumsub",
    Arity::AtLeast(2),
    Docs::new(
        "Get the count of subscribers for shard channels",
        "7.0.0",
        "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
    )
    .args(&[Arg::new("shardchannel", "string").flags(&["optional", "multiple"])]),
    |ctx, request| Ok(n_subscribers(ctx, Kind::Shard, request)),
);

/// What the subcommands share.
const fn spec(name: &'static str, arity: Arity, docs: Docs, run: Run) -> Spec {
    Spec {
        name,
        arity,
        flags: &[Flag::PubSub, Flag::Loading, Flag::Stale],
        keys: Keys::None,
        group: Group::PubSub,
        categories: &[],
        tips: &[],
        docs,
        subcommands: &[],
        run,
    }
}

/// The words of redis-server 7.0.
const HELP_LINES: &[&str] = &[
    "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
    "HELP",
    "    Prints this help.",
];

/// The container itself: dispatch finds the subcommand or refuses the request before.
fn active(ctx: &mut Ctx<'_>, kind: Kind, request: Request<'_>) -> Result<Reply, WireError> {
    if 3 < request.len() {
        return Err(WireError::wrong_subcommand_arity(
            "pubsub",
            request.get(1).unwrap_or_default(),
        ));
    }
    Ok(Reply::bulks(ctx.host.active(kind, request.get(2))))
}

fn n_subscribers(ctx: &mut Ctx<'_>, kind: Kind, request: Request<'_>) -> Reply {
    let names = request.iter().skip(2);
    Reply::Array(
        names
            .flat_map(|name| [Reply::bulk(name), Reply::count(ctx.host.n_subscribers(kind, name))])
            .collect(),
    )
}
