//! `fanfare demo`.

use std::io::{BufRead as _, BufReader, Read as _};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{fanfare, succeed, wait};

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
