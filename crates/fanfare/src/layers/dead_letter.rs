//! What has failed for good and that nobody else keeps: messages of channels.

use std::{
    fmt,
    panic::{AssertUnwindSafe, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_client::{Error, Kind, Message};
use futures_util::FutureExt;

use super::{
    CallService,
    asked::{PAUSES, is_away},
    layered::{Around, layer, pass},
    limit::count,
};
use crate::{
    BoxError, Call, Fanfare,
    handle::panic_text,
    stream::{Entry, Stream, StreamId, Trim},
    worker::{now, shortened},
};

/// Puts the message of a channel into a stream if it fails for good, with where it came from, when and
/// why; then the call counts as handled. A channel delivers once, so whatever fails here has failed for
/// good: also what a layer inside refused, and a handler that panicked (the panic goes on).
///
/// What comes from a stream is left alone, and its error handed on as it is: its worker tries it
/// again and has [dead letters](crate::worker::DeadLetters) of its own, so nothing is put twice.
///
/// It belongs outside of a [`Retry`](super::Retry), which would see no error any more:
/// [`Stack`](super::Stack) has them in order.
///
/// # What is kept
/// The newest 100,000, or what [`keep`](Self::keep) says, in a stream whose entries have the fields
/// `dead:kind`, `dead:channel`, `dead:handler`, `dead:received` and `dead:died` (milliseconds of the
/// Unix epoch), `dead:error` and `payload`.
///
/// # Delivery
/// At least once: if an answer of the broker is lost, the message is put again. If the broker can not
/// be reached for 30 s, the call fails with the handler's error, and the message is lost
/// ([`DeadLetterStats::lost`]).
///
/// # Cancel safety
/// A call that is dropped puts nothing.
///
/// # Example: an order that nobody understands
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Call, Fanfare, Json, Kind, layers::{DeadLetter, Layer}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let dead = DeadLetter::new(&fanfare, "orders:dead", "billing");
/// let handler = async |Json(amount): Json<u32>| println!("{amount}");
/// let service = dead.layer(fanfare::service::<_, _, _, Call>(handler, ()));
/// let router = fanfare.router().service(Kind::Channel, "orders", service).start().await?;
/// fanfare.publish("orders", "many").await?;
/// router.wait_finished(1).await;
/// let letters = dead.list(None, 10).await?;
/// assert_eq!((&letters[0].payload[..], letters.len()), (&b"many"[..], 1));
/// assert!(letters[0].error.contains("is not the expected JSON"));
/// # router.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DeadLetter {
    stream: Stream,
    handler: Arc<str>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    put: AtomicU64,
    lost: AtomicU64,
}

/// What a [`DeadLetter`] has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetterStats {
    /// Messages that were put into the stream.
    pub put: u64,
    /// Messages that could not be put.
    pub lost: u64,
}

/// A message of a channel that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadMessage {
    /// The ID of its entry.
    pub dead_id: StreamId,
    /// Whether its channel was a sharded one.
    pub is_sharded: bool,
    /// The channel.
    pub channel: Bytes,
    /// The handler that failed.
    pub handler: String,
    /// When it was read from the socket.
    pub received: SystemTime,
    /// When it was put aside.
    pub died: SystemTime,
    /// What the failure said.
    pub error: String,
    /// The payload, as it came.
    pub payload: Bytes,
}

/// The name of the first field, by which it is known.
pub(crate) const FIRST_OF_DEAD: &str = "dead:kind";

const FIELDS: [&str; 7] = [
    FIRST_OF_DEAD,
    "dead:channel",
    "dead:handler",
    "dead:received",
    "dead:died",
    "dead:error",
    "payload",
];

/// For how long it is tried to put a message.
const PUT_WITHIN: Duration = Duration::from_secs(30);

impl DeadLetter {
    /// Dead letters of a handler with this name, in the stream of this name.
    pub fn new(fanfare: &Fanfare, stream: impl AsRef<[u8]>, handler: impl Into<Arc<str>>) -> Self {
        let stream = fanfare.stream(stream).keep(Trim::maxlen(100_000).approximate());
        Self { stream, handler: handler.into(), counts: Arc::default() }
    }

    /// How much is kept; the rest is trimmed away, oldest first.
    #[must_use]
    pub fn keep(self, trim: Trim) -> Self {
        Self { stream: self.stream.keep(trim), counts: Arc::default(), ..self }
    }

