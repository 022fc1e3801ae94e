//! The commands on every kind of deployment.

use std::io::BufReader;

use fanfare_testkit::{ClusterGroup, FanfareServer, RawClient, RedisServer, SentinelGroup};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{
    fanfare, output_of, run, stderr, stdout, subscribed, succeed, wait, wait_for_line,
};

#[test]
fn all_commands_work_on_redis_server() {
    let server = RedisServer::start(&[]);
    check(&server.url(), server.client());
}

#[test]
fn all_commands_work_on_fanfare() {
    let server = FanfareServer::start(&[]);
    check(&server.url(), server.client());
}

#[test]
fn all_commands_work_with_sentinels() {
    let group = SentinelGroup::start();
    check(&group.url(), group.master().client());
}

#[test]
fn all_commands_work_on_a_cluster() {
    let group = ClusterGroup::start();
    check(&group.url(), group.owner("orders").client());
}

/// `client` is connected to who has the key `orders`.
fn check(url: &str, mut client: RawClient) {
    check_pubsub(url);
    for (id, item) in [("1-0", "tea"), ("2-0", "poison")] {
        client.call(&["XADD", "orders", id, "item", item]);
    }
    let tail = succeed(&["stream", "tail", "orders", "--from", "0", "-n", "2", "-u", url]);
    assert_eq!(tail, "1-0 item=tea\n2-0 item=poison\n");

    let exec = "[ $FANFARE_FIELD_ITEM = tea ]";
    let work = ["group", "work", "orders", "billing", "--exec", exec, "--deliveries-max", "1"];
    let mut worker = fanfare(&[&work[..], &["-u", url]].concat()).spawn().unwrap();
    let mut told = BufReader::new(worker.stderr.take().unwrap());
    wait_for_line(&mut told, "put with the dead letters");
    kill_process(Pid::from_child(&worker), Signal::INT).unwrap();
    wait_for_line(&mut told, "1 handled, 1 failed, 1 put with the dead letters");
    assert_eq!(wait(&mut worker).code(), Some(130));

    let listed = succeed(&["group", "ls", "orders", "-u", url]);
    assert!(listed.contains("billing") && listed.contains("pending 0"), "{listed}");
    let shown = succeed(&["group", "show", "orders", "billing", "--json", "-u", url]);
    assert!(shown.contains(r#""last_delivered":"2-0""#), "{shown}");
    check_dead_letters(url);
    check_watching(url);
}

fn check_watching(url: &str) {
    let quick = ["--over", "0.05"];
    let told =
        succeed(&[&["check", url, "--only-given", "--crit", "unreachable=0"], &quick[..]].concat());
    assert!(told.starts_with("OK: ") && told.contains(" stream"), "{told}");
    let seen = succeed(&["top", url, "--once", "--json", "-i", "0.05"]);
    let seen: Value = serde_json::from_str(&seen).unwrap();
    let list = |of: &Value, name: &str| -> Vec<Value> {
        of.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let is_named = |it: &Value, name: &str| it.get("name").is_some_and(|it| it == name);
    assert!(list(&seen, "streams").iter().any(|it| is_named(it, "orders")), "{seen}");
    let nodes = list(&seen, "nodes");
    let counts_clients = |it: &Value| it.get("clients").is_some_and(Value::is_u64);
    assert!(!nodes.is_empty() && nodes.iter().all(counts_clients), "{seen}");
    let output = run(&["doctor", url, "--no-host", "--json"]);
    let found: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(output.status.code(), Some(1), "{found}");
    assert_eq!(list(&found, "nodes").len(), nodes.len());
    let unlimited = list(&found, "findings").into_iter().filter(|it| is_named(it, "no-maxmemory"));
    assert_eq!(unlimited.count(), nodes.len());
}

fn check_pubsub(url: &str) {
    for (sub, more) in [(&["news"][..], &[][..]), (&["--shard", "news"], &["--shard"])] {
        let (sub, _lines) = subscribed(&[sub, &["-n", "1", "-u", url]].concat());
        let told = succeed(&[&["pub", "news", "hello", "-u", url][..], more].concat());
        // A cluster's node counts its own subscribers only.
        assert!(told.starts_with("published 1 message to news: "), "{told}");
        assert_eq!(stdout(&output_of(sub)), "news hello\n", "{more:?}");
    }
}

fn check_dead_letters(url: &str) {
    let dlq = |what: &str, more: &[&str]| {
        succeed(&[&["dlq", what, "orders", "billing", "-u", url], more].concat())
    };
    let letter: Value = serde_json::from_str(&dlq("ls", &["--json"])).unwrap();
    let told = |key: &str| letter.get(key).unwrap().as_str().unwrap();
    assert_eq!((told("id"), told("stream")), ("2-0", "orders"));
    let dead_id = told("dead_id");
    assert!(dlq("show", &[dead_id]).contains("item=poison"));
    assert!(dlq("requeue", &[dead_id]).ends_with("in orders\n"));
    assert_eq!(dlq("ls", &[]), "");
    assert_eq!(dlq("requeue", &["--all"]), "0 sent back\n");
    assert_eq!(dlq("drop", &[dead_id]), "0 thrown away\n");
}

/// The broker is inside the program and ends with it: there is nobody to talk to but oneself.
#[test]
fn all_commands_start_with_an_embedded_broker() {
    let with = |args: &[&str]| {
        let output = run(&[args, &["-u", "embedded:"]].concat());
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    };
    assert!(with(&["ping", "-c", "1"]).contains("PONG"));
    assert_eq!(with(&["pub", "news", "hello"]), "published 1 message to news: 0 receivers\n");
    assert_eq!(with(&["sub", "news", "--timeout", "0.1"]), "");
    assert_eq!(with(&["group", "ls", "orders"]), "");
    assert_eq!(with(&["dlq", "ls", "orders", "billing"]), "");
    assert_eq!(with(&["dlq", "requeue", "orders", "billing", "--all"]), "0 sent back\n");
    assert!(with(&["check", "--over", "0.05"]).starts_with("OK: "));
    assert!(with(&["top", "--once", "-i", "0.05"]).contains("commands/s"));
    for args in [
        &["stream", "tail", "orders"][..],
        &["group", "work", "orders", "billing", "--exec", "true"],
    ] {
        let mut child = fanfare(&[args, &["-u", "embedded:"]].concat()).spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        wait_for_line(&mut told, "orders");
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        assert_eq!(wait(&mut child).code(), Some(130), "{args:?}");
    }
}
