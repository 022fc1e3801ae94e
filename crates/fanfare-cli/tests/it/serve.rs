//! `fanfare serve` and `fanfare config`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fanfare_testkit::TempDir;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{PATIENCE, Server, fails, fanfare, free_addr, succeed};

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
    // It is there when the server says that it is ready; the first client may be quicker.
    let start = Instant::now();
    while !fs::read(&pidfile).is_ok_and(|it| it.ends_with(b"\n")) && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(5));
    }
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
