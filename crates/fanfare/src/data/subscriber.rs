//! What all subscribers do, wherever their data comes from.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_client::{Error, Outage, Queue};
use futures_util::{FutureExt, future::BoxFuture};
use serde::de::DeserializeOwned;

use super::{Announce, Destination, Record};
use crate::{
    BoxError, Outcome, Overflow,
    blocking::apart,
    stream::{Position, StreamId},
};

/// Receives what is published to a destination, in the background: see
/// [`ChannelSubscriber`](super::ChannelSubscriber), [`StreamSubscriber`](super::StreamSubscriber) and
/// [`KeySubscriber`](super::KeySubscriber) for what each promises.
///
/// Made by [`Fanfare::data_subscriber`](crate::Fanfare::data_subscriber) on a handle, or by
/// [`open_subscriber`](super::open_subscriber) from a whole URL. It does nothing until it is started,
/// and ends when it is dropped. Any number of tasks may receive from it; each record goes to one of
/// them.
///
/// # Nothing ends it
/// A lost connection comes back by itself. A payload that is not JSON is counted, handed to a hook and
/// passed over. A handler that fails or panics is counted. What is lost, or may be, is a
/// [`Missing`](Arrival::Missing) in its place. Only closing the handle ends it, and
/// [`Overflow::Disconnect`] if that is asked for.
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::data::{Arrival, DataSubscriber};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let alerts: Box<dyn DataSubscriber> = fanfare.data_subscriber("redischannel://news")?;
/// alerts.start().await?;
/// assert!(alerts.try_recv()?.is_none());
/// fanfare.publish("news", "this is not JSON").await?;
/// fanfare.publish("news", r#"{"n": 7}"#).await?;
/// match alerts.recv_within(Duration::from_secs(60)).await? {
///     Some(Arrival::Record(received)) => assert_eq!(received.payload, r#"{"n": 7}"#),
///     other => panic!("{other:?}"),
/// }
/// let stats = alerts.stop().await;
/// assert_eq!((stats.received, stats.delivered, stats.undecodable), (2, 1, 1));
/// # Ok(()) }
/// ```
pub trait DataSubscriber: Send + Sync + fmt::Debug {
    /// The name that it was given, for logs.
    fn name(&self) -> &str;

    /// Where its data comes from.
    fn destination(&self) -> &Destination;

    /// Subscribes, and returns after the server has confirmed: what is published from then on arrives.
    /// Does nothing if it runs.
    ///
    /// # Errors
    /// As [`Fanfare::subscribe`](crate::Fanfare::subscribe) or
    /// [`Stream::tail`](crate::stream::Stream::tail), and, if it was opened from a whole URL, as
    /// [`Fanfare::connect`](crate::Fanfare::connect).
    ///
    /// # Cancel safety
    /// Dropping the future takes the subscription back.
    fn start(&self) -> BoxFuture<'_, Result<(), Error>>;

    /// Unsubscribes, waits for the handler that is running, closes the connections if they are its own,
    /// and returns the final counts. Whoever is receiving gets what has arrived, and then the end. A
    /// handler must not wait for it.
    ///
    /// # Cancel safety
    /// Dropping the future leaves it stopping; the next [`start`](Self::start) waits for the end of it.
    fn stop(&self) -> BoxFuture<'_, SubscriberStats>;

    /// Whether it is started and has not ended.
    fn is_running(&self) -> bool;

    /// Waits for the next record or gap.
    ///
    /// # Errors
    /// When nothing more can come: [`ErrorKind::Closed`](crate::ErrorKind::Closed) if it is not
    /// started, stopped, or its handle was closed; [`ErrorKind::SlowConsumer`](crate::ErrorKind) with
    /// [`Overflow::Disconnect`]. [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if
    /// there is a handler, which gets all records.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    fn recv(&self) -> BoxFuture<'_, Result<Arrival, Error>>;

