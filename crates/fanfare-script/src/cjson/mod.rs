//! The table `cjson`: lua-cjson 2.1.0 with its options.

mod decode;
mod encode;
mod options;

use std::{cell::RefCell, rc::Rc};

use mlua::{Lua, Result, Table, Value};

use options::Options;

pub(crate) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    let options = Rc::new(RefCell::new(Options::default()));
    encode::register(lua, &table, &options)?;
    decode::register(lua, &table, &options)?;
    options::register(lua, &table, &options)?;
    table.raw_set("new", lua.create_function(|lua, ()| self::table(lua))?)?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}
