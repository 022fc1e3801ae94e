//! Many handlers on one subscription, each on threads apart.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::mpsc;
use tower_service::Service;

use super::{Fanfare, runtime};
use crate::{
    BoxError, Error, Extract, Failed, Gap, HandlerService, Kind, Message, Outcome, Overflow,
    Pattern, RouteId, RouteStats, RouterStats,
    handle::{Undecodable, panic_text},
};

/// A function whose arguments are [extracted](Extract) from the message, or from the entry that a
/// worker was given: none to six of them. It returns nothing or a `Result<(), E>`, and may block. The
/// twin of [`fanfare::Handle`](crate::Handle).
pub trait Handle<Args, S, M = Message>: Send + Sync + 'static {
    /// Handles a message.
    ///
    /// # Errors
    /// Why it could not be handled.
    fn handle(&self, message: M, state: &S) -> Result<(), BoxError>;
}

macro_rules! handle_functions {
    ($(($($arg:ident $value:ident),*),)+) => {$(
        impl<F, T, S, M, $($arg),*> Handle<($($arg,)*), S, M> for F
        where
            F: Fn($($arg),*) -> T + Send + Sync + 'static,
            T: Outcome,
            $($arg: Extract<S, M>,)*
        {
            fn handle(&self, message: M, state: &S) -> Result<(), BoxError> {
                $(let $value = $arg::extract(&message, state).map_err(Undecodable)?;)*
                // A function without arguments asks for nothing.
                let _ = (message, state);
                self($($value),*).failure().map_or(Ok(()), Err)
            }
        }
    )+};
}

handle_functions!(
    (),
    (A a),
    (A a, B b),
    (A a, B b, C c),
    (A a, B b, C c, D d),
    (A a, B b, C c, D d, E e),
    (A a, B b, C c, D d, E e, G g),
);

/// A handler that is called on a thread apart.
struct Apart<H>(Arc<H>);

/// The arguments of a handler that is called apart.
pub(super) struct ArgsApart<Args>(std::marker::PhantomData<Args>);

impl<H, Args, S, M> crate::Handle<ArgsApart<Args>, S, M> for Apart<H>
where
    H: Handle<Args, S, M>,
    S: Clone + Send + Sync + 'static,
    M: Send + 'static,
{
    fn handle(&self, message: M, state: &S) -> BoxFuture<'static, Result<(), BoxError>> {
        let (handler, state) = (self.0.clone(), state.clone());
        Box::pin(runtime::apart(move || handler.handle(message, &state)))
    }
}

/// A handler for whoever calls asynchronous ones.
pub(super) fn apart<H, Args, S, M>(handler: H) -> impl crate::Handle<ArgsApart<Args>, S, M>
where
    H: Handle<Args, S, M>,
    S: Clone + Send + Sync + 'static,
    M: Send + 'static,
{
    Apart(Arc::new(handler))
}

/// Turns a handler into a service: it is called on a thread apart, so it may block, and layers fit
/// around it. The twin of [`fanfare::service`](crate::service()).
///
/// Layers that keep something in the broker are made with the asynchronous handle
/// ([`Fanfare::asynchronous`]). A time limit gives a call up, but can not stop the thread that it is on.
///
/// # Example: the default stack around a function that may block
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Json, Kind, blocking::{self, Fanfare}, layers::{Idempotency, Layer, Stack}};
///
/// let fanfare = Fanfare::connect("embedded:")?;
/// let once = Idempotency::new(fanfare.asynchronous(), "billing");
/// let handler = blocking::service(|Json(amount): Json<u32>| println!("{amount}"), ());
/// let service = Stack::new("billing").idempotency(once).layer(handler);
/// let router = fanfare.router().service(Kind::Channel, "orders", service).start()?;
/// fanfare.publish("orders", "7")?;
/// assert_eq!(router.wait_finished(1).routes[0].handled, 1);
/// # Ok::<_, fanfare::Error>(())
/// ```
pub fn service<H, Args, S, M>(handler: H, state: S) -> HandlerService<M>
where
    H: Handle<Args, S, M>,
    S: Clone + Send + Sync + 'static,
    M: Send + 'static,
{
    crate::service(apart(handler), state)
}

/// Called for the gaps of the router's subscription.
type OnGap = Box<dyn Fn(&Gap) + Send + Sync>;