    /// The same for at most `limit`. `None`: nothing came.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    fn recv_within(&self, limit: Duration) -> BoxFuture<'_, Result<Option<Arrival>, Error>> {
        Box::pin(async move {
            // Outside of a future there may be no runtime to take the time from.
            tokio::time::timeout(limit, self.recv()).await.ok().transpose()
        })
    }

    /// What is there now, without waiting. `None`: nothing.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    fn try_recv(&self) -> Result<Option<Arrival>, Error>;

    /// How many messages, entries or announcements have arrived since it was made, whether somebody
    /// took them or not.
    fn message_count(&self) -> u64 {
        self.stats().received
    }

    /// The counts so far.
    fn stats(&self) -> SubscriberStats;
}

/// What arrives, in its order.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// A record.
    Record(Received),
    /// Records are missing here, or may be.
    Missing(Missing),
}

impl Arrival {
    /// What it counts in a queue, in bytes.
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Record(it) => 256 + it.source.len() + 2 * it.payload.len(),
            Self::Missing(_) => 128,
        }
    }
}

/// A record that arrived.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Received {
    /// The channel it was published on, the stream it was added to, or the key it was written at.
    pub source: Bytes,
    /// The JSON as it came.
    pub payload: Bytes,
    /// The record.
    pub record: Record,
    /// The ID of a stream's entry.
    pub id: Option<StreamId>,
    /// The version of a key: larger ones are newer.
    pub version: Option<u64>,
    /// When this program read it from the socket.
    pub received_at: SystemTime,
}

impl Received {
    /// The record as a type of the program's own.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if it is not a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.record.json()
    }
}

/// Why records are missing, or may be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// So many arrived and were dropped, because the queue was full, or at a stop.
    Dropped(u64),
    /// The connection to a channel was lost: what was published meanwhile is gone.
    Outage(Outage),
    /// Entries above `after` and up to `upto` were trimmed away unread.
    Trimmed {
        /// The ID up to which everything arrived.
        after: StreamId,
        /// The largest ID that is missing.
        upto: StreamId,
    },
    /// The stream was deleted or replaced. What had not been read is gone; what there is now comes from
    /// its beginning.
    Reset,
    /// The value of this key could not be read after its change was announced.
    Unread {
        /// The key.
        key: String,
        /// Why.
        code: &'static str,
    },
}

/// A payload that is not what a subscriber can read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Undecodable {
    /// Where it came from: see [`Received::source`].
    pub source: Bytes,
    /// The bytes as they came. Empty if an entry has no field `data`.
    pub payload: Bytes,
    /// The ID of a stream's entry.
    pub id: Option<StreamId>,
    /// What is wrong with it.
    pub error: Error,
}

/// The counts of a subscriber, since it was made.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SubscriberStats {
    /// Messages, entries or announcements that arrived from the broker.
    pub received: u64,
    /// Records that were handed to whoever receives, or whose handler has ended, however.
    pub delivered: u64,
    /// Payloads that could not be read.
    pub undecodable: u64,
    /// Records whose handler returned an error.
    pub failed: u64,
    /// Records whose handler panicked.
    pub panicked: u64,
    /// What the last failure or panic of a handler or hook said.
    pub last_failure: Option<String>,
    /// Messages that were dropped because the queue was full.
    pub dropped: u64,
    /// Places where something is missing, or may be.
    pub gaps: u64,
    /// Announcements of values that were gone again, or had been delivered already in that version or
    /// a newer one.
    pub outdated: u64,
    /// Messages that had arrived when it was stopped and were not handed to its handler, or did not fit
    /// beside what had been left by earlier stops (which is a [`Missing::Dropped`] in its place). What
    /// a stream has is not lost by that: it comes after the next start.
    pub discarded: u64,
    /// How often the subscription was restored after its connection was lost.
    pub reconnects: u64,
    /// What waits to be taken.
    pub queued: usize,
    /// When something last arrived, as far as it has left the subscription's queue.
    pub last_received_at: Option<SystemTime>,
    /// Whether it is started and has not ended.
    pub is_running: bool,
}

pub(super) type HandlerFn =
    Arc<dyn Fn(Received) -> BoxFuture<'static, Option<BoxError>> + Send + Sync>;
