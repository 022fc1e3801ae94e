//! What a script asks of the server.

use fanfare_resp::{Request, Value, Version};

/// The server as a script sees it, for the time of one run.
///
/// It is moved into the run and handed back, because what Lua can reach has no borrows.
pub trait Caller: 'static {
    /// Runs a command, `redis.call` and `redis.pcall`, and answers in the form of `version`.
    ///
    /// There is at least one argument, the name of the command. An error is a [`Value::SimpleError`] that begins with its
    /// code.
    fn call(&mut self, request: Request<'_>, version: Version) -> Value;

    /// Asked every some thousand instructions: may the script go on?
    fn poll(&mut self) -> Verdict;

    /// `redis.log`.
    fn log(&mut self, level: LogLevel, text: &[u8]) {
        let _ = (level, text);
    }

    /// `redis.set_repl`: where the writes that follow go.
    fn set_replication(&mut self, replication: Replication) {
        let _ = replication;
    }

    /// `redis.acl_check_cmd`: whether the user may run this; `None` if there is no such command.
    fn may_call(&mut self, request: Request<'_>) -> Option<bool> {
        let _ = request;
        None
    }
}

/// The answer of [`Caller::poll`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The script goes on.
    GoOn,
    /// The script ends with this error; it begins with its code.
    Kill(String),
}

/// The levels of `redis.log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// `redis.LOG_DEBUG`
    Debug,
    /// `redis.LOG_VERBOSE`
    Verbose,
    /// `redis.LOG_NOTICE`
    Notice,
    /// `redis.LOG_WARNING`
    Warning,
}

/// What `redis.set_repl` chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replication {
    /// Writes go to the append-only file.
    pub to_aof: bool,
    /// Writes go to the replicas.
    pub to_replicas: bool,
}
