//! The course of `cargo xtask bench`: build, measure in rounds, report.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;
use indicatif::{ProgressBar, ProgressStyle};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use super::ceiling;
use super::machine::Machine;
use super::measure::Gauge;
use super::null;
use super::options::Options;
use super::report;
use super::results::{Results, Verdict};
use super::rows;
use super::server::{Contender, Program, Site};
use super::table;
use super::workload::Workload;
use crate::command::cargo;

/// Runs `cargo xtask bench` with the arguments that follow it.
///
/// # Errors
/// Fails if a server can not be started, or does not deliver what it should.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        // Started by `Site::start`, as servers of their own.
        ["null", port, threads] => null::serve(port.parse()?, threads.parse()?),
        ["ceiling", port, subscribers, in_flight, payload] => ceiling::serve(
            port.parse()?,
            subscribers.parse()?,
            in_flight.parse()?,
            payload.parse()?,
        ),
        ["toolkit", ..] => toolkit(args.get(1..).unwrap_or_default()),
        _ => {
            let name = "cargo xtask bench".to_owned();
            bench(&Options::parse_from(std::iter::once(&name).chain(args)), args)
        }
    }
}

/// The library beside other clients is measured by a program of its own, so that this one does not
/// depend on what it checks.
fn toolkit(args: &[String]) -> Result<()> {
    let mut program = cargo(["run", "--release", "--quiet", "-p", "fanfare-bench", "--"]);
    let status = program.args(args).status().context("failed to run cargo")?;
    anyhow::ensure!(status.success(), "the benchmark of the library failed");
    Ok(())
}

fn bench(options: &Options, args: &[String]) -> Result<()> {
    raise_open_files()?;
    let chosen = options.chosen_rows();
    if chosen.is_empty() {
        bail!("no row has such a group or name: see --help");
    }
    let programs = options.programs();
    if programs.contains(&Program::Redis) {
        check_redis()?;
    }
    let fanfare = if programs.contains(&Program::Fanfare) { Some(fanfare_binary()?) } else { None };
    let machine = Machine::look(fanfare.as_deref());
    let mut gauge = Gauge::new(Site::new(fanfare)?, options.duration());
    let mut results = Results::default();
    let all = rows::measurements(&chosen, &programs);
    measure(options.rounds, &mut gauge, &all, &mut results)?;
    let close = rows::measurements(&results.close_calls(&chosen), &programs);
    measure(options.more_rounds(), &mut gauge, &close, &mut results)?;
    let lines = results.lines(&chosen);
    print!("{}", table::text(&lines));
    let command = format!("cargo xtask bench {}", args.join(" "));
    if let Some(path) = options.report_path() {
        fs::write(&path, report::markdown(&machine, command.trim(), &lines))
            .with_context(|| format!("failed to write {}", path.display()))?;
    }
    if let Some(path) = &options.json {
        let document = json!({
            "machine": machine,
            "command": command,
            "lines": lines,
            "samples": results.records(),
        });
        fs::write(path, serde_json::to_vec_pretty(&document)?)
            .with_context(|| format!("failed to write {}", path.display()))?;
    }
    let n_missed = lines.iter().filter(|line| line.verdict == Some(Verdict::Missed)).count();
    if options.strict && n_missed > 0 {
        bail!("{n_missed} targets are missed");
    }
    Ok(())
}

/// Every round measures each workload on all its servers before the next workload, and starts with
/// another server each time, so that drift of the machine does not favour one.
fn measure(
    rounds: u32,
    gauge: &mut Gauge,
    measurements: &[(Workload, Contender)],
    results: &mut Results,
) -> Result<()> {
    let n_steps = u64::from(rounds) * measurements.len() as u64;
    let progress = ProgressBar::new(n_steps).with_style(ProgressStyle::with_template(
        "{elapsed_precise} [{bar:40}] {pos}/{len} {msg} (eta {eta})",
    )?);
    for round in 0..rounds {
        gauge.start_round();
        for group in measurements.chunk_by(|a, b| a.0 == b.0) {
            let mut order = group.to_vec();
            order.rotate_left(round as usize % group.len());
            for (workload, contender) in order {
                progress.set_message(format!("{}: {workload:?}", contender.name()));
                results.add(workload, contender, gauge.measure(workload, contender)?);
                progress.inc(1);
            }
        }
    }
    progress.finish_and_clear();
    Ok(())
}

fn raise_open_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    if limit.maximum.is_some_and(|maximum| maximum < 11_000) {
        bail!("10,000 connections need `ulimit -Hn` to be at least 11000");
    }
    Ok(())
}

fn check_redis() -> Result<()> {
    let found = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
    if found.is_err() {
        bail!("redis-server not found: apt-get install -y redis-server");
    }
    Ok(())
}

/// The release binary, built now unless `FANFARE_BIN` names one.
fn fanfare_binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os("FANFARE_BIN") {
        return Ok(path.into());
    }
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--release",
            "-p",
            "fanfare-cli",
            "--message-format=json-render-diagnostics",
        ])
        .stderr(Stdio::inherit())
        .output()
        .context("failed to run cargo")?;
    if !output.status.success() {
        bail!("the release binary does not build");
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|artifact| artifact.get("executable")?.as_str().map(PathBuf::from))
        .next_back()
        .context("cargo did not name the binary")
}
