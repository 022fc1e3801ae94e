//! What a doctor is asked to look at.

use std::time::Duration;

use bytes::Bytes;
use fanfare_client::Error;

use super::{Diagnosis, examine};

/// Looks for what is wrong with a broker. See [the module](crate::doctor).
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `examine`"]
pub struct Doctor {
    pub(super) url: String,
    pub(super) deadline: Duration,
    pub(super) channels: Vec<String>,
    pub(super) listen: Option<(Duration, Vec<Bytes>)>,
    pub(super) stream_length_max: u64,
    pub(super) idle_max: Duration,
    pub(super) looks_at_host: bool,
}

impl Doctor {
    /// One for this URL: any that [`Fanfare::connect`](crate::Fanfare::connect) takes.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            deadline: Duration::from_secs(10),
            channels: Vec::new(),
            listen: None,
            stream_length_max: 100_000,
            idle_max: Duration::from_secs(600),
            looks_at_host: true,
        }
    }

    /// How long each question may take. Default: 10 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Channels that should have subscribers.
    pub fn channels<C: Into<String>>(mut self, names: impl IntoIterator<Item = C>) -> Self {
        self.channels.extend(names.into_iter().map(Into::into));
        self
    }

    /// Listens for so long to what is published on channels that match these patterns, and looks at
    /// the payloads. At most 10,000 messages on 1,000 channels are looked at. Default: not at all.
    pub fn listen<P: AsRef<[u8]>>(
        mut self,
        time: Duration,
        patterns: impl IntoIterator<Item = P>,
    ) -> Self {
        let patterns = patterns.into_iter().map(|it| Bytes::copy_from_slice(it.as_ref()));
        self.listen = Some((time, patterns.collect()));
        self
    }

    /// A stream that was never trimmed is called unbounded from this length on. Default: 100,000.
    pub fn stream_length_max(mut self, n: u64) -> Self {
        self.stream_length_max = n;
        self
    }

    /// A consumer that asked for nothing for so long is called dead if it has pending entries.
    /// Default: 10 min.
    pub fn idle_max(mut self, time: Duration) -> Self {
        self.idle_max = time;
        self
    }

    /// Whether to look at settings of the operating system (`/proc` and `/sys`) if the broker is on
    /// this machine. Default: yes.
    pub fn looks_at_host(mut self, looks: bool) -> Self {
        self.looks_at_host = looks;
        self
    }

    /// Looks at everything. A broker that can not be reached is no error, but a finding.
    ///
    /// # Errors
    /// The URL can not be understood.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn examine(self) -> Result<Diagnosis, Error> {
        examine::examine(&self).await
    }
}
