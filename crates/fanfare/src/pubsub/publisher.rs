//! Publishing values of one type to a channel: one by one, or many at once.

use std::{
    borrow::{Borrow, Cow},
    fmt,
    marker::PhantomData,
};

use bytes::Bytes;
use fanfare_client::Error;

use crate::{
    Codec, Fanfare,
    agreed::Agreed,
    batch::{Batch, Chunks},
    pubsub::{
        linger::{Linger, Lingering},
        publish::receivers,
    },
};

/// Publishes values of one type to a channel, or to several. Cheap to clone.
///
/// The type says how a value becomes a payload: `Publisher<Json<Order>>`, `Publisher<Text>`,
/// `Publisher<Raw>`, or one of the program's own ([`Codec`]).
///
/// Delivery is at most once: who is not subscribed when the message arrives at the broker never sees
/// it. An error says whether the message [may have been
/// delivered](Error::may_have_been_delivered); it is never sent again by itself.
///
/// # Example: orders, one by one and many at once
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Fanfare, Json, Publisher};
///
/// #[derive(serde::Serialize)]
/// struct Order { id: u64 }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let orders: Publisher<Json<Order>> = fanfare.publisher("orders");
/// let _subscription = fanfare.subscribe(["orders"]).await?;
/// assert_eq!(orders.publish(&Order { id: 7 }).await?, 1);
///
/// let outcomes = orders.publish_batch((0..1_000).map(|id| Order { id })).await;
/// assert!(outcomes.into_iter().all(|it| it.is_ok_and(|n_receivers| n_receivers == 1)));
/// # Ok(()) }
/// ```
#[must_use = "it publishes when it is told to"]
pub struct Publisher<C> {
    pub(super) fanfare: Fanfare,
    pub(super) channel: Bytes,
    is_sharded: bool,
    chunks: Chunks,
    agreed: Agreed,
    codec: PhantomData<fn() -> C>,
}

impl Fanfare {
    /// A publisher of values of one type to a channel: see [`Publisher`].
    ///
    /// # Example: text
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let news = fanfare.publisher::<fanfare::Text>("news");
    /// news.publish("hello").await?;
    /// # Ok(()) }
    /// ```
    pub fn publisher<C: Codec>(&self, channel: impl AsRef<[u8]>) -> Publisher<C> {
        Publisher {
            fanfare: self.clone(),
            channel: Bytes::copy_from_slice(channel.as_ref()),
            is_sharded: false,
            chunks: Chunks::default(),
            agreed: Agreed::default(),
            codec: PhantomData,
        }
    }
}

impl<C: Codec> Publisher<C> {
    /// Publishes to sharded channels (`SPUBLISH`): in a cluster only the shard of the channel's slot
    /// sees them.
    pub fn sharded(self) -> Self {
        Self { is_sharded: true, ..self }
    }

    /// How much goes out at once in a [batch](Self::publish_batch): most messages, and most bytes
    /// (a larger message goes alone). Default: 512 messages and 256 KiB. 0 counts as 1.
    pub fn chunks(self, messages_max: usize, bytes_max: usize) -> Self {
        let chunks = Chunks { commands_max: messages_max.max(1), bytes_max };
        Self { chunks, ..self }
    }

    /// Refuses to publish what does not fit, as [`ErrorKind::InvalidRecord`](crate::ErrorKind::InvalidRecord) with the
    /// place and the rule; nothing is sent then. Also when it [lingers](Self::linger).
    #[cfg(feature = "schema")]
    pub fn contract(self, contract: impl Into<crate::schema::Contract>) -> Self {
        Self { agreed: Agreed::on(contract), ..self }
    }

    /// What of a value is sent, if it may be.
    pub(super) fn payload<'a>(&self, value: &'a C::Value) -> Result<Cow<'a, [u8]>, Error> {
        let payload = C::encode(value)?;
        self.agreed.check_payload(C::CONTENT_TYPE, &payload)?;
        Ok(payload)
    }

    /// Publishes a value and returns how many subscriptions the server handed it to; in a cluster
    /// those of one node.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode), and as [`Fanfare::publish`].
    ///
    /// # Cancel safety
    /// Dropping the future does not take back a message that has been handed to the connection.
    pub async fn publish(&self, value: impl Borrow<C::Value>) -> Result<u64, Error> {
        self.publish_to(&self.channel, value).await
    }

    /// The same to another channel.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn publish_to(
        &self,
        channel: impl AsRef<[u8]>,
        value: impl Borrow<C::Value>,
    ) -> Result<u64, Error> {
        let payload = self.payload(value.borrow())?;
        self.fanfare.publish_by(self.verb(), channel.as_ref(), &payload).await
    }

    /// Publishes many values, pipelined in [chunks](Self::chunks), and returns the outcome of each
    /// in their order. A value that can not be encoded fails alone. It is not a transaction: see
    /// [`Fanfare::publish_batch`].
    ///
    /// # Cancel safety
    /// Dropping the future does not take back what has been handed to the connection.
    pub async fn publish_batch(
        &self,
        values: impl IntoIterator<Item: Borrow<C::Value>>,
    ) -> Vec<Result<u64, Error>> {
        self.publish_batch_to(values.into_iter().map(|value| (&self.channel, value))).await
    }

    /// The same, each value to a channel of its own.
    ///
    /// # Cancel safety
    /// As [`publish_batch`](Self::publish_batch).
    pub async fn publish_batch_to<N: AsRef<[u8]>, V: Borrow<C::Value>>(
        &self,
        messages: impl IntoIterator<Item = (N, V)>,
    ) -> Vec<Result<u64, Error>> {
        let mut batch = Batch::new(&self.fanfare, receivers).chunks(self.chunks);
        for (channel, value) in messages {
            let named = self.fanfare.channel(channel.as_ref());
            match named.and_then(|channel| Ok((channel, self.payload(value.borrow())?))) {
                Ok((channel, payload)) => batch.push([self.verb(), &channel, &payload]).await,
                Err(error) => batch.refuse(error).await,
            }
        }
        batch.finish().await
    }

    /// Gathers what many callers publish for a moment, and sends it together: see [`Lingering`].
    ///
    /// # Panics
    /// Outside a tokio runtime with time.
    pub fn linger(self, linger: Linger) -> Lingering<C> {
        Lingering::new(self, linger)
    }

    pub(super) fn verb(&self) -> &'static [u8] {
        if self.is_sharded { b"SPUBLISH" } else { b"PUBLISH" }
    }
}

/// What a document of the program tells of it.
#[cfg(feature = "schema")]
impl<C> Publisher<C> {
    pub(crate) fn channel(&self) -> &[u8] {
        &self.channel
    }

    pub(crate) fn is_sharded(&self) -> bool {
        self.is_sharded
    }

    pub(crate) fn checks(&self) -> Option<&crate::schema::Contract> {
        self.agreed.contract()
    }
}

impl<C> Clone for Publisher<C> {
    fn clone(&self) -> Self {
        Self {
            fanfare: self.fanfare.clone(),
            channel: self.channel.clone(),
            is_sharded: self.is_sharded,
            chunks: self.chunks,
            agreed: self.agreed.clone(),
            codec: PhantomData,
        }
    }
}

impl<C> fmt::Debug for Publisher<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("channel", &self.channel)
            .field("is_sharded", &self.is_sharded)
            .finish_non_exhaustive()
    }
}
