//! The bounded queue of one handler: the messages of a channel one after the other, those of
//! different channels side by side. No I/O, no clock.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::SystemTime,
};

use bytes::Bytes;
use fanfare_client::{Message, Overflow, Queue};

/// See the module. Bounded are the messages that wait; those that are being handled are as many as
/// there are hands.
#[derive(Debug)]
pub(super) struct Lanes {
    bounds: Queue,
    /// All that waits, in the order in which it came.
    waiting: BTreeMap<u64, Message>,
    /// The first message of each channel of which none is being handled.
    ready: BTreeSet<u64>,
    channels: HashMap<Bytes, Lane>,
    next_number: u64,
    n_bytes: usize,
}

/// The messages of one channel.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<u64>,
    is_busy: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It waits, and so many others were dropped for it.
    Queued { n_dropped: u64 },
    /// It was dropped.
    Dropped,
    /// It was dropped, and the handler is to end.
    Ended,
}

impl Lanes {
    pub(super) fn new(bounds: Queue) -> Self {
        Self {
            bounds,
            waiting: BTreeMap::new(),
            ready: BTreeSet::new(),
            channels: HashMap::new(),
            next_number: 0,
            n_bytes: 0,
        }
    }

    /// Adds a message, by the queue's policy if there is no room.
    pub(super) fn push(&mut self, message: Message) -> Pushed {
        let cost = cost(&message);
        let mut n_dropped = 0;
        while !self.has_room(cost) {
            match self.bounds.overflow {
                Overflow::DropOldest => {
                    self.drop_oldest();
                    n_dropped += 1;
                }
                // A queue of this kind is refused when the handler is added.
                Overflow::DropNewest | Overflow::Block => return Pushed::Dropped,
                Overflow::Disconnect => return Pushed::Ended,
            }
        }
        let number = self.next_number;
        self.next_number += 1;
        let lane = self.channels.entry(message.channel.clone()).or_default();
        if !lane.is_busy && lane.waiting.is_empty() {
            self.ready.insert(number);
        }
        lane.waiting.push_back(number);
        self.n_bytes += cost;
        self.waiting.insert(number, message);
        Pushed::Queued { n_dropped }
    }

    /// The oldest message that may be handled now. Until [`done`](Self::done), no other of its
    /// channel may.
    pub(super) fn take(&mut self) -> Option<Message> {
        let number = self.ready.pop_first()?;
        let message = self.waiting.remove(&number)?;
        self.n_bytes -= cost(&message);
        if let Some(lane) = self.channels.get_mut(&message.channel) {
            lane.waiting.pop_front();
            lane.is_busy = true;
        }
        Some(message)
    }

    /// A message of this channel has been handled.
    pub(super) fn done(&mut self, channel: &Bytes) {
        let Some(lane) = self.channels.get_mut(channel) else { return };
        lane.is_busy = false;
        match lane.waiting.front() {
            Some(first) => {
                self.ready.insert(*first);
            }
            None => {
                self.channels.remove(channel);
            }
        }
    }

    /// Whether something may be handled now.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many bytes wait.
    pub(super) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// When the oldest that waits was read from the socket.
    pub(super) fn oldest(&self) -> Option<SystemTime> {
        self.waiting.first_key_value().map(|(_, message)| message.received_at)
    }

    fn has_room(&self, cost: usize) -> bool {
        self.waiting.is_empty()
            || (self.waiting.len() < self.bounds.messages_max
                && self.n_bytes.saturating_add(cost) <= self.bounds.bytes_max)
    }

    fn drop_oldest(&mut self) {
        let Some((number, message)) = self.waiting.pop_first() else { return };
        self.n_bytes -= cost(&message);
        let Some(lane) = self.channels.get_mut(&message.channel) else { return };
        // The oldest of all is the oldest of its channel.
        lane.waiting.pop_front();
        let next = lane.waiting.front().copied();
        if self.ready.remove(&number) {
            self.ready.extend(next);
        }
        if next.is_none() && !lane.is_busy {
            self.channels.remove(&message.channel);
        }
    }
}

/// What a message counts in a queue: as in that of a subscription.
fn cost(message: &Message) -> usize {
    128 + message.channel.len() + message.payload.len()
}

#[cfg(test)]
mod tests;
