//! One handler of a router: its queue, its hands, its counts.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Kind, LiveKind, LiveState, Message, Queue, Vital, Vitals};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::{sync::Notify, time::Instant};

use crate::{
    Pattern,
    handle::{BoxError, Endpoint, Undecodable, panic_text},
    pubsub::router::lanes::{Lanes, Pushed},
};

/// Names a handler of a [`RunningRouter`](crate::RunningRouter).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub(super) u64);

/// The counts of one handler of a router.
///
/// `received = handled + failed + undecodable + panicked + dropped + queued_messages + running`,
/// always.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RouteStats {
    /// Which handler.
    pub id: RouteId,
    /// What it is called for.
    pub kind: Kind,
    /// The channel or the pattern.
    pub name: Bytes,
    /// Messages that came for it.
    pub received: u64,
    /// Messages that were handled well.
    pub handled: u64,
    /// Messages for which it returned an error.
    pub failed: u64,
    /// Messages that could not be turned into its arguments.
    pub undecodable: u64,
    /// Messages over which it panicked.
    pub panicked: u64,
    /// Messages dropped because its queue was full.
    pub dropped: u64,
    /// Messages that wait.
    pub queued_messages: usize,
    /// Bytes that wait, counted as [`Queue`] says.
    pub queued_bytes: usize,
    /// Messages that are being handled.
    pub running: usize,
    /// What the last failure or panic said.
    pub last_failure: Option<String>,
    /// Why it has ended while the router goes on: its queue was full and
    /// [`Overflow::Disconnect`](crate::Overflow::Disconnect) its policy.
    pub error: Option<Error>,
}

/// A message that was not handled well, as a router's
/// [`on_error`](crate::Router::on_error) gets it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failed {
    /// The message.
    pub message: Message,
    /// Whose handler it was.
    pub route: RouteId,
    /// What happened.
    pub reason: FailedReason,
}

/// Why a message was not handled well.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FailedReason {
    /// It could not be turned into the handler's arguments.
    Undecodable(Error),
    /// The handler returned an error with this text.
    Failed(String),
    /// The handler panicked with this text.
    Panicked(String),
}

impl fmt::Display for FailedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecodable(error) => error.fmt(f),
            Self::Failed(text) => f.write_str(text),
            Self::Panicked(text) => write!(f, "panicked: {text}"),
        }
    }
}

/// Called for every message that was not handled well.
pub(super) type OnError = Arc<dyn Fn(Failed) -> BoxFuture<'static, ()> + Send + Sync>;

/// What a route is made of.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    pub(super) name: Bytes,
    /// Whether it is called only for channels that no handler names.
    pub(super) is_fallback: bool,
    /// What the channel must match, beside the glob in `name`.
    pub(super) only: Option<Pattern>,
    pub(super) endpoint: Endpoint,
    pub(super) queue: Queue,
    pub(super) concurrency: usize,
}

/// See the module.
pub(super) struct Route {
    pub(super) id: RouteId,
    pub(super) plan: Plan,
    on_error: Option<OnError>,
    /// Told whenever a handler has finished a message.
    finished: Arc<Finished>,
    // A plain mutex: it is held for a few instructions and never across an await.
    state: Mutex<State>,
    /// Tells a hand that there is something to do, and all of them that there never will be.
    work: Notify,
}

struct State {
    lanes: Lanes,
    phase: Phase,
    stats: RouteStats,
    last_finished: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Takes nothing more; what waits is handled.
    Draining,
    /// Takes nothing more; what waits is not begun.
    Stopped,
}

/// Tells those who wait for it that a handler has finished a message.
#[derive(Default)]
pub(super) struct Finished {
    n_waiting: AtomicUsize,
    notify: Notify,
}

impl Finished {
    /// Waits until `done` says so; it is asked at once and whenever it was told.
    pub(super) async fn wait_until<T>(&self, mut done: impl FnMut() -> Option<T>) -> T {
        let _counted = Counted::new(&self.n_waiting);
        loop {
            let mut notified = pin!(self.notify.notified());
            notified.as_mut().enable();
            if let Some(value) = done() {
                return value;
            }
            notified.await;
        }
    }

    pub(super) fn tell(&self) {
        // Orders what was counted before against who begins to wait.
        if self.n_waiting.load(Ordering::SeqCst) != 0 {
            self.notify.notify_waiters();
        }
    }
}

/// One who waits, until it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(n: &'a AtomicUsize) -> Self {
        n.fetch_add(1, Ordering::SeqCst);
        Self(n)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Messages that a hand handles before it lets others have their turn.
const TURN: u32 = 1_024;

impl Route {
    pub(super) fn new(
        id: RouteId,
        plan: Plan,
        on_error: Option<OnError>,
        finished: Arc<Finished>,
    ) -> Self {
        let stats = RouteStats {
            id,
            kind: plan.kind,
            name: plan.name.clone(),
            received: 0,
            handled: 0,
            failed: 0,
            undecodable: 0,
            panicked: 0,
            dropped: 0,
            queued_messages: 0,
            queued_bytes: 0,
            running: 0,
            last_failure: None,
            error: None,
        };
        let lanes = Lanes::new(plan.queue, plan.concurrency);
        let state = State { lanes, phase: Phase::Open, stats, last_finished: Instant::now() };
        Self { id, plan, on_error, finished, state: Mutex::new(state), work: Notify::new() }
    }

