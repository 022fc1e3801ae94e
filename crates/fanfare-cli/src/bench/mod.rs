//! `fanfare bench`: measurements of any server.
//!
//! `pubsub` arguments, course and report of `bench pubsub` · `load` its publishers and subscribers.

mod load;
mod pubsub;

use clap::{Args, Subcommand};

use crate::exit::Exit;

/// Measure a server
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare bench pubsub
  fanfare bench pubsub --subscribers 100 --depth 64 --url redis://127.0.0.1:6379")]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Pubsub(pubsub::PubSub),
}

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        match self.what {
            What::Pubsub(it) => it.run(),
        }
    }
}
