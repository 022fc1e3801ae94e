//! What every subscriber has: the task in the background, its queue, and the counts.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use fanfare_client::{Error, ErrorKind, SubscriptionNames};
use futures_util::FutureExt;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

use super::{
    Arrival, Destination, Missing, SubscriberOptions, SubscriberStats,
    desk::Home,
    source::{Event, Plan, Source},
    subscriber::{HandlerFn, MissingHook, UndecodableHook},
};
use crate::{BoxError, Fanfare, handle::panic_text, stream::StreamId};

/// How much is decoded ahead: records and bytes. One more is always taken.
const AHEAD_MAX: usize = 256;
const AHEAD_BYTES_MAX: usize = 1 << 20;

/// See the module.
pub(super) struct Feed {
    name: String,
    destination: Destination,
    home: Home,
    plan: Plan,
    is_keys: bool,
    shared: Arc<Shared>,
    /// One start or stop at a time.
    running: tokio::sync::Mutex<Option<Running>>,
}

/// A task that follows. It ends when this is dropped.
struct Running {
    /// None once it shall stop.
    stop: Option<watch::Sender<()>>,
    task: JoinHandle<()>,
    fanfare: Fanfare,
}

struct Shared {
    state: Mutex<State>,
    /// Something may be taken, or it is the end.
    arrived: Notify,
    /// Something was taken.
    taken: Notify,
    handler: Option<HandlerFn>,
    on_undecodable: Option<UndecodableHook>,
    on_missing: Option<MissingHook>,
}

struct State {
    queue: VecDeque<Arrival>,
    n_bytes: usize,
    counts: SubscriberStats,
    /// The subscription whose counts are still to be added.
    live: Option<SubscriptionNames>,
    /// Why nothing more comes; `None` while it runs.
    ended: Option<Error>,
    /// Behind which entry the next start goes on.
    resume: Option<StreamId>,
}

impl Feed {
    pub(super) fn new(
        home: Home,
        destination: Destination,
        plan: Plan,
        options: SubscriberOptions,
    ) -> Self {
        let SubscriberOptions { name, handler, on_undecodable, on_missing, .. } = options;
        let name = name.unwrap_or_else(|| destination.to_string());
        let state = State {
            queue: VecDeque::new(),
            n_bytes: 0,
            counts: SubscriberStats::default(),
            live: None,
            ended: Some(not_running(&name)),
            resume: None,
        };
        let shared = Shared {
            state: Mutex::new(state),
            arrived: Notify::new(),
            taken: Notify::new(),
            handler,
            on_undecodable,
            on_missing,
        };
        let is_keys = matches!(destination, Destination::Key(_));
        let (shared, running) = (Arc::new(shared), tokio::sync::Mutex::default());
        Self { name, destination, home, plan, is_keys, shared, running }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }

    pub(super) fn is_running(&self) -> bool {
        self.shared.lock().ended.is_none()
    }

    pub(super) async fn start(&self) -> Result<(), Error> {
        let mut running = self.running.lock().await;
        if running.as_ref().is_some_and(|it| it.stop.is_some()) && self.is_running() {
            return Ok(());
        }
        // It ended by itself, or nobody has waited for its end: there is one at a time.
        self.ended(&mut running).await;
        let fanfare = self.home.open().await?;
        let resume = self.shared.lock().resume;
        let source = match Source::open(&fanfare, &self.plan, self.is_keys, resume).await {
            Ok(source) => source,
            Err(error) => {
                self.home.close(fanfare).await;
                return Err(error);
            }
        };
        {
            let mut state = self.shared.lock();
            state.live = source.names();
            state.ended = None;
        }
        let (stop, stopped) = watch::channel(());
        let task = tokio::spawn(follow(self.shared.clone(), source, stopped, self.name.clone()));
        *running = Some(Running { stop: Some(stop), task, fanfare });
        Ok(())
    }

    pub(super) async fn stop(&self) -> SubscriberStats {
        let mut running = self.running.lock().await;
        self.ended(&mut running).await;
        self.stats()
    }

    /// Stops the task if there is one. Whoever drops this future leaves it to the next to wait for it.
    async fn ended(&self, running: &mut Option<Running>) {
        if let Some(it) = running {
            it.stop = None;
            // It ends by itself, and what may panic in it is caught.
            let _ = (&mut it.task).await;
        }
        if let Some(it) = running.take() {
            self.home.close(it.fanfare).await;
        }
    }

    pub(super) async fn recv(&self) -> Result<Arrival, Error> {
        loop {
            let mut arrived = pin!(self.shared.arrived.notified());
            arrived.as_mut().enable();
            if let Some(arrival) = self.try_recv()? {
                return Ok(arrival);
            }
            arrived.await;
        }
    }

