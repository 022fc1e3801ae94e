//! The handle of a tail.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::Stream;

use crate::{
    Error, Link, LiveKind, LiveState, Vital, Vitals,
    connection::{
        driver::{Status, now},
        tail::Pushing,
    },
    stream::{Delivery, Entry, StreamId, TailStats, queue::Queue},
    vitals::Progress,
};

/// A stream's entries from some place on, and then those that are added, for ever.
///
/// Each entry is delivered *exactly once* to this value, in the stream's order, over lost
/// connections and restarted servers, as long as the stream still has it: the tail knows the last
/// ID that it delivered and goes on behind it. What was trimmed away unread is a
/// [`Delivery::Gap`], and a stream that was deleted or replaced is a [`Delivery::Reset`], in their
/// place in [`next_delivery`](Self::next_delivery). A program that is started again begins where
/// it says: keep [`last_id`](Self::last_id) and hand it to the next tail.
///
/// The queue is bounded in entries and bytes. While it is full nothing is read, and nothing is
/// lost: the stream keeps it.
///
/// As a [`Stream`] it yields entries alone. It has a connection of its own; dropping it closes that.
pub struct Tail {
    queue: Arc<Queue>,
    status: Arc<Status>,
    pushing: Pushing,
    /// Keeps the link's connections, and what must live as long as they.
    _link: Link,
    /// Keeps its place among what lives on the link.
    _signs: Arc<Signs>,
}

/// What is known about a tail by those who only look at it.
struct Signs {
    name: String,
    queue: Arc<Queue>,
    status: Arc<Status>,
    progress: Progress,
}

impl Vital for Signs {
    fn vitals(&self) -> Vitals {
        let stats = self.queue.stats();
        let oldest_age = self.queue.oldest().map(|at| at.elapsed().unwrap_or_default());
        Vitals {
            state: LiveState::of(self.queue.error(), stats.is_held_back, self.status.is_up()),
            last_read_age: self.status.last_read_age(),
            stalled_for: self.progress.stalled_for(now(), stats.delivered, oldest_age),
            queued: stats.queued_entries,
            gaps: stats.gaps.saturating_add(stats.resets),
            reconnects: stats.reconnects,
            ..Vitals::new(LiveKind::Tail, self.name.clone())
        }
    }
}

impl Tail {
    pub(crate) fn new(
        link: Link,
        name: String,
        queue: Arc<Queue>,
        status: Arc<Status>,
        pushing: Pushing,
    ) -> Self {
        let signs = Signs {
            name,
            queue: queue.clone(),
            status: status.clone(),
            progress: Progress::new(now()),
        };
        let signs = Arc::new(signs);
        link.watch(&signs);
        Self { queue, status, pushing, _link: link, _signs: signs }
    }

    /// The next entry, or `None` at the end; [`error`](Self::error) then says why. What happened
    /// between entries is passed over (and counted).
    ///
    /// # Cancel safety
    /// Dropping the future loses no entry.
    pub async fn next(&mut self) -> Option<Entry> {
        poll_fn(|cx| self.poll_entry(cx)).await
    }

    /// The next entry or event, or `None` at the end.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next_delivery(&mut self) -> Option<Delivery> {
        poll_fn(|cx| self.queue.poll_next(cx)).await
    }

    /// All entries and events as a stream.
    pub fn deliveries(&mut self) -> impl Stream<Item = Delivery> + Unpin {
        futures_util::stream::poll_fn(|cx| self.queue.poll_next(cx))
    }

    fn poll_entry(&self, cx: &mut Context<'_>) -> Poll<Option<Entry>> {
        loop {
            match ready!(self.queue.poll_next(cx)) {
                Some(Delivery::Entry(entry)) => return Poll::Ready(Some(entry)),
                Some(
                    Delivery::Gap { .. }
                    | Delivery::Reset
                    | Delivery::Down { .. }
                    | Delivery::Resumed { .. },
                ) => {}
                None => return Poll::Ready(None),
            }
        }
    }

    /// The ID of the entry that was handed out last: where another tail would go on. `None` if
    /// there was none, or none since the stream was replaced.
    pub fn last_id(&self) -> Option<StreamId> {
        self.queue.last_id()
    }

    /// Why the stream has ended: [`ErrorKind::Closed`](crate::ErrorKind::Closed). `None` while it
    /// has not.
    pub fn error(&self) -> Option<Error> {
        self.queue.error()
    }

    /// The counts, the queue's length and the age of the last successful read.
    pub fn stats(&self) -> TailStats {
        TailStats {
            is_up: self.status.is_up(),
            is_pushed: self.pushing.get(),
            last_read_age: self.status.last_read_age(),
            ..self.queue.stats()
        }
    }
}

impl Stream for Tail {
    type Item = Entry;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Entry>> {
        self.poll_entry(cx)
    }
}

impl Drop for Tail {
    /// Leaves word for the connection's task, which closes it.
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
