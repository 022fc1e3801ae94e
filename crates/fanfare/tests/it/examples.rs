//! The examples run to their end, on the broker inside them, on a redis-server, with sentinels and on a cluster.

use std::{path::PathBuf, process::Command};

use fanfare_testkit::{ClusterGroup, RedisServer, SentinelGroup};

/// What each of them prints, among other things.
const EXAMPLES: [(&str, &str); 18] = [
    ("blocking", "billed 3"),
    ("chat", "ada is in hall"),
    ("connect", "arrived after"),
    ("data", "published 2, 1 undecodable"),
    ("doctor", " no-maxmemory: "),
    ("envelopes", "made by auth_service, password ***"),
    ("health", "there and back"),
    ("layers", "2 recorded, 2 duplicates"),
    ("monitor", "resolved: length/warning/monitored jobs"),
    ("outbox", "arrived: order-3"),
    ("queue", "2 sent, 1 dead"),
    ("request", "the best of all: 2.9"),
    ("router", "order 3: sugar"),
    ("schemas", "2 valid, 2 invalid"),
    ("services", "users: order-1 is paid"),
    ("spool", "arrived: order 3"),
    ("survive", "messages may be missing here"),
    ("work", "2 acknowledged, 1 dead"),
];

#[test]
fn every_example_is_run() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, EXAMPLES.map(|it| it.0));
}

#[test]
fn on_the_broker_inside() {
    for (name, printed) in EXAMPLES.into_iter().filter(is_built) {
        run(name, &[], printed);
    }
}

#[test]
fn on_redis_server() {
    let server = RedisServer::start(&[]);
    let url = format!("redis://{}", server.addr());
    // It waits for what happens to the server.
    for (name, printed) in EXAMPLES.into_iter().filter(|it| it.0 != "health" && is_built(it)) {
        run(name, &[&url], printed);
    }
}

#[test]
fn with_sentinels() {
    let group = SentinelGroup::start();
    // "health" waits for what happens to the server.
    for (name, printed) in EXAMPLES.into_iter().filter(|it| it.0 != "health" && is_built(it)) {
        run(name, &[&group.url()], printed);
    }
}

#[test]
fn on_a_cluster() {
    let group = ClusterGroup::start();
    // "health" waits for what happens to the server, here too; "survive" kills connections of one node by
    // a command that a cluster's client does not send, since it is about one node.
    let others = EXAMPLES.into_iter().filter(|it| it.0 != "health" && it.0 != "survive");
    for (name, printed) in others.filter(is_built) {
        run(name, &[&group.url()], printed);
    }
}

/// Some need features.
fn is_built((name, _): &(&str, &str)) -> bool {
    match *name {
        "envelopes" => cfg!(feature = "gzip"),
        "outbox" => cfg!(all(feature = "embedded", feature = "sqlite")),
        "schemas" => cfg!(all(feature = "schema", feature = "gzip")),
        _ => true,
    }
}

fn run(name: &str, args: &[&str], printed: &str) {
    // A test runs as <target>/<profile>/deps/<name>; its package's examples are built with it.
    let this = std::env::current_exe().unwrap_or_default();
    let profile: PathBuf = this.ancestors().nth(2).map(Into::into).unwrap_or_default();
    let program = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let output = match Command::new(&program).args(args).output() {
        Ok(output) => output,
        Err(error) => {
            panic!("{}: {error}; build it: cargo build -p fanfare --examples", program.display())
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains(printed), "{name}: {text}\n{errors}");
}
