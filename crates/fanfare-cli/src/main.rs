//! The `fanfare` program: the broker, and the tools to use and measure any broker that speaks
//! Redis.
//!
//! Code map: `cli` the commands and their common arguments · `exit` exit codes · `failure` errors
//! with their hints · `output` text, JSON and colours · `text` numbers and bytes for people ·
//! `latency` histograms · `pace` fixed rates · `watched` what `top` and `check` look at · `sparkline` rates as bars · one file for each command, and for `serve`
//! also `logging` and `host` (file limits, pid file, supervisor).

mod bench;
mod check;
mod cli;
mod completions;
mod config;
mod demo;
mod dlq;
mod doctor;
mod entry;
mod exit;
mod explain;
mod failure;
mod group;
mod host;
mod latency;
mod logging;
mod man;
mod output;
mod pace;
mod ping;
mod publish;
mod serve;
mod sparkline;
mod stream;
mod subscribe;
mod text;
mod top;
mod watched;

use std::process::ExitCode;

use clap::Parser as _;

use crate::exit::Exit;

#[global_allocator]
static ALLOCATOR: fanfare_allocator::Mimalloc = fanfare_allocator::Mimalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    match cli.run() {
        Ok(exit) => exit.into(),
        Err(error) => failure::report(&error).into(),
    }
}

/// Prints what is wrong with the command line, or the help that was asked for.
fn usage(error: &clap::Error) -> Exit {
    // Whoever closed standard error does not want to know.
    let _ = error.print();
    let command = std::env::args().nth(1);
    match command.as_deref() {
        _ if !error.use_stderr() => Exit::Done,
        // Those who ask them take 2 for critical.
        Some("check" | "doctor") => Exit::Unknown,
        _ => Exit::Usage,
    }
}
