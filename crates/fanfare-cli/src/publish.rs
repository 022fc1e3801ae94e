//! `fanfare pub`: publish one message, many, a file, or the lines of standard input.

use std::fs;
use std::io::{self, BufRead as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use fanfare::Fanfare;
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::mpsc;

use crate::cli::{self, Server};
use crate::exit::Exit;
use crate::failure::{hinted, usage};
use crate::output::{self, NAME};
use crate::pace::{self, Pace};
use crate::text;

/// Publish messages to a channel
#[derive(Args, Debug)]
#[command(
    visible_alias = "publish",
    after_help = "\
Examples:
  fanfare pub news 'hello'                       one message
  fanfare pub ticks 'tick' --count 100 --rate 10 a hundred, ten a second
  tail -f app.log | fanfare pub logs -           each line of standard input
  fanfare pub images --file cat.png              the contents of a file
  fanfare pub news hello --json                  how many received it, for programs"
)]
pub(crate) struct Publish {
    /// The channel
    channel: String,
    /// The message; - publishes each line of standard input as it comes
    #[arg(required_unless_present = "file", conflicts_with = "file", allow_hyphen_values = true)]
    message: Option<String>,
    /// Publish the contents of this file as one message
    #[arg(short, long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Publish the message so many times
    #[arg(short = 'n', long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// At most so many messages a second; as fast as possible without
    #[arg(short, long, value_name = "N", value_parser = pace::rate)]
    rate: Option<f64>,
    /// Publish to a sharded channel (SPUBLISH)
    #[arg(short, long)]
    shard: bool,
    /// Print JSON: an object for each message and a summary, one a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// Messages that are sent together.
const CHUNK_MAX: usize = 512;
/// How much of a missed schedule is made up for.
const CATCH_UP_MAX: Duration = Duration::from_millis(20);

type Payload = Arc<[u8]>;

impl Publish {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        cli::block_on(1, async {
            let source = self.source()?;
            let fanfare = self.server.connect().await?;
            let mut tally = Tally::default();
            let exit = tokio::select! {
                result = self.publish_all(&fanfare, source, &mut tally) => result.map(|()| Exit::Done),
                () = cli::interrupted() => Ok(Exit::Interrupted),
            }?;
            self.conclude(tally, exit)
        })
    }

    fn source(&self) -> anyhow::Result<Source> {
        let payload: Payload = match (&self.file, self.message.as_deref()) {
            (Some(path), _) => {
                let read =
                    fs::read(path).with_context(|| format!("failed to read {}", path.display()));
                read.map_err(|error| hinted(error, "--file takes the path of a readable file"))?
                    .into()
            }
            (None, Some("-")) if self.count != 1 => {
                let hint = "leave --count out, or give a message";
                return Err(usage("--count can not repeat standard input", hint));
            }
            (None, Some("-")) => return Ok(Source::lines()),
            (None, message) => message.unwrap_or_default().as_bytes().into(),
        };
        Ok(Source::Repeated { payload, n_left: self.count })
    }

    async fn publish_all(
        &self,
        fanfare: &Fanfare,
        mut source: Source,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let mut pace = Pace::new(self.rate, CATCH_UP_MAX);
        loop {
            let n_due = pace.due(CHUNK_MAX).await;
            let chunk = source.next(n_due).await?;
            if chunk.is_empty() {
                return Ok(());
            }
            pace.take(chunk.len());
            for outcome in self.publish(fanfare, chunk).await {
                self.tell(tally, &outcome)?;
                tally.add(outcome);
            }
        }
    }

    async fn publish(
        &self,
        fanfare: &Fanfare,
        chunk: Vec<Payload>,
    ) -> Vec<Result<u64, fanfare::Error>> {
        let channel = self.channel.as_str();
        if self.shard {
            join_all(chunk.iter().map(|payload| fanfare.spublish(channel, payload))).await
        } else {
            fanfare.publish_batch(chunk.iter().map(|payload| (channel, payload))).await
        }
    }

