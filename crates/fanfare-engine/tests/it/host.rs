//! The server around the engine, reduced to a list of subscriptions and a diary of what was asked of it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use fanfare_engine::block::Blocked;
use fanfare_engine::effect::Effect;
use fanfare_engine::host::{
    ClientFilter, Host, Killed, Kind, Outcome, ScriptTime, Shutdown, SlowEntry,
};
use fanfare_engine::keyspace::Garbage;
use fanfare_engine::push::Cursor;
use fanfare_engine::scripting::{LogLevel, Running, Scripting};
use fanfare_engine::table::Command;
use fanfare_engine::{Client, Reply, Request, WireError, glob, wire_error};

#[derive(Default)]
pub(crate) struct FakeHost {
    /// Id of the client whose command runs.
    pub(crate) present: u64,
    subscriptions: BTreeSet<(Kind, Vec<u8>, u64)>,
    /// Clients must give it, if there is one.
    pub(crate) password: Option<&'static [u8]>,
    /// `DEBUG` is allowed.
    pub(crate) allows_debug: bool,
    /// Whether the next `CLIENT KILL` hits the caller.
    pub(crate) kills_caller: bool,
    /// Samples of the event `command`.
    pub(crate) latency: Vec<(u64, u32)>,
    /// What the host was asked to do.
    pub(crate) diary: Vec<String>,
    /// What clients that were blocked have been told.
    pub(crate) served: Vec<(u64, Reply)>,
    /// What commands did.
    pub(crate) effects: Vec<Effect>,
    /// What was published of keys, as `event key`.
    pub(crate) published: Vec<String>,
    /// Somebody who frees what commands threw away.
    pub(crate) frees: Option<Sender<Garbage>>,
    n_random: u64,
    scripting: Option<Box<Scripting>>,
    n_polls: u64,
    /// Whether the host panics when a script asks whether it may go on.
    pub(crate) panics_at_polls: bool,
}

impl FakeHost {
    fn names(&self, kind: Kind) -> impl Iterator<Item = &(Kind, Vec<u8>, u64)> {
        self.subscriptions.iter().filter(move |it| it.0 == kind)
    }
}

impl Host for FakeHost {
    fn publish(&mut self, kind: Kind, channel: &[u8], payload: &[u8]) -> usize {
        if let Some(event) = channel.strip_prefix(b"__keyevent@0__:") {
            self.published.push(format!("{} {}", event.escape_ascii(), payload.escape_ascii()));
        }
        let by_name = self.n_subscribers(kind, channel);
        let by_pattern =
            self.names(Kind::Pattern).filter(|it| glob::matches(&it.1, channel)).count();
        if kind == Kind::Channel { by_name + by_pattern } else { by_name }
    }

    fn subscribe(&mut self, kind: Kind, name: &[u8]) -> bool {
        self.subscriptions.insert((kind, name.to_vec(), self.present))
    }

    fn subscribe_from(&mut self, name: &[u8], cursor: Cursor) -> bool {
        self.diary.push(format!("subscribe from {cursor:?}"));
        self.subscribe(Kind::Stream, name)
    }

    fn unsubscribe(&mut self, kind: Kind, name: &[u8]) -> bool {
        self.subscriptions.remove(&(kind, name.to_vec(), self.present))
    }

    fn subscriptions(&self, kind: Kind) -> Vec<Vec<u8>> {
        self.names(kind).filter(|it| it.2 == self.present).map(|it| it.1.clone()).collect()
    }

