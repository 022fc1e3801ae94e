//! A router that runs: who gets what, and who comes and goes.

use std::{
    collections::HashMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use fanfare_client::{
    Delivery, Error, Kind, Message, Subscription, SubscriptionNames, SubscriptionStats,
};
use foldhash::fast::RandomState;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    Fanfare, Handle, Pattern,
    handle::{endpoint, panic_text},
    pubsub::router::{
        OnGap, Router, Settings,
        route::{Finished, OnError, Plan, Route, RouteId, RouteStats},
    },
};

/// The counts of a router.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RouterStats {
    /// Those of its handlers, in the order in which they were added.
    pub routes: Vec<RouteStats>,
    /// Those of the subscription that they share.
    pub subscription: SubscriptionStats,
    /// Messages for which there was no handler (any more).
    pub unrouted: u64,
}

impl RouterStats {
    /// Messages whose handling has ended, for better or worse; those that went to several handlers
    /// count for each.
    pub fn finished(&self) -> u64 {
        let finished = |it: &RouteStats| it.handled + it.failed + it.undecodable + it.panicked;
        self.routes.iter().map(finished).sum()
    }
}

/// A [`Router`] that runs. Dropping it unsubscribes: what is being handled is finished, what waits
/// is not begun.
///
/// Handlers can be added and removed while it runs; they use the queue and the concurrency that
/// the description ended with.
#[must_use = "the router stops when this is dropped"]
pub struct RunningRouter<S = ()> {
    /// Dropping it stops the loop.
    stop: watch::Sender<()>,
    shared: Arc<Shared>,
    fanfare: Fanfare,
    state: S,
    settings: Settings,
    on_error: Option<OnError>,
    dispatcher: JoinHandle<()>,
}

/// What the handle and the loop share.
struct Shared {
    names: SubscriptionNames,
    table: RwLock<Table>,
    /// The tasks of the handlers.
    hands: Mutex<HashMap<RouteId, Vec<JoinHandle<()>>>>,
    /// One change of the subscription at a time.
    changes: tokio::sync::Mutex<()>,
    next_id: AtomicU64,
    n_unrouted: AtomicU64,
    /// Told whenever a handler has finished a message, and at the end.
    finished: Arc<Finished>,
    /// Whether nothing is handed out any more.
    has_ended: AtomicBool,
    /// Whether, at the end, what waits is handled.
    must_drain: AtomicBool,
}

/// Which handlers there are.
#[derive(Default)]
struct Table {
    channels: Routes,
    patterns: Routes,
    shards: Routes,
}

type Routes = HashMap<Bytes, Vec<Arc<Route>>, RandomState>;

/// Messages that the loop hands out before it lets others have their turn.
const TURN: usize = 512;

impl<S: Clone + Send + Sync + 'static> RunningRouter<S> {
    pub(super) async fn start(router: Router<S>) -> Result<Self, Error> {
        let Router { fanfare, state, plans, settings, on_error, on_gap, .. } = router;
        let names = plans.iter().map(|plan| (plan.kind, plan.name.clone()));
        // Its queue only bridges the moment until a message is in its handlers' queues.
        let queue = fanfare_client::Queue::default();
        let subscription = fanfare.link().subscribe(names.collect::<Vec<_>>(), queue).await?;
        let shared = Arc::new(Shared {
            names: subscription.names(),
            table: RwLock::default(),
            hands: Mutex::default(),
            changes: tokio::sync::Mutex::default(),
            next_id: AtomicU64::new(1),
            n_unrouted: AtomicU64::new(0),
            finished: Arc::default(),
            has_ended: AtomicBool::new(false),
            must_drain: AtomicBool::new(false),
        });
        for plan in plans {
            shared.insert(&fanfare, plan, on_error.clone());
        }
        let (stop, stopped) = watch::channel(());
        let dispatcher = tokio::spawn(run(subscription, shared.clone(), on_gap, stopped));
        Ok(Self { stop, shared, fanfare, state, settings, on_error, dispatcher })
    }

    async fn add<H, Args>(&self, kind: Kind, name: &[u8], handler: H) -> Result<RouteId, Error>
    where
        H: Handle<Args, S>,
    {
        self.add_plan(self.settings.plan(kind, name, endpoint(handler, self.state.clone()))).await
    }

    async fn add_plan(&self, plan: Plan) -> Result<RouteId, Error> {
        let (kind, name) = (plan.kind, plan.name.clone());
        let changes = self.shared.changes.lock().await;
        // In place before the first message can come.
        let id = self.shared.insert(&self.fanfare, plan, self.on_error.clone());
        let added = self.shared.names.add([(kind, name)]).await;
        drop(changes);
        if let Err(error) = added {
            self.remove(id).await;
            return Err(error);
        }
        Ok(id)
    }
}

