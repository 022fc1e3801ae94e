//! The table `redis`, and what else asks the server.

mod args;
mod command;
mod random;
mod register;
mod server;

use std::rc::Rc;

use mlua::{Lua, Result, Table, Value};

use crate::{Caller, bit, cjson, cmsgpack, runtime::Shared, structure};

pub(crate) use args::{Args, as_number};
pub(crate) use command::Buffer;

/// `0x00MMmmpp` of the Redis that scripts believe to run on.
const VERSION_NUM: i64 = 0x0007_000F;
const VERSION: &str = "7.0.15";

/// All that the prelude puts into the globals.
pub(crate) fn tables<C: Caller>(lua: &Lua, shared: &Rc<Shared<C>>) -> Result<Table> {
    let api = lua.create_table()?;
    let library = lua.create_table()?;
    facts(lua, &library, shared)?;
    command::register(lua, &library, shared)?;
    server::register(lua, &library, shared)?;

    let eval = copy(lua, &library)?;
    eval.raw_set("breakpoint", lua.create_function(|_, ()| Ok(false))?)?;
    eval.raw_set("debug", lua.create_function(|_, ()| Ok(()))?)?;
    eval.raw_set("replicate_commands", lua.create_function(|_, ()| Ok(true))?)?;

    let loading = lua.create_table()?;
    facts(lua, &loading, shared)?;
    register::register(lua, &loading, shared)?;

    api.raw_set("eval", eval)?;
    api.raw_set("library", library)?;
    api.raw_set("loading", loading)?;
    random::register(lua, &api, shared)?;
    api.raw_set("bit", bit::table(lua)?)?;
    api.raw_set("struct", structure::table(lua)?)?;
    api.raw_set("cjson", cjson::table(lua)?)?;
    api.raw_set("cmsgpack", cmsgpack::table(lua)?)?;
    Ok(api)
}

/// What `redis` has even while a library is loaded.
fn facts<C: Caller>(lua: &Lua, redis: &Table, shared: &Rc<Shared<C>>) -> Result<()> {
    server::log(lua, redis, shared)?;
    redis.raw_set("REDIS_VERSION_NUM", VERSION_NUM)?;
    redis.raw_set("REDIS_VERSION", VERSION)
}

fn copy(lua: &Lua, table: &Table) -> Result<Table> {
    let copy = lua.create_table()?;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        copy.raw_set(key, value)?;
    }
    Ok(copy)
}
