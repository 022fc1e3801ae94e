//! From a request to a reply: the checks before a command, its locks, its call.

use crate::client::{Mode, Queued};
use crate::keyspace::Plan;
use crate::spec::{Flag, Keys, Lock, Place, Spec};
use crate::table::Command;
use crate::{
    Client, CommandTable, Ctx, Host, Keyspace, Now, Reply, Request, WireError, number, wire_error,
};

/// What to do with a request that passed the checks.
#[derive(Clone, Copy, Debug)]
pub enum Admission {
    /// Call it now.
    Run(Command),
    /// Keep it for `EXEC` and answer `QUEUED`.
    Queue(Command),
}

/// A request that did not pass the checks.
#[derive(Debug)]
pub struct Refusal {
    /// The command, where one was found.
    pub command: Option<Command>,
    /// What the client is told.
    pub error: WireError,
}

/// Decides in Redis's order (`processCommand`): known, arity, allowed at all, authenticated, mode. A refusal inside
/// `MULTI` dooms the transaction; a refused `EXEC` ends it. `may_debug` says whether `DEBUG` is allowed.
///
/// # Errors
/// The refusal.
#[inline]
pub fn admit(
    client: &mut Client,
    (keyspace, table): (&Keyspace, &CommandTable),
    request: Request<'_>,
    may_debug: impl FnOnce() -> bool,
) -> Result<Admission, Refusal> {
    let command = match check(client, table, request, may_debug) {
        Ok(command) => command,
        Err(refusal) => return Err(note_refusal(client, keyspace, refusal)),
    };
    match client.mode {
        Mode::Multi { .. } if !runs_in_multi(command.spec) => Ok(Admission::Queue(command)),
        Mode::Normal | Mode::Multi { .. } => Ok(Admission::Run(command)),
    }
}

#[cold]
fn note_refusal(client: &mut Client, keyspace: &Keyspace, mut refusal: Refusal) -> Refusal {
    if let Mode::Multi { doomed, .. } = &mut client.mode {
        *doomed = true;
    }
    if refusal.command.is_some_and(|it| it.spec.name == "exec") {
        client.discard(keyspace);
        refusal.error = WireError::exec_aborted(&refusal.error);
    }
    refusal
}

#[inline]
fn check(
    client: &mut Client,
    table: &CommandTable,
    request: Request<'_>,
    may_debug: impl FnOnce() -> bool,
) -> Result<Command, Refusal> {
    let name = request.get(0).unwrap_or_default();
    let command = match client.recent.find(name) {
        Some(command) => command,
        None => look_up(client, table, name, request)?,
    };
    let refuse = |error| Err(Refusal { command: Some(command), error });
    if !command.spec.arity.admits(request.len()) {
        return refuse(WireError::wrong_arity(command.spec.name));
    }
    if command.has(Flag::Admin) && command.spec.name == "debug" && !may_debug() {
        return refuse(wire_error::DEBUG_NOT_ALLOWED);
    }
    if !client.authenticated && !command.has(Flag::NoAuth) {
        return refuse(wire_error::NO_AUTH);
    }
    if client.is_subscribed_resp2() && !allowed_while_subscribed(command.spec) {
        return refuse(WireError::in_subscribed_mode(command.spec.name));
    }
    if matches!(client.mode, Mode::Multi { .. }) && command.has(Flag::NoMulti) {
        return refuse(wire_error::NOT_IN_MULTI);
    }
    if client.monitoring && touches_keyspace(command) {
        return refuse(wire_error::MONITOR_AND_KEYSPACE);
    }
    Ok(command)
}

/// Finds the command and its subcommand; what has none is remembered, since most clients repeat themselves.
fn look_up(
    client: &mut Client,
    table: &CommandTable,
    name: &[u8],
    request: Request<'_>,
) -> Result<Command, Refusal> {
    let Some(command) = table.find(name) else {
        let error = WireError::unknown_command(name, request.iter().skip(1));
        return Err(Refusal { command: None, error });
    };
    if command.spec.subcommands.is_empty() {
        client.recent.remember(name, command);
        return Ok(command);
    }
    let Some(sub) = request.get(1) else { return Ok(command) };
    table.find_subcommand(command, sub).ok_or_else(|| {
        let error = WireError::unknown_subcommand(command.spec.name, sub);
        Refusal { command: None, error }
    })
}

