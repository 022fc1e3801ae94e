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
    Delivery, Error, ErrorKind, Kind, Link, LiveKind, LiveState, Message, SubscriptionStats, Vital,
    Vitals,
    connection::{
        driver::{now, until},
        subscriber::Wish,
    },
    queue::Queue,
    subscriptions::Target,
    topology::{connections::Hub, health::Health},
    vitals::Progress,
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
    names: SubscriptionNames,
    /// Keeps its place among what lives on the link.
    _signs: Arc<Signs>,
}

/// What a [`Subscription`] is subscribed to, to be changed by others than who reads it. Cheap to
/// clone. It does not keep the subscription: when that is dropped, nothing can be added any more.
#[derive(Clone)]
pub struct SubscriptionNames {
    id: u64,
    queue: Arc<Queue>,
    hub: Hub,
    link: Link,
}

/// What is known about a subscription by those who only look at it.
struct Signs {
    name: String,
    queue: Arc<Queue>,
    health: Arc<Health>,
    progress: Progress,
}

impl Vital for Signs {
    fn vitals(&self) -> Vitals {
        let stats = self.queue.stats();
        let oldest_age = self.queue.oldest().map(|at| at.elapsed().unwrap_or_default());
        Vitals {
            state: LiveState::of(self.queue.error(), stats.is_held_back, self.health.is_up()),
            last_read_age: self.health.last_read_age(),
            stalled_for: self.progress.stalled_for(now(), stats.delivered, oldest_age),
            queued: stats.queued_messages,
            gaps: stats.gaps,
            dropped: stats.dropped,
            reconnects: stats.reconnects,
            ..Vitals::new(LiveKind::Subscription, self.name.clone())
        }
    }
}

impl Subscription {
    pub(crate) fn new(id: u64, link: Link, hub: Hub, name: String, bounds: crate::Queue) -> Self {
        let queue = Arc::new(Queue::new(bounds, hub.doorbell.notify.clone()));
        let signs = Signs {
            name,
            queue: queue.clone(),
            health: hub.health.clone(),
            progress: Progress::new(now()),
        };
        let signs = Arc::new(signs);
        link.watch(&signs);
        Self { names: SubscriptionNames { id, queue, hub, link }, _signs: signs }
    }

    /// The number by which events name this subscription.
    pub fn id(&self) -> u64 {
        self.names.id
    }

    /// What it is subscribed to, for whoever shall change that while somebody else reads.
    pub fn names(&self) -> SubscriptionNames {
        self.names.clone()
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

    /// Waits for at least one message or gap, appends up to `n_max` of those that are there, and
    /// returns how many; 0 is the end. Cheaper than one by one where there are many.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next_many(&mut self, into: &mut Vec<Delivery>, n_max: usize) -> usize {
        let n_before = into.len();
        let n = poll_fn(|cx| self.names.queue.poll_many(cx, into, n_max.max(1))).await;
        for delivery in into.iter_mut().skip(n_before) {
            self.names.rename(delivery);
        }
        n
    }

    /// All messages and gaps as a stream.
    pub fn deliveries(&mut self) -> impl Stream<Item = Delivery> + Unpin {
        futures_util::stream::poll_fn(|cx| self.poll_delivery(cx))
    }

    fn poll_delivery(&self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        let mut delivery = ready!(self.names.queue.poll_next(cx));
        delivery.iter_mut().for_each(|it| self.names.rename(it));
        Poll::Ready(delivery)
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
        self.names.error()
    }

    /// The counts, the queue's length and the age of the last successful read.
    pub fn stats(&self) -> SubscriptionStats {
        self.names.stats()
    }

    /// Subscribes to more, and returns after the server has confirmed it.
    ///
    /// # Errors
    /// As [`Link::subscribe`]; what was subscribed before stays.
    ///
    /// # Cancel safety
    /// Dropping the future takes the new names back, at the latest when the server confirms them.
    pub async fn add(&self, names: impl IntoIterator<Item = (Kind, Bytes)>) -> Result<(), Error> {
        self.names.add(names).await
    }

    /// Unsubscribes from some of it. Messages that are queued already still come.
    pub async fn remove(&self, names: impl IntoIterator<Item = (Kind, Bytes)>) {
        self.names.remove(names).await;
    }
}

impl SubscriptionNames {
    /// As [`Subscription::error`].
    pub fn error(&self) -> Option<Error> {
        self.queue.error()
    }

    /// As [`Subscription::stats`].
    pub fn stats(&self) -> SubscriptionStats {
        let health = &self.hub.health;
        SubscriptionStats {
            is_up: health.is_up(),
            last_read_age: health.last_read_age(),
            ..self.queue.stats()
        }
    }

    /// As [`Subscription::add`].
    ///
    /// # Errors
    /// As [`Subscription::add`], and [`ErrorKind::Closed`] if the subscription was dropped.
    ///
    /// # Cancel safety
    /// As [`Subscription::add`].
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
        let (ready, mut confirmed) = oneshot::channel();
        let wish = Wish::Join { id: self.id, queue: self.queue.clone(), targets, ready };
        let ended = || self.queue.error().unwrap_or_else(Error::closed);
        let join = async {
            self.hub.wishes.send(wish).await.map_err(|_| ended())?;
            (&mut confirmed).await.map_err(|_| ended())?
        };
        if let Some(result) = until(deadline, join).await {
            return result;
        }
        // It may have come at the last moment, and from here on it can not.
        confirmed.close();
        if let Ok(result) = confirmed.try_recv() {
            return result;
        }
        let is_up = self.hub.health.is_up();
        // If the task is gone, so is the subscription.
        let _ = self.hub.wishes.send(Wish::TakeBack { id: self.id }).await;
        Err(if is_up {
            let message = format!("the server did not confirm within {timeout:?}");
            Error::new(ErrorKind::Timeout, message)
        } else {
            self.link.no_connection()
        })
    }

    /// As [`Subscription::remove`].
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

    /// What comes is named as the program names it.
    fn rename(&self, delivery: &mut Delivery) {
        if let Delivery::Message(message) = delivery {
            let namespace = self.link.options().names();
            namespace.strip(&mut message.channel);
            message.pattern.iter_mut().for_each(|it| namespace.strip(it));
        }
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
        self.names.queue.abandon();
        self.names.hub.doorbell.leave(self.names.id);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("id", &self.names.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for SubscriptionNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionNames").field("id", &self.id).finish_non_exhaustive()
    }
}
