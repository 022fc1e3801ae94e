//! The handle: commands, subscriptions and events of one link.

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fanfare_resp::Value;
use tokio::sync::Semaphore;

use crate::{
    Dedicated, Error, ErrorKind, Event, Events, Kind, Options, Overflow, Queue, Vital, Vitals,
    connection::driver::{now, until},
    request::{Answers, Pipeline, check_shareable},
    stream::{Position, Tail, queue::Bounds},
    subscription::Subscription,
    topology::{
        connections::{Connections, Follower},
        health::Health,
    },
    vitals::{Living, label},
};

/// A connection to a server that survives: see the [crate's documentation](crate).
///
/// Cheap to clone. The connections are closed when the last clone and the last subscription are
/// gone, or by [`close`](Self::close).
///
/// With [`Options::pool_size`] above 1 each clone has one of the command connections, in turn: the
/// commands of one clone keep their order.
pub struct Link {
    pub(crate) inner: Arc<Inner>,
    /// Which of the command connections.
    lane: usize,
}

impl Clone for Link {
    fn clone(&self) -> Self {
        let lane = self.inner.next_lane.fetch_add(1, Ordering::Relaxed);
        Self { inner: self.inner.clone(), lane }
    }
}

pub(crate) struct Inner {
    pub(crate) connections: Connections,
    /// One permit is one byte in flight.
    permits: Arc<Semaphore>,
    next_id: AtomicU64,
    living: Living,
    next_lane: AtomicUsize,
}

/// How a link is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LinkStats {
    /// The connection that all commands share.
    pub commands: ConnectionStats,
    /// The connection that subscriptions share, once there is one. Those that block have their own:
    /// see [`Subscription::stats`].
    pub subscriptions: Option<ConnectionStats>,
    /// Bytes of requests without an answer, as `in_flight_max` counts them.
    pub in_flight_bytes: usize,
}

/// How a connection is doing; of a cluster, how all those that are needed are: it is as well as the
/// worst of them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Whether it is there, and its subscriptions restored.
    pub is_up: bool,
    /// How often it was lost.
    pub disconnects: u64,
    /// Time since anything was last read. Without traffic the heartbeat keeps it below its interval
    /// plus deadline.
    pub last_read_age: Duration,
}

impl From<&Health> for ConnectionStats {
    fn from(health: &Health) -> Self {
        Self {
            is_up: health.is_up(),
            disconnects: health.n_disconnects(),
            last_read_age: health.last_read_age(),
        }
    }
}

impl Link {
    /// Connects. After this has succeeded once, the link reconnects by itself, for ever.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] and whatever keeps it from connecting: [`ErrorKind::Connect`],
    /// [`ErrorKind::Tls`], [`ErrorKind::Auth`], [`ErrorKind::Protocol`], [`ErrorKind::Server`].
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
    pub async fn connect(options: Options) -> Result<Self, Error> {
        Self::open(options, true).await
    }

    /// Returns at once and connects in the background, trying for ever. What happens to commands
    /// until then is up to [`Options::while_down`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`], [`ErrorKind::Unsupported`], or [`ErrorKind::Tls`] if a
    /// certificate can not be read.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
    pub async fn connect_lazy(options: Options) -> Result<Self, Error> {
        Self::open(options, false).await
    }

    async fn open(options: Options, wait: bool) -> Result<Self, Error> {
        let n_permits = options.in_flight_bytes_max;
        let connections = Connections::connect(options, wait).await?;
        let permits = Arc::new(Semaphore::new(n_permits));
        let inner = Inner {
            connections,
            permits,
            next_id: AtomicU64::new(1),
            living: Living::default(),
            next_lane: AtomicUsize::new(1),
        };
        Ok(Self { inner: Arc::new(inner), lane: 0 })
    }

    /// A handle on the same of several command connections: what the two send keeps its order.
    #[must_use]
    pub fn in_same_lane(&self) -> Self {
        Self { inner: self.inner.clone(), lane: self.lane }
    }

    /// Something says that a server may have moved: finds out, unless that was just done.
    pub fn look_again(&self) {
        self.inner.connections.locator.look_again();
    }

    /// The options.
    pub fn options(&self) -> &Options {
        &self.inner.connections.wiring.options
    }

