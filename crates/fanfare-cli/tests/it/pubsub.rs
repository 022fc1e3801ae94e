//! `fanfare ping`, `pub`, `sub` and `bench`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;
use std::time::Instant;

use fanfare_testkit::TempDir;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{
    PATIENCE, Server, fails, fanfare, output_of, stdout, subscribed, succeed, wait, wait_for_line,
};

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
