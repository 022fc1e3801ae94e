//! Libraries of functions: `FUNCTION LOAD`, and calling what it registered.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use bytes::Bytes;
use mlua::Value;

use crate::{
    Answer, Caller, Flags, ScriptError,
    raise::{self, Raised},
    runtime::Runtime,
};

pub(crate) const NAME_RULE: &str = "Library names can only contain letters, numbers, or \
                                    underscores(_) and must be at least one character long";

/// A function as `redis.register_function` took it.
pub(crate) struct Registered {
    pub(crate) name: Vec<u8>,
    pub(crate) description: Option<Vec<u8>>,
    pub(crate) flags: Flags,
    pub(crate) callback: mlua::Function,
}

/// A function of a library; cheap to clone, and good for a call even after its library is gone.
#[derive(Clone, Debug)]
pub struct Function(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    name: Bytes,
    description: Option<Bytes>,
    flags: Flags,
    callback: mlua::Function,
}

impl Function {
    fn new(it: Registered) -> Self {
        Self(Rc::new(Inner {
            name: it.name.into(),
            description: it.description.map(Bytes::from),
            flags: it.flags,
            callback: it.callback,
        }))
    }

    /// Its name.
    pub fn name(&self) -> &Bytes {
        &self.0.name
    }

    /// What it does, if its author said so.
    pub fn description(&self) -> Option<&Bytes> {
        self.0.description.as_ref()
    }

    /// What it says of itself.
    pub fn flags(&self) -> Flags {
        self.0.flags
    }
}

/// A library that was loaded.
#[derive(Clone, Debug)]
pub struct Library {
    name: Bytes,
    code: Bytes,
    functions: Vec<Function>,
}

impl Library {
    /// Its name.
    pub fn name(&self) -> &Bytes {
        &self.name
    }

    /// The name of its engine.
    pub fn engine(&self) -> &'static str {
        "LUA"
    }

    /// Its text, the first line included; to be loaded again elsewhere.
    pub fn code(&self) -> &Bytes {
        &self.code
    }

    /// Its functions, in the order of their registration.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }
}

/// All libraries, and where their functions are. Names of functions know no case.
#[derive(Debug, Default)]
pub(crate) struct Libraries {
    by_name: BTreeMap<Bytes, Library>,
    functions: HashMap<Vec<u8>, Function>,
}

impl Libraries {
    fn link(&mut self, library: Library) {
        for function in &library.functions {
            self.functions.insert(function.0.name.to_ascii_lowercase(), function.clone());
        }
        self.by_name.insert(library.name.clone(), library);
    }

    fn unlink(&mut self, name: &[u8]) -> Option<Library> {
        let library = self.by_name.remove(name)?;
        for function in &library.functions {
            self.functions.remove(&function.0.name.to_ascii_lowercase());
        }
        Some(library)
    }
}

impl<C: Caller> Runtime<C> {
    /// Loads a library: all of its functions, or none of them. The answer is its name.
    ///
    /// The caller is asked by [`Caller::poll`] whether loading may go on; Redis gives it 500 ms and
    /// then ends it with `ERR FUNCTION LOAD timeout`.
    pub fn load_library(
        &mut self,
        code: &[u8],
        is_replacing: bool,
        caller: C,
    ) -> (C, Result<Bytes, ScriptError>) {
        self.begin(caller);
        let result = self.load_within(code, is_replacing);
        self.shared.loading.take();
        (self.end(), result)
    }

    fn load_within(&mut self, code: &[u8], is_replacing: bool) -> Result<Bytes, ScriptError> {
        let (name, body) = header(code)?;
        let is_known = self.libraries.by_name.contains_key(name);
        if is_known && !is_replacing {
            return Err(wrong(b"Library '", name, b"' already exists"));
        }
        let functions = self.register(body)?;
        if functions.is_empty() {
            return Err(ScriptError::new("No functions registered"));
        }
        let old = self.libraries.unlink(name);
        let taken = functions
            .iter()
            .find(|it| self.libraries.functions.contains_key(&it.name.to_ascii_lowercase()));
        if let Some(taken) = taken {
            let error = wrong(b"Function ", &taken.name, b" already exists");
            if let Some(old) = old {
                self.libraries.link(old);
            }
            return Err(error);
        }
        let name = Bytes::copy_from_slice(name);
        self.libraries.link(Library {
            name: name.clone(),
            code: Bytes::copy_from_slice(code),
            functions: functions.into_iter().map(Function::new).collect(),
        });
        Ok(name)
    }

