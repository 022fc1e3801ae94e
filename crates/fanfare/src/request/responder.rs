//! Answering on a channel.

use std::fmt;

use fanfare_client::{Error, Overflow};
use tower_service::Service;

use super::{Answering, AnsweringStats, Respond};
use crate::{Call, Fanfare, Handler, HandlerStats, Message, Subscriber};

/// A handler that answers the requests of channels, being described. Made by [`Fanfare::respond`].
///
/// Requests arrive at most once, as all messages of a channel, and each is handled at most once. The
/// handler's arguments are [extracted](crate::Extract) from the [`Call`]. If it fails or panics, or the
/// request can not be decoded, that is answered as an error, with its text (of a panic, only that there
/// was one), and counted.
///
/// Every responder of a channel gets every request: see the [module's
/// documentation](crate::request) for how to share them.
///
/// # Example: several at a time, with state
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::{collections::HashMap, sync::Arc};
/// use fanfare::{Fanfare, Json, State};
///
/// type Stock = Arc<HashMap<String, u32>>;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let stock: Stock = Arc::new(HashMap::from([("tea".to_owned(), 7)]));
/// let handler = async |State(stock): State<Stock>, Json(item): Json<String>| {
///     stock.get(&item).copied().map(Json).ok_or("there is none")
/// };
/// let responder = fanfare.respond_with("stock", handler, stock).concurrency(8).start().await?;
/// let requester = fanfare.requester().await?;
/// assert_eq!(requester.request("stock", "tea").await?.json::<u32>()?, 7);
/// assert_eq!(responder.stop().await.answered, 1);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing happens before `start`"]
pub struct Responder {
    subscriber: Subscriber,
    answering: Answering,
}

/// A responder that runs. Stops when dropped: what is being handled is answered, what is queued is not
/// begun.
#[must_use = "the responder stops when this is dropped"]
pub struct Responding {
    handler: Handler,
    answering: Answering,
}

impl Fanfare {
    /// A handler that answers the requests of a channel: see [`Responder`].
    pub fn respond<H, Args>(&self, channel: impl AsRef<[u8]>, handler: H) -> Responder
    where
        H: Respond<Args, ()>,
    {
        self.respond_with(channel, handler, ())
    }

    /// The same with a state, for which the handler asks as [`State`](crate::State).
    pub fn respond_with<H, Args, S>(
        &self,
        channel: impl AsRef<[u8]>,
        handler: H,
        state: S,
    ) -> Responder
    where
        H: Respond<Args, S>,
        S: Send + Sync + 'static,
    {
        let subscriber = self.subscriber().channels([channel]);
        Responder { subscriber, answering: self.answering(handler, state) }
    }

    /// A handler that answers the requests of several channels.
    pub(crate) fn respond_all<H, Args>(
        &self,
        channels: impl IntoIterator<Item = impl AsRef<[u8]>>,
        handler: H,
    ) -> Responder
    where
        H: Respond<Args, ()>,
    {
        let subscriber = self.subscriber().channels(channels);
        Responder { subscriber, answering: self.answering(handler, ()) }
    }
}

impl Responder {
    /// Answers the requests of sharded channels as well.
    pub fn sharded<C: AsRef<[u8]>>(mut self, names: impl IntoIterator<Item = C>) -> Self {
        self.subscriber = self.subscriber.sharded(names);
        self
    }

    /// Answers the requests of all channels that match glob patterns as well.
    pub fn patterns<C: AsRef<[u8]>>(mut self, patterns: impl IntoIterator<Item = C>) -> Self {
        self.subscriber = self.subscriber.patterns(patterns);
        self
    }

    /// How many requests are handled at the same time. Default: 1. 0 counts as 1.
    pub fn concurrency(mut self, n: usize) -> Self {
        self.subscriber = self.subscriber.concurrency(n);
        self
    }

    /// Bounds the queue of requests: see [`Subscriber::queue`](crate::Subscriber::queue).
    pub fn queue(mut self, overflow: Overflow, messages_max: usize, bytes_max: usize) -> Self {
        self.subscriber = self.subscriber.queue(overflow, messages_max, bytes_max);
        self
    }

    /// Answers only with what keeps to this: see [`Answering::contract`].
    #[cfg(feature = "schema")]
    pub fn contract(mut self, contract: impl Into<crate::schema::Contract>) -> Self {
        self.answering = self.answering.contract(contract);
        self
    }

    /// Subscribes, and returns after the server has confirmed: requests are answered from then on.
    ///
    /// # Errors
    /// As [`Fanfare::subscribe`].
    ///
    /// # Cancel safety
    /// Dropping the future takes the subscription back.
    pub async fn start(self) -> Result<Responding, Error> {
        let Self { subscriber, answering } = self;
        let service = answering.clone();
        let handle = move |message: Message| service.clone().call(Call::from(message));
        Ok(Responding { handler: subscriber.handle(handle).await?, answering })
    }
}

#[cfg(feature = "schema")]
impl Responder {
    /// What it answers on.
    pub(crate) fn names(&self) -> impl Iterator<Item = (fanfare_client::Kind, &[u8])> {
        self.subscriber.described()
    }

    /// What its answers keep to.
    pub(crate) fn promises(&self) -> Option<&crate::schema::Contract> {
        self.answering.agreed.contract()
    }
}

impl Responding {
    /// The counts so far.
    pub fn stats(&self) -> AnsweringStats {
        self.answering.stats()
    }

    /// The counts of its subscription and of the handler that it is.
    pub fn handler_stats(&self) -> HandlerStats {
        self.handler.stats()
    }

    /// Whether it has ended by itself, and why.
    pub fn error(&self) -> Option<Error> {
        self.handler.error()
    }

    /// Unsubscribes, answers what is being handled, and returns the final counts. What is queued is not
    /// begun.
    ///
    /// # Cancel safety
    /// Dropping the future is like dropping the responder.
    pub async fn stop(self) -> AnsweringStats {
        self.handler.stop().await;
        self.answering.stats()
    }

    /// Unsubscribes after everything that has arrived is answered, and returns the final counts.
    ///
    /// # Cancel safety
    /// Dropping the future keeps nothing of that from being answered.
    pub async fn finish(self) -> AnsweringStats {
        self.handler.finish().await;
        self.answering.stats()
    }
}

impl fmt::Debug for Responding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responding").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
