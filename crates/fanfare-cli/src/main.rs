//! The `fanfare` program: the broker, and the tools to use and measure any broker that speaks
//! Redis.
//!
//! Code map: `cli` the commands and their common arguments · `exit` exit codes · `failure` errors
//! with their hints · `output` text, JSON and colours · `text` numbers and bytes for people ·
//! `latency` histograms · `pace` fixed rates · `sparkline` rates as bars · one file for each command, and for `serve`
//! also `logging` and `host` (file limits, pid file, supervisor).

mod bench;
mod cli;
mod completions;
mod config;
mod demo;
mod dlq;
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

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: fanfare_allocator::Mimalloc = fanfare_allocator::Mimalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(exit) => exit.into(),
        Err(error) => failure::report(&error).into(),
    }
}
