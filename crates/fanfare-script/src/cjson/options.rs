//! What scripts may set; it holds until it is set anew, also in other scripts.

use std::{cell::RefCell, rc::Rc};

use mlua::{Lua, MultiValue, Result, Table, Value};

use crate::api::Args;

/// What to do with numbers that JSON has no words for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invalid {
    Refuse,
    Allow,
    Null,
}

/// The options of one `cjson`.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) converts_sparse: bool,
    pub(super) sparse_ratio: i32,
    pub(super) sparse_safe: i32,
    pub(super) encode_depth_max: i32,
    pub(super) decode_depth_max: i32,
    pub(super) precision: i32,
    pub(super) encode_invalid: Invalid,
    pub(super) decodes_invalid: bool,
    keeps_buffer: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            converts_sparse: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth_max: 1_000,
            decode_depth_max: 1_000,
            precision: 14,
            encode_invalid: Invalid::Refuse,
            decodes_invalid: true,
            keeps_buffer: true,
        }
    }
}

type Shared = Rc<RefCell<Options>>;

pub(super) fn register(lua: &Lua, table: &Table, options: &Shared) -> Result<()> {
    let sparse = |args: &Args<'_>, of: &mut Options| {
        of.converts_sparse = boolean(args, 1, of.converts_sparse)?;
        of.sparse_ratio = integer(args, 2, of.sparse_ratio, 0, i32::MAX)?;
        of.sparse_safe = integer(args, 3, of.sparse_safe, 0, i32::MAX)?;
        Ok(vec![
            Value::Boolean(of.converts_sparse),
            Value::Integer(of.sparse_ratio.into()),
            Value::Integer(of.sparse_safe.into()),
        ])
    };
    add(lua, table, options, "encode_sparse_array", 3, sparse)?;
    add(lua, table, options, "encode_max_depth", 1, |args, of| {
        of.encode_depth_max = integer(args, 1, of.encode_depth_max, 1, i32::MAX)?;
        Ok(vec![Value::Integer(of.encode_depth_max.into())])
    })?;
    add(lua, table, options, "decode_max_depth", 1, |args, of| {
        of.decode_depth_max = integer(args, 1, of.decode_depth_max, 1, i32::MAX)?;
        Ok(vec![Value::Integer(of.decode_depth_max.into())])
    })?;
    add(lua, table, options, "encode_number_precision", 1, |args, of| {
        of.precision = integer(args, 1, of.precision, 1, 14)?;
        Ok(vec![Value::Integer(of.precision.into())])
    })?;
    add(lua, table, options, "encode_keep_buffer", 1, |args, of| {
        of.keeps_buffer = boolean(args, 1, of.keeps_buffer)?;
        Ok(vec![Value::Boolean(of.keeps_buffer)])
    })?;
    add(lua, table, options, "decode_invalid_numbers", 1, |args, of| {
        of.decodes_invalid = boolean(args, 1, of.decodes_invalid)?;
        Ok(vec![Value::Boolean(of.decodes_invalid)])
    })?;
    add(lua, table, options, "encode_invalid_numbers", 1, |args, of| {
        of.encode_invalid = match choice(args, 1, &["off", "on", "null"])? {
            None => of.encode_invalid,
            Some(0) => Invalid::Refuse,
            Some(1) => Invalid::Allow,
            Some(_) => Invalid::Null,
        };
        Ok(vec![match of.encode_invalid {
            Invalid::Refuse => Value::Boolean(false),
            Invalid::Allow => Value::Boolean(true),
            Invalid::Null => Value::String(args.lua.create_string("null")?),
        }])
    })
}

fn add(
    lua: &Lua,
    table: &Table,
    options: &Shared,
    name: &str,
    n_max: usize,
    f: impl Fn(&Args<'_>, &mut Options) -> Result<Vec<Value>> + 'static,
) -> Result<()> {
    let options = Rc::clone(options);
    let function = lua.create_function(move |lua, values: MultiValue| {
        let args = Args::new(lua, &values);
        if n_max < args.len() {
            return Err(args.argument(n_max + 1, "found too many arguments"));
        }
        let found = f(&args, &mut options.borrow_mut())?;
        Ok(found.into_iter().collect::<MultiValue>())
    })?;
    table.raw_set(name, function)
}

fn integer(args: &Args<'_>, n: usize, old: i32, min: i32, max: i32) -> Result<i32> {
    if args.is_none_or_nil(n) {
        return Ok(old);
    }
    let value = args.int(n)?;
    if value < min || max < value {
        return Err(args.argument(1, format!("expected integer between {min} and {max}")));
    }
    Ok(value)
}

fn boolean(args: &Args<'_>, n: usize, old: bool) -> Result<bool> {
    Ok(choice(args, n, &["off", "on"])?.map_or(old, |it| it == 1))
}

/// Which of the words the argument is; a boolean is one of the first two.
fn choice(args: &Args<'_>, n: usize, words: &[&str]) -> Result<Option<usize>> {
    match args.get(n) {
        None | Some(Value::Nil) => Ok(None),
        Some(Value::Boolean(it)) => Ok(Some(usize::from(*it))),
        Some(_) => {
            let word = args.string(n)?;
            let found = words.iter().position(|it| it.as_bytes() == &*word.as_bytes());
            let word = word.to_string_lossy();
            let wrong = || args.argument(n, format!("invalid option '{word}'"));
            found.map(Some).ok_or_else(wrong)
        }
    }
}
