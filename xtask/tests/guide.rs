//! The shell commands in the README and the guide, run as they are printed.
//!
//! `cargo run --release --` and `fanfare` are the tested binary; the server on 127.0.0.1:6379 is
//! one on a free port. What ends must end well; what runs on (`serve`, `SUBSCRIBE`) is interrupted.

#![expect(clippy::expect_used, reason = "a test may end with a message")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use fanfare_testkit::{FanfareServer, TempDir};

mod shell;

/// Seconds after which a command is one that runs on.
const RUNS_ON_S: &str = "3";
/// How `timeout` ends then.
const RAN_ON: i32 = 124;

#[test]
fn readme() {
    run_document("README.md");
}

#[test]
fn guide_serve() {
    run_document("docs/guide/serve.md");
}

#[test]
fn guide_publish_and_subscribe() {
    run_document("docs/guide/publish-and-subscribe.md");
}

#[test]
fn guide_keys_and_scripts() {
    run_document("docs/guide/keys-and-scripts.md");
}

#[test]
fn guide_streams() {
    run_document("docs/guide/streams.md");
}

#[test]
fn guide_command_line() {
    run_document("docs/guide/cli.md");
}

#[test]
fn guide_operate() {
    run_document("docs/guide/operate.md");
}

#[test]
fn guide_monitor() {
    run_document("docs/guide/monitor.md");
}

#[test]
fn guide_doctor() {
    run_document("docs/guide/doctor.md");
}

fn run_document(path: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join(path)).expect("the document is there");
    let server = FanfareServer::start(&[]);
    let dir = TempDir::new().expect("a directory can be made");
    let programs = shell::programs(dir.path(), server.port(), "");
    fs::copy(root.join("README.md"), dir.path().join("README.md")).expect("it can be copied");
    let scripts: Vec<String> = blocks(&text).iter().flat_map(|it| scripts(it)).collect();
    assert!(!scripts.is_empty(), "no shell commands in {path}");
    for script in scripts {
        let script = script.replace("127.0.0.1:6379", &server.addr().to_string());
        let path_variable = std::env::var("PATH").expect("there is a PATH");
        let output = Command::new("timeout")
            .args(["--signal=INT", "--kill-after=5", RUNS_ON_S, "bash", "-euo", "pipefail", "-c"])
            .arg(format!("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}"))
            .current_dir(dir.path())
            .env("PATH", format!("{}:{path_variable}", programs.display()))
            .env("FANFARE_URL", format!("redis://{}", server.addr()))
            // A broker that a command starts must not need a port that is free.
            .env("FANFARE_PORT", "0")
            .env("FANFARE_UNIXSOCKET", dir.path().join("socket"))
            .stdin(Stdio::null())
            .output()
            .expect("bash runs");
        let code = output.status.code();
        assert!(
            code == Some(0) || code == Some(RAN_ON),
            "{path}: {script}\nends with {code:?}\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
    }
}

/// The fenced blocks of shell commands.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while lines.by_ref().any(|it| it == "```sh") {
        let block = lines.by_ref().take_while(|it| *it != "```");
        blocks.push(block.map(|it| format!("{it}\n")).collect());
    }
    blocks
}

/// Each line is a command, unless they belong together.
fn scripts(block: &str) -> Vec<String> {
    let has_open_quote = block.lines().any(|line| line.matches('"').count() % 2 != 0);
    let belongs_together =
        has_open_quote || block.contains("<<") || block.contains(" &\n") || block.contains("\\\n");
    if belongs_together {
        return vec![block.to_owned()];
    }
    block.lines().map(str::to_owned).collect()
}
