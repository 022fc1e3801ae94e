//! How a worker of a queue is described.

use std::{fmt, time::Duration};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};

use tower_service::Service;

use super::{QueueWorkerStats, RunningQueueWorker, Task, TaskQueue};
use crate::{
    BoxError, Handle, Outcome,
    handle::endpoint_of_service,
    worker::{TIME_MAX, unique_name},
};

/// A worker of a queue that is being described. Made by [`TaskQueue::worker`];
/// [`spawn`](Self::spawn) starts it.
///
/// | option | default |
/// |---|---|
/// | [`concurrency`](Self::concurrency) | 16 handlers at a time |
/// | [`timeout`](Self::timeout) | none |
/// | [`rate`](Self::rate) | no limit |
/// | [`name`](Self::name) | host, process and a random number |
///
/// Lease, retries and the number of deliveries are those of the [queue's handle](TaskQueue).
///
/// # Example: what fails is tried again, then put aside
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Backoff, Fanfare, Text, queue::Ending};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let ms = Duration::from_millis;
/// let numbers = fanfare
///     .task_queue("numbers")
///     .retry(Backoff { first: ms(10), cap: ms(100) })
///     .deliveries_max(3);
/// let worker = numbers.worker().concurrency(4).spawn_with(
///     async |Text(text): Text| text.parse::<u32>().map(drop).map_err(|error| error.to_string()),
///     (),
/// )?;
/// let ticket = numbers.enqueue("many").await?;
/// let ending = ticket.outcome(Duration::from_secs(30)).await?;
/// assert_eq!(ending, Some(Ending::Dead("invalid digit found in string".into())));
/// worker.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "nothing happens before `spawn`"]
pub struct QueueWorker {
    pub(crate) queue: TaskQueue,
    pub(crate) concurrency: usize,
    pub(crate) timeout: Option<Duration>,
    pub(crate) per_second: Option<f64>,
    pub(crate) name: Bytes,
}

impl QueueWorker {
    pub(crate) fn new(queue: TaskQueue) -> Self {
        Self { queue, concurrency: 16, timeout: None, per_second: None, name: unique_name() }
    }

    /// How many tasks are run at the same time. At least 1. No more are ever taken, so none waits
    /// here while another worker is free. They are run by one task of the runtime, so a handler that
    /// computes for long should do that elsewhere (`tokio::task::spawn_blocking`).
    pub fn concurrency(mut self, n: usize) -> Self {
        self.concurrency = n;
        self
    }

    /// How long a handler may take; then it is dropped, which counts as a failure. Without it, one
    /// that hangs keeps its task for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// At most so many tasks are taken each second, on average; after a quiet second, so many at
    /// once.
    pub fn rate(mut self, per_second: f64) -> Self {
        self.per_second = Some(per_second);
        self
    }

    /// What it is called where a task says who has it. No two workers should have the same name: a lease is
    /// known by it and by its [token](Task::token).
    pub fn name(mut self, name: impl AsRef<[u8]>) -> Self {
        self.name = Bytes::copy_from_slice(name.as_ref());
        self
    }

