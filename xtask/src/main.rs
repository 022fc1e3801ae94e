//! Automation of the workspace; `cargo xtask --help` lists the tasks.

#[cfg(target_os = "linux")]
mod bench;
mod ci;
mod command;
mod failures;
mod fuzz;
mod setup;
mod soak;
mod spec;
mod steps;
mod suite;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::command::cargo;
use crate::steps::Steps;

/// Automation of the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Check everything: format, lints, tests, docs, repository rules, features, fuzz targets.
    ///
    /// Installs what the tests need. The last line says how many checks and tests passed.
    Ci(ci::Options),
    /// Check the rules of ARCHITECTURE.md and the documents' links.
    Tidy,
    /// Write docs/generated/.
    Gen {
        /// Only fail if a file is not current.
        #[arg(long)]
        check: bool,
    },
    /// Compare the broker's answers with redis-server's, byte for byte.
    Oracle {
        /// Only transcripts whose path contains this.
        filter: Option<String>,
    },
    /// Print the Rust text of commands' specs, with the facts that redis-server tells.
    Spec(spec::Options),
    /// Run the fuzz targets.
    Fuzz(fuzz::Options),
    /// Run the long tests: outages, blasts, load, random schedules, fuzz targets.
    Soak(soak::Options),
    /// Measure against redis-server; `cargo xtask bench --help` tells how.
    #[cfg(target_os = "linux")]
    #[command(disable_help_flag = true)]
    Bench {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    let mut steps = Steps::default();
    match task {
        Task::Ci(options) => ci::run(&mut steps, &options)?,
        Task::Tidy => tidy::run(&mut steps)?,
        Task::Gen { check } => generate(&mut steps, check),
        Task::Oracle { filter } => oracle(&mut steps, filter.as_deref()),
        Task::Spec(options) => {
            spec::run(&options)?;
            return Ok(ExitCode::SUCCESS);
        }
        Task::Fuzz(options) => fuzz::run(&mut steps, &options),
        Task::Soak(options) => soak::run(&mut steps, &options),
        #[cfg(target_os = "linux")]
        Task::Bench { args } => {
            bench::run(&args)?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    Ok(steps.finish())
}

/// The documents are written and compared by a test, so that this program does not depend on the
/// crates that it checks.
fn generate(steps: &mut Steps, check: bool) {
    let mut test = cargo(["test", "-q", "-p", "xtask", "--test", "generated"]);
    if !check {
        test.env("FANFARE_GEN", "write");
    }
    steps.libtest(if check { "gen --check" } else { "gen" }, test);
}

fn oracle(steps: &mut Steps, filter: Option<&str>) {
    setup::run(steps);
    let mut test = cargo(["test", "-p", "fanfare-testkit", "--test", "transcripts", "--"]);
    test.arg("--nocapture");
    if let Some(filter) = filter {
        test.env("TRANSCRIPT", filter);
    }
    steps.libtest("oracle", test);
}

/// The repository's folder.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
