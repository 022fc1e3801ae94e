//! What the command line says.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::rows::{self, Row};
use super::server::Program;

/// Measure Fanfare against redis-server on this machine, and print the ratios.
///
/// Builds the release binary, unless FANFARE_BIN names one. `cargo xtask bench toolkit` measures the
/// library beside other clients.
#[derive(Parser, Debug)]
#[command(name = "cargo xtask bench")]
pub(super) struct Options {
    /// Measure for 0.3 seconds each instead of 0.6
    #[arg(long)]
    quick: bool,

    /// Seconds of each measurement
    #[arg(long, conflicts_with = "quick")]
    seconds: Option<f64>,

    /// Rounds; the table shows the medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rounds: u32,

    /// Further rounds for what misses its target, or meets it by less than a tenth [default: twice the rounds]
    #[arg(long, value_name = "ROUNDS")]
    more_rounds: Option<u32>,

    /// Only rows whose group or name contains one of these words: fanout, pattern, publish,
    /// setget, types, rank, stream, push, blocked, eval, memory, keys, latency, reactors,
    /// HSET, "100 in flight", ...
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,

    /// Only these servers
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Serves>,

    /// Write all samples to this file
    #[arg(long)]
    pub(super) json: Option<PathBuf>,

    /// Write the report to this file [default: docs/benchmarks.md if everything was measured]
    #[arg(long)]
    report: Option<PathBuf>,

    /// Fail if a target is missed
    #[arg(long)]
    pub(super) strict: bool,
}

const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks.md");

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Serves {
    Redis,
    Fanfare,
    Null,
    Ceiling,
}

impl Options {
    pub(super) fn duration(&self) -> Duration {
        let default = if self.quick { 0.3 } else { 0.6 };
        Duration::from_secs_f64(self.seconds.unwrap_or(default).clamp(0.05, 600.0))
    }

    pub(super) fn more_rounds(&self) -> u32 {
        self.more_rounds.unwrap_or(self.rounds.saturating_mul(2))
    }

    pub(super) fn programs(&self) -> Vec<Program> {
        [
            (Serves::Redis, Program::Redis),
            (Serves::Redis, Program::RedisPerCore),
            (Serves::Fanfare, Program::Fanfare),
            (Serves::Null, Program::Null),
            (Serves::Ceiling, Program::Ceiling),
        ]
        .into_iter()
        .filter(|(serves, _)| self.only.is_empty() || self.only.contains(serves))
        .map(|(_, program)| program)
        .collect()
    }

    pub(super) fn chosen_rows(&self) -> Vec<Row> {
        let chosen = |row: &Row| {
            self.rows.iter().any(|word| row.group.contains(word) || row.name.contains(word))
        };
        rows::all().into_iter().filter(|row| self.rows.is_empty() || chosen(row)).collect()
    }

    /// Where the report goes: a partial run does not replace a full one unasked.
    pub(super) fn report_path(&self) -> Option<PathBuf> {
        let is_full = self.rows.is_empty() && self.only.is_empty() && !self.quick;
        self.report.clone().or_else(|| is_full.then(|| PathBuf::from(REPORT)))
    }
}
