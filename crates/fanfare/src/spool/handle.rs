//! The handle of a spool.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};
use serde::Serialize;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::Instant,
};

use super::{
    dead::Letter,
    letter::DeadLetter,
    options::Settings,
    record,
    run::Reply,
    shared::Shared,
    stats::{Recovery, SpoolEvents, SpoolStats},
};
use crate::{
    Envelope, Fanfare, Sealed,
    once::{Destination, Parcel, PlaceKind},
};

/// Publishes to streams, and to channels if they are to be kept, and keeps messages in a directory while
/// the broker is away.
///
/// A message is sent directly as long as the broker takes it and nothing older waits. Otherwise it is
/// appended to a log in the directory, and sent from there in the background when the broker is back, with
/// the id and time that its envelope has. Made by [`Fanfare::spool`]; cheap to clone.
///
/// # What it promises
/// A message that was accepted arrives *once* and, among those to the same stream or channel, *in order*,
/// whatever becomes of the connection, the broker or this process, as long as it stays within the
/// limits that were set, and as far as [`Fsync`](super::Fsync) and the broker's own durability reach.
/// Publishers that are told of an error get one of two kinds: nothing is kept, or, if
/// [`Error::may_have_been_delivered`], perhaps.
///
/// So that a message is not there twice when an answer or this process was lost between sending and
/// noting that, the broker keeps a key beside the stream with the sequence of the last message from this
/// spool (`{stream}:fanfare:sent:…`, for [`remember`](super::SpoolBuilder::remember)); a Lua script
/// looks at it and adds in one step. Should the broker lose that key (a failover to a replica that was
/// behind, an eviction), one batch may be there twice.
///
/// # What waits in line
/// Messages go in the order in which they were handed over. While one place does not take messages
/// (a node of a cluster is down), all that is behind waits. What the broker refuses for good
/// (`WRONGTYPE`, `NOPERM`, too large) goes with the [dead letters](Self::dead_letters) if it waited,
/// and is an error for its publisher if it did not.
///
/// # On disk
/// One process at a time has a directory, and opens it once. Files are described in decision 0016. A
/// damaged end of the last file, as a crash leaves it, is cut off; a file that is damaged elsewhere is
/// set aside (`.corrupt`), and its whole messages go on. Both is told by [`recovery`](Self::recovery)
/// and [`events`](Self::events).
///
/// When the last handle is dropped, the directory is closed and what waits stays there;
/// [`close`](Self::close) sends it first.
///
/// # Example: an order that must not be lost
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Envelope, Fanfare, spool::{Accepted, Fsync}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// # let directory = std::env::temp_dir().join(format!("fanfare-spool-{}", std::process::id()));
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let spool = fanfare.spool(&directory).fsync(Fsync::Always).open().await?;
/// match spool.publish("orders", &Envelope::new("order.created", 7)).await? {
///     Accepted::Sent => println!("the broker has it"),
///     Accepted::Spooled => println!("the disk has it"),
/// }
/// let stats = spool.close(Duration::from_secs(10)).await;
/// assert_eq!((stats.sent, stats.waiting), (1, 0));
/// # let _ = std::fs::remove_dir_all(directory);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Spool {
    pub(super) fanfare: Fanfare,
    pub(super) folder: Arc<Path>,
    pub(super) settings: Settings,
    pub(super) asks: mpsc::Sender<Ask>,
    /// Bytes of messages that are handed over and not yet decided.
    pub(super) room: Arc<Semaphore>,
    pub(super) shared: Arc<Shared>,
}

/// What became of a message that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Accepted {
    /// The broker has it.
    Sent,
    /// It is in the log, and is sent when its turn comes.
    Spooled,
}

/// Most messages that are handed over and not yet taken.
pub(super) const INBOX_MAX: usize = 1_024;

/// Most bytes of messages that are handed over and not yet decided.
pub(super) const INBOX_BYTES: usize = 16 * 1024 * 1024;

/// What a handle asks of the task.
pub(super) enum Ask {
    Publish(Draft, Reply),
    Letters(oneshot::Sender<Result<Vec<Letter>, Error>>),
    Requeue(Option<Vec<u64>>, oneshot::Sender<Result<u64, Error>>),
    Close(Instant, oneshot::Sender<()>),
}

/// A message without a number.
pub(super) struct Draft {
    pub(super) time: u64,
    pub(super) age_max_ms: u64,
    pub(super) parcel: Parcel,
}

impl Spool {
    /// Publishes an envelope: as the fields of an entry to a stream, as one payload to a channel. Returns
    /// when the broker has it, or the log.
    ///
    /// # Errors
    /// [`ErrorKind::SpoolFull`]: a limit is reached; it was not taken. [`ErrorKind::Storage`]: the disk
    /// failed, or is full. [`ErrorKind::TooLarge`]. [`ErrorKind::Server`]: nothing waited, and the
    /// broker refuses it for good. [`ErrorKind::InvalidOption`]: no stream can have this name in a
    /// cluster. [`ErrorKind::Encode`], [`ErrorKind::Closed`]. To a channel that is not
    /// [kept](super::SpoolBuilder::channels), as [`Fanfare::publish`].
    ///
    /// # Cancel safety
    /// Dropping the future does not take back a message that has been handed over: it may be sent or
    /// kept.
    pub async fn publish<T: Serialize>(
        &self,
        to: impl Into<Destination>,
        envelope: &Envelope<T>,
    ) -> Result<Accepted, Error> {
        self.publish_sealed(to, &envelope.seal()?).await
    }

