//! One server at a time, always the same or the present master: a connection for commands, one that
//! subscriptions share, and one for each subscription that may stop reading and each stream that is
//! followed.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Error, Options, Role,
    connection::{
        commands::{Call, Commands},
        dial::Dialer,
        driver::{Context, Status},
        subscriber::{Doorbell, Subscriber, Wish},
        tail::{self, Pushing, Tailing},
    },
    event::Announcer,
    net::Connector,
    stream::{self, Position, queue::Bounds, reader::Reader},
    topology::{locator::Locator, sentinel::Sentinels},
    url::Topology,
};

/// The connections to one server. Their tasks end when this is closed or dropped.
pub(crate) struct Standalone {
    pub(crate) options: Arc<Options>,
    pub(crate) announcer: Announcer,
    pub(crate) calls: mpsc::Sender<Call>,
    pub(crate) command_status: Arc<Status>,
    connector: Connector,
    locator: Locator,
    /// Made with the first subscription.
    shared: Mutex<Option<Hub>>,
    closed: watch::Sender<bool>,
}

/// A subscription connection, seen from a subscription.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) wishes: mpsc::Sender<Wish>,
    pub(crate) doorbell: Arc<Doorbell>,
    pub(crate) status: Arc<Status>,
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

impl Standalone {
    /// Makes the command connection. If `wait`, it must succeed at once; otherwise it is made in
    /// the background.
    pub(crate) async fn connect(options: Options, wait: bool) -> Result<Self, Error> {
        options.check()?;
        let connector = Connector::new(&options)?;
        let (calls, receiver) = mpsc::channel(options.in_flight_max);
        let closed = watch::Sender::new(false);
        let locator = match &options.url.topology {
            Topology::Standalone(address) => Locator::Fixed(address.clone()),
            Topology::Sentinel(place) => {
                let sentinels = Sentinels::new(place.clone(), options.clone(), connector.clone());
                let sentinels = Arc::new(sentinels);
                tokio::spawn(sentinels.clone().watch(closed.subscribe()));
                Locator::Sentinel(sentinels)
            }
        };
        let this = Self {
            options: Arc::new(options),
            announcer: Announcer::new(),
            calls,
            command_status: Arc::new(Status::new()),
            connector,
            locator,
            shared: Mutex::new(None),
            closed,
        };
        let context = this.context(Role::Commands, this.command_status.clone());
        let connection = if wait { Some(context.dialer.establish().await?) } else { None };
        // Nobody can listen to events yet, so the first connection announces nothing.
        this.command_status.set_up(wait);
        tokio::spawn(Commands::new(context, receiver).run(connection));
        Ok(this)
    }

    /// The subscription connection that all share.
    pub(crate) fn shared(&self) -> Hub {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.get_or_insert_with(|| self.own()).clone()
    }

    /// The shared subscription connection, if there is one.
    pub(crate) fn shared_status(&self) -> Option<Arc<Status>> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.as_ref().map(|hub| hub.status.clone())
    }

    /// A new subscription connection. It ends when the returned value and its clones are dropped.
    pub(crate) fn own(&self) -> Hub {
        let (wishes, receiver) = mpsc::channel(WISHES_MAX);
        let hub = Hub { wishes, doorbell: Arc::default(), status: Arc::new(Status::new()) };
        let context = self.context(Role::Subscriptions, hub.status.clone());
        tokio::spawn(Subscriber::new(context, receiver, hub.doorbell.clone()).run());
        hub
    }

    /// A new connection that follows a stream. It ends when the queue is abandoned.
    pub(crate) fn tail(&self, key: Bytes, start: Position, bounds: Bounds) -> Follower {
        let queue = Arc::new(stream::queue::Queue::new(bounds));
        let (status, pushing) = (Arc::new(Status::new()), Pushing::default());
        let (ready, confirmed) = oneshot::channel();
        let reader = Reader::new(key, start, tail::block(&self.options));
        let context = self.context(Role::Streams, status.clone());
        let tailing = Tailing::new(context, reader, queue.clone(), pushing.clone(), ready);
        tokio::spawn(tailing.run());
        Follower { queue, status, pushing, confirmed }
    }

    /// Closes all connections and returns when their tasks have ended.
    pub(crate) async fn close(&self) {
        self.closed.send_replace(true);
        self.closed.closed().await;
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    fn context(&self, role: Role, status: Arc<Status>) -> Context {
        let dialer = Dialer {
            role,
            status,
            options: self.options.clone(),
            connector: self.connector.clone(),
            locator: self.locator.clone(),
        };
        Context { dialer, announcer: self.announcer.clone(), closed: self.closed.subscribe() }
    }
}
