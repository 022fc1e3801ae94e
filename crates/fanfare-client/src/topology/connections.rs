//! The connections of a link: for commands (one, or one for each node of a cluster), one that
//! subscriptions share, and one for each subscription that may stop reading, each stream that is
//! followed, and whoever needs one of its own.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
    time::Instant,
};

use crate::{
    Error, Options, Pipeline, Role,
    connection::{
        commands::{Call, Caller, Commands},
        core::{Replies, Request},
        dial::Dialer,
        driver::{Context, Status},
        subscriber::{Doorbell, Subscriber, Wish},
        tail::{self, Pushing, Tailing},
    },
    event::Announcer,
    net::Connector,
    request::Answers,
    stream::{self, Position, queue::Bounds, reader::Reader},
    topology::{
        cluster::{Cluster, Wanted, router::Router, shards::Shards},
        health::Health,
        locator::Locator,
        pool::Pool,
        sentinel::Sentinels,
    },
    url::Topology,
};

/// The connections of a link. Their tasks end when this is closed or dropped.
pub(crate) struct Connections {
    pub(crate) wiring: Wiring,
    commands: CommandPath,
    /// For whatever is not about one key.
    pub(crate) locator: Locator,
    /// Those that are one caller's for a while.
    pub(crate) pool: Pool,
    /// Made with the first subscription.
    shared: Mutex<Option<Hub>>,
}

/// What every connection of a link is made from.
#[derive(Clone)]
pub(crate) struct Wiring {
    pub(crate) options: Arc<Options>,
    pub(crate) announcer: Announcer,
    pub(crate) closed: watch::Sender<bool>,
    pub(crate) connector: Connector,
}

/// How commands reach the server that is to run them.
enum CommandPath {
    /// `pool_size` of them.
    One(Vec<Lane>),
    Cluster(Arc<Router>),
}

/// One command connection.
pub(crate) struct Lane {
    pub(crate) calls: mpsc::Sender<Call>,
    pub(crate) status: Arc<Status>,
}

/// A subscription connection, or several that seem one, seen from a subscription.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) wishes: mpsc::Sender<Wish>,
    pub(crate) doorbell: Arc<Doorbell>,
    pub(crate) health: Arc<Health>,
}

/// A connection that follows a stream, seen from its tail.
pub(crate) struct Follower {
    pub(crate) queue: Arc<stream::queue::Queue>,
    pub(crate) status: Arc<Status>,
    pub(crate) pushing: Pushing,
    /// Answered once entries can come, or why not.
    pub(crate) confirmed: oneshot::Receiver<Result<(), Error>>,
}

/// Wishes that may wait for a connection's task; beyond them, those who wish wait.
const WISHES_MAX: usize = 256;

impl Connections {
    /// Makes the command connection. If `wait`, it must succeed at once; otherwise it is made in
    /// the background.
    pub(crate) async fn connect(options: Options, wait: bool) -> Result<Self, Error> {
        options.check()?;
        let connector = Connector::new(&options)?;
        let wiring = Wiring {
            options: Arc::new(options),
            announcer: Announcer::new(),
            closed: watch::Sender::new(false),
            connector,
        };
        let options = Options::clone(&wiring.options);
        let closed = wiring.closed.subscribe();
        let (locator, commands) = match options.url.topology.clone() {
            Topology::Standalone(address) => {
                let locator = Locator::Fixed(address);
                let commands = wiring.lanes(&locator, wait).await?;
                (locator, commands)
            }
            Topology::Sentinel(place) => {
                let sentinels = Sentinels::new(place, options, wiring.connector.clone());
                let sentinels = Arc::new(sentinels);
                let locator = Locator::Sentinel(sentinels.clone());
                let commands = wiring.lanes(&locator, wait).await?;
                tokio::spawn(sentinels.watch(closed));
                (locator, commands)
            }
            Topology::Cluster(seeds) => {
                let deadline = Instant::now() + options.connect_timeout;
                let cluster = Arc::new(Cluster::new(seeds, options, wiring.connector.clone()));
                let router = Arc::new(Router::new(cluster.clone(), wiring.clone()));
                if wait {
                    router.connect(deadline).await?;
                }
                let kept = Arc::downgrade(&router);
                tokio::spawn(Router::keep_one(kept, cluster.clone(), closed.clone()));
                tokio::spawn(cluster.clone().watch(closed));
                (Locator::Cluster(cluster, Wanted::Any), CommandPath::Cluster(router))
            }
        };
        let pool = Pool::new(wiring.options.dedicated_max);
        Ok(Self { wiring, commands, locator, pool, shared: Mutex::new(None) })
    }

