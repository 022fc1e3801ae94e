//! One server of a comparison, with the clients that a script opens on it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::compare::Answer;
use super::script::{Action, RespVersion, Step};
use crate::client::{RawClient, command};
use crate::frame::{split_frames, tokens};

/// How long a server may take to accept a connection.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(10);

/// Recognises the barrier's own traffic in what a MONITOR shows.
const BARRIER_TOKEN: &str = "testkit-barrier";

/// How long a server may take to answer; a machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long an answer may take where only its absence could tell that there is none: a busy machine needs time.
const ANSWER: Duration = Duration::from_secs(1);
/// The silence behind an answer that ends a step.
const QUIET: Duration = Duration::from_millis(10);

/// One server with the clients of the running script.
pub(crate) struct Side {
    addr: SocketAddr,
    control: RawClient,
    clients: BTreeMap<String, RawClient>,
    /// Those whose end an earlier step has seen.
    known_closed: BTreeSet<String>,
    ids: BTreeMap<String, String>,
    config: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Side {
    pub(crate) fn new(addr: SocketAddr) -> Result<Self, String> {
        let mut side = Self {
            addr,
            control: connect(addr)?,
            clients: BTreeMap::new(),
            known_closed: BTreeSet::new(),
            ids: BTreeMap::new(),
            config: Vec::new(),
        };
        side.config = side.read_config();
        Ok(side)
    }

    /// Connects the client if it is not connected yet.
    pub(crate) fn open(&mut self, name: &str, version: RespVersion) -> Result<(), String> {
        if self.clients.contains_key(name) {
            return Ok(());
        }
        let mut client = connect(self.addr)?;
        if version == RespVersion::Resp3 {
            client.call(&["HELLO", "3"]);
        }
        self.clients.insert(name.to_owned(), client);
        Ok(())
    }

    /// Does what the step says. Answers arrive later.
    pub(crate) fn act(&mut self, step: &Step) -> Result<(), String> {
        let bytes = match &step.action {
            Action::Command(args) => {
                let args: Result<Vec<_>, _> = args.iter().map(|it| self.substituted(it)).collect();
                command(&args?)
            }
            Action::Raw(bytes) => self.substituted(bytes)?,
            Action::Connect => return Ok(()),
            Action::Sleep(duration) => {
                thread::sleep(*duration);
                return Ok(());
            }
            Action::Close => {
                self.clients.remove(&step.client);
                self.known_closed.remove(&step.client);
                return Ok(());
            }
        };
        if let Some(client) = self.clients.get_mut(&step.client) {
            client.send(&bytes);
        }
        Ok(())
    }

    /// Waits until everything that the commands sent so far cause has arrived, for a server that
    /// runs commands one after the other: when it has answered a later question, all is written.
    pub(crate) fn settle(&mut self, n_bytes_sent: usize) {
        // One turn of the server to accept a new connection, one to run the command, one to close
        // the connection; more if the command is long, because it is read in pieces.
        for _ in 0..3 + n_bytes_sent / 4096 {
            self.barrier();
        }
        self.drain();
    }

    /// The same for scripts that would see the question: an answer, then a short silence.
    pub(crate) fn settle_quietly(&mut self, client: &str) {
        if let Some(client) = self.clients.get_mut(client) {
            client.wait_for_frames(1, ANSWER);
        }
        thread::sleep(QUIET);
        self.drain();
    }

    fn drain(&mut self) {
        for client in self.clients.values_mut() {
            client.drain();
        }
    }

    /// Waits until each client has received as much as the other server's client.
    pub(crate) fn wait_for(
        &mut self,
        counts: &BTreeMap<String, (usize, bool)>,
        patience: Duration,
    ) {
        let deadline = Instant::now() + patience;
        for (name, &(n_frames, closed)) in counts {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(client) = self.clients.get_mut(name) {
                wait_for_answers(client, n_frames, left);
                if closed {
                    client.wait_closed(deadline.saturating_duration_since(Instant::now()));
                }
            }
        }
    }

    /// Waits for an answer to one client that is not immediate.
    pub(crate) fn wait_late(&mut self, name: &str) {
        if let Some(client) = self.clients.get_mut(name) {
            client.wait_for_frames(1, PATIENCE);
        }
    }

    /// How many frames wait at each client, and which connections have been closed since the last
    /// step.
    pub(crate) fn counts(&self) -> BTreeMap<String, (usize, bool)> {
        let count = |(name, client): (&String, &RawClient)| {
            let n_frames = split_frames(&without_barriers(client.received())).0.len();
            let closed = client.is_closed() && !self.known_closed.contains(name);
            (name.clone(), (n_frames, closed))
        };
        self.clients.iter().map(count).collect()
    }

    /// Takes what the clients have received since the last call.
    pub(crate) fn take_answers(&mut self) -> BTreeMap<String, Answer> {
        let mut answers = BTreeMap::new();
        for (name, client) in &mut self.clients {
            let bytes = without_barriers(&client.take_received());
            let closed = client.is_closed() && self.known_closed.insert(name.clone());
            if closed || !bytes.is_empty() {
                answers.insert(name.clone(), Answer { bytes, closed });
            }
        }
        answers
    }

    /// Hangs up all clients and puts the server back into the state of a new one.
    pub(crate) fn reset(&mut self, changes_config: bool) -> Result<(), String> {
        self.clients.clear();
        self.known_closed.clear();
        self.ids.clear();
        if self.control.is_closed() || !self.barrier() {
            self.control = connect(self.addr)?;
        }
        if changes_config {
            self.restore_config();
        }
        let commands: [&[&str]; 5] = [
            &["FLUSHALL"],
            &["CLIENT", "UNPAUSE"],
            &["CONFIG", "RESETSTAT"],
            &["SLOWLOG", "RESET"],
            &["LATENCY", "RESET"],
        ];
        for args in commands {
            self.control.call(args);
        }
        self.wait_alone();
        Ok(())
    }

    fn barrier(&mut self) -> bool {
        if self.control.is_closed() {
            match connect(self.addr) {
                Ok(control) => self.control = control,
                Err(_) => return false,
            }
        }
        self.control.send_command(&["ECHO", BARRIER_TOKEN]);
        self.control.read_frames(1, PATIENCE).ends_with(b"testkit-barrier\r\n")
    }

    /// Waits until the server has noticed that the clients are gone.
    fn wait_alone(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let list = self.control.call(&["CLIENT", "LIST"]);
            if list.windows(4).filter(|it| it == b" fd=").count() <= 1 {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn read_config(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let reply = self.control.call(&["CONFIG", "GET", "*"]);
        let values: Vec<_> = tokens(&reply).into_iter().skip(1).filter_map(bulk).collect();
        let pairs = values.chunks_exact(2).filter_map(|it| it.first().zip(it.last()));
        pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn restore_config(&mut self) {
        let changed = self.read_config();
        let original = std::mem::take(&mut self.config);
        for pair in &original {
            if !changed.contains(pair) {
                self.control.call(&[b"CONFIG".as_slice(), b"SET", &pair.0, &pair.1]);
            }
        }
        self.config = original;
    }

    /// Replaces `${...}` in a word.
    fn substituted(&mut self, word: &[u8]) -> Result<Vec<u8>, String> {
        let Some(start) = word.windows(2).position(|it| it == b"${") else {
            return Ok(word.to_vec());
        };
        let tail = word.get(start + 2..).unwrap_or_default();
        let len = tail.iter().position(|&it| it == b'}').ok_or("${ is not closed")?;
        let name = String::from_utf8_lossy(tail.get(..len).unwrap_or_default()).into_owned();
        let value = self.variable(&name)?;
        let head = word.get(..start).unwrap_or_default();
        let rest = self.substituted(tail.get(len + 1..).unwrap_or_default())?;
        Ok([head, value.as_bytes(), rest.as_slice()].concat())
    }

    fn variable(&mut self, name: &str) -> Result<String, String> {
        let unknown = || format!("${{{name}}} is not known");
        match name.split_once('.').ok_or_else(unknown)? {
            ("server", "addr") => Ok(self.addr.to_string()),
            ("server", "port") => Ok(self.addr.port().to_string()),
            (client, "addr") => {
                let addr = self.clients.get(client).ok_or_else(unknown)?.local_addr();
                Ok(addr.map_err(|error| error.to_string())?.to_string())
            }
            (client, "id") => self.client_id(client).ok_or_else(unknown),
            _ => Err(unknown()),
        }
    }

    /// The server's id of a client, found by its address so that the client itself is not touched.
    fn client_id(&mut self, name: &str) -> Option<String> {
        if let Some(id) = self.ids.get(name) {
            return Some(id.clone());
        }
        let addr = self.clients.get(name)?.local_addr().ok()?;
        // It may be connected and not yet accepted.
        let deadline = Instant::now() + ACCEPTED_WITHIN;
        loop {
            let list = String::from_utf8(self.control.call(&["CLIENT", "LIST"])).ok()?;
            if let Some(line) = list.lines().find(|it| it.contains(&format!(" addr={addr} "))) {
                let id = line.strip_prefix("id=")?.split(' ').next()?.to_owned();
                self.ids.insert(name.to_owned(), id.clone());
                return Some(id);
            }
            if deadline <= Instant::now() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn connect(addr: SocketAddr) -> Result<RawClient, String> {
    RawClient::connect(addr).map_err(|error| format!("cannot connect to {addr}: {error}"))
}

/// The payload of a bulk string.
fn bulk(token: &[u8]) -> Option<Vec<u8>> {
    let start = token.windows(2).position(|it| it == b"\r\n")? + 2;
    Some(token.get(start..token.len().checked_sub(2)?)?.to_vec())
}

/// Waits for frames that are not lines in which a MONITOR shows the barrier: a server with several
/// threads may send those late.
fn wait_for_answers(client: &mut RawClient, n_frames: usize, patience: Duration) {
    let deadline = Instant::now() + patience;
    loop {
        let n_answers = split_frames(&without_barriers(client.received())).0.len();
        let left = deadline.saturating_duration_since(Instant::now());
        if n_frames <= n_answers || left.is_zero() || client.is_closed() {
            return;
        }
        let n_received = split_frames(client.received()).0.len();
        client.wait_for_frames(n_received + n_frames - n_answers, left);
    }
}

/// Drops the lines in which a MONITOR shows the barrier.
fn without_barriers(bytes: &[u8]) -> Vec<u8> {
    let token = BARRIER_TOKEN.as_bytes();
    let (frames, rest) = split_frames(bytes);
    let is_own = |it: &&[u8]| it.starts_with(b"+") && it.windows(token.len()).any(|it| it == token);
    let kept: Vec<&[u8]> = frames.into_iter().filter(|it| !is_own(it)).collect();
    [kept.concat().as_slice(), rest].concat()
}
