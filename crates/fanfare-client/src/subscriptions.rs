//! Wanted against confirmed: which channels a connection should be subscribed to, which it is, and
//! what to send next to make the two equal. Pure: no I/O, no clock.
//!
//! A target (channel, pattern or sharded channel) is *wanted* while at least one subscription
//! refers to it. What the server *confirmed* is known per connection and forgotten with it. The
//! difference is repaired in batches until nothing is left. There is never more than one request
//! in flight for a target, so a confirmation always belongs to the last thing asked.

use std::{
    collections::{HashMap, VecDeque, hash_map},
    time::{Duration, Instant},
};

use bytes::Bytes;
use foldhash::fast::RandomState;

/// What a name means to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A channel, by name.
    Channel,
    /// All channels that match a glob pattern.
    Pattern,
    /// A sharded channel, by name.
    Shard,
}

/// One thing to subscribe to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) name: Bytes,
}

/// What a batch asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Subscribe,
    Unsubscribe,
}

/// One command for many targets of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) ask: Ask,
    pub(crate) kind: Kind,
    pub(crate) names: Vec<Bytes>,
}

impl Batch {
    /// The command's name.
    pub(crate) fn verb(&self) -> &'static str {
        match (self.ask, self.kind) {
            (Ask::Subscribe, Kind::Channel) => "SUBSCRIBE",
            (Ask::Subscribe, Kind::Pattern) => "PSUBSCRIBE",
            (Ask::Subscribe, Kind::Shard) => "SSUBSCRIBE",
            (Ask::Unsubscribe, Kind::Channel) => "UNSUBSCRIBE",
            (Ask::Unsubscribe, Kind::Pattern) => "PUNSUBSCRIBE",
            (Ask::Unsubscribe, Kind::Shard) => "SUNSUBSCRIBE",
        }
    }
}

/// Most names in one command, so that no batch delays the heartbeat behind it.
const BATCH_NAMES_MAX: usize = 1000;

/// Most bytes of names in one command.
const BATCH_BYTES_MAX: usize = 64 * 1024;

/// How long a refused target rests before it is asked for again.
const REFUSED_REST: Duration = Duration::from_secs(3);

/// The desired and the confirmed state of one connection.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    entries: HashMap<Target, Entry, RandomState>,
    /// Targets whose entry may differ from what the server knows. Each is listed at most once.
    dirty: VecDeque<Target>,
    /// Parts of refused batches, so that one forbidden channel does not take others with it.
    suspects: VecDeque<Batch>,
    refused: Vec<(Instant, Target)>,
    n_in_flight: usize,
}

#[derive(Debug)]
struct Entry {
    n_wanted: usize,
    server: Server,
    is_dirty: bool,
}

/// What the server is known to think of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Absent,
    Asked(Ask),
    Present,
    Refused,
}

impl Subscriptions {
    /// One more subscription wants `target`. True if the server has confirmed it already.
    pub(crate) fn want(&mut self, target: &Target) -> bool {
        let entry = self.entries.entry(target.clone()).or_insert(Entry {
            n_wanted: 0,
            server: Server::Absent,
            is_dirty: false,
        });
        entry.n_wanted += 1;
        // Whoever asks for a refused channel wants an answer of today, not of last time.
        if entry.server == Server::Refused {
            entry.server = Server::Absent;
            self.refused.retain(|(_, refused)| refused != target);
        }
        let present = entry.server == Server::Present;
        self.touch(target);
        present
    }

    /// One subscription less wants `target`.
    pub(crate) fn unwant(&mut self, target: &Target) {
        if let Some(entry) = self.entries.get_mut(target) {
            entry.n_wanted = entry.n_wanted.saturating_sub(1);
            self.touch(target);
        }
    }

    /// The connection is gone, and with it all that the server had confirmed.
    pub(crate) fn handle_disconnected(&mut self) {
        self.dirty.clear();
        self.suspects.clear();
        self.refused.clear();
        self.n_in_flight = 0;
        self.entries.retain(|_, entry| 0 < entry.n_wanted);
        for (target, entry) in &mut self.entries {
            entry.server = Server::Absent;
            entry.is_dirty = true;
            self.dirty.push_back(target.clone());
        }
    }

    /// The server says that the connection is (or no longer is) subscribed to `target`.
    pub(crate) fn handle_confirmed(&mut self, ask: Ask, target: &Target) {
        let Some(entry) = self.entries.get_mut(target) else { return };
        match entry.server {
            Server::Asked(asked) if asked == ask => self.n_in_flight -= 1,
            // Not asked for: the server moved the channel away. `touch` asks for it again.
            Server::Absent | Server::Present | Server::Refused => {}
            // An unasked-for notice while a request is in flight: its answer is still to come.
            Server::Asked(_) => return,
        }
        entry.server = match ask {
            Ask::Subscribe => Server::Present,
            Ask::Unsubscribe => Server::Absent,
        };
        self.touch(target);
    }