    /// Sends a pipeline; `permit` is its share of what may be in flight. What comes by the same lane
    /// keeps its order.
    pub(crate) async fn send(
        &self,
        pipeline: Pipeline,
        deadline: std::time::Instant,
        permit: OwnedSemaphorePermit,
        lane: usize,
    ) -> Result<Answers, Error> {
        let n_commands = pipeline.len();
        let bytes = Bytes::from(pipeline.into_bytes());
        if n_commands == 0 {
            return Ok(Answers::routed(0, std::future::ready(Replies::new())));
        }
        match &self.commands {
            CommandPath::One(lanes) => {
                let lane = lanes.get(lane % lanes.len().max(1)).ok_or_else(Error::closed)?;
                let (reply, replies) = oneshot::channel();
                let token = Caller { reply, _permit: Some(permit) };
                let request = Request { bytes, n_commands, deadline, token };
                lane.calls.send(request).await.map_err(|_| Error::closed())?;
                Ok(Answers::direct(n_commands, replies))
            }
            CommandPath::Cluster(_) if self.is_closed() => Err(Error::closed()),
            CommandPath::Cluster(router) => {
                Ok(Answers::routed(n_commands, router.send(bytes, deadline, permit, lane).await))
            }
        }
    }

    /// How the command connections are.
    pub(crate) fn command_health(&self) -> Health {
        let health = Health::default();
        match &self.commands {
            CommandPath::One(lanes) => {
                lanes.iter().for_each(|lane| health.add(lane.status.clone()));
            }
            CommandPath::Cluster(router) => {
                router.statuses().into_iter().for_each(|status| health.add(status));
            }
        }
        health
    }

    /// The subscription connection that all share.
    pub(crate) fn shared(&self) -> Hub {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.get_or_insert_with(|| self.own()).clone()
    }

    /// How the shared subscription connection is, if there is one.
    pub(crate) fn shared_health(&self) -> Option<Arc<Health>> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.as_ref().map(|hub| hub.health.clone())
    }

    /// A new subscription connection. It ends when the returned value and its clones are dropped.
    pub(crate) fn own(&self) -> Hub {
        match &self.locator {
            Locator::Fixed(_) | Locator::Sentinel(_) => {
                self.wiring.subscriber(self.locator.clone()).0
            }
            Locator::Cluster(cluster, _) => {
                Shards::spawn(cluster.clone(), self.wiring.clone(), WISHES_MAX)
            }
        }
    }

    /// A new connection that follows a stream. It ends when the queue is abandoned.
    pub(crate) fn tail(&self, key: Bytes, start: Position, bounds: Bounds) -> Follower {
        let queue = Arc::new(stream::queue::Queue::new(bounds));
        let (status, pushing) = (Arc::new(Status::new()), Pushing::default());
        let (ready, confirmed) = oneshot::channel();
        let locator = self.locator.for_key(&key);
        let reader = Reader::new(key, start, tail::block(&self.wiring.options));
        let context = self.wiring.context(Role::Streams, status.clone(), locator);
        let tailing = Tailing::new(context, reader, queue.clone(), pushing.clone(), ready);
        tokio::spawn(tailing.run());
        Follower { queue, status, pushing, confirmed }
    }

    /// A new connection for commands about one key. It ends when the sender and its clones are
    /// dropped.
    pub(crate) fn dedicated(&self, key: &[u8]) -> (mpsc::Sender<Call>, Arc<Status>) {
        self.wiring.dedicated(self.locator.for_key(key))
    }

    /// Closes all connections and returns when their tasks have ended.
    pub(crate) async fn close(&self) {
        self.wiring.closed.send_replace(true);
        self.pool.close();
        self.wiring.closed.closed().await;
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.wiring.closed.borrow()
    }
}

