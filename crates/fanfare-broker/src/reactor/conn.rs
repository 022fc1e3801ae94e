//! One connection of a reactor.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use fanfare_engine::block::Blocked;
use fanfare_engine::host::Kind;
use fanfare_engine::pubsub::ListId;
use fanfare_engine::push::Cursor;
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
    /// May have history of streams to read.
    pub(super) reads: bool,
    /// Is on the list of those who read history.
    pub(super) queued: bool,
    /// Stays with its reactor.
    pub(super) settled: bool,
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

/// What a connection is subscribed to.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    channels: Lists,
    patterns: Lists,
    shards: Lists,
    /// Most have none.
    streams: Option<Box<Streams>>,
}

/// Lists that a connection is on, or will be.
type Lists = HashSet<ListId, FixedState>;

/// Streams that a connection is pushed.
#[derive(Debug, Default)]
struct Streams {
    /// What is added is handed to it.
    live: Lists,
    /// It reads what is there already, by name.
    reading: BTreeMap<Box<[u8]>, Cursor>,
    /// The one that was read last.
    last_read: Box<[u8]>,
}

impl Subscriptions {
    fn of(&self, kind: Kind) -> Option<&Lists> {
        match kind {
            Kind::Channel => Some(&self.channels),
            Kind::Pattern => Some(&self.patterns),
            Kind::Shard => Some(&self.shards),
            Kind::Stream => self.streams.as_ref().map(|it| &it.live),
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut Lists {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
            Kind::Stream => &mut self.streams.get_or_insert_default().live,
        }
    }

    /// The lists of a kind.
    pub(super) fn lists(&self, kind: Kind) -> impl Iterator<Item = ListId> {
        self.of(kind).into_iter().flatten().copied()
    }

    pub(super) fn contains(&self, kind: Kind, list: ListId) -> bool {
        self.of(kind).is_some_and(|it| it.contains(&list))
    }

    pub(super) fn insert(&mut self, kind: Kind, list: ListId) {
        self.of_mut(kind).insert(list);
    }

    /// Returns whether it was there.
    pub(super) fn remove(&mut self, kind: Kind, list: ListId) -> bool {
        self.of_mut(kind).remove(&list)
    }

    /// Names of streams of which it reads what is there already.
    pub(super) fn reading(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        static NONE: BTreeMap<Box<[u8]>, Cursor> = BTreeMap::new();
        self.streams.as_ref().map_or(&NONE, |it| &it.reading).keys().map(|it| &**it)
    }

    pub(super) fn is_reading(&self, name: &[u8]) -> bool {
        self.streams.as_ref().is_some_and(|it| it.reading.contains_key(name))
    }

    pub(super) fn add_reading(&mut self, name: &[u8], cursor: Cursor) {
        self.streams.get_or_insert_default().reading.insert(name.into(), cursor);
    }

    /// Returns whether it was there.
    pub(super) fn remove_reading(&mut self, name: &[u8]) -> bool {
        self.streams.as_mut().is_some_and(|it| it.reading.remove(name).is_some())
    }

    /// Takes the stream out of which something is to be read next, each in its turn.
    pub(super) fn take_reading(&mut self) -> Option<(Box<[u8]>, Cursor)> {
        let streams = self.streams.as_mut()?;
        let behind = (Bound::Excluded(&streams.last_read), Bound::Unbounded);
        let next = streams.reading.range::<Box<[u8]>, _>(behind).next();
        let name = next.or_else(|| streams.reading.first_key_value()).map(|it| it.0.clone())?;
        let taken = streams.reading.remove_entry(&name);
        streams.last_read = name;
        taken
    }

    fn len(&self, kind: Kind) -> usize {
        let n_reading = if kind == Kind::Stream { self.reading().len() } else { 0 };
        self.of(kind).map_or(0, HashSet::len) + n_reading
    }

    pub(super) fn is_empty(&self) -> bool {
        KINDS.iter().all(|it| self.len(*it) == 0)
    }
}

/// All kinds of subscription.
pub(super) const KINDS: [Kind; 4] = [Kind::Channel, Kind::Pattern, Kind::Shard, Kind::Stream];

impl Conn {
    /// A connection without its socket.
    pub(super) fn new(session: Box<Session>, facts: Arc<Facts>) -> Self {
        Self {
            socket: None,
            outbox: Outbox::default(),
            version: session.client.version,
            session: Some(session),
            subscriptions: None,
            facts,
            waker: None,
            dirty: false,
            blocked: false,
            closing: false,
            parked: false,
            paused: false,
            gated: false,
            resumed: false,
            waiting: None,
            barrier: None,
            reads: false,
            queued: false,
            settled: false,
            over_soft_since_ms: None,
        }
    }

    /// Whether its next request has to wait, although it may hang up meanwhile.
    pub(super) fn is_waiting(&self) -> bool {
        self.paused || self.waiting.is_some()
    }

    pub(super) fn is_subscribed(&self) -> bool {
        self.subscriptions.as_ref().is_some_and(|it| !it.is_empty())
    }

    /// Whether there is history of a stream that it was not pushed so far.
    pub(super) fn is_reading(&self) -> bool {
        self.subscriptions.as_ref().is_some_and(|it| it.reading().len() != 0)
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
        self.subscriptions.as_ref().map_or(0, |it| it.len(kind))
    }
}
