//! `fanfare bench pubsub`: fan-out, with latencies.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::Args;
use fanfare::{Fanfare, Overflow, Subscription};
use futures_util::{StreamExt as _, TryStreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::load::{HEADER_BYTES, Load, Measured, Plan, Published, listen, publish};
use crate::cli;
use crate::exit::Exit;
use crate::failure::hinted;
use crate::output::{self, BOLD};
use crate::pace;
use crate::text;

/// Measure fan-out: publishers to subscribers of one channel
///
/// Each publisher keeps `--depth` messages in flight; a message is in flight until every
/// subscriber has it. With `--rate`, latency counts from when a message should have been sent.
/// The load generator shares the machine with the server, and is itself a part of the latency.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare bench pubsub                                     its own embedded broker
  fanfare bench pubsub --url redis://127.0.0.1:6379        a running server
  fanfare bench pubsub --subscribers 100 --depth 64        throughput
  fanfare bench pubsub --rate 1000 --seconds 30            latency at a fixed rate
  fanfare bench pubsub --messages 100000 --json

Exit code 1: deliveries were lost.")]
pub(crate) struct PubSub {
    /// Subscribers, each on a connection of its own
    #[arg(short, long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    subscribers: u16,
    /// Publishers, each on a connection of its own
    #[arg(short, long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    publishers: u16,
    /// Messages in flight for each publisher
    #[arg(short, long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    depth: u64,
    /// Bytes of a message, at least 10
    #[arg(long, default_value_t = 64, value_name = "BYTES", value_parser = payload_bytes)]
    payload: usize,
    /// Messages published a second by all publishers together, or max: as fast as possible
    #[arg(short, long, default_value = "max", value_name = "N|max", value_parser = rate_or_max)]
    rate: Rate,
    /// How long to publish
    #[arg(short = 't', long, default_value = "5", value_name = "SECONDS", value_parser = cli::seconds)]
    seconds: Duration,
    /// Publish so many messages, however long it takes
    #[arg(short = 'n', long, conflicts_with = "seconds", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,
    /// The server; without it an embedded broker on a free port
    #[arg(short, long, default_value = "embedded:bench", hide_default_value = true)]
    url: String,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// Messages a second; none: as fast as possible.
#[derive(Clone, Copy, Debug)]
struct Rate(Option<f64>);

fn rate_or_max(text: &str) -> Result<Rate, String> {
    if text == "max" { Ok(Rate(None)) } else { pace::rate(text).map(|it| Rate(Some(it))) }
}

fn payload_bytes(text: &str) -> Result<usize, String> {
    const MAX: usize = 64 * 1024 * 1024;
    let bytes = text.parse().ok().filter(|it| (HEADER_BYTES..=MAX).contains(it));
    bytes.ok_or_else(|| format!("a number of bytes from {HEADER_BYTES} to {MAX}"))
}

/// Deliveries that do not come for so long after the end are lost.
const PATIENCE: Duration = Duration::from_secs(3);

impl PubSub {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        cli::block_on(cli::n_cores(), self.measure())
    }

    async fn measure(self) -> anyhow::Result<Exit> {
        let load = Arc::new(Load::new(self.plan(), self.publishers, self.messages));
        let (end, ended) = watch::channel(false);
        let hall = cli::connect(&self.url).await?;
        let listeners = self.seat_listeners(&hall, &load, &ended).await?;
        let fanfares = self.connect_publishers().await?;
        let started = Instant::now();
        let publishers: Vec<_> = (0..self.publishers)
            .zip(fanfares)
            .map(|(idx, fanfare)| tokio::spawn(publish(load.clone(), idx, fanfare)))
            .collect();
        let (was_interrupted, stalled) = self.watch(&load, publishers).await?;
        let at_last = await_deliveries(&load).await;
        let lasted = at_last.saturating_duration_since(started);
        end.send_replace(true);
        let mut measured = Measured::new();
        for listener in listeners {
            measured.add(&listener.await.context("a subscriber failed")?);
        }
        hall.close().await;
        self.report(&load, &measured, lasted)?;
        let n_lost = load.n_receivers().saturating_sub(load.n_delivered());
        if n_lost != 0 || stalled {
            let lost = text::counted(n_lost, "deliver").replace("delivers", "deliveries");
            let error = anyhow!("lost {} of {lost}", text::count(load.n_receivers()));
            let hint = "the server may have cut slow subscribers: see its log and \
                        client-output-buffer-limit, or lower --rate, --depth or --subscribers";
            return Err(hinted(error, hint));
        }
        Ok(if was_interrupted { Exit::Interrupted } else { Exit::Done })
    }

    fn plan(&self) -> Plan {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let unique = now.unwrap_or_default().as_nanos();
        Plan {
            channel: format!("fanfare-bench:{}:{unique:x}", std::process::id()),
            n_subscribers: u64::from(self.subscribers),
            depth: self.depth,
            payload_bytes: self.payload,
            rate: self.rate.0.map(|it| it / f64::from(self.publishers)),
        }
    }

    async fn seat_listeners(
        &self,
        hall: &Fanfare,
        load: &Arc<Load>,
        ended: &watch::Receiver<bool>,
    ) -> anyhow::Result<Vec<JoinHandle<Measured>>> {
        let channel = load.plan.channel.as_str();
        // A queue that blocks gets a connection of its own.
        let one = |_| async move {
            let subscriber = hall.subscriber().channels([channel]);
            subscriber.queue(Overflow::Block, 131_072, 64 * 1024 * 1024).connect().await
        };
        let seats: Vec<Subscription> = futures_util::stream::iter(0..self.subscribers)
            .map(one)
            .buffered(32)
            .try_collect()
            .await
            .context("failed to subscribe")?;
        Ok(seats
            .into_iter()
            .map(|seat| tokio::spawn(listen(load.clone(), seat, ended.clone())))
            .collect())
    }

    async fn connect_publishers(&self) -> anyhow::Result<Vec<Fanfare>> {
        let mut fanfares = Vec::new();
        for _ in 0..self.publishers {
            fanfares.push(cli::connect(&self.url).await?);
        }
        Ok(fanfares)
    }

    /// Shows the progress until all publishers have ended; tells whether Ctrl-C did it and whether
    /// one of them stalled.
    async fn watch(
        &self,
        load: &Load,
        publishers: Vec<JoinHandle<Result<Published, fanfare::Error>>>,
    ) -> anyhow::Result<(bool, bool)> {
        let bar = self.progress_bar();
        let started = Instant::now();
        let mut was_interrupted = false;
        let all = futures_util::future::try_join_all(publishers);
        let interrupted = cli::interrupted();
        tokio::pin!(all, interrupted);
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        let published = loop {
            tokio::select! {
                published = &mut all => break published.context("a publisher failed")?,
                () = &mut interrupted, if !was_interrupted => {
                    was_interrupted = true;
                    load.end();
                }
                _ = tick.tick() => {
                    if self.messages.is_none() && self.seconds <= started.elapsed() {
                        load.end();
                    }
                    self.show(&bar, load, started.elapsed());
                }
            }
        };
        bar.finish_and_clear();
        let published: Result<Vec<Published>, fanfare::Error> = published.into_iter().collect();
        Ok((was_interrupted, published?.contains(&Published::Stalled)))
    }

    fn progress_bar(&self) -> ProgressBar {
        if self.json || !output::is_watched() {
            return ProgressBar::hidden();
        }
        let len = self.messages.unwrap_or_else(|| millis(self.seconds));
        let bar = ProgressBar::new(len);
        let style = ProgressStyle::with_template("{bar:40} {percent:>3}%  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    }

    fn show(&self, bar: &ProgressBar, load: &Load, elapsed: Duration) {
        bar.set_position(match self.messages {
            Some(_) => load.n_published(),
            None => millis(elapsed),
        });
        let rate = text::per_second(load.n_delivered(), elapsed);
        bar.set_message(format!("{} deliveries/s", text::count(rate)));
    }

    fn report(&self, load: &Load, measured: &Measured, lasted: Duration) -> io::Result<()> {
        let (n_published, n_delivered) = (load.n_published(), load.n_delivered());
        let n_receivers = load.n_receivers();
        let n_lost = n_receivers.saturating_sub(n_delivered);
        let published_per_second = text::per_second(n_published, lasted);
        let delivered_per_second = text::per_second(n_delivered, lasted);
        if self.json {
            return output::json(&json!({
                "subscribers": self.subscribers, "publishers": self.publishers,
                "depth": self.depth, "payload_bytes": self.payload, "rate": self.rate.0,
                "published": n_published, "receivers": n_receivers, "delivered": n_delivered,
                "lost": n_lost, "gaps": measured.n_gaps, "seconds": lasted.as_secs_f64(),
                "published_per_second": published_per_second,
                "delivered_per_second": delivered_per_second,
                "latency": measured.latencies.json(),
            }));
        }
        let counts = [
            text::counted(u64::from(self.publishers), "publisher"),
            text::counted(u64::from(self.subscribers), "subscriber"),
            format!("{} in flight", text::count(self.depth)),
            text::counted(self.payload as u64, "byte"),
        ];
        let at = match self.rate.0 {
            Some(rate) => format!("{rate} messages/s"),
            None => "as fast as possible".to_owned(),
        };
        output::line(format!("{}, {at}", counts.join(", ")))?;
        let rate = text::count(delivered_per_second);
        output::line(output::styled(BOLD, format!("{rate} deliveries/s")))?;
        output::line(format!(
            "published  {} in {} ({}/s)",
            text::count(n_published),
            text::duration(lasted),
            text::count(published_per_second)
        ))?;
        output::line(format!(
            "delivered  {}, lost {}",
            text::count(n_delivered),
            text::count(n_lost)
        ))?;
        output::line(format!("latency    {}", measured.latencies.shown()))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Waits until everything has come, or nothing has for a while; returns when the last one came.
async fn await_deliveries(load: &Load) -> Instant {
    let (mut n_before, mut since) = (load.n_delivered(), Instant::now());
    while load.n_delivered() < load.n_receivers() && since.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let n = load.n_delivered();
        if n != n_before {
            (n_before, since) = (n, Instant::now());
        }
    }
    since
}
