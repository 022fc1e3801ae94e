//! What the sources may mention, and where.

use super::{File, Tree};

/// The codec, the engine and scripts do no input or output and read no clock.
pub(super) fn engine_is_pure(tree: &Tree) -> Vec<String> {
    const BANNED: [&str; 10] = [
        "tokio",
        "mio::",
        "std::fs",
        "std::net",
        "std::thread",
        "std::process",
        "Instant::now",
        "SystemTime::now",
        "RandomState",
        "rand::",
    ];
    let pure =
        ["crates/fanfare-resp/src/", "crates/fanfare-engine/src/", "crates/fanfare-script/src/"];
    let files = pure.iter().flat_map(|it| tree.below(it, ".rs"));
    files.flat_map(|it| it.lines_with(&BANNED)).collect()
}

/// How a value looks on the wire is decided in `encode.rs` alone. These files may name a version
/// for another reason.
const MAY_NAME_A_VERSION: &[&str] = &[
    // HELLO chooses it, RESET goes back, a subscribed session is a mode in RESP2 only.
    "crates/fanfare-engine/src/client.rs",
    "crates/fanfare-engine/src/commands/conn/hello.rs",
    "crates/fanfare-engine/src/commands/conn/reset.rs",
    // DEBUG PROTOCOL shows what only RESP3 has.
    "crates/fanfare-engine/src/commands/admin/debug.rs",
    // A message is encoded once for each version that has a subscriber.
    "crates/fanfare-broker/src/reactor/fanout.rs",
    "crates/fanfare-broker/src/reactor/push.rs",
    // A connection begins with RESP2; CLIENT LIST shows the version.
    "crates/fanfare-broker/src/reactor/input.rs",
    // A script chooses it by redis.setresp, and what it returns depends on that.
    "crates/fanfare-script/src/api/server.rs",
    "crates/fanfare-script/src/reply.rs",
    // What a script's command answers is in the version that the script chose.
    "crates/fanfare-engine/src/scripting/convert.rs",
    // An invalidation is a push in RESP3 and a message in RESP2.
    "crates/fanfare-broker/src/reactor/tracking.rs",
    // The link asks for RESP3 and accepts RESP2.
    "crates/fanfare-client/src/connection/driver.rs",
    "crates/fanfare-client/src/connection/handshake.rs",
];

pub(super) fn one_place_for_resp_versions(tree: &Tree) -> Vec<String> {
    let words = ["Version::Resp2", "Version::Resp3"];
    let others = tree.below("crates/", ".rs").filter(|it| {
        it.path.contains("/src/")
            && !it.path.starts_with("crates/fanfare-testkit/")
            && it.path != "crates/fanfare-resp/src/encode.rs"
            && !MAY_NAME_A_VERSION.contains(&&*it.path)
    });
    others.flat_map(|it| it.lines_with(&words)).collect()
}

/// In the broker only `reactor/` starts threads and tasks; the link starts tasks, but no threads
/// but that for programs without a runtime. What is for tests may.
pub(super) fn reactors_spawn_threads(tree: &Tree) -> Vec<String> {
    let threads = ["thread::spawn", "thread::Builder", "thread::scope", "spawn_blocking"];
    let tasks = ["spawn_local", "tokio::spawn", "task::spawn"];
    let broker = tree.below("crates/fanfare-broker/src/", ".rs");
    let broker = broker.filter(|it| !it.path.starts_with("crates/fanfare-broker/src/reactor/"));
    let mut found: Vec<String> =
        broker.flat_map(|it| [it.lines_with(&threads), it.lines_with(&tasks)].concat()).collect();
    for folder in ["crates/fanfare-client/src/", "crates/fanfare/src/"] {
        let files = tree.below(folder, ".rs").filter(|it| {
            !it.path.starts_with("crates/fanfare/src/testing/")
                && it.path != "crates/fanfare/src/blocking/runtime.rs"
        });
        found.extend(files.flat_map(|it| it.lines_with(&threads)));
    }
    found
}

/// Sockets are made, read and written in `net/`, so that another event loop can be tried there.
pub(super) fn sockets_in_one_module(tree: &Tree) -> Vec<String> {
    let words = ["tokio::net", "socket2", "std::net::Tcp", "UnixListener", "UnixStream"];
    let broker = tree.below("crates/fanfare-broker/src/", ".rs");
    let others = broker.filter(|it| !it.path.starts_with("crates/fanfare-broker/src/net/"));
    others.flat_map(|it| it.lines_with(&words)).collect()
}

/// Files of the command line that may name the broker's crate: those that run one, read its
/// configuration, or explain its errors.
const MAY_NAME_THE_BROKER: &[&str] =
    &["serve.rs", "config.rs", "host.rs", "logging.rs", "failure.rs"];

/// Every other command reaches a broker, its own included, through `fanfare` and a URL.
pub(super) fn broker_through_the_library(tree: &Tree) -> Vec<String> {
    let folder = "crates/fanfare-cli/src/";
    let inner = ["fanfare_client", "fanfare_engine", "fanfare_resp"];
    let may = |it: &File| {
        it.path.strip_prefix(folder).is_some_and(|name| MAY_NAME_THE_BROKER.contains(&name))
    };
    tree.below(folder, ".rs")
        .flat_map(|it| {
            let broker: &[&str] = if may(it) { &[] } else { &["fanfare_broker"] };
            it.lines_with(&[&inner, broker].concat())
        })
        .collect()
}

/// Every file says what it is.
pub(super) fn module_docs(tree: &Tree) -> Vec<String> {
    let files = tree.files.iter().filter(|it| it.path.ends_with(".rs"));
    let without = files.filter(|it| !it.text.starts_with("//!"));
    without.map(|it| format!("{}: does not begin with `//!`", it.path)).collect()
}

/// What is not done is an issue or a line in differences.md, not a remark in the code.
pub(super) fn nothing_unfinished(tree: &Tree) -> Vec<String> {
    // In halves, so that this file does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[ig", "nore"),
        concat!("for ", "now"),
    ];
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|it| it.path.ends_with(".rs")) {
        for (index, line) in file.text.lines().enumerate() {
            if words.iter().any(|it| line.contains(it)) {
                found.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    found
}
