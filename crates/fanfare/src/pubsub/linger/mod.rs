//! Messages of many callers, gathered for a moment and sent together.

mod gather;

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use fanfare_client::{Error, ErrorKind};
use tokio::sync::oneshot;

use crate::{batch::Chunks, codec::Codec, pubsub::publisher::Publisher};
use gather::Gatherer;

pub use gather::LingerStats;

/// How long to gather, and how much. Each method changes one thing.
#[derive(Clone, Copy, Debug)]
pub struct Linger {
    time: Duration,
    chunks: Chunks,
    messages_max: usize,
    bytes_max: usize,
    when_full: WhenFull,
}

/// What happens to a message for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Its caller waits for room, in the order of the callers and until the request timeout; then
    /// it fails with [`ErrorKind::Overloaded`] and was not sent. While somebody waits, what is
    /// gathered goes out at once.
    #[default]
    Wait,
    /// It fails at once with [`ErrorKind::Overloaded`] and is not sent.
    Refuse,
}

impl Linger {
    /// Sends what was gathered when the first message of it has waited for so long.
    ///
    /// Zero sends as soon as the sending task gets its turn, so that what comes at the same moment
    /// goes together. By default a chunk is sent earlier with 512 messages or 256 KiB, and at most
    /// 16,384 messages and 16 MiB wait for their outcomes.
    pub fn new(time: Duration) -> Self {
        Self {
            time,
            chunks: Chunks::default(),
            messages_max: 16_384,
            bytes_max: 16 * 1024 * 1024,
            when_full: WhenFull::default(),
        }
    }

    /// Sends earlier if so many messages or so many bytes are gathered. 0 counts as 1.
    #[must_use]
    pub fn chunks(self, messages_max: usize, bytes_max: usize) -> Self {
        let chunks = Chunks { commands_max: messages_max.max(1), bytes_max };
        Self { chunks, ..self }
    }

    /// Bounds how many messages and bytes wait for their outcomes, gathered or sent, and says what
    /// happens beyond. A message counts its channel, its payload and 64 bytes; one that is larger
    /// than `bytes_max` takes all of it. 0 counts as 1.
    #[must_use]
    pub fn queue(self, when_full: WhenFull, messages_max: usize, bytes_max: usize) -> Self {
        let bytes_max = bytes_max.clamp(1, usize::try_from(u32::MAX).unwrap_or(usize::MAX));
        Self { when_full, messages_max: messages_max.max(1), bytes_max, ..self }
    }
}

/// A [`Publisher`] that gathers the messages of many callers for a moment, and sends them together.
/// Made by [`Publisher::linger`]; cheap to clone.
///
/// Each caller gets the outcome of its own message: [`publish`](Self::publish) waits for it,
/// [`enqueue`](Self::enqueue) returns a [`Receipt`] to wait for. Messages of one caller keep their
/// order. Delivery is at most once, as that of the publisher, and what may have been sent is never
/// sent again.
///
/// Nothing is lost by dropping it: when the last clone is dropped, what was gathered is still sent,
/// as long as the runtime lives. To know what became of it, [`close`](Self::close) it.
///
/// # Example: a thousand messages, few packets
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Fanfare, Linger, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let ticks = fanfare.publisher::<Text>("ticks").linger(Linger::new(Duration::from_millis(2)));
/// for n in 0..1_000 {
///     ticks.enqueue(n.to_string()).await?;
/// }
/// let stats = ticks.close().await;
/// assert_eq!((stats.published, stats.failed, stats.unknown), (1_000, 0, 0));
/// # Ok(()) }
/// ```
#[must_use = "it publishes when it is told to"]
pub struct Lingering<C> {
    publisher: Publisher<C>,
    handle: Arc<Handle>,
}

