//! Between replies and the values of Lua.

use bytes::Bytes;
use fanfare_resp::{Value as Reply, Version};
use mlua::{Lua, LuaString, Result, Table, Value};

use crate::{number, raise::Raised};

/// Deeper values are an error inside the reply, as when Redis runs out of Lua's stack.
const DEPTH_MAX: usize = 200;

/// The fields by which a table says what it is, made once.
pub(crate) struct Names {
    err: LuaString,
    ok: LuaString,
    double: LuaString,
    big_number: LuaString,
    verbatim_string: LuaString,
    format: LuaString,
    string: LuaString,
    map: LuaString,
    set: LuaString,
}

impl Names {
    pub(crate) fn new(lua: &Lua) -> Result<Self> {
        Ok(Self {
            err: lua.create_string("err")?,
            ok: lua.create_string("ok")?,
            double: lua.create_string("double")?,
            big_number: lua.create_string("big_number")?,
            verbatim_string: lua.create_string("verbatim_string")?,
            format: lua.create_string("format")?,
            string: lua.create_string("string")?,
            map: lua.create_string("map")?,
            set: lua.create_string("set")?,
        })
    }

    /// What a command answered, as a script sees it. An error becomes a table.
    pub(crate) fn to_lua(&self, lua: &Lua, reply: Reply) -> Result<Value> {
        Ok(match reply {
            Reply::BulkString(bytes) => Value::String(lua.create_string(bytes)?),
            Reply::Integer(number) => Value::Integer(number),
            Reply::SimpleString(text) => {
                let table = lua.create_table_with_capacity(0, 1)?;
                table.raw_set(&self.ok, lua.create_string(text)?)?;
                Value::Table(table)
            }
            Reply::SimpleError(text) | Reply::BulkError(text) => {
                Raised::from_reply(&text, true).to_lua(lua)?
            }
            Reply::NullBulk | Reply::NullArray => Value::Boolean(false),
            Reply::Null => Value::Nil,
            Reply::Boolean(it) => Value::Boolean(it),
            Reply::Array(items) | Reply::Push(items) => {
                let table = lua.create_table_with_capacity(items.len(), 0)?;
                for (index, item) in items.into_iter().enumerate() {
                    table.raw_seti(index + 1, self.to_lua(lua, item)?)?;
                }
                Value::Table(table)
            }
            Reply::Attribute { value, .. } => self.to_lua(lua, *value)?,
            other => self.typed_to_lua(lua, other)?,
        })
    }

    /// The types that only RESP3 has: tables with one field. They grow as in Redis, because how a
    /// table has grown decides the order in which scripts see it.
    fn typed_to_lua(&self, lua: &Lua, reply: Reply) -> Result<Value> {
        let outer = lua.create_table_with_capacity(0, 1)?;
        match reply {
            Reply::Map(pairs) => {
                let map = lua.create_table()?;
                for (key, value) in pairs {
                    map.raw_set(self.to_lua(lua, key)?, self.to_lua(lua, value)?)?;
                }
                outer.raw_set(&self.map, map)?;
            }
            Reply::Set(items) => {
                let set = lua.create_table()?;
                for item in items {
                    set.raw_set(self.to_lua(lua, item)?, true)?;
                }
                outer.raw_set(&self.set, set)?;
            }
            Reply::Double(number) => outer.raw_set(&self.double, number)?,
            Reply::BigNumber(digits) => {
                outer.raw_set(&self.big_number, lua.create_string(digits)?)?;
            }
            Reply::Verbatim { format, text } => {
                let verbatim = lua.create_table()?;
                verbatim.raw_set(&self.string, lua.create_string(text)?)?;
                verbatim.raw_set(&self.format, lua.create_string(format)?)?;
                outer.raw_set(&self.verbatim_string, verbatim)?;
            }
            other => return self.to_lua(lua, other),
        }
        Ok(Value::Table(outer))
    }

