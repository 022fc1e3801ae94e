//! One Lua state, and the runs of scripts in it.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    ffi::c_int,
    rc::Rc,
};

use bytes::Bytes;
use fanfare_resp::{Value as Reply, Version};
use mlua::{
    Error, HookTriggers, Lua, Result, Table, Value, VmState,
    state::{GcIncParams, GcMode},
};
use smallvec::SmallVec;

use crate::{
    Caller, Flags, ScriptError, Sha1, Verdict,
    api::Buffer,
    library::{Libraries, Registered},
    raise::{self, Raised},
    random::Random,
    reply::{self, Names},
    sandbox::Sandbox,
    script,
};

/// Redis asks its collector for a step once in so many runs.
const RUNS_PER_COLLECTION: u32 = 50;

/// A state that holds little may grow by so many bytes before it is collected. By Lua's rule it would be when it has doubled,
/// which is every few hundred runs, and most of what is looked at then are the functions of the sandbox.
const GROWTH_BYTES: usize = 2 << 20;

/// A state that holds more than this is collected when it has doubled.
const LARGE_BYTES: usize = 4 * GROWTH_BYTES;

/// The stack that a thread needs which runs scripts. Scripts can nest 200 calls of functions written in C, each with a
/// buffer of 8 KiB, and match a pattern in the innermost.
pub const STACK_BYTES_MIN: usize = 4 << 20;

/// How a [`Runtime`] is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// All that Lua may hold, in bytes: scripts, and what they make. A script that needs more fails
    /// with `not enough memory`; 0 is no limit.
    pub memory_bytes_max: usize,
    /// After how many instructions [`Caller::poll`] is asked again.
    pub poll_instructions: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { memory_bytes_max: 0, poll_instructions: 10_000 }
    }
}

/// What a run answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The reply to the client. An error that ended the script is a [`Reply::SimpleError`].
    pub reply: Reply,
    /// The reply is the error of a command, which was counted when the command failed.
    pub error_is_counted: bool,
}

/// A script that was loaded: its name, what it says of itself, and its text.
#[derive(Clone, Debug)]
pub struct Script {
    sha: Sha1,
    inner: Rc<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    flags: Option<Flags>,
    body: Bytes,
    function: mlua::Function,
}

impl Script {
    /// Its name.
    pub fn sha(&self) -> Sha1 {
        self.sha
    }

    /// Its flags; `None` if it has no line `#!lua`, for which Redis has other rules.
    pub fn flags(&self) -> Option<Flags> {
        self.inner.flags
    }

    /// Its text.
    pub fn body(&self) -> &Bytes {
        &self.inner.body
    }
}

/// What functions that scripts call share with the runtime.
pub(crate) struct Shared<C> {
    /// The caller, during a run.
    pub(crate) caller: RefCell<Option<C>>,
    pub(crate) names: Names,
    pub(crate) version: Cell<Version>,
    pub(crate) random: Random,
    /// What the last command was called with, for its memory.
    pub(crate) buffer: RefCell<Buffer>,
    /// The functions of the library that is being loaded.
    pub(crate) loading: RefCell<Option<Vec<Registered>>>,
    /// Why this run is being ended.
    kill: RefCell<Option<String>>,
    settings: Settings,
}

impl<C: Caller> Shared<C> {
    /// Does what only makes values for a script: within bounds that others set, so that Lua need not
    /// be entered by way of a protected call for each of them.
    pub(crate) fn unlimited<T>(&self, lua: &Lua, f: impl FnOnce() -> T) -> T {
        if self.settings.memory_bytes_max == 0 {
            return f();
        }
        self.limit(lua, false);
        let made = f();
        self.limit(lua, true);
        made
    }

    fn limit(&self, lua: &Lua, is_limited: bool) {
        let max = if is_limited { self.settings.memory_bytes_max } else { 0 };
        // Cannot fail: the state is this crate's own.
        let _ = lua.set_memory_limit(max);
    }

