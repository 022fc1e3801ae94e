//! Workers and dead letters.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;
use tower_service::Service;

use super::{Group, Handle, Stream, router::apart, runtime, twin};
use crate::{
    Backoff, BoxError, Error, Outcome,
    stream::{Entry, Position, StreamId},
    worker::{self, Context, DeadLetter, Delivered, WorkerEvent, WorkerStats},
};

/// The twin of [`fanfare::worker::Worker`](crate::worker::Worker): a worker of a group that is being
/// described. Made by [`Group::worker`]; [`spawn`](Self::spawn) starts it. The options and their
/// defaults are told there.
///
/// Handlers are plain functions. Each call has a thread of its own, so up to
/// [`concurrency`](Self::concurrency) threads; they may block. What is promised is the same: *at least
/// once*, whatever dies, hangs or moves.
///
/// # Example: what fails is tried again, then put aside
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Backoff, blocking::Fanfare};
///
/// let fanfare = Fanfare::connect("embedded:")?;
/// let invoices = fanfare.stream("blocking invoices");
/// invoices.add([("amount", "3")])?;
/// invoices.add([("amount", "many")])?;
/// let group = invoices.group("billing");
/// let ms = Duration::from_millis;
/// let worker = group
///     .worker()
///     .concurrency(4)
///     .retry(Backoff { first: ms(10), cap: ms(100) })
///     .deliveries_max(3)
///     .spawn(|entry, _context| {
///         let amount = entry.text("amount").map_err(|error| error.to_string())?;
///         amount.parse::<u32>().map(drop).map_err(|error| error.to_string())
///     })?;
/// while worker.stats().counts.dead_lettered < 1 {
///     std::thread::sleep(ms(10));
/// }
/// let letter = group.dead_letters().list(None, 10)?.remove(0);
/// assert_eq!((letter.deliveries, &letter.fields[0].1[..]), (3, &b"many"[..]));
/// let stats = worker.drain(Duration::from_secs(10));
/// assert_eq!((stats.counts.handled, stats.held), (1, 0));
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `spawn`"]
pub struct Worker {
    inner: worker::Worker,
}

impl Group {
    /// A worker of this group, to be described further.
    pub fn worker(&self) -> Worker {
        Worker { inner: self.inner.worker() }
    }

    /// The dead letters of this group.
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters { inner: self.inner.dead_letters() }
    }

    /// The dead letters in the stream that the workers of this group were told of.
    pub fn dead_letters_in(&self, key: impl AsRef<[u8]>) -> DeadLetters {
        DeadLetters { inner: self.inner.dead_letters_in(key) }
    }
}

impl Worker {
    /// How many entries are handled at the same time, each on a thread of its own. At least 1.
    pub fn concurrency(self, n: usize) -> Self {
        Self { inner: self.inner.concurrency(n) }
    }

    /// How many entries are read ahead while all places are taken.
    pub fn prefetch(self, n: usize) -> Self {
        Self { inner: self.inner.prefetch(n) }
    }

    /// After how long without a sign of life from the worker that has an entry, another one may
    /// take it. A thread gives signs of life however long a handler takes.
    pub fn lease(self, lease: Duration) -> Self {
        Self { inner: self.inner.lease(lease) }
    }

    /// When an entry that failed is delivered again.
    pub fn retry(self, backoff: Backoff) -> Self {
        Self { inner: self.inner.retry(backoff) }
    }

    /// How often an entry is delivered before it is put with the dead letters; 0 stands for no
    /// bound.
    pub fn deliveries_max(self, n: u64) -> Self {
        Self { inner: self.inner.deliveries_max(n) }
    }

