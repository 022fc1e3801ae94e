//! `fanfare man`: manual pages.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man as Page;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::output;

/// Print the manual page, or write the pages of all commands to a directory
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare man | man -l -                            read it
  fanfare man --dir /usr/local/share/man/man1       install all pages")]
pub(crate) struct Man {
    /// Write one page for each command to this directory, which is made if it is not there
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let mut command = Cli::command();
        command.build();
        match self.dir {
            None => {
                let mut page = Vec::new();
                Page::new(command).render(&mut page)?;
                std::io::stdout().lock().write_all(&page)?;
            }
            Some(dir) => {
                fs::create_dir_all(&dir)
                    .with_context(|| format!("failed to make {}", dir.display()))?;
                write_pages(&command, &dir)?;
            }
        }
        Ok(Exit::Done)
    }
}

/// The page of a command and those of its subcommands. A subcommand's display name is `fanfare-sub`.
fn write_pages(command: &Command, dir: &Path) -> anyhow::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = dir.join(format!("{name}.1"));
    let mut page = Vec::new();
    let source = concat!("fanfare ", env!("CARGO_PKG_VERSION"));
    Page::new(command.clone()).title(name.to_uppercase()).source(source).render(&mut page)?;
    fs::write(&path, page).with_context(|| format!("failed to write {}", path.display()))?;
    output::line(path.display())?;
    for it in command.get_subcommands().filter(|it| it.get_name() != "help") {
        write_pages(it, dir)?;
    }
    Ok(())
}
