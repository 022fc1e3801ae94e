//! How a link behaves: timeouts and bounds, each with its unit and its default.

use std::{any::Any, sync::Arc, time::Duration};

use fanfare_resp::Limits;

use crate::{
    Error, ErrorKind,
    backoff::Backoff,
    namespace::Namespace,
    policy::{Protocol, Queue, WhileDown},
    tls_options::TlsOptions,
    url::{Address, Secret, ServerUrl, Topology},
};

/// Everything about a link. Made from a URL; each method changes one thing.
///
/// ```
/// use std::{any::Any, sync::Arc, time::Duration};
/// use fanfare_client::{Options, WhileDown};
///
/// let options = Options::new("redis://:secret@10.0.0.7/0")?
///     .request_timeout(Duration::from_secs(1))
///     .while_down(WhileDown::FailFast);
/// assert!(!format!("{options:?}").contains("secret"));
/// # Ok::<_, fanfare_client::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) url: ServerUrl,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) heartbeat_interval: Duration,
    pub(crate) heartbeat_deadline: Duration,
    pub(crate) tcp_keepalive: Option<Duration>,
    pub(crate) backoff: Backoff,
    pub(crate) while_down: WhileDown,
    pub(crate) in_flight_max: usize,
    pub(crate) in_flight_bytes_max: usize,
    pub(crate) queue: Queue,
    pub(crate) pool_size: usize,
    pub(crate) dedicated_max: usize,
    pub(crate) namespace: Namespace,
    pub(crate) limits: Limits,
    pub(crate) companion: Option<Arc<dyn Any + Send + Sync>>,
}

impl Options {
    /// The defaults for this URL.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUrl`] and [`ErrorKind::Unsupported`], naming the part of the URL.
    pub fn new(url: &str) -> Result<Self, Error> {
        Ok(Self::from(url.parse::<ServerUrl>()?))
    }

    /// The URL.
    pub fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// Those for a connection to each sentinel that the URL names, with the login that is theirs; none if it
    /// names another kind of place.
    pub fn sentinels(&self) -> Vec<Self> {
        let Topology::Sentinel(place) = &self.url.topology else { return Vec::new() };
        let to = |address: &Address| {
            let mut options = self.clone();
            options.url.topology = Topology::Standalone(address.clone());
            (options.url.login, options.url.db) = (place.login.clone(), 0);
            options
        };
        place.sentinels.iter().map(to).collect()
    }

    /// Whether channels may be used: not if the URL names a database other than 0, which channels do
    /// not have.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`], with what to do instead.
    pub fn check_channels(&self) -> Result<(), Error> {
        match self.url.db {
            0 => Ok(()),
            db => Err(Error::new(
                ErrorKind::InvalidOption,
                format!(
                    "publish and subscribe know no databases, and the URL or configuration says \
                     database {db}: a message would reach all of them. Connect with database 0 and \
                     separate environments by a `namespace` such as \"staging:\""
                ),
            )),
        }
    }

    /// The default queue of subscriptions.
    pub fn default_queue(&self) -> Queue {
        self.queue
    }

    /// The longest silence of a connection that its heartbeat lets pass: interval plus deadline.
    pub fn silence_max(&self) -> Duration {
        self.heartbeat_interval.saturating_add(self.heartbeat_deadline)
    }

    /// The interval and the deadline of the heartbeat.
    pub fn heartbeat_times(&self) -> (Duration, Duration) {
        (self.heartbeat_interval, self.heartbeat_deadline)
    }

    /// Most requests, and most bytes of requests, without an answer.
    pub fn in_flight(&self) -> (usize, usize) {
        (self.in_flight_max, self.in_flight_bytes_max)
    }

    /// Longest time from a call to its answer.
    pub fn timeout(&self) -> Duration {
        self.request_timeout
    }

    /// One server with this address, in place of the URL's servers.
    #[must_use]
    pub fn address(mut self, address: Address) -> Self {
        self.url.topology = Topology::Standalone(address);
        self
    }

    /// Something that must live as long as the link and its subscriptions, such as the server.
    #[must_use]
    pub fn keep_alive(mut self, companion: Arc<dyn Any + Send + Sync>) -> Self {
        self.companion = Some(companion);
        self
    }

