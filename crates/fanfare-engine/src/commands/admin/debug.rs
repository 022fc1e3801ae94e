//! DEBUG subcommand [argument ...]: what test suites need. Off unless `enable-debug-command` allows it.
//!
//! Source: `DEBUG HELP` of redis-server 7.0; <https://redis.io/docs/latest/commands/debug/> says only that it is
//! internal. Its keys are the whole database, since where a key stands depends on the subcommand.

use std::time::Duration;

use fanfare_resp::Version;

use crate::rdb::{self, Compressor};
use crate::spec::{Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static DEBUG: Spec = Spec {
    name: "debug",
    arity: Arity::AtLeast(2),
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::Database,
    group: Group::Server,
    categories: &[],
    tips: &[],
    docs: Docs::new("A container for debugging commands", "1.0.0", "Depends on subcommand.")
        .doc_flags(&["syscmd"]),
    subcommands: &[],
    run: debug,
};

/// The words of redis-server 7.0 for the subcommands that exist, but for what PANIC does. SHUFFLE-CLIENTS is our own.
const HELP_LINES: &[&str] = &[
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CHANGE-REPL-ID",
    "    Change the replication IDs of the instance.",
    "    Dangerous: should be used only for testing the replication subsystem.",
    "ERROR <string>",
    "    Return a Redis protocol error with <string> as message. Useful for clients",
    "    unit tests to simulate Redis errors.",
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "PANIC",
    "    Panic inside the command: its client is closed, the server goes on.",
    "PROTOCOL <type>",
    "    Reply with a test value of the specified type. <type> can be: string,",
    "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
    "    true, false.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Setting it to 0 disables expiring keys in background when they are not",
    "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
    "    default.",
    "SHUFFLE-CLIENTS <0|1>",
    "    Carry clients from one reactor to another all the time, for tests.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
    "HELP",
    "    Prints this help.",
];

fn debug(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    if !ctx.host.debug_allowed() {
        return Err(wire_error::DEBUG_NOT_ALLOWED);
    }
    let subcommand = request.get(1).unwrap_or_default();
    match (subcommand.to_ascii_lowercase().as_slice(), request.get(2), request.len()) {
        (b"help", None, _) => Ok(Reply::lines(HELP_LINES)),
        (b"change-repl-id", None, _) => {
            ctx.host.debug_change_repl_id();
            Ok(Reply::Ok)
        }
        (b"error", Some(line), 3) => Err(WireError::dictated(line)),
        (b"object", Some(key), 3) => object(ctx, key),
        // Like Redis, it does not look at further arguments.
        (b"panic", _, _) => panic!("DEBUG PANIC was called"),
        (b"protocol", Some(kind), 3) => protocol(ctx, kind),
        (b"set-active-expire", Some(on), 3) => {
            ctx.host.debug_active_expire(number::parse_int(on).is_some_and(|it| it != 0));
            Ok(Reply::Ok)
        }
        (b"shuffle-clients", Some(on), 3) => {
            ctx.host.debug_shuffle_clients(number::parse_int(on).is_some_and(|it| it != 0));
            Ok(Reply::Ok)
        }
        (b"sleep", Some(seconds), 3) => {
            ctx.host.debug_sleep(parse_seconds(seconds));
            Ok(Reply::Ok)
        }
        _ => Err(WireError::wrong_subcommand_arity("debug", subcommand)),
    }
}

/// What is no number of seconds is none, as Redis reads it.
fn parse_seconds(raw: &[u8]) -> Duration {
    let seconds = std::str::from_utf8(raw).ok().and_then(|it| it.parse().ok());
    Duration::try_from_secs_f64(seconds.unwrap_or_default()).unwrap_or_default()
}

/// A line in Redis's form. Address, reference count and LRU clock mean nothing here and are constant.
fn object(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<Reply, WireError> {
    let entry = ctx.entry(key).ok_or(wire_error::NO_SUCH_KEY)?;
    let encoding = entry.value().encoding();
    let mut serialized = Vec::new();
    rdb::write_value(&mut serialized, entry.value(), Some(&mut Compressor::new()));
    // Without the type.
    let serialized_len = serialized.len() - 1;
    Ok(Reply::Simple(
        format!(
            "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:{serialized_len} lru:0 lru_seconds_idle:0"
        )
        .into(),
    ))
}

/// A value of each type, with the bytes of redis-server.
#[expect(clippy::approx_constant, reason = "Redis's test value is not pi")]
fn protocol(ctx: &Ctx<'_>, kind: &[u8]) -> Result<Reply, WireError> {
    let numbers = || (0..3).map(Reply::Int);
    Ok(match kind.to_ascii_lowercase().as_slice() {
        b"string" => Reply::bulk("Hello World"),
        b"integer" => Reply::Int(12345),
        b"double" => Reply::Double(3.141),
        b"null" => Reply::Null,
        b"array" => Reply::Array(numbers().collect()),
        b"set" => Reply::Set(numbers().collect()),
        b"map" => Reply::Map(numbers().zip([false, true, false].map(Reply::Bool)).collect()),
        b"attrib" => attribute(),
        b"push" => return push(ctx.client.version),
        b"verbatim" => Reply::text("This is a verbatim\nstring"),
        b"true" => Reply::Bool(true),
        b"false" => Reply::Bool(false),
        b"bignum" => Reply::BigNumber("1234567999999999999999999999999999999".into()),
        _ => return Err(wire_error::BAD_PROTOCOL_TYPE),
    })
}

fn attribute() -> Reply {
    let popularity = Reply::Array(vec![Reply::bulk("key:123"), Reply::Int(90)]);
    Reply::Attribute(
        vec![(Reply::bulk("key-popularity"), popularity)],
        Box::new(Reply::bulk("Some real reply following the attribute")),
    )
}

fn push(version: Version) -> Result<Reply, WireError> {
    match version {
        Version::Resp2 => Err(wire_error::RESP2_NOT_SUPPORTED),
        Version::Resp3 => Ok(Reply::Many(vec![
            Reply::Push(vec![Reply::bulk("server-cpu-usage"), Reply::Int(42)]),
            Reply::bulk("Some real reply following the push reply"),
        ])),
    }
}
