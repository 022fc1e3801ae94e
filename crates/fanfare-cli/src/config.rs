//! `fanfare config`: the directives that the broker knows.

use anyhow::anyhow;
use clap::Args;
use fanfare_broker::config::{Change, Directive, reference};
use serde_json::json;

use crate::exit::Exit;
use crate::failure::hinted;
use crate::output::{self, BOLD, DIM};

/// Show the directives of `fanfare serve` with their defaults and values
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare config                   all directives
  fanfare config maxmemory         one
  fanfare config client            those whose name contains a word
  fanfare config --json            for programs")]
pub(crate) struct Reference {
    /// A directive, or a part of its name; all of them without one
    name: Option<String>,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

impl Reference {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let asked = self.name.unwrap_or_default().trim_start_matches("--").to_ascii_lowercase();
        let exact = reference().find(|it| it.spellings().any(|name| name == asked));
        let found: Vec<&Directive> = match exact {
            Some(one) => vec![one],
            None => reference().filter(|it| it.name.contains(&asked)).collect(),
        };
        if found.is_empty() {
            let error = anyhow!("no directive has {asked:?} in its name");
            return Err(hinted(error, "`fanfare config` lists them all"));
        }
        print(found, self.json)?;
        Ok(Exit::Done)
    }
}

/// Every directive, as `fanfare serve --help-directives` prints them.
pub(crate) fn print_all() -> anyhow::Result<()> {
    print(reference().collect(), false)
}

fn print(directives: Vec<&Directive>, as_json: bool) -> anyhow::Result<()> {
    for it in directives {
        if as_json {
            output::json(&json!({
                "name": it.name,
                "aliases": it.aliases,
                "default": it.default,
                "values": it.values(),
                "change": change(it.change),
                "help": it.help,
            }))?;
            continue;
        }
        let default = if it.default.is_empty() { "\"\"" } else { it.default };
        output::line(format!("{} {default}", output::styled(BOLD, it.name)))?;
        output::line(format!("    {}", it.help))?;
        let facts = format!("    {}; {}", it.values(), change(it.change));
        output::line(output::styled(DIM, facts))?;
    }
    Ok(())
}

fn change(change: Change) -> &'static str {
    match change {
        Change::Runtime => "also by CONFIG SET",
        Change::Protected => "also by CONFIG SET if enable-protected-configs allows it",
        Change::AtStart | Change::Hidden => "at start",
    }
}
