//! What a handler is called for, wherever it came from: the request of every layer.

mod extract;
mod notes;
mod source;

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Message};

use crate::{
    envelope::{Head, Sealed, may_be_envelope},
    queue::Task,
    stream::Entry,
    worker::{Context, Delivered},
};

pub use source::{Source, SourceKind};

use notes::Notes;

/// One message of a channel, one entry of a stream, or one task of a queue: what a handler is called
/// for, whatever it came through. Services and layers of `Call`s fit around the handlers of all of them.
///
/// If what came is an [`Envelope`](crate::Envelope), [`head`](Self::head) has what is known about it and
/// [`payload`](Self::payload) its data; otherwise the payload is what came. It is looked at when
/// it is first asked for.
///
/// A handler's arguments are [extracted](crate::Extract) from it: [`Json`](crate::Json),
/// [`Text`](crate::Text) and [`Raw`](crate::Raw) of the payload,
/// [`Envelope`](crate::Envelope), [`Sealed`], [`Source`], [`State`](crate::State), `Arc<`[`Entry`]`>`,
/// [`Message`], [`Context`], [`Task`] (the last four only where there is one), `Result<T, Error>` of any of
/// them, and the whole `Call`.
///
/// It is cheap to clone.
///
/// # Example: one handler for whatever comes
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Call, Envelope, Fanfare, Json, Kind};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
/// let handler = move |call: Call, Json(n): Json<u64>| {
///     let kind = call.head().map_or("plain", |head| head.kind()).to_owned();
///     let _ = sender.send((kind, n));
///     async {}
/// };
/// let service = fanfare::service(handler, ());
/// let router = fanfare.router().service(Kind::Channel, "numbers", service).start().await?;
/// fanfare.publish("numbers", "7").await?;
/// fanfare.publish("numbers", Envelope::new("counted", 8).to_payload()?).await?;
/// assert_eq!(seen.recv().await, Some(("plain".to_owned(), 7)));
/// assert_eq!(seen.recv().await, Some(("counted".to_owned(), 8)));
/// # router.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Call {
    // Every layer passes it on, so it is small.
    arrived: Arc<Arrived>,
    /// What a layer made of it.
    replaced: Option<Arc<Opened>>,
    notes: Notes,
}

#[derive(Debug)]
struct Arrived {
    source: Source,
    carried: Carried,
    /// What it turned out to be.
    opened: OnceLock<Opened>,
}

#[derive(Debug)]
enum Carried {
    Message(Message),
    Entry { entry: Arc<Entry>, context: Context },
    Task(Task),
}

#[derive(Debug)]
enum Opened {
    Envelope(Sealed),
    Plain(Bytes),
    /// An entry of several fields, which is not an envelope.
    Fields,
}

impl Call {
    fn of(source: Source, carried: Carried) -> Self {
        let arrived = Arrived { source, carried, opened: OnceLock::new() };
        Self { arrived: Arc::new(arrived), replaced: None, notes: Notes::default() }
    }

    /// Where it came from.
    pub fn source(&self) -> &Source {
        &self.arrived.source
    }

    /// What is known about it, if it is an [`Envelope`](crate::Envelope).
    pub fn head(&self) -> Option<&Head> {
        match self.opened() {
            Opened::Envelope(sealed) => Some(sealed.head()),
            Opened::Plain(_) | Opened::Fields => None,
        }
    }

    /// The data of the envelope, or else the payload of the message, or the value of the entry's only
    /// field.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is an entry of several fields, which is not an envelope.
    pub fn payload(&self) -> Result<&Bytes, Error> {
        match self.opened() {
            Opened::Envelope(sealed) => Ok(sealed.body()),
            Opened::Plain(payload) => Ok(payload),
            Opened::Fields => Err(self.has_fields()),
        }
    }

    /// The envelope, with its data as it came.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] with what is missing for it to be one.
    pub fn sealed(&self) -> Result<Sealed, Error> {
        match (self.opened(), &self.arrived.carried) {
            (Opened::Envelope(sealed), _) => Ok(sealed.clone()),
            (_, Carried::Message(message)) => Sealed::from_payload(&message.payload),
            (_, Carried::Entry { entry, .. }) => Sealed::from_entry(entry),
            (_, Carried::Task(task)) => Sealed::from_payload(task.payload()),
        }
    }

