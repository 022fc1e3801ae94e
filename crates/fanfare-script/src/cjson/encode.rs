//! `cjson.encode`. How deep tables are nested costs heap, not stack.

use std::{cell::RefCell, rc::Rc, vec};

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::options::{Invalid, Options};
use crate::{api::Args, number, raise};

/// Deeper tables would not fit on Lua's stack in Redis.
const DEPTH_MAX: usize = 3_900;

pub(super) fn register(lua: &Lua, table: &Table, options: &Rc<RefCell<Options>>) -> Result<()> {
    let options = Rc::clone(options);
    let encode = move |lua: &Lua, values: MultiValue| {
        let args = Args::new(lua, &values);
        if args.len() != 1 {
            return Err(args.argument(1, "expected 1 argument"));
        }
        let options = options.borrow();
        let mut encoder = Encoder { args: &args, options: &options, out: Vec::new() };
        encoder.document(args.get(1).unwrap_or(&Value::Nil))?;
        lua.create_string(encoder.out)
    };
    table.raw_set("encode", lua.create_function(encode)?)
}

struct Encoder<'a> {
    args: &'a Args<'a>,
    options: &'a Options,
    out: Vec<u8>,
}

/// A table whose end is not written yet.
enum Open {
    Array { table: Table, next: usize, len: usize },
    Object { pairs: vec::IntoIter<(Value, Value)>, is_first: bool },
}

impl Encoder<'_> {
    fn document(&mut self, value: &Value) -> Result<()> {
        let mut open = Vec::new();
        self.value(value, &mut open)?;
        while let Some(mut top) = open.pop() {
            match &mut top {
                Open::Array { table, next, len } => {
                    if *next == *len {
                        self.out.push(b']');
                        continue;
                    }
                    if 0 < *next {
                        self.out.push(b',');
                    }
                    *next += 1;
                    let item: Value = table.raw_get(*next)?;
                    open.push(top);
                    self.value(&item, &mut open)?;
                }
                Open::Object { pairs, is_first } => {
                    let Some((key, item)) = pairs.next() else {
                        self.out.push(b'}');
                        continue;
                    };
                    if !std::mem::take(is_first) {
                        self.out.push(b',');
                    }
                    self.key(&key)?;
                    open.push(top);
                    self.value(&item, &mut open)?;
                }
            }
        }
        Ok(())
    }

    fn key(&mut self, key: &Value) -> Result<()> {
        match key {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                self.out.push(b'"');
                self.number(key)?;
                self.out.push(b'"');
            }
            other => return Err(self.refuse(other, "table key must be a number or string")),
        }
        self.out.push(b':');
        Ok(())
    }

    /// Writes a value, or the beginning of a table.
    fn value(&mut self, value: &Value, open: &mut Vec<Open>) -> Result<()> {
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => self.number(value)?,
            Value::Boolean(it) => self.out.extend_from_slice(if *it { b"true" } else { b"false" }),
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::LightUserData(it) if it.0.is_null() => self.out.extend_from_slice(b"null"),
            Value::Table(table) => {
                let (pairs, len) = self.shape(table)?;
                let depth = open.len() + 1;
                let max = usize::try_from(self.options.encode_depth_max).unwrap_or(0);
                if max.min(DEPTH_MAX) < depth {
                    let text = format!("Cannot serialise, excessive nesting ({depth})");
                    return Err(self.args.error(text));
                }
                if 0 < len {
                    self.out.push(b'[');
                    open.push(Open::Array { table: table.clone(), next: 0, len });
                } else {
                    self.out.push(b'{');
                    open.push(Open::Object { pairs: pairs.into_iter(), is_first: true });
                }
            }
            other => return Err(self.refuse(other, "type not supported")),
        }
        Ok(())
    }

    /// What a table holds, and its length if it is an array, otherwise 0.
    fn shape(&self, table: &Table) -> Result<(Vec<(Value, Value)>, usize)> {
        let mut pairs = Vec::new();
        let mut max = Some(0.0_f64);
        for pair in table.pairs::<Value, Value>() {
            let pair = pair?;
            let index = match &pair.0 {
                #[expect(clippy::cast_precision_loss, reason = "it was a double")]
                Value::Integer(index) if 1 <= *index => Some(*index as f64),
                Value::Number(index) if 1.0 <= *index && index.floor() == *index => Some(*index),
                _ => None,
            };
            max = max.zip(index).map(|(max, index)| max.max(index));
            pairs.push(pair);
        }
        let Some(max) = max else { return Ok((pairs, 0)) };
        let options = self.options;
        let max = i64::from(number::to_int(max));
        let n_items = i64::try_from(pairs.len()).unwrap_or(i64::MAX);
        if 0 < options.sparse_ratio
            && n_items.saturating_mul(options.sparse_ratio.into()) < max
            && i64::from(options.sparse_safe) < max
        {
            if !options.converts_sparse {
                return Err(self.refuse(&Value::Table(table.clone()), "excessively sparse array"));
            }
            return Ok((pairs, 0));
        }
        Ok((pairs, usize::try_from(max).unwrap_or(0)))
    }

    fn number(&mut self, value: &Value) -> Result<()> {
        let number = match value {
            #[expect(clippy::cast_precision_loss, reason = "it was a double")]
            Value::Integer(number) => *number as f64,
            Value::Number(number) => *number,
            _ => return Ok(()),
        };
        if !number.is_finite() {
            match self.options.encode_invalid {
                Invalid::Refuse => return Err(self.refuse(value, "must not be NaN or Inf")),
                Invalid::Allow if number.is_nan() => {
                    self.out.extend_from_slice(b"nan");
                    return Ok(());
                }
                Invalid::Allow => {}
                Invalid::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
            }
        }
        let precision = usize::try_from(self.options.precision).unwrap_or(14);
        self.out.extend_from_slice(&number::general(number, precision));
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        let out = &mut self.out;
        out.push(b'"');
        for byte in text {
            match byte {
                b'"' => out.extend_from_slice(b"\\\""),
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'/' => out.extend_from_slice(b"\\/"),
                0x08 => out.extend_from_slice(b"\\b"),
                b'\t' => out.extend_from_slice(b"\\t"),
                b'\n' => out.extend_from_slice(b"\\n"),
                0x0C => out.extend_from_slice(b"\\f"),
                b'\r' => out.extend_from_slice(b"\\r"),
                0..=0x1F | 0x7F => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                other => out.push(*other),
            }
        }
        out.push(b'"');
    }

    fn refuse(&self, value: &Value, reason: &str) -> mlua::Error {
        self.args.error(format!("Cannot serialise {}: {reason}", raise::type_name(value)))
    }
}
