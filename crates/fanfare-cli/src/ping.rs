//! `fanfare ping`: is it there, and how far away?

use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::cli::{self, Server};
use crate::exit::Exit;
use crate::latency::Latencies;
use crate::output;
use crate::text;

/// Ask a server for a sign of life
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare ping
  fanfare ping --count 10 --interval 0.2
  fanfare ping --url redis://:secret@db.example:6379 --json")]
pub(crate) struct Ping {
    #[command(flatten)]
    server: Server,
    /// How often to ask
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Seconds between two questions
    #[arg(short, long, default_value = "1", value_name = "SECONDS", value_parser = cli::seconds)]
    interval: Duration,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

impl Ping {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        cli::until_interrupted(self.ask())
    }

    async fn ask(&self) -> anyhow::Result<Exit> {
        let fanfare = self.server.connect().await?;
        let mut latencies = Latencies::new();
        for n in 1..=self.count {
            if n != 1 {
                tokio::time::sleep(self.interval).await;
            }
            let took = fanfare.ping().await?;
            latencies.record(took);
            if self.json {
                output::json(&json!({ "type": "pong", "n": n, "us": took.as_secs_f64() * 1e6 }))?;
            } else {
                let from = self.server.shown();
                output::line(format!("PONG from {from} in {}", text::duration(took)))?;
            }
        }
        if self.json {
            output::json(&json!({ "type": "summary", "latency": latencies.json() }))?;
        } else if 1 < self.count {
            output::line(latencies.shown())?;
        }
        Ok(Exit::Done)
    }
}
