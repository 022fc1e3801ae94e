//! The documents under `docs/generated/`: made from the code, checked in, and compared here.
//!
//! `cargo xtask gen` runs this with `FANFARE_GEN=write`, which writes them instead.

#![expect(clippy::expect_used, reason = "a test may end with a message")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use fanfare::catalogue::CATALOGUE;
use fanfare_broker::config::{Change, ConfigErrorKind, KNOWN_REDIS, reference};
use fanfare_engine::commands::COMMANDS;
use fanfare_engine::spec::Spec;

const HEAD: &str = "Written by `cargo xtask gen` from the code; do not edit.";

#[test]
fn commands_are_current() {
    is_current("commands.md", &commands());
}

#[test]
fn directives_are_current() {
    is_current("config.md", &config());
}

#[test]
fn errors_are_current() {
    is_current("errors.md", &errors());
}

#[test]
fn command_line_is_current() {
    is_current("cli.md", &command_line());
}

#[test]
fn every_error_of_a_broker_is_in_the_catalogue() {
    let kinds = [
        ConfigErrorKind::Unreadable,
        ConfigErrorKind::Syntax,
        ConfigErrorKind::Unknown,
        ConfigErrorKind::Value,
        ConfigErrorKind::NotBuilt,
    ];
    for kind in kinds {
        let entry = fanfare::catalogue::explain(kind.code()).expect("it is listed");
        assert_eq!(entry.kind, format!("{kind:?}"));
    }
}

/// The figures in the README are those of docs/benchmarks.md.
#[test]
fn figures_are_current() {
    const BEGIN: &str = "<!-- measured: begin -->\n";
    const END: &str = "<!-- measured: end -->";
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let benchmarks = std::fs::read_to_string(root.join("docs/benchmarks.md"));
    let benchmarks = benchmarks.expect("docs/benchmarks.md is there: cargo xtask bench");
    let readme = std::fs::read_to_string(root.join("README.md")).expect("there is a README");
    let (before, rest) = readme.split_once(BEGIN).expect("the README has a place for figures");
    let (_, after) = rest.split_once(END).expect("the place ends");
    is_current("../../README.md", &format!("{before}{BEGIN}{}{END}{after}", figures(&benchmarks)));
}

fn is_current(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/generated").join(name);
    if std::env::var("FANFARE_GEN").is_ok_and(|it| it == "write") {
        std::fs::write(&path, text).expect("the document can be written");
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(text.lines()).position(|(a, b)| a != b);
    let line = differs.unwrap_or_else(|| found.lines().count().min(text.lines().count())) + 1;
    assert!(found == text, "docs/generated/{name}:{line} is not current: run `cargo xtask gen`");
}

fn commands() -> String {
    let mut out = format!(
        "# Commands\n\n{HEAD}\n\nEvery command of this release: how many words it takes (its name \
         included; + means or more), since which version Redis has it \
         (0.1.0: only Fanfare has it), its ACL categories and what \
         it does. What any client can ask for is `COMMAND DOCS name`.\n"
    );
    let mut groups: Vec<&str> = COMMANDS.iter().map(|it| it.group.as_redis()).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let _ = write!(
            out,
            "\n## {group}\n\n| command | words | since | categories | what it does |\n|---|---|---|---|---|\n"
        );
        for spec in COMMANDS.iter().filter(|it| it.group.as_redis() == group) {
            row(&mut out, spec);
            spec.subcommands.iter().for_each(|it| row(&mut out, it));
        }
    }
    out
}

fn row(out: &mut String, spec: &Spec) {
    let arity = spec.arity.as_redis();
    let more = if arity < 0 { "+" } else { "" };
    let categories: Vec<String> = spec.acl_categories().map(|it| format!("@{it}")).collect();
    let _ = writeln!(
        out,
        "| `{}` | {}{more} | {} | {} | {} |",
        spec.name.replace('|', " ").to_uppercase(),
        arity.unsigned_abs(),
        spec.docs.since,
        categories.join(" "),
        cell(spec.docs.summary),
    );
}

fn config() -> String {
    let mut out = format!(
        "# Directives\n\n{HEAD}\n\nEach is a line in the configuration file (`port 7000`), a flag \
         (`--port 7000`) and an environment variable (`FANFARE_PORT=7000`, with `_` for `-`); the \
         flag holds over the variable and the variable over the file.\n\n\
         | directive | default | values | change | what it does |\n|---|---|---|---|---|\n"
    );
    for directive in reference() {
        let mut names = format!("`{}`", directive.name);
        for alias in directive.aliases {
            let _ = write!(names, " (`{alias}`)");
        }
        let default = if directive.default.is_empty() {
            "`\"\"`".to_owned()
        } else {
            format!("`{}`", directive.default)
        };
        let change = match directive.change {
            Change::AtStart | Change::Hidden => "at start",
            Change::Runtime => "CONFIG SET",
            Change::Protected => "CONFIG SET if `enable-protected-configs`",
        };
        let _ = writeln!(
            out,
            "| {names} | {} | {} | {change} | {} |",
            cell(&default),
            cell(&directive.values()),
            cell(directive.help),
        );
    }
    let _ = write!(
        out,
        "\n## Directives of Redis without effect here\n\nA file that has them loads; one warning \
         at start names them.\n\n"
    );
    let names: BTreeSet<&str> = KNOWN_REDIS.iter().copied().collect();
    let names: Vec<String> = names.iter().map(|it| format!("`{it}`")).collect();
    let _ = writeln!(out, "{}", names.join(", "));
    out
}

