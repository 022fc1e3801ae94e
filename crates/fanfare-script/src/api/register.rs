//! `redis.register_function`, which only exists while a library is loaded.

use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Result, Table, Value};

use super::Args;
use crate::{
    Caller, Flags,
    library::{NAME_RULE, Registered, is_name},
    raise,
    runtime::Shared,
};

pub(super) fn register<C: Caller>(lua: &Lua, redis: &Table, shared: &Rc<Shared<C>>) -> Result<()> {
    let of = Rc::clone(shared);
    let register = move |lua: &Lua, args: MultiValue| {
        let mut loading = of.loading.borrow_mut();
        let Some(functions) = &mut *loading else {
            return Err(raise::table(
                "redis.register_function can only be called on FUNCTION LOAD command",
            ));
        };
        let function = match args.len() {
            1 => named(lua, &args).map_err(raise::table)?,
            2 => positional(lua, &args).map_err(raise::table)?,
            _ => {
                return Err(raise::table("wrong number of arguments to redis.register_function"));
            }
        };
        if !is_name(&function.name) {
            return Err(raise::table(NAME_RULE));
        }
        if functions.iter().any(|it| it.name == function.name) {
            return Err(raise::table("Function already exists in the library"));
        }
        functions.push(function);
        Ok(())
    };
    redis.raw_set("register_function", lua.create_function(register)?)
}

type Wrong = &'static str;

fn positional(lua: &Lua, values: &MultiValue) -> std::result::Result<Registered, Wrong> {
    let args = Args::new(lua, values);
    let name =
        string(&args, 1).ok_or("first argument to redis.register_function must be a string")?;
    let Some(Value::Function(callback)) = args.get(2) else {
        return Err("second argument to redis.register_function must be a function");
    };
    Ok(Registered { name, description: None, flags: Flags::default(), callback: callback.clone() })
}

fn named(lua: &Lua, values: &MultiValue) -> std::result::Result<Registered, Wrong> {
    let Some(Value::Table(table)) = values.front() else {
        return Err(
            "calling redis.register_function with a single argument is only applicable to \
                    Lua table (representing named arguments).",
        );
    };
    let mut name = None;
    let mut description = None;
    let mut callback: Option<Function> = None;
    let mut flags = Flags::default();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|_| "unknown argument given to redis.register_function")?;
        let key = text(lua, &key)
            .ok_or("named argument key given to redis.register_function is not a string")?;
        match &*key.to_ascii_lowercase() {
            b"function_name" => {
                let given = text(lua, &value);
                name = Some(given.ok_or(
                    "function_name argument given to redis.register_function must be a string",
                )?);
            }
            b"description" => {
                let given = text(lua, &value);
                description = Some(given.ok_or(
                    "description argument given to redis.register_function must be a string",
                )?);
            }
            b"callback" => match value {
                Value::Function(it) => callback = Some(it),
                _ => {
                    return Err(
                        "callback argument given to redis.register_function must be a function",
                    );
                }
            },
            b"flags" => {
                let Value::Table(list) = value else {
                    return Err("flags argument to redis.register_function must be a table \
                                representing function flags");
                };
                flags = read_flags(lua, &list).ok_or("unknown flag given")?;
            }
            _ => return Err("unknown argument given to redis.register_function"),
        }
    }
    Ok(Registered {
        name: name.ok_or("redis.register_function must get a function name argument")?,
        description,
        flags,
        callback: callback.ok_or("redis.register_function must get a callback argument")?,
    })
}

fn read_flags(lua: &Lua, list: &Table) -> Option<Flags> {
    let mut flags = Flags::default();
    for n in 1.. {
        match list.get::<Value>(n).ok()? {
            Value::Nil => break,
            value => {
                let name = text(lua, &value)?;
                if !flags.set(&name.to_ascii_lowercase()) {
                    return None;
                }
            }
        }
    }
    Some(flags)
}

fn string(args: &Args<'_>, n: usize) -> Option<Vec<u8>> {
    args.get(n).and_then(|it| text(args.lua, it))
}

/// A string, or a number as one.
fn text(lua: &Lua, value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(_) | Value::Integer(_) | Value::Number(_) => {
            let text = lua.coerce_string(value.clone()).ok()??;
            Some(text.as_bytes().to_vec())
        }
        _ => None,
    }
}