/// Makes the methods that add a handler of one kind.
macro_rules! adding {
    ($($(#[$doc:meta])+ $method:ident, $name:ident, $kind:expr;)+) => {
        impl<S: Clone + Send + Sync + 'static> RunningRouter<S> {$(
            $(#[$doc])+
            /// Returns after the server has confirmed it.
            ///
            /// # Errors
            /// As [`Fanfare::subscribe`]; then it was not added.
            ///
            /// # Cancel safety
            /// Dropping the future may leave the handler in place.
            pub async fn $method<H, Args>(
                &self,
                $name: impl AsRef<[u8]>,
                handler: H,
            ) -> Result<RouteId, Error>
            where
                H: Handle<Args, S>,
            {
                self.add($kind, $name.as_ref(), handler).await
            }
        )+}
    };
}

adding! {
    /// Adds a handler of a channel.
    channel, name, Kind::Channel;
    /// Adds a handler of all channels that match a glob pattern.
    pattern, pattern, Kind::Pattern;
    /// Adds a handler of a sharded channel.
    sharded, name, Kind::Shard;
}

impl<S: Clone + Send + Sync + 'static> RunningRouter<S> {
    /// Adds a handler of all channels that match a [`Pattern`] of segments, exactly. Returns after the
    /// server has confirmed it.
    ///
    /// # Errors
    /// As [`Fanfare::subscribe`]; then it was not added.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the handler in place.
    pub async fn matching<H, Args>(&self, pattern: &Pattern, handler: H) -> Result<RouteId, Error>
    where
        H: Handle<Args, S>,
    {
        let endpoint = endpoint(handler, self.state.clone());
        let plan = self.settings.plan(Kind::Pattern, pattern.glob(), endpoint);
        self.add_plan(Plan { only: Some(pattern.clone()), ..plan }).await
    }
}

impl<S> RunningRouter<S> {
    /// Removes a handler, and unsubscribes from what no other one wants. What it is handling is
    /// finished; what waits is not begun. Returns its counts, or `None` if there is no such handler.
    ///
    /// A handler that waits for its own removal waits for itself: leave that to another task.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the channel subscribed; the handler is gone.
    pub async fn remove(&self, id: RouteId) -> Option<RouteStats> {
        let changes = self.shared.changes.lock().await;
        let (route, is_last) = self.shared.take(id)?;
        route.end(false);
        if is_last {
            self.shared.names.remove([(route.plan.kind, route.plan.name.clone())]).await;
        }
        // However long the handler takes, others can come and go.
        drop(changes);
        self.shared.join(&[id]).await;
        Some(route.stats())
    }

    /// The counts so far.
    pub fn stats(&self) -> RouterStats {
        self.shared.stats()
    }

    /// Why the router has ended by itself, if it has: [`ErrorKind::Closed`] after the connection was
    /// closed.
    ///
    /// [`ErrorKind::Closed`]: crate::ErrorKind::Closed
    pub fn error(&self) -> Option<Error> {
        self.shared.names.error()
    }

    /// Unsubscribes, waits for what is being handled, and returns the final counts. What waits is
    /// not begun.
    pub async fn stop(self) -> RouterStats {
        self.end(false).await
    }

    /// Unsubscribes, waits until everything that has arrived is handled, and returns the final
    /// counts.
    pub async fn finish(self) -> RouterStats {
        self.end(true).await
    }

    /// Waits until at least `n` messages are [finished](RouterStats::finished), or the router has
    /// ended, and returns the counts. A handler that was removed takes its own with it.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn wait_finished(&self, n: u64) -> RouterStats {
        let is_done = || {
            let stats = self.stats();
            (n <= stats.finished() || self.shared.has_ended()).then_some(stats)
        };
        self.shared.finished.wait_until(is_done).await
    }

    async fn end(self, must_drain: bool) -> RouterStats {
        let Self { stop, shared, dispatcher, .. } = self;
        shared.must_drain.store(must_drain, Ordering::Relaxed);
        drop(stop);
        // It ends by itself, and what it calls is caught.
        let _ = dispatcher.await;
        let ids: Vec<_> = shared.lock_hands().keys().copied().collect();
        shared.join(&ids).await;
        shared.stats()
    }
}

impl<S> fmt::Debug for RunningRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningRouter").field("stats", &self.shared.stats()).finish_non_exhaustive()
    }
}

