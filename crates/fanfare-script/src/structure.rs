//! The table `struct`: values packed as C structures are.

use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

use crate::{
    api::{Args, as_number},
    number,
};

const INT_BYTES_MAX: usize = 32;
const ALIGN_MAX: usize = 8;

pub(crate) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set("unpack", lua.create_function(unpack)?)?;
    table.raw_set("size", lua.create_function(size)?)?;
    Ok(table)
}

/// A format, read option by option.
struct Format<'a> {
    args: &'a Args<'a>,
    text: &'a [u8],
    is_big: bool,
    align: usize,
}

impl<'a> Format<'a> {
    fn new(args: &'a Args<'a>, text: &'a [u8]) -> Self {
        let end = text.iter().position(|it| *it == 0).unwrap_or(text.len());
        let text = text.get(..end).unwrap_or_default();
        Self { args, text, is_big: false, align: 1 }
    }

    /// The next option, and the bytes it takes if its format says so.
    fn next(&mut self) -> Result<Option<(u8, usize)>> {
        let Some((option, rest)) = self.text.split_first() else { return Ok(None) };
        self.text = rest;
        let size = match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'f' => 4,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'c' => self.count(1)?,
            b'i' | b'I' => {
                let size = self.count(4)?;
                if INT_BYTES_MAX < size {
                    return Err(self.args.error(format!(
                        "integral size {size} is larger than limit of {INT_BYTES_MAX}"
                    )));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((*option, size)))
    }

    /// The number that follows an option.
    fn count(&mut self, default: usize) -> Result<usize> {
        let n_digits = self.text.iter().take_while(|it| it.is_ascii_digit()).count();
        let (digits, rest) = self.text.split_at(n_digits);
        self.text = rest;
        if digits.is_empty() {
            return Ok(default);
        }
        let text = std::str::from_utf8(digits).unwrap_or_default();
        match text.trim_start_matches('0').parse::<i32>() {
            Ok(count) => Ok(usize::try_from(count).unwrap_or(0)),
            Err(_) if digits.iter().all(|it| *it == b'0') => Ok(0),
            Err(_) => Err(self.args.error("integral size overflow")),
        }
    }

    /// How many bytes stand before a value of this size at `at`.
    fn padding(&self, at: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        (size - (at & (size - 1))) & (size - 1)
    }

    /// Options about those that follow.
    fn control(&mut self, option: u8) -> Result<()> {
        match option {
            b' ' => {}
            b'>' => self.is_big = true,
            b'<' => self.is_big = false,
            b'!' => {
                let align = self.count(ALIGN_MAX)?;
                if !align.is_power_of_two() {
                    let text = format!("alignment {align} is not a power of 2");
                    return Err(self.args.error(text));
                }
                self.align = align;
            }
            other => {
                let text = format!("invalid format option '{}'", char::from(other));
                return Err(self.args.argument(1, text));
            }
        }
        Ok(())
    }
}

fn pack(lua: &Lua, mut values: MultiValue) -> Result<LuaString> {
    // As in Redis, where a mark stands behind the arguments: the first missing one is nil.
    if !values.is_empty() {
        values.push_back(Value::Nil);
    }
    let args = Args::new(lua, &values);
    let text = args.string(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&args, &text);
    let mut out = Vec::new();
    let mut n = 2;
    while let Some((option, size)) = format.next()? {
        let padded = out.len() + format.padding(out.len(), option, size);
        out.resize(padded, 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                put_integer(&mut out, args.number(n)?, size, format.is_big);
                n += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                #[expect(clippy::cast_possible_truncation, reason = "that is what `f` asks for")]
                let number = args.number(n)? as f32;
                put(&mut out, number.to_le_bytes(), format.is_big);
                n += 1;
            }
            b'd' => {
                put(&mut out, args.number(n)?.to_le_bytes(), format.is_big);
                n += 1;
            }
            b'c' | b's' => {
                let value = args.string(n)?;
                n += 1;
                let value = value.as_bytes();
                let size = if size == 0 { value.len() } else { size };
                let Some(taken) = value.get(..size) else {
                    return Err(args.argument(n, "string too short"));
                };
                out.extend_from_slice(taken);
                if option == b's' {
                    out.push(0);
                }
            }
            other => format.control(other)?,
        }
    }
    lua.create_string(out)
}

fn put<const N: usize>(out: &mut Vec<u8>, mut bytes: [u8; N], is_big: bool) {
    if is_big {
        bytes.reverse();
    }
    out.extend_from_slice(&bytes);
}

