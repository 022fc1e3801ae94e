//! What `top` and `check` look at: the server, its streams and channels, how long and how often.

use std::time::Duration;

use clap::Args;
use fanfare::Fanfare;
use fanfare::monitor::BrokerMonitor;

use crate::cli::{self, Server};

/// Which broker, and what of it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Watched {
    /// The server; the same as --url
    #[arg(value_name = "URL")]
    at: Option<String>,
    #[command(flatten)]
    server: Server,
    /// Look at this stream, whether it exists or not; may be repeated
    #[arg(long, value_name = "KEY")]
    stream: Vec<String>,
    /// Find streams by this glob pattern; '' finds none
    #[arg(long, value_name = "PATTERN", default_value = "*")]
    find: String,
    /// Listen to channels by this glob pattern, and count what is published; may be repeated
    #[arg(long, value_name = "PATTERN")]
    listen: Vec<String>,
    /// Seconds that a look may take
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = cli::seconds)]
    deadline: Duration,
}

impl Watched {
    /// The monitor. A server that can not be reached is a thing to tell, so nobody waits for it
    /// here.
    pub(crate) async fn monitor(&self) -> anyhow::Result<BrokerMonitor> {
        let named = Fanfare::builder(self.url())
            .options(|it| it.client_name("fanfare-cli").connect_timeout(self.deadline));
        let fanfare = named.connect_lazy().await?;
        let mut monitor = fanfare.broker_monitor().deadline(self.deadline).streams(&self.stream);
        if !self.find.is_empty() {
            monitor = monitor.find_streams(&self.find);
        }
        Ok(monitor.listen(&self.listen))
    }

    fn url(&self) -> &str {
        self.at.as_ref().unwrap_or(&self.server.url)
    }

    /// The URL for people: without the password.
    pub(crate) fn shown(&self) -> String {
        Server { url: self.url().to_owned() }.shown()
    }
}