    /// User and password, in place of the URL's. Sentinels have their own.
    #[must_use]
    pub fn credentials(mut self, user: Option<&str>, password: impl Into<Secret>) -> Self {
        self.url.login.username = user.map(str::to_owned);
        self.url.login.password = Some(password.into());
        self
    }

    /// User and password for the sentinels, which are not those of the servers. Without effect if
    /// there are no sentinels.
    #[must_use]
    pub fn sentinel_credentials(mut self, user: Option<&str>, password: impl Into<Secret>) -> Self {
        if let Topology::Sentinel(place) = &mut self.url.topology {
            place.login.username = user.map(str::to_owned);
            place.login.password = Some(password.into());
        }
        self
    }

    /// The database that commands use, in place of the URL's. Channels belong to none: see
    /// [`namespace`](Self::namespace).
    #[must_use]
    pub fn db(mut self, db: u32) -> Self {
        self.url.db = db;
        self
    }

    /// What stands before every name on the server, such as `staging:`. Default: nothing.
    ///
    /// It separates programs, or environments, that share a server, and is the only thing that
    /// separates channels. Subscriptions put it before their channels and patterns and take it off
    /// what they deliver; commands are sent as they are given.
    #[must_use]
    pub fn namespace(mut self, prefix: impl Into<String>) -> Self {
        self.namespace = Namespace::new(prefix);
        self
    }

    /// The namespace.
    pub fn names(&self) -> &Namespace {
        &self.namespace
    }

    /// How many connections to each server the commands are spread over. Default: 1, which is fast
    /// enough until one socket is the bottleneck.
    ///
    /// Each clone of a [`Link`](crate::Link) uses one of them, in turn, so that the order of its
    /// commands is kept; commands of two clones may overtake each other.
    #[must_use]
    pub fn pool_size(mut self, n: usize) -> Self {
        self.pool_size = n;
        self
    }

    /// Most connections that are dedicated to one caller at a time: blocking commands and `WATCH`.
    /// Whoever wants one more waits until its deadline. Default: 32.
    #[must_use]
    pub fn dedicated_max(mut self, n: usize) -> Self {
        self.dedicated_max = n;
        self
    }