    /// The server refused a whole batch. A larger one is cut in two and tried again; the one target
    /// of a smallest one is returned, and rests.
    pub(crate) fn handle_refused(&mut self, now: Instant, mut batch: Batch) -> Option<Target> {
        self.n_in_flight = self.n_in_flight.saturating_sub(batch.names.len());
        if 1 < batch.names.len() {
            let names = batch.names.split_off(batch.names.len() / 2);
            let second = Batch { names, ..batch };
            for half in [batch, second] {
                for name in &half.names {
                    self.set_server(half.kind, name, Server::Absent);
                }
                self.suspects.push_back(half);
            }
            return None;
        }
        let target = Target { kind: batch.kind, name: batch.names.pop()? };
        self.set_server(target.kind, &target.name, Server::Refused);
        if self.entries.get(&target).is_some_and(|entry| entry.n_wanted == 0) {
            self.entries.remove(&target);
            return None;
        }
        self.refused.push((now + REFUSED_REST, target.clone()));
        Some(target)
    }

    /// Asks again for what was refused long enough ago.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let due: Vec<Target> =
            self.refused.extract_if(.., |(at, _)| *at <= now).map(|(_, target)| target).collect();
        for target in due {
            self.set_server(target.kind, &target.name, Server::Absent);
            self.touch(&target);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.refused.iter().map(|(at, _)| *at).min()
    }

    /// The next command to send, if anything differs. What it names counts as asked for.
    pub(crate) fn poll_batch(&mut self) -> Option<Batch> {
        while let Some(mut batch) = self.suspects.pop_front() {
            // What nobody wants any more, or was asked for anew, needs no second try here.
            batch.names.retain(|name| {
                let target = Target { kind: batch.kind, name: name.clone() };
                self.entries.get(&target).is_some_and(|entry| entry.next_ask() == Some(batch.ask))
            });
            if !batch.names.is_empty() {
                for name in &batch.names {
                    self.set_server(batch.kind, name, Server::Asked(batch.ask));
                }
                self.n_in_flight += batch.names.len();
                return Some(batch);
            }
        }
        self.poll_dirty()
    }

    fn poll_dirty(&mut self) -> Option<Batch> {
        let mut batch: Option<Batch> = None;
        let mut n_bytes = 0;
        while let Some(target) = self.dirty.front() {
            let Some(entry) = self.entries.get_mut(target) else {
                self.dirty.pop_front();
                continue;
            };
            let Some(ask) = entry.next_ask() else {
                entry.is_dirty = false;
                if entry.n_wanted == 0 && entry.server == Server::Absent {
                    self.entries.remove(target);
                }
                self.dirty.pop_front();
                continue;
            };
            let batch = batch.get_or_insert(Batch { ask, kind: target.kind, names: Vec::new() });
            n_bytes += target.name.len();
            let fits = batch.names.len() < BATCH_NAMES_MAX
                && (batch.names.is_empty() || n_bytes <= BATCH_BYTES_MAX);
            if (batch.ask, batch.kind) != (ask, target.kind) || !fits {
                break;
            }
            entry.is_dirty = false;
            entry.server = Server::Asked(ask);
            self.n_in_flight += 1;
            batch.names.push(target.name.clone());
            self.dirty.pop_front();
        }
        batch
    }

    /// Whether everything wanted is confirmed (or refused and resting) and nothing else is.
    pub(crate) fn is_settled(&self) -> bool {
        self.dirty.is_empty() && self.suspects.is_empty() && self.n_in_flight == 0
    }

    /// Whether the server has confirmed `target` on this connection.
    pub(crate) fn is_confirmed(&self, target: &Target) -> bool {
        self.entries.get(target).is_some_and(|entry| entry.server == Server::Present)
    }

    fn set_server(&mut self, kind: Kind, name: &Bytes, server: Server) {
        if let Some(entry) = self.entries.get_mut(&Target { kind, name: name.clone() }) {
            entry.server = server;
        }
    }

    /// Lists `target` as dirty if there is something to do and it is not listed yet.
    fn touch(&mut self, target: &Target) {
        let hash_map::Entry::Occupied(mut occupied) = self.entries.entry(target.clone()) else {
            return;
        };
        let entry = occupied.get_mut();
        if entry.n_wanted == 0 && matches!(entry.server, Server::Absent | Server::Refused) {
            if entry.server == Server::Refused {
                self.refused.retain(|(_, refused)| refused != target);
            }
            occupied.remove();
        } else if entry.next_ask().is_some() && !entry.is_dirty {
            entry.is_dirty = true;
            self.dirty.push_back(target.clone());
        }
    }
}

impl Entry {
    /// What would bring the server closer to what is wanted, unless an answer is awaited.
    fn next_ask(&self) -> Option<Ask> {
        match (self.server, self.n_wanted) {
            (Server::Absent, 1..) => Some(Ask::Subscribe),
            (Server::Present, 0) => Some(Ask::Unsubscribe),
            (Server::Absent | Server::Refused, 0)
            | (Server::Present | Server::Refused, 1..)
            | (Server::Asked(_), _) => None,
        }
    }
}

#[cfg(test)]
mod tests;
