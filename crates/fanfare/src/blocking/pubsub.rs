//! Subscriptions and handlers.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::{runtime, twin};
use crate::{Delivery, Error, HandlerStats, Kind, Message, Outcome, Overflow, SubscriptionStats};

/// The twin of [`fanfare::Subscriber`](crate::Subscriber): a subscription that is being described.
#[derive(Debug)]
#[must_use = "nothing happens before `connect` or `handle`"]
pub struct Subscriber {
    pub(super) inner: crate::Subscriber,
}

impl Subscriber {
    /// Adds channels, by name.
    pub fn channels(self, names: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        Self { inner: self.inner.channels(names) }
    }

    /// Adds all channels that match glob patterns.
    pub fn patterns(self, patterns: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        Self { inner: self.inner.patterns(patterns) }
    }

    /// Adds sharded channels, by name.
    pub fn sharded(self, names: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        Self { inner: self.inner.sharded(names) }
    }

    /// Bounds the queue, in messages and bytes, and says what happens when it is full.
    pub fn queue(self, overflow: Overflow, messages_max: usize, bytes_max: usize) -> Self {
        Self { inner: self.inner.queue(overflow, messages_max, bytes_max) }
    }

    /// How many messages a [`handle`](Self::handle)r works on at the same time, each on a thread of
    /// its own. Default: 1, which keeps their order.
    pub fn concurrency(self, n: usize) -> Self {
        Self { inner: self.inner.concurrency(n) }
    }

    /// Subscribes. Returns after the server has confirmed everything.
    ///
    /// # Errors
    /// As [`Fanfare::subscribe`](crate::Fanfare::subscribe).
    pub fn connect(self) -> Result<Subscription, Error> {
        Ok(Subscription { inner: runtime::wait(self.inner.connect())? })
    }

    /// Subscribes, and calls `handler` for every message on a thread apart. It may block: that
    /// delays its own subscription only. If it fails or panics, that is counted and logged, and the
    /// next message is handled.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Example: count what is handled
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
    /// let handler = fanfare.handle("jobs", |message: fanfare::Message| {
    ///     println!("{}", message.channel_name());
    /// })?;
    /// fanfare.publish("jobs", "1")?;
    /// assert_eq!(handler.wait_finished(1).handled, 1);
    /// # Ok::<_, fanfare::Error>(())
    /// ```
    pub fn handle<F, T>(self, handler: F) -> Result<Handler, Error>
    where
        F: Fn(Message) -> T + Send + Sync + 'static,
        T: Outcome,
    {
        let handler = std::sync::Arc::new(handler);
        let handle = move |message| {
            let handler = handler.clone();
            async move {
                let work = move || handler(message).failure();
                runtime::apart(work).await.map_or(Ok(()), Err)
            }
        };
        Ok(Handler { inner: runtime::wait(self.inner.handle(handle))? })
    }
}

/// The twin of [`fanfare::Subscription`](crate::Subscription): an iterator of messages that ends when
/// the subscription does. Dropping it unsubscribes.
///
/// # Example: for a while
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// # let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let ticks = fanfare.subscribe(["ticks"])?;
/// for n in 0..3 {
///     fanfare.publish("ticks", n.to_string())?;
/// }
/// let seen: Vec<_> = ticks.take(3).map(|message| message.payload).collect();
/// assert_eq!(seen, ["0", "1", "2"]);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Debug)]
pub struct Subscription {
    inner: crate::Subscription,
}

impl Subscription {
    /// The next message, if one comes within `limit`. `None`: none came, or this is the end, and
    /// [`error`](Self::error) says why.
    pub fn next_within(&mut self, limit: Duration) -> Option<Message> {
        runtime::wait(async { timeout(limit, self.inner.next()).await }).ok().flatten()
    }

    /// The next message or gap, or `None` at the end.
    pub fn next_delivery(&mut self) -> Option<Delivery> {
        runtime::wait(self.inner.next_delivery())
    }

