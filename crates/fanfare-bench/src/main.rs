//! `cargo xtask bench toolkit`: the crate `fanfare` beside redis-rs and redis-py, on the same
//! servers, in the same run.

mod clock;
mod delayed;
mod layers;
mod payload;
mod peers;
mod publish;
mod report;
mod row;
mod stalled;
mod subscribe;
mod work;

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use fanfare_testkit::{FanfareServer, RedisServer, ServerProcess};
use indicatif::{ProgressBar, ProgressStyle};

use crate::row::{Results, Row, Sample};

/// Measure the crate `fanfare` beside redis-rs and redis-py, and print the ratios.
#[derive(Parser)]
#[command(name = "cargo xtask bench toolkit")]
struct Options {
    /// Seconds of each measurement
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,

    /// Rounds; the table shows the medians
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Only rows whose name contains one of these words
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,

    /// Write the report to this file [default: docs/benchmarks-toolkit.md if everything was
    /// measured]
    #[arg(long)]
    report: Option<PathBuf>,

    /// Write all samples to this file
    #[arg(long)]
    json: Option<PathBuf>,

    /// Fail if a target is missed
    #[arg(long)]
    strict: bool,
}

const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/benchmarks-toolkit.md");

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let is_chosen = |row: &Row| {
        options.rows.is_empty() || options.rows.iter().any(|it| row.name().contains(it))
    };
    let rows: Vec<Row> = Row::ALL.into_iter().filter(is_chosen).collect();
    if rows.is_empty() {
        let names = Row::ALL.map(Row::name).join("`, `");
        bail!("no row has such a name; there are `{names}`");
    }
    let duration = Duration::from_secs_f64(options.seconds.clamp(0.05, 600.0));
    let python = if rows.iter().any(|it| it.needs_python()) { Some(redis_py()?) } else { None };
    let servers =
        [Server::Redis(RedisServer::start(&[])), Server::Fanfare(FanfareServer::start(&[]))];
    for server in &servers {
        let limit = ["CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0"];
        server.process().client().call(&limit);
    }
    let results = measure(options, &rows, &servers, duration, python.as_deref())?;
    let lines = results.lines(&rows);
    print!("{}", report::text(&lines));
    let is_full = options.rows.is_empty();
    if let Some(path) = options.report.clone().or_else(|| is_full.then(|| REPORT.into())) {
        let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
        let command = format!("cargo xtask bench toolkit {command}");
        std::fs::write(&path, report::markdown(&lines, command.trim()))
            .with_context(|| format!("failed to write {}", path.display()))?;
    }
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&results)?)
            .with_context(|| format!("failed to write {}", path.display()))?;
    }
    let n_missed = lines.iter().filter(|it| it.is_met == Some(false)).count();
    if options.strict && n_missed > 0 {
        bail!("{n_missed} targets are missed");
    }
    Ok(())
}

/// Every round measures all contenders of a row, one after the other and another one first each
/// time, before the next row.
fn measure(
    options: &Options,
    rows: &[Row],
    servers: &[Server],
    duration: Duration,
    python: Option<&std::path::Path>,
) -> Result<Results> {
    let mut results = Results::default();
    let n_steps: usize = rows.iter().map(|it| it.contenders().len() * servers.len()).sum();
    let style = "{elapsed_precise} [{bar:40}] {pos}/{len} {msg} (eta {eta})";
    let progress = ProgressBar::new((n_steps * options.rounds as usize) as u64)
        .with_style(ProgressStyle::with_template(style)?);
    for round in 0..options.rounds as usize {
        for row in rows {
            for server in servers {
                let contenders = row.contenders();
                let first = round % contenders.len();
                for contender in contenders.iter().cycle().skip(first).take(contenders.len()) {
                    progress.set_message(format!("{}: {}", row.name(), contender.name()));
                    let site = Site { server: server.process(), duration, python };
                    let sample = site.measure(*row, *contender).with_context(|| {
                        format!("{} with {} on {}", row.name(), contender.name(), server.name())
                    })?;
                    results.add(*row, server.name(), *contender, sample);
                    progress.inc(1);
                }
            }
        }
    }
    progress.finish_and_clear();
    Ok(results)
}

/// What is measured on.
enum Server {
    Redis(RedisServer),
    Fanfare(FanfareServer),
}

impl Server {
    fn name(&self) -> &'static str {
        match self {
            Self::Redis(_) => "redis-server",
            Self::Fanfare(_) => "fanfare",
        }
    }

    fn process(&self) -> &ServerProcess {
        match self {
            Self::Redis(server) => server,
            Self::Fanfare(server) => server,
        }
    }
}

/// One measurement's surroundings.
#[derive(Clone, Copy)]
struct Site<'a> {
    server: &'a ServerProcess,
    duration: Duration,
    python: Option<&'a std::path::Path>,
}

impl Site<'_> {
    fn url(&self) -> String {
        format!("redis://{}", self.server.addr())
    }

    /// Everything of a client runs on this thread, so that its processor time is the client's.
    fn measure(self, row: Row, contender: row::Contender) -> Result<Sample> {
        self.server.client().call(&["FLUSHALL"]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sample = match row {
            Row::Publish { n_tasks } => {
                runtime.block_on(publish::one_by_one(self, contender, n_tasks))
            }
            Row::PublishBatch => runtime.block_on(publish::batches(self, contender)),
            Row::Subscribe => runtime.block_on(subscribe::measure(self, contender)),
            Row::Work => runtime.block_on(work::measure(self, contender)),
            Row::Layers { is_enveloped } => {
                runtime.block_on(layers::measure(self, contender, is_enveloped))
            }
            Row::Payload(work) => payload::measure(work, self.duration),
            Row::Stalled => runtime.block_on(stalled::measure(self)),
            Row::Delayed => runtime.block_on(delayed::measure(self)),
        };
        // What a client has spawned ends here, and not in the next measurement.
        drop(runtime);
        sample
    }
}

/// The interpreter of a virtual environment with the version of redis-py that the tests use.
fn redis_py() -> Result<PathBuf> {
    let clients = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/python");
    let requirements = std::fs::read_to_string(format!("{clients}/requirements.txt"))?;
    let wanted =
        requirements.lines().find(|it| it.starts_with("redis==")).context("no redis-py")?;
    let this = std::env::current_exe()?;
    let folder = this.with_file_name("bench-python");
    let python = folder.join("bin/python");
    let (_, version) = wanted.split_once("==").context("no version")?;
    let check = format!("import redis; assert redis.__version__ == '{version}'");
    let is_there = |python: &PathBuf| {
        let found = Command::new(python).args(["-c", &check]).output();
        found.is_ok_and(|it| it.status.success())
    };
    if !is_there(&python) {
        let hint = "python3 with venv is needed: apt-get install -y python3 python3-venv";
        let run = |command: &mut Command| match command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(_) | Err(_) => bail!("{command:?} failed: {hint}"),
        };
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(&python).args(pip).arg(wanted))?;
    }
    Ok(python)
}