    fn tell(&self, tally: &Tally, outcome: &Result<u64, fanfare::Error>) -> io::Result<()> {
        if !self.json {
            return Ok(());
        }
        let n = tally.n_published + tally.n_failed + 1;
        output::json(&match outcome {
            Ok(receivers) => json!({
                "type": "published", "n": n, "channel": self.channel, "receivers": receivers,
            }),
            Err(error) => json!({
                "type": "failed", "n": n, "channel": self.channel, "error": error.to_string(),
                "code": error.code(), "may_have_been_delivered": error.may_have_been_delivered(),
            }),
        })
    }

    fn conclude(&self, tally: Tally, exit: Exit) -> anyhow::Result<Exit> {
        let Tally { n_published, n_receivers, n_failed, started, first_error } = tally;
        let elapsed = started.elapsed();
        if self.json {
            output::json(&json!({
                "type": "summary", "channel": self.channel, "published": n_published,
                "receivers": n_receivers, "failed": n_failed, "seconds": elapsed.as_secs_f64(),
            }))?;
        } else if n_published != 0 || n_failed == 0 {
            let messages = text::counted(n_published, "message");
            let channel = output::styled(NAME, text::printable(self.channel.as_bytes()));
            let rate = match n_published {
                0 | 1 => String::new(),
                n => {
                    let per_second = text::count(text::per_second(n, elapsed));
                    format!(" in {}, {per_second}/s", text::duration(elapsed))
                }
            };
            let receivers = text::counted(n_receivers, "receiver");
            output::line(format!("published {messages} to {channel}: {receivers}{rate}"))?;
        }
        match first_error {
            None => Ok(exit),
            Some(error) if n_failed == 1 && n_published == 0 => Err(error.into()),
            Some(error) => {
                let messages = text::counted(n_failed, "message");
                Err(anyhow::Error::from(error).context(format!("failed to publish {messages}")))
            }
        }
    }
}

#[derive(Debug)]
struct Tally {
    n_published: u64,
    n_receivers: u64,
    n_failed: u64,
    started: Instant,
    first_error: Option<fanfare::Error>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            n_published: 0,
            n_receivers: 0,
            n_failed: 0,
            started: Instant::now(),
            first_error: None,
        }
    }
}

impl Tally {
    fn add(&mut self, outcome: Result<u64, fanfare::Error>) {
        match outcome {
            Ok(n_receivers) => {
                self.n_published += 1;
                self.n_receivers += n_receivers;
            }
            Err(error) => {
                self.n_failed += 1;
                self.first_error.get_or_insert(error);
            }
        }
    }
}

/// Where the messages come from.
#[derive(Debug)]
enum Source {
    Repeated { payload: Payload, n_left: u64 },
    Lines(mpsc::Receiver<io::Result<Payload>>),
}

impl Source {
    /// Reads standard input on a thread of its own, which ends with the process.
    fn lines() -> Self {
        let (sender, lines) = mpsc::channel(CHUNK_MAX);
        std::thread::spawn(move || {
            for line in io::stdin().lock().split(b'\n') {
                let line = line.map(|mut it| {
                    if it.last() == Some(&b'\r') {
                        it.pop();
                    }
                    Payload::from(it)
                });
                if sender.blocking_send(line).is_err() {
                    break;
                }
            }
        });
        Self::Lines(lines)
    }

    /// At least one message and at most `n_max`; none at the end.
    async fn next(&mut self, n_max: usize) -> anyhow::Result<Vec<Payload>> {
        match self {
            Self::Repeated { payload, n_left } => {
                let n = n_max.min(usize::try_from(*n_left).unwrap_or(n_max));
                *n_left -= n as u64;
                Ok(vec![payload.clone(); n])
            }
            Self::Lines(lines) => {
                let mut chunk = Vec::new();
                lines.recv_many(&mut chunk, n_max).await;
                let chunk: io::Result<Vec<Payload>> = chunk.into_iter().collect();
                chunk.context("failed to read standard input")
            }
        }
    }
}
