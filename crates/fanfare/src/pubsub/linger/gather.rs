//! What is gathered, and the task that sends it.

use std::{
    collections::{BTreeSet, VecDeque},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fanfare_client::{Error, ErrorKind, Pipeline};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::{Notify, Semaphore, oneshot, watch},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    Fanfare,
    batch::wire_len,
    pubsub::{
        linger::{Linger, WhenFull},
        publish::receivers,
    },
};

/// The counts of a [`Lingering`](crate::Lingering) publisher, of all its clones.
///
/// `enqueued = published + failed + unknown + waiting`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LingerStats {
    /// Messages that were taken.
    pub enqueued: u64,
    /// Messages that the server has published.
    pub published: u64,
    /// Messages that were not published: not sent, or refused by the server.
    pub failed: u64,
    /// Messages that may have been published: they were sent, and no answer came.
    pub unknown: u64,
    /// Messages without an outcome, gathered or sent.
    pub waiting: u64,
    /// Times that something was sent. `published / sends` is how well gathering works.
    pub sends: u64,
}

/// What is gathered, shared by the callers and the task that sends it.
pub(super) struct Gatherer {
    linger: Linger,
    // A plain mutex: it is held while a message is encoded and never across an await.
    state: Mutex<State>,
    /// Tells the task that there is something to do.
    work: Notify,
    /// One permit is one byte that waits; small messages count more, so that it bounds their number.
    room: Semaphore,
    /// The first chunk that has no outcome, or the next one that there will be.
    unsettled: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    open: Chunk,
    /// When the open chunk got its first message.
    opened_at: Option<Instant>,
    /// Chunks to be sent now.
    full: VecDeque<Chunk>,
    /// The numbers of chunks that were begun and have no outcome.
    unsettled: BTreeSet<u64>,
    next_number: u64,
    is_closed: bool,
    /// Callers that wait for room: to gather on would only keep it from them.
    n_waiting_callers: usize,
    stats: LingerStats,
}

/// Messages that are sent together.
#[derive(Default)]
struct Chunk {
    number: u64,
    pipeline: Pipeline,
    callers: Vec<oneshot::Sender<Result<u64, Error>>>,
    /// How much room it takes.
    cost: usize,
}

/// What the task should do next.
enum Next {
    Send(Chunk),
    WaitUntil(Option<Instant>),
    End,
}

/// A chunk and the outcomes of its messages.
type Settled = (Chunk, Vec<Result<u64, Error>>);

/// What a message counts beside its channel and payload.
const OVERHEAD: usize = 64;

impl Gatherer {
    pub(super) fn new(linger: Linger) -> Self {
        Self {
            linger,
            state: Mutex::default(),
            work: Notify::new(),
            room: Semaphore::new(linger.bytes_max),
            unsettled: watch::Sender::new(0),
        }
    }

    /// Takes the room that a message of so many bytes needs, and returns how much that is.
    pub(super) async fn admit(&self, n_bytes: usize, limit: Duration) -> Result<usize, Error> {
        let Linger { bytes_max, messages_max, when_full, .. } = self.linger;
        let least = bytes_max.div_ceil(messages_max);
        let cost = n_bytes.saturating_add(OVERHEAD).max(least).min(bytes_max);
        let n_permits = u32::try_from(cost).unwrap_or(u32::MAX);
        let permit = match self.room.try_acquire_many(n_permits) {
            Ok(permit) => Some(permit),
            Err(_) => match when_full {
                WhenFull::Refuse => None,
                WhenFull::Wait => {
                    let _waiting = WaitingCaller::new(self);
                    let waited = timeout(limit, self.room.acquire_many(n_permits)).await;
                    waited.ok().and_then(Result::ok)
                }
            },
        };
        match permit {
            Some(permit) => {
                permit.forget();
                Ok(cost)
            }
            None => Err(Error::new(
                ErrorKind::Overloaded,
                format!(
                    "{messages_max} messages or {bytes_max} bytes wait for their outcomes: publish \
                     slower or raise the bound"
                ),
            )),
        }
    }

    /// Adds a message for which there is room, and returns where its outcome will come from.
    pub(super) fn add(
        &self,
        command: [&[u8]; 3],
        cost: usize,
    ) -> Result<oneshot::Receiver<Result<u64, Error>>, Error> {
        let (caller, outcome) = oneshot::channel();
        let mut state = self.lock();
        if state.is_closed {
            drop(state);
            self.room.add_permits(cost);
            return Err(Error::new(ErrorKind::Closed, "this publisher was closed"));
        }
        let n_bytes = wire_len(command);
        let chunks = self.linger.chunks;
        let n_bytes = state.open.pipeline.n_bytes().saturating_add(n_bytes);
        let mut has_work = false;
        if !state.open.callers.is_empty() && !chunks.fits(state.open.callers.len(), n_bytes) {
            state.close_chunk();
            has_work = true;
        }
        if state.opened_at.is_none() {
            state.open_chunk();
            has_work = true;
        }
        state.open.pipeline.push(command);
        state.open.callers.push(caller);
        state.open.cost += cost;
        state.stats.enqueued += 1;
        state.stats.waiting += 1;
        if !chunks.fits(state.open.callers.len(), state.open.pipeline.n_bytes()) {
            state.close_chunk();
            has_work = true;
        }
        drop(state);
        if has_work {
            self.work.notify_one();
        }
        Ok(outcome)
    }

