//! Publishing values of one type: one by one, many at once, or gathered from many threads.

use std::{borrow::Borrow, fmt};

use super::{Fanfare, runtime};
use crate::{Codec, Error, Linger, LingerStats};

/// The twin of [`fanfare::Publisher`](crate::Publisher): publishes values of one type to a channel,
/// or to several. Cheap to clone, for any number of threads.
///
/// # Example: orders, one by one and many at once
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Json, blocking::{Fanfare, Publisher}};
///
/// #[derive(serde::Serialize)]
/// struct Order { id: u64 }
///
/// let fanfare = Fanfare::connect("embedded:")?;
/// let orders: Publisher<Json<Order>> = fanfare.publisher("orders");
/// let _subscription = fanfare.subscribe(["orders"])?;
/// assert_eq!(orders.publish(&Order { id: 7 })?, 1);
///
/// let outcomes = orders.publish_batch((0..1_000).map(|id| Order { id }));
/// assert!(outcomes.into_iter().all(|it| it.is_ok_and(|n_receivers| n_receivers == 1)));
/// # Ok::<_, fanfare::Error>(())
/// ```
#[must_use = "it publishes when it is told to"]
pub struct Publisher<C> {
    inner: crate::Publisher<C>,
}

impl Fanfare {
    /// A publisher of values of one type to a channel: see [`Publisher`].
    pub fn publisher<C: Codec>(&self, channel: impl AsRef<[u8]>) -> Publisher<C> {
        Publisher { inner: self.inner.publisher(channel) }
    }
}

impl<C: Codec> Publisher<C> {
    /// Publishes to sharded channels (`SPUBLISH`).
    pub fn sharded(self) -> Self {
        Self { inner: self.inner.sharded() }
    }

    /// How much goes out at once in a [batch](Self::publish_batch): most messages, and most bytes.
    pub fn chunks(self, messages_max: usize, bytes_max: usize) -> Self {
        Self { inner: self.inner.chunks(messages_max, bytes_max) }
    }

    /// Refuses to publish what does not fit, and sends nothing then.
    #[cfg(feature = "schema")]
    pub fn contract(self, contract: impl Into<crate::schema::Contract>) -> Self {
        Self { inner: self.inner.contract(contract) }
    }

    /// Publishes a value and returns how many subscriptions the server handed it to.
    ///
    /// # Errors
    /// As [`Publisher::publish`](crate::Publisher::publish).
    pub fn publish(&self, value: impl Borrow<C::Value>) -> Result<u64, Error> {
        runtime::wait(self.inner.publish(value))
    }

    /// The same to another channel.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn publish_to(
        &self,
        channel: impl AsRef<[u8]>,
        value: impl Borrow<C::Value>,
    ) -> Result<u64, Error> {
        runtime::wait(self.inner.publish_to(channel, value))
    }

    /// Publishes many values, pipelined in [chunks](Self::chunks), and returns the outcome of each in
    /// their order.
    pub fn publish_batch(
        &self,
        values: impl IntoIterator<Item: Borrow<C::Value>>,
    ) -> Vec<Result<u64, Error>> {
        runtime::wait(self.inner.publish_batch(values))
    }

    /// The same, each value to a channel of its own.
    pub fn publish_batch_to<N: AsRef<[u8]>, V: Borrow<C::Value>>(
        &self,
        messages: impl IntoIterator<Item = (N, V)>,
    ) -> Vec<Result<u64, Error>> {
        runtime::wait(self.inner.publish_batch_to(messages))
    }

    /// Gathers what many threads publish for a moment, and sends it together: see [`Lingering`].
    ///
    /// # Panics
    /// On a thread that drives a runtime.
    pub fn linger(self, linger: Linger) -> Lingering<C> {
        Lingering { inner: runtime::wait(async { self.inner.linger(linger) }) }
    }
}

impl<C> Clone for Publisher<C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<C> fmt::Debug for Publisher<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The twin of [`fanfare::Lingering`](crate::Lingering): gathers the messages of many threads for a
/// moment, and sends them together. Cheap to clone.
///
/// [`publish`](Self::publish) waits for the outcome of its own message, so a thread that publishes one
/// after the other waits for each; [`enqueue`](Self::enqueue) does not.
///
/// # Example: a thousand messages, few packets
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Linger, Text, blocking::Fanfare};
///
/// let fanfare = Fanfare::connect("embedded:")?;
/// let ticks = fanfare.publisher::<Text>("ticks").linger(Linger::new(Duration::from_millis(2)));
/// for n in 0..1_000 {
///     drop(ticks.enqueue(n.to_string())?);
/// }
/// let stats = ticks.close();
/// assert_eq!((stats.published, stats.failed, stats.unknown), (1_000, 0, 0));
/// # Ok::<_, fanfare::Error>(())
/// ```
#[must_use = "it publishes when it is told to"]
pub struct Lingering<C> {
    inner: crate::Lingering<C>,
}

impl<C: Codec> Lingering<C> {
    /// Publishes a value and waits for its outcome: how many subscriptions the server handed it to.
    ///
    /// # Errors
    /// As [`Lingering::publish`](crate::Lingering::publish).
    pub fn publish(&self, value: impl Borrow<C::Value>) -> Result<u64, Error> {
        runtime::wait(self.inner.publish(value))
    }

    /// Adds a value to what is gathered, and returns a receipt, with which its outcome can be
    /// waited for. Waits itself only while there is no room.
    ///
    /// # Errors
    /// As [`Lingering::enqueue`](crate::Lingering::enqueue).
    pub fn enqueue(&self, value: impl Borrow<C::Value>) -> Result<Receipt, Error> {
        runtime::wait(self.inner.enqueue(value)).map(Receipt)
    }

    /// The same for another channel.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    pub fn enqueue_to(
        &self,
        channel: impl AsRef<[u8]>,
        value: impl Borrow<C::Value>,
    ) -> Result<Receipt, Error> {
        runtime::wait(self.inner.enqueue_to(channel, value)).map(Receipt)
    }

    /// Sends what is gathered, waits until everything that was enqueued before has its outcome, and
    /// returns the counts since the beginning.
    pub fn flush(&self) -> LingerStats {
        runtime::wait(self.inner.flush())
    }

    /// Takes nothing more, sends what is gathered, waits for all outcomes, and returns the counts.
    pub fn close(&self) -> LingerStats {
        runtime::wait(self.inner.close())
    }

    /// The counts since the beginning.
    pub fn stats(&self) -> LingerStats {
        self.inner.stats()
    }
}

impl<C> Clone for Lingering<C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<C> fmt::Debug for Lingering<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// What became of one message of a [`Lingering`] publisher. The twin of
/// [`fanfare::Receipt`](crate::Receipt).
///
/// Dropping it does not take the message back; its outcome is still counted in [`LingerStats`].
#[derive(Debug)]
#[must_use = "an outcome that nobody waits for is an error that nobody sees; it is counted"]
pub struct Receipt(crate::Receipt);

impl Receipt {
    /// Waits for the outcome: how many subscriptions the server handed the message to.
    ///
    /// # Errors
    /// As [`Fanfare::publish`](crate::Fanfare::publish).
    pub fn wait(self) -> Result<u64, Error> {
        runtime::wait(self.0)
    }
}
