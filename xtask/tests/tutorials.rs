//! The tutorials, done step by step: each block of shell commands prints what stands below it.
//!
//! All blocks of a tutorial are one session of bash, as its reader has one. Servers are those that the
//! tutorial starts, on ports of their own, and for the others one that runs already. `…` stands for
//! anything within a line. Their Rust is run as documentation tests of the library.

#![expect(clippy::expect_used, reason = "a test may end with a message")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use fanfare_testkit::{FanfareServer, TempDir, free_port};

mod shell;

#[test]
fn t01_publish_and_subscribe() {
    follow("01-publish-and-subscribe.md");
}

#[test]
fn t02_patterns() {
    follow("02-patterns.md");
}

#[test]
fn t03_streams() {
    follow("03-streams.md");
}

#[test]
fn t04_groups_and_workers() {
    follow("04-groups-and-workers.md");
}

#[test]
fn t05_queues_and_data() {
    follow("05-queues-and-data.md");
}

#[test]
fn t07_sentinel_and_cluster() {
    follow("07-sentinel-and-cluster.md");
}

/// Each of them is run.
#[test]
fn none_is_left_out() {
    let this = include_str!("tutorials.rs");
    for entry in fs::read_dir(folder()).expect("the folder is there") {
        let name = entry.expect("it can be read").file_name().to_string_lossy().into_owned();
        let is_run = this.contains(&format!("follow(\"{name}\")"));
        assert!(is_run || name == "README.md", "no test follows {name}");
    }
}

/// Seconds that a tutorial may take, on a machine that others share.
const PATIENCE_S: &str = "120";

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tutorials"))
}

/// Shell commands, and what they print if it is told.
struct Step {
    commands: String,
    printed: Option<String>,
}

fn follow(name: &str) {
    let text = fs::read_to_string(folder().join(name)).expect("the tutorial is there");
    let text = with_free_ports(&text);
    let steps = steps(&text);
    assert!(steps.iter().any(|it| it.printed.is_some()), "{name} has nothing to compare");
    let server = FanfareServer::start(&[]);
    let dir = TempDir::new().expect("a directory can be made");
    let programs = shell::programs(dir.path(), server.port(), "--no-raw");
    let mut script =
        "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n".to_owned();
    for (n, step) in steps.iter().enumerate() {
        let commands = step.commands.replace("127.0.0.1:6379", &server.addr().to_string());
        // In this shell and not below it: the next step may wait for what this one has begun.
        write!(script, "{{\n{commands}}} >printed-{n}\n").expect("a text takes all");
    }
    let path = std::env::var("PATH").expect("there is a PATH");
    let output = Command::new("timeout")
        .args(["--kill-after=5", PATIENCE_S, "bash", "-c", &script])
        .current_dir(dir.path())
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("FANFARE_URL", format!("redis://{}", server.addr()))
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    for (n, step) in steps.iter().enumerate() {
        let path = dir.path().join(format!("printed-{n}"));
        let printed = fs::read_to_string(path).unwrap_or_default();
        let is_right = step.printed.as_ref().is_none_or(|it| matches(it, &printed));
        assert!(
            is_right,
            "{name}:\n{}prints\n{printed}instead of\n{}\nstandard error: {}",
            step.commands,
            step.printed.as_deref().unwrap_or_default(),
            String::from_utf8_lossy(&output.stderr),
        );
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} ends with {:?}: {errors}", output.status.code());
}

/// Ports of 7000 to 7999, and the same with a 1 before them, become free ones: tests run side by side.
fn with_free_ports(text: &str) -> String {
    let mut words = String::new();
    let mut ports = std::collections::HashMap::new();
    let mut digits = String::new();
    for char in text.chars().chain(['\n']) {
        if char.is_ascii_digit() {
            digits.push(char);
            continue;
        }
        let is_port = matches!(digits.as_bytes(), [b'7', _, _, _] | [b'1', b'7', _, _, _]);
        if is_port {
            let port = ports.entry(digits.clone()).or_insert_with(free_port);
            write!(words, "{port}").expect("a text takes all");
        } else {
            words.push_str(&digits);
        }
        digits.clear();
        words.push(char);
    }
    words
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut block = || {
            let block = lines.by_ref().take_while(|it| *it != "```");
            block.map(|it| format!("{it}\n")).collect::<String>()
        };
        match line {
            "```sh" => steps.push(Step { commands: block(), printed: None }),
            "```text" => {
                let printed = block();
                let step = steps.last_mut().expect("nothing is printed before the first command");
                assert!(step.printed.is_none(), "two outputs of {}", step.commands);
                step.printed = Some(printed);
            }
            _ if line.starts_with("```") => drop(block()),
            _ => {}
        }
    }
    steps
}

/// Whether a text is as it is told; `…` stands for anything within a line.
fn matches(told: &str, printed: &str) -> bool {
    let (mut told, mut printed) = (told.lines(), printed.lines());
    loop {
        match (told.next(), printed.next()) {
            (None, None) => return true,
            (Some(told), Some(printed)) if is_like(told.trim_end(), printed.trim_end()) => {}
            _ => return false,
        }
    }
}

fn is_like(told: &str, printed: &str) -> bool {
    let Some((before, after)) = told.split_once('…') else { return told == printed };
    printed.strip_prefix(before).is_some_and(|rest| {
        (0..=rest.len())
            .filter(|it| rest.is_char_boundary(*it))
            .any(|at| is_like(after, rest.get(at..).unwrap_or_default()))
    })
}

#[test]
fn outputs_are_compared() {
    assert!(matches("a … c\n", "a b c\n") && matches("…", "x") && matches("", ""));
    assert!(!matches("a … c\n", "a b\n") && !matches("a\n", "a\nb\n") && !matches("a\nb\n", "a\n"));
    let ports = with_free_ports("7000 17000 7000 6379 70000");
    let ports: Vec<&str> = ports.split_whitespace().collect();
    assert!(ports[0] == ports[2] && ports[0] != "7000" && ports[1] != "17000", "{ports:?}");
    assert_eq!(ports[3..], ["6379", "70000"]);
}
