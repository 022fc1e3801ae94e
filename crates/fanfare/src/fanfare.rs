//! The handle, and how to make one.

use std::{borrow::Cow, fmt, time::Duration};

use fanfare_client::{Error, Events, Link, LinkStats, Options, Value};
use tokio::time::Instant;

/// A connection to a broker: the embedded one, or any Redis.
///
/// Cheap to clone; all clones share the connections. They are closed when the last clone, its last
/// subscription and its last handler are gone, or by [`close`](Self::close).
///
/// # URLs
///
/// | URL | what it reaches |
/// |---|---|
/// | `redis://[user:password@]host[:port][/db]` | a server over TCP |
/// | `rediss://…` | the same over TLS; `?ca_file=`, `cert_file=` and `key_file=`, `server_name=` |
/// | `redis+unix:///path/to/socket[?db=0]` | a server over a Unix socket |
/// | `redis+sentinel://host[:26379][,host…]/master[/db]` | the master that these sentinels agree on; `rediss+sentinel://` over TLS; `?sentinel_username=`, `sentinel_password=` |
/// | `redis+cluster://host[:6379][,host…]` | the cluster of these nodes; `rediss+cluster://` over TLS; database 0 only |
/// | `embedded:`, `embedded:name` | a broker inside this program: one for each name |
///
/// Publish and subscribe know no databases: a message would reach those of all of them. So they are
/// refused where the URL's `db` is not 0; commands work. A [namespace](Options::namespace), which is
/// put before every channel, key and stream, separates environments instead.
///
/// # What it promises
/// *At most once.* A message is handed to those who are subscribed when it arrives at the broker.
/// When a connection is lost it is made again, for ever, and subscriptions are restored; messages
/// published meanwhile are gone, and every place where that may have happened is visible (see
/// [`Subscription`](crate::Subscription) and [`events`](Self::events)). The nodes of a cluster hand
/// plain messages on to each other, and nobody is told what they lose; those of sharded channels
/// need not be handed on.
#[derive(Clone)]
pub struct Fanfare {
    link: Link,
}

impl Fanfare {
    /// Connects. After this has succeeded once, the connection comes back by itself, for ever.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUrl`](crate::ErrorKind::InvalidUrl) and
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported), naming the part of the URL;
    /// `Connect`, `Tls`, `Auth`, `Protocol` or `Server` if the server can not be reached or will
    /// not have us; `Embedded` if the embedded broker does not start.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
    ///
    /// # Example: the embedded broker
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// fanfare.ping().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Example: an error that says what to do
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let error = fanfare::Fanfare::connect("redis://host:99999").await.unwrap_err();
    /// assert_eq!(error.code(), "FF-1001");
    /// assert!(error.to_string().contains("`99999` is not a number between 1 and 65535"));
    /// # }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::builder(url).connect().await
    }

    /// A connection to be described. [`Config`](crate::Config) says the same by names and reads it
    /// from files and the environment.
    ///
    /// # Example: options
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use std::time::Duration;
    /// use fanfare::{Fanfare, WhileDown};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = Fanfare::builder("embedded:")
    ///     .options(|options| {
    ///         options.request_timeout(Duration::from_secs(1)).while_down(WhileDown::FailFast)
    ///     })
    ///     .connect()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn builder(url: &str) -> Builder {
        Builder { options: parse(url) }
    }

    /// Asks the server for a sign of life, and returns how long it took.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub async fn ping(&self) -> Result<Duration, Error> {
        let start = Instant::now();
        self.link.call(&[b"PING"]).await?;
        Ok(start.elapsed())
    }

    /// Runs any command and returns the server's answer as it is.
    ///
    /// # Errors
    /// [`ErrorKind::Server`](crate::ErrorKind::Server) for an error reply, and
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for a command that would
    /// disturb the others on the shared connection: `SUBSCRIBE`, `MULTI`, `SELECT`, `BLPOP`, …
    /// Otherwise as [`publish`](Self::publish).
    ///
    /// # Cancel safety
    /// Dropping the future does not take back a command that has been handed to the connection.
    ///
    /// # Example: a question
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let answer = fanfare.command(["ECHO", "hello"]).await?;
    /// assert_eq!(answer.as_str(), Some("hello"));
    /// # Ok(()) }
    /// ```
    pub async fn command<A: AsRef<[u8]>>(
        &self,
        args: impl IntoIterator<Item = A>,
    ) -> Result<Value, Error> {
        let args: Vec<A> = args.into_iter().collect();
        let args: Vec<&[u8]> = args.iter().map(AsRef::as_ref).collect();
        self.link.call(&args).await
    }

    /// What happens to the connections, from now on: up, down, resubscribed, dropped messages.
    pub fn events(&self) -> Events {
        self.link.events()
    }

    /// How the connections are doing.
    pub fn stats(&self) -> LinkStats {
        self.link.stats()
    }

    /// Closes all connections and returns when that is done. Commands without an answer and all
    /// subscriptions end with [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub async fn close(&self) {
        self.link.close().await;
    }

    /// A channel's name on the server.
    ///
    /// # Errors
    /// There are no channels here, since a database was asked for.
    pub(crate) fn channel<'a>(&self, name: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
        self.link.check_channels()?;
        Ok(self.link.options().names().full_slice(name))
    }

    /// A handle on the same of several command connections.
    pub(crate) fn in_same_lane(&self) -> Self {
        Self { link: self.link.in_same_lane() }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }
}

impl fmt::Debug for Fanfare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fanfare").field(&self.link.options().url().to_string()).finish()
    }
}

/// A connection that is being described. Made by [`Fanfare::builder`].
#[derive(Debug)]
#[must_use = "nothing happens before `connect`"]
pub struct Builder {
    options: Result<Options, Error>,
}

impl Builder {
    pub(crate) fn new(options: Result<Options, Error>) -> Self {
        Self { options }
    }

    /// Changes the options. What is wrong with the URL is told by [`connect`](Self::connect).
    pub fn options(self, change: impl FnOnce(Options) -> Options) -> Self {
        Self { options: self.options.map(change) }
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`Fanfare::connect`], and [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption).
    pub async fn connect(self) -> Result<Fanfare, Error> {
        Ok(Fanfare { link: Link::connect(self.options?).await? })
    }

    /// Returns at once and connects in the background, trying for ever.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), but for what only a server can tell.
    pub async fn connect_lazy(self) -> Result<Fanfare, Error> {
        Ok(Fanfare { link: Link::connect_lazy(self.options?).await? })
    }
}

/// `embedded:` is not a protocol of the link: it becomes the address of a broker started here.
pub(crate) fn parse(url: &str) -> Result<Options, Error> {
    #[cfg(feature = "embedded")]
    if let Some(name) = url.strip_prefix("embedded:") {
        let broker = crate::embedded::Embedded::named(name)?;
        let address = broker.address();
        return Ok(Options::new("redis://")?.address(address).keep_alive(broker));
    }
    Options::new(url)
}