impl Shared {
    /// Puts a handler in place and starts its hands.
    fn insert(&self, fanfare: &Fanfare, plan: Plan, on_error: Option<OnError>) -> RouteId {
        let id = RouteId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let concurrency = plan.concurrency;
        let route = Arc::new(Route::new(id, plan, on_error, self.finished.clone()));
        fanfare.link().watch(&route);
        let hands = (0..concurrency).map(|_| tokio::spawn(route.clone().hand())).collect();
        self.lock_hands().insert(id, hands);
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let routes = table.routes(route.plan.kind);
        routes.entry(route.plan.name.clone()).or_default().push(route);
        id
    }

    /// Takes a handler away, and says whether it was the last of its channel or pattern.
    fn take(&self, id: RouteId) -> Option<(Arc<Route>, bool)> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            let routes = table.routes(kind);
            let found = routes.values_mut().find_map(|routes| {
                let idx = routes.iter().position(|it| it.id == id)?;
                Some(routes.remove(idx))
            });
            if let Some(route) = found {
                let is_last = routes.get(&route.plan.name).is_none_or(Vec::is_empty);
                if is_last {
                    routes.remove(&route.plan.name);
                }
                return Some((route, is_last));
            }
        }
        None
    }

    /// Waits until these handlers' hands rest.
    async fn join(&self, ids: &[RouteId]) {
        for id in ids {
            let hands = self.lock_hands().remove(id).unwrap_or_default();
            for hand in hands {
                // What it calls is caught.
                let _ = hand.await;
            }
        }
    }

    fn dispatch(&self, message: &Message) {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let (routes, name) = match message.kind {
            Kind::Channel => (&table.channels, &message.channel),
            Kind::Shard => (&table.shards, &message.channel),
            Kind::Pattern => {
                (&table.patterns, message.pattern.as_ref().unwrap_or(&message.channel))
            }
        };
        let Some(routes) = routes.get(name) else {
            self.n_unrouted.fetch_add(1, Ordering::Relaxed);
            return;
        };
        for route in routes {
            let Plan { is_fallback, only, .. } = &route.plan;
            if only.as_ref().is_none_or(|it| it.matches(&message.channel))
                && (!is_fallback || !table.channels.contains_key(&message.channel))
            {
                route.push(message.clone());
            }
        }
    }

    /// Ends all handlers.
    fn end(&self) {
        let must_drain = self.must_drain.load(Ordering::Relaxed);
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        for route in table.all() {
            route.end(must_drain);
        }
        drop(table);
        self.has_ended.store(true, Ordering::SeqCst);
        self.finished.tell();
    }

    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    fn stats(&self) -> RouterStats {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut routes: Vec<_> = table.all().map(|route| route.stats()).collect();
        routes.sort_unstable_by_key(|stats| stats.id);
        RouterStats {
            routes,
            subscription: self.names.stats(),
            unrouted: self.n_unrouted.load(Ordering::Relaxed),
        }
    }

    fn lock_hands(&self) -> MutexGuard<'_, HashMap<RouteId, Vec<JoinHandle<()>>>> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn routes(&mut self, kind: Kind) -> &mut Routes {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Route>> {
        [&self.channels, &self.patterns, &self.shards]
            .into_iter()
            .flat_map(|routes| routes.values().flatten())
    }
}

/// Hands out messages until the handle is dropped or the connection closed.
async fn run(
    mut subscription: Subscription,
    shared: Arc<Shared>,
    on_gap: Option<OnGap>,
    mut stopped: watch::Receiver<()>,
) {
    let mut deliveries = Vec::with_capacity(TURN);
    loop {
        let n = tokio::select! {
            n = subscription.next_many(&mut deliveries, TURN) => n,
            // Only its sender's end is of interest.
            _ = stopped.changed() => break,
        };
        if n == 0 {
            // As with any subscription that ends: what has arrived still counts.
            shared.must_drain.store(true, Ordering::Relaxed);
            break;
        }
        for delivery in deliveries.drain(..) {
            hand_out(&shared, on_gap.as_ref(), delivery);
        }
        if n == TURN {
            tokio::task::yield_now().await;
        }
    }
    if shared.must_drain.load(Ordering::Relaxed) {
        let mut n_left = subscription.stats().queued_messages;
        while 0 < n_left
            && let Some(delivery) = subscription.next_delivery().await
        {
            n_left -= usize::from(matches!(delivery, Delivery::Message(_)));
            hand_out(&shared, on_gap.as_ref(), delivery);
        }
    }
    drop(subscription);
    shared.end();
}

fn hand_out(shared: &Shared, on_gap: Option<&OnGap>, delivery: Delivery) {
    match delivery {
        Delivery::Message(message) => shared.dispatch(&message),
        Delivery::Gap(gap) => {
            if let Some(on_gap) = on_gap
                && let Err(panic) = catch_unwind(AssertUnwindSafe(|| on_gap(&gap)))
            {
                tracing::error!(panic = %panic_text(&*panic), "a router's `on_gap` panicked");
            }
        }
    }
}