    /// The hook: asks the caller, and ends a script that is to end.
    fn poll(self: &Rc<Self>, lua: &Lua) -> Result<VmState> {
        if self.kill.borrow().is_none() {
            let verdict = match self.caller.try_borrow_mut() {
                Ok(mut caller) => caller.as_mut().map_or(Verdict::GoOn, Caller::poll),
                Err(_) => Verdict::GoOn,
            };
            match verdict {
                Verdict::GoOn => return Ok(VmState::Continue),
                Verdict::Kill(text) => *self.kill.borrow_mut() = Some(text),
            }
        }
        // A script can catch the error, in any coroutine: from here on every instruction raises it.
        self.arm(lua, 1)?;
        let text = self.kill.borrow().clone().unwrap_or_default();
        Err(Error::external(Raised::Killed(text.into())))
    }

    /// Forgets that a run is being ended.
    pub(crate) fn calm(self: &Rc<Self>, lua: &Lua) {
        if self.kill.take().is_some() {
            // Cannot fail: a global hook needs no memory of Lua's.
            let _ = self.arm(lua, self.settings.poll_instructions);
        }
    }

    /// Coroutines inherit the hook of the one that makes them.
    fn arm(self: &Rc<Self>, lua: &Lua, instructions: u32) -> Result<()> {
        let of = Rc::clone(self);
        let triggers = HookTriggers::new().every_nth_instruction(instructions);
        lua.set_global_hook(triggers, move |lua, _| of.poll(lua))
    }
}

/// Lua's own: a state is collected when it holds twice of what was left the last time.
const DOUBLED: c_int = 200;

/// How many percent of `n_bytes` a state may hold. What waits to be collected counts towards a limit.
fn pause_for(n_bytes: usize, bytes_max: usize) -> c_int {
    let growth = if bytes_max == 0 { GROWTH_BYTES } else { GROWTH_BYTES.min(bytes_max / 8) };
    let percent = 100 + 100 * growth / n_bytes.max(1);
    c_int::try_from(percent).unwrap_or(c_int::MAX).clamp(DOUBLED, 10_000)
}

fn set_pause(lua: &Lua, pause: c_int) {
    lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(pause)));
}

/// One Lua state with its scripts and libraries, on one thread.
///
/// Every run begins with fresh `KEYS` and `ARGV` and with RESP2; scripts cannot change what others
/// see but for what Redis lets them change, too: the options of `cjson` and the seed of `math.random`.
pub struct Runtime<C: Caller> {
    pub(crate) lua: Lua,
    pub(crate) shared: Rc<Shared<C>>,
    pub(crate) sandbox: Sandbox,
    pub(crate) libraries: Libraries,
    scripts: HashMap<Sha1, Rc<Compiled>>,
    /// The same by their texts, since naming a text takes as long as running it.
    by_body: HashMap<Bytes, Script>,
    n_runs: u32,
    /// How many percent of what a state without scripts holds it may hold, before it is collected.
    pause: c_int,
}

impl<C: Caller> Runtime<C> {
    /// A state without scripts.
    ///
    /// # Errors
    /// If there is not enough memory for it.
    pub fn new(settings: Settings) -> std::result::Result<Self, ScriptError> {
        let lua = Sandbox::lua()?;
        let shared = Rc::new(Shared {
            caller: RefCell::new(None),
            names: Names::new(&lua)?,
            version: Cell::new(Version::default()),
            random: Random::new(),
            buffer: RefCell::default(),
            loading: RefCell::new(None),
            kill: RefCell::new(None),
            settings,
        });
        let sandbox = Sandbox::new(&lua, &shared)?;
        shared.arm(&lua, settings.poll_instructions)?;
        lua.gc_collect()?;
        let pause = pause_for(lua.used_memory(), settings.memory_bytes_max);
        set_pause(&lua, pause);
        Ok(Self {
            lua,
            shared,
            sandbox,
            libraries: Libraries::default(),
            scripts: HashMap::new(),
            by_body: HashMap::new(),
            n_runs: 0,
            pause,
        })
    }

    /// Compiles a script and keeps it, if it is not known yet.
    ///
    /// # Errors
    /// The script has a wrong first line, or it is not Lua.
    pub fn load(&mut self, body: &[u8]) -> std::result::Result<Script, ScriptError> {
        if let Some(known) = self.by_body.get(body) {
            return Ok(known.clone());
        }
        let sha = Sha1::of(body);
        let (flags, code) = script::header(body)?;
        let globals = &self.sandbox.eval;
        let function = self.compile(code, "@user_script", globals).map_err(|text| {
            let text = [b"Error compiling script (new function): ", &*text].concat();
            ScriptError::new(reply::error_line(&text))
        })?;
        let body = Bytes::copy_from_slice(body);
        let inner = Rc::new(Compiled { flags, body: body.clone(), function });
        self.scripts.insert(sha, Rc::clone(&inner));
        let script = Script { sha, inner };
        self.by_body.insert(body, script.clone());
        Ok(script)
    }