/// The low bytes of a number, `size` of them.
fn put_integer(out: &mut Vec<u8>, number: f64, size: usize, is_big: bool) {
    let value =
        if number < 0.0 { number::to_integer(number).cast_unsigned() } else { to_unsigned(number) };
    let from = out.len();
    let bytes = value.to_le_bytes();
    out.extend((0..size).map(|it| bytes.get(it).copied().unwrap_or(0)));
    if is_big && let Some(put) = out.get_mut(from..) {
        put.reverse();
    }
}

/// As C converts on the processors that Redis runs on.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn to_unsigned(number: f64) -> u64 {
    if number < 9_223_372_036_854_775_808.0 {
        number::to_integer(number).cast_unsigned()
    } else if number < 18_446_744_073_709_551_616.0 {
        number as u64
    } else {
        0
    }
}

fn unpack(lua: &Lua, values: MultiValue) -> Result<MultiValue> {
    let args = Args::new(lua, &values);
    let text = args.string(1)?;
    let text = text.as_bytes();
    let data = args.string(2)?;
    let data = data.as_bytes();
    let start = if args.is_none_or_nil(3) { 1 } else { args.integer(3)? };
    let mut at = match usize::try_from(start) {
        Ok(0) => return Err(args.argument(3, "offset must be 1 or greater")),
        Ok(start) => start - 1,
        // In C it wraps around, and is too far.
        Err(_) => usize::MAX >> 1,
    };
    let mut format = Format::new(&args, &text);
    let mut found: Vec<Value> = Vec::new();
    while let Some((option, size)) = format.next()? {
        at += format.padding(at, option, size);
        let too_short = || args.argument(2, "data string too short");
        let rest = data.get(at..).ok_or_else(too_short)?;
        let field = rest.get(..size).ok_or_else(too_short)?;
        at += size;
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let number = get_integer(field, option.is_ascii_lowercase(), format.is_big);
                found.push(Value::Number(number));
            }
            b'x' => {}
            b'f' => {
                found.push(Value::Number(f64::from(f32::from_le_bytes(get(field, format.is_big)))))
            }
            b'd' => found.push(Value::Number(f64::from_le_bytes(get(field, format.is_big)))),
            b'c' if size != 0 => found.push(Value::String(lua.create_string(field)?)),
            b'c' => {
                let size = found.pop().and_then(|it| as_number(lua, &it));
                let size = size.ok_or_else(|| args.error("format 'c0' needs a previous size"))?;
                let size = usize::try_from(number::to_integer(size)).unwrap_or(usize::MAX);
                let field = rest.get(..size).ok_or_else(too_short)?;
                found.push(Value::String(lua.create_string(field)?));
                at += size;
            }
            b's' => {
                let len = rest.iter().position(|it| *it == 0);
                let len = len.ok_or_else(|| args.error("unfinished string in data"))?;
                let field = rest.get(..len).unwrap_or_default();
                found.push(Value::String(lua.create_string(field)?));
                at += len + 1;
            }
            other => format.control(other)?,
        }
    }
    found.push(Value::Integer(i64::try_from(at + 1).unwrap_or(i64::MAX)));
    Ok(found.into_iter().collect())
}

fn get<const N: usize>(field: &[u8], is_big: bool) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(field) {
        *to = *from;
    }
    if is_big {
        bytes.reverse();
    }
    bytes
}

#[expect(clippy::cast_precision_loss, reason = "all numbers of a script are doubles")]
fn get_integer(field: &[u8], is_signed: bool, is_big: bool) -> f64 {
    let push = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = if is_big { field.iter().fold(0, push) } else { field.iter().rev().fold(0, push) };
    if !is_signed {
        return value as f64;
    }
    let shift = (field.len() * 8).wrapping_sub(1) & 63;
    let mask = u64::MAX << shift;
    let value = if value & mask == 0 { value } else { value | mask };
    value.cast_signed() as f64
}

fn size(lua: &Lua, values: MultiValue) -> Result<i64> {
    let args = Args::new(lua, &values);
    let text = args.string(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&args, &text);
    let mut at = 0_usize;
    while let Some((option, size)) = format.next()? {
        at += format.padding(at, option, size);
        if option == b's' {
            return Err(args.argument(1, "option 's' has no fixed size"));
        }
        if option == b'c' && size == 0 {
            return Err(args.argument(1, "option 'c0' has no fixed size"));
        }
        if !option.is_ascii_alphanumeric() {
            format.control(option)?;
        }
        at += size;
    }
    Ok(i64::try_from(at).unwrap_or(i64::MAX))
}
