//! The arguments and the course of the demo.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio::sync::watch;

use super::stage::{Act, Heard, Stage, listen, publish};
use super::summary::Summary;
use super::view::View;
use crate::cli;
use crate::exit::Exit;
use crate::failure::hinted;
use crate::pace;

/// Watch a broker at work: embedded, with publishers and subscribers
///
/// Needs nothing but this program: the broker listens on a free port. Four channels are published
/// to; the subscribers share them, and one more subscribes to the pattern `orders.*`. At the end
/// everything is counted: published × matching subscriptions must be what was delivered.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare demo
  fanfare demo --seconds 3 --rate 20000 --subscribers 50
  fanfare demo --seconds 1 --json

Exit code 1: it does not add up.")]
pub(crate) struct Demo {
    /// How long to publish
    #[arg(short, long, default_value = "8", value_name = "SECONDS", value_parser = cli::seconds)]
    seconds: Duration,
    /// Publishers, each on a connection of its own
    #[arg(short, long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    publishers: u16,
    /// Channel subscribers, each on a connection of its own, beside the pattern subscriber
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=5000))]
    subscribers: u16,
    /// Messages published a second, by all publishers together
    #[arg(short, long, default_value = "2000", value_name = "N", value_parser = pace::rate)]
    rate: f64,
    /// Print only the summary, as one JSON object
    #[arg(long)]
    json: bool,
}

/// The broker inside this program.
const BROKER: &str = "embedded:demo";
/// Deliveries that do not come for so long are lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a delivery too many is waited for.
const AFTERMATH: Duration = Duration::from_millis(100);

impl Demo {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        cli::block_on(cli::n_cores(), self.play())
    }

    async fn play(self) -> anyhow::Result<Exit> {
        let stage = Arc::new(Stage::new(self.subscribers, self.publishers));
        let (act, acts) = watch::channel(Act::Publish);
        let hall = cli::connect(BROKER).await.context("failed to start the broker")?;
        let mut listeners = Vec::new();
        for seat in stage.seats() {
            let subscription = seat.subscribe(&hall).await?;
            listeners.push(tokio::spawn(listen(stage.clone(), subscription, acts.clone())));
        }
        let started = Instant::now();
        let mut publishers = Vec::new();
        for idx in 0..self.publishers {
            let fanfare = cli::connect(BROKER).await?;
            let rate = self.rate / f64::from(self.publishers);
            publishers.push(tokio::spawn(publish(stage.clone(), idx, rate, fanfare, acts.clone())));
        }
        let interrupted = cli::interrupted();
        let mut view = (!self.json).then(|| View::open(&stage, self.seconds));
        let was_interrupted = self.watch(&stage, view.as_mut(), interrupted).await?;
        let published_for = started.elapsed();
        act.send_replace(Act::Listen);
        for publisher in publishers {
            publisher.await.context("a publisher failed")??;
        }
        await_deliveries(&stage).await;
        act.send_replace(Act::End);
        let mut heard = Heard::new(self.publishers);
        for listener in listeners {
            heard.add(&listener.await.context("a subscriber failed")?);
        }
        hall.close().await;
        if let Some(view) = view {
            view.close();
        }
        let summary = Summary::new(&stage, &heard, published_for);
        summary.print(self.json)?;
        if !summary.adds_up() {
            let error = anyhow!("the demo does not add up: {}", summary.what_is_wrong());
            return Err(hinted(
                error,
                "this is a bug of Fanfare: please report it with this output",
            ));
        }
        Ok(if was_interrupted { Exit::Interrupted } else { Exit::Done })
    }

    /// Shows what happens until the time is over; tells whether Ctrl-C ended it.
    async fn watch(
        &self,
        stage: &Stage,
        mut view: Option<&mut View>,
        interrupted: impl Future<Output = ()>,
    ) -> anyhow::Result<bool> {
        let over = tokio::time::sleep(self.seconds);
        tokio::pin!(over, interrupted);
        let every = view.as_ref().map_or(PATIENCE, |it| it.redraw_every());
        let mut tick = tokio::time::interval(every);
        loop {
            tokio::select! {
                () = &mut over => return Ok(false),
                () = &mut interrupted => return Ok(true),
                _ = tick.tick() => {
                    if let Some(view) = &mut view {
                        view.draw(stage)?;
                    }
                }
            }
        }
    }
}

/// Waits until everything has come, or nothing has for a while.
async fn await_deliveries(stage: &Stage) {
    let (mut n_before, mut since) = (0, Instant::now());
    loop {
        let n = stage.n_delivered();
        if stage.n_expected() <= n {
            return tokio::time::sleep(AFTERMATH).await;
        }
        if n != n_before {
            (n_before, since) = (n, Instant::now());
        }
        if PATIENCE < since.elapsed() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
