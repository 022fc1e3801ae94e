//! What other threads hand to a reactor.
//!
//! Everything that must keep its order goes through here: messages and the markers that put subscribers on lists and
//! take them off. Posting is an append under a short lock; the owner takes all of it at once. A reactor is woken at
//! most once until it looks. The bound is in bytes; a publisher that finds a mailbox beyond it is not read from until
//! there is room, so nothing is lost and nobody waits for a lock.

use std::sync::{Arc, OnceLock};
use std::task::Waker;

use fanfare_engine::Reply;
use fanfare_engine::block::Blocked;
use fanfare_engine::host::Kind;
use fanfare_engine::pubsub::ListId;
use fanfare_engine::tree::Name;

use super::carry::Carried;
use super::tracking::Invalidation;
use crate::net::Incoming;
use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};

/// Payloads from here on are shared between reactors and outboxes instead of copied.
pub(crate) const SHARED_PAYLOAD_MIN: usize = 16 * 1024;
/// Memory an empty queue keeps.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// One reactor's mailbox.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Mailbox {
    queue: Mutex<Queue>,
    n_bytes: AtomicUsize,
    bytes_max: AtomicUsize,
    /// The owner was woken and has not looked yet.
    awake: AtomicBool,
    /// Somebody stopped reading from a publisher because of us.
    awaited: AtomicBool,
    waker: OnceLock<Waker>,
}

/// Posted items and the bytes they refer to.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) items: Vec<Item>,
    pub(crate) bytes: Vec<u8>,
}

/// A message's payload on its way into mailboxes.
pub(crate) enum Payload<'a> {
    Small(&'a [u8]),
    Large(Arc<[u8]>),
}

/// Something posted.
#[derive(Debug)]
pub(crate) enum Item {
    /// A message: channel, then payload, from `start` in [`Queue::bytes`].
    Publish { kind: Kind, start: usize, channel_len: u32, payload_len: u32 },
    /// A message with a large payload; the channel is in [`Queue::bytes`].
    PublishLarge { kind: Kind, start: usize, channel_len: u32, payload: Arc<[u8]> },
    /// From here on the client is on the list.
    Subscribe { list: ListId, slot: u32 },
    /// From here on it is not.
    Unsubscribe { list: ListId, slot: u32 },
    /// Nothing refers to the slot any more.
    Free { slot: u32 },
    /// A new connection.
    Adopt(Box<Incoming>),
    /// A client that another reactor has served.
    Carry(Box<Carried>),
    /// Close a client (CLIENT KILL).
    Close { client_id: u64 },
    /// A line for a monitor.
    Line { slot: u32, client_id: u64, line: Arc<[u8]> },
    /// The wait of a blocked client is over: what it is told.
    Served { slot: u32, blocked: Arc<Blocked>, reply: Box<Reply> },
    /// A copy that a client may hold is stale.
    Invalidate(Box<Invalidation>),
    /// A key has changed, by this client, and somebody tracks a prefix of it.
    Changed(Box<(Name, Option<u64>)>),
    /// Parked sessions may go on: a mailbox has room, a pause is over.
    Resume,
    /// Stand still (DEBUG SLEEP).
    Sleep(std::time::Duration),
    /// Say that everything posted before is done.
    Barrier(Arc<Barrier>),
}

impl Item {
    /// Whether it may be handled inside a command, which may hold locks.
    pub(crate) fn suits_commands(&self) -> bool {
        matches!(
            self,
            Self::Subscribe { .. } | Self::Unsubscribe { .. } | Self::Adopt(_) | Self::Carry(_)
        )
    }
}

/// Counts reactors that have seen an item; the last one wakes a parked session.
#[derive(Debug)]
pub(crate) struct Barrier {
    pub(crate) n_missing: AtomicUsize,
}

