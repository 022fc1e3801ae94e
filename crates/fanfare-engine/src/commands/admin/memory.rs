//! MEMORY USAGE key, MEMORY STATS and others: what keys and values take.
//!
//! Source: <https://redis.io/docs/latest/commands/memory/>. The figures are what the keyspace counts; what the process
//! takes is told by `INFO memory`.

use crate::keyspace::Footprint;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static MEMORY: Spec = Spec::container(
    Group::Server,
    "memory",
    Docs::new("A container for memory diagnostics commands", "4.0.0", "Depends on subcommand."),
    &[&DOCTOR, &HELP, &MALLOC_STATS, &PURGE, &STATS, &USAGE],
);

static DOCTOR: Spec = Spec {
    name: "memory|doctor",
    arity: Arity::Exactly(2),
    flags: &[],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    docs: Docs::new("Outputs memory problems report", "4.0.0", "O(1)"),
    subcommands: &[],
    run: doctor,
};

static HELP: Spec = Spec::help(
    Group::Server,
    "memory|help",
    Docs::new("Show helpful text about the different subcommands", "4.0.0", "O(1)"),
    |_, _| Ok(Reply::lines(HELP_LINES)),
);

static MALLOC_STATS: Spec = Spec {
    name: "memory|malloc-stats",
    arity: Arity::Exactly(2),
    flags: &[],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    docs: Docs::new(
        "Show allocator internal stats",
        "4.0.0",
        "Depends on how much memory is allocated, could be slow",
    ),
    subcommands: &[],
    run: malloc_stats,
};

static PURGE: Spec = Spec {
    name: "memory|purge",
    arity: Arity::Exactly(2),
    flags: &[],
    keys: Keys::None,
    group: Group::Server,
    categories: &[],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    docs: Docs::new(
        "Ask the allocator to release memory",
        "4.0.0",
        "Depends on how much memory is allocated, could be slow",
    ),
    subcommands: &[],
    run: purge,
};

static STATS: Spec = Spec {
    name: "memory|stats",
    arity: Arity::Exactly(2),
    flags: &[],
    keys: Keys::Everything,
    group: Group::Server,
    categories: &[],
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    docs: Docs::new("Show memory usage details", "4.0.0", "O(1)"),
    subcommands: &[],
    run: stats,
};

static USAGE: Spec = Spec {
    name: "memory|usage",
    arity: Arity::AtLeast(3),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 2, last: 2, step: 1, flags: &["RO"] },
    group: Group::Server,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Estimate the memory usage of a key",
        "4.0.0",
        "O(N) where N is the number of samples.",
    )
    .args(&[Arg::key("key"), Arg::new("count", "integer").token("SAMPLES").flags(&["optional"])]),
    subcommands: &[],
    run: usage,
};

const HELP_LINES: &[&str] = &[
    "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Return memory problems reports.",
    "MALLOC-STATS",
    "    Return internal statistics report from the memory allocator.",
    "PURGE",
    "    Attempt to purge dirty pages for reclamation by the allocator.",
    "STATS",
    "    Return information about the memory usage of the server.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value. Nested values are",
    "    sampled up to <count> times (default: 5, 0 means sample all).",
    "HELP",
    "    Prints this help.",
];

/// With less in it, figures mean nothing.
const N_BYTES_MIN: usize = 5 << 20;

fn doctor(ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    let text = if ctx.keyspace.n_bytes() < N_BYTES_MIN {
        "There is too little in this instance to find a problem with its memory.\n"
    } else {
        "No problem with the memory of this instance was found.\n"
    };
    Ok(Reply::Verbatim(*b"txt", text.into()))
}

fn malloc_stats(_ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    Ok(Reply::bulk("Stats not supported for the current allocator"))
}

/// The allocator gives memory back by itself.
fn purge(_ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    Ok(Reply::Ok)
}

fn stats(ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    let databases = (0..).take(ctx.keyspace.n_databases());
    let footprints = databases.map(|db| (db, ctx.keys.footprint(db)));
    let footprints: Vec<(u16, Footprint)> = footprints.filter(|it| it.1.n_keys != 0).collect();
    let sum = |part: fn(&Footprint) -> usize| footprints.iter().map(|it| part(&it.1)).sum();
    let (n_keys, n_bytes): (usize, usize) = (sum(|it| it.n_keys), sum(|it| it.n_bytes));
    let overhead: usize = sum(|it| it.n_table_bytes);
    let mut fields: Vec<(String, Reply)> = vec![("total.allocated".into(), Reply::count(n_bytes))];
    for (db, footprint) in &footprints {
        let table = Reply::count(footprint.n_table_bytes);
        fields.push((format!("db.{db}"), Reply::map([("overhead.hashtable.main", table)])));
    }
    fields.push(("overhead.total".into(), Reply::count(overhead)));
    fields.push(("keys.count".into(), Reply::count(n_keys)));
    let per_key = n_bytes.checked_div(n_keys).unwrap_or_default();
    fields.push(("keys.bytes-per-key".into(), Reply::count(per_key)));
    fields.push(("dataset.bytes".into(), Reply::count(n_bytes - overhead)));
    Ok(Reply::map(fields))
}

/// How many elements are asked for is checked only: values count their bytes as they change.
fn usage(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let mut words = request.iter().skip(3);
    while let Some(word) = words.next() {
        let count = words.next().filter(|_| word.eq_ignore_ascii_case(b"samples"));
        let count = count.ok_or(wire_error::SYNTAX)?;
        if number::parse_int(count).ok_or(wire_error::NOT_AN_INTEGER)? < 0 {
            return Err(wire_error::SYNTAX);
        }
    }
    let key = ctx.keys.key(request.get(2).unwrap_or_default());
    let n_bytes = ctx.keys.n_bytes_of(ctx.client.db, key, ctx.now.unix_ms());
    Ok(n_bytes.map_or(Reply::Null, Reply::count))
}