    /// The next message or gap, if one comes within `limit`. `None`: none came, or this is the end.
    pub fn next_delivery_within(&mut self, limit: Duration) -> Option<Delivery> {
        runtime::wait(async { timeout(limit, self.inner.next_delivery()).await }).ok().flatten()
    }

    /// Waits for at least one message or gap, appends up to `n_max` of those that are there, and
    /// returns how many; 0 is the end. Cheaper than one by one where there are many.
    pub fn next_many(&mut self, into: &mut Vec<Delivery>, n_max: usize) -> usize {
        runtime::wait(self.inner.next_many(into, n_max))
    }

    /// All messages and gaps.
    pub fn deliveries(&mut self) -> impl Iterator<Item = Delivery> {
        std::iter::from_fn(|| self.next_delivery())
    }

    /// The number by which events name this subscription.
    pub fn id(&self) -> u64 {
        self.inner.id()
    }

    /// What it is subscribed to, for another thread that shall change that while this one reads.
    pub fn names(&self) -> SubscriptionNames {
        SubscriptionNames { inner: self.inner.names() }
    }

    /// Why it has ended; `None` while it has not.
    pub fn error(&self) -> Option<Error> {
        self.inner.error()
    }

    /// The counts, the queue's length and the age of the last successful read.
    pub fn stats(&self) -> SubscriptionStats {
        self.inner.stats()
    }
}

twin!(Subscription {
    /// Subscribes to more, and returns after the server has confirmed it.
    fn add(&self, names: impl IntoIterator<Item = (Kind, Bytes)>) -> ();

    /// Unsubscribes from some of it.
    fn remove(&self, names: impl IntoIterator<Item = (Kind, Bytes)>) => ();
});

impl Iterator for Subscription {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        runtime::wait(self.inner.next())
    }
}

/// The twin of [`fanfare::SubscriptionNames`](crate::SubscriptionNames): what a [`Subscription`] is
/// subscribed to, to be changed by other threads than the one that reads it.
#[derive(Clone, Debug)]
pub struct SubscriptionNames {
    inner: crate::SubscriptionNames,
}

impl SubscriptionNames {
    /// Why the subscription has ended; `None` while it has not.
    pub fn error(&self) -> Option<Error> {
        self.inner.error()
    }

    /// The counts, the queue's length and the age of the last successful read.
    pub fn stats(&self) -> SubscriptionStats {
        self.inner.stats()
    }
}

twin!(SubscriptionNames {
    /// Subscribes to more, and returns after the server has confirmed it.
    fn add(&self, names: impl IntoIterator<Item = (Kind, Bytes)>) -> ();

    /// Unsubscribes from some of it.
    fn remove(&self, names: impl IntoIterator<Item = (Kind, Bytes)>) => ();
});

/// The twin of [`fanfare::Handler`](crate::Handler). Stops when dropped.
#[derive(Debug)]
#[must_use = "the handler stops when this is dropped"]
pub struct Handler {
    inner: crate::Handler,
}

impl Handler {
    /// The counts so far.
    pub fn stats(&self) -> HandlerStats {
        self.inner.stats()
    }

    /// Whether the loop has ended, and why.
    pub fn error(&self) -> Option<Error> {
        self.inner.error()
    }

    /// Unsubscribes, waits for what is being handled, and returns the final counts. What is queued
    /// is not begun.
    pub fn stop(self) -> HandlerStats {
        runtime::wait(self.inner.stop())
    }

    /// Unsubscribes after everything that has arrived is handled, and returns the final counts.
    pub fn finish(self) -> HandlerStats {
        runtime::wait(self.inner.finish())
    }
}

twin!(Handler {
    /// Waits until at least `n` messages are [finished](HandlerStats::finished), or the subscription
    /// has ended, and returns the counts.
    fn wait_finished(&self, n: u64) => HandlerStats;
});
