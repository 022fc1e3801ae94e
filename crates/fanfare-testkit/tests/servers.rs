//! The testkit's own machinery, tried on redis-server.

use std::time::Duration;

use fanfare_testkit::RedisServer;

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
