//! One connection of a reactor.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use fanfare_engine::block::Blocked;
use fanfare_engine::host::Kind;
use fanfare_engine::pubsub::ListId;
use fanfare_engine::{Client, Version};
use fanfare_resp::RequestDecoder;
use foldhash::fast::FixedState;

use super::mailbox::Barrier;
use crate::client::{Facts, Outbox};
use crate::net::Socket;

/// A connection and all that belongs to it.
#[derive(Debug)]
pub(super) struct Conn {
    /// `None`: closed; the slot only waits until nothing refers to it.
    pub(super) socket: Option<Socket>,
    pub(super) outbox: Outbox,
    pub(super) version: Version,
    /// Out of place while its commands run.
    pub(super) session: Option<Box<Session>>,
    pub(super) subscriptions: Option<Box<Subscriptions>>,
    pub(super) facts: Arc<Facts>,
    /// Wakes the task that reads.
    pub(super) waker: Option<Waker>,
    /// Is on the list of those to be flushed.
    pub(super) dirty: bool,
    /// The socket is full: nothing is written until it says that it is writable.
    pub(super) blocked: bool,
    /// Close once the outbox is empty.
    pub(super) closing: bool,
    /// Nothing is read and nothing runs until it is resumed.
    pub(super) parked: bool,
    /// Parked by CLIENT PAUSE: what arrives is kept, so that a client that hangs up is noticed.
    pub(super) paused: bool,
    /// Parked until a script is over.
    pub(super) gated: bool,
    /// Requests may be waiting in the session's input: it was parked until a moment ago, or had to be read from first.
    pub(super) resumed: bool,
    /// Nothing is read into commands until this wait is over.
    pub(super) waiting: Option<Arc<Blocked>>,
    /// Nothing is flushed until all reactors have passed it.
    pub(super) barrier: Option<Arc<Barrier>>,
    /// Since when the outbox has been beyond the soft limit, in milliseconds of uptime.
    pub(super) over_soft_since_ms: Option<u64>,
}

/// What a client has sent and who it is.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    /// Only in the middle of a request; otherwise the reactor's serves.
    pub(super) decoder: Option<Box<RequestDecoder>>,
    /// The beginning of a request that is not complete, or requests that wait while parked.
    pub(super) input: Vec<u8>,
}

/// The lists a connection is on, by kind.
#[derive(Debug)]
pub(super) struct Subscriptions([HashSet<ListId, FixedState>; 3]);

impl Default for Subscriptions {
    fn default() -> Self {
        let set = || HashSet::with_hasher(FixedState::with_seed(0));
        Self([set(), set(), set()])
    }
}

impl Subscriptions {
    pub(super) fn of(&self, kind: Kind) -> &HashSet<ListId, FixedState> {
        let [channels, patterns, shards] = &self.0;
        match kind {
            Kind::Channel => channels,
            Kind::Pattern => patterns,
            Kind::Shard => shards,
        }
    }

    pub(super) fn of_mut(&mut self, kind: Kind) -> &mut HashSet<ListId, FixedState> {
        let [channels, patterns, shards] = &mut self.0;
        match kind {
            Kind::Channel => channels,
            Kind::Pattern => patterns,
            Kind::Shard => shards,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(HashSet::is_empty)
    }
}

/// All kinds of subscription.
pub(super) const KINDS: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];

impl Conn {
    /// Whether its next request has to wait, although it may hang up meanwhile.
    pub(super) fn is_waiting(&self) -> bool {
        self.paused || self.waiting.is_some()
    }

    pub(super) fn is_subscribed(&self) -> bool {
        self.subscriptions.as_ref().is_some_and(|it| !it.is_empty())
    }

    /// Whether its output must wait until all reactors know what it changed.
    pub(super) fn holds_back(&self) -> bool {
        self.barrier.as_ref().is_some_and(|it| it.n_missing.load(Ordering::Acquire) != 0)
    }

    /// Copies what others may see of what the socket did not take.
    pub(super) fn note_unsent(&self) {
        let seen = &self.facts.seen;
        seen.output_len.store(self.outbox.n_bytes(), Ordering::Relaxed);
        let n_chunks = u32::try_from(self.outbox.n_chunks()).unwrap_or(u32::MAX);
        seen.output_chunks.store(n_chunks, Ordering::Relaxed);
    }

    /// Number of subscriptions of a kind.
    pub(super) fn n_subscriptions(&self, kind: Kind) -> usize {
        self.subscriptions.as_ref().map_or(0, |it| it.of(kind).len())
    }
}
