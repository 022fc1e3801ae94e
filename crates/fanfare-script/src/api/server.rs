//! What else `redis` offers: logging, replies, replication, the version of the protocol.

use std::rc::Rc;

use fanfare_resp::Version;
use mlua::{Lua, MultiValue, Result, Table, Value};

use super::{Args, as_number};
use crate::{
    Caller, LogLevel, Replication, number,
    raise::{self, Raised},
    runtime::Shared,
    sha1,
};

const TO_AOF: i32 = 1;
const TO_REPLICAS: i32 = 2;
const LEVELS: [(&str, LogLevel); 4] = [
    ("LOG_DEBUG", LogLevel::Debug),
    ("LOG_VERBOSE", LogLevel::Verbose),
    ("LOG_NOTICE", LogLevel::Notice),
    ("LOG_WARNING", LogLevel::Warning),
];

pub(super) fn register<C: Caller>(lua: &Lua, redis: &Table, shared: &Rc<Shared<C>>) -> Result<()> {
    redis.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    redis.raw_set("error_reply", lua.create_function(error_reply)?)?;
    redis.raw_set("status_reply", lua.create_function(status_reply)?)?;

    let of = Rc::clone(shared);
    let setresp = move |lua: &Lua, args: MultiValue| set_version(lua, &of, &args);
    redis.raw_set("setresp", lua.create_function(setresp)?)?;

    let of = Rc::clone(shared);
    let set_repl = move |lua: &Lua, args: MultiValue| set_replication(lua, &of, &args);
    redis.raw_set("set_repl", lua.create_function(set_repl)?)?;
    redis.raw_set("REPL_NONE", 0)?;
    redis.raw_set("REPL_AOF", TO_AOF)?;
    redis.raw_set("REPL_SLAVE", TO_REPLICAS)?;
    redis.raw_set("REPL_REPLICA", TO_REPLICAS)?;
    redis.raw_set("REPL_ALL", TO_AOF | TO_REPLICAS)
}

/// `redis.log` and its levels.
pub(super) fn log<C: Caller>(lua: &Lua, redis: &Table, shared: &Rc<Shared<C>>) -> Result<()> {
    let of = Rc::clone(shared);
    let log = move |lua: &Lua, args: MultiValue| write_log(lua, &of, &args);
    redis.raw_set("log", lua.create_function(log)?)?;
    for (number, (name, _)) in LEVELS.iter().enumerate() {
        redis.raw_set(*name, number)?;
    }
    Ok(())
}

fn write_log<C: Caller>(lua: &Lua, shared: &Shared<C>, values: &MultiValue) -> Result<()> {
    let args = Args::new(lua, values);
    if args.len() < 2 {
        return Err(raise::table("redis.log() requires two arguments or more."));
    }
    let Some(level) = args.get(1).and_then(|it| as_number(lua, it)) else {
        return Err(raise::table("First argument must be a number (log level)."));
    };
    let level = usize::try_from(number::to_int(level)).ok().and_then(|it| LEVELS.get(it));
    let Some((_, level)) = level else {
        return Err(raise::table("Invalid debug level."));
    };
    let mut text = Vec::new();
    for n in 2..=args.len() {
        if let Ok(part) = args.string(n) {
            if n != 2 {
                text.push(b' ');
            }
            text.extend_from_slice(&part.as_bytes());
        }
    }
    if let Some(caller) = &mut *shared.caller.borrow_mut() {
        caller.log(*level, &text);
    }
    Ok(())
}

fn sha1hex(lua: &Lua, values: MultiValue) -> Result<Value> {
    let args = Args::new(lua, &values);
    if args.len() != 1 {
        return Err(raise::table("wrong number of arguments"));
    }
    let digest = match args.string(1) {
        Ok(text) => sha1::hex(&text.as_bytes()),
        Err(_) => sha1::hex(b""),
    };
    Ok(Value::String(lua.create_string(digest)?))
}

/// The only argument, if it is a string; numbers are none.
fn only_string(values: &MultiValue) -> Option<&mlua::LuaString> {
    match (values.len(), values.front()) {
        (1, Some(Value::String(text))) => Some(text),
        _ => None,
    }
}

fn wrong_arguments(lua: &Lua) -> Result<Value> {
    let text = b"ERR wrong number or type of arguments".to_vec();
    Raised::Reply { text, is_counted: false }.to_lua(lua)
}

fn error_reply(lua: &Lua, values: MultiValue) -> Result<Value> {
    let Some(text) = only_string(&values) else { return wrong_arguments(lua) };
    let text = text.as_bytes();
    let text = text.strip_prefix(b"-").unwrap_or(&text);
    Raised::from_reply(text, false).to_lua(lua)
}

fn status_reply(lua: &Lua, values: MultiValue) -> Result<Value> {
    let Some(text) = only_string(&values) else { return wrong_arguments(lua) };
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set("ok", text)?;
    Ok(Value::Table(table))
}

fn set_version<C: Caller>(lua: &Lua, shared: &Shared<C>, values: &MultiValue) -> Result<()> {
    let args = Args::new(lua, values);
    if args.len() != 1 {
        return Err(raise::table("redis.setresp() requires one argument."));
    }
    let version = match args.number(1).map_or(0, number::to_int) {
        2 => Version::Resp2,
        3 => Version::Resp3,
        _ => return Err(raise::table("RESP version must be 2 or 3.")),
    };
    shared.version.set(version);
    Ok(())
}

fn set_replication<C: Caller>(lua: &Lua, shared: &Shared<C>, values: &MultiValue) -> Result<()> {
    let args = Args::new(lua, values);
    if args.len() != 1 {
        return Err(raise::table("redis.set_repl() requires two arguments."));
    }
    let flags = args.number(1).map_or(0, number::to_int);
    if flags & !(TO_AOF | TO_REPLICAS) != 0 {
        return Err(raise::table(
            "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        ));
    }
    if let Some(caller) = &mut *shared.caller.borrow_mut() {
        caller.set_replication(Replication {
            to_aof: flags & TO_AOF != 0,
            to_replicas: flags & TO_REPLICAS != 0,
        });
    }
    Ok(())
}
