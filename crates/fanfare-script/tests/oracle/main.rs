//! Scripts that run here and on redis-server, and answer the same bytes in RESP2 and RESP3.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and cuts random numbers"
)]
#![expect(clippy::approx_constant, reason = "the number of DEBUG PROTOCOL")]

mod fake;
mod functions;
mod json;
mod libraries;
mod scripts;

use fanfare_resp::{Version, Writer};
use fanfare_script::{Runtime, Settings};
use fanfare_testkit::{RawClient, RedisServer, escape};

use fake::Fake;

/// Both sides, and what differed.
struct Oracle {
    _server: RedisServer,
    resp2: RawClient,
    resp3: RawClient,
    runtime: Runtime<Fake>,
    differences: Vec<String>,
    n_compared: usize,
}

impl Oracle {
    fn start() -> Self {
        let server = RedisServer::start(&["--enable-debug-command", "yes"]);
        let resp2 = RawClient::connect(server.addr()).unwrap();
        let mut resp3 = RawClient::connect(server.addr()).unwrap();
        resp3.call(&["HELLO", "3"]);
        resp3.call(&["DEBUG", "SET-DISABLE-DENY-SCRIPTS", "1"]);
        let runtime = Runtime::new(Settings::default()).unwrap();
        Self { _server: server, resp2, resp3, runtime, differences: Vec::new(), n_compared: 0 }
    }

    /// Compares a script with its keys and arguments.
    fn eval(&mut self, body: impl AsRef<[u8]>, keys: &[&[u8]], args: &[&[u8]]) {
        let body = body.as_ref();
        let n_keys = keys.len().to_string();
        let command = [&[b"EVAL", body, n_keys.as_bytes()], keys, args].concat();
        for version in [Version::Resp2, Version::Resp3] {
            let theirs = self.ask(version, &command);
            let reply = match self.runtime.load(body) {
                Ok(script) => {
                    let (_, answer) = self.runtime.eval(&script, keys, args, Fake::default());
                    encode(&answer.reply, version)
                }
                Err(error) => [b"-", error.as_bytes(), b"\r\n"].concat(),
            };
            self.compare(body, &theirs, &reply);
        }
    }

    fn script(&mut self, body: impl AsRef<[u8]>) {
        self.eval(body, &[], &[]);
    }

    fn ask(&mut self, version: Version, command: &[&[u8]]) -> Vec<u8> {
        // What commands left behind is not part of the comparison.
        self.resp2.call(&["FLUSHALL"]);
        let client = match version {
            Version::Resp2 => &mut self.resp2,
            Version::Resp3 => &mut self.resp3,
        };
        client.call(command)
    }

    fn compare(&mut self, what: &[u8], theirs: &[u8], ours: &[u8]) {
        self.n_compared += 1;
        if theirs != ours {
            self.differences.push(format!(
                "{}\n   redis: {}\n    ours: {}",
                escape(what),
                escape(theirs),
                escape(ours)
            ));
        }
    }

    /// Fails if anything differed.
    fn finish(self) {
        let n = self.differences.len();
        assert!(n == 0, "{n} of {} differ\n{}", self.n_compared, self.differences.join("\n"));
    }
}

fn encode(reply: &fanfare_resp::Value, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    fake::write(&mut Writer::new(&mut out, version), reply);
    out
}