impl Mailbox {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            queue: Mutex::default(),
            n_bytes: AtomicUsize::new(0),
            bytes_max: AtomicUsize::new(bytes_max),
            awake: AtomicBool::new(false),
            awaited: AtomicBool::new(false),
            waker: OnceLock::new(),
        }
    }

    /// Appends a message. Returns whether the mailbox is beyond its bound; the message is in it all the same.
    #[inline]
    pub(crate) fn publish(&self, kind: Kind, channel: &[u8], payload: &Payload<'_>) -> bool {
        let mut queue = self.queue.lock();
        let start = queue.bytes.len();
        // Arguments are limited to 4 GiB less one, so nothing is cut.
        let channel_len = u32::try_from(channel.len()).unwrap_or(u32::MAX);
        queue.bytes.extend_from_slice(channel);
        let cost = match payload {
            Payload::Small(bytes) => {
                queue.bytes.extend_from_slice(bytes);
                let payload_len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                queue.items.push(Item::Publish { kind, start, channel_len, payload_len });
                channel.len() + bytes.len()
            }
            Payload::Large(bytes) => {
                let payload = Arc::clone(bytes);
                queue.items.push(Item::PublishLarge { kind, start, channel_len, payload });
                channel.len() + bytes.len()
            }
        };
        self.count(cost)
    }

    /// Appends a line for a monitor. Returns whether the mailbox is beyond its bound; the line is in it all the same.
    pub(crate) fn show(&self, slot: u32, client_id: u64, line: &Arc<[u8]>) -> bool {
        let mut queue = self.queue.lock();
        queue.items.push(Item::Line { slot, client_id, line: Arc::clone(line) });
        self.count(line.len())
    }

    /// Appends an item that refers to so many bytes. Returns whether the mailbox is beyond its bound; the item is in it
    /// all the same.
    pub(crate) fn post_counted(&self, item: Item, n_bytes: usize) -> bool {
        let mut queue = self.queue.lock();
        queue.items.push(item);
        self.count(n_bytes)
    }

    /// Counts an item that refers to so many bytes, while the queue is locked: so no read-modify-write is needed.
    /// Returns whether the mailbox is beyond its bound.
    #[inline]
    fn count(&self, cost: usize) -> bool {
        let n_bytes = self.n_bytes.load(Ordering::Relaxed) + cost + size_of::<Item>();
        self.n_bytes.store(n_bytes, Ordering::Relaxed);
        self.bytes_max.load(Ordering::Relaxed) < n_bytes
    }

    /// Appends anything else.
    pub(crate) fn post(&self, item: Item) {
        self.queue.lock().items.push(item);
    }

    /// Whether a publisher must wait. After `true` the owner posts `Resume` to all reactors once it has looked.
    pub(crate) fn must_wait(&self) -> bool {
        // Never taken back here: another publisher may rely on it. The owner wakes nobody in vain more than once.
        self.awaited.store(true, Ordering::SeqCst);
        self.bytes_max.load(Ordering::Relaxed) < self.n_bytes.load(Ordering::SeqCst)
    }

    /// Changes the bound.
    pub(crate) fn set_bytes_max(&self, bytes_max: usize) {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// Bytes that wait in it.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes.load(Ordering::Relaxed)
    }

    /// Wakes the owner unless that was done since it looked last.
    #[inline]
    pub(crate) fn wake(&self) {
        if !self.awake.swap(true, Ordering::AcqRel)
            && let Some(waker) = self.waker.get()
        {
            waker.wake_by_ref();
        }
    }

    /// The owner's waker; set once, before anybody posts.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        let _ = self.waker.set(waker.clone());
    }

    /// Takes everything into `queue`, which must be empty. Returns whether somebody waits for room.
    #[inline]
    pub(crate) fn take(&self, queue: &mut Queue) -> bool {
        // Before the lock: what is posted later finds `awake` false and wakes us again.
        self.awake.store(false, Ordering::Release);
        let mut mine = self.queue.lock();
        if mine.items.is_empty() {
            return false;
        }
        std::mem::swap(&mut *mine, queue);
        self.n_bytes.store(0, Ordering::SeqCst);
        drop(mine);
        self.awaited.swap(false, Ordering::SeqCst)
    }
}

impl Item {
    #[inline]
    pub(crate) fn is_message(&self) -> bool {
        matches!(self, Self::Publish { .. } | Self::PublishLarge { .. })
    }
}

impl Queue {
    /// Empties it for reuse.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
        if KEPT_BYTES_MAX < self.bytes.capacity() {
            self.bytes = Vec::new();
        }
        if KEPT_BYTES_MAX < self.items.capacity() * size_of::<Item>() {
            self.items = Vec::new();
        }
    }

    /// The bytes of a message.
    #[inline]
    pub(crate) fn slice(&self, start: usize, len: usize) -> &[u8] {
        self.bytes.get(start..start + len).unwrap_or_default()
    }
}
