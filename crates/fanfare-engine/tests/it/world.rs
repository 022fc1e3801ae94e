//! A server in memory: a keyspace, some clients, and a clock that stands still until told.

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
}

impl World {
    pub(crate) fn new(version: Version) -> Self {
        let clients = (1..).take(N_CLIENTS).map(|id| {
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
        }
    }

    /// Runs one request of one client; returns the bytes it would receive.
    pub(crate) fn call(&mut self, client_idx: usize, args: &[Vec<u8>]) -> Vec<u8> {
        let (data, spans) = packed(args);
        let request = Request::new(&data, &spans);
        let client = &mut self.clients[client_idx];
        self.host.present = client.id;
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
                    Called::Blocked(_) => Reply::None,
                    Called::Closed => panic!("nobody closes the gate here"),
                }
            }
        };
        let mut wire = Vec::new();
        reply.write(&mut Writer::new(&mut wire, client.version));
        wire
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