/// The twin of [`fanfare::Router`](crate::Router): calls handlers by channel, pattern and sharded
/// channel. Made by [`Fanfare::router`]; [`start`](Self::start) brings it to life.
///
/// A handler is a plain function whose arguments say what it wants of a message ([`Extract`]). It is
/// called on a thread apart, so it may block: that delays its own messages only. Messages of one
/// channel are handled one after the other; those of different channels side by side, up to the
/// handler's [`concurrency`](Self::concurrency), each on a thread of its own.
///
/// # Example: orders, audit, and the rest
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Channel, Failed, Json, Raw, blocking::Fanfare};
///
/// #[derive(serde::Deserialize)]
/// struct Order { id: u64 }
///
/// let fanfare = Fanfare::connect("embedded:")?;
/// let router = fanfare
///     .router()
///     .channel("orders", |Json(order): Json<Order>| println!("order {}", order.id))
///     .concurrency(4)
///     .pattern("audit.*", |channel: Channel, Raw(bytes): Raw| {
///         println!("{}: {} bytes", channel.name(), bytes.len());
///     })
///     .on_error(|failed: Failed| eprintln!("{}", failed.reason))
///     .start()?;
/// fanfare.publish("orders", r#"{"id": 7}"#)?;
/// fanfare.publish("orders", "no order")?;
/// let stats = router.wait_finished(2);
/// assert_eq!((stats.routes[0].handled, stats.routes[0].undecodable), (1, 1));
/// # Ok::<_, fanfare::Error>(())
/// ```
#[must_use = "nothing happens before `start`"]
pub struct Router<S = ()> {
    inner: crate::Router<S>,
    on_gap: Option<OnGap>,
}

impl Fanfare {
    /// A router to be described: see [`Router`].
    pub fn router(&self) -> Router {
        Router { inner: self.inner.router(), on_gap: None }
    }
}

impl<S: Clone + Send + Sync + 'static> Router<S> {
    /// What the handlers that are added from here on share, and can ask for as
    /// [`State`](crate::State).
    pub fn state<T>(self, state: T) -> Router<T> {
        Router { inner: self.inner.state(state), on_gap: self.on_gap }
    }

    /// Calls a handler for each message of a channel.
    pub fn channel<H, Args>(self, name: impl AsRef<[u8]>, handler: H) -> Self
    where
        H: Handle<Args, S>,
    {
        Self { inner: self.inner.channel(name, apart(handler)), ..self }
    }

    /// Calls a handler for each message of the channels that match a glob pattern.
    pub fn pattern<H, Args>(self, pattern: impl AsRef<[u8]>, handler: H) -> Self
    where
        H: Handle<Args, S>,
    {
        Self { inner: self.inner.pattern(pattern, apart(handler)), ..self }
    }

    /// Calls a handler for each message of the channels that match a [`Pattern`] of segments, exactly.
    pub fn matching<H, Args>(self, pattern: &Pattern, handler: H) -> Self
    where
        H: Handle<Args, S>,
    {
        Self { inner: self.inner.matching(pattern, apart(handler)), ..self }
    }

    /// Calls a handler for each message of a sharded channel.
    pub fn sharded<H, Args>(self, name: impl AsRef<[u8]>, handler: H) -> Self
    where
        H: Handle<Args, S>,
    {
        Self { inner: self.inner.sharded(name, apart(handler)), ..self }
    }

    /// Calls a handler for each message of the channels that match a glob pattern and that no handler
    /// of this router names by [`channel`](Self::channel).
    pub fn fallback<H, Args>(self, pattern: impl AsRef<[u8]>, handler: H) -> Self
    where
        H: Handle<Args, S>,
    {
        Self { inner: self.inner.fallback(pattern, apart(handler)), ..self }
    }

    /// Calls a service for each message of a channel, a pattern or a sharded channel: a handler with
    /// layers around it. See [`Router::service`](crate::Router::service).
    pub fn service<T, M>(self, kind: Kind, name: impl AsRef<[u8]>, service: T) -> Self
    where
        T: Service<M, Response = (), Error: Into<BoxError>, Future: Send> + Clone,
        T: Send + Sync + 'static,
        M: From<Message> + Send,
    {
        Self { inner: self.inner.service(kind, name, service), ..self }
    }

    /// How many messages each handler that is added from here on handles at the same time, each of
    /// another channel and on a thread of its own. Default: 1. 0 counts as 1.
    pub fn concurrency(self, n: usize) -> Self {
        Self { inner: self.inner.concurrency(n), ..self }
    }

    /// Bounds the queues of the handlers that are added from here on, and says what happens when one
    /// is full. [`Overflow::Block`] is refused: it would hold back all the others.
    pub fn queue(self, overflow: Overflow, messages_max: usize, bytes_max: usize) -> Self {
        Self { inner: self.inner.queue(overflow, messages_max, bytes_max), ..self }
    }

    /// Calls a function, on a thread apart, for each message that a handler could not decode, failed
    /// over or panicked over. While it runs, the handler's channel waits, and nobody else.
    pub fn on_error(self, on_error: impl Fn(Failed) + Send + Sync + 'static) -> Self {
        let on_error = Arc::new(on_error);
        let on_error = move |failed| {
            let on_error = on_error.clone();
            runtime::apart(move || on_error(failed))
        };
        Self { inner: self.inner.on_error(on_error), ..self }
    }

    /// Calls a function, on a thread apart, for each [`Gap`]: a place at which messages of any handler
    /// are or may be missing. It may block; gaps that come meanwhile are told as one.
    pub fn on_gap(self, on_gap: impl Fn(&Gap) + Send + Sync + 'static) -> Self {
        Self { on_gap: Some(Box::new(on_gap)), ..self }
    }

    /// Subscribes to all of it, and returns after the server has confirmed everything: what is
    /// published from now on is handled.
    ///
    /// # Errors
    /// As [`Router::start`](crate::Router::start).
    pub fn start(self) -> Result<RunningRouter<S>, Error> {
        let Self { mut inner, on_gap } = self;
        let inner = runtime::wait(async {
            if let Some(on_gap) = on_gap {
                let gaps = Gaps::default();
                let (bell, rung) = mpsc::channel(1);
                tokio::spawn(gaps.clone().tell(on_gap, rung));
                inner = inner.on_gap(move |gap| {
                    gaps.add(gap);
                    // If it rings already, this gap is told with the one before.
                    let _ = bell.try_send(());
                });
            }
            inner.start().await
        })?;
        Ok(RunningRouter { inner })
    }
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The gaps that were not told yet, as one.
#[derive(Clone, Default)]
struct Gaps(Arc<Mutex<Option<Gap>>>);

