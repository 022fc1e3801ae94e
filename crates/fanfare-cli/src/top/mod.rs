//! `fanfare top`: a broker, live.

mod app;
mod table;
mod view;

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use fanfare::monitor::RunningMonitor;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use self::app::{App, Flow, Tab};
use crate::cli;
use crate::exit::Exit;
use crate::output;
use crate::watched::Watched;

/// Watch a broker: nodes, channels, streams, groups, queues and alerts, live and sortable
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare top redis://127.0.0.1:6379
  fanfare top --listen 'orders.*' --interval 0.5
  fanfare top --url redis+cluster://a,b,c --once
  fanfare top --json | jq .nodes

Keys:
  tab, 1 to 5    nodes, channels, streams, groups, queues
  s, S           sort by the next column, by the one before
  r              the other way round
  up, down       move; page up and down, home and end too
  p              pause
  q, Ctrl-C      end")]
pub(crate) struct Top {
    #[command(flatten)]
    watched: Watched,
    /// Seconds between two looks
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = cli::seconds)]
    interval: Duration,
    /// Look twice, print it and end; also if standard output is no terminal
    #[arg(long)]
    once: bool,
    /// Print each look as one JSON object on a line
    #[arg(long)]
    json: bool,
}

/// Keys that may wait.
const KEYS_MAX: usize = 64;

impl Top {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        if self.json && !self.once {
            cli::until_interrupted(self.print_looks())
        } else if self.once || !std::io::stdout().is_terminal() {
            cli::until_interrupted(self.print_once())
        } else {
            cli::block_on(1, self.watch())
        }
    }

    /// Over ten looks, so that the numbers do not jump.
    async fn start(&self) -> anyhow::Result<RunningMonitor> {
        let monitor = self.watched.monitor().await?;
        Ok(monitor.every(self.interval).window(self.interval * 10).start()?)
    }

    async fn print_looks(&self) -> anyhow::Result<Exit> {
        let mut monitor = self.start().await?;
        while let Some(snapshot) = monitor.next().await {
            output::json(&json!(*snapshot))?;
        }
        Ok(Exit::Failed)
    }

    async fn print_once(&self) -> anyhow::Result<Exit> {
        let snapshot = self.watched.monitor().await?.look(self.interval).await?;
        if self.json {
            output::json(&json!(snapshot))?;
            return Ok(Exit::Done);
        }
        for tab in Tab::ALL {
            let table = table::table(tab, &snapshot);
            output::line(output::styled(output::BOLD, tab.name()))?;
            for line in table.as_lines() {
                output::line(format!("  {line}"))?;
            }
        }
        for alert in &snapshot.alerts {
            output::line(crate::text::printable(format!("{alert}: {}", alert.cure).as_bytes()))?;
        }
        Ok(Exit::Done)
    }

    async fn watch(&self) -> anyhow::Result<Exit> {
        let monitor = self.start().await?;
        let mut app = App::new(self.watched.shown());
        // From here on a panic restores the terminal, too.
        let mut terminal = ratatui::try_init().context("failed to take over the terminal")?;
        let watched = watch(&mut terminal, &mut app, monitor).await;
        ratatui::restore();
        watched
    }
}

async fn watch(
    terminal: &mut DefaultTerminal,
    app: &mut App,
    mut monitor: RunningMonitor,
) -> anyhow::Result<Exit> {
    let has_colours = output::stdout_has_colours();
    let mut keys = keys();
    let interrupted = cli::interrupted();
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::pin!(interrupted);
    loop {
        terminal.draw(|frame| view::draw(frame, app, has_colours))?;
        tokio::select! {
            snapshot = monitor.next() => match snapshot {
                Some(snapshot) => app.take_in(snapshot),
                None => return Ok(Exit::Failed),
            },
            event = keys.recv() => match event {
                Some(Event::Key(key)) => match app.key(key) {
                    Flow::GoOn => {}
                    Flow::End => return Ok(Exit::Done),
                    Flow::Interrupted => return Ok(Exit::Interrupted),
                },
                // Another size: it is drawn again.
                Some(_) => {}
                None => return Ok(Exit::Failed),
            },
            () = &mut interrupted => return Ok(Exit::Interrupted),
            _ = terminated.recv() => return Ok(Exit::Done),
        }
    }
}

/// What is typed. The thread ends with the program: nothing wakes it from its read.
fn keys() -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(KEYS_MAX);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                return;
            }
        }
    });
    receiver
}
