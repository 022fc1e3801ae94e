//! The bounded queue of one handler: the messages of a channel one after the other, those of
//! different channels side by side. No I/O, no clock.
//!
//! Where only one message is handled at a time there is one lane for all channels.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use fanfare_client::{Message, Overflow, Queue};
use foldhash::fast::RandomState;

/// See the module. Bounded are the messages that wait; those that are being handled are as many as
/// there are hands.
#[derive(Debug)]
pub(super) struct Lanes {
    bounds: Queue,
    waiting: Waiting,
    n_bytes: usize,
}

/// The messages that wait.
#[derive(Debug)]
enum Waiting {
    /// One after the other, whatever their channels.
    InLine {
        messages: VecDeque<Message>,
        /// Since when one is being handled.
        busy_since: Option<Instant>,
    },
    /// Each channel's in a lane of its own.
    ByChannel(Channels),
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
    /// For a handler of so many messages at a time.
    pub(super) fn new(bounds: Queue, concurrency: usize) -> Self {
        let waiting = match concurrency {
            0 | 1 => Waiting::InLine { messages: VecDeque::new(), busy_since: None },
            _ => Waiting::ByChannel(Channels::default()),
        };
        Self { bounds, waiting, n_bytes: 0 }
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
        self.n_bytes += cost;
        match &mut self.waiting {
            Waiting::InLine { messages, .. } => messages.push_back(message),
            Waiting::ByChannel(channels) => channels.push(message),
        }
        Pushed::Queued { n_dropped }
    }

    /// The oldest message that may be handled now. Until [`done`](Self::done), no other of its
    /// lane may.
    pub(super) fn take(&mut self, now: Instant) -> Option<Message> {
        let message = match &mut self.waiting {
            Waiting::InLine { messages, busy_since } => {
                if busy_since.is_some() {
                    return None;
                }
                let message = messages.pop_front()?;
                *busy_since = Some(now);
                message
            }
            Waiting::ByChannel(channels) => channels.take(now)?,
        };
        self.n_bytes -= cost(&message);
        Some(message)
    }

    /// A message of this channel has been handled.
    pub(super) fn done(&mut self, channel: &Bytes) {
        match &mut self.waiting {
            Waiting::InLine { busy_since, .. } => *busy_since = None,
            Waiting::ByChannel(channels) => channels.done(channel),
        }
    }

    /// Whether something may be handled now.
    pub(super) fn is_ready(&self) -> bool {
        match &self.waiting {
            Waiting::InLine { messages, busy_since } => {
                busy_since.is_none() && !messages.is_empty()
            }
            Waiting::ByChannel(channels) => !channels.ready.is_empty(),
        }
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        match &self.waiting {
            Waiting::InLine { messages, .. } => messages.len(),
            Waiting::ByChannel(channels) => channels.waiting.len(),
        }
    }

    /// How many bytes wait.
    pub(super) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// When the oldest that waits was read from the socket, and since when the one before it in its
    /// lane is being handled, if that is what it waits for.
    pub(super) fn oldest(&self) -> Option<(SystemTime, Option<Instant>)> {
        match &self.waiting {
            Waiting::InLine { messages, busy_since } => {
                messages.front().map(|message| (message.received_at, *busy_since))
            }
            Waiting::ByChannel(channels) => {
                let (_, message) = channels.waiting.first_key_value()?;
                let lane = channels.lanes.get(&message.channel);
                Some((message.received_at, lane.and_then(|lane| lane.busy_since)))
            }
        }
    }

    fn has_room(&self, cost: usize) -> bool {
        let n_messages = self.len();
        n_messages == 0
            || (n_messages < self.bounds.messages_max
                && self.n_bytes.saturating_add(cost) <= self.bounds.bytes_max)
    }

    fn drop_oldest(&mut self) {
        let dropped = match &mut self.waiting {
            Waiting::InLine { messages, .. } => messages.pop_front(),
            Waiting::ByChannel(channels) => channels.drop_oldest(),
        };
        self.n_bytes -= dropped.as_ref().map_or(0, cost);
    }
}

/// Lanes, one for each channel of which something waits or is being handled.
#[derive(Debug, Default)]
struct Channels {
    /// All that waits, in the order in which it came.
    waiting: BTreeMap<u64, Message>,
    /// The first message of each channel of which none is being handled.
    ready: BTreeSet<u64>,
    lanes: HashMap<Bytes, Lane, RandomState>,
    next_number: u64,
}

/// The messages of one channel.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<u64>,
    /// Since when one is being handled.
    busy_since: Option<Instant>,
}

impl Channels {
    fn push(&mut self, message: Message) {
        let number = self.next_number;
        self.next_number += 1;
        let lane = self.lanes.entry(message.channel.clone()).or_default();
        if lane.busy_since.is_none() && lane.waiting.is_empty() {
            self.ready.insert(number);
        }
        lane.waiting.push_back(number);
        self.waiting.insert(number, message);
    }

    fn take(&mut self, now: Instant) -> Option<Message> {
        let number = self.ready.pop_first()?;
        let message = self.waiting.remove(&number)?;
        if let Some(lane) = self.lanes.get_mut(&message.channel) {
            lane.waiting.pop_front();
            lane.busy_since = Some(now);
        }
        Some(message)
    }

    fn done(&mut self, channel: &Bytes) {
        let Some(lane) = self.lanes.get_mut(channel) else { return };
        lane.busy_since = None;
        match lane.waiting.front() {
            Some(first) => {
                self.ready.insert(*first);
            }
            None => {
                self.lanes.remove(channel);
            }
        }
    }

    fn drop_oldest(&mut self) -> Option<Message> {
        let (number, message) = self.waiting.pop_first()?;
        if let Some(lane) = self.lanes.get_mut(&message.channel) {
            // The oldest of all is the oldest of its channel.
            lane.waiting.pop_front();
            let next = lane.waiting.front().copied();
            if self.ready.remove(&number) {
                self.ready.extend(next);
            }
            if next.is_none() && lane.busy_since.is_none() {
                self.lanes.remove(&message.channel);
            }
        }
        Some(message)
    }
}

/// What a message counts in a queue: as in that of a subscription.
fn cost(message: &Message) -> usize {
    128 + message.channel.len() + message.payload.len()
}

#[cfg(test)]
mod tests;
