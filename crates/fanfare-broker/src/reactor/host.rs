//! What commands ask of the server, answered by the reactor that runs them.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fanfare_engine::block::Blocked;
use fanfare_engine::host::{
    ClientFilter, Host, Killed, Kind, Outcome, ScriptTime, Shutdown, SlowEntry,
};
use fanfare_engine::keyspace::Garbage;
use fanfare_engine::push::Cursor;
use fanfare_engine::scripting::{LogLevel, Running, Scripting};
use fanfare_engine::spec::Flag;
use fanfare_engine::table::Command;
use fanfare_engine::tracking::Tracker;
use fanfare_engine::{Client, Reply, Request, WireError, glob, wire_error};
use rand::Rng as _;
use subtle::ConstantTimeEq;

use super::input::{note_client, note_subscriptions};
use super::mailbox::{Item, Payload, SHARED_PAYLOAD_MIN};
use super::state::Reactor;
use super::tracking::What;
use crate::client::{Facts, Seat};
use crate::config::{self, Allow, Peer, SetError};
use crate::observe::{self, Caller, CommandTotals, Held};
use crate::shared::{Shared, unix_us};

/// A reactor while it runs a command of the connection at `slot`.
pub(super) struct Turn<'a> {
    pub(super) reactor: &'a mut Reactor,
    pub(super) shared: &'a Shared,
    pub(super) slot: u32,
    /// From what a command does to a channel until its line is shown, so that monitors see the channel's order.
    monitors: Option<Held<'a>>,
    /// When those commands began inside which others run, the innermost last.
    begun: Vec<quanta::Instant>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(reactor: &'a mut Reactor, shared: &'a Shared, slot: u32) -> Self {
        Self { reactor, shared, slot, monitors: None, begun: Vec::new() }
    }

    #[inline]
    fn hold_monitors(&mut self) {
        if self.monitors.is_none() && self.shared.monitors.any() {
            self.monitors = Some(self.shared.monitors.hold());
        }
    }

    fn facts(&self) -> Option<&Arc<Facts>> {
        self.reactor.conns.get(self.slot as usize).map(|it| &it.facts)
    }

    fn is_local(&self) -> bool {
        let local = |addr: &str| {
            addr.parse::<std::net::SocketAddr>()
                .is_ok_and(|it| it.ip().to_canonical().is_loopback())
        };
        self.facts().is_some_and(|it| it.is_unix || local(&it.addr))
    }

    fn allows(&self, allow: Allow) -> bool {
        match allow {
            Allow::No => false,
            Allow::Yes => true,
            Allow::Local => self.is_local(),
        }
    }

    fn line(&self, facts: &Facts, out: &mut Vec<u8>) {
        let shared = self.shared;
        let command = usize::from(facts.seen.command.load(Ordering::Relaxed));
        let name = shared.table.specs().get(command).map_or("NULL", |it| it.name);
        facts.write_line(out, shared.uptime_ms(), name);
        out.push(b'\n');
    }

    /// Since then; the clock is read once per command: the end of one is the start of the next.
    fn nanos_since(&mut self, started: quanta::Instant) -> u64 {
        let now = quanta::Instant::now();
        self.reactor.clock = now;
        u64::try_from(now.saturating_duration_since(started).as_nanos()).unwrap_or(u64::MAX)
    }

    fn count(&mut self, command: Command, outcome: Outcome<'_>, nanos: u64) {
        let with_latency = self.reactor.live.latency_tracking;
        let Some(stats) = self.reactor.stats() else { return };
        let (failed, is_answered) = match outcome {
            Outcome::Done => (false, true),
            Outcome::FailedInside => (true, true),
            Outcome::Failed(error) => {
                stats.error(error);
                (true, true)
            }
            Outcome::Blocked(blocked) => {
                blocked.note_spent(nanos);
                (false, false)
            }
        };
        stats.called(command.id, nanos, failed, with_latency && is_answered);
    }

    fn is_slow(&self, nanos: u64) -> bool {
        u64::try_from(self.reactor.live.slower_than_us).is_ok_and(|limit| limit <= nanos / 1000)
    }

    fn note_slow(&self, caller: Caller, (command, request): (Command, Request<'_>), nanos: u64) {
        if !command.has(Flag::SkipSlowlog) {
            let shown = observe::shown(command, request);
            let len_max = self.reactor.live.slowlog_len_max;
            self.shared.slowlog.lock().add(&shown, nanos / 1000, caller, len_max);
        }
    }

    #[inline]
    fn note_latency(&self, event: &'static str, nanos: u64) {
        let threshold_ms = self.reactor.live.latency_threshold_ms;
        let ms = nanos / 1_000_000;
        if threshold_ms != 0 && threshold_ms <= ms {
            self.add_latency(event, ms);
        }
    }

    #[cold]
    fn add_latency(&self, event: &'static str, ms: u64) {
        let ms = u32::try_from(ms).unwrap_or(u32::MAX);
        self.shared.latency.lock().add(event, unix_us() / 1_000_000, ms);
    }

    /// A client that was blocked is told something at last, which took so long.
    fn unblocked(&mut self, blocked: &Arc<Blocked>, reply: Reply, (nanos, failed): (u64, bool)) {
        let command = blocked.command();
        let nanos_in_all = blocked.spent_ns().saturating_add(nanos);
        let with_latency = self.reactor.live.latency_tracking;
        if let Some(stats) = self.reactor.stats() {
            stats.unblocked(command.id, (nanos, nanos_in_all), failed, with_latency);
            if let Reply::Error(error) = &reply {
                stats.error(error);
            }
        }
        if self.is_slow(nanos_in_all)
            && let Some(facts) = self.shared.clients.get(blocked.client_id)
        {
            let caller = caller(&facts, facts.name());
            self.note_slow(caller, (command, blocked.request()), nanos_in_all);
        }
        self.note_latency("command-unblocking", nanos);
        // Who waits is not carried elsewhere.
        let Seat { reactor, slot } = Seat::unpacked(blocked.seat);
        let Some(mailbox) = self.shared.mailbox(reactor) else { return };
        mailbox.post(Item::Served { slot, blocked: Arc::clone(blocked), reply: Box::new(reply) });
        self.reactor.to_wake.insert(reactor);
        self.reactor.schedule_turn();
    }
}

