//! `fanfare group ls`: which groups a stream has, and how far they are.

use clap::Args;
use fanfare::stream::GroupInfo;
use serde_json::{Map, Value, json};

use crate::cli::{self, Server};
use crate::entry;
use crate::exit::Exit;
use crate::output::{self, DIM, NAME};
use crate::text;

/// List the groups of a stream: how far each is, and what it has not finished
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare group ls orders
  fanfare group ls orders --json")]
pub(crate) struct List {
    /// The stream's key
    key: String,
    /// Print one JSON object for each group
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl List {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        cli::until_interrupted(self.list())
    }

    async fn list(&self) -> anyhow::Result<Exit> {
        let fanfare = self.server.connect().await?;
        let groups = fanfare.stream(&self.key).groups().await?;
        for group in &groups {
            if self.json {
                output::json(&as_json(group))?;
            } else {
                output::line(as_line(group))?;
            }
        }
        if groups.is_empty() && !self.json {
            output::note(output::styled(DIM, format!("{} has no groups", self.key)));
        }
        Ok(Exit::Done)
    }
}

/// Name, lag, pending entries, consumers, place.
pub(crate) fn as_line(group: &GroupInfo) -> String {
    let lag = group.lag.map_or_else(|| "?".to_owned(), text::count);
    format!(
        "{}  lag {lag}  pending {}  {}  at {}",
        output::styled(NAME, text::printable(&group.name)),
        text::count(group.pending),
        text::counted(group.consumers, "consumer"),
        group.last_delivered,
    )
}

pub(crate) fn as_json(group: &GroupInfo) -> Value {
    let mut object = Map::new();
    entry::put(&mut object, "group", &group.name);
    object.insert("lag".to_owned(), json!(group.lag));
    object.insert("pending".to_owned(), json!(group.pending));
    object.insert("consumers".to_owned(), json!(group.consumers));
    object.insert("last_delivered".to_owned(), json!(group.last_delivered.to_string()));
    object.insert("entries_read".to_owned(), json!(group.entries_read));
    Value::Object(object)
}
