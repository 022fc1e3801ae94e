//! Workers of queues.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use tower_service::Service;

use crate::{
    BoxError, Error, Outcome,
    blocking::{Handle, router::apart, runtime},
    queue::{self, QueueWorkerEvent, QueueWorkerStats, Task},
};

/// The twin of [`fanfare::queue::QueueWorker`](crate::queue::QueueWorker): a worker of a queue that is being
/// described. Made by [`TaskQueue::worker`](super::TaskQueue::worker); [`spawn`](Self::spawn) starts it. The
/// options and their defaults are told there.
///
/// Handlers are plain functions. Each call has a thread of its own, so up to
/// [`concurrency`](Self::concurrency) threads; they may block. What is promised is the same: *at least
/// once*.
///
/// # Example: a result
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{blocking::Fanfare, queue::{Ending, Task}};
///
/// let fanfare = Fanfare::connect("embedded:")?;
/// let sums = fanfare.task_queue("blocking sums");
/// let worker = sums.worker().concurrency(4).spawn(|task: Task| {
///     let numbers: Vec<u64> = task.json()?;
///     task.set_json(&numbers.iter().sum::<u64>())
/// })?;
/// let ticket = sums.enqueue_json(&[1, 2, 3])?;
/// let ending = ticket.outcome(Duration::from_secs(30))?;
/// assert_eq!(ending, Some(Ending::Done(Some("6".into()))));
/// let stats = worker.drain(Duration::from_secs(10));
/// assert_eq!((stats.counts.completed, stats.held), (1, 0));
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `spawn`"]
pub struct QueueWorker {
    pub(super) inner: queue::QueueWorker,
}

impl QueueWorker {
    /// How many tasks are run at the same time, each on a thread of its own. At least 1.
    pub fn concurrency(self, n: usize) -> Self {
        Self { inner: self.inner.concurrency(n) }
    }

    /// How long a handler may take; then that counts as a failure, and the task is tried again. A thread
    /// can not be ended from outside: the handler runs on beside whatever takes its place, and what it
    /// returns in the end counts no more. [`Task::is_lost`] does not tell it.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { inner: self.inner.timeout(timeout) }
    }

    /// At most so many tasks are taken each second, on average.
    pub fn rate(self, per_second: f64) -> Self {
        Self { inner: self.inner.rate(per_second) }
    }

    /// What it is called where a task says who has it. No two workers should have the same name.
    pub fn name(self, name: impl AsRef<[u8]>) -> Self {
        Self { inner: self.inner.name(name) }
    }

    /// Starts the worker, and returns at once. It connects, and tries again for ever whatever fails.
    ///
    /// The handler is called with each [`Task`], on a thread apart.
    ///
    /// # Errors
    /// As [`QueueWorker::spawn`](crate::queue::QueueWorker::spawn).
    pub fn spawn<F, T>(self, handler: F) -> Result<RunningQueueWorker, Error>
    where
        F: Fn(Task) -> T + Send + Sync + 'static,
        T: Outcome,
    {
        let handler = Arc::new(handler);
        let handle = move |task| {
            let handler = handler.clone();
            runtime::apart(move || handler(task).failure().map_or(Ok(()), Err))
        };
        Ok(RunningQueueWorker { inner: runtime::wait(async { self.inner.spawn(handle) })? })
    }

    /// The same with a handler whose arguments are extracted: see [`Task`]. `state` is what it can ask
    /// for as [`State`](crate::State).
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    ///
    /// # Example: JSON in
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use std::sync::mpsc;
    /// use fanfare::{Json, State, blocking::Fanfare};
    ///
    /// let fanfare = Fanfare::connect("embedded:")?;
    /// let numbers = fanfare.task_queue("numbers in JSON");
    /// numbers.enqueue_json(&7)?;
    /// let (sender, handled) = mpsc::channel();
    /// let worker = numbers.worker().spawn_with(
    ///     |Json(n): Json<u64>, State(sender): State<mpsc::Sender<u64>>| sender.send(n),
    ///     sender,
    /// )?;
    /// assert_eq!(handled.recv(), Ok(7));
    /// worker.stop();
    /// # Ok::<_, fanfare::Error>(())
    /// ```
    pub fn spawn_with<H, Args, S>(self, handler: H, state: S) -> Result<RunningQueueWorker, Error>
    where
        H: Handle<Args, S, Task>,
        S: Clone + Send + Sync + 'static,
    {
        let handler = apart(handler);
        let spawn = async { self.inner.spawn_with(handler, state) };
        Ok(RunningQueueWorker { inner: runtime::wait(spawn)? })
    }

    /// The same with a service: a handler with layers around it. See
    /// [`QueueWorker::spawn_service`](crate::queue::QueueWorker::spawn_service), and
    /// [`service`](crate::blocking::service) for a handler that may block.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn spawn_service<T, M>(self, service: T) -> Result<RunningQueueWorker, Error>
    where
        T: Service<M, Response = (), Error: Into<BoxError>, Future: Send> + Clone,
        T: Send + Sync + 'static,
        M: From<Task> + Send,
    {
        let spawn = async { self.inner.spawn_service(service) };
        Ok(RunningQueueWorker { inner: runtime::wait(spawn)? })
    }

    /// Works until `shutdown` returns, which is called on a thread apart, then
    /// [drains](RunningQueueWorker::drain) for at most `deadline`. Returns the final numbers. If the
    /// connection is closed it returns earlier, and leaves that thread to itself.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn run<F, T>(
        self,
        handler: F,
        shutdown: impl FnOnce() + Send + 'static,
        deadline: Duration,
    ) -> Result<QueueWorkerStats, Error>
    where
        F: Fn(Task) -> T + Send + Sync + 'static,
        T: Outcome,
    {
        let worker = self.spawn(handler)?;
        runtime::wait(async {
            tokio::select! {
                () = runtime::apart(shutdown) => {}
                () = worker.inner.ended() => {}
            }
        });
        Ok(worker.drain(deadline))
    }
}

