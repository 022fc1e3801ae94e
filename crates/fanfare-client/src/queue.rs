//! The bounded queue between a connection and one subscription.
//!
//! Bounded in messages and in bytes. What happens when it is full is the queue's policy, and every
//! message that does not get through is counted and leaves a [`Gap`] in its place. Two gaps are
//! never neighbours, so gaps are bounded by messages.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::SystemTime,
};

use tokio::sync::Notify;

use crate::{
    Delivery, Error, ErrorKind, Gap, Message, Overflow, Queue as Bounds, SubscriptionStats,
    outlet::Outlet,
};

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Pushed {
    /// It is queued.
    Queued,
    /// It is queued and the oldest was dropped, or it was dropped itself.
    Dropped,
    /// The queue blocks: hand it over again when [`Notify`] says that there is room.
    Full(Message),
    /// The queue has ended; nothing will be taken any more.
    Ended,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Queue {
    bounds: Bounds,
    /// Told when a blocked producer may go on, and when the consumer has gone.
    producer: Arc<Notify>,
    // A plain mutex: it is held for a few instructions and never across an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Delivery>,
    n_messages: usize,
    n_bytes: usize,
    outlet: Outlet,
    is_producer_waiting: bool,
    received: u64,
    delivered: u64,
    dropped: u64,
    gaps: u64,
    reconnects: u64,
}

impl Queue {
    pub(crate) fn new(bounds: Bounds, producer: Arc<Notify>) -> Self {
        Self { bounds, producer, state: Mutex::default() }
    }

    /// Adds a message. Wakes nobody: see [`wake`](Self::wake).
    pub(crate) fn push(&self, message: Message) -> Pushed {
        let mut state = self.lock();
        if state.outlet.has_ended() {
            return Pushed::Ended;
        }
        let cost = message.cost();
        let mut pushed = Pushed::Queued;
        while !state.has_room(&self.bounds, cost) {
            match self.bounds.overflow {
                Overflow::Block => {
                    state.is_producer_waiting = true;
                    return Pushed::Full(message);
                }
                Overflow::DropNewest => {
                    state.received += 1;
                    state.dropped += 1;
                    state.push_gap(Gap::dropped(1));
                    return Pushed::Dropped;
                }
                Overflow::DropOldest => {
                    state.drop_oldest();
                    pushed = Pushed::Dropped;
                }
                Overflow::Disconnect => {
                    state.received += 1;
                    state.dropped += 1;
                    state.push_gap(Gap::dropped(1));
                    state.outlet.end(self.slow_consumer());
                    return Pushed::Ended;
                }
            }
        }
        state.add(message);
        pushed
    }

    /// Adds a message that blocked, beyond the bound by this one, because its connection is gone.
    pub(crate) fn push_over(&self, message: Message) {
        let mut state = self.lock();
        state.is_producer_waiting = false;
        if !state.outlet.has_ended() {
            state.add(message);
        }
    }

    /// Marks that the connection was lost and is back.
    pub(crate) fn push_outage(&self, gap: Gap) {
        let mut state = self.lock();
        if !state.outlet.has_ended() {
            state.reconnects += 1;
            state.push_gap(gap);
        }
    }

    /// Ends the queue: what is in it can still be taken, then comes the end. The first end counts.
    pub(crate) fn end(&self, error: Error) {
        self.lock().outlet.end(error);
        self.wake();
    }

    /// The consumer goes away: nothing is kept and the producer is told.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.outlet.end(Error::closed());
        state.entries = VecDeque::new();
        state.n_messages = 0;
        state.n_bytes = 0;
        drop(state);
        self.producer.notify_one();
    }

    /// Wakes the consumer if it waits for something that is there.
    pub(crate) fn wake(&self) {
        let waiting = {
            let mut state = self.lock();
            let is_empty = state.entries.is_empty();
            state.outlet.take_waiting(is_empty)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// The next entry, or `None` at the end.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        let mut state = self.lock();
        let Some(entry) = state.pop() else {
            return state.outlet.poll_empty(cx);
        };
        if state.is_producer_waiting && state.is_half_empty(&self.bounds) {
            state.is_producer_waiting = false;
            drop(state);
            self.producer.notify_one();
        }
        Poll::Ready(Some(entry))
    }

    /// Up to `n_max` entries at once, at least one unless this is the end. Returns how many.
    pub(crate) fn poll_many(
        &self,
        cx: &mut Context<'_>,
        into: &mut Vec<Delivery>,
        n_max: usize,
    ) -> Poll<usize> {
        let mut state = self.lock();
        if state.entries.is_empty() {
            return state.outlet.poll_empty::<Delivery>(cx).map(|_| 0);
        }
        let before = into.len();
        into.extend(std::iter::from_fn(|| state.pop()).take(n_max));
        if state.is_producer_waiting && state.is_half_empty(&self.bounds) {
            state.is_producer_waiting = false;
            drop(state);
            self.producer.notify_one();
        }
        Poll::Ready(into.len() - before)
    }

    /// Why the queue ended, if it has.
    pub(crate) fn error(&self) -> Option<Error> {
        self.lock().outlet.error().cloned()
    }

    /// Whether a blocked producer has to wait.
    pub(crate) fn is_full(&self) -> bool {
        let state = self.lock();
        state.is_producer_waiting && !state.outlet.has_ended()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().outlet.has_ended()
    }

    pub(crate) fn n_dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// When the oldest message was read from the socket.
    pub(crate) fn oldest(&self) -> Option<SystemTime> {
        let state = self.lock();
        state.entries.iter().find_map(|entry| match entry {
            Delivery::Message(message) => Some(message.received_at),
            Delivery::Gap(_) => None,
        })
    }

    /// The counts that the queue knows.
    pub(crate) fn stats(&self) -> SubscriptionStats {
        let state = self.lock();
        SubscriptionStats {
            received: state.received,
            delivered: state.delivered,
            dropped: state.dropped,
            gaps: state.gaps,
            reconnects: state.reconnects,
            queued_messages: state.n_messages,
            queued_bytes: state.n_bytes,
            is_held_back: state.is_producer_waiting,
            ..SubscriptionStats::default()
        }
    }

    fn slow_consumer(&self) -> Error {
        Error::new(
            ErrorKind::SlowConsumer,
            format!(
                "the subscription's queue is full ({} messages or {} bytes) and its policy is to \
                 disconnect: read faster, raise the bound or choose another policy",
                self.bounds.messages_max, self.bounds.bytes_max
            ),
        )
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of the caller runs under the lock, so a poisoned state is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self, bounds: &Bounds, cost: usize) -> bool {
        self.n_messages == 0
            || (self.n_messages < bounds.messages_max
                && self.n_bytes.saturating_add(cost) <= bounds.bytes_max)
    }

    /// A blocked producer goes on at half, so that it is not woken for every single message.
    fn is_half_empty(&self, bounds: &Bounds) -> bool {
        self.n_messages <= bounds.messages_max / 2 && self.n_bytes <= bounds.bytes_max / 2
    }

    fn add(&mut self, message: Message) {
        self.received += 1;
        self.n_messages += 1;
        self.n_bytes += message.cost();
        self.entries.push_back(Delivery::Message(message));
    }

    fn pop(&mut self) -> Option<Delivery> {
        let entry = self.entries.pop_front()?;
        if let Delivery::Message(message) = &entry {
            self.n_messages -= 1;
            self.n_bytes -= message.cost();
            self.delivered += 1;
        }
        Some(entry)
    }

    fn push_gap(&mut self, gap: Gap) {
        match self.entries.back_mut() {
            Some(Delivery::Gap(last)) => last.merge(gap),
            Some(Delivery::Message(_)) | None => {
                self.gaps += 1;
                self.entries.push_back(Delivery::Gap(gap));
            }
        }
    }

    /// Replaces the oldest message by a gap, merged with the gaps around it.
    fn drop_oldest(&mut self) {
        let mut gap = Gap::default();
        let mut n_gaps: u64 = 0;
        while let Some(entry) = self.entries.pop_front() {
            match entry {
                Delivery::Gap(earlier) => {
                    n_gaps += 1;
                    gap.merge(earlier);
                }
                Delivery::Message(message) => {
                    self.n_messages -= 1;
                    self.n_bytes -= message.cost();
                    self.dropped += 1;
                    gap.merge(Gap::dropped(1));
                    break;
                }
            }
        }
        if let Some(Delivery::Gap(_)) = self.entries.front()
            && let Some(Delivery::Gap(later)) = self.entries.pop_front()
        {
            n_gaps += 1;
            gap.merge(later);
        }
        self.gaps = (self.gaps + 1).saturating_sub(n_gaps);
        self.entries.push_front(Delivery::Gap(gap));
    }
}

#[cfg(test)]
mod tests;