    /// What a script returned. `version` is the one it chose with `redis.setresp`.
    pub(crate) fn to_reply(&self, value: &Value, version: Version) -> Reply {
        self.nested(value, version, 0)
    }

    fn nested(&self, value: &Value, version: Version, depth: usize) -> Reply {
        if DEPTH_MAX <= depth {
            return Reply::SimpleError(Bytes::from_static(b"ERR reached lua stack limit"));
        }
        match value {
            Value::String(text) => Reply::BulkString(copy(text)),
            Value::Integer(number) => Reply::Integer(*number),
            Value::Number(number) => Reply::Integer(number::to_integer(*number)),
            Value::Boolean(it) if version == Version::Resp3 => Reply::Boolean(*it),
            Value::Boolean(true) => Reply::Integer(1),
            Value::Table(table) => self.table(table, version, depth).unwrap_or(Reply::Null),
            _ => Reply::Null,
        }
    }

    fn table(&self, table: &Table, version: Version, depth: usize) -> Result<Reply> {
        if let Value::String(text) = table.raw_get(&self.err)? {
            return Ok(Reply::SimpleError(error_line(&text.as_bytes())));
        }
        if let Value::String(text) = table.raw_get(&self.ok)? {
            return Ok(Reply::SimpleString(Bytes::copy_from_slice(c_string(&text.as_bytes()))));
        }
        match table.raw_get(&self.double)? {
            #[expect(clippy::cast_precision_loss, reason = "it was a double")]
            Value::Integer(number) => return Ok(Reply::Double(number as f64)),
            Value::Number(number) => return Ok(Reply::Double(number)),
            _ => {}
        }
        if let Value::String(digits) = table.raw_get(&self.big_number)? {
            return Ok(Reply::BigNumber(without_line_ends(&digits.as_bytes())));
        }
        if let Value::Table(verbatim) = table.raw_get(&self.verbatim_string)?
            && let Value::String(format) = verbatim.raw_get(&self.format)?
            && let Value::String(text) = verbatim.raw_get(&self.string)?
        {
            return Ok(Reply::Verbatim { format: three(&format.as_bytes()), text: copy(&text) });
        }
        if let Value::Table(map) = table.raw_get(&self.map)? {
            let mut pairs = Vec::new();
            for pair in map.pairs::<Value, Value>() {
                let (key, value) = pair?;
                let key = self.nested(&key, version, depth + 1);
                pairs.push((key, self.nested(&value, version, depth + 1)));
            }
            return Ok(Reply::Map(pairs));
        }
        if let Value::Table(set) = table.raw_get(&self.set)? {
            let mut items = Vec::new();
            for pair in set.pairs::<Value, Value>() {
                items.push(self.nested(&pair?.0, version, depth + 1));
            }
            return Ok(Reply::Set(items));
        }
        let mut items = Vec::new();
        loop {
            match table.raw_get(items.len() + 1)? {
                Value::Nil => return Ok(Reply::Array(items)),
                value => items.push(self.nested(&value, version, depth + 1)),
            }
        }
    }
}

fn copy(text: &LuaString) -> Bytes {
    Bytes::copy_from_slice(&text.as_bytes())
}

/// What C sees of a string.
fn c_string(text: &[u8]) -> &[u8] {
    text.split(|it| *it == 0).next().unwrap_or_default()
}

fn without_line_ends(text: &[u8]) -> Bytes {
    text.iter().map(|it| if matches!(it, b'\r' | b'\n') { b' ' } else { *it }).collect()
}

/// One line for an error, ends of lines at its own end left out.
pub(crate) fn error_line(text: &[u8]) -> Bytes {
    let text = c_string(text);
    let len = text.iter().rposition(|it| !matches!(it, b'\r' | b'\n')).map_or(0, |it| it + 1);
    without_line_ends(text.get(..len).unwrap_or_default())
}

fn three(format: &[u8]) -> [u8; 3] {
    let mut out = [b' '; 3];
    for (to, from) in out.iter_mut().zip(format) {
        *to = *from;
    }
    out
}
