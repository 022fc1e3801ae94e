//! How a worker is described.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use fanfare_client::{Backoff, Error, ErrorKind};
use tower_service::Service;

use crate::{
    BoxError, Handle, Outcome,
    handle::endpoint_of_service,
    stream::{Entry, Group, Position},
    worker::{Context, Delivered, RunningWorker, dead, rules::Rules},
};

/// The longest lease, and the longest rest.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(30 * 86_400);

/// What entries of the same key have in common.
pub(crate) type KeyOf = Arc<dyn Fn(&Entry) -> Bytes + Send + Sync>;

/// A worker of a group that is being described. Made by [`Group::worker`]; [`spawn`](Self::spawn)
/// starts it.
///
/// | option | default |
/// |---|---|
/// | [`concurrency`](Self::concurrency) | 16 handlers at a time |
/// | [`prefetch`](Self::prefetch) | as many entries read ahead |
/// | [`lease`](Self::lease) | 30 s |
/// | [`retry`](Self::retry) | after 1 s, doubling, at most 5 min |
/// | [`deliveries_max`](Self::deliveries_max) | 5, then the dead letters |
/// | [`timeout`](Self::timeout) | none |
/// | [`order_by`](Self::order_by) | no order |
/// | [`rate`](Self::rate) | no limit |
/// | [`start`](Self::start) | a group that is missing begins with the stream's first entry |
/// | [`consumer`](Self::consumer) | host, process and a random number |
/// | [`dead_letters`](Self::dead_letters) | `{stream}:group:dead` |
/// | [`reap_after`](Self::reap_after) | 1 h |
/// | [`trim_acknowledged`](Self::trim_acknowledged), [`delete_acknowledged`](Self::delete_acknowledged) | no |
#[derive(Clone)]
#[must_use = "nothing happens before `spawn`"]
pub struct Worker {
    pub(crate) group: Group,
    pub(crate) rules: Rules,
    has_prefetch: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) key_of: Option<KeyOf>,
    pub(crate) per_second: Option<f64>,
    pub(crate) start: Position,
    pub(crate) consumer: Option<Bytes>,
    pub(crate) dead_key: Bytes,
    pub(crate) reap_after: Option<Duration>,
    pub(crate) acknowledged: Acknowledged,
}

/// What becomes of acknowledged entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Acknowledged {
    /// They stay.
    Kept,
    /// They are trimmed away once all groups are done with them.
    Trimmed,
    /// They are deleted with the acknowledgement where that takes nothing from another group, and
    /// trimmed away where it would.
    Deleted,
}

impl Group {
    /// A worker of this group, to be described further.
    ///
    /// # Example: what fails is tried again, then put aside
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use std::time::Duration;
    /// use fanfare::{Backoff, Fanfare};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = Fanfare::connect("embedded:").await?;
    /// let invoices = fanfare.stream("invoices");
    /// invoices.add([("amount", "3")]).await?;
    /// invoices.add([("amount", "many")]).await?;
    /// let group = invoices.group("billing");
    /// let ms = Duration::from_millis;
    /// let worker = group
    ///     .worker()
    ///     .retry(Backoff { first: ms(10), cap: ms(100) })
    ///     .deliveries_max(3)
    ///     .spawn(async |entry: std::sync::Arc<fanfare::stream::Entry>, _| {
    ///         let amount = entry.text("amount").map_err(|error| error.to_string())?;
    ///         amount.parse::<u32>().map(drop).map_err(|error| error.to_string())
    ///     })?;
    /// let dead = group.dead_letters();
    /// while dead.list(None, 10).await?.is_empty() {
    ///     tokio::time::sleep(ms(10)).await;
    /// }
    /// let letter = dead.list(None, 10).await?.remove(0);
    /// assert_eq!((letter.deliveries, &letter.fields[0].1[..]), (3, &b"many"[..]));
    /// assert_eq!(letter.error, "invalid digit found in string");
    /// worker.stop().await;
    /// # Ok(()) }
    /// ```
    pub fn worker(&self) -> Worker {
        Worker {
            group: self.clone(),
            rules: Rules {
                concurrency: 16,
                prefetch: 16,
                lease: Duration::from_secs(30),
                backoff: Backoff { first: Duration::from_secs(1), cap: Duration::from_secs(300) },
                deliveries_max: 5,
                is_ordered: false,
            },
            has_prefetch: false,
            timeout: None,
            key_of: None,
            per_second: None,
            start: Position::Start,
            consumer: None,
            dead_key: dead::key(self.stream(), self.name()),
            reap_after: Some(Duration::from_secs(3_600)),
            acknowledged: Acknowledged::Kept,
        }
    }
}