    /// Starts the worker, and returns at once. It connects, and tries again for ever whatever fails:
    /// see [`RunningQueueWorker::stats`].
    ///
    /// The handler is called with each [`Task`]. If it returns an error, panics, or takes too long,
    /// the task [rests](TaskQueue::retry) and is delivered again; with a [`Permanent`](crate::Permanent)
    /// error it is put with the dead letters at once. A [`Refused`](crate::layers::Refused) of a layer and a
    /// [`RetryAfter`](crate::layers::RetryAfter) are no failures: it is delivered again when they say, and that
    /// does not count.
    ///
    /// # Delivery
    /// *At least once.* A task is done when its handler has ended well and the server knows it, or it
    /// is with the dead letters. It is run more than once if it failed, if its worker died, or if its
    /// worker could not give a sign of life for the length of the [lease](TaskQueue::lease).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`]; [`ErrorKind::Closed`].
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
    pub fn spawn<F, Fut>(self, handler: F) -> Result<RunningQueueWorker, Error>
    where
        F: Fn(Task) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.check()?;
        RunningQueueWorker::spawn(self, handler)
    }

    /// The same with a handler whose arguments are extracted: see [`Task`]. `state` is what it can ask
    /// for as [`State`](crate::State).
    ///
    /// A task that can not be turned into the arguments is put with the dead letters at once. A handler
    /// that wants to look at it itself asks for a `Result<T, Error>`.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn).
    pub fn spawn_with<H, Args, S>(self, handler: H, state: S) -> Result<RunningQueueWorker, Error>
    where
        H: Handle<Args, S, Task>,
        S: Send + Sync + 'static,
    {
        self.spawn(move |task| handler.handle(task, &state))
    }

    /// The same with a [`tower`](https://docs.rs/tower) service of tasks, or of [`Call`](crate::Call)s, which
    /// also handles messages and entries: see [`service`](crate::service()).
    ///
    /// While the service is not ready the task counts as being run: its lease is renewed.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn).
    ///
    /// # Example: the same service for a queue and a channel
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{Call, Fanfare, Kind, Text};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = Fanfare::connect("embedded:").await?;
    /// let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    /// let service = fanfare::service(
    ///     move |call: Call, Text(text): Text| {
    ///         let _ = sender.send(format!("{}: {text}", call.source()));
    ///         async {}
    ///     },
    ///     (),
    /// );
    /// let mails = fanfare.task_queue("mails of a service");
    /// let worker = mails.worker().spawn_service(service.clone())?;
    /// let router = fanfare.router().service(Kind::Channel, "urgent mails", service).start().await?;
    /// mails.enqueue("to ada").await?;
    /// assert_eq!(seen.recv().await.as_deref(), Some("queue mails of a service: to ada"));
    /// fanfare.publish("urgent mails", "to grace").await?;
    /// assert_eq!(seen.recv().await.as_deref(), Some("channel urgent mails: to grace"));
    /// worker.stop().await;
    /// # router.stop().await;
    /// # Ok(()) }
    /// ```
    pub fn spawn_service<T, M>(self, service: T) -> Result<RunningQueueWorker, Error>
    where
        T: Service<M, Response = (), Error: Into<BoxError>, Future: Send> + Clone,
        T: Send + Sync + 'static,
        M: From<Task> + Send,
    {
        let endpoint = endpoint_of_service(service);
        self.spawn(move |task| endpoint(task))
    }

    /// Works until `shutdown` is ready, then [drains](RunningQueueWorker::drain) for at most
    /// `deadline`. Returns the final numbers.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    /// Dropping the future is like dropping the [`RunningQueueWorker`].
    pub async fn run<F, Fut>(
        self,
        handler: F,
        shutdown: impl Future,
        deadline: Duration,
    ) -> Result<QueueWorkerStats, Error>
    where
        F: Fn(Task) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let worker = self.spawn(handler)?;
        tokio::select! {
            _ = shutdown => {}
            () = worker.ended() => {}
        }
        Ok(worker.drain(deadline).await)
    }

    fn check(&self) -> Result<(), Error> {
        self.queue.place.check()?;
        let rules = &self.queue.rules;
        let wrong = |what: &str| Err(Error::new(ErrorKind::InvalidOption, what));
        if self.concurrency == 0 {
            return wrong("a worker with a concurrency of 0 would never run anything");
        }
        if rules.lease < Duration::from_millis(100) {
            return wrong("a queue's lease is at least 100 ms");
        }
        if TIME_MAX < rules.lease || TIME_MAX < rules.backoff.cap {
            return wrong("a queue's lease and what failed tasks rest are at most 30 days");
        }
        if self.per_second.is_some_and(|it| !it.is_finite() || it <= 0.0) {
            return wrong("a worker's rate is a number above 0");
        }
        Ok(())
    }
}

impl fmt::Debug for QueueWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueWorker")
            .field("queue", &self.queue)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
