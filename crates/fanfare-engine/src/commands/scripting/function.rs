//! FUNCTION: libraries of functions, and the function that runs.
//!
//! Source: <https://redis.io/docs/latest/commands/function/> and redis-server 7.0.15's functions.c. Libraries are known to
//! all threads; whoever changes them holds all stripes, so that calls of functions come before or after it.

use std::time::Duration;

use fanfare_script::{Library, ScriptError};

use super::eval::with_scripting;
use super::script::kill_running;
use super::spec;
use crate::rdb::{Reader, payload};
use crate::scripting::{Kind, Scripting, load_library};
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Blob, Ctx, Reply, Request, Spec, WireError, glob, rdb, wire_error};

pub(crate) static FUNCTION: Spec = Spec::container(
    Group::Scripting,
    "function",
    Docs::new("A container for function commands", "7.0.0", "Depends on subcommand."),
    &[&DELETE, &DUMP, &FLUSH, &HELP, &KILL, &LIST, &LOAD, &RESTORE, &STATS],
);

static DELETE: Spec = spec(
    "function|delete",
    Arity::Exactly(3),
    (&[Flag::Write, Flag::NoScript], Keys::Everything),
    &["request_policy:all_shards", "response_policy:all_succeeded"],
    Docs::new("Delete a function by name", "7.0.0", "O(1)")
        .args(&[Arg::new("library-name", "string")]),
    delete,
);

static DUMP: Spec = spec(
    "function|dump",
    Arity::Exactly(2),
    (&[Flag::NoScript], Keys::Everything),
    &[],
    Docs::new(
        "Dump all functions into a serialized binary payload",
        "7.0.0",
        "O(N) where N is the number of functions",
    ),
    dump,
);

static FLUSH: Spec = spec(
    "function|flush",
    Arity::AtLeast(2),
    (&[Flag::Write, Flag::NoScript], Keys::Everything),
    &["request_policy:all_shards", "response_policy:all_succeeded"],
    Docs::new("Deleting all functions", "7.0.0", "O(N) where N is the number of functions deleted")
        .args(&[Arg::new("async", "oneof")
            .flags(&["optional"])
            .args(&[Arg::word("async", "ASYNC"), Arg::word("sync", "SYNC")])]),
    flush,
);

static HELP: Spec = Spec::help(
    Group::Scripting,
    "function|help",
    Docs::new("Show helpful text about the different subcommands", "7.0.0", "O(1)"),
    |_, _| Ok(Reply::lines(HELP_LINES)),
);

static KILL: Spec = spec(
    "function|kill",
    Arity::Exactly(2),
    (&[Flag::NoScript, Flag::AllowBusy], Keys::None),
    &["request_policy:all_shards", "response_policy:one_succeeded"],
    Docs::new("Kill the function currently in execution.", "7.0.0", "O(1)"),
    kill,
);

static LIST: Spec = spec(
    "function|list",
    Arity::AtLeast(2),
    (&[Flag::NoScript], Keys::Everything),
    &["nondeterministic_output_order"],
    Docs::new(
        "List information about all the functions",
        "7.0.0",
        "O(N) where N is the number of functions",
    )
    .args(&[
        Arg::new("library-name-pattern", "string").token("LIBRARYNAME").flags(&["optional"]),
        Arg::word("withcode", "WITHCODE").flags(&["optional"]),
    ]),
    list,
);

static LOAD: Spec = spec(
    "function|load",
    Arity::AtLeast(3),
    (&[Flag::Write, Flag::DenyOom, Flag::NoScript], Keys::Everything),
    &["request_policy:all_shards", "response_policy:all_succeeded"],
    Docs::new(
        "Create a function with the given arguments (name, code, description)",
        "7.0.0",
        "O(1) (considering compilation time is redundant)",
    )
    .args(&[
        Arg::word("replace", "REPLACE").flags(&["optional"]),
        Arg::new("function-code", "string"),
    ]),
    load,
);

static RESTORE: Spec = spec(
    "function|restore",
    Arity::AtLeast(3),
    (&[Flag::Write, Flag::DenyOom, Flag::NoScript], Keys::Everything),
    &["request_policy:all_shards", "response_policy:all_succeeded"],
    Docs::new(
        "Restore all the functions on the given payload",
        "7.0.0",
        "O(N) where N is the number of functions on the payload",
    )
    .args(&[
        Arg::new("serialized-value", "string"),
        Arg::new("policy", "oneof").flags(&["optional"]).args(&[
            Arg::word("flush", "FLUSH"),
            Arg::word("append", "APPEND"),
            Arg::word("replace", "REPLACE"),
        ]),
    ]),
    restore,
);

