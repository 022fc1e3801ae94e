//! Subscribing: what to, and through what queue.

use bytes::Bytes;
use fanfare_client::{Error, Kind, Overflow, Queue, Subscription};

use crate::{Fanfare, Message, handle::Outcome, pubsub::handler::Handler};

impl Fanfare {
    /// Subscribes to channels. Returns after the server has confirmed: what is published from now
    /// on arrives.
    ///
    /// The result is a [`Stream`](futures_util::Stream) of [`Message`]s with a bounded queue. For
    /// patterns, sharded channels and other queues see [`subscriber`](Self::subscriber).
    ///
    /// # Errors
    /// [`ErrorKind::Server`](crate::ErrorKind::Server) if the server refuses a channel (`NOPERM`);
    /// then none is subscribed. [`ErrorKind::NotConnected`](crate::ErrorKind::NotConnected) or
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) if it did not confirm in time.
    ///
    /// # Cancel safety
    /// Dropping the future takes the subscription back.
    ///
    /// # Example: hello
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let mut greetings = fanfare.subscribe(["greetings"]).await?;
    /// assert_eq!(fanfare.publish("greetings", "hello").await?, 1);
    /// let message = greetings.next().await.expect("the subscription goes on");
    /// assert_eq!(message.text()?, "hello");
    /// # Ok(()) }
    /// ```
    pub async fn subscribe<C: AsRef<[u8]>>(
        &self,
        channels: impl IntoIterator<Item = C>,
    ) -> Result<Subscription, Error> {
        self.subscriber().channels(channels).connect().await
    }

    /// Subscribes to all channels that match glob patterns (`news.*`, `user:?`, `h[ae]llo`).
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Example: where it came from
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let mut news = fanfare.psubscribe(["news.*"]).await?;
    /// fanfare.publish("news.sport", "1:0").await?;
    /// let message = news.next().await.expect("the subscription goes on");
    /// assert_eq!(message.channel, "news.sport");
    /// assert_eq!(message.pattern.as_deref(), Some(&b"news.*"[..]));
    /// # Ok(()) }
    /// ```
    pub async fn psubscribe<C: AsRef<[u8]>>(
        &self,
        patterns: impl IntoIterator<Item = C>,
    ) -> Result<Subscription, Error> {
        self.subscriber().patterns(patterns).connect().await
    }

    /// Subscribes to sharded channels, to which [`spublish`](Self::spublish) publishes.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn ssubscribe<C: AsRef<[u8]>>(
        &self,
        channels: impl IntoIterator<Item = C>,
    ) -> Result<Subscription, Error> {
        self.subscriber().sharded(channels).connect().await
    }

    /// A subscription to be described: channels, patterns, queue, handler.
    ///
    /// # Example: a queue that holds the server back instead of dropping
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{Fanfare, Overflow};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = Fanfare::connect("embedded:").await?;
    /// let subscription = fanfare
    ///     .subscriber()
    ///     .channels(["orders", "returns"])
    ///     .patterns(["audit.*"])
    ///     .queue(Overflow::Block, 1_000, 1024 * 1024)
    ///     .connect()
    ///     .await?;
    /// assert_eq!(subscription.stats().dropped, 0);
    /// # Ok(()) }
    /// ```
    pub fn subscriber(&self) -> Subscriber {
        Subscriber {
            fanfare: self.clone(),
            names: Vec::new(),
            queue: self.link().options().default_queue(),
            concurrency: 1,
        }
    }

    /// Calls `handler` for every message of a channel, one at a time and in order, on a task of its
    /// own. A handler that fails or panics is counted and logged, and the next message is handled.
    ///
    /// See [`Subscriber::handle`] for more.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn handle<F, Fut>(
        &self,
        channel: impl AsRef<[u8]>,
        handler: F,
    ) -> Result<Handler, Error>
    where
        F: Fn(Message) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        self.subscriber().channels([channel]).handle(handler).await
    }
}

/// A subscription that is being described. Made by [`Fanfare::subscriber`].
#[derive(Debug)]
#[must_use = "nothing happens before `connect` or `handle`"]
pub struct Subscriber {
    fanfare: Fanfare,
    names: Vec<(Kind, Bytes)>,
    queue: Queue,
    concurrency: usize,
}

impl Subscriber {
    /// Adds channels, by name.
    pub fn channels<C: AsRef<[u8]>>(self, names: impl IntoIterator<Item = C>) -> Self {
        self.with(Kind::Channel, names)
    }

    /// Adds all channels that match glob patterns.
    pub fn patterns<C: AsRef<[u8]>>(self, patterns: impl IntoIterator<Item = C>) -> Self {
        self.with(Kind::Pattern, patterns)
    }

    /// Adds sharded channels, by name.
    pub fn sharded<C: AsRef<[u8]>>(self, names: impl IntoIterator<Item = C>) -> Self {
        self.with(Kind::Shard, names)
    }

    /// What it is for, in the order in which it was described.
    #[cfg(feature = "schema")]
    pub(crate) fn described(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        self.names.iter().map(|(kind, name)| (*kind, &name[..]))
    }

    /// Bounds the queue, in messages and bytes, and says what happens when it is full. The default
    /// is that of the connection's options: dropping the oldest beyond 131,072 messages or 64 MiB.
    ///
    /// With [`Overflow::Block`] the subscription gets a connection of its own.
    pub fn queue(mut self, overflow: Overflow, messages_max: usize, bytes_max: usize) -> Self {
        self.queue = Queue::new(overflow, messages_max, bytes_max);
        self
    }

    /// How many messages a [`handle`](Self::handle)r works on at the same time. Default: 1, which
    /// keeps their order; more give it up. 0 counts as 1.
    pub fn concurrency(mut self, n: usize) -> Self {
        self.concurrency = n.max(1);
        self
    }

    /// Subscribes. Returns after the server has confirmed everything.
    ///
    /// # Errors
    /// As [`Fanfare::subscribe`].
    pub async fn connect(self) -> Result<Subscription, Error> {
        self.fanfare.link().subscribe(self.names, self.queue).await
    }

    /// Subscribes, and calls `handler` for every message on a task of its own.
    ///
    /// The handler runs apart from the socket: a slow one delays its own subscription only. It
    /// returns nothing or a `Result<(), E>`. If it fails or panics, that is counted in
    /// [`Handler::stats`] and logged, and the next message is handled. A message is handled at most
    /// once: it is not tried again.
    ///
    /// # Errors
    /// As [`Fanfare::subscribe`].
    ///
    /// # Example: one bad message
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let handler = fanfare
    ///     .subscriber()
    ///     .channels(["numbers"])
    ///     .handle(async |message: fanfare::Message| {
    ///         let number: u32 = message.json()?;
    ///         println!("{number}");
    ///         Ok::<_, fanfare::Error>(())
    ///     })
    ///     .await?;
    /// fanfare.publish("numbers", "not a number").await?;
    /// fanfare.publish("numbers", "7").await?;
    /// let stats = handler.wait_finished(2).await;
    /// assert_eq!((stats.handled, stats.failed), (1, 1));
    /// # Ok(()) }
    /// ```
    pub async fn handle<F, Fut>(self, handler: F) -> Result<Handler, Error>
    where
        F: Fn(Message) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let concurrency = self.concurrency;
        Ok(Handler::spawn(self.connect().await?, concurrency, handler))
    }

    fn with<C: AsRef<[u8]>>(mut self, kind: Kind, names: impl IntoIterator<Item = C>) -> Self {
        let names = names.into_iter();
        self.names.extend(names.map(|name| (kind, Bytes::copy_from_slice(name.as_ref()))));
        self
    }
}