    /// Queues a message for the handler, by its queue's policy.
    pub(super) fn push(&self, message: Message) {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return;
        }
        state.stats.received += 1;
        match state.lanes.push(message) {
            Pushed::Queued { n_dropped } => state.stats.dropped += n_dropped,
            Pushed::Dropped => state.stats.dropped += 1,
            Pushed::Ended => {
                state.stats.dropped += 1;
                state.stats.error.get_or_insert_with(|| self.slow());
                state.phase = Phase::Draining;
                drop(state);
                self.work.notify_waiters();
                return;
            }
        }
        let is_ready = state.lanes.is_ready();
        drop(state);
        if is_ready {
            self.work.notify_one();
        }
    }

    /// Takes nothing more; what waits is handled, or not begun.
    pub(super) fn end(&self, must_drain: bool) {
        {
            let mut state = self.lock();
            state.phase = match (must_drain, state.phase) {
                (true, Phase::Open | Phase::Draining) => Phase::Draining,
                (false, _) | (true, Phase::Stopped) => Phase::Stopped,
            };
        }
        self.work.notify_waiters();
    }

    pub(super) fn stats(&self) -> RouteStats {
        let state = self.lock();
        RouteStats {
            queued_messages: state.lanes.len(),
            queued_bytes: state.lanes.n_bytes(),
            ..state.stats.clone()
        }
    }

    /// Handles messages one after the other until the route has ended. As many of these as the
    /// route's concurrency run side by side.
    pub(super) async fn hand(self: Arc<Self>) {
        let mut n_handled: u32 = 0;
        while let Some(message) = self.next().await {
            let channel = message.channel.clone();
            let kept = self.on_error.is_some().then(|| message.clone());
            // The call itself may panic too, so it happens inside of what is caught.
            let handling = AssertUnwindSafe(async { (self.plan.endpoint)(message).await });
            let reason = match handling.catch_unwind().await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(reason(error)),
                Err(panic) => Some(FailedReason::Panicked(panic_text(&*panic))),
            };
            if let Some(reason) = &reason {
                tracing::warn!(channel = ?self.plan.name, %reason, "a handler failed");
                self.tell(kept, reason).await;
            }
            self.finish(&channel, reason);
            n_handled = n_handled.wrapping_add(1);
            if n_handled.is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn tell(&self, message: Option<Message>, reason: &FailedReason) {
        let (Some(on_error), Some(message)) = (&self.on_error, message) else { return };
        let failed = Failed { message, route: self.id, reason: reason.clone() };
        let telling = AssertUnwindSafe(async { on_error(failed).await });
        if let Err(panic) = telling.catch_unwind().await {
            tracing::error!(panic = %panic_text(&*panic), "a router's `on_error` panicked");
        }
    }

    /// The next message to handle; `None`: the route has ended.
    async fn next(&self) -> Option<Message> {
        loop {
            if let Some(next) = self.poll_next() {
                return next;
            }
            let mut notified = pin!(self.work.notified());
            notified.as_mut().enable();
            // What came before it listened.
            if let Some(next) = self.poll_next() {
                return next;
            }
            notified.await;
        }
    }

    fn poll_next(&self) -> Option<Option<Message>> {
        let mut state = self.lock();
        if state.phase == Phase::Stopped {
            return Some(None);
        }
        let Some(message) = state.lanes.take(Instant::now().into_std()) else {
            let is_over = state.phase == Phase::Draining && state.lanes.len() == 0;
            return is_over.then_some(None);
        };
        state.stats.running += 1;
        let has_more = state.lanes.is_ready();
        drop(state);
        if has_more && 1 < self.plan.concurrency {
            self.work.notify_one();
        }
        Some(Some(message))
    }

    fn finish(&self, channel: &Bytes, reason: Option<FailedReason>) {
        let is_ending = {
            let mut state = self.lock();
            state.last_finished = Instant::now();
            state.lanes.done(channel);
            let stats = &mut state.stats;
            stats.running -= 1;
            match &reason {
                None => stats.handled += 1,
                Some(FailedReason::Undecodable(_)) => stats.undecodable += 1,
                Some(FailedReason::Failed(_)) => stats.failed += 1,
                Some(FailedReason::Panicked(_)) => stats.panicked += 1,
            }
            if let Some(reason) = reason {
                stats.last_failure = Some(reason.to_string());
            }
            state.phase != Phase::Open
        };
        self.finished.tell();
        if is_ending {
            self.work.notify_waiters();
        }
    }

    fn slow(&self) -> Error {
        let Queue { messages_max, bytes_max, .. } = self.plan.queue;
        Error::new(
            ErrorKind::SlowConsumer,
            format!(
                "the handler's queue is full ({messages_max} messages or {bytes_max} bytes) and \
                 its policy is to disconnect"
            ),
        )
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of the caller runs under the lock, so a poisoned state is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reason(error: BoxError) -> FailedReason {
    match error.downcast::<Undecodable>() {
        Ok(undecodable) => FailedReason::Undecodable(undecodable.0),
        Err(error) => FailedReason::Failed(error.to_string()),
    }
}

impl Vital for Route {
    fn vitals(&self) -> Vitals {
        let state = self.lock();
        let name = String::from_utf8_lossy(&self.plan.name).into_owned();
        let mut vitals = Vitals::new(LiveKind::Handler, name);
        vitals.queued = state.lanes.len();
        vitals.dropped = state.stats.dropped;
        // What waits is younger, or since then the handler is busy with the one before it; or, if it
        // waits for any hand, none has finished anything.
        vitals.stalled_for = state.lanes.oldest().map(|(received_at, busy_since)| {
            let age = received_at.elapsed().unwrap_or_default();
            let since = busy_since.map_or(state.last_finished, Instant::from_std);
            age.min(since.elapsed())
        });
        if let Some(error) = &state.stats.error {
            vitals.state = LiveState::Ended(error.clone());
        }
        vitals
    }
}