static STATS: Spec = spec(
    "function|stats",
    Arity::Exactly(2),
    (&[Flag::NoScript, Flag::AllowBusy], Keys::None),
    &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    Docs::new(
        "Return information about the function currently running (name, description, duration)",
        "7.0.0",
        "O(1)",
    ),
    stats,
);

fn delete(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let name = request.get(2).unwrap_or_default();
    change(ctx, |_, scripting| scripting.runtime.delete_library(name).map_err(to_error))?;
    Ok(Reply::Ok)
}

fn flush(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    if 3 < request.len() {
        let name = request.get(1).unwrap_or_default();
        return Err(WireError::wrong_subcommand_arity("function", name));
    }
    let is_mode = |it: &[u8]| it.eq_ignore_ascii_case(b"sync") || it.eq_ignore_ascii_case(b"async");
    if !request.get(2).is_none_or(is_mode) {
        return Err(wire_error::FUNCTION_FLUSH_MODE);
    }
    change(ctx, |_, scripting| {
        scripting.runtime.flush_libraries();
        Ok(())
    })?;
    Ok(Reply::Ok)
}

fn kill(ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    kill_running(ctx, false)
}

fn load(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let mut words: Vec<_> = request.iter().skip(2).collect();
    let code = words.pop().unwrap_or_default();
    for word in &words {
        if !word.eq_ignore_ascii_case(b"replace") {
            return Err(WireError::unknown_option_given(word));
        }
    }
    let name =
        change(ctx, |ctx, scripting| load_one(ctx, scripting, (request, code), !words.is_empty()))?;
    Ok(Reply::Bulk(Blob::Bytes(name)))
}

/// Loads one library; it has half a second.
fn load_one(
    ctx: &mut Ctx<'_>,
    scripting: &mut Scripting,
    (request, code): (Request<'_>, &[u8]),
    is_replacing: bool,
) -> Result<bytes::Bytes, WireError> {
    let kind =
        Kind { name: b"FUNCTION LOAD", is_eval: false, is_read_only: true, allows_oom: true };
    load_library(ctx, kind, request, LOAD_TIME_MAX, || {
        scripting.runtime.load_library(code, is_replacing, crate::scripting::Bridge)
    })
    .map_err(to_error)
}

const LOAD_TIME_MAX: Duration = Duration::from_millis(500);

/// Changes the libraries of this thread's interpreter, and lets all threads know.
fn change<R>(
    ctx: &mut Ctx<'_>,
    change: impl FnOnce(&mut Ctx<'_>, &mut Scripting) -> Result<R, WireError>,
) -> Result<R, WireError> {
    with_scripting(ctx, |ctx, scripting| {
        scripting.follow_libraries(ctx.keyspace.scripts());
        let result = change(ctx, scripting)?;
        scripting.publish_libraries(ctx.keyspace.scripts());
        ctx.changed_elsewhere();
        Ok(result)
    })
}

fn to_error(error: ScriptError) -> WireError {
    WireError::from_line(error.as_bytes())
}

fn list(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let mut with_code = false;
    let mut pattern = None;
    let mut words = request.iter().skip(2);
    while let Some(word) = words.next() {
        if !with_code && word.eq_ignore_ascii_case(b"withcode") {
            with_code = true;
        } else if pattern.is_none() && word.eq_ignore_ascii_case(b"libraryname") {
            pattern = Some(words.next().ok_or(wire_error::NO_LIBRARY_NAME)?);
        } else {
            return Err(WireError::unknown_word(word));
        }
    }
    with_scripting(ctx, |ctx, scripting| {
        scripting.follow_libraries(ctx.keyspace.scripts());
        let wanted =
            |it: &&Library| pattern.is_none_or(|pattern| glob::matches_nocase(pattern, it.name()));
        let found = scripting.runtime.libraries().filter(wanted);
        Ok(Reply::Array(found.map(|it| describe(it, with_code)).collect()))
    })
}

fn describe(library: &Library, with_code: bool) -> Reply {
    let functions = library.functions().iter().map(|function| {
        let description = function.description().cloned();
        let flags = function.flags().names().map(|it| Reply::Simple(it.into()));
        Reply::map([
            ("name", Reply::Bulk(Blob::Bytes(function.name().clone()))),
            ("description", description.map_or(Reply::Null, |it| Reply::Bulk(Blob::Bytes(it)))),
            ("flags", Reply::Set(flags.collect())),
        ])
    });
    let mut facts = vec![
        (Reply::bulk("library_name"), Reply::Bulk(Blob::Bytes(library.name().clone()))),
        (Reply::bulk("engine"), Reply::bulk(library.engine())),
        (Reply::bulk("functions"), Reply::Array(functions.collect())),
    ];
    if with_code {
        facts.push((Reply::bulk("library_code"), Reply::Bulk(Blob::Bytes(library.code().clone()))));
    }
    Reply::Map(facts)
}

/// What precedes each library in a dump.
const FUNCTION_OPCODE: u8 = 245;

fn dump(ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    let mut compressor = rdb::Compressor::default();
    let mut bytes = Vec::new();
    for code in ctx.keyspace.scripts().codes() {
        bytes.push(FUNCTION_OPCODE);
        rdb::write_string(&mut bytes, &code, Some(&mut compressor));
    }
    Ok(Reply::bulk(payload::seal(bytes)))
}

/// What becomes of libraries that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Flush,
    Append,
    Replace,
}

fn restore(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    if 4 < request.len() {
        let name = request.get(1).unwrap_or_default();
        return Err(WireError::wrong_subcommand_arity("function", name));
    }
    let policy = match request.get(3).map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"append") => Policy::Append,
        Some(b"flush") => Policy::Flush,
        Some(b"replace") => Policy::Replace,
        Some(_) => return Err(wire_error::RESTORE_POLICY),
    };
    let codes = codes_of(request.get(2).unwrap_or_default())?;
    change(ctx, |ctx, scripting| {
        let before = ctx.keyspace.scripts().codes();
        if policy == Policy::Flush {
            scripting.runtime.flush_libraries();
        }
        for code in &codes {
            let replaces = policy == Policy::Replace;
            if let Err(error) = load_one(ctx, scripting, (request, code), replaces) {
                // All or nothing.
                scripting.reset_libraries(&before);
                return Err(error);
            }
        }
        Ok(())
    })?;
    Ok(Reply::Ok)
}