fn errors() -> String {
    let mut out = format!(
        "# Error codes\n\n{HEAD}\n\n`fanfare explain CODE` prints the same. A code never changes its \
         meaning; texts may. What a server answers to a command are Redis's own error texts and \
         have no code here.\n\n\
         | code | error | in the API | meaning | likely cause | what to do |\n|---|---|---|---|---|---|\n"
    );
    for entry in CATALOGUE {
        let texts = [entry.meaning, entry.cause, entry.cure].map(cell);
        let (code, name, kind) = (entry.code, entry.name, entry.kind);
        let _ = writeln!(out, "| {code} | {name} | `{kind}` | {} |", texts.join(" | "));
    }
    out
}

/// What `--help` prints, for the program and each of its commands.
fn command_line() -> String {
    let mut out = format!("# Command line\n\n{HEAD}\n");
    let top = help(&[]);
    let commands = top.lines().skip_while(|it| *it != "Commands:").skip(1);
    let names: Vec<&str> = commands
        .take_while(|it| !it.is_empty())
        .filter(|it| it.starts_with("  ") && !it.starts_with("   "))
        .filter_map(|it| it.split_whitespace().next())
        .filter(|it| *it != "help")
        .collect();
    assert!(!names.is_empty(), "no commands in:\n{top}");
    let _ = write!(out, "\n## fanfare\n\n```text\n{top}```\n");
    for name in names {
        let text = help(&[name]);
        let _ = write!(out, "\n## fanfare {name}\n\n```text\n{text}```\n");
        if name == "bench" {
            let _ = write!(
                out,
                "\n## fanfare bench pubsub\n\n```text\n{}```\n",
                help(&["bench", "pubsub"])
            );
        }
    }
    out
}

fn help(command: &[&str]) -> String {
    let output = Command::new(fanfare_testkit::fanfare_binary())
        .args(command)
        .arg("--help")
        .env_remove("FANFARE_URL")
        .env("COLUMNS", "100")
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{command:?} --help failed");
    let text = String::from_utf8(output.stdout).expect("help is UTF-8");
    text.lines().map(|it| format!("{}\n", it.trim_end())).collect()
}

/// Rows of docs/benchmarks.md for the README, by workload, unit and the name that readers get.
const FIGURES: &[(&str, &str, &str)] = &[
    ("fan-out to 10, 1 in flight", "µs CPU/op", "fan-out to 10, one message at a time"),
    ("fan-out to 100, 16 in flight", "µs CPU/op", "fan-out to 100, 16 in flight"),
    ("fan-out to 100, 100 in flight", "µs CPU/op", "fan-out to 100, 100 in flight"),
    ("fan-out to 1000, 16 in flight", "µs CPU/op", "fan-out to 1,000, 16 in flight"),
    ("PUBLISH without subscribers, 100 in flight", "µs CPU/op", "PUBLISH to nobody, 100 in flight"),
    ("SET and GET in turn, 16 in flight", "µs CPU/op", "SET and GET, 16 in flight"),
    ("idle patterns: distinct prefixes", "op/s", "PUBLISH beside 10,000 idle patterns"),
    ("100 × 16 KiB to 100 that do not read", "bytes", "100 × 16 KiB for 100 that do not read"),
    ("per idle connection, at once", "bytes", "an idle connection"),
    ("per subscription", "bytes", "a subscription"),
];

/// A table of a few rows: one reactor against redis-server.
fn figures(benchmarks: &str) -> String {
    let mut out = "| workload (64 B) | figure | redis-server | fanfare | ratio |\n\
                   |---|---|--:|--:|--:|\n"
        .to_owned();
    for (workload, unit, name) in FIGURES {
        let row = benchmarks.lines().find_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            match cells.as_slice() {
                ["", first, "1 reactor", figure, redis, fanfare, ratio, ..]
                    if first == workload && figure == unit =>
                {
                    Some(format!("| {name} | {unit} | {redis} | {fanfare} | {ratio} |\n"))
                }
                _ => None,
            }
        });
        out.push_str(&row.unwrap_or_else(|| panic!("docs/benchmarks.md has no row `{workload}`")));
    }
    out
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
