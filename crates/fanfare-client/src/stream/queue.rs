//! The bounded queue between a tail's connection and its program.
//!
//! Bounded in entries and in bytes. When it is full, nothing is read any more; nothing is ever
//! dropped. Events count as entries, and an outage that nobody saw the end of is prolonged by the
//! next, so they are bounded as well.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::SystemTime,
};

use tokio::sync::Notify;

use crate::{
    Error, ErrorKind, Outage,
    outlet::Outlet,
    stream::{Delivery, StreamId, TailStats},
};

/// How much a queue may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) entries_max: usize,
    pub(crate) bytes_max: usize,
}

impl Bounds {
    pub(crate) fn check(self) -> Result<(), Error> {
        if self.entries_max == 0 || self.bytes_max == 0 {
            let message = "a tail's queue must hold at least 1 entry and 1 byte";
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        Ok(())
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Queue {
    bounds: Bounds,
    /// Told when a producer that was held back may go on, and when the consumer has gone.
    producer: Arc<Notify>,
    // A plain mutex: it is held for a few instructions and never across an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Delivery>,
    n_bytes: usize,
    outlet: Outlet,
    /// Set when the queue is full, until it is half empty: so that a producer does not ask for
    /// every entry alone.
    is_held_back: bool,
    last_id: Option<StreamId>,
    stats: TailStats,
}

impl Queue {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, producer: Arc::default(), state: Mutex::default() }
    }

    /// Told when [`room`](Self::room) is back or the consumer has gone.
    pub(crate) fn producer(&self) -> Arc<Notify> {
        self.producer.clone()
    }

    /// How many entries and bytes may be added; `None`: wait.
    pub(crate) fn room(&self) -> Option<Bounds> {
        let state = self.lock();
        (!state.is_held_back).then(|| Bounds {
            entries_max: self.bounds.entries_max.saturating_sub(state.items.len()),
            bytes_max: self.bounds.bytes_max.saturating_sub(state.n_bytes),
        })
    }

    /// Adds an item, also beyond the bounds: the producer looks at [`room`](Self::room) before it
    /// reads. Wakes nobody: see [`wake`](Self::wake).
    pub(crate) fn push(&self, item: Delivery) {
        let mut state = self.lock();
        if state.outlet.has_ended() {
            return;
        }
        match &item {
            Delivery::Entry(entry) => {
                state.stats.received += 1;
                state.n_bytes += entry.cost();
            }
            Delivery::Gap { upto, .. } => {
                let upto = *upto;
                if let Some(Delivery::Gap { upto: last, .. }) = state.items.back_mut() {
                    *last = upto;
                    return;
                }
                state.stats.gaps += 1;
            }
            Delivery::Reset => state.stats.resets += 1,
            Delivery::Down { .. } | Delivery::Resumed { .. } => {}
        }
        state.items.push_back(item);
        state.is_held_back |=
            self.bounds.entries_max <= state.items.len() || self.bounds.bytes_max <= state.n_bytes;
    }

    /// Marks that the connection was lost. Returns false if nobody has seen yet that the last
    /// outage is over: then it is prolonged.
    pub(crate) fn push_down(&self, error: Error) -> bool {
        let mut state = self.lock();
        let is_new = !matches!(state.items.back(), Some(Delivery::Resumed { .. }));
        if is_new {
            drop(state);
            self.push(Delivery::Down { error });
        } else {
            state.items.pop_back();
        }
        is_new
    }

    /// Marks that the connection is back.
    pub(crate) fn push_resumed(&self, outage: Outage) {
        self.lock().stats.reconnects += 1;
        self.push(Delivery::Resumed { outage });
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
        state.items = VecDeque::new();
        drop(state);
        self.producer.notify_one();
    }

    /// Wakes the consumer if it waits for something that is there.
    pub(crate) fn wake(&self) {
        let waiting = {
            let mut state = self.lock();
            let is_empty = state.items.is_empty();
            state.outlet.take_waiting(is_empty)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// The next item, or `None` at the end.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        let mut state = self.lock();
        let Some(item) = state.items.pop_front() else {
            return state.outlet.poll_empty(cx);
        };
        match &item {
            Delivery::Entry(entry) => {
                state.n_bytes -= entry.cost();
                state.last_id = Some(entry.id);
                state.stats.delivered += 1;
            }
            Delivery::Reset => state.last_id = None,
            Delivery::Gap { .. } | Delivery::Down { .. } | Delivery::Resumed { .. } => {}
        }
        let is_half_empty = state.items.len() <= self.bounds.entries_max / 2
            && state.n_bytes <= self.bounds.bytes_max / 2;
        if state.is_held_back && is_half_empty {
            state.is_held_back = false;
            drop(state);
            self.producer.notify_one();
        }
        Poll::Ready(Some(item))
    }

    /// Why the queue ended, if it has.
    pub(crate) fn error(&self) -> Option<Error> {
        self.lock().outlet.error().cloned()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().outlet.has_ended()
    }

    /// The entry of the present stream that was handed out last.
    pub(crate) fn last_id(&self) -> Option<StreamId> {
        self.lock().last_id
    }

    /// When the oldest entry was read from the socket.
    pub(crate) fn oldest(&self) -> Option<SystemTime> {
        let state = self.lock();
        state.items.iter().find_map(|item| match item {
            Delivery::Entry(entry) => Some(entry.received_at),
            Delivery::Gap { .. }
            | Delivery::Reset
            | Delivery::Down { .. }
            | Delivery::Resumed { .. } => None,
        })
    }

    /// The counts that the queue knows.
    pub(crate) fn stats(&self) -> TailStats {
        let state = self.lock();
        let n_queued = state.stats.received - state.stats.delivered;
        TailStats {
            queued_entries: usize::try_from(n_queued).unwrap_or(usize::MAX),
            queued_bytes: state.n_bytes,
            is_held_back: state.is_held_back,
            ..state.stats.clone()
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of the caller runs under the lock, so a poisoned state is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
