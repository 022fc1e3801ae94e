//! From a request to a reply: the checks before a command, its locks, its call.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::block::{Awaited, Blocked, Ticket};
use crate::client::{Mode, Queued};
use crate::ctx::{Serving, Waits};
use crate::host::{Kind, Outcome};
use crate::keyspace::{Plan, StripeId};
use crate::push::{self, Chunk, Cursor};
use crate::spec::{Flag, Keys, Lock, Place, Spec};
use crate::table::Command;
use crate::value::{Stream, Typed as _};
use crate::{
    Client, CommandTable, Ctx, Host, Keyspace, Now, Reply, Request, WireError, number, tracking,
    wire_error,
};

/// Keys that a command forgets at most when clients may hold copies of too many, as in Redis.
const FORGOTTEN_PER_COMMAND_MAX: usize = 100;

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

/// What [`admit`] has to ask about, seldom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether `DEBUG` is allowed.
    MayDebug,
    /// Whether there is room for more: see [`make_room`](crate::evict::make_room). Asked only if memory is limited.
    HasRoom,
}

/// Decides in Redis's order (`processCommand`): known, arity, allowed at all, authenticated, room, mode. A refusal inside
/// `MULTI` dooms the transaction; a refused `EXEC` ends it.
///
/// # Errors
/// The refusal.
#[inline]
pub fn admit(
    client: &mut Client,
    (keyspace, table): (&Keyspace, &CommandTable),
    request: Request<'_>,
    ask: impl FnMut(Question) -> bool,
) -> Result<Admission, Refusal> {
    let command = match check(client, (keyspace, table), request, ask) {
        Ok(command) => command,
        Err(refusal) => {
            let refusal = note_refusal(client, keyspace, refusal);
            tracking::end_caching(client, refusal.command);
            return Err(refusal);
        }
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
    (keyspace, table): (&Keyspace, &CommandTable),
    request: Request<'_>,
    mut ask: impl FnMut(Question) -> bool,
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
    if command.has(Flag::Admin) && command.spec.name == "debug" && !ask(Question::MayDebug) {
        return refuse(wire_error::DEBUG_NOT_ALLOWED);
    }
    if !client.authenticated && !command.has(Flag::NoAuth) {
        return refuse(wire_error::NO_AUTH);
    }
    // Whatever the command is, it is a reason to make room.
    if keyspace.tuning().memory_max() != 0 && !ask(Question::HasRoom) && needs_room(client, command)
    {
        return refuse(wire_error::OUT_OF_MEMORY);
    }
    if client.is_subscribed_resp2() && !allowed_while_subscribed(command.spec) {
        return refuse(WireError::in_subscribed_mode(command.spec.name));
    }
    if matches!(client.mode, Mode::Multi { .. }) && command.has(Flag::NoMulti) {
        return refuse(wire_error::NOT_IN_MULTI);
    }
    if keyspace.gate().is_busy() && !command.has(Flag::AllowBusy) {
        return refuse(keyspace.scripts().busy_error());
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

/// Whether a command is refused when memory is full. So is what would be queued, since a queue takes memory, too.
fn needs_room(client: &Client, command: Command) -> bool {
    match &client.mode {
        Mode::Multi { queued, .. } if command.spec.name == "exec" => {
            queued.iter().any(|it| it.command.has(Flag::DenyOom))
        }
        Mode::Multi { .. } => !matches!(command.spec.name, "discard" | "quit" | "reset"),
        Mode::Normal => command.has(Flag::DenyOom),
    }
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
            | "xsubscribe"
            | "xunsubscribe"
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

/// What became of a command.
#[derive(Debug)]
pub enum Called {
    /// It ran; this is what the client is told.
    Done(Result<Reply, WireError>),
    /// The client waits until a key holds something; it is told later.
    Blocked(Arc<Blocked>),
    /// A script that holds everything runs on: nothing was done. To be called again when the
    /// [gate](crate::keyspace::Gate) opens.
    Closed,
}

/// Locks what `command` needs and calls it, then serves blocked clients that wait for what it changed; what is to be
/// freed goes to the host when the locks are gone. A command that fails has changed nothing.
#[inline]
pub fn call<'a>(
    now: Now,
    client: &'a mut Client,
    (keyspace, table): (&'a Keyspace, &'a CommandTable),
    host: &'a mut dyn Host,
    (command, request): (Command, Request<'a>),
) -> Called {
    let keys = match command.spec.only_key(request) {
        Some(key) => keyspace.lock_one(client.db, key),
        None => keyspace.lock(&plan_for(client, keyspace, command.spec, request)),
    };
    let Some(keys) = keys else { return Called::Closed };
    let mut ctx = Ctx::new((now, command), (client, keys), (keyspace, table), host);
    let result = run(&mut ctx, command, request);
    let waits = std::mem::take(&mut ctx.waits);
    finish(&mut ctx);
    if ctx.client.tracking.is_some() {
        after_tracking(ctx.client, keyspace, ctx.host, command);
    }
    match waits {
        Waits::No | Waits::Still { .. } => Called::Done(result),
        Waits::Blocked(blocked) => Called::Blocked(blocked),
    }
}

/// What comes after a command while its stripes are locked, and unlocks them.
#[inline]
fn finish(ctx: &mut Ctx<'_>) {
    if ctx.keys.has_more() {
        settle_stale(ctx);
        serve_blocked(ctx);
        ctx.settle_streams();
    }
    if !ctx.effects.list.is_empty() {
        ctx.host.record(std::mem::take(&mut ctx.effects.list));
    }
    if let Some(garbage) = ctx.keys.release() {
        ctx.host.discard(garbage);
    }
}

/// A client that may track has run a command: nothing is locked.
#[cold]
fn after_tracking(client: &mut Client, keyspace: &Keyspace, host: &mut dyn Host, command: Command) {
    tracking::end_caching(client, Some(command));
    tracking::limit(host, keyspace, FORGOTTEN_PER_COMMAND_MAX);
}

/// Calls a command whose stripes are already locked.
///
/// # Errors
/// As the command's.
#[inline]
pub fn run(ctx: &mut Ctx<'_>, command: Command, request: Request<'_>) -> Result<Reply, WireError> {
    if command.runs_others() {
        ctx.host.begin();
    }
    let result = run_uncounted(ctx, command, request);
    let outcome = match (&result, &ctx.waits) {
        (Err(_), _) if std::mem::take(&mut ctx.error_is_counted) => Outcome::FailedInside,
        (Err(error), _) => Outcome::Failed(error),
        (Ok(_), Waits::Blocked(blocked)) => Outcome::Blocked(blocked),
        (Ok(_), Waits::No | Waits::Still { .. }) => Outcome::Done,
    };
    ctx.host.called(ctx.client, command, request, outcome);
    result
}

#[inline]
fn run_uncounted(
    ctx: &mut Ctx<'_>,
    command: Command,
    request: Request<'_>,
) -> Result<Reply, WireError> {
    ctx.command = command;
    let n_before = ctx.keys.n_changes();
    let outer = std::mem::take(&mut ctx.effects.replaced);
    let result = (command.spec.run)(ctx, request);
    if ctx.keys.has_more() {
        ctx.settle_expired();
        ctx.settle_streams();
    }
    let is_effect = !ctx.effects.replaced && command.has(Flag::Write);
    if is_effect && ctx.keys.n_changes() != n_before {
        ctx.effects.push(ctx.client.db, request.iter());
    }
    ctx.effects.replaced = outer;
    if ctx.client.tracking.is_some() {
        tracking::remember(ctx, command, request);
    }
    result
}

/// Tells of what the present client made stale, before it is another one's turn.
#[inline]
fn settle_stale(ctx: &mut Ctx<'_>) {
    let stale = ctx.keys.take_stale();
    if !stale.is_empty() {
        tracking::settle(ctx, stale);
    }
}

/// Runs the requests of clients that are blocked on keys which changed, in the order in which they came.
#[inline]
fn serve_blocked(ctx: &mut Ctx<'_>) {
    while let Some((db, key)) = ctx.keys.next_ready() {
        serve_key(ctx, db, &key);
    }
}

#[cold]
fn serve_key(ctx: &mut Ctx<'_>, db: u16, name: &[u8]) {
    let key = ctx.keys.key(name);
    let mut line = Line { passed: None, exhausted: Vec::new() };
    while let Some(blocked) = ctx.keys.next_blocked(db, key, line.passed) {
        // Only readers of streams care for a key that is gone.
        let is_there = ctx.keys.get(db, key, ctx.now.unix_ms()).is_some();
        if !is_there && !ctx.keys.has_readers(db, key) {
            break;
        }
        if (!is_there && !blocked.awaits(Awaited::Stream)) || line.is_exhausted(&blocked) {
            line.passed = Some(blocked.ticket());
            continue;
        }
        // One whose wait is over is taken out of the line by its own reactor.
        let ready = Serving::Key(SmallVec::from_slice(name));
        match blocked.end_if_served(|| serve(ctx, &blocked, ready)) {
            Some(reply) => {
                ctx.keys.unblock(db, key, &blocked);
                ctx.host.served(&blocked, reply);
            }
            None => line.pass(&blocked),
        }
    }
}

/// How far those who wait for a key were looked at.
struct Line {
    /// The last one who got nothing.
    passed: Option<Ticket>,
    /// Words of those who got nothing, for all who wait with the same one.
    exhausted: Vec<Box<[u8]>>,
}

impl Line {
    fn is_exhausted(&self, blocked: &Blocked) -> bool {
        blocked.shares().is_some_and(|word| self.exhausted.iter().any(|it| **it == *word))
    }

    fn pass(&mut self, blocked: &Blocked) {
        self.passed = Some(blocked.ticket());
        self.exhausted.extend(blocked.shares().map(Box::from));
    }
}

/// Looks again whether there is something for a client that waits, since time has passed; what it is told, if there is.
/// Then its wait is over. Otherwise [`Blocked::retry_unix_ms`] tells when to look again; nothing else changes that time.
///
/// # Errors
/// A script that holds everything runs on: nothing was done.
pub fn retry<'a>(
    now: Now,
    (keyspace, table): (&'a Keyspace, &'a CommandTable),
    host: &'a mut dyn Host,
    blocked: &'a Blocked,
) -> Result<Option<Reply>, Closed> {
    let mut client = Client::new(blocked.client_id, true);
    client.db = blocked.db;
    let (command, request) = (blocked.command(), blocked.request());
    let plan = plan_for(&client, keyspace, command.spec, request);
    let keys = keyspace.lock(&plan).ok_or(Closed)?;
    let mut ctx = Ctx::new((now, command), (&mut client, keys), (keyspace, table), host);
    let reply = blocked.end_if_served(|| serve(&mut ctx, blocked, Serving::AnyKey));
    if reply.is_some() {
        for name in blocked.keys() {
            let key = ctx.keys.key(name);
            ctx.keys.unblock(blocked.db, key, blocked);
        }
    }
    finish(&mut ctx);
    Ok(reply)
}

/// Takes entries of the stream called `name` from behind `cursor`, about so many bytes, for the present client of the
/// host. If nothing is left behind them the client is subscribed to what is added, before anybody can add to it.
///
/// # Errors
/// A script that holds everything runs on: nothing was done.
pub fn read_on<'a>(
    now: Now,
    (keyspace, table): (&'a Keyspace, &'a CommandTable),
    host: &'a mut dyn Host,
    (name, cursor): (&'a [u8], &mut Cursor),
    n_bytes_max: usize,
) -> Result<Chunk, Closed> {
    let (db, key) = push::split(name).ok_or(Closed)?;
    let command = table.find(b"xsubscribe").ok_or(Closed)?;
    let mut client = Client::new(0, true);
    client.db = db;
    let keys = keyspace.lock_one(db, key).ok_or(Closed)?;
    let mut ctx = Ctx::new((now, command), (&mut client, keys), (keyspace, table), host);
    let stream = ctx.entry(key).and_then(|it| Stream::of(it.value()));
    let chunk = cursor.read(stream, n_bytes_max);
    // Of what happened before, those hear who are live by now.
    ctx.settle_expired();
    ctx.settle_streams();
    if chunk.is_end() {
        ctx.host.subscribe(Kind::Stream, name);
    }
    finish(&mut ctx);
    Ok(chunk)
}

/// A script that holds everything runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// Tells clients that wait in a group of a stream which expired or was evicted in the background that it is gone. To be
/// called now and then, without any lock.
pub fn tell_of_gone<'a>(
    now: Now,
    (keyspace, table): (&'a Keyspace, &'a CommandTable),
    host: &'a mut dyn Host,
) {
    // Any command will do: those of the clients take its place.
    let Some(command) = table.find(b"xread") else { return };
    for (db, name) in keyspace.take_gone() {
        let mut client = Client::new(0, true);
        client.db = db;
        let mut plan = Plan::default();
        plan.key(keyspace, db, &name);
        let Some(keys) = keyspace.lock(&plan) else {
            keyspace.note_gone(db, &name);
            continue;
        };
        let mut ctx = Ctx::new((now, command), (&mut client, keys), (keyspace, table), &mut *host);
        serve_key(&mut ctx, db, &name);
        finish(&mut ctx);
    }
}

/// Runs the request of a blocked client. `None`: it goes on waiting.
fn serve(ctx: &mut Ctx<'_>, blocked: &Blocked, serving: Serving) -> Option<Reply> {
    let mut client = Client::new(blocked.client_id, true);
    client.db = blocked.db;
    client.version = blocked.version;
    let stead = Stead::new(ctx, client);
    let ctx = &mut *stead.ctx;
    let command = ctx.command;
    let ready = ctx.serving.insert(serving);
    let by_time = matches!(ready, Serving::AnyKey);
    let list = match ready {
        Serving::Key(key) if blocked.awaits(Awaited::List) => Some(key.clone()),
        Serving::Key(_) | Serving::AnyKey => None,
    };
    // It was called, and shown to monitors, when it began to wait.
    let result = run_uncounted(ctx, blocked.command(), blocked.request());
    if let Some(key) = list {
        // As in Redis: who pushed an element that goes to another client at once has changed the list, and nobody else.
        ctx.keys.forget_change(&key);
    }
    settle_stale(ctx);
    ctx.serving = None;
    ctx.command = command;
    match std::mem::take(&mut ctx.waits) {
        Waits::Still { retry_unix_ms } => {
            // Otherwise only one of its keys was looked at, and its reactor comes back when it was told to.
            if by_time {
                blocked.set_retry(retry_unix_ms);
            }
            None
        }
        Waits::No | Waits::Blocked(_) => Some(result.unwrap_or_else(Reply::Error)),
    }
}

/// A context in which another client stands in for its own, which comes back even if a command panics: whoever catches
/// that needs it.
struct Stead<'c, 'a> {
    ctx: &'c mut Ctx<'a>,
    client: Client,
}

impl<'c, 'a> Stead<'c, 'a> {
    fn new(ctx: &'c mut Ctx<'a>, mut client: Client) -> Self {
        std::mem::swap(ctx.client, &mut client);
        Self { ctx, client }
    }
}

impl Drop for Stead<'_, '_> {
    fn drop(&mut self) {
        std::mem::swap(self.ctx.client, &mut self.client);
    }
}

fn plan_for(client: &Client, keyspace: &Keyspace, spec: &Spec, request: Request<'_>) -> Plan {
    let mut plan = Plan::default();
    if matches!(spec.keys, Keys::Queued) {
        plan_transaction(&mut plan, client, keyspace);
    } else {
        plan_command(&mut plan, client.db, keyspace, spec, request);
    }
    plan
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
        Lock::Everything => plan.everything(),
        Lock::Steps(first) => {
            // A client may send a cursor from elsewhere.
            plan.step(StripeId { db, index: first(request) % keyspace.n_stripes() });
        }
        Lock::Custom(places) => places(request, &mut |place| match place {
            Place::Key(key) => plan.key(keyspace, db, key.name),
            Place::Elsewhere { db, name } if usize::from(db) < keyspace.n_databases() => {
                plan.key(keyspace, db, name);
            }
            Place::Elsewhere { .. } => {}
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
        match spec.keys {
            // What is locked stays so until the end of the transaction.
            Keys::Planned { lock: Lock::Steps(_), .. } => plan.database(db),
            _ => plan_command(plan, db, keyspace, spec, request),
        }
        if spec.name == "select" {
            db = selected(request, keyspace).unwrap_or(db);
        }
    }
}

/// The database that a `SELECT` names, if there is such a one.
fn selected(request: Request<'_>, keyspace: &Keyspace) -> Option<u16> {
    keyspace.database(number::parse_int(request.get(1)?)?)
}

#[cfg(test)]
mod tests;