impl Wiring {
    /// The same with other options.
    pub(crate) fn with(&self, change: impl FnOnce(Options) -> Options) -> Self {
        let options = Arc::new(change(Options::clone(&self.options)));
        Self { options, ..self.clone() }
    }

    /// As many command connections as there are to be. If `wait`, they must be there at once.
    async fn lanes(&self, locator: &Locator, wait: bool) -> Result<CommandPath, Error> {
        let lanes = (0..self.options.pool_size).map(|_| self.commands(locator.clone(), wait));
        try_join_all(lanes).await.map(CommandPath::One)
    }

    /// A command connection. If `wait`, it must be there at once.
    async fn commands(&self, locator: Locator, wait: bool) -> Result<Lane, Error> {
        let status = Arc::new(Status::new());
        let (calls, receiver) = mpsc::channel(self.options.in_flight_max);
        let context = self.context(Role::Commands, status.clone(), locator);
        let connection = if wait { Some(context.dialer.establish().await?) } else { None };
        // Nobody can listen to events yet, so the first connection announces nothing.
        status.set_up(wait);
        tokio::spawn(Commands::new(context, receiver).run(connection));
        Ok(Lane { calls, status })
    }

    /// A command connection that is not shared, made in the background.
    fn dedicated(&self, locator: Locator) -> (mpsc::Sender<Call>, Arc<Status>) {
        let status = Arc::new(Status::new());
        let (calls, receiver) = mpsc::channel(WISHES_MAX);
        let context = self.context(Role::Workers, status.clone(), locator);
        tokio::spawn(Commands::new(context, receiver).run(None));
        (calls, status)
    }

    /// A subscription connection.
    pub(crate) fn subscriber(&self, locator: Locator) -> (Hub, Arc<Status>) {
        let (wishes, receiver) = mpsc::channel(WISHES_MAX);
        let status = Arc::new(Status::new());
        let health = Arc::new(Health::of(status.clone()));
        let hub = Hub { wishes, doorbell: Arc::default(), health };
        let context = self.context(Role::Subscriptions, status.clone(), locator);
        tokio::spawn(Subscriber::new(context, receiver, hub.doorbell.clone()).run());
        (hub, status)
    }

    pub(crate) fn context(&self, role: Role, status: Arc<Status>, locator: Locator) -> Context {
        let dialer = Dialer {
            role,
            status,
            locator,
            options: self.options.clone(),
            connector: self.connector.clone(),
        };
        Context { dialer, announcer: self.announcer.clone(), closed: self.closed.subscribe() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::{ErrorKind, connection::driver::now};

    #[tokio::test]
    async fn a_connection_that_nobody_needs_any_more_closes_no_link() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}?protocol=2", server.local_addr().unwrap());
        let options = Options::new(&url).unwrap();
        let Topology::Standalone(address) = options.url().topology().clone() else { panic!() };
        let wiring = Wiring {
            connector: Connector::new(&options).unwrap(),
            options: Arc::new(options),
            announcer: Announcer::new(),
            closed: watch::Sender::new(false),
        };
        let (calls, _) = wiring.dedicated(Locator::Fixed(address));
        let (reply, replies) = oneshot::channel();
        let request = Request {
            bytes: Bytes::from_static(b"*1\r\n$4\r\nPING\r\n"),
            n_commands: 1,
            deadline: now() + Duration::from_secs(600),
            token: Caller { reply, _permit: None },
        };
        calls.send(request).await.unwrap();
        let (mut peer, _) = server.accept().await.unwrap();
        peer.write_all(b"+OK\r\n+OK\r\n").await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"PING\r\n") {
            assert_ne!(peer.read_buf(&mut heard).await.unwrap(), 0);
        }
        drop(calls);
        let error = replies.await.unwrap().pop().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        assert!(error.may_have_been_delivered());
    }
}