    /// Runs the text of a library for what it registers.
    fn register(&mut self, body: &[u8]) -> Result<Vec<Registered>, ScriptError> {
        let globals = &self.sandbox.library;
        let function = self
            .compile(body, "@user_function", globals)
            .map_err(|text| ScriptError::new([b"Error compiling function: ", &*text].concat()))?;
        *self.shared.loading.borrow_mut() = Some(Vec::new());
        self.sandbox.set_loading.call::<()>(true)?;
        let handler = &self.sandbox.handler;
        let (is_ok, error): (bool, Value) = self
            .sandbox
            .xpcall
            .call((function, handler))
            .unwrap_or_else(|it| (false, Value::Error(Box::new(it))));
        // Before any more Lua runs.
        self.shared.calm(&self.lua);
        self.sandbox.set_loading.call::<()>(false)?;
        let functions = self.shared.loading.take().unwrap_or_default();
        if is_ok {
            return Ok(functions);
        }
        let text = match &error {
            Value::Table(error) => {
                let text = error.get::<Option<mlua::LuaString>>("err").ok().flatten();
                text.map_or_else(|| b"ERR unknown error".to_vec(), |it| it.as_bytes().to_vec())
            }
            Value::Error(error) => match raise::raised(error) {
                Some(Raised::Reply { text, .. } | Raised::Killed(text)) => text.clone(),
                _ => [b"ERR ", &*raise::text_of(error)].concat(),
            },
            other => format!("ERR {}", other.to_string().unwrap_or_default()).into(),
        };
        Err(ScriptError::new([b"Error registering functions: ", &*text].concat()))
    }

    /// The libraries, by name.
    pub fn libraries(&self) -> impl Iterator<Item = &Library> {
        self.libraries.by_name.values()
    }

    /// The library of this name.
    pub fn library(&self, name: &[u8]) -> Option<&Library> {
        self.libraries.by_name.get(name)
    }

    /// The function of this name.
    pub fn function(&self, name: &[u8]) -> Option<Function> {
        self.libraries.functions.get(&name.to_ascii_lowercase()).cloned()
    }

    /// How many functions there are in all libraries.
    pub fn n_functions(&self) -> usize {
        self.libraries.functions.len()
    }

    /// Forgets a library and its functions.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn delete_library(&mut self, name: &[u8]) -> Result<(), ScriptError> {
        match self.libraries.unlink(name) {
            Some(_) => Ok(()),
            None => Err(ScriptError::new("Library not found")),
        }
    }

    /// Forgets all libraries.
    pub fn flush_libraries(&mut self) {
        self.libraries = Libraries::default();
        // A failure to collect now is made good by any later collection.
        let _ = self.lua.gc_collect();
    }

    /// Calls a function; the caller comes back with the answer.
    pub fn call_function(
        &mut self,
        function: &Function,
        keys: &[&[u8]],
        args: &[&[u8]],
        caller: C,
    ) -> (C, Answer) {
        self.run(caller, &function.0.name, |runtime| {
            let sandbox = &runtime.sandbox;
            let words = (runtime.list(keys)?, runtime.list(args)?);
            let function: mlua::Function =
                sandbox.bind.call((&function.0.callback, words.0, words.1))?;
            runtime.limit_memory();
            sandbox.xpcall.call((function, &sandbox.handler))
        })
    }
}

/// Letters, digits and underscores.
pub(crate) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|it| it.is_ascii_alphanumeric() || *it == b'_')
}

/// The name in the line `#!lua name=…`, and the code after it, with its line end.
fn header(code: &[u8]) -> Result<(&[u8], &[u8]), ScriptError> {
    if !code.starts_with(b"#!") {
        return Err(ScriptError::new("Missing library metadata"));
    }
    let Some(end) = code.iter().position(|it| *it == b'\n') else {
        return Err(ScriptError::new("Invalid library metadata"));
    };
    let (line, body) = code.split_at(end);
    let mut parts = line.split(u8::is_ascii_whitespace).filter(|it| !it.is_empty());
    let engine = parts.next().and_then(|it| it.strip_prefix(b"#!")).unwrap_or_default();
    let mut name = None;
    for part in parts {
        let value = part.split_at_checked(5).filter(|it| it.0.eq_ignore_ascii_case(b"name="));
        let Some((_, value)) = value else {
            return Err(wrong(b"Invalid metadata value given: ", part, b""));
        };
        if name.replace(value).is_some() {
            return Err(ScriptError::new(
                "Invalid metadata value, name argument was given multiple times",
            ));
        }
    }
    let name = name.ok_or_else(|| ScriptError::new("Library name was not given"))?;
    if !is_name(name) {
        return Err(ScriptError::new(NAME_RULE));
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(wrong(b"Engine '", engine, b"' not found"));
    }
    Ok((name, body))
}

fn wrong(before: &[u8], part: &[u8], after: &[u8]) -> ScriptError {
    ScriptError::new([before, part, after].concat())
}