/// Commands that act on the transaction instead of being part of it.
fn runs_in_multi(spec: &Spec) -> bool {
    matches!(spec.name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
}

/// To Redis a monitor is a kind of replica.
fn touches_keyspace(command: Command) -> bool {
    command.has(Flag::Write) || command.has(Flag::ReadOnly) || command.has(Flag::MayReplicate)
}

fn allowed_while_subscribed(spec: &Spec) -> bool {
    matches!(
        spec.name,
        "ping"
            | "subscribe"
            | "ssubscribe"
            | "sunsubscribe"
            | "psubscribe"
            | "unsubscribe"
            | "punsubscribe"
            | "quit"
            | "reset"
    )
}

/// Keeps a copy of the request for `EXEC`, unless it is certain by now that `EXEC` runs nothing.
pub fn queue(client: &mut Client, command: Command, request: Request<'_>) -> Reply {
    let changed = client.watch.is_dirty();
    if let Mode::Multi { queued, n_bytes, doomed } = &mut client.mode
        && !*doomed
        && !changed
    {
        let command = Queued::new(command, request);
        *n_bytes += command.n_bytes();
        queued.push(command);
    }
    Reply::Simple("QUEUED".into())
}

/// Locks what `command` needs and calls it; what is to be freed goes to the host when the locks are gone.
///
/// # Errors
/// What the client is told instead of a reply; then nothing was changed.
#[inline]
pub fn call<'a>(
    now: Now,
    client: &'a mut Client,
    (keyspace, table): (&'a Keyspace, &'a CommandTable),
    host: &'a mut dyn Host,
    (command, request): (Command, Request<'_>),
) -> Result<Reply, WireError> {
    let mut plan = Plan::default();
    plan_for(&mut plan, client, keyspace, command.spec, request);
    let keys = keyspace.lock(plan);
    let mut ctx = Ctx { now, spec: command.spec, client, keys, keyspace, table, host };
    let result = run(&mut ctx, command, request);
    let Ctx { keys, host, .. } = ctx;
    if let Some(garbage) = keys.release() {
        host.discard(garbage);
    }
    result
}

/// Calls a command whose stripes are already locked.
///
/// # Errors
/// As the command's.
#[inline]
pub fn run(ctx: &mut Ctx<'_>, command: Command, request: Request<'_>) -> Result<Reply, WireError> {
    ctx.spec = command.spec;
    let result = (command.spec.run)(ctx, request);
    ctx.host.called(ctx.client, command, request, result.as_ref().err());
    result
}

#[inline]
fn plan_for(
    plan: &mut Plan,
    client: &Client,
    keyspace: &Keyspace,
    spec: &Spec,
    request: Request<'_>,
) {
    match spec.keys {
        Keys::None | Keys::ShardChannels { .. } => {}
        // Most commands have one key.
        Keys::Range { first, last, .. } if u8::try_from(last) == Ok(first) => {
            if let Some(key) = request.get(usize::from(first)) {
                plan.key(keyspace, client.db, key);
            }
        }
        Keys::Range { .. }
        | Keys::Specs(_)
        | Keys::Planned { .. }
        | Keys::Database
        | Keys::Everything => plan_command(plan, client.db, keyspace, spec, request),
        Keys::Queued => plan_transaction(plan, client, keyspace),
    }
}

/// The stripes of any command but `EXEC`.
fn plan_command(plan: &mut Plan, db: u16, keyspace: &Keyspace, spec: &Spec, request: Request<'_>) {
    let lock = match spec.keys {
        Keys::None | Keys::ShardChannels { .. } | Keys::Queued => return,
        Keys::Range { .. } | Keys::Specs(_) => {
            spec.keys_of(request).for_each(|key| plan.key(keyspace, db, key));
            return;
        }
        Keys::Planned { lock, .. } => lock,
        Keys::Database => Lock::Database,
        Keys::Everything => Lock::Everything,
    };
    match lock {
        Lock::Database => plan.database(db),
        Lock::Everything => plan.everything(keyspace),
        Lock::Custom(places) => places(request, &mut |place| match place {
            Place::Key(key) => plan.key(keyspace, db, key.name),
            Place::Elsewhere { db, name } => plan.key(keyspace, db, name),
            Place::Database => plan.database(db),
        }),
    }
}

/// The stripes of all queued commands and watched keys. A queued `SELECT` moves what follows to another database.
fn plan_transaction(plan: &mut Plan, client: &Client, keyspace: &Keyspace) {
    for watched in &client.watch.keys {
        plan.key(keyspace, watched.db, &watched.key);
    }
    let Mode::Multi { queued, .. } = &client.mode else { return };
    let mut db = client.db;
    for command in queued {
        let request = command.request();
        let spec = command.command.spec;
        plan_command(plan, db, keyspace, spec, request);
        if spec.name == "select" {
            db = selected(request, keyspace).unwrap_or(db);
        }
    }
}

/// The database that a `SELECT` names, if there is such a one.
pub(crate) fn selected(request: Request<'_>, keyspace: &Keyspace) -> Option<u16> {
    let index = u16::try_from(number::parse_int(request.get(1)?)?).ok()?;
    (usize::from(index) < keyspace.n_databases()).then_some(index)
}

#[cfg(test)]
mod tests;
