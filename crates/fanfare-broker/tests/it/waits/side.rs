//! One of the two servers, and what its clients see.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::time::Instant;

use fanfare_testkit::{RawClient, escape, split_frames};

use super::draw::Step;
use crate::peer::PATIENCE;

/// A client as `CLIENT LIST` shows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    pub(super) is_blocked: bool,
    pub(super) in_multi: bool,
    /// Its flags, database and last command.
    shown: String,
}

/// What a step brought about.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) states: Vec<State>,
    /// What each client was sent.
    pub(super) received: Vec<Vec<u8>>,
    /// Notifications, in order.
    events: Vec<String>,
}

impl Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (state, bytes)) in self.states.iter().zip(&self.received).enumerate() {
            writeln!(f, "{n} {} {}", state.shown, escape(bytes))?;
        }
        writeln!(f, "{}", self.events.join(" "))
    }
}

/// A server with its clients.
pub(super) struct Side {
    name: &'static str,
    addr: SocketAddr,
    version: &'static str,
    /// Asks and changes nothing.
    admin: RawClient,
    /// Hears of what happens to keys.
    listener: RawClient,
    clients: Vec<RawClient>,
    ids: Vec<String>,
    n_marks: usize,
}

impl Side {
    pub(super) fn new(
        name: &'static str,
        addr: SocketAddr,
        version: &'static str,
        n_clients: usize,
    ) -> Self {
        let connect = || RawClient::connect(addr).expect("it listens");
        let mut side = Self {
            name,
            addr,
            version,
            admin: connect(),
            listener: connect(),
            clients: Vec::new(),
            ids: Vec::new(),
            n_marks: 0,
        };
        for request in [&["FLUSHALL"][..], &["CONFIG", "SET", "notify-keyspace-events", "EA"]] {
            assert_eq!(side.admin.call(request), b"+OK\r\n");
        }
        side.listener.call(&["PSUBSCRIBE", "__keyevent@*__:*", "mark"]);
        side.listener.read_frames(1, PATIENCE);
        for _ in 0..n_clients {
            let (client, id) = side.connect();
            side.clients.push(client);
            side.ids.push(id);
        }
        side
    }

    fn connect(&self) -> (RawClient, String) {
        let mut client = RawClient::connect(self.addr).expect("it listens");
        client.call(&["HELLO", self.version]);
        let id = client.call(&["CLIENT", "ID"]);
        let id = String::from_utf8_lossy(&id).trim_matches(|it: char| !it.is_ascii_digit()).into();
        (client, id)
    }

    /// The reply to a request that changes nothing or prepares the rest.
    pub(super) fn ask<A: AsRef<[u8]>>(&mut self, request: &[A]) -> Vec<u8> {
        self.admin.call(request)
    }

    fn listing(&mut self) -> String {
        String::from_utf8_lossy(&self.ask(&["CLIENT", "LIST"])).into_owned()
    }

    /// The clients now.
    pub(super) fn states(&mut self) -> Vec<State> {
        let listing = self.listing();
        self.ids.iter().map(|id| State::of(&listing, id)).collect()
    }

    /// Does a step, and waits for nothing.
    pub(super) fn act(&mut self, step: &Step) {
        match step {
            Step::Send { client, requests } => {
                let bytes: Vec<u8> =
                    requests.iter().flat_map(|it| crate::peer::command(it)).collect();
                self.clients[*client].send(&bytes);
            }
            Step::Unblock { client, with_error } => {
                let word = if *with_error { "ERROR" } else { "TIMEOUT" };
                let id = self.ids[*client].clone();
                assert_eq!(self.ask(&["CLIENT", "UNBLOCK", &id, word]), b":1\r\n");
            }
            Step::HangUp { client } => {
                let (new, new_id) = self.connect();
                let id = std::mem::replace(&mut self.ids[*client], new_id);
                drop(std::mem::replace(&mut self.clients[*client], new));
                let until = Instant::now() + PATIENCE;
                while self.listing().contains(&format!("id={id} ")) {
                    assert!(Instant::now() < until, "{} keeps who hung up", self.name);
                }
            }
        }
    }

    /// Waits until a step is done by a server that does one thing after the other.
    pub(super) fn settle(&mut self, step: &Step) -> Seen {
        let until = Instant::now() + PATIENCE;
        loop {
            let states = self.states();
            self.clients.iter_mut().for_each(RawClient::drain);
            let is_done = match step {
                Step::Send { client, requests } => {
                    let (n_frames, _) = split_frames(self.clients[*client].received());
                    requests.len() <= n_frames.len()
                        || (states[*client].is_blocked && step.waits_for_good())
                }
                Step::Unblock { .. } | Step::HangUp { .. } => true,
            };
            if is_done {
                break;
            }
            assert!(Instant::now() < until, "{} does not answer {step}", self.name);
        }
        // Whoever was served has been sent what it is told before this is answered.
        let states = self.states();
        self.clients.iter_mut().for_each(RawClient::drain);
        self.seen(states)
    }