    /// How long a handler may take; then that counts as a failure, and the entry is tried again. A
    /// thread can not be ended from outside: the handler runs on beside whatever takes its place,
    /// and what it returns in the end counts no more. [`Context::is_lost`] does not tell it.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { inner: self.inner.timeout(timeout) }
    }

    /// Entries of the same key are handled one after the other, in the order of the stream. The
    /// function must be quick: it is called on the thread that carries all connections.
    pub fn order_by(self, key: impl Fn(&Entry) -> Bytes + Send + Sync + 'static) -> Self {
        Self { inner: self.inner.order_by(key) }
    }

    /// At most so many entries are begun each second, on average.
    pub fn rate(self, per_second: f64) -> Self {
        Self { inner: self.inner.rate(per_second) }
    }

    /// Where the group begins if it is missing when the worker starts.
    pub fn start(self, position: impl Into<Position>) -> Self {
        Self { inner: self.inner.start(position) }
    }

    /// The consumer's name, which no other worker may have.
    pub fn consumer(self, name: impl AsRef<[u8]>) -> Self {
        Self { inner: self.inner.consumer(name) }
    }

    /// The stream that dead letters go to.
    pub fn dead_letters(self, key: impl AsRef<[u8]>) -> Self {
        Self { inner: self.inner.dead_letters(key) }
    }

    /// Removes consumers of the group that gave no sign of life for so long and have no pending
    /// entries; `None`: never.
    pub fn reap_after(self, idle: Option<Duration>) -> Self {
        Self { inner: self.inner.reap_after(idle) }
    }

    /// Trims entries away once all groups of the stream have acknowledged them.
    pub fn trim_acknowledged(self) -> Self {
        Self { inner: self.inner.trim_acknowledged() }
    }

    /// Deletes each entry together with its acknowledgement: for a stream that is a queue.
    pub fn delete_acknowledged(self) -> Self {
        Self { inner: self.inner.delete_acknowledged() }
    }

    /// Starts the worker, and returns at once. It connects, makes the group if it is missing, and
    /// tries again for ever whatever fails.
    ///
    /// The handler is called with each entry and its [`Context`], on a thread apart. If it returns an
    /// error, panics, or takes too long, the entry is tried again.
    ///
    /// # Errors
    /// As [`Worker::spawn`](crate::worker::Worker::spawn).
    pub fn spawn<F, T>(self, handler: F) -> Result<RunningWorker, Error>
    where
        F: Fn(Arc<Entry>, Context) -> T + Send + Sync + 'static,
        T: Outcome,
    {
        let handler = Arc::new(handler);
        let handle = move |entry, context| {
            let handler = handler.clone();
            let work = move || handler(entry, context).failure().map_or(Ok(()), Err);
            runtime::apart(work)
        };
        Ok(RunningWorker { inner: runtime::wait(async { self.inner.spawn(handle) })? })
    }

    /// The same with a handler whose arguments are extracted, as those of a
    /// [`Router`](super::Router): see [`Delivered`]. `state` is what it can ask for as
    /// [`State`](crate::State). An entry that can not be turned into the arguments is put with the dead
    /// letters at once.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    ///
    /// # Example: JSON in
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{Json, State, blocking::Fanfare};
    /// use std::sync::mpsc;
    ///
    /// let fanfare = Fanfare::connect("embedded:")?;
    /// let numbers = fanfare.stream("numbers in JSON");
    /// numbers.add_json("n", &7)?;
    /// let (sender, handled) = mpsc::channel();
    /// let worker = numbers.group("team").worker().spawn_with(
    ///     |Json(n): Json<u64>, State(sender): State<mpsc::Sender<u64>>| sender.send(n),
    ///     sender,
    /// )?;
    /// assert_eq!(handled.recv(), Ok(7));
    /// worker.stop();
    /// # Ok::<_, fanfare::Error>(())
    /// ```
    pub fn spawn_with<H, Args, S>(self, handler: H, state: S) -> Result<RunningWorker, Error>
    where
        H: Handle<Args, S, Delivered>,
        S: Clone + Send + Sync + 'static,
    {
        let handler = apart(handler);
        Ok(RunningWorker { inner: runtime::wait(async { self.inner.spawn_with(handler, state) })? })
    }

    /// The same with a service: a handler with layers around it. See
    /// [`Worker::spawn_service`](crate::worker::Worker::spawn_service), and
    /// [`service`](super::service) for a handler that may block.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn spawn_service<T, M>(self, service: T) -> Result<RunningWorker, Error>
    where
        T: Service<M, Response = (), Error: Into<BoxError>, Future: Send> + Clone,
        T: Send + Sync + 'static,
        M: From<Delivered> + Send,
    {
        Ok(RunningWorker { inner: runtime::wait(async { self.inner.spawn_service(service) })? })
    }

    /// Works until `shutdown` returns, which is called on a thread apart, then
    /// [drains](RunningWorker::drain) for at most `deadline`. Returns the final numbers. If the
    /// connection is closed it returns earlier, and leaves that thread to itself.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    ///
    /// # Example: until somebody says so
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use std::{sync::mpsc, time::Duration};
    ///
    /// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
    /// let (stop, stopped) = mpsc::channel::<()>();
    /// std::thread::spawn(move || drop(stop));
    /// let worker = fanfare.stream("jobs to do").group("team").worker();
    /// let (until, deadline) = (move || drop(stopped.recv()), Duration::from_secs(10));
    /// let stats = worker.run(|entry, _context| println!("{}", entry.id), until, deadline)?;
    /// assert_eq!(stats.held, 0);
    /// # Ok::<_, fanfare::Error>(())
    /// ```
    pub fn run<F, T>(
        self,
        handler: F,
        shutdown: impl FnOnce() + Send + 'static,
        deadline: Duration,
    ) -> Result<WorkerStats, Error>
    where
        F: Fn(Arc<Entry>, Context) -> T + Send + Sync + 'static,
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

