//! Publishing: one message, one value as JSON, many messages.

use fanfare_client::{Error, ErrorKind, Pipeline, Value};
use serde::Serialize;

use crate::{Fanfare, batch::Batch, codec::json};

impl Fanfare {
    /// Publishes a message and returns how many subscriptions the server handed it to.
    ///
    /// Delivery is at most once: who is not subscribed at this moment never sees it. A channel and
    /// a pattern that match count twice, even if one client has both.
    ///
    /// # Errors
    /// [`ErrorKind::NotConnected`] and [`ErrorKind::Overloaded`]: nothing was sent.
    /// [`ErrorKind::Disconnected`] and [`ErrorKind::Timeout`]: the message may have been delivered
    /// ([`Error::may_have_been_delivered`]), and is never sent again by itself.
    /// [`ErrorKind::Server`]: refused, such as `NOPERM`. [`ErrorKind::InvalidOption`]: the URL names
    /// a database other than 0, which channels do not have.
    ///
    /// # Cancel safety
    /// Dropping the future does not take back a message that has been handed to the connection.
    ///
    /// # Example: nobody is listening
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// assert_eq!(fanfare.publish("nobody", "hi").await?, 0);
    /// # Ok(()) }
    /// ```
    pub async fn publish(
        &self,
        channel: impl AsRef<[u8]>,
        payload: impl AsRef<[u8]>,
    ) -> Result<u64, Error> {
        self.publish_by(b"PUBLISH", channel.as_ref(), payload.as_ref()).await
    }

    /// Publishes to a sharded channel: in a cluster only the shard of the channel's slot sees it.
    /// Subscribers are those of [`Subscriber::sharded`](crate::Subscriber::sharded).
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn spublish(
        &self,
        channel: impl AsRef<[u8]>,
        payload: impl AsRef<[u8]>,
    ) -> Result<u64, Error> {
        self.publish_by(b"SPUBLISH", channel.as_ref(), payload.as_ref()).await
    }

    /// Publishes a value as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] if the value has no JSON, and as [`publish`](Self::publish).
    ///
    /// # Example: a typed message
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    /// struct Order { id: u64, item: String }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let mut orders = fanfare.subscribe(["orders"]).await?;
    /// fanfare.publish_json("orders", &Order { id: 7, item: "tea".into() }).await?;
    /// let message = orders.next().await.expect("the subscription goes on");
    /// assert_eq!(message.json::<Order>()?.id, 7);
    /// # Ok(()) }
    /// ```
    pub async fn publish_json(
        &self,
        channel: impl AsRef<[u8]>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<u64, Error> {
        self.publish(channel, json::encode(value)?).await
    }

    /// Publishes many messages, pipelined, and returns the outcome of each in their order.
    ///
    /// They go out in chunks bounded in number and bytes, a few chunks at a time, so that neither
    /// a long batch nor an endless iterator fills the memory of either side. It is not a
    /// transaction: other publishers' messages may come in between, and when the connection breaks
    /// in the middle, each message says for itself what is known about it.
    ///
    /// # Cancel safety
    /// Dropping the future does not take back what has been handed to the connection.
    ///
    /// # Example: per-message outcomes
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let _ticks = fanfare.subscribe(["ticks"]).await?;
    /// let outcomes = fanfare.publish_batch([("ticks", "1"), ("void", "2")]).await;
    /// let n: Vec<u64> = outcomes.into_iter().collect::<Result<_, _>>()?;
    /// assert_eq!(n, [1, 0]);
    /// # Ok(()) }
    /// ```
    pub async fn publish_batch<C, P>(
        &self,
        messages: impl IntoIterator<Item = (C, P)>,
    ) -> Vec<Result<u64, Error>>
    where
        C: AsRef<[u8]>,
        P: AsRef<[u8]>,
    {
        let mut batch = Batch::new(self, receivers);
        for (channel, payload) in messages {
            match self.channel(channel.as_ref()) {
                Ok(channel) => batch.push([&b"PUBLISH"[..], &channel, payload.as_ref()]).await,
                Err(error) => batch.refuse(error).await,
            }
        }
        batch.finish().await
    }

    pub(crate) async fn publish_by(
        &self,
        verb: &[u8],
        channel: &[u8],
        payload: &[u8],
    ) -> Result<u64, Error> {
        let mut pipeline = Pipeline::new();
        pipeline.push([verb, &*self.channel(channel)?, payload]);
        receivers(self.link().send(pipeline).await?.one().await)
    }
}

pub(crate) fn receivers(reply: Result<Value, Error>) -> Result<u64, Error> {
    reply?.as_int().and_then(|n| u64::try_from(n).ok()).ok_or_else(|| {
        Error::new(ErrorKind::Protocol, "the server's answer to PUBLISH is not a count")
    })
}
