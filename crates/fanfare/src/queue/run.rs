//! The tasks of a worker of a queue: one takes, calls handlers and tells the server, the other one keeps
//! the leases.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use fanfare_client::{Dedicated, Error, ErrorKind};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};

use super::{
    QueueWorker, QueueWorkerEvents, QueueWorkerStats, Task, TaskQueue,
    held::Shared,
    keep::keep,
    settle::{give_back, give_back_one, settle},
    take::{Catch, WAIT},
    wake::{Listening, pass_on},
};
use crate::{
    Outcome,
    bucket::Bucket,
    worker::{Ending, Patience, Running, Stage, now},
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

/// How long the server may take to hear of what was cut at the deadline.
const GIVE_BACK_MAX: Duration = Duration::from_secs(5);

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
            connection,
            wake,
            handler: Arc::new(handler),
            timeout,
            concurrency,
            bucket: per_second.map(|rate| Bucket::new(rate, now())),
            patience: Patience::default(),
            take_after: now(),
            look_at: now(),
            is_called: false,
        };
        let keeping = shared.life.spawn(keep(shared.clone(), queue.clone()));
        let working = shared.life.spawn(working.run());
        Ok(Self { shared, queue, name, working, _keeping: keeping })
    }

    /// How it is doing, now.
    pub fn stats(&self) -> QueueWorkerStats {
        self.shared.stats()
    }

    /// What happens to it, from now on.
    pub fn events(&self) -> QueueWorkerEvents {
        QueueWorkerEvents(self.shared.listen())
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Ends it in good order: nothing more is taken; handlers that run are waited for until `deadline`,
    /// then dropped, and their tasks go back to where they were in line; the delivery counts. Returns
    /// the final numbers.
    ///
    /// What the server could not be told by `deadline` and 5 s, or within 10 s after a handler ended, is
    /// left: then others get it when the lease has ended.
    ///
    /// # Cancel safety
    /// Dropping the future is like dropping the worker.
    pub async fn drain(self, deadline: Duration) -> QueueWorkerStats {
        let until = tokio::time::Instant::now().checked_add(deadline);
        let Self { shared, queue, mut working, .. } = self;
        shared.life.reach(Stage::Draining);
        if !working.ended_by(until).await {
            working.cut().await;
        }
        shared.life.reach(Stage::Settling);
        let _ = tokio::time::timeout(GIVE_BACK_MAX, give_back(&shared, &queue)).await;
        shared.life.reach(Stage::Ended);
        shared.stats()
    }

    /// [Drains](Self::drain) it without a deadline: handlers are waited for, however long they take. It
    /// does not wait for a server that is away for longer than was said there.
    pub async fn stop(self) -> QueueWorkerStats {
        self.drain(Duration::MAX).await
    }

    /// Waits until it has ended by itself, because the connection was closed.
    pub async fn ended(&self) {
        self.shared.life.ended().await;
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

/// See the module.
struct Working<F> {
    shared: Arc<Shared>,
    queue: TaskQueue,
    name: Bytes,
    connection: Dedicated,
    /// The name of the list of wake-ups on the server.
    wake: Bytes,
    handler: Arc<F>,
    timeout: Option<Duration>,
    concurrency: usize,
    bucket: Option<Bucket>,
    patience: Patience,
    /// Nothing is taken before this, since something has failed or the rate is used up.
    take_after: Instant,
    /// When there may be something to take, if nobody says so earlier.
    look_at: Instant,
    /// Somebody has said so since the server was asked last.
    is_called: bool,
}

/// So many tasks at most are asked for.
type Taking = BoxFuture<'static, (usize, Result<Catch, Error>)>;

impl<F, Fut> Working<F>
where
    F: Fn(Task) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    async fn run(mut self) {
        let mut running = FuturesUnordered::new();
        let mut taking: Option<Taking> = None;
        let mut listening: Option<Listening> = None;
        let mut stage = self.shared.life.watch();
        loop {
            let is_over = Stage::Working < *stage.borrow_and_update();
            if is_over {
                listening = None;
                if running.is_empty() && taking.is_none() {
                    return;
                }
            }
            let n_free = self.concurrency.saturating_sub(running.len());
            let has_room = !is_over && 0 < n_free;
            if has_room && taking.is_none() {
                taking = self.take(n_free);
            }
            // Who may not take leaves wake-ups to others.
            let is_limited = self.is_limited();
            if has_room && !is_limited && listening.is_none() {
                listening = Some(Listening::start_on(&self.queue, &self.connection, &self.wake));
            }
            let is_idle = has_room && taking.is_none();
            let wake_at = if is_limited { self.not_before() } else { self.take_at() };
            let is_fetching = has_room && (!is_idle || !is_limited);
            self.shared.books().handle_fetching(is_fetching);
            tokio::select! {
                biased;
                (n, caught) = ready(&mut taking) => {
                    taking = None;
                    match caught {
                        Ok(catch) => {
                            let tasks = self.handle_caught(n, catch);
                            running.extend(tasks.into_iter().map(|task| self.handle(task)));
                        }
                        Err(error) if self.handle_take_failed(n, &error) => {}
                        Err(_) => return,
                    }
                }
                is_called = heard(&mut listening) => {
                    listening = None;
                    if is_called {
                        self.handle_called(has_room && !is_limited);
                    }
                }
                _ = running.next(), if !running.is_empty() => {}
                () = tokio::time::sleep_until(wake_at.into()), if is_idle => {}
                // The sender lives as long as this.
                _ = stage.changed() => {}
            }
        }
    }

    /// When to ask the server, if there is room.
    fn take_at(&self) -> Instant {
        self.not_before().max(self.look_at)
    }

    /// Nothing is taken before this, whatever there is.
    fn not_before(&self) -> Instant {
        let paused = self.shared.books().paused_until();
        paused.map_or(self.take_after, |paused| paused.max(self.take_after))
    }

    fn is_limited(&self) -> bool {
        now() < self.not_before()
    }

    /// Asks for tasks, unless it is not the time.
    fn take(&mut self, n_free: usize) -> Option<Taking> {
        let now = now();
        if now < self.take_at() {
            return None;
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
            return None;
        }
        self.is_called = false;
        let (queue, name) = (self.queue.clone(), self.name.clone());
        Some(Box::pin(async move { (n, queue.catch(n, &name).await) }))
    }

    /// The server has given tasks, and perhaps not as many as were wanted.
    fn handle_caught(&mut self, n: usize, catch: Catch) -> Vec<Task> {
        let n_spare = n.saturating_sub(catch.tasks.len());
        self.patience.handle_success();
        if let Some(bucket) = &mut self.bucket {
            bucket.put(n_spare as f64, now());
        }
        self.look_at = now();
        // Whoever was heard meanwhile may have put something in behind what the server has looked at.
        if 0 < n_spare && !self.is_called {
            self.look_at += catch.more_in.unwrap_or(WAIT).min(WAIT);
        }
        self.shared.handle_taken(&catch.tasks);
        for (id, failure) in catch.buried {
            self.shared.handle_dead(id, failure);
        }
        catch.tasks
    }

    /// Returns whether to go on.
    fn handle_take_failed(&mut self, n: usize, error: &Error) -> bool {
        if let Some(bucket) = &mut self.bucket {
            bucket.put(n as f64, now());
        }
        self.shared.handle_take_failed(error);
        if error.kind() == ErrorKind::Closed {
            self.shared.life.reach(Stage::Ended);
            return false;
        }
        self.take_after = self.patience.handle_failure();
        true
    }

    /// Somebody has put something in.
    fn handle_called(&mut self, may_take: bool) {
        if may_take {
            self.is_called = true;
            self.look_at = now();
        } else {
            // Another worker may have.
            let queue = self.queue.clone();
            tokio::spawn(async move { pass_on(&queue).await });
        }
    }

    /// Runs a task, and tells the server how it went.
    fn handle(&self, task: Task) -> impl Future<Output = ()> + Send + use<F, Fut> {
        let (shared, queue) = (self.shared.clone(), self.queue.clone());
        let (handler, timeout) = (self.handler.clone(), self.timeout);
        async move {
            if Stage::Working < shared.life.stage() {
                // It came when the worker was already being stopped.
                return give_back_one(&shared, &queue, &task, false).await;
            }
            let called = task.clone();
            let ending = Ending::of(async { handler(called).await }, timeout).await;
            shared.handle_ended(&task, &ending);
            settle(&shared, &queue, &task, ending).await;
        }
    }
}

async fn ready(taking: &mut Option<Taking>) -> (usize, Result<Catch, Error>) {
    match taking {
        Some(taking) => taking.await,
        None => std::future::pending().await,
    }
}

/// Whether there was a wake-up. If there can be none, time alone has to tell.
async fn heard(listening: &mut Option<Listening>) -> bool {
    match listening {
        Some(listening) => listening.heard().await.unwrap_or(false),
        None => std::future::pending().await,
    }
}
