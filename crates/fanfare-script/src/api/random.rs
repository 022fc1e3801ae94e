//! `math.random` and `math.randomseed`.

use std::rc::Rc;

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::Args;
use crate::{Caller, random::MAX, runtime::Shared};

pub(super) fn register<C: Caller>(lua: &Lua, api: &Table, shared: &Rc<Shared<C>>) -> Result<()> {
    let of = Rc::clone(shared);
    let random = move |lua: &Lua, args: MultiValue| {
        let args = Args::new(lua, &args);
        let unit = f64::from(of.random.next() % MAX) / f64::from(MAX);
        let (low, high) = match args.len() {
            0 => return Ok(Value::Number(unit)),
            1 => (1, args.int(1)?),
            2 => (args.int(1)?, args.int(2)?),
            _ => return Err(args.error("wrong number of arguments")),
        };
        if high < low {
            return Err(args.argument(args.len(), "interval is empty"));
        }
        // In C the width wraps around as an `int`.
        let width = high.wrapping_sub(low).wrapping_add(1);
        let width = if args.len() == 1 { high } else { width };
        Ok(Value::Number((unit * f64::from(width)).floor() + f64::from(low)))
    };
    api.raw_set("random", lua.create_function(random)?)?;

    let of = Rc::clone(shared);
    let seed = move |lua: &Lua, args: MultiValue| {
        of.random.seed(Args::new(lua, &args).int(1)?);
        Ok(())
    };
    api.raw_set("randomseed", lua.create_function(seed)?)
}
