//! SLOWLOG GET [count] | LEN | RESET | HELP: commands that took long.
//!
//! Source: <https://redis.io/docs/latest/commands/slowlog/> and the pages of the subcommands.

use crate::host::SlowEntry;
use crate::number;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static SLOWLOG: Spec = Spec::container(
    Group::Server,
    "slowlog",
    Docs::new("A container for slow log commands", "2.2.12", "Depends on subcommand."),
    &[&GET, &HELP, &LEN, &RESET],
);

static GET: Spec = Spec {
    name: "slowlog|get",
    arity: Arity::AtLeast(2),
    flags: &[Flag::Admin, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    docs: Docs::new(
        "Get the slow log's entries",
        "2.2.12",
        "O(N) where N is the number of entries returned",
    )
    .history(&[("4.0.0", "Added client IP address, port and name to the reply.")])
    .args(&[Arg::new("count", "integer").flags(&["optional"])]),
    subcommands: &[],
    run: get,
};

static HELP: Spec = Spec::help(
    Group::Server,
    "slowlog|help",
    Docs::new("Show helpful text about the different subcommands", "6.2.0", "O(1)"),
    |_, _| Ok(Reply::lines(HELP_LINES)),
);

static LEN: Spec = Spec {
    name: "slowlog|len",
    arity: Arity::Exactly(2),
    flags: &[Flag::Admin, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
    docs: Docs::new("Get the slow log's length", "2.2.12", "O(1)"),
    subcommands: &[],
    run: |ctx, _| Ok(Reply::count(ctx.host.slowlog_len())),
};

static RESET: Spec = Spec {
    name: "slowlog|reset",
    arity: Arity::Exactly(2),
    flags: &[Flag::Admin, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    docs: Docs::new(
        "Clear all entries from the slow log",
        "2.2.12",
        "O(N) where N is the number of entries in the slowlog",
    ),
    subcommands: &[],
    run: reset,
};

/// The words of redis-server 7.0.
const HELP_LINES: &[&str] = &[
    "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET [<count>]",
    "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
    "    Entries are made of:",
    "    id, timestamp, time in microseconds, arguments array, client IP and port,",
    "    client name",
    "LEN",
    "    Return the length of the slowlog.",
    "RESET",
    "    Reset the slowlog.",
    "HELP",
    "    Prints this help.",
];

/// Entries that `GET` shows when it is not told how many.
const N_ENTRIES_DEFAULT: usize = 10;

fn get(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    if 3 < request.len() {
        return Err(WireError::wrong_subcommand_arity(
            "slowlog",
            request.get(1).unwrap_or_default(),
        ));
    }
    let n_max = request.get(2).map_or(Ok(N_ENTRIES_DEFAULT), parse_count)?;
    let entries = ctx.host.slowlog(n_max);
    Ok(Reply::Array(entries.into_iter().map(entry).collect()))
}

fn reset(ctx: &mut Ctx<'_>, _: Request<'_>) -> Result<Reply, WireError> {
    ctx.host.slowlog_reset();
    Ok(Reply::Ok)
}

/// -1 means all.
fn parse_count(raw: &[u8]) -> Result<usize, WireError> {
    match number::parse_int(raw) {
        Some(-1) => Ok(usize::MAX),
        Some(count) => usize::try_from(count).map_err(|_| wire_error::SLOWLOG_COUNT),
        None => Err(wire_error::SLOWLOG_COUNT),
    }
}

fn entry(entry: SlowEntry) -> Reply {
    Reply::Array(vec![
        Reply::uint(entry.id),
        Reply::uint(entry.unix_s),
        Reply::uint(entry.micros),
        Reply::bulks(entry.args),
        Reply::bulk(entry.addr),
        Reply::bulk(entry.name),
    ])
}
