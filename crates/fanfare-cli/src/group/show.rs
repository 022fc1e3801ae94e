//! `fanfare group show`: who works in a group, and what is stuck.

use clap::Args;
use fanfare::stream::{ConsumerInfo, Pending, PendingEntry};
use serde_json::{Map, Value, json};

use super::list;
use crate::cli::{self, Server};
use crate::entry;
use crate::exit::Exit;
use crate::failure::hinted;
use crate::output::{self, BOLD, DIM, NAME};
use crate::text;

/// Show a group: its consumers, and the oldest entries that are not finished
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare group show orders billing
  fanfare group show orders billing --pending 100 --json")]
pub(crate) struct Show {
    /// The stream's key
    key: String,
    /// The group
    group: String,
    /// Show so many pending entries, oldest first
    #[arg(long, value_name = "N", default_value_t = 10)]
    pending: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Show {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        cli::until_interrupted(self.show())
    }

    async fn show(&self) -> anyhow::Result<Exit> {
        let fanfare = self.server.connect().await?;
        let group = fanfare.stream(&self.key).group(&self.group);
        let Some(info) = group.info().await? else {
            let error = anyhow::anyhow!("the stream {} has no group {}", self.key, self.group);
            return Err(hinted(error, format!("`fanfare group ls {}` lists them", self.key)));
        };
        let consumers = group.consumers().await?;
        let pending = match self.pending {
            0 => Vec::new(),
            n => group.pending(Pending::new().limit(n)).await?,
        };
        if self.json {
            let mut object = list::as_json(&info);
            if let Some(object) = object.as_object_mut() {
                let consumers: Vec<Value> = consumers.iter().map(consumer_as_json).collect();
                let pending: Vec<Value> = pending.iter().map(pending_as_json).collect();
                object.insert("consumer_list".to_owned(), Value::Array(consumers));
                object.insert("pending_list".to_owned(), Value::Array(pending));
            }
            output::json(&object)?;
            return Ok(Exit::Done);
        }
        output::line(list::as_line(&info))?;
        output::line(output::styled(BOLD, "consumers"))?;
        for consumer in &consumers {
            output::line(consumer_as_line(consumer))?;
        }
        output::line(output::styled(BOLD, "oldest pending entries"))?;
        for entry in &pending {
            output::line(pending_as_line(entry))?;
        }
        Ok(Exit::Done)
    }
}

fn consumer_as_line(consumer: &ConsumerInfo) -> String {
    format!(
        "  {}  pending {}  idle {}",
        output::styled(NAME, text::printable(&consumer.name)),
        text::count(consumer.pending),
        text::duration(consumer.idle),
    )
}

fn consumer_as_json(consumer: &ConsumerInfo) -> Value {
    let mut object = Map::new();
    entry::put(&mut object, "consumer", &consumer.name);
    object.insert("pending".to_owned(), json!(consumer.pending));
    object.insert("idle_s".to_owned(), json!(consumer.idle.as_secs_f64()));
    object.insert("inactive_s".to_owned(), json!(consumer.inactive.map(|it| it.as_secs_f64())));
    Value::Object(object)
}

fn pending_as_line(entry: &PendingEntry) -> String {
    let owner = match &entry.consumer[..] {
        b"" => "nobody, it was given back".to_owned(),
        name => text::printable(name),
    };
    format!(
        "  {}  {}  idle {}  {owner}",
        output::styled(DIM, entry.id),
        text::counted(entry.deliveries, "delivery"),
        text::duration(entry.idle),
    )
}

fn pending_as_json(pending: &PendingEntry) -> Value {
    let mut object = Map::new();
    object.insert("id".to_owned(), json!(pending.id.to_string()));
    entry::put(&mut object, "consumer", &pending.consumer);
    object.insert("deliveries".to_owned(), json!(pending.deliveries));
    object.insert("idle_s".to_owned(), json!(pending.idle.as_secs_f64()));
    Value::Object(object)
}
