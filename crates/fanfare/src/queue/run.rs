//! The tasks of a worker of a queue: one takes, calls handlers and tells the server, the other one keeps
//! the leases.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bytes::Bytes;
use fanfare_client::{Dedicated, Error, ErrorKind, Pipeline};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use super::{
    Failing, QueueWorker, QueueWorkerStats, Settled, Task, TaskQueue,
    held::{Ended, Shared, Stage},
    take::{Catch, WAIT},
};
use crate::{
    bucket::Bucket,
    handle::{Outcome, Permanent, panic_text},
    worker::{Patience, now},
};

/// A worker of a queue that is running. Made by [`QueueWorker::spawn`].
///
/// End it with [`drain`](Self::drain) or [`stop`](Self::stop). If it is dropped, everything ends at
/// once, as in a crash: handlers are dropped where they are, and what they had is delivered to
/// others when the lease has ended.
#[must_use = "the worker ends when this is dropped"]
pub struct RunningQueueWorker {
    shared: Arc<Shared>,
    queue: TaskQueue,
    name: Bytes,
    working: Running,
    /// Ends with this.
    _keeping: Running,
}

/// A task of the runtime that ends with its handle.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How long the server may take to hear of what was cut at the deadline.
const GIVE_BACK_MAX: Duration = Duration::from_secs(1);

impl RunningQueueWorker {
    pub(crate) fn spawn<F, Fut>(worker: QueueWorker, handler: F) -> Result<Self, Error>
    where
        F: Fn(Task) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let QueueWorker { queue, concurrency, timeout, per_second, name } = worker;
        let link = queue.client.link();
        let wake = link.options().names().full(queue.place.key("wake"));
        let connection = link.dedicated(&wake)?;
        let label = String::from_utf8_lossy(queue.name()).into_owned();
        let shared = Arc::new(Shared::new(label));
        link.watch(&shared);
        let working = Working {
            shared: shared.clone(),
            queue: queue.clone(),
            name: name.clone(),
            connection: Arc::new(connection),
            wake,
            handler: Arc::new(handler),
            timeout,
            concurrency,
            bucket: per_second.map(|rate| Bucket::new(rate, now())),
            patience: Patience::default(),
            take_after: now(),
        };
        let (one, other) = (Witness(shared.clone()), Witness(shared.clone()));
        let keeping = keep(shared.clone(), queue.clone());
        let working = Running(tokio::spawn(async move { one.of(working.run()).await }));
        let keeping = Running(tokio::spawn(async move { other.of(keeping).await }));
        Ok(Self { shared, queue, name, working, _keeping: keeping })
    }

    /// How it is doing, now.
    pub fn stats(&self) -> QueueWorkerStats {
        self.shared.stats()
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Ends it in good order: nothing more is taken; handlers that run are waited for until `deadline`,
    /// then dropped, and their tasks go back to where they were in line; the delivery counts. Returns
    /// the final numbers.
    ///
    /// What the server could not be told by `deadline` and a second is left: then others get it when
    /// the lease has ended.
    ///
    /// # Cancel safety
    /// Dropping the future is like dropping the worker.
    pub async fn drain(self, deadline: Duration) -> QueueWorkerStats {
        let until = Instant::now().checked_add(deadline);
        self.shared.stage.send_if_modified(|stage| {
            let goes_on = *stage == Stage::Working;
            if goes_on {
                *stage = Stage::Draining;
            }
            goes_on
        });
        let Self { shared, queue, mut working, .. } = self;
        let is_done = match until {
            Some(until) => timeout_at(until, &mut working.0).await.is_ok(),
            None => {
                // It catches its own panics.
                let _ = (&mut working.0).await;
                true
            }
        };
        if !is_done {
            working.0.abort();
            // The handlers are gone when this returns.
            let _ = (&mut working.0).await;
        }
        let _ = tokio::time::timeout(GIVE_BACK_MAX, give_back(&shared, &queue)).await;
        shared.stage.send_replace(Stage::Ended);
        shared.stats()
    }

    /// [Drains](Self::drain) it without a deadline.
    pub async fn stop(self) -> QueueWorkerStats {
        self.drain(Duration::MAX).await
    }

    /// Waits until it has ended by itself, because the connection was closed.
    pub async fn ended(&self) {
        let mut stage = self.shared.stage.subscribe();
        // The sender lives as long as this.
        let _ = stage.wait_for(|stage| *stage == Stage::Ended).await;
    }
}