/// The codes in a payload of FUNCTION DUMP.
fn codes_of(bytes: &[u8]) -> Result<Vec<Vec<u8>>, WireError> {
    let bytes = payload::open(bytes).map_err(|_| wire_error::DUMP_PAYLOAD)?;
    let mut reader = Reader::new(bytes);
    let mut codes = Vec::new();
    while !reader.rest().is_empty() {
        if reader.byte().map_err(|_| wire_error::DUMP_READ)? != FUNCTION_OPCODE {
            return Err(wire_error::NOT_A_FUNCTION);
        }
        let code = reader.string().map_err(|_| wire_error::DUMP_READ)?;
        codes.push(code.into_bytes().into_owned());
    }
    Ok(codes)
}

fn stats(ctx: &mut Ctx<'_>, _request: Request<'_>) -> Result<Reply, WireError> {
    let scripts = ctx.keyspace.scripts();
    let running = scripts.running().filter(|it| !it.is_eval).map_or(Reply::Null, |running| {
        let elapsed_us = ctx.now.unix_us.saturating_sub(running.since_unix_us);
        Reply::map([
            ("name", Reply::bulk(running.name.clone())),
            ("command", Reply::bulks(running.request.iter().cloned())),
            ("duration_ms", Reply::uint(elapsed_us / 1000)),
        ])
    });
    let (n_libraries, n_functions) = scripts.loaded();
    let counts = Reply::map([
        ("libraries_count", Reply::count(n_libraries)),
        ("functions_count", Reply::count(n_functions)),
    ]);
    Ok(Reply::map([("running_script", running), ("engines", Reply::map([("LUA", counts)]))]))
}

const HELP_LINES: &[&str] = &[
    "FUNCTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "LOAD [REPLACE] <FUNCTION CODE>",
    "    Create a new library with the given library name and code.",
    "DELETE <LIBRARY NAME>",
    "    Delete the given library.",
    "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
    "    Return general information on all the libraries:",
    "    * Library name",
    "    * The engine used to run the Library",
    "    * Library description",
    "    * Functions list",
    "    * Library code (if WITHCODE is given)",
    "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
    "STATS",
    "    Return information about the current function running:",
    "    * Function name",
    "    * Command used to run the function",
    "    * Duration in MS that the function is running",
    "    If no function is running, return nil",
    "    In addition, returns a list of available engines.",
    "KILL",
    "    Kill the current running function.",
    "FLUSH [ASYNC|SYNC]",
    "    Delete all the libraries.",
    "    When called without the optional mode argument, the behavior is determined by the",
    "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    "    * ASYNC: Asynchronously flush the libraries.",
    "    * SYNC: Synchronously flush the libraries.",
    "DUMP",
    "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
    "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
    "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
    "    control how to handle existing libraries (default APPEND):",
    "    * FLUSH: delete all existing libraries.",
    "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
    "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
    "      libraries with the new libraries (notice that even on this option there is a chance of failure",
    "      in case of functions name collision with another library).",
    "HELP",
    "    Prints this help.",
];
