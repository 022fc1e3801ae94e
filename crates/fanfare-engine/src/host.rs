//! What commands ask of the server around the engine.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::block::Blocked;
use crate::effect::Effect;
use crate::keyspace::Garbage;
use crate::pubsub::ReactorId;
use crate::push::Cursor;
use crate::scripting::{LogLevel, Running, Scripting};
use crate::table::Command;
use crate::tracking::Tracker;
use crate::{Reply, Request, WireError};

/// Kinds of subscription; each has its own namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `SUBSCRIBE`
    Channel,
    /// `PSUBSCRIBE`
    Pattern,
    /// `SSUBSCRIBE`
    Shard,
    /// `XSUBSCRIBE`; names and messages are those of [`push`](crate::push).
    Stream,
}

/// The server as a command sees it.
///
/// The broker implements it; tests implement as much as they need. No method blocks.
pub trait Host {
    /// Publishes `payload`; returns the number of subscriptions that match at its place in the channel's order.
    /// `kind` is anything but `Pattern`.
    fn publish(&mut self, kind: Kind, channel: &[u8], payload: &[u8]) -> usize;

    /// Subscribes the present client. Returns whether it was not subscribed before.
    fn subscribe(&mut self, kind: Kind, name: &[u8]) -> bool;

    /// Unsubscribes the present client. Everything published before is in its outbox when this returns. Returns
    /// whether it was subscribed.
    fn unsubscribe(&mut self, kind: Kind, name: &[u8]) -> bool;

    /// The present client is pushed what is in a stream behind `cursor`, and then what is added. Returns whether it was
    /// not subscribed before.
    fn subscribe_from(&mut self, name: &[u8], cursor: Cursor) -> bool;

    /// What the present client is subscribed to.
    fn subscriptions(&self, kind: Kind) -> Vec<Vec<u8>>;