impl fmt::Debug for RunningQueueWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningQueueWorker")
            .field("name", &self.name)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// Says that the worker is over if one of its tasks panics: it is not to look alive.
struct Witness(Arc<Shared>);

impl Witness {
    async fn of(self, task: impl Future<Output = ()>) {
        task.await;
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stage.send_replace(Stage::Ended);
        }
    }
}

/// Says once what became of the tasks that are left when the handlers are gone.
async fn give_back(shared: &Shared, queue: &TaskQueue) {
    let held = shared.books().held();
    let told = held.into_iter().map(|(task, ended)| async move {
        match ended {
            Some(ended) => settle(shared, queue, &task, ended).await,
            None => give_back_one(shared, queue, &task, true).await,
        }
    });
    futures_util::future::join_all(told).await;
}

/// See the module.
struct Working<F> {
    shared: Arc<Shared>,
    queue: TaskQueue,
    name: Bytes,
    connection: Arc<Dedicated>,
    /// The key of the list on which it waits.
    wake: Bytes,
    handler: Arc<F>,
    timeout: Option<Duration>,
    concurrency: usize,
    bucket: Option<Bucket>,
    patience: Patience,
    /// Nothing is taken before this, since something has failed or the rate is used up.
    take_after: std::time::Instant,
}

