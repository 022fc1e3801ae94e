//! `redis.call`, `redis.pcall` and `redis.acl_check_cmd`.

use std::rc::Rc;

use fanfare_resp::Value as Reply;
use mlua::{BorrowedBytes, Error, Lua, MultiValue, Result, Table, Value};
use smallvec::SmallVec;

use crate::{
    Caller,
    number::{self, NumberText},
    raise::{self, Raised},
    runtime::Shared,
};

pub(super) fn register<C: Caller>(lua: &Lua, redis: &Table, shared: &Rc<Shared<C>>) -> Result<()> {
    let of = Rc::clone(shared);
    let call = move |lua: &Lua, args: MultiValue| match run(&of, &args) {
        Ok(Reply::SimpleError(text) | Reply::BulkError(text)) => {
            Err(Error::external(Raised::from_reply(&text, true)))
        }
        Ok(reply) => of.unlimited(lua, || of.names.to_lua(lua, reply)),
        Err(text) => Err(raise::table(text)),
    };
    redis.raw_set("call", lua.create_function(call)?)?;

    let of = Rc::clone(shared);
    let pcall = move |lua: &Lua, args: MultiValue| match run(&of, &args) {
        Ok(reply) => of.unlimited(lua, || of.names.to_lua(lua, reply)),
        Err(NOT_RUNNING) => Err(raise::table(NOT_RUNNING)),
        Err(text) => {
            Raised::Reply { text: format!("ERR {text}").into(), is_counted: false }.to_lua(lua)
        }
    };
    redis.raw_set("pcall", lua.create_function(pcall)?)?;

    let of = Rc::clone(shared);
    let check = move |_: &Lua, args: MultiValue| {
        let may = with_args(&args, |args| match &mut *of.caller.borrow_mut() {
            Some(caller) => Ok(caller.may_call(args)),
            None => Err("redis.acl_check_cmd can only be called inside a script invocation"),
        });
        match may {
            Ok(Ok(Some(may))) => Ok(may),
            Ok(Ok(None)) => Err(raise::table("Invalid command passed to redis.acl_check_cmd()")),
            Ok(Err(text)) | Err(text) => Err(raise::table(text)),
        }
    };
    redis.raw_set("acl_check_cmd", lua.create_function(check)?)
}

const NOT_RUNNING: &str = "redis.call/pcall can only be called inside a script invocation";

/// Runs a command; what never reaches the caller is an error of this crate.
fn run<C: Caller>(
    shared: &Shared<C>,
    args: &MultiValue,
) -> std::result::Result<Reply, &'static str> {
    let reply = with_args(args, |args| match &mut *shared.caller.borrow_mut() {
        Some(caller) => Ok(caller.call(args, shared.version.get())),
        None => Err(NOT_RUNNING),
    });
    reply.and_then(|it| it)
}

/// An argument: bytes of a Lua string, or the text of a number.
enum Arg {
    String(BorrowedBytes),
    Number(NumberText),
}

/// Hands the arguments on without copying strings.
fn with_args<T>(
    args: &MultiValue,
    f: impl FnOnce(&[&[u8]]) -> T,
) -> std::result::Result<T, &'static str> {
    if args.is_empty() {
        return Err("Please specify at least one argument for this redis lib call");
    }
    let mut held: SmallVec<[Arg; 6]> = SmallVec::with_capacity(args.len());
    for value in args {
        held.push(match value {
            Value::String(text) => Arg::String(text.as_bytes()),
            #[expect(clippy::cast_precision_loss, reason = "it was a double")]
            Value::Integer(number) => Arg::Number(number::general(*number as f64, 17)),
            Value::Number(number) => Arg::Number(number::general(*number, 17)),
            _ => return Err("Lua redis lib command arguments must be strings or integers"),
        });
    }
    let slices: SmallVec<[&[u8]; 6]> = held
        .iter()
        .map(|it| match it {
            Arg::String(bytes) => &**bytes,
            Arg::Number(text) => text,
        })
        .collect();
    Ok(f(&slices))
}