impl Host for Turn<'_> {
    #[inline]
    fn publish(&mut self, kind: Kind, channel: &[u8], payload: &[u8]) -> usize {
        self.hold_monitors();
        let reactor = &mut *self.reactor;
        let shared = self.shared;
        let (me, full, to_wake) = (reactor.id, &mut reactor.full, &mut reactor.to_wake);
        let wants = &mut reactor.wants;
        let mut for_me = false;
        // A large payload is copied before the channel is locked, and only if somebody may want it.
        let payload =
            if SHARED_PAYLOAD_MIN <= payload.len() && shared.registry.may_interest(channel) {
                Payload::Large(Arc::from(payload))
            } else {
                Payload::Small(payload)
            };
        let n_subscriptions = shared.registry.publish(kind, channel, |interested| {
            for id in interested.iter() {
                let Some(mailbox) = shared.mailbox(id) else { continue };
                if mailbox.publish(kind, channel, &payload) {
                    full.insert(id);
                    wants.room = true;
                }
                if id == me {
                    for_me = true;
                } else {
                    to_wake.insert(id);
                }
            }
        });
        if kind != Kind::Stream
            && let Some(stats) = reactor.stats()
        {
            stats.n_published.add(1);
        }
        if n_subscriptions != 0 {
            reactor.schedule_turn();
        }
        if for_me && reactor.conn(self.slot).is_some_and(|it| it.is_subscribed()) {
            reactor.wants.drain = true;
        }
        n_subscriptions
    }

    fn subscribe(&mut self, kind: Kind, name: &[u8]) -> bool {
        self.hold_monitors();
        let (reactor, slot) = (&mut *self.reactor, self.slot);
        let Some(conn) = reactor.conns.get_mut(slot as usize) else { return false };
        let subscriptions = conn.subscriptions.get_or_insert_default();
        let list = reactor.index.find(kind, name);
        if list.is_some_and(|it| subscriptions.contains(kind, it)) {
            return false;
        }
        if kind == Kind::Stream {
            if subscriptions.is_reading(name) {
                return false;
            }
            self.shared.keyspace.pushed().join();
        }
        let list = reactor.index.reserve(kind, name);
        subscriptions.insert(kind, list);
        let mailbox = reactor.shared.mailbox(reactor.id);
        reactor.shared.registry.subscribe(kind, name, reactor.id, || {
            if let Some(mailbox) = mailbox {
                mailbox.post(Item::Subscribe { list, slot });
            }
        });
        reactor.schedule_turn();
        true
    }

    fn unsubscribe(&mut self, kind: Kind, name: &[u8]) -> bool {
        self.hold_monitors();
        let (reactor, slot) = (&mut *self.reactor, self.slot);
        let conn = reactor.conns.get_mut(slot as usize);
        let Some(subscriptions) = conn.and_then(|it| it.subscriptions.as_mut()) else {
            return false;
        };
        if kind == Kind::Stream && subscriptions.remove_reading(name) {
            self.shared.n_reading.fetch_sub(1, Ordering::Relaxed);
            return true;
        }
        let Some(list) = reactor.index.find(kind, name) else { return false };
        if !subscriptions.remove(kind, list) {
            return false;
        }
        reactor.leave(kind, list, slot);
        // What was published before is in the outbox before the confirmation.
        reactor.drain_until(list, slot);
        true
    }

    fn subscribe_from(&mut self, name: &[u8], cursor: Cursor) -> bool {
        self.reactor.read_from(self.slot, name, cursor)
    }

    fn subscriptions(&self, kind: Kind) -> Vec<Vec<u8>> {
        let conn = self.reactor.conns.get(self.slot as usize);
        let Some(subscriptions) = conn.and_then(|it| it.subscriptions.as_ref()) else {
            return Vec::new();
        };
        let mut lists: Vec<_> = subscriptions.lists(kind).collect();
        lists.sort_unstable();
        let mut names: Vec<_> =
            lists.into_iter().map(|it| self.reactor.index.name(it).to_vec()).collect();
        if kind == Kind::Stream {
            names.extend(subscriptions.reading().map(<[u8]>::to_vec));
            // Whichever of them are live.
            names.sort_unstable();
        }
        names
    }

    fn active(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Vec<u8>> {
        self.shared.registry.active(kind, pattern)
    }

    fn n_subscribers(&self, kind: Kind, name: &[u8]) -> usize {
        self.shared.registry.n_subscribers(kind, name)
    }

    fn n_patterns(&self) -> usize {
        self.shared.registry.n_active(Kind::Pattern)
    }

    fn authenticate(&mut self, user: &[u8], password: &[u8]) -> bool {
        let config = self.shared.config.read();
        let expected = config.requirepass.reveal().as_bytes();
        let right =
            user == b"default" && (expected.is_empty() || bool::from(expected.ct_eq(password)));
        drop(config);
        if !right && let Some(stats) = self.reactor.stats() {
            stats.n_auth_failures.add(1);
        }
        right
    }

    fn requires_auth(&self) -> bool {
        !self.shared.config.read().requirepass.is_empty()
    }

    fn clients(&self, filter: &ClientFilter) -> Vec<u8> {
        let now_ms = self.shared.uptime_ms();
        let me = self.facts().map(|it| it.id);
        let mut out = Vec::new();
        let clients = &self.shared.clients;
        // Ids are answered in the order they were asked for, as often as they were.
        let candidates = match &filter.ids {
            Some(ids) => ids.iter().filter_map(|it| clients.get(*it)).collect(),
            None => clients.all(),
        };
        for facts in candidates {
            if facts.matches(filter, me, now_ms) {
                self.line(&facts, &mut out);
            }
        }
        out
    }

    fn client_info(&self, client: &Client) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(conn) = self.reactor.conns.get(self.slot as usize) {
            let facts = &conn.facts;
            note_client(facts, client);
            note_subscriptions(conn);
            if !client.in_exec {
                let mut names = self.shared.table.specs().iter().map(|it| it.name);
                let id =
                    names.position(|it| it == "client|info").and_then(|it| u16::try_from(it).ok());
                facts.seen.command.store(id.unwrap_or(u16::MAX), Ordering::Relaxed);
            }
            self.line(facts, &mut out);
        }
        out
    }

    fn unblock(&mut self, client_id: u64, with_error: bool) -> bool {
        let Some(facts) = self.shared.clients.get(client_id) else { return false };
        let Some(blocked) = facts.waiting().filter(|it| it.end()) else { return false };
        let reply = if with_error {
            Reply::Error(wire_error::UNBLOCKED)
        } else {
            blocked.on_timeout.clone()
        };
        // As in Redis, its command counts as failed, whatever it is told.
        self.unblocked(&blocked, reply, (0, true));
        true
    }

    fn kill(&mut self, filter: &ClientFilter) -> Killed {
        let shared = self.shared;
        let now_ms = shared.uptime_ms();
        let me = self.facts().map(|it| it.id);
        let mut killed = Killed { n_clients: 0, myself: false };
        // Nobody is on the way from one reactor to another.
        let _carrying = shared.carrying.lock();
        for facts in shared.clients.all() {
            if !facts.matches(filter, me, now_ms) {
                continue;
            }
            killed.n_clients += 1;
            if me == Some(facts.id) {
                killed.myself = true;
                continue;
            }
            let reactor = facts.seat().reactor;
            if let Some(mailbox) = shared.mailbox(reactor) {
                if let Some(load) = shared.loads.get(usize::from(reactor.0)) {
                    load.n_closes.fetch_add(1, Ordering::AcqRel);
                }
                mailbox.post(Item::Close { client_id: facts.id });
                mailbox.wake();
                // They are gone before the reply.
                self.reactor.wants.drain = true;
                self.reactor.wants.barrier = true;
            }
        }
        killed
    }

    fn pause(&mut self, until_unix_ms: u64, writes_only: bool) {
        let now_ms = self.reactor.now.unix_ms();
        self.shared.pause.begin(until_unix_ms, writes_only, now_ms);
        self.reactor.wants.barrier = true;
    }

    fn unpause(&mut self) {
        self.shared.pause.end();
        self.shared.resume_all();
    }

    fn monitor(&mut self, on: bool) {
        self.monitors = None;
        let Some(id) = self.facts().map(|it| it.id) else { return };
        let monitors = &self.shared.monitors;
        if on {
            monitors.add(self.reactor.id, self.slot, id);
        } else {
            monitors.remove(id);
        }
    }

    fn config_get(&self, globs: &[&[u8]]) -> Vec<(Cow<'static, str>, String)> {
        let globs: Vec<Cow<'_, str>> = globs.iter().map(|it| String::from_utf8_lossy(it)).collect();
        let mut globs: Vec<&str> = globs.iter().map(|it| &**it).collect();
        let mut known = std::collections::HashSet::new();
        globs.retain(|it| known.insert(it.to_ascii_lowercase()));
        let matches =
            |glob: &str, name: &str| glob::matches_nocase(glob.as_bytes(), name.as_bytes());
        let config = self.shared.config.read();
        let found = config::get_matching(&config, &globs, matches);
        found.into_iter().map(|(name, value)| (Cow::Owned(name), value)).collect()
    }

    fn config_set(&mut self, pairs: &[(&[u8], &[u8])]) -> Result<(), WireError> {
        let mut texts = Vec::new();
        for (name, value) in pairs {
            let name = String::from_utf8_lossy(name);
            let value = std::str::from_utf8(value)
                .map_err(|_| set_error(&SetError::failed(&name, "argument must be valid UTF-8")))?;
            texts.push((name, value));
        }
        let pairs: Vec<(&str, &str)> =
            texts.iter().map(|(name, value)| (&**name, *value)).collect();
        let peer = if self.is_local() { Peer::Local } else { Peer::Remote };
        let shared = self.shared;
        let mut config = shared.config.write();
        let mut next = config.clone();
        let changed = config::set(&mut next, &pairs, peer).map_err(|it| set_error(&it))?;
        for name in ["port", "bind"] {
            if changed.has(name) {
                return Err(set_error(&SetError::failed(
                    name,
                    "can't be changed while the broker runs; restart it",
                )));
            }
        }
        for warning in &changed.warnings {
            tracing::warn!("{warning}");
        }
        *config = next;
        shared.apply(&config);
        if changed.has("loglevel")
            && let Some(hook) = &shared.hooks.log_level
        {
            hook(config.loglevel);
        }
        drop(config);
        self.reactor.wants.barrier = true;
        Ok(())
    }

    fn config_reset_stat(&mut self) {
        self.shared.reset_stats();
    }

    fn config_rewrite(&mut self) -> Result<(), WireError> {
        let config = self.shared.config.read().clone();
        let Some(path) = &config.config_file else {
            return Err(WireError::new("ERR", "The server is running without a config file"));
        };
        crate::rewrite::rewrite_file(path, &config)
            .map_err(|error| WireError::err(format!("Rewriting config file: {error}")))
    }

    fn info(&self, sections: &[Vec<u8>]) -> Vec<u8> {
        observe::info(self.shared, sections)
    }

    fn shutdown(&mut self, request: Shutdown) -> Result<(), WireError> {
        if request.abort {
            return Err(WireError::new("ERR", "No shutdown in progress."));
        }
        tracing::info!("shutdown was asked for by a client");
        self.shared.stop.ask();
        Ok(())
    }

    fn slowlog(&self, n_max: usize) -> Vec<SlowEntry> {
        self.shared.slowlog.lock().newest(n_max)
    }

    fn slowlog_len(&self) -> usize {
        self.shared.slowlog.lock().len()
    }

    fn slowlog_reset(&mut self) {
        self.shared.slowlog.lock().clear();
    }

    fn latency_history(&self, event: &[u8]) -> Option<Vec<(u64, u32)>> {
        self.shared.latency.lock().history(std::str::from_utf8(event).ok()?)
    }

    fn latency_latest(&self) -> Vec<(String, u64, u32, u32)> {
        self.shared.latency.lock().latest()
    }

    fn latency_reset(&mut self, events: &[&[u8]]) -> usize {
        self.shared.latency.lock().reset(events)
    }

    fn latency_histogram(&self, command: Command) -> Option<(u64, Vec<(u64, u64)>)> {
        let mut totals = CommandTotals::default();
        for stats in &self.shared.stats {
            stats.add_command(usize::from(command.id), &mut totals);
        }
        observe::histogram(&totals)
    }

    fn latency_doctor(&self) -> String {
        let live = &self.reactor.live;
        observe::doctor(&self.shared.latency.lock(), live.latency_threshold_ms)
    }

    fn debug_allowed(&self) -> bool {
        let allow = self.shared.config.read().enable_debug_command;
        self.allows(allow)
    }

    fn debug_sleep(&mut self, time: Duration) {
        for (index, mailbox) in self.shared.mailboxes.iter().enumerate() {
            if index != usize::from(self.reactor.id.0) {
                mailbox.post(Item::Sleep(time));
                mailbox.wake();
            }
        }
        std::thread::sleep(time);
    }

    fn debug_shuffle_clients(&mut self, on: bool) {
        self.shared.shuffles.store(on, Ordering::Relaxed);
    }

    fn debug_active_expire(&mut self, on: bool) {
        self.shared.active_expire.store(on, Ordering::Relaxed);
    }

    fn discard(&mut self, garbage: Garbage) {
        self.shared.lazyfree.discard(garbage);
    }

    #[inline]
    fn take_scripting(&mut self) -> Option<Box<Scripting>> {
        self.reactor.take_scripting()
    }

    fn put_scripting(&mut self, scripting: Box<Scripting>) {
        self.reactor.scripting = Some(scripting);
    }

    fn poll_script(&mut self, running: &Running) -> ScriptTime {
        self.reactor.poll_script(running)
    }

    fn script_ended(&mut self) {
        self.reactor.script_ended();
    }

    fn log_script(&mut self, level: LogLevel, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        match level {
            LogLevel::Debug => tracing::trace!(target: "script", "{text}"),
            LogLevel::Verbose => tracing::debug!(target: "script", "{text}"),
            LogLevel::Notice => tracing::info!(target: "script", "{text}"),
            LogLevel::Warning => tracing::warn!(target: "script", "{text}"),
        }
    }

    fn served(&mut self, blocked: &Arc<Blocked>, reply: Reply) {
        let nanos = self.nanos_since(self.reactor.clock);
        let failed = matches!(reply, Reply::Error(_));
        self.unblocked(blocked, reply, (nanos, failed));
    }

    fn seat(&self) -> u64 {
        Seat { reactor: self.reactor.id, slot: self.slot }.packed()
    }

    fn client_exists(&self, client_id: u64) -> bool {
        self.shared.clients.get(client_id).is_some()
    }

    fn tracker(&mut self, client_id: u64) -> Arc<Tracker> {
        let tracker = Arc::new(Tracker::new(client_id, self.reactor.id, self.slot));
        if let Some(facts) = self.facts() {
            facts.set_tracker(&tracker);
        }
        tracker
    }

    fn invalidate(&mut self, tracker: &Arc<Tracker>, key: &[u8]) {
        let me = self.facts().map(|it| it.id);
        self.reactor.tell(tracker, What::Key(key.into()), me);
    }

    fn invalidate_all(&mut self) {
        let me = self.facts().map(|it| it.id);
        self.reactor.invalidate_all(me);
    }

    fn broadcast(&mut self, key: &[u8], writer: Option<u64>) {
        self.reactor.broadcast(key, writer);
    }

    fn track_prefix(&mut self, prefix: &[u8]) {
        self.reactor.track_prefix(prefix, self.slot);
    }

    fn untrack_prefixes(&mut self) {
        let Some(client_id) = self.facts().map(|it| it.id) else { return };
        self.reactor.untrack_prefixes(self.slot, client_id);
    }

    fn random(&mut self) -> u64 {
        self.reactor.rng.next_u64()
    }

    fn begin(&mut self) {
        self.begun.push(self.reactor.clock);
    }

    fn refused(&mut self, command: Option<Command>, error: &WireError) {
        if let Some(stats) = self.reactor.stats() {
            stats.refused(command, error);
        }
    }

    fn called(
        &mut self,
        client: &Client,
        command: Command,
        request: Request<'_>,
        outcome: Outcome<'_>,
    ) {
        let begun = if command.runs_others() { self.begun.pop() } else { None };
        let nanos = self.nanos_since(begun.unwrap_or(self.reactor.clock));
        self.count(command, outcome, nanos);
        if self.is_slow(nanos)
            && !matches!(outcome, Outcome::Blocked(_))
            && let Some(facts) = self.facts()
        {
            self.note_slow(caller(facts, client.name.clone()), (command, request), nanos);
        }
        self.note_latency(if command.has(Flag::Fast) { "fast-command" } else { "command" }, nanos);
        let held = self.monitors.take();
        let monitors = &self.shared.monitors;
        if monitors.any() && !command.has(Flag::SkipMonitor) && !command.has(Flag::Admin) {
            let addr = self.facts().map_or("?:0", |it| &*it.addr);
            let line = observe::monitor_line(
                unix_us(),
                client.db,
                addr,
                &observe::shown(command, request),
            );
            let held = held.unwrap_or_else(|| monitors.hold());
            for id in held.show(&self.shared.mailboxes, &line).iter() {
                self.reactor.full.insert(id);
                self.reactor.wants.room = true;
            }
        }
    }
}

fn caller(facts: &Facts, name: Vec<u8>) -> Caller {
    Caller { addr: facts.addr.as_bytes().to_vec(), name, unix_s: unix_us() / 1_000_000 }
}

/// `SetError` prints the whole reply line, `ERR ` included.
fn set_error(error: &SetError) -> WireError {
    let line = error.to_string();
    match line.strip_prefix("ERR ") {
        Some(text) => WireError::err(text.to_owned()),
        None => wire_error::SYNTAX,
    }
}
