//! Arguments of functions that scripts call, checked in the words of Lua's C functions.

use mlua::{Error, Lua, LuaString, MultiValue, Result, Value};

use crate::{number, raise};

/// The arguments of a call; they count from 1.
pub(crate) struct Args<'a> {
    pub(crate) lua: &'a Lua,
    values: &'a MultiValue,
}

impl<'a> Args<'a> {
    pub(crate) fn new(lua: &'a Lua, values: &'a MultiValue) -> Self {
        Self { lua, values }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn get(&self, n: usize) -> Option<&'a Value> {
        self.values.get(n.wrapping_sub(1))
    }

    /// Nothing, or nil.
    pub(crate) fn is_none_or_nil(&self, n: usize) -> bool {
        matches!(self.get(n), None | Some(Value::Nil))
    }

    pub(crate) fn number(&self, n: usize) -> Result<f64> {
        self.get(n)
            .and_then(|it| as_number(self.lua, it))
            .ok_or_else(|| self.wrong_type(n, "number"))
    }

    /// As `luaL_checkinteger`.
    pub(crate) fn integer(&self, n: usize) -> Result<i64> {
        self.number(n).map(number::to_integer)
    }

    /// As `luaL_checkint`.
    pub(crate) fn int(&self, n: usize) -> Result<i32> {
        self.number(n).map(number::to_int)
    }

    pub(crate) fn string(&self, n: usize) -> Result<LuaString> {
        let value = self.get(n).cloned().unwrap_or(Value::Nil);
        self.lua.coerce_string(value)?.ok_or_else(|| self.wrong_type(n, "string"))
    }

    pub(crate) fn error(&self, text: impl AsRef<[u8]>) -> Error {
        raise::error(self.lua, text)
    }

    pub(crate) fn argument(&self, n: usize, text: impl AsRef<str>) -> Error {
        raise::argument(self.lua, n, text)
    }

    pub(crate) fn wrong_type(&self, n: usize, expected: &str) -> Error {
        raise::wrong_type(self.lua, n, expected, self.get(n))
    }
}

/// A number, or a string that is one.
pub(crate) fn as_number(lua: &Lua, value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "it was a double")]
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(_) => lua.coerce_number(value.clone()).ok().flatten(),
        _ => None,
    }
}
