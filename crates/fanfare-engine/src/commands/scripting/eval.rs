//! EVAL script numkeys [key ...] [arg ...], EVALSHA, EVAL_RO, EVALSHA_RO: run a Lua script, whole and alone.
//!
//! Sources: <https://redis.io/docs/latest/commands/eval/>, <https://redis.io/docs/latest/commands/eval_ro/> and
//! redis-server 7.0.15's eval.c and script.c. A script may use any key: all stripes are locked while it runs.

use fanfare_script::{Flags, Script, Sha1};

use super::{Words, split};
use crate::scripting::{Bridge, Kind, Scripting, run};
use crate::spec::{Arg, Arity, Begin, Docs, Find, Flag, Group, KeySpec, Keys, Lock, Run};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static EVAL: Spec = spec(
    "eval",
    WRITER,
    Keys::Planned { specs: &[KeySpec { notes: Some(WORST), ..WRITTEN }], lock: Lock::Everything },
    Docs::new("Execute a Lua script server side", "2.6.0", COMPLEXITY).args(BY_BODY),
    |ctx, request| eval(ctx, request, false),
);

pub(crate) static EVALSHA: Spec = spec(
    "evalsha",
    WRITER,
    Keys::Planned { specs: &[WRITTEN], lock: Lock::Everything },
    Docs::new("Execute a Lua script server side", "2.6.0", COMPLEXITY).args(BY_HASH),
    |ctx, request| evalsha(ctx, request, false),
);

pub(crate) static EVAL_RO: Spec = spec(
    "eval_ro",
    READER,
    Keys::Planned {
        specs: &[KeySpec { notes: Some(WORST_OF_READER), ..READ }],
        lock: Lock::Everything,
    },
    Docs::new("Execute a read-only Lua script server side", "7.0.0", COMPLEXITY).args(BY_BODY),
    |ctx, request| eval(ctx, request, true),
);

pub(crate) static EVALSHA_RO: Spec = spec(
    "evalsha_ro",
    READER,
    Keys::Planned { specs: &[READ], lock: Lock::Everything },
    Docs::new("Execute a read-only Lua script server side", "7.0.0", COMPLEXITY).args(BY_HASH),
    |ctx, request| evalsha(ctx, request, true),
);

/// What the family shares, and FCALL with it.
pub(super) const fn spec(
    name: &'static str,
    flags: &'static [Flag],
    keys: Keys,
    docs: Docs,
    run: Run,
) -> Spec {
    Spec {
        name,
        arity: Arity::AtLeast(3),
        flags,
        keys,
        group: Group::Scripting,
        categories: &[],
        tips: &[],
        docs,
        subcommands: &[],
        run,
    }
}

pub(super) const WRITER: &[Flag] =
    &[Flag::NoScript, Flag::Stale, Flag::SkipMonitor, Flag::NoMandatoryKeys, Flag::MayReplicate];

pub(super) const READER: &[Flag] =
    &[Flag::ReadOnly, Flag::NoScript, Flag::Stale, Flag::SkipMonitor, Flag::NoMandatoryKeys];

pub(super) const WRITTEN: KeySpec = KeySpec {
    begin: Begin::Index(2),
    find: Find::KeyNum { number: 0, first: 1, step: 1 },
    flags: &["RW", "access", "update"],
    notes: None,
};

pub(super) const READ: KeySpec = KeySpec { flags: &["RO", "access"], ..WRITTEN };

pub(super) const WORST: &str =
    "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE";
pub(super) const WORST_OF_READER: &str =
    "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS";

const COMPLEXITY: &str = "Depends on the script that is executed.";

const BY_BODY: &[Arg] = &[Arg::new("script", "string"), NUMKEYS, KEYS, ARGS];
const BY_HASH: &[Arg] = &[Arg::new("sha1", "string"), NUMKEYS, KEYS, ARGS];
pub(super) const NUMKEYS: Arg = Arg::new("numkeys", "integer");
pub(super) const KEYS: Arg = Arg::key("key").flags(&["optional", "multiple"]);
pub(super) const ARGS: Arg = Arg::new("arg", "string").flags(&["optional", "multiple"]);

fn eval(ctx: &mut Ctx<'_>, request: Request<'_>, is_read_only: bool) -> Result<Reply, WireError> {
    let n_keys = n_keys(request)?;
    let words = split(request, n_keys)?;
    let body = request.get(1).unwrap_or_default();
    with_scripting(ctx, |ctx, scripting| {
        let script = scripting
            .load(ctx.keyspace.scripts(), body)
            .map_err(|error| WireError::from_line(error.as_bytes()))?;
        run_script(ctx, scripting, &script, (request, words), is_read_only)
    })
}

fn evalsha(
    ctx: &mut Ctx<'_>,
    request: Request<'_>,
    is_read_only: bool,
) -> Result<Reply, WireError> {
    let sha = request.get(1).unwrap_or_default();
    if sha.len() != SHA_LEN {
        return Err(wire_error::NO_SCRIPT);
    }
    let n_keys = n_keys(request)?;
    let words = split(request, n_keys)?;
    let sha = Sha1::from_text(&sha.to_ascii_lowercase()).ok_or(wire_error::NO_SCRIPT)?;
    with_scripting(ctx, |ctx, scripting| {
        let script = scripting.script(ctx.keyspace.scripts(), &sha).ok_or(wire_error::NO_SCRIPT)?;
        run_script(ctx, scripting, &script, (request, words), is_read_only)
    })
}

/// Length of a hash in hexadecimal digits.
const SHA_LEN: usize = 40;

fn n_keys(request: Request<'_>) -> Result<i64, WireError> {
    request.get(2).and_then(number::parse_int).ok_or(wire_error::NOT_AN_INTEGER)
}

fn run_script(
    ctx: &mut Ctx<'_>,
    scripting: &mut Scripting,
    script: &Script,
    (request, (keys, args)): (Request<'_>, Words<'_>),
    is_read_only: bool,
) -> Result<Reply, WireError> {
    let flags = script.flags();
    if let Some(flags) = flags {
        check_flags(ctx, flags, is_read_only)?;
    }
    let sha = script.sha();
    let kind = Kind {
        name: sha.as_bytes(),
        is_eval: true,
        is_read_only: is_read_only || flags.is_some_and(|it| it.no_writes),
        allows_oom: flags.is_some_and(|it| it.allow_oom),
    };
    run(ctx, scripting, kind, request, |scripting| {
        scripting.runtime.eval(script, &keys, &args, Bridge)
    })
}

/// Whether a script that says what it does may be run so.
pub(super) fn check_flags(
    ctx: &Ctx<'_>,
    flags: Flags,
    is_read_only: bool,
) -> Result<(), WireError> {
    if is_read_only && !flags.no_writes {
        return Err(wire_error::WRITER_IN_READ_ONLY);
    }
    if !flags.allow_oom && !flags.no_writes && ctx.is_full() {
        return Err(wire_error::OOM_SCRIPT);
    }
    Ok(())
}

/// Takes this thread's interpreter for the time of `use_it`.
pub(super) fn with_scripting<R>(
    ctx: &mut Ctx<'_>,
    use_it: impl FnOnce(&mut Ctx<'_>, &mut Scripting) -> Result<R, WireError>,
) -> Result<R, WireError> {
    let mut scripting = ctx.host.take_scripting().ok_or(wire_error::NO_INTERPRETER)?;
    let result = use_it(ctx, &mut scripting);
    ctx.host.put_scripting(scripting);
    result
}
