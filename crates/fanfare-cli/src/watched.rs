//! What `top` and `check` look at: the server, its streams, queues and channels, and how much of them.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use fanfare::Fanfare;
use fanfare::monitor::BrokerMonitor;

use crate::cli::{self, CLIENT_NAME, Server};

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
    /// Look at this queue of tasks, whether it exists or not; may be repeated
    #[arg(long, value_name = "NAME")]
    queue: Vec<String>,
    /// Find streams and queues by this glob pattern; '' finds none
    #[arg(long, value_name = "PATTERN", default_value = "*")]
    find: String,
    /// The dead letters of this group are in the stream KEY, as its workers were told; may be repeated
    #[arg(long, value_name = "STREAM/GROUP=KEY")]
    dead: Vec<Dead>,
    /// Listen to channels by this glob pattern, and count what is published; may be repeated
    #[arg(long, value_name = "PATTERN")]
    listen: Vec<String>,
    /// Listen to this sharded channel; may be repeated
    #[arg(long, value_name = "NAME")]
    listen_sharded: Vec<String>,
    /// Look at so many streams at most; that there are more is a warning
    #[arg(long, value_name = "N", default_value_t = 100)]
    streams_max: usize,
    /// Look at so many groups of each stream at most; that there are more is a warning
    #[arg(long, value_name = "N", default_value_t = 32)]
    groups_max: usize,
    /// Look at so many queues at most; that there are more is a warning
    #[arg(long, value_name = "N", default_value_t = 100)]
    queues_max: usize,
    /// List so many channels at most; the others are counted together
    #[arg(long, value_name = "N", default_value_t = 100)]
    channels_max: usize,
    /// Seconds that a look may take
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = cli::seconds)]
    deadline: Duration,
}

/// `orders/billing=given-up`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Dead {
    stream: String,
    group: String,
    key: String,
}

impl FromStr for Dead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = || {
            let (group, key) = text.rsplit_once('=')?;
            let (stream, group) = group.rsplit_once('/')?;
            Some([stream, group, key]).filter(|it| it.iter().all(|it| !it.is_empty()))
        };
        let wrong = "write STREAM/GROUP=KEY, such as orders/billing=given-up";
        let [stream, group, key] = parts().ok_or(wrong)?.map(str::to_owned);
        Ok(Self { stream, group, key })
    }
}

impl Watched {
    /// The monitor. A server that can not be reached is a thing to tell, so nobody waits for it
    /// here.
    pub(crate) async fn monitor(&self) -> anyhow::Result<BrokerMonitor> {
        let named = Fanfare::builder(self.url()).options(|it| {
            let it = it.client_name(CLIENT_NAME).namespace(&self.server.namespace);
            it.connect_timeout(self.deadline)
        });
        let mut monitor = named.connect_lazy().await?.broker_monitor();
        monitor = monitor.deadline(self.deadline).streams(&self.stream).queues(&self.queue);
        if !self.find.is_empty() {
            monitor = monitor.find_streams(&self.find).find_queues(&self.find);
        }
        for it in &self.dead {
            monitor = monitor.dead_letters_in(&it.stream, &it.group, &it.key);
        }
        monitor = monitor.streams_max(self.streams_max).groups_max(self.groups_max);
        monitor = monitor.queues_max(self.queues_max).channels_max(self.channels_max);
        Ok(monitor.listen(&self.listen).listen_sharded(&self.listen_sharded))
    }

    fn url(&self) -> &str {
        self.at.as_ref().unwrap_or(&self.server.address.url)
    }

    /// The URL for people: without the password.
    pub(crate) fn shown(&self) -> String {
        cli::shown(self.url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_dead_letters_are_is_read_from_the_end() {
        let dead: Dead = "a/b=c/billing=given-up".parse().unwrap();
        let [stream, group, key] = ["a/b=c", "billing", "given-up"].map(str::to_owned);
        assert_eq!(dead, Dead { stream, group, key });
        for wrong in
            ["", "orders", "orders/billing", "orders=dead", "/billing=dead", "orders/billing="]
        {
            assert!(
                wrong.parse::<Dead>().is_err_and(|it| it.contains("STREAM/GROUP=KEY")),
                "{wrong}"
            );
        }
    }
}
