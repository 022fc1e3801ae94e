//! `fanfare stream`: what a server keeps in streams.

mod tail;

use clap::{Args, Subcommand};

use crate::exit::Exit;

/// Read streams
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare stream tail orders
  fanfare stream tail orders --from 0 --json")]
pub(crate) struct Stream {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Tail(tail::Tail),
}

impl Stream {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        match self.what {
            What::Tail(it) => it.run(),
        }
    }
}
