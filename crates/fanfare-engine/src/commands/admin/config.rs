//! CONFIG GET | SET | RESETSTAT | REWRITE | HELP: directives of the running server.
//!
//! Source: <https://redis.io/docs/latest/commands/config/> and the pages of the subcommands.

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static CONFIG: Spec = Spec::container(
    Group::Server,
    "config",
    Docs::new("A container for server configuration commands", "2.0.0", "Depends on subcommand."),
    &[&GET, &HELP, &RESETSTAT, &REWRITE, &SET],
);

static GET: Spec = Spec {
    name: "config|get",
    arity: Arity::AtLeast(3),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Get the values of configuration parameters",
        "2.0.0",
        "O(N) when N is the number of configuration parameters provided",
    )
    .history(&[("7.0.0", "Added the ability to pass multiple pattern parameters in one call")])
    .args(&[Arg::new("parameter", "block")
        .flags(&["multiple"])
        .args(&[Arg::new("parameter", "string")])]),
    subcommands: &[],
    run: get,
};

static HELP: Spec = Spec::help(
    Group::Server,
    "config|help",
    Docs::new("Show helpful text about the different subcommands", "5.0.0", "O(1)"),
    |_, _| Ok(Reply::lines(HELP_LINES)),
);

static RESETSTAT: Spec = Spec {
    name: "config|resetstat",
    arity: Arity::Exactly(2),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &[],
    docs: Docs::new("Reset the stats returned by INFO", "2.0.0", "O(1)"),
    subcommands: &[],
    run: reset_stat,
};

static REWRITE: Spec = Spec {
    name: "config|rewrite",
    arity: Arity::Exactly(2),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Rewrite the configuration file with the in memory configuration",
        "2.8.0",
        "O(1)",
    ),
    subcommands: &[],
    run: rewrite,
};

static SET: Spec = Spec {
    name: "config|set",
    arity: Arity::AtLeast(4),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    docs: Docs::new(
        "Set configuration parameters to the given values",
        "2.0.0",
        "O(N) when N is the number of configuration parameters provided",
    )
    .history(&[("7.0.0", "Added the ability to set multiple parameters in one call.")])
    .args(&[Arg::new("parameter_value", "block")
        .flags(&["multiple"])
        .args(&[Arg::new("parameter", "string"), Arg::new("value", "string")])]),
    subcommands: &[],
    run: set,
};

/// The words of redis-server 7.0.
const HELP_LINES: &[&str] = &[
    "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Rewrite the configuration file.",
    "HELP",
    "    Prints this help.",
];

fn get(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let globs: Vec<_> = request.iter().skip(2).collect();
    let found = ctx.host.config_get(&globs);
    let pairs = found.into_iter().map(|(name, value)| (name.into_owned(), Reply::bulk(value)));
    Ok(Reply::map(pairs))
}

fn set(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let mut args = request.iter().skip(2);
    let mut pairs = Vec::with_capacity(request.len() / 2);
    while let Some(name) = args.next() {
        pairs.push((name, args.next().ok_or(wire_error::SYNTAX)?));
    }
    ctx.host.config_set(&pairs)?;
    Ok(Reply::Ok)
}

fn reset_stat(ctx: &mut Ctx<'_>, _: Request<'_>) -> Result<Reply, WireError> {
    ctx.host.config_reset_stat();
    Ok(Reply::Ok)
}

fn rewrite(ctx: &mut Ctx<'_>, _: Request<'_>) -> Result<Reply, WireError> {
    ctx.host.config_rewrite()?;
    Ok(Reply::Ok)
}
