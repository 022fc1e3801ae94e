//! The table `bit`: LuaBitOp, on 32 bits with sign.

use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

use crate::api::Args;

/// Adding this rounds a double to an integer and leaves its low bits at the end.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

pub(crate) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    unary(lua, &table, "tobit", |it| it)?;
    unary(lua, &table, "bnot", |it| !it)?;
    unary(lua, &table, "bswap", u32::swap_bytes)?;
    fold(lua, &table, "band", |a, b| a & b)?;
    fold(lua, &table, "bor", |a, b| a | b)?;
    fold(lua, &table, "bxor", |a, b| a ^ b)?;
    shift(lua, &table, "lshift", |it, n| it << n)?;
    shift(lua, &table, "rshift", |it, n| it >> n)?;
    shift(lua, &table, "arshift", |it, n| (it.cast_signed() >> n).cast_unsigned())?;
    shift(lua, &table, "rol", u32::rotate_left)?;
    shift(lua, &table, "ror", u32::rotate_right)?;
    table.raw_set("tohex", lua.create_function(to_hex)?)?;
    Ok(table)
}

fn bits(args: &Args<'_>, n: usize) -> Result<u32> {
    let bits = (args.number(n)? + ROUNDING).to_bits();
    Ok(u32::try_from(bits & 0xFFFF_FFFF).unwrap_or(0))
}

fn signed(bits: u32) -> Value {
    Value::Integer(i64::from(bits.cast_signed()))
}

fn unary(lua: &Lua, table: &Table, name: &str, f: fn(u32) -> u32) -> Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        Ok(signed(f(bits(&Args::new(lua, &args), 1)?)))
    })?;
    table.raw_set(name, function)
}

fn fold(lua: &Lua, table: &Table, name: &str, f: fn(u32, u32) -> u32) -> Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        let args = Args::new(lua, &args);
        let mut all = bits(&args, 1)?;
        for n in 2..=args.len() {
            all = f(all, bits(&args, n)?);
        }
        Ok(signed(all))
    })?;
    table.raw_set(name, function)
}

fn shift(lua: &Lua, table: &Table, name: &str, f: fn(u32, u32) -> u32) -> Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        let args = Args::new(lua, &args);
        let value = bits(&args, 1)?;
        Ok(signed(f(value, bits(&args, 2)? & 31)))
    })?;
    table.raw_set(name, function)
}

fn to_hex(lua: &Lua, values: MultiValue) -> Result<LuaString> {
    let args = Args::new(lua, &values);
    let value = bits(&args, 1)?;
    let n = if args.len() < 2 { 8 } else { bits(&args, 2)?.cast_signed() };
    let text = if n < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    let n = n.unsigned_abs().min(8) as usize;
    lua.create_string(text.get(8 - n..).unwrap_or_default())
}
