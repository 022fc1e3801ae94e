//! Many handlers on one subscription.

mod lanes;
mod route;
mod running;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Gap, Kind, Message, Overflow, Queue};
use tower_service::Service;

use crate::{
    BoxError, Fanfare, Handle, Pattern,
    handle::{Endpoint, endpoint, endpoint_of_service},
};
use route::{OnError, Plan};

pub use route::{Failed, FailedReason, RouteId, RouteStats};
pub use running::{RouterStats, RunningRouter};

/// Called for every gap of the router's subscription.
type OnGap = Arc<dyn Fn(&Gap) + Send + Sync>;

/// Calls handlers by channel, pattern and sharded channel: a description of it, which
/// [`start`](Self::start) brings to life. Made by [`Fanfare::router`].
///
/// A handler is an asynchronous function whose arguments say what it wants of a message, as in axum:
/// `async |Json(order): Json<Order>| …`; see [`Extract`](crate::Extract). It returns nothing or a `Result<(), E>`.
///
/// - All handlers share *one* subscription. Several may have the same channel; each gets every
///   message.
/// - Messages of one channel are handled one after the other, in their order; those of different
///   channels side by side, up to the handler's [`concurrency`](Self::concurrency).
/// - A slow, failing or panicking handler harms only itself: each has a bounded
///   [`queue`](Self::queue) with a policy, and what that drops is counted in its [`RouteStats`].
/// - Delivery is at most once: a message that fails is not handled again; [`on_error`](Self::on_error)
///   gets it.
///
/// # Example: orders, audit, and the rest
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
/// use fanfare::{Channel, Failed, Fanfare, Json, Raw, State};
///
/// #[derive(serde::Deserialize)]
/// struct Order { id: u64 }
///
/// #[derive(Clone, Default)]
/// struct App { last_order: Arc<AtomicU64> }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let app = App::default();
/// let router = fanfare
///     .router()
///     .state(app.clone())
///     .channel("orders", async |State(app): State<App>, Json(order): Json<Order>| {
///         app.last_order.store(order.id, Ordering::Relaxed);
///     })
///     .concurrency(16)
///     .pattern("audit.*", async |channel: Channel, Raw(bytes): Raw| {
///         println!("{}: {} bytes", channel.name(), bytes.len());
///     })
///     .on_error(async |failed: Failed| eprintln!("{}", failed.reason))
///     .start()
///     .await?;
/// fanfare.publish("orders", r#"{"id": 7}"#).await?;
/// fanfare.publish("orders", "no order").await?;
/// let stats = router.wait_finished(2).await;
/// assert_eq!(app.last_order.load(Ordering::Relaxed), 7);
/// assert_eq!((stats.routes[0].handled, stats.routes[0].undecodable), (1, 1));
/// # Ok(()) }
/// ```
#[must_use = "nothing happens before `start`"]
pub struct Router<S = ()> {
    fanfare: Fanfare,
    state: S,
    plans: Vec<Plan>,
    settings: Settings,
    on_error: Option<OnError>,
    on_gap: Option<OnGap>,
    /// The first thing that is wrong with the description.
    error: Option<Error>,
}

/// What holds for the handlers that are added next.
#[derive(Clone, Copy, Debug)]
struct Settings {
    queue: Queue,
    concurrency: usize,
}

impl Settings {
    fn plan(self, kind: Kind, name: &[u8], endpoint: Endpoint) -> Plan {
        let Self { queue, concurrency } = self;
        let name = Bytes::copy_from_slice(name);
        Plan { kind, name, is_fallback: false, only: None, endpoint, queue, concurrency }
    }
}

impl Fanfare {
    /// A router to be described: see [`Router`].
    pub fn router(&self) -> Router {
        let queue = match self.link().options().default_queue() {
            // A handler must not hold back the others.
            Queue { overflow: Overflow::Block, messages_max, bytes_max } => {
                Queue::new(Overflow::default(), messages_max, bytes_max)
            }
            queue => queue,
        };
        Router {
            fanfare: self.clone(),
            state: (),
            plans: Vec::new(),
            settings: Settings { queue, concurrency: 1 },
            on_error: None,
            on_gap: None,
            error: None,
        }
    }
}

