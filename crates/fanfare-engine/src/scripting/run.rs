//! One run of a script or a function: what its commands may do, and how long it may take.
//!
//! Source: redis-server 7.0.15's script.c.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fanfare_resp::{Request, Value, Version};
use fanfare_script::{Answer, LogLevel, Replication, Verdict};

use super::bridge::{Server, with_server};
use super::convert::{error_value, to_value};
use super::{Bridge, Running, Scripting};
use crate::host::ScriptTime;
use crate::spec::Flag;
use crate::table::Command;
use crate::{Ctx, Reply, WireError, exec, wire_error};

/// What is run, and what it may do.
pub(crate) struct Kind<'k> {
    /// Hash of the script, or name of the function.
    pub(crate) name: &'k [u8],
    pub(crate) is_eval: bool,
    pub(crate) is_read_only: bool,
    /// It says of itself that it may run when memory is full.
    pub(crate) allows_oom: bool,
}

/// Runs `body` with this thread's interpreter; its commands are those of `ctx`'s client.
pub(crate) fn run(
    ctx: &mut Ctx<'_>,
    scripting: &mut Scripting,
    kind: Kind<'_>,
    request: Request<'_>,
    body: impl FnOnce(&mut Scripting) -> (Bridge, Answer),
) -> Result<Reply, WireError> {
    let (version, db) = (ctx.client.version, ctx.client.db);
    ctx.client.in_script = true;
    let effects_wanted = ctx.effects.wanted;
    let mut run =
        Run { ctx, kind, request, running: None, wrote: false, time_max: None, panic: None };
    let (_, answer) = with_server(&mut run, || body(scripting));
    run.end();
    ctx.client.in_script = false;
    ctx.client.version = version;
    ctx.client.db = db;
    ctx.effects.wanted = effects_wanted;
    // What it did is what its commands did.
    ctx.effects.replaced = true;
    ctx.error_is_counted = answer.error_is_counted;
    match super::from_value(answer.reply) {
        Reply::Error(error) => Err(error),
        reply => Ok(reply),
    }
}

/// Loads a library, which may take so long.
pub(crate) fn load_library<R>(
    ctx: &mut Ctx<'_>,
    kind: Kind<'_>,
    request: Request<'_>,
    time_max: Duration,
    load: impl FnOnce() -> (Bridge, R),
) -> R {
    let time_max = Some(time_max);
    let mut run = Run { ctx, kind, request, running: None, wrote: true, time_max, panic: None };
    let (_, loaded) = with_server(&mut run, load);
    run.end();
    loaded
}

struct Run<'r, 'c> {
    ctx: &'r mut Ctx<'c>,
    kind: Kind<'r>,
    request: Request<'r>,
    /// Others know of it.
    running: Option<Arc<Running>>,
    wrote: bool,
    time_max: Option<Duration>,
    /// The host or a command panicked: the script ends first, so that its interpreter can be used again.
    panic: Option<Box<dyn Any + Send>>,
}

impl Server for Run<'_, '_> {
    fn call(&mut self, request: Request<'_>, version: Version) -> Value {
        let called = self.keep_panic(|run| run.call_command(request, version));
        called.unwrap_or_else(|| error_value(&wire_error::PANIC_IN_SCRIPT))
    }

    fn poll(&mut self) -> Verdict {
        let verdict = self.keep_panic(Self::ask_host);
        verdict.unwrap_or_else(|| Verdict::Kill(String::new()))
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        self.ctx.host.log_script(level, text);
    }

    fn set_replication(&mut self, replication: Replication) {
        let is_wanted = replication.to_aof || replication.to_replicas;
        self.ctx.effects.wanted = is_wanted && self.ctx.host.wants_effects();
    }

    fn may_call(&mut self, request: Request<'_>) -> Option<bool> {
        find(self.ctx, request).map(|_| true)
    }
}

impl Run<'_, '_> {
    /// Does `part` of the script's work, unless an earlier part panicked. `None`: it or this one did.
    fn keep_panic<R>(&mut self, part: impl FnOnce(&mut Self) -> R) -> Option<R> {
        if self.panic.is_some() {
            return None;
        }
        let done = catch_unwind(AssertUnwindSafe(|| part(self)));
        done.map_err(|panic| self.panic = Some(panic)).ok()
    }

