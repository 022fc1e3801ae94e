//! The task that reads and calls the handler, and the handle of a running worker.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use fanfare_client::{Error, ErrorKind};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};

use crate::{
    Outcome,
    bucket::Bucket,
    stream::{Entry, StreamId},
    worker::{
        Context, Worker, WorkerEvents, WorkerStats,
        ending::Ending,
        keeper::Keeper,
        ledger::{Job, Ledger},
        life::{Running, Stage},
        options::unique_name,
        shared::{Patience, Shared, now, says_no_group},
        wire::Wire,
    },
};

/// How long a read waits for an entry. So long it takes at most to stop.
const BLOCK: Duration = Duration::from_secs(1);

/// A worker that is running. Made by [`Worker::spawn`].
///
/// End it with [`drain`](Self::drain) or [`stop`](Self::stop). If it is dropped, everything ends at
/// once, as in a crash: handlers are dropped where they are, and what they had is delivered to
/// others when the lease has ended.
#[must_use = "the worker ends when this is dropped"]
pub struct RunningWorker {
    shared: Arc<Shared>,
    consumer: bytes::Bytes,
    /// The loop that handles, and the one that keeps.
    tasks: [Running; 2],
}

impl RunningWorker {
    pub(crate) fn spawn<F, Fut>(worker: Worker, handler: F) -> Result<Self, Error>
    where
        F: Fn(Arc<Entry>, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let stream = worker.group.stream();
        let link = stream.fanfare.link();
        let consumer = worker.consumer.unwrap_or_else(unique_name);
        let wire = || {
            Ok::<_, Error>(Wire {
                connection: link.dedicated(&stream.key)?,
                key: stream.key.clone(),
                group: bytes::Bytes::copy_from_slice(worker.group.name()),
                me: consumer.clone(),
            })
        };
        let (reading, keeping) = (wire()?, wire()?);
        let bucket = worker.per_second.map(|rate| Bucket::new(rate, now()));
        let ledger = Ledger::new(worker.rules, bucket);
        let name = format!(
            "{}:{}",
            String::from_utf8_lossy(stream.key()),
            String::from_utf8_lossy(worker.group.name())
        );
        let shared = Arc::new(Shared::new(name, ledger, worker.key_of, worker.start));
        link.watch(&shared);
        let dead_key = stream.fanfare.stream(&worker.dead_key).key;
        let keeper =
            Keeper::new(shared.clone(), keeping, dead_key, worker.reap_after, worker.acknowledged);
        let working = Working {
            shared: shared.clone(),
            wire: Arc::new(reading),
            handler: Arc::new(handler),
            timeout: worker.timeout,
            has_group: false,
            patience: Patience::default(),
            read_after: now(),
        };
        let tasks = [shared.life.spawn(working.run()), shared.life.spawn(keeper.run())];
        Ok(Self { shared, consumer, tasks })
    }

    /// How it is doing, now.
    pub fn stats(&self) -> WorkerStats {
        self.shared.stats()
    }

    /// Tells how it is doing, for as long as anybody asks.
    pub(crate) fn look(&self) -> impl Fn() -> WorkerStats + Send + Sync + use<> {
        let shared = self.shared.clone();
        move || shared.stats()
    }

    /// What happens to it, from now on.
    pub fn events(&self) -> WorkerEvents {
        WorkerEvents(self.shared.listen())
    }

    /// The name of its consumer.
    pub fn consumer(&self) -> &[u8] {
        &self.consumer
    }

    /// Ends it in good order: nothing more is read; what was read and not begun is given back, so
    /// that others have it at once, and does not count as delivered; handlers that run are waited
    /// for until `deadline`, then dropped and their entries given back as well; the server is told
    /// everything that there is to tell. Returns the final numbers.
    ///
    /// It takes up to a second longer than the handlers. If the server can not be reached, what
    /// could not be told to it by `deadline` and a second is left: then others get it when the lease
    /// has ended.
    ///
    /// # Cancel safety
    /// Dropping the future is like dropping the worker.
    pub async fn drain(self, deadline: Duration) -> WorkerStats {
        let until = tokio::time::Instant::now().checked_add(deadline);
        let Self { shared, tasks: [mut working, mut keeper], .. } = self;
        shared.life.reach(Stage::Draining);
        if !working.ended_by(until).await {
            working.cut().await;
            shared.ledger().handle_drain();
            shared.ledger().handle_cut();
        }
        shared.life.reach(Stage::Settling);
        keeper.ended_by(until.and_then(|at| at.checked_add(BLOCK))).await;
        shared.life.reach(Stage::Ended);
        shared.stats()
    }

    /// [Drains](Self::drain) it without a deadline: handlers are waited for, and so is the server.
    pub async fn stop(self) -> WorkerStats {
        self.drain(Duration::MAX).await
    }

    /// Waits until it has ended by itself, because the connection was closed.
    pub async fn ended(&self) {
        self.shared.life.ended().await;
    }
}

impl fmt::Debug for RunningWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningWorker")
            .field("consumer", &self.consumer)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// See the module.