    pub(super) fn try_recv(&self) -> Result<Option<Arrival>, Error> {
        if self.shared.handler.is_some() {
            let message = format!("`{}` has a handler, which gets all records", self.name);
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let mut state = self.shared.lock();
        let Some(arrival) = state.queue.pop_front() else {
            return state.ended.clone().map_or(Ok(None), Err);
        };
        state.n_bytes -= arrival.cost();
        state.counts.delivered += u64::from(matches!(arrival, Arrival::Record(_)));
        drop(state);
        self.shared.taken.notify_one();
        Ok(Some(arrival))
    }

    pub(super) fn stats(&self) -> SubscriberStats {
        let state = self.shared.lock();
        let mut stats = state.counts.clone();
        stats.is_running = state.ended.is_none();
        stats.queued = state.queue.len();
        if let Some(live) = &state.live {
            let live = live.stats();
            stats.received += live.received;
            stats.dropped += live.dropped;
            stats.reconnects += live.reconnects;
            stats.queued += live.queued_messages;
        }
        stats
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("name", &self.name)
            .field("destination", &self.destination)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

fn not_running(name: &str) -> Error {
    Error::new(ErrorKind::Closed, format!("the subscriber `{name}` is not started, or stopped"))
}

/// Takes what comes until the stop.
async fn follow(
    shared: Arc<Shared>,
    mut source: Source,
    mut stopped: watch::Receiver<()>,
    name: String,
) {
    let is_stream = source.names().is_none();
    let error = loop {
        // That the other side is dropped is the stop.
        if shared.handler.is_none() {
            tokio::select! {
                biased;
                _ = stopped.changed() => break None,
                () = shared.room() => {}
            }
        }
        let event = tokio::select! {
            biased;
            _ = stopped.changed() => break None,
            event = source.next() => event,
        };
        let Some(event) = event else { break Some(source.error()) };
        shared.take(event, is_stream).await;
    };
    if shared.handler.is_none() {
        // What has arrived can still be taken, as far as it fits: over many stops, too.
        while shared.has_room(source.bounds())
            && let Some(event) = source.next_left()
        {
            shared.take(event, is_stream).await;
        }
        shared.leave(source.n_missing());
    }
    shared.end(&source, error.unwrap_or_else(|| not_running(&name)));
}

impl Shared {
    /// Counts an event and hands it on; returns when its handler has ended.
    async fn take(&self, event: Event, must_count: bool) {
        {
            let mut state = self.lock();
            if !matches!(event, Event::Missing(_)) {
                state.counts.received += u64::from(must_count);
                state.counts.last_received_at = Some(SystemTime::now());
            }
            match &event {
                Event::Record(_) => {}
                Event::Missing(missing) => {
                    state.counts.gaps += u64::try_from(missing.len()).unwrap_or(u64::MAX);
                }
                Event::Undecodable(_) => state.counts.undecodable += 1,
                Event::Outdated => state.counts.outdated += 1,
            }
        }
        match (event, &self.handler) {
            (Event::Record(received), Some(handler)) => {
                // The call itself may panic too, so it happens inside of what is caught.
                let handled = AssertUnwindSafe(async { handler(received).await }).catch_unwind();
                self.handled(handled.await);
            }
            (Event::Record(received), None) => self.push(Arrival::Record(received)),
            (Event::Missing(missing), handler) => {
                for missing in missing {
                    self.hook(|| self.on_missing.iter().for_each(|hook| hook(&missing)));
                    tracing::warn!(?missing, "records are or may be missing");
                    if handler.is_none() {
                        self.push(Arrival::Missing(missing));
                    }
                }
            }
            (Event::Undecodable(bad), _) => {
                tracing::warn!(error = %bad.error, source = ?bad.source, "undecodable");
                self.hook(|| self.on_undecodable.iter().for_each(|hook| hook(&bad)));
            }
            (Event::Outdated, _) => {}
        }
    }

    fn handled(&self, outcome: Result<Option<BoxError>, Box<dyn Any + Send>>) {
        let mut state = self.lock();
        state.counts.delivered += 1;
        match outcome {
            Ok(None) => {}
            Ok(Some(failure)) => {
                tracing::warn!(%failure, "a handler failed");
                state.counts.failed += 1;
                state.counts.last_failure = Some(failure.to_string());
            }
            Err(panic) => {
                let text = panic_text(&*panic);
                tracing::error!(panic = %text, "a handler panicked");
                state.counts.panicked += 1;
                state.counts.last_failure = Some(text);
            }
        }
    }

    /// Runs a hook of the program's, which may panic.
    fn hook(&self, hook: impl FnOnce()) {
        if let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(hook)) {
            let text = panic_text(&*panic);
            tracing::error!(panic = %text, "a hook panicked");
            self.lock().counts.last_failure = Some(text);
        }
    }

    fn push(&self, arrival: Arrival) {
        let mut state = self.lock();
        state.n_bytes += arrival.cost();
        state.queue.push_back(arrival);
        drop(state);
        self.arrived.notify_one();
    }

    /// Waits until more may be decoded.
    async fn room(&self) {
        loop {
            let mut taken = pin!(self.taken.notified());
            taken.as_mut().enable();
            if self.has_room((0, 0)) {
                return;
            }
            taken.await;
        }
    }

    /// Whether one more may be decoded, with room for so many and their bytes beside the usual.
    fn has_room(&self, (n_more, bytes_more): (usize, usize)) -> bool {
        let state = self.lock();
        state.queue.len() < AHEAD_MAX.saturating_add(n_more)
            && state.n_bytes < AHEAD_BYTES_MAX.saturating_add(bytes_more)
    }

    /// Shows where so many messages are missing that nobody will get.
    fn leave(&self, n_missing: u64) {
        if n_missing == 0 {
            return;
        }
        if let Some(Arrival::Missing(Missing::Dropped(n))) = self.lock().queue.back_mut() {
            *n += n_missing;
            return;
        }
        self.lock().counts.gaps += 1;
        self.push(Arrival::Missing(Missing::Dropped(n_missing)));
    }

    /// Closes the books.
    fn end(&self, source: &Source, error: Error) {
        let mut state = self.lock();
        state.live = None;
        if let Some(names) = source.names() {
            let stats = names.stats();
            state.counts.received += stats.received;
            state.counts.dropped += stats.dropped;
        }
        state.counts.reconnects += source.reconnects();
        state.counts.discarded += u64::try_from(source.n_left()).unwrap_or(u64::MAX);
        state.resume = source.last_id().or(state.resume);
        state.ended = Some(error);
        drop(state);
        self.arrived.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of the program runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
