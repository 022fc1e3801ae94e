//! The program as the shell sees it: help, exit codes, hints, and each command against a broker of
//! its own.
#![expect(clippy::unwrap_used, reason = "a test that can not go on fails")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use fanfare_testkit::{RawClient, TempDir};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longest time to wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program, without the environment's settings.
fn fanfare(args: &[&str]) -> Command {
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

fn run(args: &[&str]) -> Output {
    fanfare(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The output of a command that must succeed.
fn succeed(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

/// Asserts that a command fails with this exit code and these words on standard error.
#[track_caller]
fn fails(args: &[&str], code: i32, words: &[&str]) {
    let output = run(args);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
    for word in words {
        assert!(told.contains(word), "{args:?}: {word:?} is not in:\n{told}");
    }
}

/// `fanfare serve` on a port of 127.0.0.1; killed on drop.
struct Server {
    child: Child,
    addr: SocketAddr,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        Self::start_at(free_addr(), args)
    }

    fn start_at(addr: SocketAddr, args: &[&str]) -> Self {
        let port = addr.port().to_string();
        let mut all = vec!["serve"];
        all.extend_from_slice(args);
        all.extend(["--port", &port, "--bind", "127.0.0.1"]);
        Self::spawn(fanfare(&all), addr)
    }

    fn spawn(mut command: Command, addr: SocketAddr) -> Self {
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

    fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    fn client(&self) -> RawClient {
        RawClient::connect(self.addr).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and returns how it ended and what it logged.
    fn wait(mut self) -> (ExitStatus, String) {
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

fn free_addr() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn wait(child: &mut Child) -> ExitStatus {
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
fn wait_for_line(lines: &mut BufReader<ChildStderr>, text: &str) -> String {
    let mut all = String::new();
    while !all.contains(text) {
        let n = lines.read_line(&mut all).unwrap();
        assert!(n != 0, "{text:?} did not come: {all}");
    }
    all
}

/// `fanfare sub` with these arguments, confirmed by the server.
fn subscribed(args: &[&str]) -> (Child, BufReader<ChildStderr>) {
    let mut all = vec!["sub"];
    all.extend_from_slice(args);
    let mut child = fanfare(&all).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    wait_for_line(&mut lines, "subscribed to");
    (child, lines)
}

fn output_of(mut child: Child) -> Output {
    wait(&mut child);
    child.wait_with_output().unwrap()
}

#[test]
fn help_shows_commands_examples_and_exit_codes() {
    let help = succeed(&["--help"]);
    for word in
        ["serve", "demo", "pub", "sub", "stream", "ping", "bench", "explain", "Examples:", "130"]
    {
        assert!(help.contains(word), "{word}: {help}");
    }
    let commands =
        ["serve", "demo", "pub", "sub", "stream", "ping", "bench", "config", "explain", "man"];
    for command in commands {
        assert!(succeed(&[command, "--help"]).contains("Examples:"), "{command}");
    }
    assert!(succeed(&["serve", "--help"]).contains("--requirepass"));
    assert!(succeed(&["serve", "x.conf", "--port", "1", "--help"]).contains("--requirepass"));
    assert_eq!(succeed(&["--version"]), format!("fanfare {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_says_what_was_meant() {
    fails(&[], 2, &["Usage:"]);
    fails(&["srve"], 2, &["serve"]);
    fails(&["pub", "news", "x", "--cuont", "3"], 2, &["--count"]);
    fails(&["pub", "news"], 2, &["<MESSAGE>", "Usage:"]);
    fails(&["sub"], 2, &["Usage:"]);
    fails(&["pub", "news", "-", "--count", "3"], 2, &["error: ", "hint: leave --count out"]);
    fails(&["ping", "--url", "redis://h:99999"], 2, &["99999", "FF-1001", "hint: write redis://"]);
    fails(&["bench", "pubsub", "--payload", "9"], 2, &["from 10 to"]);
}

#[test]
fn a_failure_is_exit_code_1_with_a_hint() {
    let url = format!("redis://{}", free_addr());
    let words = ["error: ", "Connection refused", "FF-1101", "hint: start a broker with"];
    fails(&["ping", "--url", &url], 1, &words);
    fails(&["pub", "c", "m", "--url", &url], 1, &words);
    fails(&["sub", "c", "--url", &url], 1, &words);
    fails(&["bench", "pubsub", "--url", &url], 1, &words);
    fails(&["pub", "c", "--file", "/no/such/file"], 1, &["/no/such/file", "hint: "]);
    fails(&["explain", "FF-9999"], 1, &["FF-9999", "hint: known: FF-1001"]);
    fails(&["config", "no-such"], 1, &["no-such", "hint: "]);
}

#[test]
fn serve_refuses_what_it_can_not_do_and_says_why() {
    fails(&["serve", "--prot", "1"], 1, &["Did you mean --port?", "FF-3003", "hint: "]);
    fails(&["serve", "--port", "x"], 1, &["FF-3004", "0 to 65535"]);
    fails(&["serve", "--tls-port", "6390"], 1, &["TLS is not built", "FF-3005"]);
    fails(&["serve", "/no/such.conf"], 1, &["/no/such.conf", "FF-3001"]);
    fails(&["serve", "--port", "0", "--logfile", "/no/such/log"], 1, &["/no/such/log", "hint: "]);
    fails(&["serve", "--port", "0"], 1, &["nothing to listen on", "FF-3102"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let words = ["in use", "FF-3101", "hint: another server listens there"];
    fails(&["serve", "--port", &port, "--bind", "127.0.0.1"], 1, &words);
}

#[test]
fn serve_answers_and_sigterm_stops_it() {
    let dir = TempDir::new().unwrap();
    let pidfile = dir.path().join("fanfare.pid");
    let server = Server::start(&["--pidfile", pidfile.to_str().unwrap()]);
    let mut client = server.client();
    assert_eq!(client.call(&["PING"]), b"+PONG\r\n");
    assert_eq!(fs::read_to_string(&pidfile).unwrap(), format!("{}\n", server.child.id()));
    let addr = server.addr;
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(client.wait_closed(PATIENCE));
    assert!(!pidfile.exists());
    let version = env!("CARGO_PKG_VERSION");
    assert!(log.contains(&format!("fanfare {version} is ready on {addr}")), "{log}");
    assert!(log.contains("SIGTERM"), "{log}");
    assert!(!log.contains('\x1b'), "{log}");
}

#[test]
fn a_clients_shutdown_ends_it() {
    let server = Server::start(&[]);
    server.client().send(b"*1\r\n$8\r\nSHUTDOWN\r\n");
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn sigint_stops_it_and_sighup_does_not() {
    let server = Server::start(&[]);
    server.signal(Signal::HUP);
    assert_eq!(server.client().call(&["PING"]), b"+PONG\r\n");
    server.signal(Signal::INT);
    assert_eq!(server.wait().0.code(), Some(0));
}

/// The configuration that a guide to Redis pub/sub prints, with a free port and a log file that
/// can be made.
fn printed_config(dir: &Path, port: u16) -> String {
    format!(
        "# Basic networking\nbind 0.0.0.0\nport {port}\nprotected-mode yes\n\
         requirepass your_secure_password\n\nmaxmemory 2gb\nmaxmemory-policy allkeys-lru\n\n\
         client-output-buffer-limit pubsub 32mb 8mb 60\n\nsave 900 1\nsave 300 10\nsave 60 10000\n\n\
         rename-command FLUSHDB \"\"\nrename-command FLUSHALL \"\"\nrename-command DEBUG \"\"\n\n\
         loglevel notice\nlogfile {}\n\ntcp-keepalive 300\ntimeout 0\n",
        dir.join("redis-server.log").display()
    )
}

#[test]
fn a_printed_redis_conf_starts_it() {
    let dir = TempDir::new().unwrap();
    let addr = free_addr();
    let conf = dir.path().join("redis.conf");
    fs::write(&conf, printed_config(dir.path(), addr.port())).unwrap();
    let server = Server::spawn(fanfare(&["serve", conf.to_str().unwrap()]), addr);
    let mut client = server.client();
    assert!(client.call(&["PING"]).starts_with(b"-NOAUTH"));
    assert_eq!(client.call(&["AUTH", "your_secure_password"]), b"+OK\r\n");
    assert!(client.call(&["FLUSHDB"]).starts_with(b"-ERR unknown command"));
    assert_eq!(client.call(&["SET", "k", "v"]), b"+OK\r\n");
    fails(&["ping", "--url", &server.url()], 1, &["NOAUTH", "FF-1103", "hint: give the password"]);
    succeed(&["ping", "--url", &format!("redis://:your_secure_password@{addr}")]);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().1, "", "everything is in the log file");
    let log = fs::read_to_string(dir.path().join("redis-server.log")).unwrap();
    assert!(log.contains("is ready on 0.0.0.0:"), "{log}");
    assert!(log.contains("nothing is kept"), "{log}");
}

#[test]
fn the_log_is_json_if_asked_for() {
    let server = Server::start(&["--log-format", "json", "--loglevel", "verbose"]);
    let addr = server.addr;
    server.signal(Signal::TERM);
    let (_, log) = server.wait();
    let lines: Vec<Value> = log.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let ready = lines.iter().find(|it| it["message"] == "ready").expect(&log);
    assert_eq!(ready["addresses"], addr.to_string());
    assert_eq!(ready["level"], "INFO");
}

#[test]
fn loglevel_warning_is_quiet() {
    let server = Server::start(&["--loglevel", "warning", "--maxclients", "100"]);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().1, "");
}

#[test]
fn systemd_is_told() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let addr = free_addr();
    let port = addr.port().to_string();
    let mut command =
        fanfare(&["serve", "--supervised", "systemd", "--bind", "127.0.0.1", "--port", &port]);
    command.env("NOTIFY_SOCKET", &path);
    let server = Server::spawn(command, addr);
    let mut state = [0; 256];
    let n = socket.recv(&mut state).unwrap();
    assert!(state[..n].starts_with(b"READY=1\n"));
    server.signal(Signal::TERM);
    let n = socket.recv(&mut state).unwrap();
    assert!(state[..n].starts_with(b"STOPPING=1\n"));
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn maxclients_follows_the_limit_on_open_files() {
    let addr = free_addr();
    let binary = env!("CARGO_BIN_EXE_fanfare");
    let port = addr.port();
    let serve = format!("{binary} serve --bind 127.0.0.1 --port {port} --reactors 2");
    let script = format!("ulimit -n 100 && exec {serve}");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let server = Server::spawn(command, addr);
    let reply = server.client().call(&["CONFIG", "GET", "maxclients"]);
    let reply = String::from_utf8(reply).unwrap();
    assert!(reply.contains("\r\n68\r\n"), "{reply}");
    server.signal(Signal::TERM);
    let (_, log) = server.wait();
    assert!(log.contains("maxclients is 68 instead of 10000"), "{log}");
}

#[test]
fn directives_come_from_the_environment_and_are_listed() {
    let addr = free_addr();
    let mut command = fanfare(&["serve", "--bind", "127.0.0.1"]);
    command.env("FANFARE_PORT", addr.port().to_string()).env("FANFARE_MAXCLIENTS", "77");
    let server = Server::spawn(command, addr);
    let reply = server.client().call(&["CONFIG", "GET", "maxclients"]);
    assert!(String::from_utf8(reply).unwrap().contains("77"));

    let all = succeed(&["serve", "--help-directives"]);
    assert_eq!(all, succeed(&["config"]));
    assert!(all.contains("\nrequirepass \"\"\n"), "{all}");
    let port: Value = serde_json::from_str(&succeed(&["config", "port", "--json"])).unwrap();
    assert_eq!((&port["name"], &port["default"]), (&"port".into(), &"6379".into()));
}

#[test]
fn ping_measures() {
    let server = Server::start(&[]);
    let text = succeed(&["ping", "--url", &server.url(), "-c", "3", "-i", "0.01"]);
    assert_eq!(text.matches("PONG from redis://127.0.0.1").count(), 3, "{text}");
    assert!(text.contains("p50 "), "{text}");
    let mut command = fanfare(&["ping", "--json"]);
    let output = command.env("FANFARE_URL", server.url()).output().unwrap();
    let lines = stdout(&output);
    let pong: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(pong["type"], "pong");
}

#[test]
fn what_is_published_is_printed() {
    let server = Server::start(&[]);
    let url = server.url();
    let (sub, _lines) = subscribed(&["news", "-p", "n*", "--count", "4", "--url", &url]);
    let told = succeed(&["pub", "news", "one\ntwo", "--url", &url]);
    assert_eq!(told, "published 1 message to news: 2 receivers\n");
    succeed(&["pub", "nothing", "--url", &url, "three", "-n", "2"]);
    let output = output_of(sub);
    assert_eq!(output.status.code(), Some(0));
    let expected = "news one\\ntwo\nnews (n*) one\\ntwo\nnothing (n*) three\nnothing (n*) three\n";
    assert_eq!(stdout(&output), expected);
}

#[test]
fn json_and_raw_keep_every_byte() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("payload");
    fs::write(&file, b"\x00\xff\r\n").unwrap();
    let server = Server::start(&[]);
    let url = server.url();
    let (json, _json_lines) = subscribed(&["c", "--json", "--timestamps", "-n", "2", "-u", &url]);
    let (raw, _raw_lines) = subscribed(&["c", "--raw", "-n", "1", "-u", &url]);
    let published = succeed(&["pub", "c", "-u", &url, "--json", "-f", file.to_str().unwrap()]);
    succeed(&["pub", "c", "text", "-u", &url]);
    let published: Vec<Value> =
        published.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(
        (&published[0]["type"], &published[0]["receivers"]),
        (&"published".into(), &2.into())
    );
    assert_eq!((&published[1]["type"], &published[1]["published"]), (&"summary".into(), &1.into()));
    assert_eq!(output_of(raw).stdout, b"\x00\xff\r\n\n");
    let lines = stdout(&output_of(json));
    let lines: Vec<Value> = lines.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!((&lines[0]["channel"], &lines[0]["payload_hex"]), (&"c".into(), &"00ff0d0a".into()));
    assert_eq!((&lines[1]["type"], &lines[1]["payload"]), (&"message".into(), &"text".into()));
    assert!(lines[1]["received_at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn each_line_of_standard_input_is_published_when_it_comes() {
    let server = Server::start(&[]);
    let url = server.url();
    let (sub, _lines) = subscribed(&["--shard", "log", "--raw", "--count", "3", "-u", &url]);
    let mut publisher = fanfare(&["pub", "log", "-", "--shard", "-u", &url]);
    let mut publisher = publisher.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = publisher.stdin.take().unwrap();
    stdin.write_all(b"a\n\nlast").unwrap();
    drop(stdin);
    assert_eq!(output_of(sub).stdout, b"a\n\nlast\n");
    let told = stdout(&output_of(publisher));
    assert!(told.starts_with("published 3 messages to log: 3 receivers"), "{told}");
}

#[test]
fn a_subscription_that_waits_in_vain_fails_and_one_without_a_count_does_not() {
    let server = Server::start(&[]);
    let url = server.url();
    let args = ["sub", "c", "--count", "1", "--timeout", "0.1", "-u", &url];
    fails(&args, 1, &["0 of 1 messages came", "hint: "]);
    assert_eq!(succeed(&["sub", "c", "--timeout", "0.1", "-u", &url]), "");
    let graph = succeed(&["sub", "c", "--graph", "--timeout", "0.1", "-u", &url]);
    assert!(graph.starts_with("0 messages in "), "{graph}");
}

#[test]
fn a_stream_is_followed() {
    let server = Server::start(&[]);
    let url = server.url();
    let mut client = server.client();
    for n in ["1", "2", "3"] {
        client.call(&["XADD", "s", &format!("{n}-0"), "n", n, "n", "again"]);
    }
    client.call(&[&b"XADD"[..], b"s", b"4-0", b"n", b"\xff"]);
    let tail = |more: &[&str]| succeed(&[&["stream", "tail", "s", "-u", &url], more].concat());
    assert_eq!(tail(&["--from", "1", "-n", "2"]), "2-0 n=2 n=again\n3-0 n=3 n=again\n");
    let json = tail(&["--from", "0", "--count", "4", "--json"]);
    let entries: Vec<Value> = json.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(entries[0]["id"], "1-0");
    assert_eq!(entries[0]["fields"][1], serde_json::json!({"field": "n", "value": "again"}));
    assert_eq!(entries[3]["fields"][0]["value_hex"], "ff");

    // Without --from, what is added from now on.
    let mut new = fanfare(&["stream", "tail", "s", "-n", "1", "-u", &url]).spawn().unwrap();
    wait_for_line(&mut BufReader::new(new.stderr.take().unwrap()), "following s");
    client.call(&["XADD", "s", "5-0", "n", "5"]);
    assert_eq!(output_of(new).stdout, b"5-0 n=5\n");

    fails(&["stream", "tail", "s", "--from", "x", "-u", &url], 2, &["neither 0 nor $"]);
    client.call(&["SET", "text", "x"]);
    fails(&["stream", "tail", "text", "-u", &url], 1, &["WRONGTYPE"]);
}

#[test]
fn a_group_runs_a_program_for_each_entry_and_puts_aside_what_fails() {
    let server = Server::start(&[]);
    let (url, dir) = (server.url(), TempDir::new().unwrap());
    let mut client = server.client();
    for (id, item) in [("1-0", "tea"), ("2-0", "poison"), ("3-0", "milk")] {
        client.call(&["XADD", "orders", id, "item", item]);
    }
    let out = dir.path().join("out");
    let exec = format!(
        "[ $FANFARE_FIELD_ITEM = poison ] && echo 'it is poison' >&2 && exit 7; \
         echo $FANFARE_ID $FANFARE_DELIVERIES $FANFARE_FIELD_ITEM >> {0}; cat >> {0}",
        out.display()
    );
    let work = ["group", "work", "orders", "billing", "--exec", &exec, "-u", &url];
    let work = [&work[..], &["--deliveries-max", "1", "--json"]].concat();
    let mut worker = fanfare(&work).spawn().unwrap();
    let mut told = BufReader::new(worker.stderr.take().unwrap());
    let log = wait_for_line(&mut told, "put with the dead letters");
    assert!(log.contains("it is poison"), "{log}");
    let is_done = || fs::read_to_string(&out).is_ok_and(|it| it.lines().count() == 4);
    let deadline = Instant::now() + PATIENCE;
    while !is_done() {
        assert!(Instant::now() < deadline, "two entries are not handled");
        std::thread::sleep(Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&worker), Signal::INT).unwrap();
    assert_eq!(wait(&mut worker).code(), Some(130));
    let seen = fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!((lines[0], lines[2]), ("1-0 1 tea", "3-0 1 milk"), "{seen}");
    let entry: Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(
        (&entry["stream"], &entry["id"], &entry["deliveries"]),
        (&Value::from("orders"), &Value::from("1-0"), &Value::from(1))
    );
    assert_eq!(entry["fields"][0]["value"], "tea");
    let mut printed = String::new();
    worker.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    let outcomes: Vec<Value> =
        printed.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|it| it["handled"] == true).count(), 2);

    check_group(&url);
    check_dead_letters(&url);
}

/// The group as it is when all is handled or put aside.
fn check_group(url: &str) {
    let listed = succeed(&["group", "ls", "orders", "-u", url]);
    assert!(listed.contains("billing  lag 0  pending 0"), "{listed}");
    let shown = succeed(&["group", "show", "orders", "billing", "--json", "-u", url]);
    for part in [r#""pending":0"#, r#""last_delivered":"3-0""#, r#""pending_list":[]"#] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    fails(&["group", "show", "orders", "nobody", "-u", url], 1, &["no group nobody", "group ls"]);
}

/// What was put aside is shown, sent back, and handled by one that can.
fn check_dead_letters(url: &str) {
    let dlq = |what: &str, more: &[&str]| {
        succeed(&[&["dlq", what, "orders", "billing", "-u", url], more].concat())
    };
    let listed = dlq("ls", &["--json"]);
    let letter: Value = serde_json::from_str(&listed).unwrap();
    let told = |key: &str| letter.get(key).unwrap();
    assert_eq!((told("id"), told("deliveries")), (&Value::from("2-0"), &Value::from(1)));
    assert_eq!(told("error"), "exit status: 7: it is poison");
    let dead_id = told("dead_id").as_str().unwrap();
    let shown = dlq("show", &[dead_id]);
    assert!(shown.contains("item=poison") && shown.contains("it is poison"), "{shown}");
    fails(&["dlq", "show", "orders", "billing", "9-9", "-u", url], 1, &["dlq ls orders billing"]);
    assert!(dlq("requeue", &[dead_id]).contains("in orders"));
    fails(&["dlq", "requeue", "orders", "billing", dead_id, "-u", url], 1, &["no dead letter"]);
    let work = ["group", "work", "orders", "billing", "--exec", "cat > /dev/null", "-n", "1"];
    succeed(&[&work[..], &["-u", url]].concat());
    assert_eq!(dlq("requeue", &["--all"]), "0 sent back\n");
    assert_eq!(dlq("drop", &["7-7"]), "0 thrown away\n");
}

#[test]
fn ctrl_c_is_exit_code_130() {
    let server = Server::start(&[]);
    let (mut sub, _lines) = subscribed(&["c", "-u", &server.url()]);
    kill_process(Pid::from_child(&sub), Signal::INT).unwrap();
    assert_eq!(wait(&mut sub).code(), Some(130));
}

#[test]
fn a_subscription_outlives_its_server_and_tells_the_gap() {
    let server = Server::start(&[]);
    let (url, addr) = (server.url(), server.addr);
    let (mut sub, mut lines) = subscribed(&["c", "--raw", "--count", "2", "-u", &url]);
    let mut printed = BufReader::new(sub.stdout.take().unwrap());
    succeed(&["pub", "c", "before", "-u", &url]);
    // The answer to PUBLISH may come before the message does: a server killed between the two
    // would take the message with it.
    let mut text = String::new();
    printed.read_line(&mut text).unwrap();
    drop(server);
    let _server = Server::start_at(addr, &[]);
    // The gap is told as soon as there is a connection, which is before the subscription is back.
    let mut told = wait_for_line(&mut lines, "subscribed again");
    if !told.contains("gap:") {
        told += &wait_for_line(&mut lines, "gap:");
    }
    assert!(told.contains("gap: no connection for"), "{told}");
    succeed(&["pub", "c", "after", "-u", &url]);
    assert_eq!(wait(&mut sub).code(), Some(0));
    printed.read_to_string(&mut text).unwrap();
    assert_eq!(text, "before\nafter\n");
}

#[test]
fn a_closed_pipe_ends_a_subscription_quietly() {
    let server = Server::start(&[]);
    let url = server.url();
    let (mut sub, mut lines) = subscribed(&["c", "-u", &url]);
    drop(sub.stdout.take());
    // A process that another test is just starting may hold the pipe open for a moment.
    let deadline = Instant::now() + PATIENCE;
    while sub.try_wait().unwrap().is_none() && Instant::now() < deadline {
        succeed(&["pub", "c", "m", "-u", &url]);
    }
    assert_eq!(wait(&mut sub).code(), Some(0));
    let mut told = String::new();
    lines.read_to_string(&mut told).unwrap();
    assert_eq!(told, "");
}

#[test]
fn the_demo_adds_up() {
    let args = ["demo", "--seconds", "1", "--json", "--subscribers", "5", "--rate", "3000"];
    let summary: Value = serde_json::from_str(&succeed(&args)).unwrap();
    assert_eq!(summary["adds_up"], true, "{summary}");
    assert_eq!(summary["lost"], 0);
    let int = |value: &Value| value.as_u64().unwrap();
    let channels = summary["channels"].as_array().unwrap();
    let expected: u64 =
        channels.iter().map(|it| int(&it["published"]) * int(&it["matching_subscriptions"])).sum();
    assert_ne!(expected, 0);
    assert_eq!(int(&summary["delivered"]), expected);
    assert_eq!(int(&summary["receivers"]), expected);
    assert_eq!(int(&summary["latency"]["n"]), expected);
}

#[test]
fn the_demo_prints_plain_lines_without_a_terminal() {
    let text = succeed(&["demo", "--seconds", "0.3", "--subscribers", "0", "--publishers", "1"]);
    assert!(text.contains("It adds up: published × subscriptions = delivered"), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn ctrl_c_ends_the_demo_with_its_summary() {
    let mut demo = fanfare(&["demo", "--seconds", "600", "--rate", "10"]).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap());
    let mut text = String::new();
    lines.read_line(&mut text).unwrap();
    kill_process(Pid::from_child(&demo), Signal::INT).unwrap();
    assert_eq!(wait(&mut demo).code(), Some(130));
    lines.read_to_string(&mut text).unwrap();
    assert!(text.contains("It adds up"), "{text}");
}

#[test]
fn bench_pubsub_measures_its_own_broker_and_a_given_one() {
    let args = ["bench", "pubsub", "--messages", "500", "--json", "-p", "2", "-s", "3", "-d", "7"];
    let server = Server::start(&[]);
    let url = server.url();
    for more in [&[][..], &["--url", url.as_str()]] {
        let all: Vec<&str> = args.iter().chain(more).copied().collect();
        let result: Value = serde_json::from_str(&succeed(&all)).unwrap();
        assert_eq!(result["published"], 500, "{result}");
        assert_eq!((&result["delivered"], &result["lost"]), (&1500.into(), &0.into()));
        assert_eq!(result["latency"]["n"], 1500);
    }
    let text = succeed(&["bench", "pubsub", "--seconds", "0.2", "--rate", "500"]);
    assert!(text.contains("deliveries/s") && text.contains("p999"), "{text}");
}

#[test]
fn errors_are_explained() {
    let text = succeed(&["explain", "ff-1101"]);
    assert!(text.starts_with("FF-1101 can not connect: "), "{text}");
    assert!(text.contains("\n  likely cause: ") && text.contains("\n  what to do: "), "{text}");
    let all = succeed(&["explain", "--json"]);
    let all: Vec<Value> = all.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert!(all.iter().any(|it| it["code"] == "FF-3005"));
}

#[test]
fn completions_and_manual_pages_are_made() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(succeed(&["completions", shell]).contains("bench"), "{shell}");
    }
    assert!(succeed(&["man"]).contains(".TH fanfare 1"));
    let dir = TempDir::new().unwrap();
    let pages = succeed(&["man", "--dir", dir.path().join("man1").to_str().unwrap()]);
    assert!(pages.contains("fanfare-bench-pubsub.1"), "{pages}");
    let page = fs::read_to_string(dir.path().join("man1/fanfare-sub.1")).unwrap();
    assert!(page.contains("SSUBSCRIBE"), "{page}");
}