    /// Waits until everybody is told as much as is expected, and blocked who should be.
    pub(super) fn catch_up(&mut self, step: &Step, expected: &Seen) -> Seen {
        let until = Instant::now() + PATIENCE;
        loop {
            let states = self.states();
            self.clients.iter_mut().for_each(RawClient::drain);
            let mut received = self.clients.iter().map(RawClient::received).zip(&expected.received);
            let is_done =
                received.all(|(it, all)| all.len() <= it.len()) && states == expected.states;
            if is_done || until < Instant::now() {
                if !is_done {
                    eprintln!("{} does not get as far with {step}", self.name);
                }
                return self.seen(states);
            }
        }
    }

    fn seen(&mut self, states: Vec<State>) -> Seen {
        let events = self.events();
        let received = self.clients.iter_mut().map(RawClient::take_received).collect();
        Seen { states, received, events }
    }

    /// What was notified since this was asked. Which of several clients that were served goes on first is not defined
    /// where they live on two reactors: what they sent behind the command that waited is left out.
    fn events(&mut self) -> Vec<String> {
        self.n_marks += 1;
        let mark = format!("{}-", self.n_marks);
        self.admin.call(&["PUBLISH", "mark", &mark]);
        let mut events = Vec::new();
        loop {
            let frame = self.listener.read_frames(1, PATIENCE);
            assert!(!frame.is_empty(), "{} does not publish", self.name);
            let text = String::from_utf8_lossy(&frame).into_owned();
            let words: Vec<&str> = text.split("\r\n").filter(|it| !it.is_empty()).collect();
            let [channel, payload] = [6, 8].map(|it| words.get(it).copied().unwrap_or_default());
            if payload == mark {
                return events;
            }
            if payload.starts_with("seen") {
                continue;
            }
            events.push(format!("{}:{payload}", channel.trim_start_matches("__keyevent")));
        }
    }

    /// What the keys hold, in two databases.
    pub(super) fn contents(&mut self, keys: &[&str]) -> Vec<String> {
        let mut lines = Vec::new();
        for db in ["0", "1"] {
            self.ask(&["SELECT", db]);
            for key in keys {
                let kind = self.ask(&["TYPE", key]);
                let held = match kind.as_slice() {
                    b"+list\r\n" => self.ask(&["LRANGE", key, "0", "-1"]),
                    b"+zset\r\n" => self.ask(&["ZRANGE", key, "0", "-1", "WITHSCORES"]),
                    _ => Vec::new(),
                };
                lines.push(format!("{db} {key} {} {}", escape(&kind), escape(&held)));
            }
        }
        lines
    }

    /// What was counted, but for what was only asked to see how far clients are.
    pub(super) fn counts(&mut self) -> Vec<String> {
        let is_counted = |line: &&str| {
            line.starts_with("cmdstat_")
                && !line.starts_with("cmdstat_client|list")
                && !line.starts_with("cmdstat_info")
                || line.starts_with("errorstat_")
                || line.starts_with("total_error_replies")
                || line.starts_with("blocked_clients")
        };
        let text = self.ask(&["INFO", "everything"]);
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut lines: Vec<String> = text.split("\r\n").filter(is_counted).map(untimed).collect();
        lines.sort();
        lines
    }
}

/// The line without what depends on the clock.
fn untimed(line: &str) -> String {
    // docs/differences.md: D26
    let is_left_out = |it: &&str| {
        it.starts_with("usec")
            || it.starts_with("failed_calls") && line.starts_with("cmdstat_client|unblock")
    };
    let words = line.split([':', ',']).filter(|it| !is_left_out(it));
    words.collect::<Vec<_>>().join(" ")
}

impl State {
    fn of(listing: &str, id: &str) -> Self {
        let start = format!("id={id} ");
        let line = listing.lines().find(|it| it.contains(&start)).unwrap_or_default();
        let field = |name: &str| {
            line.split(' ').find_map(|it| it.strip_prefix(name)?.strip_prefix('=')).unwrap_or("?")
        };
        let [flags, db, multi, cmd] = ["flags", "db", "multi", "cmd"].map(field);
        Self {
            is_blocked: flags.contains('b'),
            in_multi: multi != "-1",
            shown: format!("flags={flags} db={db} multi={multi} cmd={cmd}"),
        }
    }
}