pub(super) type UndecodableHook = Arc<dyn Fn(&Undecodable) + Send + Sync>;
pub(super) type MissingHook = Arc<dyn Fn(&Missing) + Send + Sync>;

/// How a subscriber is made.
///
/// # Example: a handler, and a hook for what is not JSON
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::data::{Received, SubscriberOptions};
///
/// #[derive(serde::Deserialize)]
/// struct Task { text: String }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let options = SubscriberOptions::new()
///     .on_undecodable(|bad| eprintln!("{}: {}", bad.error, bad.payload.len()))
///     .handler(async |received: Received| {
///         println!("{}", received.json::<Task>()?.text);
///         Ok::<_, fanfare::Error>(())
///     });
/// let tasks = fanfare.data_subscriber_with("channel:tasks", options)?;
/// tasks.start().await?;
/// fanfare.publish("tasks", r#"{"text": "wash up"}"#).await?;
/// while tasks.stats().delivered < 1 {
///     tokio::task::yield_now().await;
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct SubscriberOptions {
    pub(super) name: Option<String>,
    pub(super) queue: Option<Queue>,
    pub(super) from: Option<Position>,
    pub(super) announced: Option<Announce>,
    pub(super) handler: Option<HandlerFn>,
    pub(super) on_undecodable: Option<UndecodableHook>,
    pub(super) on_missing: Option<MissingHook>,
}

impl SubscriberOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it is called in logs and errors. Default: the destination.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Bounds the queue, in messages and bytes, and says what happens when it is full. Default: for
    /// channels that of the connection's options, for streams that of
    /// [`Stream::queue`](crate::stream::Stream::queue).
    ///
    /// In front of it up to 256 more, of together at most 1 MiB, are decoded already. A stream's queue
    /// never drops: nothing is read while it is full, so `overflow` is not used there.
    pub fn queue(mut self, overflow: Overflow, messages_max: usize, bytes_max: usize) -> Self {
        self.queue = Some(Queue::new(overflow, messages_max, bytes_max));
        self
    }

    /// With which entry a stream begins at the first start. Default: with the first that is there. For
    /// `stream:` only, and for `key:` with announcements on a stream.
    pub fn from(mut self, start: impl Into<Position>) -> Self {
        self.from = Some(start.into());
        self
    }

    /// Where the changes of keys are announced, if not on the channel with the destination's name: as
    /// the publishers were told. For `key:` only.
    pub fn announced(mut self, announce: Announce) -> Self {
        self.announced = Some(announce);
        self
    }

    /// Calls a handler for each record, one at a time and in order, in the background, from the start
    /// to the stop. It returns nothing or a `Result<(), E>`. If it fails or panics, that is counted and
    /// logged, and the next record is handled: none is handled twice.
    pub fn handler<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(Received) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.handler =
            Some(Arc::new(move |received| Box::pin(handler(received).map(Outcome::failure))));
        self
    }

    /// The same with a plain function, which may block: it runs on a thread apart.
    pub fn blocking_handler<F, T>(mut self, handler: F) -> Self
    where
        F: Fn(Received) -> T + Send + Sync + 'static,
        T: Outcome,
    {
        let handler = Arc::new(handler);
        self.handler = Some(Arc::new(move |received| {
            let handler = handler.clone();
            Box::pin(apart(move || handler(received).failure()))
        }));
        self
    }

    /// Calls a function for each payload that is not JSON, with the payload as it came. It must be
    /// quick: the next record waits for it. If it panics, that is logged.
    pub fn on_undecodable(mut self, hook: impl Fn(&Undecodable) + Send + Sync + 'static) -> Self {
        self.on_undecodable = Some(Arc::new(hook));
        self
    }

    /// Calls a function for each place where records are or may be missing: for subscribers with a
    /// handler, which sees only records. It must be quick. If it panics, that is logged.
    pub fn on_missing(mut self, hook: impl Fn(&Missing) + Send + Sync + 'static) -> Self {
        self.on_missing = Some(Arc::new(hook));
        self
    }
}

impl fmt::Debug for SubscriberOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriberOptions").field("name", &self.name).finish_non_exhaustive()
    }
}