    /// Names with at least one subscriber, over all clients.
    fn active(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Vec<u8>>;

    /// Number of subscribers of a channel or shard channel.
    fn n_subscribers(&self, kind: Kind, name: &[u8]) -> usize;

    /// Number of distinct patterns.
    fn n_patterns(&self) -> usize;

    /// Checks a user's password. `Ok(false)`: wrong.
    fn authenticate(&mut self, user: &[u8], password: &[u8]) -> bool;

    /// Whether clients must authenticate (a password is set).
    fn requires_auth(&self) -> bool;

    /// One line per client as `CLIENT LIST` prints it.
    fn clients(&self, filter: &ClientFilter) -> Vec<u8>;

    /// The line of the present client. Facts that the command in progress changed are in `client`, not there yet.
    fn client_info(&self, client: &crate::Client) -> Vec<u8>;

    /// Ends the wait of a blocked client, which is told what it would be at its deadline, or an error. Returns whether
    /// it was blocked.
    fn unblock(&mut self, client_id: u64, with_error: bool) -> bool;

    /// Closes matching clients; returns how many. The present client is closed after its reply.
    fn kill(&mut self, filter: &ClientFilter) -> Killed;

    /// Stops commands (all, or those that write or publish) until a time, on all reactors.
    fn pause(&mut self, until_unix_ms: u64, writes_only: bool);

    /// Ends a pause.
    fn unpause(&mut self);

    /// Makes the present client a monitor.
    fn monitor(&mut self, on: bool);

    /// Directives whose names match one of the globs, with their values.
    fn config_get(&self, globs: &[&[u8]]) -> Vec<(Cow<'static, str>, String)>;

    /// Sets directives, all or none.
    ///
    /// # Errors
    /// Redis's words for what is wrong.
    fn config_set(&mut self, pairs: &[(&[u8], &[u8])]) -> Result<(), WireError>;

    /// Zeroes the statistics.
    fn config_reset_stat(&mut self);

    /// Writes the configuration back to its file.
    ///
    /// # Errors
    /// There is no file or it can not be written.
    fn config_rewrite(&mut self) -> Result<(), WireError>;

    /// The text of `INFO` for these sections (lower case; none: the default ones).
    fn info(&self, sections: &[Vec<u8>]) -> Vec<u8>;

    /// Begins a shutdown. The client is closed without a reply.
    ///
    /// # Errors
    /// Redis's words when it is refused (`ABORT` without one in progress).
    fn shutdown(&mut self, request: Shutdown) -> Result<(), WireError>;

    /// Newest entries of the slow log first, at most `n_max`.
    fn slowlog(&self, n_max: usize) -> Vec<SlowEntry>;

    /// Number of entries in the slow log.
    fn slowlog_len(&self) -> usize;

    /// Empties the slow log.
    fn slowlog_reset(&mut self);

    /// Latency samples of an event: `(unix seconds, milliseconds)`, oldest first; `None`: no such event so far.
    fn latency_history(&self, event: &[u8]) -> Option<Vec<(u64, u32)>>;

    /// Events with their latest sample and their maximum: `(event, unix seconds, latest ms, maximum ms)`.
    fn latency_latest(&self) -> Vec<(String, u64, u32, u32)>;

    /// Forgets samples of these events (none: of all); returns how many events were forgotten.
    fn latency_reset(&mut self, events: &[&[u8]]) -> usize;

    /// Calls of a command and how many of them took at most so many microseconds (powers of two).
    fn latency_histogram(&self, command: Command) -> Option<(u64, Vec<(u64, u64)>)>;

    /// A report in words (`LATENCY DOCTOR`).
    fn latency_doctor(&self) -> String;

    /// Whether `DEBUG` is allowed for the present client.
    fn debug_allowed(&self) -> bool;

    /// Stops the whole server for a time (`DEBUG SLEEP`).
    fn debug_sleep(&mut self, time: Duration);

    /// Whether due keys are removed in the background (`DEBUG SET-ACTIVE-EXPIRE`).
    fn debug_active_expire(&mut self, on: bool);

    /// Whether clients are carried from one thread to another all the time (`DEBUG SHUFFLE-CLIENTS`).
    fn debug_shuffle_clients(&mut self, _on: bool) {}

    /// Gives the server another replication id (`DEBUG CHANGE-REPL-ID`).
    fn debug_change_repl_id(&mut self) {}

    /// Frees what a command threw away, or has it freed if it [is large](Garbage::is_large). No lock is held.
    fn discard(&mut self, garbage: Garbage) {
        drop(garbage);
    }

    /// Whether somebody wants to know what commands did: without it nothing is collected for [`Self::record`].
    fn wants_effects(&self) -> bool {
        false
    }

    /// What one call did, in order, while the stripes of its keys are locked: so the order of these calls is the order
    /// in which any key changed. What one call did belongs together.
    fn record(&mut self, effects: Vec<Effect>) {
        drop(effects);
    }

    /// This thread's interpreter, which is given back by [`Self::put_scripting`]. `None`: there is no memory for one.
    fn take_scripting(&mut self) -> Option<Box<Scripting>>;

    /// Gives the interpreter back.
    fn put_scripting(&mut self, scripting: Box<Scripting>);

    /// Asked every some thousand instructions of a script: the host answers its other clients if it has run for too
    /// long.
    fn poll_script(&mut self, running: &Running) -> ScriptTime;

    /// A script that others were parked for is over.
    fn script_ended(&mut self);

    /// `redis.log`.
    fn log_script(&mut self, level: LogLevel, text: &[u8]);

    /// A client that was blocked has been served: this is what it is told. Called while the stripes of the keys are
    /// locked.
    fn served(&mut self, blocked: &Arc<Blocked>, reply: Reply);

    /// Where the present client is found again, as long as it waits: [`Blocked::seat`].
    fn seat(&self) -> u64 {
        0
    }

    /// Whether a client with this id is connected.
    fn client_exists(&self, client_id: u64) -> bool {
        let _ = client_id;
        false
    }

    /// How the present client, which begins to track keys, is known to those who change them.
    fn tracker(&mut self, client_id: u64) -> Arc<Tracker> {
        Arc::new(Tracker::new(client_id, ReactorId(0), 0))
    }

    /// A client may hold a copy of `key`, which has changed or is no longer tracked. Called while the key's stripe is
    /// locked. If it is the present client, it is told after the reply of its command.
    fn invalidate(&mut self, tracker: &Arc<Tracker>, key: &[u8]) {
        let _ = (tracker, key);
    }

    /// All clients that track anything must drop all copies.
    fn invalidate_all(&mut self) {}

    /// `key` has changed, while somebody [tracks prefixes](Self::track_prefix); `writer` did it, unless its time had
    /// come. Called while the key's stripe is locked.
    fn broadcast(&mut self, key: &[u8], writer: Option<u64>) {
        let _ = (key, writer);
    }

    /// From now on the present client is told of every key that begins with `prefix` when it changes.
    fn track_prefix(&mut self, prefix: &[u8]) {
        let _ = prefix;
    }

    /// The present client tracks no prefix any more.
    fn untrack_prefixes(&mut self) {}

    /// A number that clients can not foresee.
    fn random(&mut self) -> u64;

    /// Called before each command that [runs others](Command::runs_others).
    fn begin(&mut self);

    /// Called after each command that ran, those inside `EXEC` and scripts included.
    fn called(
        &mut self,
        client: &crate::Client,
        command: Command,
        request: Request<'_>,
        outcome: Outcome<'_>,
    );

    /// A script's command was refused.
    fn refused(&mut self, command: Option<Command>, error: &WireError);
}

/// What became of a command, for those who count.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// It was answered.
    Done,
    /// It was answered with an error.
    Failed(&'a WireError),
    /// It was answered with the error of a command inside it, which was told of.
    FailedInside,
    /// Its client waits.
    Blocked(&'a Blocked),
}

/// How long a script has run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptTime {
    /// For so long.
    pub ran: Duration,
    /// It must end now, since the server does.
    pub must_stop: bool,
}

/// Which clients `CLIENT LIST` shows and `CLIENT KILL` closes. Every criterion that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFilter {
    /// These ids.
    pub ids: Option<Vec<u64>>,
    /// This peer address (`ip:port`).
    pub addr: Option<Vec<u8>>,
    /// This local address.
    pub laddr: Option<Vec<u8>>,
    /// This type.
    pub kind: Option<ClientKind>,
    /// This user.
    pub user: Option<Vec<u8>>,
    /// Not the present client.
    pub skip_me: bool,
    /// Connected for at least so many seconds.
    pub age_s_min: Option<u64>,
}

/// Types of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// Neither of the others.
    Normal,
    /// A master of replication; there are none.
    Master,
    /// A replica; there are none.
    Replica,
    /// Subscribed to something.
    PubSub,
}

/// What `CLIENT KILL` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Killed {
    /// How many clients.
    pub n_clients: usize,
    /// The present client is one of them.
    pub myself: bool,
}

/// `SHUTDOWN` and its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shutdown {
    /// Do not save.
    pub nosave: bool,
    /// Save.
    pub save: bool,
    /// Do not wait for replicas.
    pub now: bool,
    /// Go even if saving fails.
    pub force: bool,
    /// Call a shutdown off.
    pub abort: bool,
}

/// One entry of the slow log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowEntry {
    /// Number since the start.
    pub id: u64,
    /// When, in Unix seconds.
    pub unix_s: u64,
    /// How long, in microseconds.
    pub micros: u64,
    /// The command, shortened as Redis does.
    pub args: Vec<Vec<u8>>,
    /// Who.
    pub addr: Vec<u8>,
    /// Their name.
    pub name: Vec<u8>,
}
