//! A subscription: a bounded stream of messages with its gaps.

use std::{
    collections::HashSet,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::oneshot;

use crate::{
    Delivery, Error, ErrorKind, Kind, Link, Message, SubscriptionStats,
    connection::{
        driver::{now, until},
        subscriber::Wish,
    },
    queue::Queue,
    subscriptions::Target,
    topology::connections::Hub,
};

/// Messages of some channels, patterns and sharded channels.
///
/// Delivery is at most once, as pub/sub is: what is published while the connection is away is gone.
/// The subscription itself comes back by itself. Every loss, known or possible, is visible: as a
/// [`Gap`](crate::Gap) in its place in [`next_delivery`](Self::next_delivery), in the
/// [`stats`](Self::stats), and as an [`Event`](crate::Event) of the link.
///
/// As a [`Stream`] it yields messages alone. Dropping it unsubscribes.
///
/// A message that matches a channel *and* a pattern of the same subscription comes twice, as the
/// server sends it. A subscription that joins others on the same channel may also see messages
/// that were published just before it joined but had not been read yet.
pub struct Subscription {
    id: u64,
    queue: Arc<Queue>,
    hub: Hub,
    link: Link,
}

impl Subscription {
    pub(crate) fn new(id: u64, link: Link, hub: Hub, bounds: crate::Queue) -> Self {
        let queue = Arc::new(Queue::new(bounds, hub.doorbell.notify.clone()));
        Self { id, queue, hub, link }
    }

    /// The number by which events name this subscription.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The next message, or `None` at the end; [`error`](Self::error) then says why. Gaps are
    /// passed over (and counted).
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// The next message or gap, or `None` at the end.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next_delivery(&mut self) -> Option<Delivery> {
        poll_fn(|cx| self.poll_delivery(cx)).await
    }

    /// All messages and gaps as a stream.
    pub fn deliveries(&mut self) -> impl Stream<Item = Delivery> + Unpin {
        futures_util::stream::poll_fn(|cx| self.poll_delivery(cx))
    }

    /// What comes is named as the program names it.
    fn poll_delivery(&self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        let delivery = ready!(self.queue.poll_next(cx));
        Poll::Ready(match delivery {
            Some(Delivery::Message(mut message)) => {
                let namespace = self.link.options().names();
                namespace.strip(&mut message.channel);
                message.pattern.iter_mut().for_each(|it| namespace.strip(it));
                Some(Delivery::Message(message))
            }
            other => other,
        })
    }

    fn poll_message(&self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            match ready!(self.poll_delivery(cx)) {
                Some(Delivery::Message(message)) => return Poll::Ready(Some(message)),
                Some(Delivery::Gap(_)) => {}
                None => return Poll::Ready(None),
            }
        }
    }

    /// Why the stream has ended: [`ErrorKind::SlowConsumer`] or [`ErrorKind::Closed`]. `None` while
    /// it has not.
    pub fn error(&self) -> Option<Error> {
        self.queue.error()
    }

    /// The counts, the queue's length and the age of the last successful read.
    pub fn stats(&self) -> SubscriptionStats {
        let health = &self.hub.health;
        SubscriptionStats {
            is_up: health.is_up(),
            last_read_age: health.last_read_age(),
            ..self.queue.stats()
        }
    }

    /// Subscribes to more, and returns after the server has confirmed it.
    ///
    /// # Errors
    /// As [`Link::subscribe`]; what was subscribed before stays.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the new names subscribed.
    pub async fn add(&self, names: impl IntoIterator<Item = (Kind, Bytes)>) -> Result<(), Error> {
        let targets = self.targets(names);
        if targets.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                "a subscription needs at least one channel or pattern",
            ));
        }
        let timeout = self.link.options().request_timeout;
        let deadline = now() + timeout;
        let (ready, confirmed) = oneshot::channel();
        let wish =
            Wish::Join { id: self.id, queue: self.queue.clone(), targets: targets.clone(), ready };
        let join = async {
            let ended = || self.queue.error().unwrap_or_else(Error::closed);
            self.hub.wishes.send(wish).await.map_err(|_| ended())?;
            confirmed.await.map_err(|_| ended())?
        };
        match until(deadline, join).await {
            Some(result) => result,
            None => {
                let health = &self.hub.health;
                self.part(targets).await;
                Err(if health.is_up() {
                    let message = format!("the server did not confirm within {timeout:?}");
                    Error::new(ErrorKind::Timeout, message)
                } else {
                    self.link.no_connection()
                })
            }
        }
    }

    /// Unsubscribes from some of it. Messages that are queued already still come.
    pub async fn remove(&self, names: impl IntoIterator<Item = (Kind, Bytes)>) {
        self.part(self.targets(names)).await;
    }

    fn targets(&self, names: impl IntoIterator<Item = (Kind, Bytes)>) -> Vec<Target> {
        let (mut seen, namespace) = (HashSet::new(), self.link.options().names());
        names
            .into_iter()
            .map(|(kind, name)| Target { kind, name: namespace.full(name) })
            .filter(|target| seen.insert(target.clone()))
            .collect()
    }

    async fn part(&self, targets: Vec<Target>) {
        // If the task is gone, so is the subscription.
        let _ = self.hub.wishes.send(Wish::Part { id: self.id, targets }).await;
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll_message(cx)
    }
}

impl Drop for Subscription {
    /// Leaves word for the connection's task, which unsubscribes.
    fn drop(&mut self) {
        self.queue.abandon();
        self.hub.doorbell.leave(self.id);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("id", &self.id).finish_non_exhaustive()
    }
}