    /// Runs one command and waits for its answer.
    ///
    /// # Errors
    /// [`ErrorKind::Server`] for an error reply. [`ErrorKind::InvalidRequest`] for a command that
    /// would disturb the other callers of the connection, such as `SUBSCRIBE` or `BLPOP`.
    /// [`ErrorKind::NotConnected`], [`ErrorKind::Disconnected`], [`ErrorKind::Timeout`],
    /// [`ErrorKind::Overloaded`], [`ErrorKind::TooLarge`], [`ErrorKind::Closed`].
    ///
    /// # Cancel safety
    /// Dropping the future does not take back a command that has been handed to the connection.
    pub async fn call(&self, args: &[&[u8]]) -> Result<Value, Error> {
        check_shareable(args)?;
        let mut pipeline = Pipeline::new();
        pipeline.push(args.iter().copied());
        self.send(pipeline).await?.one().await
    }

    /// Hands a pipeline to the connection and returns what to wait for. Pipelines are run in the order
    /// in which they were handed over; in a cluster those for one slot are, unless it moves
    /// meanwhile. Waits itself only while too much is in flight. The caller vouches for the commands:
    /// see [`call`](Self::call).
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`], [`ErrorKind::Overloaded`] and [`ErrorKind::Closed`]; in all three
    /// cases nothing was sent.
    ///
    /// # Cancel safety
    /// Nothing is sent if the future is dropped before it is ready; to a cluster, commands for some
    /// of its nodes may have been.
    pub async fn send(&self, pipeline: Pipeline) -> Result<Answers, Error> {
        self.send_within(pipeline, self.options().request_timeout).await
    }

    /// As [`send`](Self::send), with another time limit than [`Options::request_timeout`].
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    pub async fn send_within(
        &self,
        pipeline: Pipeline,
        timeout: Duration,
    ) -> Result<Answers, Error> {
        let deadline = now() + timeout;
        let permit = self.admit(pipeline.n_bytes(), deadline).await?;
        self.inner.connections.send(pipeline, deadline, permit, self.lane).await
    }

    /// Takes this many bytes' share of what may be in flight. Small requests count more than their
    /// bytes, so that the one semaphore also bounds their number.
    async fn admit(
        &self,
        n_bytes: usize,
        deadline: std::time::Instant,
    ) -> Result<tokio::sync::OwnedSemaphorePermit, Error> {
        let options = self.options();
        let (n_max, bytes_max) = (options.in_flight_max, options.in_flight_bytes_max);
        if bytes_max < n_bytes {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the request has {n_bytes} bytes, and {bytes_max} are allowed: send less at \
                     once, or raise the bytes of `Options::in_flight_max` \
                     (`in_flight_bytes_max` in a configuration)"
                ),
            ));
        }
        let cost = n_bytes.max(bytes_max.div_ceil(n_max)).min(bytes_max);
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        let permits = &self.inner.permits;
        if let Ok(permit) = permits.clone().try_acquire_many_owned(cost) {
            return Ok(permit);
        }
        match until(deadline, permits.clone().acquire_many_owned(cost)).await {
            Some(Ok(permit)) => Ok(permit),
            Some(Err(_)) => Err(Error::closed()),
            None => Err(Error::new(
                ErrorKind::Overloaded,
                format!(
                    "requests without an answer filled `Options::in_flight_max` ({n_max} \
                     requests, {bytes_max} bytes) until the deadline"
                ),
            )),
        }
    }

    /// Whether channels may be used: not if a database other than 0 was asked for, which channels do
    /// not have.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`], with what to do instead.
    pub fn check_channels(&self) -> Result<(), Error> {
        self.options().check_channels()
    }

    /// Subscribes to channels, patterns or sharded channels. Returns after the server has confirmed
    /// every one of them. The names are those without [`Options::namespace`].
    ///
    /// # Errors
    /// [`ErrorKind::Server`] if the server refuses one (`NOPERM`); then none is subscribed.
    /// [`ErrorKind::NotConnected`] or [`ErrorKind::Timeout`] if there was no connection or no
    /// confirmation in time. [`ErrorKind::InvalidRequest`] if there is nothing to subscribe to.
    /// [`ErrorKind::InvalidOption`] if the URL names a database other than 0.
    ///
    /// # Cancel safety
    /// Dropping the future takes the subscription back.
    pub async fn subscribe(
        &self,
        names: impl IntoIterator<Item = (Kind, Bytes)>,
        queue: Queue,
    ) -> Result<Subscription, Error> {
        queue.check()?;
        self.check_channels()?;
        let connections = &self.inner.connections;
        if connections.is_closed() {
            return Err(Error::closed());
        }
        let hub = match queue.overflow {
            Overflow::Block => connections.own(),
            Overflow::DropOldest | Overflow::DropNewest | Overflow::Disconnect => {
                connections.shared()
            }
        };
        let id = self.inner.next_id.fetch_add(1, Ordering::Relaxed);
        let names: Vec<(Kind, Bytes)> = names.into_iter().collect();
        let name = label(names.iter().map(|(_, name)| &name[..]));
        let subscription = Subscription::new(id, self.clone(), hub, name, queue);
        subscription.add(names).await?;
        Ok(subscription)
    }

    /// Follows a stream: its entries from `start` on, and then those that are added. Returns after
    /// the server has answered the first read: with [`Position::New`], what is added from then on
    /// arrives.
    ///
    /// While `entries_max` entries or `bytes_max` bytes wait to be taken, nothing more is read.
    /// Bytes are counted as [`TailStats`](crate::stream::TailStats) says; since a server is asked for
    /// entries before their size is known, one answer may exceed them.
    ///
    /// # Errors
    /// [`ErrorKind::Server`] if the server refuses (`WRONGTYPE`, `NOPERM`);
    /// [`ErrorKind::NotConnected`] if it did not answer in time; [`ErrorKind::InvalidOption`] if
    /// the queue could hold nothing; [`ErrorKind::Closed`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn tail(
        &self,
        key: Bytes,
        start: Position,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Tail, Error> {
        let bounds = Bounds { entries_max, bytes_max };
        bounds.check()?;
        let connections = &self.inner.connections;
        if connections.is_closed() {
            return Err(Error::closed());
        }
        let deadline = now() + self.options().request_timeout;
        let name = label([&key[..]]);
        let Follower { queue, status, pushing, confirmed } = connections.tail(key, start, bounds);
        let tail = Tail::new(self.clone(), name, queue, status, pushing);
        match until(deadline, confirmed).await {
            Some(Ok(Ok(()))) => Ok(tail),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) => Err(Error::closed()),
            None => Err(self.no_connection()),
        }
    }

    /// A connection of its own to the server of `key`, made in the background.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
    pub fn dedicated(&self, key: &[u8]) -> Result<Dedicated, Error> {
        let connections = &self.inner.connections;
        if connections.is_closed() {
            return Err(Error::closed());
        }
        let (calls, status) = connections.dedicated(key);
        Ok(Dedicated::new(self.clone(), calls, status))
    }

    /// What somebody gets who waited for a connection in vain.
    pub(crate) fn no_connection(&self) -> Error {
        let options = self.options();
        let (topology, timeout) = (options.url().topology(), options.request_timeout);
        Error::new(
            ErrorKind::NotConnected,
            format!("no connection to {topology} within {timeout:?}"),
        )
    }

    /// What happens to the link, from now on.
    pub fn events(&self) -> Events {
        self.inner.connections.wiring.announcer.listen()
    }

    /// How the link is doing.
    pub fn stats(&self) -> LinkStats {
        let connections = &self.inner.connections;
        let in_flight_max = self.options().in_flight_bytes_max;
        LinkStats {
            commands: ConnectionStats::from(&connections.command_health()),
            subscriptions: connections.shared_health().map(|it| ConnectionStats::from(&*it)),
            in_flight_bytes: in_flight_max.saturating_sub(self.inner.permits.available_permits()),
        }
    }

    /// Lists something among what lives on this link, until it is dropped.
    pub fn watch<V: Vital + 'static>(&self, vital: &Arc<V>) {
        let vital: Weak<V> = Arc::downgrade(vital);
        self.inner.living.add(vital);
    }

    /// The vital signs of all that lives on this link: its subscriptions, its tails and whatever
    /// was listed by [`watch`](Self::watch), in the order in which they began.
    pub fn vitals(&self) -> Vec<Vitals> {
        self.inner.living.vitals()
    }

    /// Tells an event to everybody who listens, for what is built on the link.
    pub fn announce(&self, event: Event) {
        self.inner.connections.wiring.announcer.announce(event);
    }

    /// Closes all connections and returns when that is done. Commands without an answer and all
    /// subscriptions end with [`ErrorKind::Closed`].
    pub async fn close(&self) {
        self.inner.connections.close().await;
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("url", &self.options().url.to_string()).finish_non_exhaustive()
    }
}
