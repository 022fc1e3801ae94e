//! The testkit's own machinery, tried on redis-server and PostgreSQL.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use fanfare_testkit::{Postgres, RedisServer};

#[test]
fn a_server_starts_restarts_and_cleans_up() {
    let mut server = RedisServer::start(&[]);
    let dir = server.dir().to_owned();
    assert!(dir.is_dir());
    assert_eq!(server.client().call(&["SET", "k", "v"]), b"+OK\r\n");
    server.restart();
    assert_eq!(server.client().call(&["GET", "k"]), b"$-1\r\n");
    server.sigterm();
    assert!(server.wait_exit().is_some_and(|it| it.success()));
    drop(server);
    assert!(!dir.exists());
}

#[test]
fn a_frozen_server_answers_later() {
    let server = RedisServer::start(&[]);
    let mut client = server.client();
    server.sigstop();
    client.send(b"PING\r\n");
    assert!(!client.wait_for_frames(1, Duration::from_millis(100)));
    server.sigcont();
    assert_eq!(client.read_frames(1, Duration::from_secs(10)), b"+PONG\r\n");
}

#[test]
fn a_client_sees_that_it_was_closed() {
    let mut server = RedisServer::start(&[]);
    let mut client = server.client();
    assert_eq!(client.call(&["QUIT"]), b"+OK\r\n");
    assert!(client.wait_closed(Duration::from_secs(10)));
    let mut client = server.client();
    assert_eq!(client.call(&["PING"]), b"+PONG\r\n");
    server.stop();
    assert!(client.wait_closed(Duration::from_secs(10)));
    client.send(b"PING\r\n");
    assert_eq!(client.take_received(), b"");
}

/// What `psql` prints, or its error.
fn psql(server: &Postgres, sql: &str) -> String {
    let url = server.url();
    let output = match Command::new("psql").args(["-qAtX", "-c", sql, &url]).output() {
        Ok(output) => output,
        Err(error) => panic!("cannot run psql: {error}"),
    };
    let bytes = if output.status.success() { output.stdout } else { output.stderr };
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

#[test]
fn a_database_server_has_what_it_committed_after_it_was_killed() {
    let mut server = Postgres::start();
    let dir = server.dir().to_owned();
    assert_eq!(psql(&server, "CREATE TABLE t (n INT); INSERT INTO t VALUES (7)"), "");
    let pids = server.pids();
    assert!(2 < pids.len(), "{pids:?}");
    server.kill();
    assert!(server.pids().is_empty());
    for pid in pids {
        assert!(!Path::new(&format!("/proc/{pid}/exe")).exists(), "{pid} lives");
    }
    assert!(psql(&server, "SELECT 1").contains("refused"));
    for _ in 0..2 {
        server.restart();
        assert_eq!(psql(&server, "SELECT n FROM t"), "7");
    }
    server.stop();
    assert!(server.log().contains("database system is shut down"), "{}", server.log());
    server.restart();
    assert_eq!(psql(&server, "SELECT n FROM t"), "7");
    drop(server);
    assert!(!dir.exists());
}

#[test]
fn a_frozen_database_server_answers_later() {
    let server = Postgres::start();
    server.sigstop();
    let url = server.url();
    let mut command = Command::new("psql");
    command.args(["-qAtX", "-c", "SELECT 7", &url]).stdout(Stdio::piped());
    let mut session = command.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert!(session.try_wait().unwrap().is_none());
    server.sigcont();
    assert_eq!(session.wait_with_output().unwrap().stdout, b"7\n");
}
