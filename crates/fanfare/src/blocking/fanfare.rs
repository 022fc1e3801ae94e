//! The handle.

use std::time::Duration;

use serde::Serialize;

use super::{
    client::Client,
    pubsub::{Handler, Subscriber, Subscription},
    runtime,
    stream::Stream,
    twin,
};
use crate::{
    ActiveChannel, Config, Error, Kind, LinkStats, Message, Options, Outcome, SelfTest, Value,
};

/// The twin of [`fanfare::Fanfare`](crate::Fanfare): a connection to a broker, cheap to clone, for
/// any number of threads.
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// fanfare.ping()?;
/// assert_eq!(fanfare.publish("nobody", "hi")?, 0);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fanfare {
    pub(super) inner: crate::Fanfare,
}

impl Fanfare {
    /// Connects: see [`Fanfare::connect`](crate::Fanfare::connect) for the URLs.
    ///
    /// # Errors
    /// As there; [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if no thread can be
    /// started.
    ///
    /// # Panics
    /// On a thread that drives a runtime.
    pub fn connect(url: &str) -> Result<Self, Error> {
        Self::builder(url).connect()
    }

    /// A connection to be described.
    ///
    /// # Example: options
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use std::time::Duration;
    ///
    /// let fanfare = fanfare::blocking::Fanfare::builder("embedded:")
    ///     .options(|options| options.request_timeout(Duration::from_secs(1)))
    ///     .connect()?;
    /// # Ok::<_, fanfare::Error>(())
    /// ```
    pub fn builder(url: &str) -> Builder {
        Builder { inner: crate::Fanfare::builder(url) }
    }

    /// Connects as a configuration says.
    ///
    /// # Errors
    /// As [`Config::connect`].
    ///
    /// # Panics
    /// As [`connect`](Self::connect).
    ///
    /// # Example
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{Config, blocking::Fanfare};
    ///
    /// let config = Config::new().url("embedded:").namespace("test:");
    /// Fanfare::from_config(&config)?.ping()?;
    /// # Ok::<_, fanfare::Error>(())
    /// ```
    pub fn from_config(config: &Config) -> Result<Self, Error> {
        Builder { inner: config.builder() }.connect()
    }

    /// A client for commands with typed answers.
    pub fn client(&self) -> Client {
        Client::new(self.inner.client())
    }

    /// The stream at a key.
    pub fn stream(&self, key: impl AsRef<[u8]>) -> Stream {
        Stream { inner: self.inner.stream(key) }
    }

    /// A subscription to be described.
    pub fn subscriber(&self) -> Subscriber {
        Subscriber { inner: self.inner.subscriber() }
    }

    /// Subscribes to channels. Returns after the server has confirmed.
    ///
    /// # Errors
    /// As [`Fanfare::subscribe`](crate::Fanfare::subscribe).
    pub fn subscribe(
        &self,
        channels: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Subscription, Error> {
        self.subscriber().channels(channels).connect()
    }

    /// Subscribes to all channels that match glob patterns.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn psubscribe(
        &self,
        patterns: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Subscription, Error> {
        self.subscriber().patterns(patterns).connect()
    }

    /// Subscribes to sharded channels.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn ssubscribe(
        &self,
        channels: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Subscription, Error> {
        self.subscriber().sharded(channels).connect()
    }

    /// Calls `handler` for every message of a channel: see [`Subscriber::handle`].
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn handle<F, T>(&self, channel: impl AsRef<[u8]>, handler: F) -> Result<Handler, Error>
    where
        F: Fn(Message) -> T + Send + Sync + 'static,
        T: Outcome,
    {
        self.subscriber().channels([channel]).handle(handler)
    }

    /// How the connections are doing.
    pub fn stats(&self) -> LinkStats {
        self.inner.stats()
    }

    /// The asynchronous handle on the same connections. Its tasks run on the thread of this module.
    pub fn asynchronous(&self) -> &crate::Fanfare {
        &self.inner
    }
}

/// The twin of [`fanfare::Builder`](crate::Builder): a connection that is being described. Made by
/// [`Fanfare::builder`].
#[derive(Debug)]
#[must_use = "nothing happens before `connect`"]
pub struct Builder {
    inner: crate::Builder,
}

impl Builder {
    /// Changes the options. What is wrong with the URL is told by [`connect`](Self::connect).
    pub fn options(self, change: impl FnOnce(Options) -> Options) -> Self {
        Self { inner: self.inner.options(change) }
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`Fanfare::connect`].
    ///
    /// # Panics
    /// As [`Fanfare::connect`].
    pub fn connect(self) -> Result<Fanfare, Error> {
        runtime::start()?;
        Ok(Fanfare { inner: runtime::wait(self.inner.connect())? })
    }

    /// Returns at once and connects in the background, trying for ever.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), but for what only a server can tell.
    ///
    /// # Panics
    /// As [`Fanfare::connect`].
    pub fn connect_lazy(self) -> Result<Fanfare, Error> {
        runtime::start()?;
        Ok(Fanfare { inner: runtime::wait(self.inner.connect_lazy())? })
    }
}

twin!(Fanfare {
    /// Asks the server for a sign of life, and returns how long it took.
    fn ping(&self) -> Duration;

    /// Runs any command and returns the server's answer as it is.
    fn command(&self, args: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Value;

    /// Publishes a message and returns how many subscriptions the server handed it to.
    fn publish(&self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> u64;

    /// Publishes to a sharded channel.
    fn spublish(&self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> u64;

    /// Publishes a value as JSON.
    fn publish_json(&self, channel: impl AsRef<[u8]>, value: &(impl Serialize + ?Sized)) -> u64;

    /// The channels that match a glob pattern and have subscribers, by their names.
    fn active_channels(&self, pattern: impl AsRef<[u8]>) -> Vec<ActiveChannel>;

    /// The same of sharded channels.
    fn active_sharded_channels(&self, pattern: impl AsRef<[u8]>) -> Vec<ActiveChannel>;

    /// How many clients are subscribed to each of these channels (or sharded channels), in their
    /// order.
    fn count_subscribers(
        &self,
        kind: Kind,
        names: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Vec<u64>;

    /// Publishes a random payload on a private channel, sees it arrive, and returns how long that
    /// took.
    fn self_test(&self) -> SelfTest;

    /// Publishes many messages, pipelined, and returns the outcome of each in their order.
    fn publish_batch(
        &self,
        messages: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>,
    ) => Vec<Result<u64, Error>>;

    /// Closes all connections.
    fn close(&self) => ();
});