impl Worker {
    /// How many entries are handled at the same time. At least 1. They are handled by one task, so
    /// a handler that computes for long should do that elsewhere (`tokio::task::spawn_blocking`).
    pub fn concurrency(mut self, n: usize) -> Self {
        self.rules.concurrency = n;
        if !self.has_prefetch {
            self.rules.prefetch = n;
        }
        self
    }

    /// How many entries are read ahead while all places are taken. More are never read: this and the
    /// concurrency, once more the concurrency for entries that are taken over from others, and as
    /// much again for those whose acknowledgement is under way, bound what a worker holds in memory.
    pub fn prefetch(mut self, n: usize) -> Self {
        self.rules.prefetch = n;
        self.has_prefetch = true;
        self
    }

    /// After how long without a sign of life from the worker that has an entry, another one may
    /// take it. Signs of life are given every third of it, however long a handler takes. At least
    /// 100 ms, at most 30 days. All workers of a group should have the same.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.rules.lease = lease;
        self
    }

    /// When an entry that failed is delivered again: after `first`, then twice as long each time,
    /// at most `cap`; less a random part of up to a half. `first` is at least 10 ms, `cap` at most 30
    /// days. All workers of a group should have the same.
    ///
    /// Until then the entry is pending on the server, for the consumer `fanfare:retry`, so a crash
    /// loses neither it nor its time. With [`order_by`](Self::order_by) it stays with its worker; if
    /// that crashes, the entry is delivered again when the lease has ended.
    pub fn retry(mut self, backoff: Backoff) -> Self {
        self.rules.backoff = backoff;
        self
    }

    /// How often an entry is delivered before it is put with the dead letters; 0 stands for no
    /// bound. The server counts, so deliveries that ended with the death of the process count as
    /// well: an entry that kills its workers is put aside without being handled once more.
    pub fn deliveries_max(mut self, n: u64) -> Self {
        self.rules.deliveries_max = if n == 0 { u64::MAX } else { n };
        self
    }

    /// How long a handler may take; then it is dropped, which counts as a failure. Without it, one
    /// that hangs keeps its entry for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Entries of the same key are handled one after the other, in the order of the stream, also if
    /// one of them fails: then those behind it wait until it is handled or put with the dead letters.
    ///
    /// That holds within one worker. Two workers of a group share its entries without regard to
    /// their keys: if order matters, each key's entries need a stream that has one worker at a time.
    pub fn order_by<F>(mut self, key: F) -> Self
    where
        F: Fn(&Entry) -> Bytes + Send + Sync + 'static,
    {
        self.key_of = Some(Arc::new(key));
        self.rules.is_ordered = true;
        self
    }

    /// At most so many entries are begun each second, on average; after a quiet second, so many at
    /// once.
    pub fn rate(mut self, per_second: f64) -> Self {
        self.per_second = Some(per_second);
        self
    }

    /// Where the group begins if it is missing when the worker starts. If it is missing later, it is
    /// made again where it was.
    pub fn start(mut self, position: impl Into<Position>) -> Self {
        self.start = position.into();
        self
    }

    /// The consumer's name. Two workers must never have the same at the same time; so the default is
    /// made of the host's name, the process's number and a random number.
    pub fn consumer(mut self, name: impl AsRef<[u8]>) -> Self {
        self.consumer = Some(Bytes::copy_from_slice(name.as_ref()));
        self
    }

    /// The stream that dead letters go to. In a cluster it must be of the same slot. Default:
    /// see [`Group::dead_letters`].
    pub fn dead_letters(mut self, key: impl AsRef<[u8]>) -> Self {
        self.dead_key = Bytes::copy_from_slice(key.as_ref());
        self
    }

    /// Removes consumers of the group that gave no sign of life for so long and have no pending
    /// entries; `None`: never. At least a second, which is much too short for anything but tests.
    pub fn reap_after(mut self, idle: Option<Duration>) -> Self {
        self.reap_after = idle;
        self
    }

    /// Trims entries away once all groups of the stream have acknowledged them, every few seconds. A
    /// group that is made later finds only what is left.
    ///
    /// Where the server knows `XTRIM … ACKED` (Redis 8.2, Fanfare's broker), each entry goes by
    /// itself. Elsewhere only those below the first one that some group still needs do, so one that
    /// stays pending for long keeps all behind it.
    pub fn trim_acknowledged(mut self) -> Self {
        self.acknowledged = self.acknowledged.max(Acknowledged::Trimmed);
        self
    }

    /// Deletes each entry together with its acknowledgement, and those that are put with the dead
    /// letters as well: for a stream that is a queue. What other groups of the stream have not
    /// acknowledged stays for them, and is [trimmed away](Self::trim_acknowledged) later.
    ///
    /// Where the server knows `XACKDEL` (Redis 8.2, Fanfare's broker), that is one step. Elsewhere it is
    /// `XACK`, a look at the groups, and `XDEL` if there is no other one: a group that is made in the
    /// very moment between may miss those entries.
    pub fn delete_acknowledged(mut self) -> Self {
        self.acknowledged = Acknowledged::Deleted;
        self
    }

    /// Starts the worker, and returns at once. It connects, makes the group if it is missing, and
    /// tries again for ever whatever fails: see [`RunningWorker::stats`] and
    /// [`RunningWorker::events`].
    ///
    /// The handler is called with each entry and its [`Context`]. If it returns an error, panics, or
    /// takes too long, the entry is tried again; with a [`Permanent`](crate::Permanent) error it is put
    /// with the dead letters at once. A [`Refused`](crate::layers::Refused) of a layer and a
    /// [`RetryAfter`](crate::layers::RetryAfter) are no failures: the entry waits in the worker for as long as
    /// they say, its lease renewed, and is begun again; that does not count as a delivery.
    ///
    /// # Delivery
    /// *At least once.* An entry is acknowledged after its handler has ended well, or it is put with
    /// the dead letters. It is handled more than once if it failed, if its worker died, if its
    /// worker could not give a sign of life for the length of the lease, or if the acknowledgement
    /// was lost with the server's memory.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`]; [`ErrorKind::Closed`].
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
    pub fn spawn<F, Fut>(self, handler: F) -> Result<RunningWorker, Error>
    where
        F: Fn(Arc<Entry>, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.check()?;
        RunningWorker::spawn(self, handler)
    }

    /// The same with a handler whose arguments are extracted, as those of a
    /// [`Router`](crate::Router): see [`Delivered`](super::Delivered). `state` is what it can ask for
    /// as [`State`](crate::State).
    ///
    /// An entry that can not be turned into the arguments is put with the dead letters at once, after one
    /// delivery: no further attempt can help. A program that wants to try asks for a `Result<T, Error>`.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn).
    ///
    /// # Example: JSON in, and what is shared
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
    /// use fanfare::{Fanfare, Json, State, worker::Context};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Order { amount: u64 }
    ///
    /// #[derive(Clone, Default)]
    /// struct App { total: Arc<AtomicU64> }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = Fanfare::connect("embedded:").await?;
    /// let orders = fanfare.stream("orders in JSON");
    /// orders.add_json("order", &Order { amount: 3 }).await?;
    /// let app = App::default();
    /// let worker = orders.group("billing").worker().spawn_with(
    ///     async |Json(order): Json<Order>, State(app): State<App>, context: Context| {
    ///         if context.deliveries() == 1 {
    ///             app.total.fetch_add(order.amount, Ordering::Relaxed);
    ///         }
    ///     },
    ///     app.clone(),
    /// )?;
    /// while app.total.load(Ordering::Relaxed) < 3 {
    ///     tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    /// }
    /// worker.stop().await;
    /// # Ok(()) }
    /// ```
    pub fn spawn_with<H, Args, S>(self, handler: H, state: S) -> Result<RunningWorker, Error>
    where
        H: Handle<Args, S, Delivered>,
        S: Send + Sync + 'static,
    {
        let delivered = self.delivered();
        self.spawn(move |entry, context| handler.handle(delivered(entry, context), &state))
    }

    /// The same with a `tower` service, which is cloned for each entry and waited for until it is
    /// ready; [`service`](crate::service()) turns a handler into one, around which layers can be put. It
    /// may be one of [`Delivered`] or of [`Call`](crate::Call)s.
    ///
    /// While the service is not ready the entry counts as being handled: its lease is renewed.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn).
    ///
    /// # Example: the same service for a stream and a channel
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
    /// let orders = fanfare.stream("paid");
    /// let worker = orders.group("billing").worker().spawn_service(service.clone())?;
    /// let router = fanfare.router().service(Kind::Channel, "urgent", service).start().await?;
    /// orders.add([("item", "tea")]).await?;
    /// assert_eq!(seen.recv().await.as_deref(), Some("stream paid: tea"));
    /// fanfare.publish("urgent", "coffee").await?;
    /// assert_eq!(seen.recv().await.as_deref(), Some("channel urgent: coffee"));
    /// worker.stop().await;
    /// # router.stop().await;
    /// # Ok(()) }
    /// ```
    pub fn spawn_service<T, M>(self, service: T) -> Result<RunningWorker, Error>
    where
        T: Service<M, Response = (), Error: Into<BoxError>, Future: Send> + Clone,
        T: Send + Sync + 'static,
        M: From<Delivered> + Send,
    {
        let endpoint = endpoint_of_service(service);
        let delivered = self.delivered();
        self.spawn(move |entry, context| endpoint(delivered(entry, context)))
    }

    /// Works until `shutdown` is ready, then [drains](RunningWorker::drain) for at most `deadline`.
    /// Returns the final numbers.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    /// Dropping the future is like dropping the [`RunningWorker`].
    pub async fn run<F, Fut>(
        self,
        handler: F,
        shutdown: impl Future,
        deadline: Duration,
    ) -> Result<super::WorkerStats, Error>
    where
        F: Fn(Arc<Entry>, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let worker = self.spawn(handler)?;
        tokio::select! {
            _ = shutdown => {}
            () = worker.ended() => {}
        }
        Ok(worker.drain(deadline).await)
    }

    /// Makes of an entry what handlers extract their arguments from.
    fn delivered(&self) -> impl Fn(Arc<Entry>, Context) -> Delivered + Send + Sync + use<> {
        let stream = Bytes::copy_from_slice(self.group.stream().key());
        let group = Bytes::copy_from_slice(self.group.name());
        move |entry, context| {
            let (stream, group) = (stream.clone(), group.clone());
            Delivered { entry, context, stream, group }
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let Rules { concurrency, lease, backoff, .. } = &self.rules;
        let wrong = |what: &str| Err(Error::new(ErrorKind::InvalidOption, what));
        if *concurrency == 0 {
            return wrong("a worker with a concurrency of 0 would never handle anything");
        }
        if *lease < Duration::from_millis(100) {
            return wrong("a worker's lease is at least 100 ms");
        }
        if TIME_MAX < *lease || TIME_MAX < backoff.cap {
            return wrong("a worker's lease and what failed entries rest are at most 30 days");
        }
        if backoff.first < Duration::from_millis(10) || backoff.cap < backoff.first {
            return wrong("what failed rests for at least 10 ms, and `first` is not above `cap`");
        }
        if self.per_second.is_some_and(|it| !it.is_finite() || it <= 0.0) {
            return wrong("a worker's rate is a number above 0");
        }
        if self.reap_after.is_some_and(|it| it < Duration::from_secs(1)) {
            return wrong("consumers are reaped after a second at least");
        }
        if self.consumer.as_ref().is_some_and(|it| it.is_empty() || it == super::RETRY_CONSUMER) {
            return wrong("a worker's consumer has a name, and not `fanfare:retry`");
        }
        Ok(())
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("group", &self.group)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// A name that no other worker has.
pub(crate) fn unique_name() -> Bytes {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME"))
        .or_else(|_| std::env::var("COMPUTERNAME"))
        .unwrap_or_else(|_| "host".to_owned());
    let random = RandomState::new().hash_one(std::time::Instant::now());
    Bytes::from(format!("{}-{}-{random:016x}", host.trim(), std::process::id()))
}
