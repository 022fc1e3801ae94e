//! The table `cmsgpack`: MessagePack.

use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

use crate::{
    api::{Args, as_number},
    number,
};

/// Deeper tables are packed as nil.
const PACK_DEPTH_MAX: usize = 16;
/// Deeper data would not fit on Lua's stack in Redis.
const UNPACK_DEPTH_MAX: usize = 3_900;

pub(crate) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set("unpack", lua.create_function(|lua, it| unpack(&Args::new(lua, &it), 0, 0))?)?;
    let one = |lua: &Lua, it: MultiValue| {
        let args = Args::new(lua, &it);
        let offset = if args.is_none_or_nil(2) { 0 } else { args.int(2)? };
        unpack(&args, 1, offset)
    };
    table.raw_set("unpack_one", lua.create_function(one)?)?;
    let limited = |lua: &Lua, it: MultiValue| {
        let args = Args::new(lua, &it);
        let limit = args.int(2)?;
        let offset = if args.is_none_or_nil(3) { 0 } else { args.int(3)? };
        unpack(&args, limit, offset)
    };
    table.raw_set("unpack_limit", lua.create_function(limited)?)?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}

fn pack(lua: &Lua, values: MultiValue) -> Result<LuaString> {
    if values.is_empty() {
        return Err(Args::new(lua, &values).argument(0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for value in &values {
        put(lua, &mut out, value, 0)?;
    }
    lua.create_string(out)
}

fn put(lua: &Lua, out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<()> {
    match value {
        Value::String(text) => put_bytes(out, &text.as_bytes()),
        Value::Boolean(it) => out.push(if *it { 0xC3 } else { 0xC2 }),
        Value::Integer(number) => put_integer(out, *number),
        Value::Number(number) => put_number(out, *number),
        Value::Table(table) if depth < PACK_DEPTH_MAX => put_table(lua, out, table, depth)?,
        _ => out.push(0xC0),
    }
    Ok(())
}

fn put_table(lua: &Lua, out: &mut Vec<u8>, table: &Table, depth: usize) -> Result<()> {
    let mut pairs = Vec::new();
    let mut max = Some(0.0_f64);
    for pair in table.pairs::<Value, Value>() {
        let pair = pair?;
        let index = match &pair.0 {
            Value::Integer(_) | Value::Number(_) => as_number(lua, &pair.0),
            _ => None,
        };
        let index = index.filter(|it| 0.0 < *it && is_int(*it));
        max = max.zip(index).map(|(max, index)| max.max(index));
        pairs.push(pair);
    }
    #[expect(clippy::cast_precision_loss, reason = "no table is that large")]
    let is_array = max.is_some_and(|max| max == pairs.len() as f64);
    if is_array {
        let len = table.raw_len();
        put_len(out, len, [0x90, 0xDC, 0xDD]);
        for n in 1..=len {
            put(lua, out, &table.get(n)?, depth + 1)?;
        }
    } else {
        put_len(out, pairs.len(), [0x80, 0xDE, 0xDF]);
        for (key, value) in &pairs {
            put(lua, out, key, depth + 1)?;
            put(lua, out, value, depth + 1)?;
        }
    }
    Ok(())
}

fn is_int(number: f64) -> bool {
    f64::from(number::to_int(number)) == number
}

fn put_len(out: &mut Vec<u8>, len: usize, [fixed, short, long]: [u8; 3]) {
    match u8::try_from(len) {
        Ok(len) if len <= 15 => out.push(fixed | len),
        _ => match u16::try_from(len) {
            Ok(len) => put_head(out, short, &len.to_be_bytes()),
            Err(_) => put_head(out, long, &u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes()),
        },
    }
}

fn put_head(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    out.extend_from_slice(bytes);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(len) if len < 32 => out.push(0xA0 | len),
        Ok(len) => put_head(out, 0xD9, &[len]),
        Err(_) => match u16::try_from(bytes.len()) {
            Ok(len) => put_head(out, 0xDA, &len.to_be_bytes()),
            Err(_) => {
                let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                put_head(out, 0xDB, &len.to_be_bytes());
            }
        },
    }
    out.extend_from_slice(bytes);
}

#[expect(clippy::cast_precision_loss, reason = "compared for equality")]
fn put_number(out: &mut Vec<u8>, number: f64) {
    let integer = number::to_integer(number);
    if number.is_finite() && integer as f64 == number {
        put_integer(out, integer);
        return;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the short form where nothing is lost")]
    let short = number as f32;
    if f64::from(short) == number {
        put_head(out, 0xCA, &short.to_be_bytes());
    } else {
        put_head(out, 0xCB, &number.to_be_bytes());
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the ranges are checked")]
#[expect(clippy::cast_sign_loss, reason = "the ranges are checked")]
fn put_integer(out: &mut Vec<u8>, number: i64) {
    match number {
        -32..=0x7F => out.push(number as u8),
        0x80..=0xFF => put_head(out, 0xCC, &[number as u8]),
        0x100..=0xFFFF => put_head(out, 0xCD, &(number as u16).to_be_bytes()),
        0x1_0000..=0xFFFF_FFFF => put_head(out, 0xCE, &(number as u32).to_be_bytes()),
        0x1_0000_0000.. => put_head(out, 0xCF, &number.to_be_bytes()),
        -0x80..=-33 => put_head(out, 0xD0, &[number as u8]),
        -0x8000..=-0x81 => put_head(out, 0xD1, &(number as i16).to_be_bytes()),
        -0x8000_0000..=-0x8001 => put_head(out, 0xD2, &(number as i32).to_be_bytes()),
        _ => put_head(out, 0xD3, &number.to_be_bytes()),
    }
}

fn unpack(args: &Args<'_>, limit: i32, offset: i32) -> Result<MultiValue> {
    let text = args.string(1)?;
    let text = text.as_bytes();
    if offset < 0 || limit < 0 {
        return Err(args.error(format!(
            "Invalid request to unpack with offset of {offset} and limit of {}.",
            text.len()
        )));
    }
    let start = usize::try_from(offset).unwrap_or(0);
    let Some(rest) = text.get(start..) else {
        return Err(
            args.error(format!("Start offset {offset} greater than input length {}.", text.len()))
        );
    };
    let is_all = limit == 0 && offset == 0;
    let limit = if is_all { usize::MAX } else { usize::try_from(limit).unwrap_or(0) };
    let mut input = Input { rest };
    let mut found = Vec::new();
    while !input.rest.is_empty() && found.len() < limit {
        found.push(input.value(args.lua).map_err(|it| match it {
            Bad::Missing => args.error("Missing bytes in input."),
            Bad::Format => args.error("Bad data format in input."),
            Bad::Depth => args.error("stack overflow (in function mp_decode_to_lua_array)"),
            Bad::Lua(error) => error,
        })?);
    }
    if !is_all {
        let next = text.len() - input.rest.len();
        let next = if input.rest.is_empty() { -1 } else { i64::try_from(next).unwrap_or(-1) };
        found.insert(0, Value::Integer(next));
    }
    Ok(found.into_iter().collect())
}

/// Why data cannot be unpacked.
enum Bad {
    Missing,
    Format,
    Depth,
    Lua(mlua::Error),
}

impl From<mlua::Error> for Bad {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

/// What is left to unpack.
struct Input<'a> {
    rest: &'a [u8],
}

/// A table that is not complete yet.
struct Open {
    table: Table,
    n_left: usize,
    /// The next index of an array.
    index: usize,
    is_map: bool,
    key: Option<Value>,
}

/// What begins with one byte.
enum Item {
    Value(Value),
    Array(usize),
    Map(usize),
}

impl Input<'_> {
    /// One value, with all that it holds; the depth is on the heap.
    fn value(&mut self, lua: &Lua) -> std::result::Result<Value, Bad> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let mut done = match self.item(lua)? {
                Item::Value(value) => value,
                Item::Array(0) | Item::Map(0) => Value::Table(lua.create_table()?),
                Item::Array(n_left) => {
                    open.push(Open::new(lua, n_left, false)?);
                    continue;
                }
                Item::Map(n_left) => {
                    open.push(Open::new(lua, n_left, true)?);
                    continue;
                }
            };
            if UNPACK_DEPTH_MAX < open.len() {
                return Err(Bad::Depth);
            }
            loop {
                let Some(mut top) = open.pop() else { return Ok(done) };
                if top.take(done)? {
                    done = Value::Table(top.table);
                } else {
                    open.push(top);
                    break;
                }
            }
        }
    }

    fn item(&mut self, lua: &Lua) -> std::result::Result<Item, Bad> {
        let [kind] = self.array()?;
        let integer = |number: i64| Item::Value(Value::Integer(number));
        let number = |number: f64| Item::Value(Value::Number(number));
        Ok(match kind {
            0x00..=0x7F => integer(i64::from(kind)),
            0x80..=0x8F => Item::Map(usize::from(kind & 0xF)),
            0x90..=0x9F => Item::Array(usize::from(kind & 0xF)),
            0xA0..=0xBF => self.string(lua, usize::from(kind & 0x1F))?,
            0xC0 => Item::Value(Value::Nil),
            0xC2 => Item::Value(Value::Boolean(false)),
            0xC3 => Item::Value(Value::Boolean(true)),
            0xCA => number(f64::from(f32::from_be_bytes(self.array()?))),
            0xCB => number(f64::from_be_bytes(self.array()?)),
            0xCC => integer(i64::from(u8::from_be_bytes(self.array()?))),
            0xCD => integer(i64::from(u16::from_be_bytes(self.array()?))),
            0xCE => integer(i64::from(u32::from_be_bytes(self.array()?))),
            0xD0 => integer(i64::from(i8::from_be_bytes(self.array()?))),
            0xD1 => integer(i64::from(i16::from_be_bytes(self.array()?))),
            0xD2 => integer(i64::from(i32::from_be_bytes(self.array()?))),
            // To Redis, what 63 bits do not hold is below zero.
            0xCF | 0xD3 => integer(i64::from_be_bytes(self.array()?)),
            0xD9 => {
                let [len] = self.array()?;
                self.string(lua, usize::from(len))?
            }
            0xDA => {
                let len = self.len16()?;
                self.string(lua, len)?
            }
            0xDB => {
                let len = self.len32()?;
                self.string(lua, len)?
            }
            0xDC => Item::Array(self.len16()?),
            0xDD => Item::Array(self.len32()?),
            0xDE => Item::Map(self.len16()?),
            0xDF => Item::Map(self.len32()?),
            0xE0..=0xFF => integer(i64::from(i8::from_be_bytes([kind]))),
            _ => return Err(Bad::Format),
        })
    }

    fn array<const N: usize>(&mut self) -> std::result::Result<[u8; N], Bad> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Bad::Missing)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn len16(&mut self) -> std::result::Result<usize, Bad> {
        Ok(usize::from(u16::from_be_bytes(self.array()?)))
    }

    fn len32(&mut self) -> std::result::Result<usize, Bad> {
        Ok(usize::try_from(u32::from_be_bytes(self.array()?)).unwrap_or(usize::MAX))
    }

    fn string(&mut self, lua: &Lua, len: usize) -> std::result::Result<Item, Bad> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Bad::Missing)?;
        self.rest = rest;
        Ok(Item::Value(Value::String(lua.create_string(bytes)?)))
    }
}

impl Open {
    fn new(lua: &Lua, n_left: usize, is_map: bool) -> Result<Self> {
        Ok(Self { table: lua.create_table()?, n_left, index: 0, is_map, key: None })
    }

    /// Takes a value; `true` if it was the last.
    fn take(&mut self, value: Value) -> Result<bool> {
        if self.is_map {
            match self.key.take() {
                None => {
                    self.key = Some(value);
                    return Ok(false);
                }
                Some(key) => self.table.raw_set(key, value)?,
            }
        } else {
            self.index += 1;
            self.table.raw_seti(self.index, value)?;
        }
        self.n_left -= 1;
        Ok(self.n_left == 0)
    }
}
