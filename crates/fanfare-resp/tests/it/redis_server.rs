//! The tables of `requests.rs`, put to a real redis-server over a socket of its own.

#![expect(clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::requests::{Case, INLINE, MULTIBULK, UNAUTHENTICATED};

/// How long the server may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);

struct RedisServer {
    process: Child,
    dir: PathBuf,
}

impl RedisServer {
    fn start(name: &str, options: &[&str]) -> Self {
        let dir = std::env::temp_dir().join(format!("fanfare-resp-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory for the socket");
        let socket = dir.join("redis.sock");
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(&dir)
            .args(options)
            .stdout(Stdio::null())
            .spawn();
        let process = match process {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("redis-server not found: apt-get install -y redis-server")
            }
            Err(error) => panic!("redis-server does not start: {error}"),
        };
        let server = Self { process, dir };
        let pause = Duration::from_millis(10);
        for _ in 0..PATIENCE.as_millis() / pause.as_millis() {
            if UnixStream::connect(&socket).is_ok() {
                return server;
            }
            thread::sleep(pause);
        }
        panic!("redis-server does not listen on {}", socket.display());
    }

    /// Everything the server answers to `case`; hangs up only where the server should not.
    fn ask(&self, case: &Case) -> Vec<u8> {
        let mut stream = UnixStream::connect(self.dir.join("redis.sock")).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(case.sent).expect("the server reads");
        let mut answer = Vec::new();
        if !case.is_closed {
            answer.resize(case.answer.len(), 0);
            stream.read_exact(&mut answer).expect("an answer and no hang-up");
            stream.shutdown(Shutdown::Write).expect("half closed");
        }
        stream.read_to_end(&mut answer).expect("the server hangs up");
        answer
    }

    fn check(&self, cases: &[Case]) {
        for case in cases {
            let sent = case.sent.escape_ascii().to_string();
            let sent = sent.get(..sent.len().min(80)).unwrap_or_default();
            let answer = self.ask(case).escape_ascii().to_string();
            assert_eq!(answer, case.answer.escape_ascii().to_string(), "{sent}");
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Nothing to do about a failure: the process or the directory is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn redis_server_answers_what_the_tables_say() {
    let server = RedisServer::start("open", &[]);
    server.check(MULTIBULK);
    server.check(INLINE);
}

#[test]
fn redis_server_answers_what_the_tables_say_before_authentication() {
    let server = RedisServer::start("locked", &["--requirepass", "secret"]);
    server.check(UNAUTHENTICATED);
}