struct Working<F> {
    shared: Arc<Shared>,
    wire: Arc<Wire>,
    handler: Arc<F>,
    timeout: Option<Duration>,
    has_group: bool,
    patience: Patience,
    /// Nothing is read before this, since something has failed.
    read_after: Instant,
}

/// A read, and when it was sent.
type Reading = BoxFuture<'static, (Instant, Result<Vec<Entry>, Error>)>;

impl<F, Fut> Working<F>
where
    F: Fn(Arc<Entry>, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    async fn run(mut self) {
        let mut running = FuturesUnordered::new();
        let mut reading: Option<Reading> = None;
        let mut stage = self.shared.life.watch();
        let mut finished = Vec::new();
        loop {
            let (mut wake_at, n_wanted) = {
                let now = now();
                let mut ledger = self.shared.ledger();
                while let Some(job) = ledger.poll_start(now) {
                    running.push(handle(self.handler.clone(), self.timeout, job));
                }
                (ledger.poll_timeout(), ledger.poll_read())
            };
            if reading.is_none()
                && let Some(n) = n_wanted
            {
                if now() < self.read_after {
                    wake_at = Some(wake_at.map_or(self.read_after, |at| at.min(self.read_after)));
                } else {
                    reading = Some(self.read(n));
                }
            }
            let is_over = Stage::Working < *stage.borrow_and_update();
            if is_over {
                self.shared.ledger().handle_drain();
                self.shared.errand.notify_one();
                if running.is_empty() && reading.is_none() {
                    return;
                }
            }
            tokio::select! {
                // The next read is sent before handlers go on: its answer comes while they do.
                biased;
                (since, read) = ready(&mut reading), if reading.is_some() => {
                    reading = None;
                    if !self.handle_read(since, read) {
                        return;
                    }
                }
                Some(done) = running.next(), if !running.is_empty() => {
                    finished.push(done);
                    // This runs handlers, and they may ask how the worker is doing: the ledger must
                    // not be locked meanwhile.
                    while let Some(Some(done)) = running.next().now_or_never() {
                        finished.push(done);
                    }
                    self.handle_finished(&mut finished);
                }
                () = self.shared.wake.notified() => {}
                () = sleep_until(wake_at) => {}
                // The sender lives as long as this.
                _ = stage.changed() => {}
            }
        }
    }

    /// Asks for so many entries, and first for the group if it may be missing.
    fn read(&self, n: usize) -> Reading {
        let (shared, wire, has_group) = (self.shared.clone(), self.wire.clone(), self.has_group);
        let block = BLOCK.min(shared.ledger().rules().lease / 6).min(wire.connection.block_max());
        Box::pin(async move {
            if !has_group && let Err(error) = shared.make_group(&wire).await {
                return (now(), Err(error));
            }
            let since = now();
            shared.handle_reading();
            (since, wire.read(n.min(READ_MAX), block).await)
        })
    }

    fn handle_finished(&self, finished: &mut Vec<Finished>) {
        let now = now();
        let mut ledger = self.shared.ledger();
        for (whose, ending) in finished.drain(..) {
            ledger.handle_done(whose, ending, now);
        }
        drop(ledger);
        self.shared.errand.notify_one();
    }

    /// Returns whether to go on.
    fn handle_read(&mut self, since: Instant, read: Result<Vec<Entry>, Error>) -> bool {
        match read {
            Ok(entries) => {
                self.has_group = true;
                self.patience.handle_success();
                let entries = entries.into_iter().map(|it| (self.shared.lane(&it), it));
                let entries: Vec<_> = entries.collect();
                let mut ledger = self.shared.ledger();
                ledger.counts.read += u64::try_from(entries.len()).unwrap_or(0);
                for (lane, entry) in entries {
                    ledger.handle_delivered(entry, 1, lane, since);
                }
                drop(ledger);
                // Only now: until the ledger has them they look as if they had gone astray.
                self.shared.handle_read();
                true
            }
            Err(error) if error.kind() == ErrorKind::Closed => {
                self.shared.life.reach(Stage::Ended);
                false
            }
            Err(error) if self.has_group && says_no_group(&error) => {
                // It is made again before the next read.
                self.has_group = false;
                true
            }
            Err(error) => {
                self.shared.handle_read_failed(&error);
                self.read_after = self.patience.handle_failure();
                true
            }
        }
    }
}

/// Most entries of one answer.
const READ_MAX: usize = 1_000;

async fn ready<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Which entry's handler has ended, and how.
type Finished = ((StreamId, u64), Ending);

/// Calls the handler, and survives whatever it does.
async fn handle<F, Fut>(handler: Arc<F>, timeout: Option<Duration>, job: Job) -> Finished
where
    F: Fn(Arc<Entry>, Context) -> Fut,
    Fut: Future<Output: Outcome>,
{
    let Job { id, generation, entry, deliveries, lease } = job;
    let context = Context { id, deliveries, lease };
    let ending = Ending::of(async { handler(entry, context).await }, timeout).await;
    ((id, generation), ending)
}