impl<S: Clone + Send + Sync + 'static> Router<S> {
    /// What the handlers that are added from here on share, and can ask for as [`State`](crate::State).
    pub fn state<T>(self, state: T) -> Router<T> {
        let Self { fanfare, plans, settings, on_error, on_gap, error, .. } = self;
        Router { fanfare, state, plans, settings, on_error, on_gap, error }
    }

    /// Calls a handler for each message of a channel.
    pub fn channel<H, Args>(self, name: impl AsRef<[u8]>, handler: H) -> Self
    where
        H: Handle<Args, S>,
    {
        let endpoint = endpoint(handler, self.state.clone());
        self.with(Kind::Channel, name.as_ref(), endpoint)
    }

    /// Calls a handler for each message of the channels that match a glob pattern.
    pub fn pattern<H, Args>(self, pattern: impl AsRef<[u8]>, handler: H) -> Self
    where
        H: Handle<Args, S>,
    {
        let endpoint = endpoint(handler, self.state.clone());
        self.with(Kind::Pattern, pattern.as_ref(), endpoint)
    }

    /// Calls a handler for each message of the channels that match a [`Pattern`] of segments, exactly.
    ///
    /// # Example: high alerts of any system
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # use fanfare::{Fanfare, Pattern};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = Fanfare::connect("embedded:").await?;
    /// let high = Pattern::new("alerts").any().segment("high")?;
    /// let router = fanfare.router().matching(&high, async || println!("high")).start().await?;
    /// // The server sends it, since its glob knows no segments; the handler is not called.
    /// fanfare.publish("alerts:disk:slow:high", "").await?;
    /// fanfare.publish("alerts:disk:high", "").await?;
    /// assert_eq!(router.wait_finished(1).await.routes[0].received, 1);
    /// # Ok(()) }
    /// ```
    pub fn matching<H, Args>(mut self, pattern: &Pattern, handler: H) -> Self
    where
        H: Handle<Args, S>,
    {
        let endpoint = endpoint(handler, self.state.clone());
        let plan = self.settings.plan(Kind::Pattern, pattern.glob(), endpoint);
        self.plans.push(Plan { only: Some(pattern.clone()), ..plan });
        self
    }

    /// Calls a handler for each message of a sharded channel.
    pub fn sharded<H, Args>(self, name: impl AsRef<[u8]>, handler: H) -> Self
    where
        H: Handle<Args, S>,
    {
        let endpoint = endpoint(handler, self.state.clone());
        self.with(Kind::Shard, name.as_ref(), endpoint)
    }

    /// Calls a handler for each message of the channels that match a glob pattern and that no handler
    /// of this router names by [`channel`](Self::channel). Handlers of other patterns make no
    /// difference.
    pub fn fallback<H, Args>(mut self, pattern: impl AsRef<[u8]>, handler: H) -> Self
    where
        H: Handle<Args, S>,
    {
        let endpoint = endpoint(handler, self.state.clone());
        let plan = self.settings.plan(Kind::Pattern, pattern.as_ref(), endpoint);
        self.plans.push(Plan { is_fallback: true, ..plan });
        self
    }

    /// Calls a `tower` service for each message. It is cloned for each and waited for until it is
    /// ready; [`service`](crate::service()) turns a handler into one, around which layers can be put.
    /// It may be one of [`Message`]s or of [`Call`](crate::Call)s.
    pub fn service<T, M>(self, kind: Kind, name: impl AsRef<[u8]>, service: T) -> Self
    where
        T: Service<M, Response = (), Error: Into<BoxError>, Future: Send> + Clone,
        T: Send + Sync + 'static,
        M: From<Message> + Send,
    {
        self.with(kind, name.as_ref(), endpoint_of_service(service))
    }

    /// How many messages each handler that is added from here on handles at the same time, each of
    /// another channel. Default: 1. 0 counts as 1.
    pub fn concurrency(mut self, n: usize) -> Self {
        self.settings.concurrency = n.max(1);
        self
    }

    /// Bounds the queues of the handlers that are added from here on, and says what happens when one
    /// is full. The default is that of the connection's options.
    ///
    /// [`Overflow::Block`] is refused: it would hold back all the others. A handler that must not
    /// lose anything belongs to a [`Subscriber`](crate::Subscriber) of its own. With
    /// [`Overflow::Disconnect`] a handler that does not keep up ends, after what was queued before.
    pub fn queue(mut self, overflow: Overflow, messages_max: usize, bytes_max: usize) -> Self {
        self.settings.queue = Queue::new(overflow, messages_max, bytes_max);
        let what = match overflow {
            Overflow::Block => {
                "a router's handler can not block, since it would hold back the others: give it a \
                 subscriber of its own"
            }
            Overflow::DropOldest | Overflow::DropNewest | Overflow::Disconnect
                if messages_max == 0 || bytes_max == 0 =>
            {
                "a queue must hold at least 1 message and 1 byte"
            }
            Overflow::DropOldest | Overflow::DropNewest | Overflow::Disconnect => return self,
        };
        self.error.get_or_insert_with(|| Error::new(ErrorKind::InvalidOption, what));
        self
    }

    /// Calls a function for each message that a handler could not decode, failed over or panicked
    /// over. It runs in the handler's place: while it runs, the handler's channel waits, and nobody
    /// else. If it panics, that is logged.
    pub fn on_error<F, Fut>(mut self, on_error: F) -> Self
    where
        F: Fn(Failed) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.on_error = Some(Arc::new(move |failed| Box::pin(on_error(failed))));
        self
    }

    /// Calls a function for each [`Gap`]: a place at which messages of any handler are or may be
    /// missing. It must be quick, since all messages wait for it.
    pub fn on_gap(mut self, on_gap: impl Fn(&Gap) + Send + Sync + 'static) -> Self {
        self.on_gap = Some(Arc::new(on_gap));
        self
    }

    /// Subscribes to all of it, and returns after the server has confirmed everything: what is
    /// published from now on is handled.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] if a queue can not work, [`ErrorKind::InvalidRequest`] if there
    /// is no handler, and as [`Fanfare::subscribe`].
    ///
    /// # Cancel safety
    /// Dropping the future takes the subscription back.
    pub async fn start(self) -> Result<RunningRouter<S>, Error> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        RunningRouter::start(self).await
    }

    fn with(mut self, kind: Kind, name: &[u8], endpoint: Endpoint) -> Self {
        self.plans.push(self.settings.plan(kind, name, endpoint));
        self
    }
}

#[cfg(feature = "schema")]
impl<S> Router<S> {
    /// What it is called for, in the order in which it was described.
    pub(crate) fn names(&self) -> impl Iterator<Item = (Kind, &Bytes)> {
        self.plans.iter().map(|plan| (plan.kind, &plan.name))
    }
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.plans.iter().map(|plan| (plan.kind, &plan.name)).collect();
        f.debug_struct("Router").field("routes", &names).finish_non_exhaustive()
    }
}
