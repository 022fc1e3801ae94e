//! Emitting events and hints.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use fanfare_client::{Error, ErrorKind};
use serde::Serialize;
use serde_json::Value;

use super::{
    Scope, ServiceState,
    core::Core,
    retention::{ADD, Added},
};
use crate::{
    Call, Envelope, Extract, Head, Sealed, client::Script, layers::TraceParent, stream::StreamId,
};

/// Emits the events of a service. Made by [`RunningService::emitter`](super::RunningService::emitter),
/// and an argument of handlers: that one knows what the handler was called for, and says so in what it
/// emits. Cheap to clone.
///
/// Each event has an id, a time, a version, the service's name as its source, and in its metadata:
///
/// | | |
/// |---|---|
/// | `instance` | the id of the instance |
/// | `scope` | `global`, `other` or `service` |
/// | `causation_id` | the id of the event that the handler was called for, if it was |
/// | `correlation_id` | that of this event, or its id; of one without a cause, its own id |
/// | `traceparent` | a place below the handler's own, or the root of a new trace |
///
/// # Example: an event because of another one
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Envelope, Fanfare, Json, service::{Emitter, Scope, Service}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let (sender, mut paid) = tokio::sync::mpsc::unbounded_channel();
/// let orders = Service::new(&fanfare, "orders of the emitter")
///     .on("order_created", async |Json(amount): Json<u64>, emitter: Emitter| {
///         emitter.emit(Scope::Global, "order_paid", &amount).await.map(drop)
///     })
///     .on("order_paid", move |event: Envelope<u64>| {
///         let _ = sender.send(event.head);
///         async {}
///     })
///     .start()
///     .await?;
/// let receipt = orders.emitter().emit(Scope::Global, "order_created", &7).await?;
/// let head = paid.recv().await.expect("it is paid");
/// assert_eq!(head.text("causation_id"), Some(receipt.event_id.as_str()));
/// assert_eq!(head.text("correlation_id"), Some(receipt.event_id.as_str()));
/// orders.stop(Duration::from_secs(10)).await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Emitter {
    core: Arc<Core>,
    cause: Option<Arc<Head>>,
    here: Option<TraceParent>,
}

/// An event that the broker has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The event's id.
    pub event_id: String,
    /// The stream that it is in.
    pub stream: String,
    /// Its ID there.
    pub id: StreamId,
    /// How many older events had to go for it: see [`Retention::newest`](super::Retention::newest).
    pub trimmed: u64,
}

static ADDING: LazyLock<Script> = LazyLock::new(|| Script::new(ADD));

