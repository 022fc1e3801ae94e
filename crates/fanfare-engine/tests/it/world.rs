//! A server in memory: a keyspace, some clients, and a clock that stands still until told.

use std::sync::Arc;

use fanfare_engine::block::Blocked;
use fanfare_engine::evict::make_room;
use fanfare_engine::exec::{self, Admission, Called, Question};
use fanfare_engine::{Client, CommandTable, Keyspace, Now, Reply, Request, Version};
use fanfare_resp::{Span, Writer};

use crate::host::FakeHost;

/// Clients of a world.
pub(crate) const N_CLIENTS: usize = 3;

pub(crate) struct World {
    pub(crate) now_ms: u64,
    pub(crate) keyspace: Keyspace,
    table: CommandTable,
    pub(crate) clients: Vec<Client>,
    pub(crate) host: FakeHost,
    /// Clients that wait, in the order in which they came.
    waiting: Vec<Arc<Blocked>>,
}

impl World {
    pub(crate) fn new(version: Version) -> Self {
        Self::with_clients(version, N_CLIENTS)
    }

    pub(crate) fn with_clients(version: Version, n_clients: usize) -> Self {
        let clients = (1..).take(n_clients).map(|id| {
            let mut client = Client::new(id, true);
            client.version = version;
            client
        });
        Self {
            now_ms: 1_700_000_000_000,
            keyspace: Keyspace::new(16, 7),
            table: CommandTable::new(&[]).expect("no renames, no conflict"),
            clients: clients.collect(),
            host: FakeHost::default(),
            waiting: Vec::new(),
        }
    }

    /// Runs one request of one client; returns the bytes it would receive.
    pub(crate) fn call(&mut self, client_idx: usize, args: &[Vec<u8>]) -> Vec<u8> {
        let (data, spans) = packed(args);
        let request = Request::new(&data, &spans);
        let client = &mut self.clients[client_idx];
        self.host.present = client.id;
        let n_served = self.host.served.len();
        let now = Now { unix_us: self.now_ms * 1000 };
        let ask = |question| match question {
            Question::MayDebug => true,
            Question::HasRoom => make_room(now, &self.keyspace, &mut self.host),
        };
        let reply = match exec::admit(client, (&self.keyspace, &self.table), request, ask) {
            Err(refusal) => Reply::Error(refusal.error),
            Ok(Admission::Queue(command)) => exec::queue(client, command, request),
            Ok(Admission::Run(command)) => {
                let state = (&self.keyspace, &self.table);
                match exec::call(now, client, state, &mut self.host, (command, request)) {
                    Called::Done(result) => result.unwrap_or_else(Reply::Error),
                    Called::Blocked(blocked) => {
                        self.waiting.push(blocked);
                        Reply::None
                    }
                    Called::Closed => panic!("nobody closes the gate here"),
                }
            }
        };
        let mut wire = Vec::new();
        reply.write(&mut Writer::new(&mut wire, client.version));
        self.leave_lines(n_served);
        wire
    }

    /// Ends waits whose time is over, and looks whether time has brought something for others, as the server's reactors
    /// do: in the order of these times, and then of the numbers of the clients.
    pub(crate) fn end_late_waits(&mut self) {
        let now_ms = self.now_ms;
        let now = Now { unix_us: now_ms * 1000 };
        loop {
            let due_ms = |it: &Blocked| {
                let times = [it.deadline_unix_ms, it.retry_unix_ms()];
                times.into_iter().flatten().min().filter(|at_ms| *at_ms <= now_ms)
            };
            let due = self.waiting.iter().filter_map(|it| Some((due_ms(it)?, it.client_id, it)));
            let Some((_, id, blocked)) = due.min_by_key(|it| (it.0, it.1)) else { return };
            let (blocked, n_served) = (Arc::clone(blocked), self.host.served.len());
            if blocked.deadline_unix_ms.is_some_and(|it| it <= now_ms) {
                assert!(blocked.end(), "its wait is over, and it still waits");
                self.host.served.push((id, blocked.on_timeout.clone()));
            } else {
                let state = (&self.keyspace, &self.table);
                let reply = exec::retry(now, state, &mut self.host, &blocked);
                let reply = reply.expect("no script holds everything");
                self.host.served.extend(reply.map(|it| (id, it)));
            }
            self.leave_lines(n_served);
        }
    }

    /// Whom the host has told something, but for the first `n_served`, waits no longer.
    fn leave_lines(&mut self, n_served: usize) {
        for (id, _) in self.host.served.iter().skip(n_served) {
            if let Some(at) = self.waiting.iter().position(|it| it.client_id == *id) {
                self.keyspace.forget_blocked(&self.waiting.remove(at));
            }
        }
    }

    /// Runs a line, words separated by spaces; returns what its client would receive on one line. `2> GET k` is the
    /// second client's, `GET k` the first one's.
    pub(crate) fn line(&mut self, line: &str) -> String {
        let marked = line.split_once("> ").and_then(|(who, command)| {
            let number: usize = who.parse().ok()?;
            Some((number - 1, command))
        });
        let (client_idx, command) = marked.unwrap_or((0, line));
        let args: Vec<_> = command.split_whitespace().map(Into::into).collect();
        shown(&self.call(client_idx, &args))
    }

    /// Removes what is due, as the server does in the background.
    pub(crate) fn expire_due(&self) -> usize {
        self.keyspace
            .expire_due(Now { unix_us: self.now_ms * 1000 }, usize::MAX, |_, _, _| {})
            .n_removed
    }
}

fn packed(args: &[Vec<u8>]) -> (Vec<u8>, Vec<Span>) {
    let mut data = Vec::new();
    let spans = args.iter().map(|arg| {
        let start = data.len();
        data.extend_from_slice(arg);
        Span { start, end: data.len() }
    });
    let spans = spans.collect();
    (data, spans)
}

/// Wire bytes on one line: line ends become spaces.
pub(crate) fn shown(wire: &[u8]) -> String {
    String::from_utf8_lossy(wire).replace("\r\n", " ").trim_end_matches(' ').into()
}
