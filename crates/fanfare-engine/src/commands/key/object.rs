//! OBJECT ENCODING | FREQ | IDLETIME | REFCOUNT key: how a value is held, and how often or when it was used.
//!
//! Source: <https://redis.io/docs/latest/commands/object/>. None of them counts as a use.

use crate::keyspace::Entry;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Run};
use crate::value::{Text, Value};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static OBJECT: Spec = Spec::container(
    Group::Generic,
    "object",
    Docs::new("A container for object introspection commands", "2.2.3", "Depends on subcommand."),
    &[&ENCODING, &FREQ, &HELP, &IDLETIME, &REFCOUNT],
);

static ENCODING: Spec = of_key(
    "object|encoding",
    ("Inspect the internal encoding of a Redis object", "2.2.3"),
    encoding,
);

static FREQ: Spec = of_key(
    "object|freq",
    ("Get the logarithmic access frequency counter of a Redis object", "4.0.0"),
    freq,
);

static HELP: Spec = Spec::help(
    Group::Generic,
    "object|help",
    Docs::new("Show helpful text about the different subcommands", "6.2.0", "O(1)"),
    |_, _| Ok(Reply::lines(HELP_LINES)),
);

static IDLETIME: Spec = of_key(
    "object|idletime",
    ("Get the time since a Redis object was last accessed", "2.2.3"),
    idletime,
);

static REFCOUNT: Spec = of_key(
    "object|refcount",
    ("Get the number of references to the value of the key", "2.2.3"),
    refcount,
);

/// A question about one key.
const fn of_key(
    name: &'static str,
    (summary, since): (&'static str, &'static str),
    run: Run,
) -> Spec {
    Spec {
        name,
        arity: Arity::Exactly(3),
        flags: &[Flag::ReadOnly],
        keys: Keys::Range { first: 2, last: 2, step: 1, flags: &["RO"] },
        group: Group::Generic,
        categories: &[],
        tips: &["nondeterministic_output"],
        docs: Docs::new(summary, since, "O(1)").args(const { &[Arg::key("key")] }),
        subcommands: &[],
        run,
    }
}

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