    /// The script of this name, if it is kept.
    pub fn script(&self, sha: &Sha1) -> Option<Script> {
        self.scripts.get(sha).map(|it| Script { sha: *sha, inner: Rc::clone(it) })
    }

    /// How many scripts are kept.
    pub fn n_scripts(&self) -> usize {
        self.scripts.len()
    }

    /// Forgets all scripts.
    pub fn flush_scripts(&mut self) {
        self.scripts.clear();
        self.by_body.clear();
        // A failure to collect now is made good by any later collection.
        let _ = self.lua.gc_collect();
    }

    /// What Lua holds, in bytes.
    pub fn used_memory_bytes(&self) -> usize {
        self.lua.used_memory()
    }

    /// Runs a script; the caller comes back with the answer.
    pub fn eval(
        &mut self,
        script: &Script,
        keys: &[&[u8]],
        args: &[&[u8]],
        caller: C,
    ) -> (C, Answer) {
        self.run(caller, &script.sha.as_bytes()[..], |runtime| {
            let sandbox = &runtime.sandbox;
            sandbox.set_words.call::<()>((runtime.list(keys)?, runtime.list(args)?))?;
            runtime.limit_memory();
            sandbox.xpcall.call((&script.inner.function, &sandbox.handler))
        })
    }

    /// Runs something with the caller in its place, and leaves the state as it was.
    pub(crate) fn run(
        &mut self,
        caller: C,
        name: &[u8],
        f: impl FnOnce(&Self) -> Result<(bool, Value)>,
    ) -> (C, Answer) {
        self.begin(caller);
        let result = f(self);
        self.shared.limit(&self.lua, false);
        let answer = match result {
            Ok((true, value)) if self.shared.kill.borrow().is_none() => Answer {
                reply: self.shared.names.to_reply(&value, self.shared.version.get()),
                error_is_counted: is_counted(&value),
            },
            Ok((_, error)) => self.failure(name, &error),
            Err(error) => self.failed_outside(name, &raise::text_of(&error)),
        };
        (self.end(), answer)
    }

    /// From here on until the end of the run Lua's memory is limited.
    pub(crate) fn limit_memory(&self) {
        self.shared.limit(&self.lua, true);
    }

    pub(crate) fn begin(&mut self, caller: C) {
        *self.shared.caller.borrow_mut() = Some(caller);
        self.shared.version.set(Version::default());
    }

    #[expect(clippy::expect_used, reason = "between begin and end there is a caller")]
    pub(crate) fn end(&mut self) -> C {
        self.shared.limit(&self.lua, false);
        self.shared.calm(&self.lua);
        self.n_runs += 1;
        if self.n_runs == RUNS_PER_COLLECTION {
            self.n_runs = 0;
            // A failure to collect now is made good by any later collection.
            let _ = self.lua.gc_step();
            let is_large = LARGE_BYTES < self.lua.used_memory();
            set_pause(&self.lua, if is_large { DOUBLED } else { self.pause });
        }
        self.shared.caller.take().expect("a caller during a run")
    }

    pub(crate) fn compile(
        &self,
        code: &[u8],
        name: &str,
        globals: &Table,
    ) -> std::result::Result<mlua::Function, Vec<u8>> {
        // Bytecode would be trusted; as in Redis it is not even recognised.
        if code.first() == Some(&27) {
            let name = name.trim_start_matches('@');
            return Err(format!("{name}:1: unexpected symbol near 'char(27)'").into());
        }
        let chunk = self.lua.load(code).set_name(name).set_mode(mlua::chunk::ChunkMode::Text);
        chunk.set_environment(globals.clone()).into_function().map_err(|it| raise::text_of(&it))
    }