    /// The same with an envelope whose data is bytes: in another form, or compressed.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn publish_sealed(
        &self,
        to: impl Into<Destination>,
        envelope: &Sealed,
    ) -> Result<Accepted, Error> {
        self.submit(Parcel::envelope(to.into(), envelope)?).await
    }

    /// Adds an entry of these fields to a stream. It has no id and no time but those that are among its
    /// fields.
    ///
    /// # Errors
    /// As [`publish`](Self::publish), and [`ErrorKind::InvalidRequest`] if there are no fields, or the
    /// destination is a channel.
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    ///
    /// # Example
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{spool::Destination, stream::Trim};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let directory = std::env::temp_dir().join(format!("fanfare-add-{}", std::process::id()));
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let spool = fanfare.spool(&directory).open().await?;
    /// spool.add("temperatures", [("room", "kitchen"), ("celsius", "21")]).await?;
    /// let bounded = Destination::stream("clicks").keep(Trim::maxlen(10_000).approximate());
    /// spool.add(&bounded, [("page", "/")]).await?;
    /// # spool.close(std::time::Duration::from_secs(10)).await;
    /// # let _ = std::fs::remove_dir_all(directory);
    /// # Ok(()) }
    /// ```
    pub async fn add<F: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        to: impl Into<Destination>,
        fields: impl IntoIterator<Item = (F, V)>,
    ) -> Result<Accepted, Error> {
        self.submit(Parcel::entry(to.into(), fields)?).await
    }

    async fn submit(&self, parcel: Parcel) -> Result<Accepted, Error> {
        let place = &parcel.place;
        let age_max = match (place.kind, self.settings.channels) {
            (PlaceKind::Stream, _) => Duration::ZERO,
            (PlaceKind::Channel, Some(age_max)) => {
                self.fanfare.channel(&place.name)?;
                age_max
            }
            (PlaceKind::Channel, None) => {
                for payload in parcel.words {
                    self.fanfare.publish(&place.name, payload).await?;
                }
                return Ok(Accepted::Sent);
            }
        };
        place.check(self.fanfare.link().options().names())?;
        let age_max_ms = u64::try_from(age_max.as_millis()).unwrap_or(u64::MAX);
        let n_bytes: usize = parcel.words.iter().map(Bytes::len).sum();
        let draft = Draft { time: record::now(), age_max_ms, parcel };
        let n_permits = u32::try_from(n_bytes.clamp(1, INBOX_BYTES)).unwrap_or(u32::MAX);
        let _room = self.room.acquire_many(n_permits).await.map_err(|_| closed())?;
        self.ask(|reply| Ask::Publish(draft, reply)).await?
    }

    /// What the broker refused for good after it had waited, oldest first.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`], [`ErrorKind::Closed`].
    ///
    /// # Example: looked at, and sent again
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let directory = std::env::temp_dir().join(format!("fanfare-dead-{}", std::process::id()));
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let spool = fanfare.spool(&directory).open().await?;
    /// for letter in spool.dead_letters().await? {
    ///     println!("{} to {:?}: {}", letter.sequence, letter.destination, letter.error);
    /// }
    /// // When the reason is gone:
    /// let n = spool.requeue_all().await?;
    /// # assert_eq!(n, 0);
    /// # spool.close(std::time::Duration::from_secs(10)).await;
    /// # let _ = std::fs::remove_dir_all(directory);
    /// # Ok(()) }
    /// ```
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, Error> {
        let letters = self.ask(Ask::Letters).await??;
        Ok(letters.into_iter().map(DeadLetter::from).collect())
    }

    /// Appends dead letters to the log again, as the newest messages; when the reason for which they
    /// were refused is gone, they arrive. Returns how many of these sequences there were.
    ///
    /// # Errors
    /// [`ErrorKind::SpoolFull`] and [`ErrorKind::Storage`]; those before the one that failed are in the
    /// log. [`ErrorKind::Closed`].
    ///
    /// # Cancel safety
    /// Dropping the future does not stop it. A crash in the middle may leave messages both in the log
    /// and with the dead letters.
    pub async fn requeue(&self, sequences: impl IntoIterator<Item = u64>) -> Result<u64, Error> {
        let sequences = sequences.into_iter().collect();
        self.ask(|reply| Ask::Requeue(Some(sequences), reply)).await?
    }

    /// The same with all dead letters.
    ///
    /// # Errors
    /// As [`requeue`](Self::requeue).
    ///
    /// # Cancel safety
    /// As [`requeue`](Self::requeue).
    pub async fn requeue_all(&self) -> Result<u64, Error> {
        self.ask(|reply| Ask::Requeue(None, reply)).await?
    }

    /// Takes no more messages, sends what waits until the deadline, makes durable what is left, and closes
    /// the directory. Returns the final counts; what is left is sent by who opens the directory next.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop it.
    pub async fn close(&self, deadline: Duration) -> SpoolStats {
        let until = Instant::now() + deadline.min(Duration::from_secs(365 * 24 * 3600));
        // An error says that it is closed.
        let _ = self.ask(|reply| Ask::Close(until, reply)).await;
        self.shared.stats()
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.folder
    }

    /// What was found when it was opened.
    pub fn recovery(&self) -> &Recovery {
        &self.shared.recovery
    }

    /// How it is doing. [`Fanfare::health`] has it as well: bad is that the disk fails, or that messages
    /// wait and have not been sent for long.
    pub fn stats(&self) -> SpoolStats {
        self.shared.stats()
    }

    /// What happens to it, from now on.
    pub fn events(&self) -> SpoolEvents {
        self.shared.events()
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(ask(reply)).await.map_err(|_| closed())?;
        // Who does not answer has ended before it took what it was asked.
        answer.await.map_err(|_| closed())
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the spool is closed")
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("directory", &self.folder).finish_non_exhaustive()
    }
}