    /// What tells it from others: the [id](Head::id) of the envelope, or else the ID of the entry or the
    /// task. A message that is no envelope has none.
    pub fn id(&self) -> Option<Cow<'_, str>> {
        match (self.head(), &self.arrived.carried) {
            (Some(head), _) => Some(Cow::Borrowed(head.id())),
            (None, Carried::Entry { entry, .. }) => Some(Cow::Owned(entry.id.to_string())),
            (None, Carried::Task(task)) => Some(Cow::Owned(task.id().to_string())),
            (None, Carried::Message(_)) => None,
        }
    }

    /// How often it was delivered, with this time: 1 is the first. A message of a channel is delivered
    /// once.
    pub fn deliveries(&self) -> u64 {
        match &self.arrived.carried {
            Carried::Message(_) => 1,
            Carried::Entry { context, .. } => context.deliveries(),
            Carried::Task(task) => task.deliveries(),
        }
    }

    /// When this program read it from the socket.
    pub fn received_at(&self) -> SystemTime {
        match &self.arrived.carried {
            Carried::Message(message) => message.received_at,
            Carried::Entry { entry, .. } => entry.received_at,
            Carried::Task(task) => task.received_at(),
        }
    }

    /// The message, if it is one.
    pub fn message(&self) -> Option<&Message> {
        match &self.arrived.carried {
            Carried::Message(message) => Some(message),
            Carried::Entry { .. } | Carried::Task(_) => None,
        }
    }

    /// The entry, if it is one.
    pub fn entry(&self) -> Option<&Arc<Entry>> {
        match &self.arrived.carried {
            Carried::Message(_) | Carried::Task(_) => None,
            Carried::Entry { entry, .. } => Some(entry),
        }
    }

    /// Whether the entry is still this worker's, if it is one.
    pub fn context(&self) -> Option<&Context> {
        match &self.arrived.carried {
            Carried::Message(_) | Carried::Task(_) => None,
            Carried::Entry { context, .. } => Some(context),
        }
    }

    /// Whether it is known that this entry or task is no longer the worker's: no sign of life reached the
    /// server for too long, and another one has it, or it is gone. What is done from now on may be done
    /// twice. A message of a channel is never lost in this sense.
    pub fn is_lost(&self) -> bool {
        match &self.arrived.carried {
            Carried::Message(_) => false,
            Carried::Entry { context, .. } => context.is_lost(),
            Carried::Task(task) => task.is_lost(),
        }
    }

    /// Waits until [`is_lost`](Self::is_lost); for a message of a channel, for ever.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn lost(&self) {
        match &self.arrived.carried {
            Carried::Message(_) => std::future::pending().await,
            Carried::Entry { context, .. } => context.lost().await,
            Carried::Task(task) => task.lost().await,
        }
    }

    /// The task, if it is one.
    pub fn task(&self) -> Option<&Task> {
        match &self.arrived.carried {
            Carried::Message(_) | Carried::Entry { .. } => None,
            Carried::Task(task) => Some(task),
        }
    }

    /// The same with another envelope in place of what came: what a layer has decompressed, say.
    #[must_use]
    pub fn with_sealed(self, sealed: Sealed) -> Self {
        Self { replaced: Some(Arc::new(Opened::Envelope(sealed))), ..self }
    }

    /// The same with another payload. What was known by an envelope is still known.
    #[must_use]
    pub fn with_payload(self, payload: impl Into<Bytes>) -> Self {
        let payload = payload.into();
        let opened = match self.opened() {
            Opened::Envelope(sealed) => {
                Opened::Envelope(Sealed { head: sealed.head().clone(), body: payload })
            }
            Opened::Plain(_) | Opened::Fields => Opened::Plain(payload),
        };
        Self { replaced: Some(Arc::new(opened)), ..self }
    }

    /// Notes something for those further inside: layers, and the handler. One value of each type.
    pub fn note<T: Send + Sync + 'static>(&mut self, value: T) {
        self.notes.insert(value);
    }

    /// What a layer has [noted](Self::note).
    pub fn noted<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.notes.get()
    }

    fn opened(&self) -> &Opened {
        let Arrived { carried, opened, .. } = &*self.arrived;
        self.replaced.as_deref().unwrap_or_else(|| opened.get_or_init(|| carried.open()))
    }

    fn has_fields(&self) -> Error {
        let n = self.entry().map_or(0, |entry| entry.fields.len());
        let id = self.id().unwrap_or_default();
        let message = format!(
            "entry {id} has {n} fields and is not an envelope, so there is no telling which is \
             meant: ask for the whole entry"
        );
        Error::new(ErrorKind::Decode, message)
    }
}

impl Carried {
    fn open(&self) -> Opened {
        let payload = match self {
            Self::Message(message) => &message.payload,
            Self::Task(task) => task.payload(),
            Self::Entry { entry, .. } => match &entry.fields[..] {
                [(_, value)] => value,
                _ if entry.get("event_id").is_some() => {
                    return Sealed::from_entry(entry).map_or(Opened::Fields, Opened::Envelope);
                }
                _ => return Opened::Fields,
            },
        };
        if may_be_envelope(payload)
            && let Ok(sealed) = Sealed::from_payload(payload)
        {
            return Opened::Envelope(sealed);
        }
        Opened::Plain(payload.clone())
    }
}

impl From<Message> for Call {
    fn from(message: Message) -> Self {
        Self::of(Source::of_message(&message), Carried::Message(message))
    }
}

impl From<Delivered> for Call {
    fn from(Delivered { entry, context, stream, group }: Delivered) -> Self {
        Self::of(Source::of_stream(stream, group), Carried::Entry { entry, context })
    }
}

impl From<Task> for Call {
    fn from(task: Task) -> Self {
        Self::of(Source::of_queue(task.queue().clone()), Carried::Task(task))
    }
}

#[cfg(test)]
mod tests;