    /// A fresh table of strings.
    pub(crate) fn list(&self, items: &[&[u8]]) -> Result<Table> {
        // Text goes straight onto Lua's stack; other bytes take the longer way.
        let texts: std::result::Result<SmallVec<[&str; 16]>, _> =
            items.iter().map(|it| std::str::from_utf8(it)).collect();
        if let Ok(texts) = texts {
            return self.lua.create_sequence_from(texts);
        }
        let strings: Result<Vec<_>> = items.iter().map(|it| self.lua.create_string(it)).collect();
        self.lua.create_sequence_from(strings?)
    }

    /// The error that ended a script, as the client sees it.
    fn failure(&self, name: &[u8], error: &Value) -> Answer {
        let Value::Table(error) = error else {
            let text = match self.shared.kill.borrow().as_ref() {
                Some(text) => return failed(text.clone().into_bytes()),
                None => error.to_string().unwrap_or_default(),
            };
            return self.failed_outside(name, text.as_bytes());
        };
        let text = |field: &str| {
            let value = error.get::<Value>(field).ok()?;
            match value {
                Value::String(text) => Some(text.as_bytes().to_vec()),
                Value::Integer(_) | Value::Number(_) => {
                    let text = self.lua.coerce_string(value).ok()??;
                    Some(text.as_bytes().to_vec())
                }
                _ => None,
            }
        };
        let mut line = text("err").unwrap_or_else(|| b"ERR unknown error".to_vec());
        if let (Some(source), Some(at)) = (text("source"), text("line")) {
            for part in [b" script: ", name, b", on ", &*source, b":", &*at, b"."] {
                line.extend_from_slice(part);
            }
        }
        let error_is_counted = is_counted(&Value::Table(error.clone()));
        Answer { error_is_counted, ..failed(line) }
    }

    /// An error that is no table: Lua ran out of memory, or the error handler failed.
    fn failed_outside(&self, name: &[u8], text: &[u8]) -> Answer {
        // What the script made is garbage now; the next one needs the room.
        let _ = self.lua.gc_collect();
        let text = text.get(..100).unwrap_or(text);
        failed([b"ERR Error running script ", name, b", ", text].concat())
    }
}

fn failed(line: Vec<u8>) -> Answer {
    Answer { reply: Reply::SimpleError(reply::error_line(&line)), error_is_counted: false }
}

fn is_counted(value: &Value) -> bool {
    match value {
        Value::Table(table) => {
            let mark = table.raw_get::<Value>("ignore_error_stats_update");
            matches!(mark, Ok(Value::Boolean(true)))
        }
        _ => false,
    }
}

/// The handler of errors that nothing in the script catches: a table that says where it happened.
pub(crate) fn handler(lua: &Lua, error: Value) -> Result<Value> {
    let error = raise::lift(lua, error)?;
    let place = place(lua);
    let table = match error {
        Value::Table(table) => table,
        other => {
            let text = match other {
                Value::Nil => b"nil".to_vec(),
                Value::Boolean(it) => it.to_string().into_bytes(),
                Value::Integer(_) | Value::Number(_) | Value::String(_) => {
                    let text = lua.coerce_string(other)?;
                    text.map(|it| it.as_bytes().to_vec()).unwrap_or_default()
                }
                other => format!("{}: {:p}", raise::type_name(&other), other.to_pointer()).into(),
            };
            let table = lua.create_table()?;
            table.raw_set("err", lua.create_string([b"ERR ", &*text].concat())?)?;
            table
        }
    };
    if let Some((source, line)) = place {
        table.set("source", source)?;
        table.set("line", line)?;
    }
    Ok(Value::Table(table))
}

/// Where the script was: what raised the error, or who called it if that is written in C.
fn place(lua: &Lua) -> Option<(String, i64)> {
    let mut may_skip_c = true;
    for level in 1.. {
        let found = lua.inspect_stack(level, |it| {
            let source = it.source();
            let is_own = source.source.as_deref() == Some(crate::sandbox::PRELUDE_NAME);
            if is_own || (source.what == "C" && may_skip_c) {
                return None;
            }
            if source.what == "tail" {
                return Some(None);
            }
            let line = it.current_line().and_then(|it| i64::try_from(it).ok()).unwrap_or(-1);
            Some(Some((source.source.unwrap_or_default().into_owned(), line)))
        })?;
        if let Some(found) = found {
            return found;
        }
        may_skip_c = false;
    }
    None
}
