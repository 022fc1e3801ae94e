//! The environment that scripts see.

use std::rc::Rc;

use mlua::{Function, Lua, LuaOptions, LuaString, Result, StdLib, Table};

use crate::{
    Caller, api, pattern, raise,
    runtime::{self, Shared},
};

/// The name of the prelude's frames, which errors do not point to.
pub(crate) const PRELUDE_NAME: &str = "=fanfare";

/// What the prelude made, kept for the runs.
pub(crate) struct Sandbox {
    /// The globals of scripts.
    pub(crate) eval: Table,
    /// The globals of libraries.
    pub(crate) library: Table,
    /// Changes them between those of loading and those of running.
    pub(crate) set_loading: Function,
    /// Lua's own, without the wrapping.
    pub(crate) xpcall: Function,
    /// Takes `KEYS` and `ARGV` of scripts.
    pub(crate) set_words: Function,
    /// Makes what calls a function of a library with keys and arguments.
    pub(crate) bind: Function,
    pub(crate) handler: Function,
}

impl Sandbox {
    /// A state with the libraries that Redis loads; `debug` is not among them.
    pub(crate) fn lua() -> Result<Lua> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        Lua::new_with(libraries, LuaOptions::default())
    }

    pub(crate) fn new<C: Caller>(lua: &Lua, shared: &Rc<Shared<C>>) -> Result<Self> {
        let handler = lua.create_function(runtime::handler)?;
        let lift = lua.create_function(raise::lift_and_judge)?;
        let judge = lua.create_function(|_, pattern: LuaString| {
            Ok(match pattern::judge(&pattern.as_bytes()) {
                pattern::Verdict::Sound => Some(true),
                pattern::Verdict::TooComplex => Some(false),
                pattern::Verdict::Doubtful => None,
            })
        })?;
        type Blame = (LuaString, usize, String);
        let blame = lua.create_function(|lua, (text, level, name): Blame| -> Result<()> {
            Err(raise::blame(lua, level, &name, &text.as_bytes()))
        })?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name(PRELUDE_NAME);
        let made: Table =
            prelude.call((lift, &handler, judge, blame, api::tables(lua, shared)?))?;
        let sandbox = Self {
            eval: made.raw_get("eval")?,
            library: made.raw_get("library")?,
            set_loading: made.raw_get("set_loading")?,
            xpcall: made.raw_get("xpcall")?,
            set_words: made.raw_get("set_words")?,
            bind: made.raw_get("bind")?,
            handler,
        };
        // For what scripts compile themselves.
        lua.set_globals(sandbox.eval.clone())?;
        Ok(sandbox)
    }
}
