//! SCRIPT: the scripts that are kept, and the one that runs.
//!
//! Source: <https://redis.io/docs/latest/commands/script/> and redis-server 7.0.15's eval.c. All threads know a script
//! that one of them was given.

use fanfare_script::Sha1;

use super::eval::with_scripting;
use super::spec;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static SCRIPT: Spec = Spec::container(
    Group::Scripting,
    "script",
    Docs::new("A container for Lua scripts management commands", "2.6.0", "Depends on subcommand."),
    &[&DEBUG, &EXISTS, &FLUSH, &HELP, &KILL, &LOAD],
);

static DEBUG: Spec = spec(
    "script|debug",
    Arity::Exactly(3),
    (&[Flag::NoScript], Keys::None),
    &[],
    Docs::new("Set the debug mode for executed scripts.", "3.2.0", "O(1)").args(&[Arg::new(
        "mode", "oneof",
    )
    .args(&[Arg::word("yes", "YES"), Arg::word("sync", "SYNC"), Arg::word("no", "NO")])]),
    debug,
);

static EXISTS: Spec = spec(
    "script|exists",
    Arity::AtLeast(3),
    (&[Flag::NoScript], Keys::None),
    &["request_policy:all_shards", "response_policy:agg_logical_and"],
    Docs::new("Check existence of scripts in the script cache.", "2.6.0", N_ASKED)
        .args(&[Arg::new("sha1", "string").flags(&["multiple"])]),
    exists,
);

const N_ASKED: &str = "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).";

static FLUSH: Spec = spec(
    "script|flush",
    Arity::AtLeast(2),
    (&[Flag::NoScript], Keys::None),
    &["request_policy:all_nodes", "response_policy:all_succeeded"],
    Docs::new(
        "Remove all the scripts from the script cache.",
        "2.6.0",
        "O(N) with N being the number of scripts in cache",
    )
    .history(&[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")])
    .args(&[Arg::new("async", "oneof")
        .since("6.2.0")
        .flags(&["optional"])
        .args(&[Arg::word("async", "ASYNC"), Arg::word("sync", "SYNC")])]),
    flush,
);

static HELP: Spec = Spec::help(
    Group::Scripting,
    "script|help",
    Docs::new("Show helpful text about the different subcommands", "5.0.0", "O(1)"),
    |_, _| Ok(Reply::lines(HELP_LINES)),
);

static KILL: Spec = spec(
    "script|kill",
    Arity::Exactly(2),
    (&[Flag::NoScript, Flag::AllowBusy], Keys::None),
    &["request_policy:all_shards", "response_policy:one_succeeded"],
    Docs::new("Kill the script currently in execution.", "2.6.0", "O(1)"),
    kill,
);

static LOAD: Spec = spec(
    "script|load",
    Arity::Exactly(3),
    (&[Flag::NoScript, Flag::Stale], Keys::None),
    &["request_policy:all_nodes", "response_policy:all_succeeded"],
    Docs::new(
        "Load the specified Lua script into the script cache.",
        "2.6.0",
        "O(N) with N being the length in bytes of the script body.",
    )
    .args(&[Arg::new("script", "string")]),
    load,
);

fn debug(_ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    match request.get(2).unwrap_or_default().to_ascii_lowercase().as_slice() {
        b"no" => Ok(Reply::Ok),
        b"yes" | b"sync" => Err(wire_error::NO_SCRIPT_DEBUGGER),
        _ => Err(wire_error::SCRIPT_DEBUG_MODE),
    }
}

fn exists(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let scripts = ctx.keyspace.scripts();
    // As in Redis, the hash is compared as it is written.
    let is_known = |sha: &[u8]| Sha1::from_text(sha).is_some_and(|it| scripts.has_script(&it));
    let known = request.iter().skip(2).map(|sha| Reply::Int(i64::from(is_known(sha))));
    Ok(Reply::Array(known.collect()))
}

fn flush(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let is_mode = |it: &[u8]| it.eq_ignore_ascii_case(b"sync") || it.eq_ignore_ascii_case(b"async");
    if !request.get(2).is_none_or(is_mode) || 3 < request.len() {
        return Err(wire_error::SCRIPT_FLUSH_MODE);
    }
    ctx.keyspace.scripts().flush_scripts();
    Ok(Reply::Ok)
}

fn kill(ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    kill_running(ctx, true)
}

/// Ends what runs for long, if it is a script or a function as asked for.
pub(super) fn kill_running(ctx: &Ctx<'_>, is_eval: bool) -> Result<Reply, WireError> {
    let running = ctx.keyspace.scripts().running().ok_or(wire_error::NOT_BUSY)?;
    if running.has_written() {
        return Err(wire_error::UNKILLABLE);
    }
    match (is_eval, running.is_eval) {
        (true, false) => Err(wire_error::BUSY_FUNCTION),
        (false, true) => Err(wire_error::BUSY_SCRIPT),
        (true, true) | (false, false) => {
            running.kill();
            Ok(Reply::Ok)
        }
    }
}

fn load(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let body = request.get(2).unwrap_or_default();
    with_scripting(ctx, |ctx, scripting| {
        let script = scripting
            .load(ctx.keyspace.scripts(), body)
            .map_err(|error| WireError::from_line(error.as_bytes()))?;
        Ok(Reply::bulk(script.sha().as_bytes().to_vec()))
    })
}

const HELP_LINES: &[&str] = &[
    "SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DEBUG (YES|SYNC|NO)",
    "    Set the debug mode for subsequent scripts executed.",
    "EXISTS <sha1> [<sha1> ...]",
    "    Return information about the existence of the scripts in the script cache.",
    "FLUSH [ASYNC|SYNC]",
    "    Flush the Lua scripts cache. Very dangerous on replicas.",
    "    When called without the optional mode argument, the behavior is determined by the",
    "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    "    * ASYNC: Asynchronously flush the scripts cache.",
    "    * SYNC: Synchronously flush the scripts cache.",
    "KILL",
    "    Kill the currently executing Lua script.",
    "LOAD <script>",
    "    Load a script into the scripts cache without executing it.",
    "HELP",
    "    Prints this help.",
];
