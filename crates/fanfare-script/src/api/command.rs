//! `redis.call`, `redis.pcall` and `redis.acl_check_cmd`.

use std::rc::Rc;

use fanfare_resp::{Request, Span, Value as Reply};
use mlua::{Error, Lua, MultiValue, Result, Table, Value};

use crate::{
    Caller, number,
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
        let may = with_request(&of, &args, |request| match &mut *of.caller.borrow_mut() {
            Some(caller) => Ok(caller.may_call(request)),
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
    let reply = with_request(shared, args, |request| match &mut *shared.caller.borrow_mut() {
        Some(caller) => Ok(caller.call(request, shared.version.get())),
        None => Err(NOT_RUNNING),
    });
    reply.and_then(|it| it)
}

/// Arguments of a command, one after the other as a request has them. Its memory is used again.
#[derive(Default)]
pub(crate) struct Buffer {
    data: Vec<u8>,
    spans: Vec<Span>,
}

/// A larger buffer is not kept.
const BUFFER_BYTES_MAX: usize = 64 << 10;

impl Buffer {
    fn fill(&mut self, args: &MultiValue) -> std::result::Result<(), &'static str> {
        self.data.clear();
        self.spans.clear();
        for value in args {
            let start = self.data.len();
            match value {
                Value::String(text) => self.data.extend_from_slice(&text.as_bytes()),
                #[expect(clippy::cast_precision_loss, reason = "it was a double")]
                Value::Integer(number) => {
                    self.data.extend_from_slice(&number::general(*number as f64, 17));
                }
                Value::Number(number) => {
                    self.data.extend_from_slice(&number::general(*number, 17));
                }
                _ => return Err("Lua redis lib command arguments must be strings or integers"),
            }
            self.spans.push(Span { start, end: self.data.len() });
        }
        Ok(())
    }
}

/// Hands the arguments on.
fn with_request<C, T>(
    shared: &Shared<C>,
    args: &MultiValue,
    f: impl FnOnce(Request<'_>) -> T,
) -> std::result::Result<T, &'static str> {
    if args.is_empty() {
        return Err("Please specify at least one argument for this redis lib call");
    }
    let mut buffer = shared.buffer.take();
    buffer.fill(args)?;
    let done = f(Request::new(&buffer.data, &buffer.spans));
    if buffer.data.capacity() <= BUFFER_BYTES_MAX {
        shared.buffer.replace(buffer);
    }
    Ok(done)
}