    /// Takes nothing more, and sends what there is.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.work.notify_one();
    }

    /// Sends what is gathered, and waits for the outcome of all that was added before.
    pub(super) async fn flush(&self) -> LingerStats {
        let upto = {
            let mut state = self.lock();
            state.close_chunk();
            state.next_number
        };
        self.work.notify_one();
        let mut unsettled = self.unsettled.subscribe();
        // The sender is this value itself.
        drop(unsettled.wait_for(|first| upto <= *first).await);
        self.stats()
    }

    pub(super) fn stats(&self) -> LingerStats {
        self.lock().stats
    }

    fn next(&self) -> Next {
        let mut state = self.lock();
        let due_at = state.opened_at.map(|at| at + self.linger.time);
        let is_due = due_at.is_some_and(|at| at <= Instant::now());
        if is_due || 0 < state.n_waiting_callers || state.is_closed {
            state.close_chunk();
        }
        match state.full.pop_front() {
            Some(chunk) => {
                state.stats.sends += 1;
                Next::Send(chunk)
            }
            None if state.is_closed && state.unsettled.is_empty() => Next::End,
            None => Next::WaitUntil(state.opened_at.map(|at| at + self.linger.time)),
        }
    }

    /// Hands out the outcomes of a chunk.
    fn settle(&self, (chunk, outcomes): Settled) {
        let first = {
            let mut state = self.lock();
            for outcome in &outcomes {
                let count = match outcome {
                    Ok(_) => &mut state.stats.published,
                    Err(error) if error.may_have_been_delivered() => &mut state.stats.unknown,
                    Err(_) => &mut state.stats.failed,
                };
                *count += 1;
                state.stats.waiting -= 1;
            }
            state.unsettled.remove(&chunk.number);
            state.unsettled.first().copied().unwrap_or(state.next_number)
        };
        for (caller, outcome) in chunk.callers.into_iter().zip(outcomes) {
            // Whoever asked may have gone.
            let _ = caller.send(outcome);
        }
        self.room.add_permits(chunk.cost);
        self.unsettled.send_replace(first);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of the caller runs under the lock, so a poisoned state is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller that waits for room, until it is dropped.
struct WaitingCaller<'a>(&'a Gatherer);

impl<'a> WaitingCaller<'a> {
    fn new(gatherer: &'a Gatherer) -> Self {
        gatherer.lock().n_waiting_callers += 1;
        gatherer.work.notify_one();
        Self(gatherer)
    }
}

impl Drop for WaitingCaller<'_> {
    fn drop(&mut self) {
        self.0.lock().n_waiting_callers -= 1;
    }
}

impl State {
    fn open_chunk(&mut self) {
        self.open.number = self.next_number;
        self.unsettled.insert(self.next_number);
        self.next_number += 1;
        self.opened_at = Some(Instant::now());
    }

    /// What is open is to be sent now, if there is anything.
    fn close_chunk(&mut self) {
        if self.opened_at.take().is_some() {
            self.full.push_back(std::mem::take(&mut self.open));
        }
    }
}

/// Sends what is gathered until the gatherer is closed and everything has its outcome.
pub(super) async fn run(fanfare: Fanfare, gatherer: Arc<Gatherer>) {
    let mut in_flight: FuturesUnordered<BoxFuture<'static, Settled>> = FuturesUnordered::new();
    loop {
        match gatherer.next() {
            Next::Send(mut chunk) => {
                let mut sending = pin!(fanfare.link().send(std::mem::take(&mut chunk.pipeline)));
                // What is in flight may hold the room that this waits for.
                let sent = loop {
                    tokio::select! {
                        sent = &mut sending => break sent,
                        Some(settled) = in_flight.next(), if !in_flight.is_empty() => {
                            gatherer.settle(settled);
                        }
                    }
                };
                match sent {
                    Ok(answers) => in_flight.push(Box::pin(async move {
                        (chunk, answers.all().await.into_iter().map(receivers).collect())
                    })),
                    Err(error) => {
                        let outcomes = chunk.callers.iter().map(|_| Err(error.clone())).collect();
                        gatherer.settle((chunk, outcomes));
                    }
                }
            }
            Next::WaitUntil(due_at) => {
                let due = async {
                    match due_at {
                        Some(at) => sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = gatherer.work.notified() => {}
                    () = due => {}
                    Some(settled) = in_flight.next(), if !in_flight.is_empty() => {
                        gatherer.settle(settled);
                    }
                }
            }
            Next::End => return,
        }
    }
}