    fn call_command(&mut self, request: Request<'_>, version: Version) -> Value {
        let result = match self.admit(request) {
            Ok(command) => {
                self.ctx.client.version = version;
                let n_before = self.ctx.keys.n_changes();
                let outer = self.ctx.command;
                let result = exec::run(self.ctx, command, request);
                self.ctx.command = outer;
                self.note_written(n_before, command);
                result
            }
            Err(error) => {
                let command = find(self.ctx, request);
                self.ctx.host.refused(command, &error);
                Err(error)
            }
        };
        match result {
            Ok(reply) => to_value(reply, version),
            Err(error) => error_value(&error),
        }
    }

    fn ask_host(&mut self) -> Verdict {
        let running = Arc::clone(self.announce());
        let ScriptTime { ran, must_stop } = self.ctx.host.poll_script(&running);
        if running.killed.load(Ordering::Acquire) {
            let command = if running.is_eval { "SCRIPT KILL" } else { "FUNCTION KILL" };
            return Verdict::Kill(format!("ERR Script killed by user with {command}..."));
        }
        if self.time_max.is_some_and(|max| max < ran) {
            return Verdict::Kill("ERR FUNCTION LOAD timeout".to_owned());
        }
        if must_stop {
            return Verdict::Kill("ERR The server is shutting down.".to_owned());
        }
        Verdict::GoOn
    }
}

/// The command or subcommand that a request names.
fn find(ctx: &Ctx<'_>, request: Request<'_>) -> Option<Command> {
    let command = ctx.table.find(request.get(0)?)?;
    match request.get(1) {
        Some(sub) if !command.spec.subcommands.is_empty() => {
            ctx.table.find_subcommand(command, sub)
        }
        Some(_) | None => Some(command),
    }
}

impl Run<'_, '_> {
    fn admit(&self, request: Request<'_>) -> Result<Command, WireError> {
        let command = find(self.ctx, request).ok_or(wire_error::UNKNOWN_FROM_SCRIPT)?;
        if !command.spec.arity.admits(request.len()) {
            return Err(wire_error::ARITY_FROM_SCRIPT);
        }
        if command.has(Flag::NoScript) {
            return Err(wire_error::NOT_FROM_SCRIPT);
        }
        let writes = command.has(Flag::Write) || command.has(Flag::MayReplicate);
        if self.kind.is_read_only && writes {
            return Err(wire_error::WRITE_FROM_READ_ONLY);
        }
        // Once it has written, it is let finish.
        if command.has(Flag::DenyOom) && !self.kind.allows_oom && !self.wrote && self.ctx.is_full()
        {
            return Err(wire_error::OOM);
        }
        Ok(command)
    }

    fn note_written(&mut self, n_before: u32, command: Command) {
        if !self.wrote && (self.ctx.keys.n_changes() != n_before || command.has(Flag::Write)) {
            self.wrote = true;
            if let Some(running) = &self.running {
                running.wrote.store(true, Ordering::Release);
            }
        }
    }

    /// Lets others know of the script, and closes the gate: it has run for some time.
    fn announce(&mut self) -> &Arc<Running> {
        let Self { ctx, kind, request, running, wrote, .. } = self;
        running.get_or_insert_with(|| {
            let running = Arc::new(Running {
                name: String::from_utf8_lossy(kind.name).into_owned(),
                request: request.iter().map(<[u8]>::to_vec).collect(),
                is_eval: kind.is_eval,
                since_unix_us: ctx.now.unix_us,
                wrote: (*wrote).into(),
                killed: false.into(),
            });
            ctx.keyspace.scripts().set_running(Some(Arc::clone(&running)));
            ctx.keyspace.gate().close();
            running
        })
    }

    /// The end; what panicked meanwhile goes on to.
    fn end(mut self) {
        let panic = self.panic.take();
        drop(self);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

/// However it ends, others are let in again.
impl Drop for Run<'_, '_> {
    fn drop(&mut self) {
        if self.running.take().is_some() {
            self.ctx.keyspace.scripts().set_running(None);
            self.ctx.keyspace.gate().open();
            self.ctx.host.script_ended();
        }
    }
}
