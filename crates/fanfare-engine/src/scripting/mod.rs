//! Scripts and functions: what all threads know of them ([`Scripts`]), and what each has of its own ([`Scripting`]).
//!
//! The interpreter is `fanfare-script`; here is what a script's commands do. A script runs with all stripes locked, so
//! it is atomic whatever keys it names. While it runs for long the [gate](crate::keyspace::Gate) is closed: others are
//! parked, and told `BUSY` past `busy-reply-threshold`.

mod bridge;
mod convert;
mod run;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use fanfare_script::{Runtime, STACK_BYTES_MIN, ScriptError, Settings, Sha1};
use parking_lot::{Mutex, RwLock};

use crate::{WireError, wire_error};

pub use bridge::Bridge;
pub(crate) use convert::from_value;
pub use fanfare_script::LogLevel;
pub(crate) use run::{Kind, load_library, run};

/// All that Lua may hold on one thread. Redis has no limit, and is killed by the system instead.
const MEMORY_BYTES_MAX: usize = 1 << 30;

/// The stack of a thread that runs commands: what scripts need, and as much again for the commands that they call.
pub const THREAD_STACK_BYTES: usize = 2 * STACK_BYTES_MIN;

/// Scripts and libraries as all threads share them.
#[derive(Debug, Default)]
pub struct Scripts {
    bodies: RwLock<HashMap<Sha1, Bytes>>,
    /// Raised by `SCRIPT FLUSH`.
    flushes: AtomicU64,
    /// Codes of libraries by name, in the order of names.
    libraries: RwLock<BTreeMap<Bytes, Bytes>>,
    /// Raised with every change of `libraries`.
    libraries_version: AtomicU64,
    n_functions: AtomicUsize,
    running: Mutex<Option<Arc<Running>>>,
}

/// A script that runs for so long that others may want to know of it.
#[derive(Debug)]
pub struct Running {
    /// Hash of the script, or name of the function.
    pub name: String,
    /// The request that called it.
    pub request: Vec<Vec<u8>>,
    /// It is a script, not a function.
    pub is_eval: bool,
    /// When it began, in microseconds since the Unix epoch.
    pub since_unix_us: u64,
    wrote: AtomicBool,
    killed: AtomicBool,
}

/// What one thread has for scripts: an interpreter that follows what all threads share.
pub struct Scripting {
    pub(crate) runtime: Runtime<Bridge>,
    flushes: u64,
    libraries_version: u64,
}

impl std::fmt::Debug for Scripting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripting").finish_non_exhaustive()
    }
}

impl Running {
    /// Whether it has written something: what it began can not be taken back.
    #[must_use]
    pub fn has_written(&self) -> bool {
        self.wrote.load(Ordering::Acquire)
    }

    /// Ends it at its next instruction.
    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Release);
    }
}

impl Scripts {
    /// The script that runs for long at this moment.
    #[must_use]
    pub fn running(&self) -> Option<Arc<Running>> {
        self.running.lock().clone()
    }

    /// What clients are told while a script runs for too long.
    #[must_use]
    pub fn busy_error(&self) -> WireError {
        match self.running() {
            Some(running) if !running.is_eval => wire_error::BUSY_FUNCTION,
            Some(_) | None => wire_error::BUSY_SCRIPT,
        }
    }

    /// How many scripts are kept, and the bytes of their texts.
    #[must_use]
    pub fn cached(&self) -> (usize, usize) {
        let bodies = self.bodies.read();
        (bodies.len(), bodies.values().map(|it| it.len()).sum())
    }

    /// How many libraries and functions there are.
    #[must_use]
    pub fn loaded(&self) -> (usize, usize) {
        (self.libraries.read().len(), self.n_functions.load(Ordering::Relaxed))
    }

    /// The codes of all libraries.
    pub(crate) fn codes(&self) -> Vec<Bytes> {
        self.libraries.read().values().cloned().collect()
    }

    pub(crate) fn has_script(&self, sha: &Sha1) -> bool {
        self.bodies.read().contains_key(sha)
    }

    pub(crate) fn flush_scripts(&self) {
        self.bodies.write().clear();
        self.flushes.fetch_add(1, Ordering::Release);
    }

    fn set_running(&self, running: Option<Arc<Running>>) {
        *self.running.lock() = running;
    }
}

impl Scripting {
    /// An interpreter without scripts.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new() -> Result<Self, ScriptError> {
        let settings = Settings { memory_bytes_max: MEMORY_BYTES_MAX, ..Settings::default() };
        Ok(Self { runtime: Runtime::new(settings)?, flushes: 0, libraries_version: 0 })
    }

    /// Forgets what was flushed by any thread.
    pub(crate) fn follow_flushes(&mut self, scripts: &Scripts) {
        let flushes = scripts.flushes.load(Ordering::Acquire);
        if self.flushes != flushes {
            self.flushes = flushes;
            self.runtime.flush_scripts();
        }
    }

    /// Compiles a script, and lets all threads know it.
    pub(crate) fn load(
        &mut self,
        scripts: &Scripts,
        body: &[u8],
    ) -> Result<fanfare_script::Script, ScriptError> {
        self.follow_flushes(scripts);
        let n_before = self.runtime.n_scripts();
        let script = self.runtime.load(body)?;
        if self.runtime.n_scripts() != n_before {
            scripts.bodies.write().insert(script.sha(), script.body().clone());
        }
        Ok(script)
    }

    /// The script that any thread was given under this hash.
    pub(crate) fn script(
        &mut self,
        scripts: &Scripts,
        sha: &Sha1,
    ) -> Option<fanfare_script::Script> {
        self.follow_flushes(scripts);
        if let Some(script) = self.runtime.script(sha) {
            return Some(script);
        }
        let body = scripts.bodies.read().get(sha).cloned()?;
        // It was compiled once already.
        self.runtime.load(&body).ok()
    }

    /// Loads the libraries that other threads were given. All stripes are locked, so nobody changes them meanwhile.
    pub(crate) fn follow_libraries(&mut self, scripts: &Scripts) {
        let version = scripts.libraries_version.load(Ordering::Acquire);
        if self.libraries_version == version {
            return;
        }
        self.libraries_version = version;
        self.reset_libraries(&scripts.codes());
    }

    /// Has these libraries and no others. They were loaded once already, here or in another interpreter.
    pub(crate) fn reset_libraries(&mut self, codes: &[Bytes]) {
        self.runtime.flush_libraries();
        for code in codes {
            let (_, loaded) = self.runtime.load_library(code, true, Bridge);
            debug_assert!(loaded.is_ok(), "a library loads in one interpreter and not in another");
        }
    }

    /// What was changed in this interpreter's libraries is what all threads know from now on.
    pub(crate) fn publish_libraries(&mut self, scripts: &Scripts) {
        let libraries = self.runtime.libraries();
        let codes = libraries.map(|it| (it.name().clone(), it.code().clone())).collect();
        *scripts.libraries.write() = codes;
        scripts.n_functions.store(self.runtime.n_functions(), Ordering::Relaxed);
        self.libraries_version = scripts.libraries_version.fetch_add(1, Ordering::AcqRel) + 1;
    }
}