/// What all clones share. When it is dropped, the task sends what is left and ends.
struct Handle(Arc<Gatherer>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<C: Codec> Lingering<C> {
    pub(super) fn new(publisher: Publisher<C>, linger: Linger) -> Self {
        let chunks = linger.chunks.within(&publisher.fanfare);
        let gatherer = Arc::new(Gatherer::new(Linger { chunks, ..linger }));
        tokio::spawn(gather::run(publisher.fanfare.clone(), gatherer.clone()));
        Self { publisher, handle: Arc::new(Handle(gatherer)) }
    }

    /// Publishes a value and waits for its outcome: how many subscriptions the server handed it to.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`], [`ErrorKind::Overloaded`] and [`ErrorKind::Closed`]: it was not sent.
    /// Otherwise as [`Fanfare::publish`](crate::Fanfare::publish).
    ///
    /// # Cancel safety
    /// Dropping the future does not take back a message that has been gathered.
    pub async fn publish(&self, value: impl std::borrow::Borrow<C::Value>) -> Result<u64, Error> {
        self.enqueue(value).await?.await
    }

    /// Adds a value to what is gathered, and returns a receipt, with which its outcome can be
    /// waited for. Waits itself only while there is no room ([`WhenFull::Wait`]).
    ///
    /// # Errors
    /// [`ErrorKind::Encode`], [`ErrorKind::Overloaded`] and [`ErrorKind::Closed`]: it is not sent.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, the value is not sent.
    pub async fn enqueue(
        &self,
        value: impl std::borrow::Borrow<C::Value>,
    ) -> Result<Receipt, Error> {
        self.enqueue_to(&self.publisher.channel, value).await
    }

    /// The same for another channel.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    ///
    /// # Cancel safety
    /// As [`enqueue`](Self::enqueue).
    pub async fn enqueue_to(
        &self,
        channel: impl AsRef<[u8]>,
        value: impl std::borrow::Borrow<C::Value>,
    ) -> Result<Receipt, Error> {
        let payload = self.publisher.payload(value.borrow())?;
        let channel = self.publisher.fanfare.channel(channel.as_ref())?;
        let limit = self.publisher.fanfare.link().options().timeout();
        let gatherer = &self.handle.0;
        let cost = gatherer.admit(channel.len() + payload.len(), limit).await?;
        gatherer.add([self.publisher.verb(), &channel, &payload], cost).map(Receipt)
    }

    /// Sends what is gathered, waits until everything that was enqueued before has its outcome, and
    /// returns the counts since the beginning.
    ///
    /// # Cancel safety
    /// Dropping the future keeps nothing from being sent.
    pub async fn flush(&self) -> LingerStats {
        self.handle.0.flush().await
    }

    /// Takes nothing more, sends what is gathered, waits for all outcomes, and returns the counts:
    /// what was published, what was not sent or refused, and of what nobody knows. With a server
    /// that is away this takes about twice the request timeout at most.
    ///
    /// # Cancel safety
    /// Dropping the future leaves it closed.
    pub async fn close(&self) -> LingerStats {
        self.handle.0.close();
        self.handle.0.flush().await
    }

    /// The counts since the beginning.
    pub fn stats(&self) -> LingerStats {
        self.handle.0.stats()
    }
}

impl<C> Clone for Lingering<C> {
    fn clone(&self) -> Self {
        Self { publisher: self.publisher.clone(), handle: self.handle.clone() }
    }
}

impl<C> fmt::Debug for Lingering<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lingering")
            .field("publisher", &self.publisher)
            .field("stats", &self.handle.0.stats())
            .finish()
    }
}

/// A future of what became of one message: how many subscriptions the server handed it to.
///
/// Dropping it does not take the message back; its outcome is still counted in [`LingerStats`].
#[derive(Debug)]
#[must_use = "an outcome that nobody waits for is an error that nobody sees; it is counted"]
pub struct Receipt(oneshot::Receiver<Result<u64, Error>>);

impl Future for Receipt {
    type Output = Result<u64, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Its task ends early only with the runtime; what it had sent by then nobody knows.
        let gone = || Error::new(ErrorKind::Disconnected, "the sending task has ended");
        Pin::new(&mut self.0).poll(cx).map(|outcome| outcome.unwrap_or_else(|_| Err(gone())))
    }
}