    /// The stream that they are in.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The counts so far.
    pub fn stats(&self) -> DeadLetterStats {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        DeadLetterStats { put: get(&self.counts.put), lost: get(&self.counts.lost) }
    }

    /// The oldest ones, or those behind one of them; at most `n_max`. Entries of the stream that are
    /// something else are left out.
    ///
    /// # Errors
    /// As [`Stream::range`].
    pub async fn list(
        &self,
        after: Option<StreamId>,
        n_max: u64,
    ) -> Result<Vec<DeadMessage>, Error> {
        let start = std::ops::Bound::Excluded(after.unwrap_or(StreamId::MIN));
        let found = self.stream.range((start, std::ops::Bound::Unbounded), Some(n_max)).await?;
        Ok(found.into_iter().filter_map(DeadMessage::read).collect())
    }

    /// Publishes one again on the channel that it came from, and removes it here; in this order, so it
    /// may be published twice and is not lost. Returns the number of receivers; `None` if it is
    /// not here.
    ///
    /// # Errors
    /// As [`Fanfare::publish`] and [`Stream::delete`].
    pub async fn republish(&self, dead_id: StreamId) -> Result<Option<u64>, Error> {
        let found = self.stream.range(dead_id..=dead_id, Some(1)).await?.pop();
        let Some(letter) = found.and_then(DeadMessage::read) else { return Ok(None) };
        let fanfare = &self.stream.fanfare;
        let n = if letter.is_sharded {
            fanfare.spublish(&letter.channel, &letter.payload).await?
        } else {
            fanfare.publish(&letter.channel, &letter.payload).await?
        };
        self.stream.delete([dead_id]).await?;
        Ok(Some(n))
    }

    /// Whether the message is in the stream.
    async fn put(&self, message: &Message, error: String) -> bool {
        let kind = match message.kind {
            Kind::Channel | Kind::Pattern => "channel",
            Kind::Shard => "shard",
        };
        let values: [Bytes; 7] = [
            Bytes::from_static(kind.as_bytes()),
            message.channel.clone(),
            self.handler.as_bytes().to_vec().into(),
            millis(message.received_at).into(),
            millis(SystemTime::now()).into(),
            shortened(error).into(),
            message.payload.clone(),
        ];
        let until = now() + PUT_WITHIN;
        let mut n_failed = 0;
        loop {
            let error = match self.stream.add(FIELDS.iter().zip(&values)).await {
                Ok(_) => {
                    count(&self.counts.put);
                    return true;
                }
                Err(error) => error,
            };
            n_failed += 1;
            let pause = PAUSES.delay(n_failed, rand::random());
            if !is_away(&error) || until <= now() + pause {
                count(&self.counts.lost);
                tracing::error!(%error, handler = %self.handler, "a dead letter is lost");
                return false;
            }
            tokio::time::sleep(pause).await;
        }
    }
}

fn millis(at: SystemTime) -> String {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis().to_string()
}

impl Around for DeadLetter {
    async fn around<S: CallService>(&self, call: Call, inner: &S) -> Result<(), BoxError> {
        let Some(message) = call.message().cloned() else { return pass(inner, call).await };
        let ended = AssertUnwindSafe(pass(inner, call)).catch_unwind().await;
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                if self.put(&message, error.to_string()).await {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            Err(panic) => {
                let text = format!("the handler panicked: {}", panic_text(&*panic));
                self.put(&message, text).await;
                resume_unwind(panic)
            }
        }
    }
}

layer!(DeadLetter);

impl DeadMessage {
    fn read(entry: Entry) -> Option<Self> {
        let dead_id = entry.id;
        let mut fields = entry.fields.into_iter();
        let mut next = |name: &str| fields.next().filter(|(it, _)| it == name).map(|(_, it)| it);
        let [kind, channel, handler, received, died, error, payload] = FIELDS.map(&mut next);
        let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
        let time = |bytes: Bytes| {
            let millis = std::str::from_utf8(&bytes).ok()?.parse().ok()?;
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
        };
        Some(Self {
            dead_id,
            is_sharded: kind? == "shard",
            channel: channel?,
            handler: text(handler?),
            received: time(received?)?,
            died: time(died?)?,
            error: text(error?),
            payload: payload?,
        })
    }
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stream, handler) = (&self.stream, &self.handler);
        f.debug_struct("DeadLetter").field("stream", stream).field("handler", handler).finish()
    }
}