    /// The name that `CLIENT LIST` shows. Default: none.
    #[must_use]
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.url.client_name = Some(name.into());
        self
    }

    /// The protocol. Default: RESP3, and RESP2 if the server knows no other.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.url.protocol = protocol;
        self
    }

    /// Encrypts the connection, with these options.
    #[must_use]
    pub fn tls(mut self, tls: TlsOptions) -> Self {
        self.url.tls = Some(tls);
        self
    }

    /// Longest time for one attempt to connect, TLS and login included. Default: 5 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Longest time from a call to its answer, waiting for a connection included. Default: 5 s.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How often the server is pinged, and how long it then has to say something. Default: 5 s and
    /// 5 s, so that a hung server is noticed after 10 s, as is one that sends less than 1 KiB of a
    /// value in that time, and none that is whole. What has arrived is read before the server is given up, however long the program kept
    /// the runtime from reading it.
    ///
    /// A ping is also how the link notices that something on the way has changed what was said,
    /// so that a value seems larger than it is, or answers come to the wrong questions.
    #[must_use]
    pub fn heartbeat(mut self, interval: Duration, deadline: Duration) -> Self {
        self.heartbeat_interval = interval;
        self.heartbeat_deadline = deadline;
        self
    }

    /// Idle time after which the kernel probes the TCP connection; `None` for never. Default: 15 s.
    #[must_use]
    pub fn tcp_keepalive(mut self, idle: Option<Duration>) -> Self {
        self.tcp_keepalive = idle;
        self
    }

    /// The delays between attempts to connect again. Default: 20 ms, doubling up to 5 s.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// What commands do while there is no connection. Default: they wait until their deadline.
    #[must_use]
    pub fn while_down(mut self, policy: WhileDown) -> Self {
        self.while_down = policy;
        self
    }

    /// Most requests, and most bytes of requests, without an answer. Beyond them callers wait.
    /// Default: 16,384 and 64 MiB. A pipeline counts as one request.
    #[must_use]
    pub fn in_flight_max(mut self, requests: usize, bytes: usize) -> Self {
        self.in_flight_max = requests;
        self.in_flight_bytes_max = bytes;
        self
    }

    /// The queue of subscriptions that do not say otherwise. Default: 131,072 messages and 64 MiB,
    /// dropping the oldest.
    #[must_use]
    pub fn queue(mut self, queue: Queue) -> Self {
        self.queue = queue;
        self
    }

    /// Limits on what the server may send. Default: those of redis-server.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether the options can work.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`], naming the option, its value and its range.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |message: String| Err(Error::new(ErrorKind::InvalidOption, message));
        for (name, value) in [
            ("connect_timeout", self.connect_timeout),
            ("request_timeout", self.request_timeout),
            ("heartbeat interval", self.heartbeat_interval),
            ("heartbeat deadline", self.heartbeat_deadline),
            ("backoff cap", self.backoff.cap),
        ] {
            if value < Duration::from_millis(1) || DURATION_MAX < value {
                return wrong(format!("{name} is {value:?}; it must be between 1 ms and 365 days"));
            }
        }
        if self.in_flight_max == 0 || self.in_flight_bytes_max < self.in_flight_max {
            return wrong(format!(
                "in_flight_max is {} requests and {} bytes; it must be at least 1 request and \
                 1 byte for each",
                self.in_flight_max, self.in_flight_bytes_max
            ));
        }
        if IN_FLIGHT_BYTES_LIMIT < self.in_flight_bytes_max {
            return wrong(format!(
                "in_flight_max is {} bytes; it must be at most {IN_FLIGHT_BYTES_LIMIT}",
                self.in_flight_bytes_max
            ));
        }
        for (name, value) in
            [("pool_size", self.pool_size), ("max_connections", self.dedicated_max)]
        {
            if value == 0 || POOL_LIMIT < value {
                return wrong(format!("{name} is {value}; it must be between 1 and {POOL_LIMIT}"));
            }
        }
        self.namespace.check()?;
        if self.url.db != 0 && matches!(self.url.topology, Topology::Cluster(_)) {
            return wrong(format!(
                "a cluster has database 0 only, and db is {}: separate by `namespace`",
                self.url.db
            ));
        }
        if let Some(name) = &self.url.client_name
            && !name.bytes().all(|byte| (b'!'..=b'~').contains(&byte))
        {
            return wrong(format!(
                "client_name {name:?} must be printable ASCII without spaces, as CLIENT SETNAME asks"
            ));
        }
        if let Some(tls) = &self.url.tls {
            tls.check()?;
        }
        self.queue.check()
    }
}

/// So that adding a timeout to a clock never overflows.
const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// More connections than this to one server are a mistake.
const POOL_LIMIT: usize = 65_536;

/// Permits of a semaphore are counted in `u32`.
const IN_FLIGHT_BYTES_LIMIT: usize = 1 << 30;

impl From<ServerUrl> for Options {
    fn from(url: ServerUrl) -> Self {
        Self {
            url,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            heartbeat_interval: Duration::from_secs(5),
            heartbeat_deadline: Duration::from_secs(5),
            tcp_keepalive: Some(Duration::from_secs(15)),
            backoff: Backoff::default(),
            while_down: WhileDown::default(),
            in_flight_max: 16_384,
            in_flight_bytes_max: 64 * 1024 * 1024,
            queue: Queue::default(),
            pool_size: 1,
            dedicated_max: 32,
            namespace: Namespace::default(),
            limits: Limits::default(),
            companion: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_can_not_work_say_why() {
        let options = || Options::new("redis://h").unwrap();
        let told = |options: Options| options.check().unwrap_err().to_string();
        assert!(options().check().is_ok());
        assert!(told(options().request_timeout(Duration::ZERO)).contains("request_timeout is 0ns"));
        assert!(told(options().connect_timeout(Duration::MAX)).contains("365 days"));
        assert!(told(options().in_flight_max(0, 1)).contains("at least 1 request"));
        assert!(told(options().in_flight_max(1, usize::MAX)).contains("at most"));
        assert!(told(options().pool_size(0)).contains("pool_size is 0"));
        assert!(told(options().namespace("app{1}:")).contains("{"));
        let cluster = Options::new("redis+cluster://h").unwrap();
        assert!(told(cluster.db(2)).contains("`namespace`"));
        assert!(told(options().client_name("two words")).contains("CLIENT SETNAME"));
        let queue = Queue { messages_max: 0, ..Queue::default() };
        assert!(told(options().queue(queue)).contains("at least 1 message"));
    }
}
