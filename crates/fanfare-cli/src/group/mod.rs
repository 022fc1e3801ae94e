//! `fanfare group`: consumer groups of streams.

mod list;
mod show;
mod work;

use clap::{Args, Subcommand};

use crate::exit::Exit;

/// Look at consumer groups, and work through their entries
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare group ls orders
  fanfare group show orders billing
  fanfare group work orders billing --exec ./bill.sh")]
pub(crate) struct Group {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Ls(list::List),
    Show(show::Show),
    Work(work::Work),
}

impl Group {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        match self.what {
            What::Ls(it) => it.run(),
            What::Show(it) => it.run(),
            What::Work(it) => it.run(),
        }
    }
}
