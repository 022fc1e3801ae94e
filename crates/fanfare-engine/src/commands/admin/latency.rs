//! LATENCY LATEST | HISTORY | RESET | DOCTOR | GRAPH | HISTOGRAM | HELP: when the server was slow, and how slow.
//!
//! Source: <https://redis.io/docs/latest/commands/latency/> and the pages of the subcommands.

mod graph;

use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::table::Command;
use crate::{CommandTable, Ctx, Reply, Request, Spec, WireError};

pub(crate) static LATENCY: Spec = Spec::container(
    Group::Server,
    "latency",
    Docs::new("A container for latency diagnostics commands", "2.8.13", "Depends on subcommand."),
    &[&DOCTOR, &graph::GRAPH, &HELP, &HISTOGRAM, &HISTORY, &LATEST, &RESET],
);

static DOCTOR: Spec = Spec {
    name: "latency|doctor",
    arity: Arity::Exactly(2),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    docs: Docs::new("Return a human readable latency analysis report.", "2.8.13", "O(1)"),
    subcommands: &[],
    run: |ctx, _| Ok(Reply::text(ctx.host.latency_doctor())),
};

static HELP: Spec = Spec::help(
    Group::Server,
    "latency|help",
    Docs::new("Show helpful text about the different subcommands.", "2.8.13", "O(1)"),
    |_, _| Ok(Reply::lines(HELP_LINES)),
);

static HISTOGRAM: Spec = Spec {
    name: "latency|histogram",
    arity: Arity::AtLeast(2),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    docs: Docs::new(
        "Return the cumulative distribution of latencies of a subset of commands or all.",
        "7.0.0",
        "O(N) where N is the number of commands with latency information being retrieved.",
    )
    .args(&[Arg::new("command", "string").flags(&["optional", "multiple"])]),
    subcommands: &[],
    run: histogram,
};

static HISTORY: Spec = Spec {
    name: "latency|history",
    arity: Arity::Exactly(3),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    docs: Docs::new("Return timestamp-latency samples for the event.", "2.8.13", "O(1)")
        .args(&[Arg::new("event", "string")]),
    subcommands: &[],
    run: history,
};

static LATEST: Spec = Spec {
    name: "latency|latest",
    arity: Arity::Exactly(2),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    docs: Docs::new("Return the latest latency samples for all events.", "2.8.13", "O(1)"),
    subcommands: &[],
    run: latest,
};

static RESET: Spec = Spec {
    name: "latency|reset",
    arity: Arity::AtLeast(2),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    docs: Docs::new("Reset latency data for one or more events.", "2.8.13", "O(1)")
        .args(&[Arg::new("event", "string").flags(&["optional", "multiple"])]),
    subcommands: &[],
    run: reset,
};

/// The words of redis-server 7.0.
const HELP_LINES: &[&str] = &[
    "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Return a human readable latency analysis report.",
    "GRAPH <event>",
    "    Return an ASCII latency graph for the <event> class.",
    "HISTORY <event>",
    "    Return time-latency samples for the <event> class.",
    "LATEST",
    "    Return the latest latency samples for all events.",
    "RESET [<event> ...]",
    "    Reset latency data of one or more <event> classes.",
    "    (default: reset all data for all event classes)",
    "HISTOGRAM [COMMAND ...]",
    "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
    "    If no commands are specified then all histograms are replied.",
    "HELP",
    "    Prints this help.",
];

fn latest(ctx: &mut Ctx<'_>, _: Request<'_>) -> Result<Reply, WireError> {
    let events = ctx.host.latency_latest().into_iter().map(|(event, unix_s, latest_ms, max_ms)| {
        Reply::Array(vec![
            Reply::bulk(event),
            Reply::uint(unix_s),
            Reply::Int(latest_ms.into()),
            Reply::Int(max_ms.into()),
        ])
    });
    Ok(Reply::Array(events.collect()))
}

fn history(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let samples = ctx.host.latency_history(request.get(2).unwrap_or_default());
    let samples = samples.unwrap_or_default().into_iter();
    let samples =
        samples.map(|(unix_s, ms)| Reply::Array(vec![Reply::uint(unix_s), Reply::Int(ms.into())]));
    Ok(Reply::Array(samples.collect()))
}

fn reset(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let events: Vec<_> = request.iter().skip(2).collect();
    Ok(Reply::count(ctx.host.latency_reset(&events)))
}

/// Commands that do not exist and commands that were never called are left out.
fn histogram(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let commands: Vec<_> = if request.len() == 2 {
        ctx.table.commands().collect()
    } else {
        request.iter().skip(2).flat_map(|name| find(ctx.table, name)).collect()
    };
    let histograms = commands.into_iter().filter_map(|command| {
        let (n_calls, buckets) = ctx.host.latency_histogram(command)?;
        Some((command.spec.name, histogram_of(n_calls, buckets)))
    });
    Ok(Reply::map(histograms))
}

fn histogram_of(n_calls: u64, buckets: Vec<(u64, u64)>) -> Reply {
    let buckets = buckets.into_iter();
    let buckets = buckets.map(|(us, n_calls)| (Reply::uint(us), Reply::uint(n_calls)));
    Reply::map([("calls", Reply::uint(n_calls)), ("histogram_usec", Reply::Map(buckets.collect()))])
}

/// The command or subcommand (`config|get`) that `name` names; of a container its subcommands too.
fn find(table: &CommandTable, name: &[u8]) -> Vec<Command> {
    let mut parts = name.splitn(2, |&it| it == b'|');
    let Some(command) = parts.next().and_then(|it| table.find(it)) else { return Vec::new() };
    match parts.next() {
        Some(sub) => table.find_subcommand(command, sub).into_iter().collect(),
        None => {
            let subs = command.spec.subcommands.iter();
            let subs = subs.filter_map(|it| it.name.split('|').nth(1));
            let subs = subs.filter_map(|it| table.find_subcommand(command, it.as_bytes()));
            std::iter::once(command).chain(subs).collect()
        }
    }
}