impl Emitter {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core, cause: None, here: None }
    }

    /// Emits a value as JSON, as an event of this type and of version 1.0.
    ///
    /// It is added at most once: if the connection breaks before the answer comes, it is not sent
    /// again. To repeat it, emit an [`Envelope`] with an [id](Envelope::id) of its own until that
    /// succeeds; handlers that an [`Idempotency`](crate::layers::Idempotency) is around take it once.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] if the value has no JSON, [`ErrorKind::InvalidRecord`] if it does not fit the service's
    /// contract, [`ErrorKind::InvalidRequest`] if the type or the
    /// service's name is empty, [`ErrorKind::Overloaded`] if the stream is full
    /// ([`Retention`](super::Retention)), [`ErrorKind::Closed`] if the service has stopped; otherwise
    /// as [`Stream::add`](crate::stream::Stream::add).
    ///
    /// # Cancel safety
    /// Dropping the future does not take back an event that has been handed to the connection.
    pub async fn emit<T: Serialize + ?Sized>(
        &self,
        scope: Scope,
        kind: &str,
        data: &T,
    ) -> Result<Receipt, Error> {
        self.emit_envelope(scope, Envelope::new(kind, data)).await
    }

    /// Emits an envelope, with a version, an id and metadata of the program's own.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    ///
    /// # Cancel safety
    /// As [`emit`](Self::emit).
    pub async fn emit_envelope<T: Serialize>(
        &self,
        scope: Scope,
        event: Envelope<T>,
    ) -> Result<Receipt, Error> {
        self.emit_sealed(scope, event.seal()?).await
    }

    /// Emits an envelope whose data is bytes: in another form, or compressed.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    ///
    /// # Cancel safety
    /// As [`emit`](Self::emit).
    pub async fn emit_sealed(&self, scope: Scope, event: Sealed) -> Result<Receipt, Error> {
        let emitted = match self.core.agreed.check(&event) {
            Ok(()) => self.add(&scope, event).await,
            Err(error) => Err(error),
        };
        self.counted(emitted)
    }

    /// Emits what every service says of itself, whatever contract there is.
    pub(super) async fn announce<T: Serialize>(
        &self,
        kind: &str,
        data: &T,
    ) -> Result<Receipt, Error> {
        let event = Envelope::new(kind, data).seal()?;
        self.counted(self.add(&Scope::Other, event).await)
    }

    fn counted(&self, emitted: Result<Receipt, Error>) -> Result<Receipt, Error> {
        let mut counts = self.core.counts();
        match &emitted {
            Ok(receipt) => {
                counts.emitted += 1;
                counts.trimmed += receipt.trimmed;
            }
            Err(_) => counts.emit_failed += 1,
        }
        emitted
    }

    /// Publishes a value as a hint: to *every instance* of whom the scope names, at most once, and to
    /// nobody who is not there at the moment. Returns how many subscribed connections got it; of a
    /// cluster, those of one node.
    ///
    /// # Errors
    /// As [`emit`](Self::emit), and as [`Fanfare::publish`](crate::Fanfare::publish).
    ///
    /// # Cancel safety
    /// Dropping the future does not take back a hint that has been handed to the connection.
    pub async fn hint<T: Serialize + ?Sized>(
        &self,
        scope: Scope,
        kind: &str,
        data: &T,
    ) -> Result<u64, Error> {
        self.check(kind)?;
        let channel = self.core.names.of("hints", &scope.target())?;
        let hint = Envelope::new(kind, data).seal()?;
        self.core.agreed.check(&hint)?;
        let hint = self.prepared(&scope, hint);
        self.core.client.fanfare().publish(channel, hint.to_payload()?).await
    }

    async fn add(&self, scope: &Scope, event: Sealed) -> Result<Receipt, Error> {
        self.check(event.head().kind())?;
        let (core, stream) = (&self.core, self.core.names.of("events", &scope.target())?);
        let event = self.prepared(scope, event);
        let fields = event.to_fields()?;
        let mut args = core.retention.args();
        args.extend(fields.into_iter().flat_map(|(name, value)| [name.into(), value]));
        let added: String = core.client.run_script(&ADDING, [&stream], args).await?;
        let Added { id, trimmed } = core.retention.read(&added, &stream)?;
        Ok(Receipt {
            event_id: event.head().id().to_owned(),
            stream: stream.name().into_owned(),
            id,
            trimmed,
        })
    }

    fn check(&self, kind: &str) -> Result<(), Error> {
        if kind.is_empty() {
            let message = "an event has a type: `order_created`, say";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        if self.core.state() == ServiceState::Stopped {
            let message = format!("service {:?} has stopped, and emits no more", self.core.name);
            return Err(Error::new(ErrorKind::Closed, message));
        }
        Ok(())
    }

    /// The event with all that is known about it.
    fn prepared(&self, scope: &Scope, mut event: Sealed) -> Sealed {
        let head = &mut event.head;
        head.source.clone_from(&self.core.name);
        head.metadata.insert("instance".into(), Value::from(self.core.instance.as_str()));
        head.metadata.insert("scope".into(), Value::from(scope.name()));
        let correlation = match self.cause.as_deref() {
            Some(cause) => {
                head.metadata.entry("causation_id".into()).or_insert(Value::from(cause.id()));
                cause.text("correlation_id").unwrap_or(cause.id())
            }
            None => &head.id,
        };
        head.metadata.entry("correlation_id".into()).or_insert(Value::from(correlation));
        let came = || self.cause.as_ref()?.text("traceparent")?.parse().ok();
        let above: Option<TraceParent> = self.here.or_else(came);
        let place = above.map_or_else(TraceParent::root, TraceParent::child).to_string();
        head.metadata.entry("traceparent".into()).or_insert(Value::from(place));
        event
    }
}

impl<S> Extract<S, Call> for Emitter {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        let absent = || {
            let message = "there is no emitter: the handler is not one of a service";
            Error::new(ErrorKind::Decode, message)
        };
        let core = call.noted::<Arc<Core>>().ok_or_else(absent)?.clone();
        let cause = call.head().cloned().map(Arc::new);
        Ok(Self { core, cause, here: call.noted::<TraceParent>().copied() })
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("service", &self.core.name)
            .field("cause", &self.cause.as_ref().map(|it| it.id()))
            .finish_non_exhaustive()
    }
}
