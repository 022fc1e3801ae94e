//! `fanfare explain`: what an error's code means.

use anyhow::anyhow;
use clap::Args;
use fanfare::catalogue::{CATALOGUE, Entry, explain};
use serde_json::json;

use crate::exit::Exit;
use crate::failure::hinted;
use crate::output::{self, BOLD, DIM};

/// Say what an error's code means and what to do about it
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare explain FF-1101    one error
  fanfare explain            all of them")]
pub(crate) struct Explain {
    /// The code, such as FF-1101; all of them without one
    code: Option<String>,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let entries: Vec<&Entry> = match &self.code {
            Some(code) => vec![find(code)?],
            None => CATALOGUE.iter().collect(),
        };
        for Entry { code, name, meaning, cause, cure, .. } in entries {
            if self.json {
                output::json(&json!({
                    "code": code, "name": name, "meaning": meaning, "cause": cause, "cure": cure,
                }))?;
                continue;
            }
            let label = |text| output::styled(DIM, text);
            output::line(format!("{} {name}: {meaning}", output::styled(BOLD, code)))?;
            output::line(format!("  {} {cause}", label("likely cause:")))?;
            output::line(format!("  {} {cure}", label("what to do:")))?;
        }
        Ok(Exit::Done)
    }
}

fn find(code: &str) -> anyhow::Result<&'static Entry> {
    explain(code).ok_or_else(|| {
        let codes: Vec<_> = CATALOGUE.iter().map(|it| it.code).collect();
        let hint = format!("known: {}", codes.join(", "));
        hinted(anyhow!("no error has the code {code:?}"), hint)
    })
}
