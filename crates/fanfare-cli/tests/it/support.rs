//! The program and its broker as processes, and patience.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use fanfare_testkit::RawClient;
use rustix::process::{Pid, Signal, kill_process};

/// Longest time to wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program, without the environment's settings.
pub(crate) fn fanfare(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FANFARE_") {
            command.env_remove(name);
        }
    }
    command.args(args).env("NO_COLOR", "1").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn run(args: &[&str]) -> Output {
    fanfare(args).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The output of a command that must succeed.
pub(crate) fn succeed(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

/// Asserts that a command fails with this exit code and these words on standard error.
#[track_caller]
pub(crate) fn fails(args: &[&str], code: i32, words: &[&str]) {
    let output = run(args);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
    for word in words {
        assert!(told.contains(word), "{args:?}: {word:?} is not in:\n{told}");
    }
}

/// `fanfare serve` on a port of 127.0.0.1; killed on drop.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) addr: SocketAddr,
}

impl Server {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_at(free_addr(), args)
    }

    pub(crate) fn start_at(addr: SocketAddr, args: &[&str]) -> Self {
        let port = addr.port().to_string();
        let mut all = vec!["serve"];
        all.extend_from_slice(args);
        all.extend(["--port", &port, "--bind", "127.0.0.1"]);
        Self::spawn(fanfare(&all), addr)
    }

    pub(crate) fn spawn(mut command: Command, addr: SocketAddr) -> Self {
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while RawClient::connect(addr).is_err() {
            if let Some(status) = child.try_wait().unwrap() {
                let mut told = String::new();
                child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
                panic!("{command:?} ended with {status}: {told}");
            }
            assert!(Instant::now() < deadline, "{command:?} does not listen on {addr}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, addr }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    pub(crate) fn client(&self) -> RawClient {
        RawClient::connect(self.addr).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and returns how it ended and what it logged.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = wait(&mut self.child);
        let mut log = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut log).unwrap();
        (status, log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_addr() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if deadline < Instant::now() {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Lines of a child's standard error, up to one with this text.
pub(crate) fn wait_for_line(lines: &mut BufReader<ChildStderr>, text: &str) -> String {
    let mut all = String::new();
    while !all.contains(text) {
        let n = lines.read_line(&mut all).unwrap();
        assert!(n != 0, "{text:?} did not come: {all}");
    }
    all
}

/// `fanfare sub` with these arguments, confirmed by the server.
pub(crate) fn subscribed(args: &[&str]) -> (Child, BufReader<ChildStderr>) {
    let mut all = vec!["sub"];
    all.extend_from_slice(args);
    let mut child = fanfare(&all).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    wait_for_line(&mut lines, "subscribed to");
    (child, lines)
}

pub(crate) fn output_of(mut child: Child) -> Output {
    wait(&mut child);
    child.wait_with_output().unwrap()
}