impl Gaps {
    fn add(&self, gap: &Gap) {
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untold.get_or_insert_default().merge(gap.clone());
    }

    fn take(&self) -> Option<Gap> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Calls the function whenever the bell has rung, until nobody can ring it any more.
    async fn tell(self, on_gap: OnGap, mut rung: mpsc::Receiver<()>) {
        let on_gap: Arc<OnGap> = Arc::new(on_gap);
        while rung.recv().await.is_some() {
            let Some(gap) = self.take() else { continue };
            let on_gap = on_gap.clone();
            let telling = runtime::apart(move || on_gap(&gap));
            if let Err(panic) = AssertUnwindSafe(telling).catch_unwind().await {
                tracing::error!(panic = %panic_text(&*panic), "a router's `on_gap` panicked");
            }
        }
    }
}

/// The twin of [`fanfare::RunningRouter`](crate::RunningRouter). Dropping it unsubscribes: what is
/// being handled is finished, what waits is not begun.
#[must_use = "the router stops when this is dropped"]
pub struct RunningRouter<S = ()> {
    inner: crate::RunningRouter<S>,
}

/// Makes the methods that add a handler of one kind.
macro_rules! adding {
    ($($(#[$doc:meta])+ $method:ident, $name:ident;)+) => {
        impl<S: Clone + Send + Sync + 'static> RunningRouter<S> {$(
            $(#[$doc])+
            /// Returns after the server has confirmed it.
            ///
            /// # Errors
            /// As the asynchronous method of the same name.
            pub fn $method<H, Args>(
                &self,
                $name: impl AsRef<[u8]>,
                handler: H,
            ) -> Result<RouteId, Error>
            where
                H: Handle<Args, S>,
            {
                runtime::wait(self.inner.$method($name, apart(handler)))
            }
        )+}
    };
}

adding! {
    /// Adds a handler of a channel.
    channel, name;
    /// Adds a handler of all channels that match a glob pattern.
    pattern, pattern;
    /// Adds a handler of a sharded channel.
    sharded, name;
}

impl<S: Clone + Send + Sync + 'static> RunningRouter<S> {
    /// Adds a handler of all channels that match a [`Pattern`] of segments, exactly. Returns after the
    /// server has confirmed it.
    ///
    /// # Errors
    /// As the asynchronous method of the same name.
    pub fn matching<H, Args>(&self, pattern: &Pattern, handler: H) -> Result<RouteId, Error>
    where
        H: Handle<Args, S>,
    {
        runtime::wait(self.inner.matching(pattern, apart(handler)))
    }
}

impl<S> RunningRouter<S> {
    /// The counts so far.
    pub fn stats(&self) -> RouterStats {
        self.inner.stats()
    }

    /// Why the router has ended by itself, if it has.
    pub fn error(&self) -> Option<Error> {
        self.inner.error()
    }

    /// Unsubscribes, waits for what is being handled, and returns the final counts. What waits is
    /// not begun.
    pub fn stop(self) -> RouterStats {
        runtime::wait(self.inner.stop())
    }

    /// Unsubscribes, waits until everything that has arrived is handled, and returns the final
    /// counts.
    pub fn finish(self) -> RouterStats {
        runtime::wait(self.inner.finish())
    }

    /// Removes a handler, and unsubscribes from what no other one wants. Waits for what it is
    /// handling, and returns its counts, or `None` if there is no such handler.
    pub fn remove(&self, id: RouteId) -> Option<RouteStats> {
        runtime::wait(self.inner.remove(id))
    }

    /// Waits until at least `n` messages are [finished](RouterStats::finished), or the router has
    /// ended, and returns the counts.
    pub fn wait_finished(&self, n: u64) -> RouterStats {
        runtime::wait(self.inner.wait_finished(n))
    }
}

impl<S> fmt::Debug for RunningRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
