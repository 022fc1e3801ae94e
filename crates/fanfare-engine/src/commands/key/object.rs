//! OBJECT ENCODING | FREQ | IDLETIME | REFCOUNT key: how a value is held, and how often or when it was used.
//!
//! Source: <https://redis.io/docs/latest/commands/object/>. None of them counts as a use.

use crate::keyspace::Entry;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::{Text, Value};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static OBJECT: Spec = Spec {
    name: "object",
    arity: Arity::AtLeast(2),
    flags: &[],
    keys: Keys::None,
    group: Group::Generic,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "A container for object introspection commands",
        "2.2.3",
        "Depends on subcommand.",
    ),
    subcommands: &[&ENCODING, &FREQ, &HELP, &IDLETIME, &REFCOUNT],
    run: |ctx, request| {
        Err(WireError::unknown_subcommand(ctx.spec().name, request.get(1).unwrap_or_default()))
    },
};

static ENCODING: Spec = Spec {
    name: "object|encoding",
    arity: Arity::Exactly(3),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 2, last: 2, step: 1, flags: &["RO"] },
    group: Group::Generic,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new("Inspect the internal encoding of a Redis object", "2.2.3", "O(1)")
        .args(&[Arg::key("key")]),
    subcommands: &[],
    run: encoding,
};

static FREQ: Spec = Spec {
    name: "object|freq",
    arity: Arity::Exactly(3),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 2, last: 2, step: 1, flags: &["RO"] },
    group: Group::Generic,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new(
        "Get the logarithmic access frequency counter of a Redis object",
        "4.0.0",
        "O(1)",
    )
    .args(&[Arg::key("key")]),
    subcommands: &[],
    run: freq,
};

static HELP: Spec = Spec {
    name: "object|help",
    arity: Arity::Exactly(2),
    flags: &[Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Generic,
    categories: &[],
    tips: &[],
    docs: Docs::new("Show helpful text about the different subcommands", "6.2.0", "O(1)"),
    subcommands: &[],
    run: |_, _| Ok(Reply::lines(HELP_LINES)),
};

static IDLETIME: Spec = Spec {
    name: "object|idletime",
    arity: Arity::Exactly(3),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 2, last: 2, step: 1, flags: &["RO"] },
    group: Group::Generic,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new("Get the time since a Redis object was last accessed", "2.2.3", "O(1)")
        .args(&[Arg::key("key")]),
    subcommands: &[],
    run: idletime,
};

static REFCOUNT: Spec = Spec {
    name: "object|refcount",
    arity: Arity::Exactly(3),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 2, last: 2, step: 1, flags: &["RO"] },
    group: Group::Generic,
    categories: &[],
    tips: &["nondeterministic_output"],
    docs: Docs::new("Get the number of references to the value of the key", "2.2.3", "O(1)")
        .args(&[Arg::key("key")]),
    subcommands: &[],
    run: refcount,
};

const HELP_LINES: &[&str] = &[
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
    "HELP",
    "    Prints this help.",
];

fn encoding(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    Ok(entry(ctx, request).map_or(Reply::Null, |it| Reply::bulk(it.value().encoding())))
}

fn freq(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (clock, policy) = (ctx.clock(), ctx.tuning().policy());
    match entry(ctx, request) {
        None => Ok(Reply::Null),
        Some(_) if !policy.is_lfu() => Err(wire_error::FREQ_NOT_TRACKED),
        Some(entry) => Ok(Reply::Int(entry.access().count(clock).into())),
    }
}

fn idletime(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (clock, policy) = (ctx.clock(), ctx.tuning().policy());
    match entry(ctx, request) {
        None => Ok(Reply::Null),
        Some(_) if policy.is_lfu() => Err(wire_error::IDLE_NOT_TRACKED),
        Some(entry) => Ok(Reply::Int(entry.access().idle_s(clock).into())),
    }
}

/// Redis has one object for each small number, and says so.
const REFCOUNT_SHARED: i64 = 0x7fff_ffff;

fn refcount(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    Ok(match entry(ctx, request).map(Entry::value) {
        None => Reply::Null,
        Some(Value::Text(Text::Int(0..10_000))) => Reply::Int(REFCOUNT_SHARED),
        Some(_) => Reply::Int(1),
    })
}

fn entry<'a>(ctx: &'a mut Ctx<'_>, request: Request<'_>) -> Option<&'a Entry> {
    ctx.examine(request.get(2).unwrap_or_default())
}
