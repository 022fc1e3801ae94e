//! Help, exit codes, hints, and what is printed for shells and people.

use std::fs;

use fanfare_testkit::TempDir;
use serde_json::Value;

use crate::support::{fails, free_addr, succeed};

#[test]
fn help_shows_commands_examples_and_exit_codes() {
    let help = succeed(&["--help"]);
    for word in [
        "serve", "demo", "pub", "sub", "stream", "ping", "top", "doctor", "bench", "explain", "130",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    let commands =
        ["serve", "demo", "pub", "sub", "stream", "ping", "bench", "config", "explain", "man"];
    for command in commands {
        assert!(succeed(&[command, "--help"]).contains("Examples:"), "{command}");
    }
    assert!(succeed(&["serve", "--help"]).contains("--requirepass"));
    assert!(succeed(&["serve", "x.conf", "--port", "1", "--help"]).contains("--requirepass"));
    assert_eq!(succeed(&["--version"]), format!("fanfare {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_says_what_was_meant() {
    fails(&[], 2, &["Usage:"]);
    fails(&["srve"], 2, &["serve"]);
    fails(&["pub", "news", "x", "--cuont", "3"], 2, &["--count"]);
    fails(&["pub", "news"], 2, &["<MESSAGE>", "Usage:"]);
    fails(&["sub"], 2, &["Usage:"]);
    fails(&["pub", "news", "-", "--count", "3"], 2, &["error: ", "hint: leave --count out"]);
    fails(&["ping", "--url", "redis://h:99999"], 2, &["99999", "FF-1001", "hint: write redis://"]);
    fails(&["bench", "pubsub", "--payload", "9"], 2, &["from 10 to"]);
}

#[test]
fn a_failure_is_exit_code_1_with_a_hint() {
    let url = format!("redis://{}", free_addr());
    let words = ["error: ", "Connection refused", "FF-1101", "hint: start a broker with"];
    fails(&["ping", "--url", &url], 1, &words);
    fails(&["pub", "c", "m", "--url", &url], 1, &words);
    fails(&["sub", "c", "--url", &url], 1, &words);
    fails(&["bench", "pubsub", "--url", &url], 1, &words);
    fails(&["pub", "c", "--file", "/no/such/file"], 1, &["/no/such/file", "hint: "]);
    fails(&["explain", "FF-9999"], 1, &["FF-9999", "hint: known: FF-1001"]);
    fails(&["config", "no-such"], 1, &["no-such", "hint: "]);
}

#[test]
fn errors_are_explained() {
    let text = succeed(&["explain", "ff-1101"]);
    assert!(text.starts_with("FF-1101 can not connect: "), "{text}");
    assert!(text.contains("\n  likely cause: ") && text.contains("\n  what to do: "), "{text}");
    let all = succeed(&["explain", "--json"]);
    let all: Vec<Value> = all.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert!(all.iter().any(|it| it["code"] == "FF-3005"));
}

#[test]
fn completions_and_manual_pages_are_made() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(succeed(&["completions", shell]).contains("bench"), "{shell}");
    }
    assert!(succeed(&["man"]).contains(".TH fanfare 1"));
    let dir = TempDir::new().unwrap();
    let pages = succeed(&["man", "--dir", dir.path().join("man1").to_str().unwrap()]);
    assert!(pages.contains("fanfare-bench-pubsub.1"), "{pages}");
    let page = fs::read_to_string(dir.path().join("man1/fanfare-sub.1")).unwrap();
    assert!(page.contains("SSUBSCRIBE"), "{page}");
}
