//! Errors of functions that scripts call.
//!
//! A Rust function can only raise an object of mlua's. [`Raised`] travels inside it; wherever a
//! script would see the object, it gets [`Raised::into_lua`] in its place.

use std::fmt;

use mlua::{Error, Lua, Result, Value};

/// What a script sees as the error value.
#[derive(Clone, Debug)]
pub(crate) enum Raised {
    /// A string, as Lua's own functions raise.
    Text(Vec<u8>),
    /// A table with the field `err`, as `redis.call` raises.
    Reply {
        /// The error, its code first.
        text: Vec<u8>,
        /// The command that failed has counted the error already.
        is_counted: bool,
    },
    /// As [`Raised::Reply`], raised by the hook to end the script.
    Killed(Vec<u8>),
}

impl Raised {
    /// The value of a script.
    pub(crate) fn to_lua(&self, lua: &Lua) -> Result<Value> {
        match self {
            Self::Text(text) => Ok(Value::String(lua.create_string(text)?)),
            Self::Reply { text, is_counted } => {
                let table = lua.create_table()?;
                table.raw_set("err", lua.create_string(text)?)?;
                if *is_counted {
                    table.raw_set("ignore_error_stats_update", true)?;
                }
                Ok(Value::Table(table))
            }
            Self::Killed(text) => {
                let table = lua.create_table()?;
                table.raw_set("err", lua.create_string(text)?)?;
                Ok(Value::Table(table))
            }
        }
    }

    /// An error reply of a command: a code, a space, and the text without line ends.
    pub(crate) fn from_reply(error: &[u8], is_counted: bool) -> Self {
        let (code, text) = match error.iter().position(|it| *it == b' ') {
            Some(at) => {
                let (code, text) = error.split_at(at);
                (code, text.get(1..).unwrap_or_default())
            }
            None => (&b"ERR"[..], error),
        };
        let text = [code, b" ", trim_line_ends(text)].concat();
        Self::Reply { text, is_counted }
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Reply { text, .. } | Self::Killed(text) => {
                f.write_str(&String::from_utf8_lossy(text))
            }
        }
    }
}

impl std::error::Error for Raised {}

fn trim_line_ends(text: &[u8]) -> &[u8] {
    let is_end = |it: &u8| matches!(it, b'\r' | b'\n');
    let from = text.iter().position(|it| !is_end(it)).unwrap_or(text.len());
    let to = text.iter().rposition(|it| !is_end(it)).map_or(from, |it| it + 1);
    text.get(from..to).unwrap_or_default()
}

/// As `luaL_error`: the place of the call stands before the text.
pub(crate) fn error(lua: &Lua, text: impl AsRef<[u8]>) -> Error {
    error_of(lua, 0, text)
}

/// As [`error`], raised for the function at `level`, where 0 is the one that runs.
pub(crate) fn error_of(lua: &Lua, level: usize, text: impl AsRef<[u8]>) -> Error {
    let place = lua.inspect_stack(level + 1, |it| {
        let source = it.source();
        let line = it.current_line()?;
        Some(format!("{}:{line}: ", source.short_src?))
    });
    let place = place.flatten().unwrap_or_default();
    Error::external(Raised::Text([place.as_bytes(), text.as_ref()].concat()))
}

/// An error table with the code `ERR`.
pub(crate) fn table(text: &str) -> Error {
    Error::external(Raised::Reply { text: format!("ERR {text}").into(), is_counted: false })
}

/// As `luaL_argerror`, about the argument `n`, which counts from 1.
pub(crate) fn argument(lua: &Lua, n: usize, text: impl AsRef<str>) -> Error {
    argument_of(lua, (0, "?"), n, text.as_ref())
}