/// What the server is asked for.
enum Fetch {
    Nothing,
    /// The moment when there may be more.
    Wait(BoxFuture<'static, ()>),
    /// So many tasks at most.
    Take(usize, BoxFuture<'static, Result<Catch, Error>>),
}

/// What came of it.
enum Fetched {
    Awake,
    Tasks(usize, Result<Catch, Error>),
}

impl Fetch {
    async fn ready(&mut self) -> Fetched {
        match self {
            Self::Nothing => std::future::pending().await,
            Self::Wait(waiting) => {
                waiting.await;
                Fetched::Awake
            }
            Self::Take(n, taking) => Fetched::Tasks(*n, taking.await),
        }
    }
}

impl<F, Fut> Working<F>
where
    F: Fn(Task) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    async fn run(mut self) {
        let mut running = FuturesUnordered::new();
        let mut fetch = Fetch::Nothing;
        let mut stage = self.shared.stage.subscribe();
        loop {
            let is_over = Stage::Working < *stage.borrow_and_update();
            if is_over {
                if matches!(fetch, Fetch::Wait(_)) {
                    fetch = Fetch::Nothing;
                }
                if running.is_empty() && matches!(fetch, Fetch::Nothing) {
                    return;
                }
            }
            let n_free = self.concurrency.saturating_sub(running.len());
            if !is_over && matches!(fetch, Fetch::Nothing) && 0 < n_free {
                fetch = self.take(n_free);
            }
            let is_idle = !is_over && matches!(fetch, Fetch::Nothing) && 0 < n_free;
            tokio::select! {
                biased;
                fetched = fetch.ready() => {
                    fetch = Fetch::Nothing;
                    match fetched {
                        Fetched::Awake => {}
                        Fetched::Tasks(n, Ok(catch)) => {
                            let n_spare = n.saturating_sub(catch.tasks.len());
                            for task in self.taken(&catch, n_spare) {
                                running.push(self.handle(task));
                            }
                            if 0 < n_spare && !is_over {
                                fetch = self.wait(catch.more_in);
                            }
                        }
                        Fetched::Tasks(n, Err(error)) => {
                            if !self.handle_take_failed(n, &error) {
                                return;
                            }
                        }
                    }
                }
                _ = running.next(), if !running.is_empty() => {}
                () = tokio::time::sleep_until(self.take_after.into()), if is_idle => {}
                // The sender lives as long as this.
                _ = stage.changed() => {}
            }
        }
    }

    /// Asks for tasks, unless it is not the time.
    fn take(&mut self, n_free: usize) -> Fetch {
        let now = now();
        if now < self.take_after {
            return Fetch::Nothing;
        }
        let mut n = n_free;
        if let Some(bucket) = &mut self.bucket {
            n = 0;
            while n < n_free {
                match bucket.take(now) {
                    Ok(()) => n += 1,
                    Err(at) => {
                        self.take_after = at;
                        break;
                    }
                }
            }
        }
        if n == 0 {
            return Fetch::Nothing;
        }
        self.shared.books().handle_fetching();
        let (queue, name) = (self.queue.clone(), self.name.clone());
        Fetch::Take(n, Box::pin(async move { queue.catch(n, &name).await }))
    }

    /// Waits for the list on which wake-ups are put, for no longer than until something is due.
    fn wait(&self, more_in: Option<Duration>) -> Fetch {
        let wait = more_in.unwrap_or(WAIT).min(WAIT).min(self.connection.block_max());
        if wait.is_zero() {
            return Fetch::Nothing;
        }
        self.shared.books().handle_fetching();
        let (connection, wake) = (self.connection.clone(), self.wake.clone());
        Fetch::Wait(Box::pin(async move {
            let seconds = format!("{:.3}", wait.as_secs_f64());
            let mut pipeline = Pipeline::new();
            pipeline.push([&b"BLPOP"[..], &wake, seconds.as_bytes()]);
            let until = Instant::now() + wait;
            let answer = async { connection.send(pipeline, wait).await?.one().await };
            if answer.await.is_err() {
                // Then time alone has to tell.
                tokio::time::sleep_until(until).await;
            }
        }))
    }

    /// The server has given tasks, and not as many as were wanted.
    fn taken(&mut self, catch: &Catch, n_spare: usize) -> Vec<Task> {
        self.patience.handle_success();
        if let Some(bucket) = &mut self.bucket {
            bucket.put(n_spare as f64, now());
        }
        self.shared.books().handle_taken(&catch.tasks);
        catch.tasks.clone()
    }

    /// Returns whether to go on.
    fn handle_take_failed(&mut self, n: usize, error: &Error) -> bool {
        if let Some(bucket) = &mut self.bucket {
            bucket.put(n as f64, now());
        }
        self.shared.books().handle_take_failed(error);
        if error.kind() == ErrorKind::Closed {
            self.shared.stage.send_replace(Stage::Ended);
            return false;
        }
        tracing::warn!(%error, "the worker can not take tasks");
        self.take_after = self.patience.handle_failure();
        true
    }

    /// Runs a task, and tells the server how it went.
    fn handle(&self, task: Task) -> impl Future<Output = ()> + Send + use<F, Fut> {
        let (shared, queue) = (self.shared.clone(), self.queue.clone());
        let (handler, timeout) = (self.handler.clone(), self.timeout);
        async move {
            let is_over = Stage::Working < *shared.stage.borrow();
            if is_over {
                // It came when the worker was already being stopped.
                return give_back_one(&shared, &queue, &task, false).await;
            }
            let ended = call(handler, timeout, &shared, task.clone()).await;
            shared.books().handle_ended(&task, &ended);
            settle(&shared, &queue, &task, ended).await;
        }
    }
}

/// Calls the handler, and survives whatever it does.
async fn call<F, Fut>(
    handler: Arc<F>,
    timeout: Option<Duration>,
    shared: &Shared,
    task: Task,
) -> Ended
where
    F: Fn(Task) -> Fut,
    Fut: Future<Output: Outcome>,
{
    // A handler may panic when it is called, when it goes on, and when it is dropped.
    let call = AssertUnwindSafe(async {
        let handling = async { handler(task).await.failure() };
        match timeout {
            None => Ok(handling.await),
            Some(limit) => tokio::time::timeout(limit, handling).await.map_err(|_| limit),
        }
    });
    let ending = call.catch_unwind().await;
    let counts = &mut shared.books().counts;
    match ending {
        Ok(Ok(None)) => {
            counts.handled += 1;
            Ended::Well
        }
        Ok(Ok(Some(error))) => {
            counts.failed += 1;
            let text = error.to_string();
            if Permanent::is(&*error) { Ended::ForGood(text) } else { Ended::Badly(text) }
        }
        Ok(Err(limit)) => {
            counts.timed_out += 1;
            Ended::Badly(format!("the handler took longer than {limit:?}"))
        }
        Err(panic) => {
            counts.panicked += 1;
            Ended::Badly(panic_text(&*panic))
        }
    }
}

/// Tells the server, until it answers.
async fn settle(shared: &Shared, queue: &TaskQueue, task: &Task, ended: Ended) {
    let mut patience = Patience::default();
    loop {
        let told = match &ended {
            Ended::Well => queue.complete(task).await.map(|settled| match settled {
                Settled::Yes => shared.books().counts.completed += 1,
                Settled::Lost => shared.books().counts.lost += 1,
            }),
            Ended::Badly(error) => {
                let rest = queue.rest(task.deliveries());
                queue.fail(task, error, Some(rest)).await.map(|failing| note(shared, failing))
            }
            Ended::ForGood(error) => {
                queue.fail(task, error, None).await.map(|failing| note(shared, failing))
            }
        };
        match told {
            Ok(()) => break,
            Err(error) => {
                tracing::warn!(id = %task.id(), %error, "the server could not be told of a task");
                shared.books().handle_failed(&error);
                if error.kind() == ErrorKind::Closed {
                    break;
                }
                tokio::time::sleep_until(patience.handle_failure().into()).await;
            }
        }
    }
    shared.books().handle_settled(task);
}

/// The server knows that a task has failed.
fn note(shared: &Shared, failing: Failing) {
    let counts = &mut shared.books().counts;
    match failing {
        Failing::Again => {}
        Failing::Dead => counts.dead_lettered += 1,
        Failing::Lost => counts.lost += 1,
    }
}

/// A task goes back to where it was in line.
async fn give_back_one(shared: &Shared, queue: &TaskQueue, task: &Task, was_begun: bool) {
    match queue.release(task, was_begun).await {
        Ok(_) => shared.books().counts.returned += 1,
        Err(error) => shared.books().handle_failed(&error),
    }
    shared.books().handle_settled(task);
}

/// Gives signs of life for all that the worker has.
async fn keep(shared: Arc<Shared>, queue: TaskQueue) {
    let every = queue.rules.lease / 3;
    let mut pause = every;
    loop {
        tokio::time::sleep(pause).await;
        pause = every;
        let tasks: Vec<Task> = shared.books().held().into_iter().map(|(task, _)| task).collect();
        for some in tasks.chunks(RENEWED_MAX) {
            match queue.renew(some).await {
                Ok(kept) => {
                    let lost = some.iter().zip(kept).filter(|(_, is_kept)| !is_kept);
                    // What was settled meanwhile is no loss.
                    let books = shared.books();
                    lost.filter(|(task, _)| books.holds(task)).for_each(|(task, _)| task.lose());
                }
                Err(error) => {
                    shared.books().handle_failed(&error);
                    pause = every / 4;
                }
            }
        }
    }
}

/// Leases that are renewed in one call.
const RENEWED_MAX: usize = 200;
