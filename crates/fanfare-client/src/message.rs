//! What a subscription delivers: messages, and the gaps between them.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use crate::{Error, ErrorKind, Kind};

/// A published message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Through what kind of subscription it came.
    pub kind: Kind,
    /// The channel it was published on.
    pub channel: Bytes,
    /// The pattern that matched, if it came through one.
    pub pattern: Option<Bytes>,
    /// What was published. Shared by all subscriptions that got it.
    pub payload: Bytes,
    /// When this program read it from the socket.
    pub received_at: SystemTime,
}

impl Message {
    /// A message through no pattern, as a test of a handler may want it.
    pub fn new(kind: Kind, channel: Bytes, payload: Bytes, received_at: SystemTime) -> Self {
        Self { kind, channel, pattern: None, payload, received_at }
    }

    /// The channel's name as text; bytes that are not UTF-8 are replaced.
    pub fn channel_name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.channel)
    }

    /// The payload as text.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is not UTF-8. The subscription goes on.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.payload).map_err(|source| self.undecodable("UTF-8 text", source))
    }

    /// The payload as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is not JSON or not a `T`. The subscription goes on.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.payload)
            .map_err(|source| self.undecodable("the expected JSON", source))
    }

    fn undecodable(
        &self,
        what: &str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Error {
        let channel = self.channel_name();
        let message = format!("a message on {channel:?} is not {what}");
        Error::new(ErrorKind::Decode, message).with_source(source)
    }

    /// What it counts in a queue: its bytes, and 128 for itself.
    pub(crate) fn cost(&self) -> usize {
        128 + self.channel.len() + self.payload.len()
    }
}

/// A place in the stream where messages are missing, or may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Messages that arrived here and were dropped because the queue was full. Exact.
    pub n_dropped: u64,
    /// Set if the connection was lost here: messages published meanwhile are gone, and nobody can
    /// tell how many.
    pub outage: Option<Outage>,
}

impl Gap {
    pub(crate) fn dropped(n_dropped: u64) -> Self {
        Self { n_dropped, outage: None }
    }

    /// Makes one of this gap and `later`, which follows it.
    pub fn merge(&mut self, later: Self) {
        self.n_dropped += later.n_dropped;
        self.outage = match (self.outage.take(), later.outage) {
            (Some(first), Some(second)) => Some(Outage {
                since: first.since,
                lasted: first.until_end_of(&second),
                n_disconnects: first.n_disconnects + second.n_disconnects,
            }),
            (first, second) => first.or(second),
        };
    }
}

/// A time without a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outage {
    /// When the lost connection last delivered anything.
    pub since: SystemTime,
    /// From then until the next connection was ready to subscribe again; of several outages
    /// without a message in between, the last such moment.
    pub lasted: Duration,
    /// How many connections were lost in this gap.
    pub n_disconnects: u32,
}

impl Outage {
    /// From the start of this outage to the end of a later one, which may overlap it.
    fn until_end_of(&self, later: &Self) -> Duration {
        let end = later.since.checked_add(later.lasted);
        let lasted = end.and_then(|end| end.duration_since(self.since).ok());
        // The wall clock was set back: at least so long.
        lasted.unwrap_or_default().max(self.lasted).max(later.lasted)
    }

    pub(crate) fn new(since: SystemTime, lasted: Duration) -> Self {
        Self { since, lasted, n_disconnects: 1 }
    }
}

/// One item of a subscription's full stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A message.
    Message(Message),
    /// Messages are missing here, or may be.
    Gap(Gap),
}

/// The counts of one subscription.
///
/// `received = delivered + dropped + queued_messages`, always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriptionStats {
    /// Messages that arrived from the server.
    pub received: u64,
    /// Messages handed to the program.
    pub delivered: u64,
    /// Messages dropped because the queue was full.
    pub dropped: u64,
    /// Places in the stream where messages are or may be missing.
    pub gaps: u64,
    /// How often the subscription was restored after its connection was lost.
    pub reconnects: u64,
    /// Messages waiting in the queue.
    pub queued_messages: usize,
    /// Bytes waiting in the queue, counted as [`Queue`](crate::Queue) says.
    pub queued_bytes: usize,
    /// Whether the connection is there and everything is subscribed.
    pub is_up: bool,
    /// Whether reading is held back because the queue is full ([`Overflow::Block`]).
    ///
    /// [`Overflow::Block`]: crate::Overflow::Block
    pub is_held_back: bool,
    /// Time since anything, a message or a heartbeat, was last read from the server. This is what
    /// health means: on a quiet channel it stays below the heartbeat's interval plus deadline.
    pub last_read_age: Duration,
}
