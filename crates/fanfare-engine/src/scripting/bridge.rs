//! How a script reaches the command that runs it.
//!
//! What Lua can reach has no borrows, so the run is not handed to the interpreter: it is looked up when it is needed,
//! in a place of this thread where it stays for the time of the run.

use fanfare_resp::{Request, Value, Version};
use fanfare_script::{Caller, LogLevel, Replication, Verdict};
use scoped_tls_hkt::scoped_thread_local;

/// What the interpreter calls; the run itself is where `with_server` put it.
#[derive(Clone, Copy, Debug)]
pub struct Bridge;

/// The server as a script sees it.
pub(super) trait Server {
    fn call(&mut self, request: Request<'_>, version: Version) -> Value;
    fn poll(&mut self) -> Verdict;
    fn log(&mut self, level: LogLevel, text: &[u8]);
    fn set_replication(&mut self, replication: Replication);
    fn may_call(&mut self, request: Request<'_>) -> Option<bool>;
}

scoped_thread_local!(static mut SERVER: for<'a> &'a mut (dyn Server + 'a));

/// Calls `run`, during which scripts on this thread reach `server`.
pub(super) fn with_server<R>(server: &mut dyn Server, run: impl FnOnce() -> R) -> R {
    SERVER.set(server, run)
}

impl Caller for Bridge {
    fn call(&mut self, request: Request<'_>, version: Version) -> Value {
        SERVER.with(|server| server.call(request, version))
    }

    fn poll(&mut self) -> Verdict {
        // A library that another thread has loaded already is loaded without a server.
        if SERVER.is_set() { SERVER.with(|server| server.poll()) } else { Verdict::GoOn }
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        if SERVER.is_set() {
            SERVER.with(|server| server.log(level, text));
        }
    }

    fn set_replication(&mut self, replication: Replication) {
        if SERVER.is_set() {
            SERVER.with(|server| server.set_replication(replication));
        }
    }

    fn may_call(&mut self, request: Request<'_>) -> Option<bool> {
        SERVER.with(|server| server.may_call(request))
    }
}
