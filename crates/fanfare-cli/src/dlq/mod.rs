//! `fanfare dlq`: the dead letters of a group: what its workers could not handle.

use anyhow::anyhow;
use clap::{Args, Subcommand};
use fanfare::stream::StreamId;
use fanfare::worker::{DeadLetter, DeadLetters};
use serde_json::{Map, Value, json};

use crate::cli::{self, Server};
use crate::entry;
use crate::exit::Exit;
use crate::failure::hinted;
use crate::output::{self, BAD, BOLD, DIM};
use crate::text;

/// Look at the entries that workers gave up, and send them back
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare dlq ls orders billing
  fanfare dlq show orders billing 1700000000000-0
  fanfare dlq requeue orders billing 1700000000000-0
  fanfare dlq requeue orders billing --all
  fanfare dlq drop orders billing 1700000000000-0")]
pub(crate) struct Dlq {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List them, oldest first
    #[command(after_help = "Example:\n  fanfare dlq ls orders billing --json")]
    Ls {
        #[command(flatten)]
        place: Place,
        /// Begin behind this one
        #[arg(long, value_name = "ID")]
        after: Option<StreamId>,
        /// At most so many
        #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
        count: u64,
        /// Print one JSON object for each
        #[arg(long)]
        json: bool,
    },
    /// Show one: where it came from, why it failed, its fields
    #[command(after_help = "Example:\n  fanfare dlq show orders billing 1700000000000-0")]
    Show {
        #[command(flatten)]
        place: Place,
        /// Its ID among the dead letters
        id: StreamId,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Add them to the stream that they came from, and remove them here
    #[command(after_help = "Example:\n  fanfare dlq requeue orders billing --all")]
    Requeue {
        #[command(flatten)]
        place: Place,
        /// Their IDs among the dead letters
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<StreamId>,
        /// All that are here now
        #[arg(long)]
        all: bool,
    },
    /// Throw them away
    #[command(after_help = "Example:\n  fanfare dlq drop orders billing 1700000000000-0")]
    Drop {
        #[command(flatten)]
        place: Place,
        /// Their IDs among the dead letters
        #[arg(required = true)]
        ids: Vec<StreamId>,
    },
}

/// Whose dead letters.
#[derive(Args, Debug)]
struct Place {
    /// The key of the stream that they were in
    key: String,
    /// The group
    group: String,
    /// The stream that they are in, if the workers were told another one
    #[arg(long, value_name = "KEY")]
    dead: Option<String>,
    #[command(flatten)]
    server: Server,
}

impl Dlq {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        cli::until_interrupted(self.what.run())
    }
}

impl Place {
    async fn connect(&self) -> anyhow::Result<DeadLetters> {
        let group = self.server.connect().await?.stream(&self.key).group(&self.group);
        Ok(match &self.dead {
            Some(key) => group.dead_letters_in(key),
            None => group.dead_letters(),
        })
    }

    fn missing(&self, id: StreamId) -> anyhow::Error {
        let error = anyhow!("no dead letter of {} in {} has the ID {id}", self.group, self.key);
        hinted(error, format!("`fanfare dlq ls {} {}` lists them", self.key, self.group))
    }
}

impl What {
    async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Ls { place, after, count, json } => {
                let letters = place.connect().await?.list(after, count).await?;
                for letter in &letters {
                    print(letter, json)?;
                }
                if letters.is_empty() && !json {
                    output::note(output::styled(DIM, "no dead letters"));
                }
            }
            Self::Show { place, id, json } => {
                let letter = place.connect().await?.show(id).await?;
                let letter = letter.ok_or_else(|| place.missing(id))?;
                if json {
                    print(&letter, true)?;
                } else {
                    print_all(&letter)?;
                }
            }
            Self::Requeue { place, ids, all } => {
                let dead = place.connect().await?;
                if all {
                    let n = dead.requeue_all().await?;
                    output::line(format!("{} sent back", text::count(n)))?;
                }
                for id in ids {
                    let new = dead.requeue(id).await?.ok_or_else(|| place.missing(id))?;
                    output::line(format!("{id} is {new} in {}", place.key))?;
                }
            }
            Self::Drop { place, ids } => {
                let n = place.connect().await?.drop(ids).await?;
                output::line(format!("{} thrown away", text::count(n)))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn print(letter: &DeadLetter, json: bool) -> anyhow::Result<()> {
    if json {
        output::json(&as_json(letter))?;
        return Ok(());
    }
    output::line(format!(
        "{}  {} after {}: {}",
        output::styled(BOLD, letter.dead_id),
        text::utc(letter.last),
        text::counted(letter.deliveries, "time"),
        output::styled(BAD, text::shortened(&letter.error, 100)),
    ))?;
    Ok(())
}

fn print_all(letter: &DeadLetter) -> anyhow::Result<()> {
    let fields = letter.fields.iter().map(|(field, value)| (&field[..], &value[..]));
    for (name, value) in [
        ("dead letter", letter.dead_id.to_string()),
        ("stream", text::printable(&letter.stream)),
        ("entry", letter.id.to_string()),
        ("group", text::printable(&letter.group)),
        ("consumer", text::printable(&letter.consumer)),
        ("deliveries", text::count(letter.deliveries)),
        ("first", text::utc(letter.first)),
        ("last", text::utc(letter.last)),
        ("error", letter.error.clone()),
        ("fields", entry::fields_as_line(fields)),
    ] {
        output::line(format!("{:>12}  {value}", output::styled(DIM, name)))?;
    }
    Ok(())
}

fn as_json(letter: &DeadLetter) -> Value {
    let fields = letter.fields.iter().map(|(field, value)| (&field[..], &value[..]));
    let mut object = Map::new();
    object.insert("dead_id".to_owned(), json!(letter.dead_id.to_string()));
    entry::put(&mut object, "stream", &letter.stream);
    object.insert("id".to_owned(), json!(letter.id.to_string()));
    entry::put(&mut object, "group", &letter.group);
    entry::put(&mut object, "consumer", &letter.consumer);
    object.insert("deliveries".to_owned(), json!(letter.deliveries));
    object.insert("first".to_owned(), json!(text::utc(letter.first)));
    object.insert("last".to_owned(), json!(text::utc(letter.last)));
    object.insert("error".to_owned(), json!(letter.error));
    object.insert("fields".to_owned(), entry::fields_as_json(fields));
    Value::Object(object)
}