/// As [`argument`], raised for the function at `level`, where 0 is the one that runs. If nobody knows any more how it
/// was called, it has its own name.
fn argument_of(lua: &Lua, (level, own_name): (usize, &str), n: usize, text: &str) -> Error {
    let name = lua.inspect_stack(level, |it| {
        let names = it.names();
        names.name.map(|name| (name.into_owned(), names.name_what == Some("method")))
    });
    let (name, is_method) = name.flatten().unwrap_or_else(|| {
        let is_forgotten = lua.inspect_stack(level + 1, |it| it.source().what == "tail");
        let name = if is_forgotten == Some(true) { own_name } else { "?" };
        (name.to_owned(), false)
    });
    let n = if is_method { n.saturating_sub(1) } else { n };
    if is_method && n == 0 {
        return error_of(lua, level, format!("calling '{name}' on bad self ({text})"));
    }
    error_of(lua, level, format!("bad argument #{n} to '{name}' ({text})"))
}

/// How the errors begin that Lua's functions for patterns raise.
const OF_PATTERNS: [&str; 8] = [
    "bad argument #",
    "invalid ",
    "malformed pattern ",
    "missing '[' after ",
    "pattern too complex",
    "too many captures",
    "unbalanced pattern",
    "unfinished capture",
];

/// Raises for a function of the prelude what a function of C raised that it called by `pcall`: there the place is
/// missing, and the name of the function. What else was raised meanwhile has its place.
pub(crate) fn blame(lua: &Lua, level: usize, own_name: &str, raised: &[u8]) -> Error {
    let is_of_c = |it: &&str| OF_PATTERNS.iter().any(|begin| it.starts_with(begin));
    let Some(text) = std::str::from_utf8(raised).ok().filter(is_of_c) else {
        return Error::external(Raised::Text(raised.to_vec()));
    };
    let about = text.strip_prefix("bad argument #").and_then(|it| it.split_once(" to '?' ("));
    if let Some((n, what)) = about
        && let (Ok(n), Some(what)) = (n.parse(), what.strip_suffix(')'))
    {
        return argument_of(lua, (level, own_name), n, what);
    }
    error_of(lua, level, text)
}

/// As `luaL_typerror`.
pub(crate) fn wrong_type(lua: &Lua, n: usize, expected: &str, value: Option<&Value>) -> Error {
    let got = value.map_or("no value", type_name);
    argument(lua, n, format!("{expected} expected, got {got}"))
}

/// The name that Lua has for the type of a value.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        _ => "userdata",
    }
}

/// What was raised, if it was raised here.
pub(crate) fn raised(error: &Error) -> Option<&Raised> {
    match error {
        Error::CallbackError { cause, .. } => raised(cause),
        Error::WithContext { cause, .. } => raised(cause),
        other => other.downcast_ref(),
    }
}

/// The text of any error.
pub(crate) fn text_of(error: &Error) -> Vec<u8> {
    match (raised(error), error) {
        (Some(Raised::Text(text) | Raised::Reply { text, .. } | Raised::Killed(text)), _) => {
            text.clone()
        }
        (None, Error::CallbackError { cause, .. }) => text_of(cause),
        (None, Error::MemoryError(_)) => b"not enough memory".to_vec(),
        (None, Error::SyntaxError { message, .. }) => message.clone().into_bytes(),
        (None, Error::RuntimeError(message)) => {
            let end = message.find("\nstack traceback:").unwrap_or(message.len());
            message.as_bytes().get(..end).unwrap_or_default().to_vec()
        }
        (None, other) => other.to_string().into_bytes(),
    }
}

/// As [`lift`], and whether it is there to end the script. No hook runs while such an error is
/// handled, so that a handler of the script's own could not be ended.
pub(crate) fn lift_and_judge(lua: &Lua, value: Value) -> Result<(Value, bool)> {
    let is_kill = match &value {
        Value::Error(error) => matches!(raised(error), Some(Raised::Killed(_))),
        _ => false,
    };
    Ok((lift(lua, value)?, is_kill))
}

/// What a script sees for a caught value: that which was raised, or the value itself.
pub(crate) fn lift(lua: &Lua, value: Value) -> Result<Value> {
    match value {
        Value::Error(error) => match raised(&error) {
            Some(raised) => raised.to_lua(lua),
            None => Ok(Value::String(lua.create_string(text_of(&error))?)),
        },
        other => Ok(other),
    }
}