    fn active(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Vec<u8>> {
        let names: BTreeSet<_> = self.names(kind).map(|it| &it.1).collect();
        let wanted = |it: &&Vec<u8>| pattern.is_none_or(|pattern| glob::matches(pattern, it));
        names.into_iter().filter(wanted).cloned().collect()
    }

    fn n_subscribers(&self, kind: Kind, name: &[u8]) -> usize {
        self.names(kind).filter(|it| it.1 == name).count()
    }

    fn n_patterns(&self) -> usize {
        self.active(Kind::Pattern, None).len()
    }

    fn authenticate(&mut self, user: &[u8], password: &[u8]) -> bool {
        user == b"default" && self.password.is_none_or(|it| it == password)
    }

    fn requires_auth(&self) -> bool {
        self.password.is_some()
    }

    fn clients(&self, filter: &ClientFilter) -> Vec<u8> {
        format!("{filter:?}").into()
    }

    fn client_info(&self, client: &Client) -> Vec<u8> {
        format!("id={}", client.id).into()
    }

    fn kill(&mut self, filter: &ClientFilter) -> Killed {
        self.diary.push(format!("kill {filter:?}"));
        Killed { n_clients: usize::from(self.kills_caller), myself: self.kills_caller }
    }

    fn unblock(&mut self, client_id: u64, with_error: bool) -> bool {
        self.diary.push(format!("unblock {client_id} {with_error}"));
        false
    }

    fn pause(&mut self, until_unix_ms: u64, writes_only: bool) {
        self.diary.push(format!("pause {until_unix_ms} {writes_only}"));
    }

    fn unpause(&mut self) {
        self.diary.push("unpause".into());
    }

    fn monitor(&mut self, on: bool) {
        self.diary.push(format!("monitor {on}"));
    }

    fn config_get(&self, globs: &[&[u8]]) -> Vec<(Cow<'static, str>, String)> {
        let all = [("maxclients", "10000"), ("port", "6379")];
        let wanted = |name: &str| globs.iter().any(|it| glob::matches(it, name.as_bytes()));
        let found = all.into_iter().filter(|it| wanted(it.0));
        found.map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn config_set(&mut self, pairs: &[(&[u8], &[u8])]) -> Result<(), WireError> {
        let pairs = pairs.iter().map(|it| (it.0.escape_ascii(), it.1.escape_ascii()));
        let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
        self.diary.push(format!("set {}", pairs.join(" ")));
        Ok(())
    }

    fn config_reset_stat(&mut self) {
        self.diary.push("resetstat".into());
    }

    fn config_rewrite(&mut self) -> Result<(), WireError> {
        Ok(())
    }

    fn info(&self, sections: &[Vec<u8>]) -> Vec<u8> {
        sections.join(&b' ')
    }

    fn shutdown(&mut self, request: Shutdown) -> Result<(), WireError> {
        self.diary.push(format!("{request:?}"));
        if request.abort { Err(wire_error::NO_SHUTDOWN) } else { Ok(()) }
    }

    fn slowlog(&self, n_max: usize) -> Vec<SlowEntry> {
        let entry = |id| SlowEntry {
            id,
            unix_s: 1_700_000_000,
            micros: 15,
            args: vec![b"get".into(), b"a".into()],
            addr: b"127.0.0.1:1".into(),
            name: Vec::new(),
        };
        (0..12).rev().take(n_max).map(entry).collect()
    }

    fn slowlog_len(&self) -> usize {
        0
    }

    fn slowlog_reset(&mut self) {}

    fn latency_history(&self, event: &[u8]) -> Option<Vec<(u64, u32)>> {
        (event == b"command" && !self.latency.is_empty()).then(|| self.latency.clone())
    }

    fn latency_latest(&self) -> Vec<(String, u64, u32, u32)> {
        let max = self.latency.iter().map(|it| it.1).max().unwrap_or_default();
        let latest = self.latency.last();
        latest.map(|&(unix_s, ms)| ("command".into(), unix_s, ms, max)).into_iter().collect()
    }

    fn latency_reset(&mut self, _events: &[&[u8]]) -> usize {
        let n_events = usize::from(!self.latency.is_empty());
        self.latency.clear();
        n_events
    }

    fn latency_histogram(&self, command: Command) -> Option<(u64, Vec<(u64, u64)>)> {
        matches!(command.spec.name, "config|get" | "get").then(|| (3, vec![(1, 2), (4, 3)]))
    }

    fn latency_doctor(&self) -> String {
        String::new()
    }

    fn debug_allowed(&self) -> bool {
        self.allows_debug
    }

    fn debug_sleep(&mut self, time: Duration) {
        self.diary.push(format!("sleep {time:?}"));
    }

    fn debug_active_expire(&mut self, on: bool) {
        self.diary.push(format!("active expire {on}"));
    }

    fn discard(&mut self, garbage: Garbage) {
        self.diary.push(format!("discard {}", garbage.n_objects()));
        if let Some(frees) = &self.frees {
            frees.send(garbage).expect("it frees until nobody sends");
        }
    }

    fn take_scripting(&mut self) -> Option<Box<Scripting>> {
        self.scripting.take().or_else(|| Scripting::new().ok().map(Box::new))
    }

    fn put_scripting(&mut self, scripting: Box<Scripting>) {
        self.scripting = Some(scripting);
    }

    fn poll_script(&mut self, _running: &Running) -> ScriptTime {
        assert!(!self.panics_at_polls, "as asked");
        self.n_polls += 1;
        ScriptTime { ran: Duration::from_millis(self.n_polls), must_stop: 10_000 < self.n_polls }
    }

    fn script_ended(&mut self) {
        self.diary.push("script ended".into());
    }

    fn log_script(&mut self, level: LogLevel, text: &[u8]) {
        self.diary.push(format!("{level:?} {}", text.escape_ascii()));
    }

    fn served(&mut self, blocked: &Arc<Blocked>, reply: Reply) {
        self.served.push((blocked.client_id, reply));
    }

    fn random(&mut self) -> u64 {
        // Weyl's sequence: every test sees the same.
        self.n_random = self.n_random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.n_random ^ self.n_random >> 29
    }

    fn wants_effects(&self) -> bool {
        true
    }

    fn record(&mut self, effects: Vec<Effect>) {
        self.effects.extend(effects);
    }

    fn called(
        &mut self,
        _client: &Client,
        _command: Command,
        _request: Request<'_>,
        _outcome: Outcome<'_>,
    ) {
    }

    fn begin(&mut self) {}

    fn refused(&mut self, _command: Option<Command>, _error: &WireError) {}
}
