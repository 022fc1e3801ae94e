//! A server in memory whose clients each have a thread.

use std::sync::atomic::{AtomicU64, Ordering};

use fanfare_engine::evict::make_room;
use fanfare_engine::exec::{self, Admission, Called, Question};
use fanfare_engine::{Client, CommandTable, Keyspace, Now, Reply, Request, wire_error};
use fanfare_resp::Span;

use crate::host::FakeHost;

/// When servers start, in milliseconds since the Unix epoch.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

pub(crate) struct Server {
    pub(crate) keyspace: Keyspace,
    table: CommandTable,
    now_ms: AtomicU64,
    n_sessions: AtomicU64,
}

/// A client. What the engine asks of its host is done and forgotten.
pub(crate) struct Session<'a> {
    server: &'a Server,
    client: Client,
    pub(crate) host: FakeHost,
    data: Vec<u8>,
    spans: Vec<Span>,
}

impl Server {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            keyspace: Keyspace::new(4, seed),
            table: CommandTable::new(&[]).expect("no renames, no conflict"),
            now_ms: AtomicU64::new(START_MS),
            n_sessions: AtomicU64::new(0),
        }
    }

    pub(crate) fn session(&self) -> Session<'_> {
        let id = 1 + self.n_sessions.fetch_add(1, Ordering::Relaxed);
        Session {
            server: self,
            client: Client::new(id, true),
            host: FakeHost::default(),
            data: Vec::new(),
            spans: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now { unix_us: self.now_ms.load(Ordering::Relaxed) * 1000 }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Session<'_> {
    /// Runs a command; an error is a reply like any other.
    pub(crate) fn call(&mut self, args: &[&[u8]]) -> Reply {
        self.data.clear();
        self.spans.clear();
        for arg in args {
            let start = self.data.len();
            self.data.extend_from_slice(arg);
            self.spans.push(Span { start, end: self.data.len() });
        }
        let Self { server, client, host, data, spans } = self;
        let (request, now) = (Request::new(data, spans), server.now());
        let ask = |question| match question {
            Question::MayDebug => true,
            Question::HasRoom => make_room(now, &server.keyspace, host),
        };
        let state = (&server.keyspace, &server.table);
        let reply = match exec::admit(client, state, request, ask) {
            Err(refusal) => Reply::Error(refusal.error),
            Ok(Admission::Queue(command)) => exec::queue(client, command, request),
            Ok(Admission::Run(command)) => {
                match exec::call(now, client, state, host, (command, request)) {
                    Called::Done(result) => result.unwrap_or_else(Reply::Error),
                    Called::Blocked(_) => Reply::None,
                    Called::Closed => Reply::Error(wire_error::SYNTAX),
                }
            }
        };
        self.host.diary.clear();
        self.host.effects.clear();
        reply
    }

    /// Runs a command that can not fail, its words separated by spaces.
    pub(crate) fn line(&mut self, line: &str) -> Reply {
        let args: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        let reply = self.call(&args);
        assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply:?}");
        reply
    }
}