/// The twin of [`fanfare::worker::RunningWorker`](crate::worker::RunningWorker).
///
/// End it with [`drain`](Self::drain) or [`stop`](Self::stop). If it is dropped, everything ends at
/// once, as in a crash: handlers that run go on to their end, and what they had is delivered to
/// others when the lease has ended.
#[derive(Debug)]
#[must_use = "the worker ends when this is dropped"]
pub struct RunningWorker {
    inner: worker::RunningWorker,
}

impl RunningWorker {
    /// How it is doing, now.
    pub fn stats(&self) -> WorkerStats {
        self.inner.stats()
    }

    /// What happens to it, from now on.
    pub fn events(&self) -> WorkerEvents {
        WorkerEvents { inner: self.inner.events() }
    }

    /// The name of its consumer.
    pub fn consumer(&self) -> &[u8] {
        self.inner.consumer()
    }

    /// Ends it in good order: nothing more is read; what was not begun is given back; handlers that
    /// run are waited for until `deadline`, and the entries of those that take longer are given back;
    /// the server is told everything. Returns the final numbers.
    pub fn drain(self, deadline: Duration) -> WorkerStats {
        runtime::wait(self.inner.drain(deadline))
    }

    /// [Drains](Self::drain) it without a deadline.
    pub fn stop(self) -> WorkerStats {
        runtime::wait(self.inner.stop())
    }

    /// Waits until it has ended by itself, because the connection was closed.
    pub fn ended(&self) {
        runtime::wait(self.inner.ended());
    }
}

/// The twin of [`fanfare::worker::WorkerEvents`](crate::worker::WorkerEvents): an iterator that waits
/// for the next event and ends with the worker.
#[derive(Debug)]
pub struct WorkerEvents {
    inner: worker::WorkerEvents,
}

impl WorkerEvents {
    /// The next event, if one comes within `limit`. `None`: none came, or this is the end.
    pub fn next_within(&mut self, limit: Duration) -> Option<WorkerEvent> {
        runtime::wait(async { timeout(limit, self.inner.next()).await }).ok().flatten()
    }
}

impl Iterator for WorkerEvents {
    type Item = WorkerEvent;

    fn next(&mut self) -> Option<WorkerEvent> {
        runtime::wait(self.inner.next())
    }
}

/// The twin of [`fanfare::worker::DeadLetters`](crate::worker::DeadLetters): the entries of a group
/// that were delivered as often as is allowed and never handled.
///
/// # Example: send all back
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let dead = fanfare.stream("orders").group("billing").dead_letters();
/// for letter in dead.list(None, 100)? {
///     println!("{} after {} deliveries: {}", letter.id, letter.deliveries, letter.error);
/// }
/// assert_eq!(dead.requeue_all()?, 0);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DeadLetters {
    inner: worker::DeadLetters,
}

impl DeadLetters {
    /// The stream that they are in.
    pub fn stream(&self) -> Stream {
        Stream { inner: self.inner.stream().clone() }
    }
}

twin!(DeadLetters {
    /// How many there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool;

    /// The oldest ones, or those behind one of them; at most `n_max`.
    fn list(&self, after: Option<StreamId>, n_max: u64) -> Vec<DeadLetter>;

    /// One of them; `None` if there is no dead letter with this ID.
    fn show(&self, dead_id: StreamId) -> Option<DeadLetter>;

    /// Adds one to the end of the stream that it came from, and removes it here; both or nothing.
    /// Returns its new ID there; `None` if it was not here any more.
    fn requeue(&self, dead_id: StreamId) -> Option<StreamId>;

    /// Sends all back that are here now, oldest first, and returns how many.
    fn requeue_all(&self) -> u64;

    /// Throws some away, and returns how many of them were here.
    fn drop(&self, dead_ids: impl IntoIterator<Item = StreamId>) -> u64;
});
