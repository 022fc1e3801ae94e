//! The table, for a terminal and as a document.

use std::{fmt::Write as _, fs, process::Command};

use crate::row::{LAYERS_US_MAX, Line, Row};

/// One line each, for a terminal.
pub(crate) fn text(lines: &[Line]) -> String {
    let mut out = String::new();
    for line in lines {
        let cells = Cells::new(line);
        let _ = writeln!(
            out,
            "{:<23} {:<12} {:>11} {:>7} µs | {:<31} {:>9} {:>7} µs | {:>6} {:>9} {}",
            line.row.name(),
            line.server,
            cells.rate,
            cells.cpu,
            cells.peer,
            cells.peer_rate,
            cells.peer_cpu,
            cells.ratio,
            cells.target,
            cells.verdict,
        );
    }
    out
}

/// `docs/benchmarks-toolkit.md`.
pub(crate) fn markdown(lines: &[Line], command: &str) -> String {
    let mut out = String::from(INTRODUCTION);
    out.push_str("| | |\n|---|---|\n");
    for (name, value) in facts(command) {
        let _ = writeln!(out, "| {name} | {value} |");
    }
    let n_targets = lines.iter().filter(|it| it.is_met.is_some()).count();
    let n_met = lines.iter().filter(|it| it.is_met == Some(true)).count();
    let _ = write!(out, "\n{n_met} of {n_targets} targets are met.\n\n");
    out.push_str(
        "| what | server | fanfare/s | µs CPU | beside | its rate/s | µs CPU | ratio | target | |\n\
         |---|---|--:|--:|---|--:|--:|--:|--:|---|\n",
    );
    for line in lines {
        let Cells { rate, cpu, peer, peer_rate, peer_cpu, ratio, target, verdict } =
            Cells::new(line);
        let (name, server) = (line.row.name(), line.server);
        let _ = writeln!(
            out,
            "| {name} | {server} | {rate} | {cpu} | {peer} | {peer_rate} | {peer_cpu} | {ratio} | \
             {target} | {verdict} |"
        );
    }
    out
}

const INTRODUCTION: &str = "\
# Benchmarks of the library

Written by `cargo xtask bench toolkit`; do not edit. The crate `fanfare` and other clients, bare, did the
same in turn on the same servers; figures are medians of all rounds, ratios are medians of the rounds'
ratios of rates. Client and server share the processors, so rates depend on the server, too.

* **µs CPU**: processor time of the client per message or entry. All of a client runs on one thread.
* **publish**: messages of 64 bytes to a channel without subscribers. *One task* waits for each answer
  before it goes on, and each of *50 tasks* does on the connection that they share. *Batches of 100* go out
  at once, and all answers are waited for: `Publisher::publish_batch`, and pipelines of redis-rs and of
  redis-py (without a transaction).
* **subscribe**: what another thread publishes, 100 at once, until the last message has arrived. The
  subscription of the crate has the policy `Block`, since redis-rs drops nothing either.
* **work**: the entries of a stream, of 64 bytes, are read in a group, handed to a handler that looks
  at the length, and acknowledged. The crate's `Worker` has a concurrency of 100. *100 at a time*:
  `XREADGROUP COUNT 100`, then one `XACK`. *One at a time*: `XREADGROUP COUNT 1`, then `XACK`, as many
  frameworks do it. Connecting is included.
* **layers**: the default stack of layers (metrics with a recorder of atoms, trace, retry, circuit
  breaker, time limit) around a handler that looks at the length, called directly with bytes, or with an
  envelope that has a `traceparent`; nobody listens to the traces, and no server takes part. The target is
  what the stack adds.
* **payload**: the data of an envelope, some 4 KiB of JSON with 80 lines of an order, is compressed at the
  algorithm's usual level, expanded, or checked against the schema of its type; no server takes part.
* **handlers hang**: what a worker of a concurrency of 100 holds of 20,000 entries while no handler
  ends.
* **delayed tasks**: 100,000 tasks of a queue whose times are spread over 20 s, 5,000 each second, while 1,000
  others are put in each second and run at once by the same worker of a concurrency of 100. How late 99 of
  100 of them are handed to the handler at most, in the worst round; none may be early.

";

fn facts(command: &str) -> Vec<(&'static str, String)> {
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = || cpus.lines().filter_map(|it| it.strip_prefix("model name\t: "));
    let unknown = || "unknown".to_owned();
    vec![
        ("date", run("date", &["-u", "+%F"]).unwrap_or_else(unknown)),
        ("command", format!("`{command}`")),
        ("processor", format!("{} × {}", models().count(), models().next().unwrap_or("unknown"))),
        ("redis-server", run("redis-server", &["--version"]).unwrap_or_else(unknown)),
        ("redis-rs, redis-py", "the versions in Cargo.lock and tests/clients/python".to_owned()),
        ("commit", run("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_else(unknown)),
    ]
}

/// A line's figures as text; what there is none of is empty.
struct Cells {
    rate: String,
    cpu: String,
    peer: &'static str,
    peer_rate: String,
    peer_cpu: String,
    ratio: String,
    target: String,
    verdict: &'static str,
}

impl Cells {
    fn new(line: &Line) -> Self {
        let show = |value: Option<f64>, digits: usize| {
            value.map(|it| format!("{it:.digits$}")).unwrap_or_default()
        };
        let measured = |n: u64| match line.row {
            Row::Delayed => format!("{:.1} ms late", n as f64 / 1e3),
            Row::Stalled => format!("{n} held"),
            Row::Publish { .. }
            | Row::PublishBatch
            | Row::Subscribe
            | Row::Work
            | Row::Layers { .. }
            | Row::Payload(_) => n.to_string(),
        };
        let (rate, cpu, target) = match line.worst.zip(line.row.most()) {
            Some((worst, most)) => {
                (measured(worst), String::new(), format!("≤ {}", measured(most)))
            }
            None if matches!(line.row, Row::Layers { .. }) => {
                let target = format!("≤ {LAYERS_US_MAX} µs more");
                (show(Some(line.rate), 0), show(line.cpu_us, 2), target)
            }
            None => {
                let target = line.target.map(|it| format!("≥ {it}")).unwrap_or_default();
                (show(Some(line.rate), 0), show(line.cpu_us, 2), target)
            }
        };
        Self {
            rate,
            cpu,
            peer: line.peer.map(|it| it.name()).unwrap_or_default(),
            peer_rate: show(line.peer_rate, 0),
            peer_cpu: show(line.peer_cpu_us, 2),
            ratio: show(line.ratio, 2),
            target,
            verdict: match line.is_met {
                Some(true) => "met",
                Some(false) => "**missed**",
                None => "",
            },
        }
    }
}