/// The twin of [`fanfare::queue::RunningQueueWorker`](crate::queue::RunningQueueWorker).
///
/// End it with [`drain`](Self::drain) or [`stop`](Self::stop). If it is dropped, everything ends at once, as
/// in a crash: handlers that run go on to their end, and what they had is delivered to others when the
/// lease has ended.
#[derive(Debug)]
#[must_use = "the worker ends when this is dropped"]
pub struct RunningQueueWorker {
    inner: queue::RunningQueueWorker,
}

impl RunningQueueWorker {
    /// How it is doing, now.
    pub fn stats(&self) -> QueueWorkerStats {
        self.inner.stats()
    }

    /// What happens to it, from now on.
    pub fn events(&self) -> QueueWorkerEvents {
        QueueWorkerEvents { inner: self.inner.events() }
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        self.inner.name()
    }

    /// Ends it in good order: nothing more is taken; handlers that run are waited for until `deadline`,
    /// and the tasks of those that take longer are given back. Returns the final numbers.
    pub fn drain(self, deadline: Duration) -> QueueWorkerStats {
        runtime::wait(self.inner.drain(deadline))
    }

    /// [Drains](Self::drain) it without a deadline.
    pub fn stop(self) -> QueueWorkerStats {
        runtime::wait(self.inner.stop())
    }

    /// Waits until it has ended by itself, because the connection was closed.
    pub fn ended(&self) {
        runtime::wait(self.inner.ended());
    }
}

/// The twin of [`fanfare::queue::QueueWorkerEvents`](crate::queue::QueueWorkerEvents): an iterator that waits
/// for the next event and ends with the worker.
#[derive(Debug)]
pub struct QueueWorkerEvents {
    inner: queue::QueueWorkerEvents,
}

impl QueueWorkerEvents {
    /// The next event, if one comes within `limit`. `None`: none came, or this is the end.
    pub fn next_within(&mut self, limit: Duration) -> Option<QueueWorkerEvent> {
        runtime::wait(async { timeout(limit, self.inner.next()).await }).ok().flatten()
    }
}

impl Iterator for QueueWorkerEvents {
    type Item = QueueWorkerEvent;

    fn next(&mut self) -> Option<QueueWorkerEvent> {
        runtime::wait(self.inner.next())
    }
}
