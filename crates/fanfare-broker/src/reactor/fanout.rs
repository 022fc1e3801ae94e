//! From the mailbox to the outboxes: each message is encoded once per wire form that somebody here receives.

use fanfare_engine::Version;
use fanfare_engine::host::Kind;
use fanfare_engine::pubsub::ListId;
use fanfare_resp::Writer;
use smallvec::SmallVec;

use super::mailbox::{Item, Queue};
use super::state::Reactor;
use crate::client::{BufferPool, Outbox, Slice};

/// Messages of one channel that follow each other are encoded as one range up to this size.
const BATCH_BYTES: usize = 64 * 1024;

/// One message in a queue.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) kind: Kind,
    pub(super) channel: &'a [u8],
    pub(super) payload: Payload<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Payload<'a> {
    Small(&'a [u8]),
    Large(&'a std::sync::Arc<[u8]>),
}

/// What subscribers of one wire form get.
pub(super) enum Frames {
    /// One contiguous range.
    Range(Slice),
    /// A payload that is not copied, from `start` on, between its head and its tail.
    Parts { head: Slice, payload: std::sync::Arc<[u8]>, start: usize, tail: Option<Slice> },
}

/// The same for subscribers of both wire forms, as far as there are any.
#[derive(Default)]
pub(super) struct EachFrames {
    resp2: Option<Frames>,
    resp3: Option<Frames>,
}

impl<'a> Message<'a> {
    pub(super) fn at(queue: &'a Queue, index: usize) -> Option<Self> {
        match queue.items.get(index)? {
            Item::Publish { kind, start, channel_len, payload_len } => {
                let (start, channel_len) = (*start, *channel_len as usize);
                Some(Self {
                    kind: *kind,
                    channel: queue.slice(start, channel_len),
                    payload: Payload::Small(
                        queue.slice(start + channel_len, *payload_len as usize),
                    ),
                })
            }
            Item::PublishLarge { kind, start, channel_len, payload } => Some(Self {
                kind: *kind,
                channel: queue.slice(*start, *channel_len as usize),
                payload: Payload::Large(payload),
            }),
            Item::Subscribe { .. }
            | Item::Unsubscribe { .. }
            | Item::Free { .. }
            | Item::Adopt(_)
            | Item::Carry(_)
            | Item::Close { .. }
            | Item::Served { .. }
            | Item::Line { .. }
            | Item::Invalidate(_)
            | Item::Changed(_)
            | Item::Resume
            | Item::Sleep(_)
            | Item::Barrier(_) => None,
        }
    }

    pub(super) fn small(&self) -> Option<&'a [u8]> {
        match self.payload {
            Payload::Small(bytes) => Some(bytes),
            Payload::Large(_) => None,
        }
    }
}

impl EachFrames {
    /// What subscribers of this version get, if it was encoded.
    pub(super) fn of(&self, version: Version) -> Option<&Frames> {
        match version {
            Version::Resp2 => self.resp2.as_ref(),
            Version::Resp3 => self.resp3.as_ref(),
        }
    }

    /// What subscribers of this version get, encoded for the first of them.
    #[inline]
    pub(super) fn get_or_encode(
        &mut self,
        version: Version,
        encode: impl FnOnce() -> Frames,
    ) -> &Frames {
        let frames = match version {
            Version::Resp2 => &mut self.resp2,
            Version::Resp3 => &mut self.resp3,
        };
        frames.get_or_insert_with(encode)
    }
}

impl Frames {
    /// Appends them to what a subscriber is to be sent.
    #[inline]
    pub(super) fn hand_to(&self, outbox: &mut Outbox, pool: &mut BufferPool) {
        match self {
            Self::Range(range) => outbox.push_slice(range, pool),
            Self::Parts { head, payload, start, tail } => {
                outbox.push_slice(head, pool);
                // A short head must not keep the segment of a slow subscriber alive.
                outbox.settle_last(pool);
                outbox.push_payload(std::sync::Arc::clone(payload), *start);
                if let Some(tail) = tail {
                    outbox.push_slice(tail, pool);
                }
            }
        }
    }

    /// How many bytes they are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Range(range) => range.len(),
            Self::Parts { head, payload, start, tail } => {
                let n_payload = payload.len().saturating_sub(*start);
                head.len() + n_payload + tail.as_ref().map_or(0, Slice::len)
            }
        }
    }
}

impl Reactor {
    /// Fans out the message at `from`, and those of the same channel that follow it directly.
    pub(super) fn fan_out(&mut self, queue: &Queue, from: usize) {
        let Some(first) = Message::at(queue, from) else { return };
        if first.kind == Kind::Stream {
            self.push_out(queue, from, first);
            return;
        }
        let mut lists: SmallVec<[(ListId, bool); 8]> = SmallVec::new();
        if let Some(list) = self.index.find(first.kind, first.channel) {
            lists.push((list, false));
        }
        if first.kind == Kind::Channel {
            self.index.for_each_match(first.channel, |list| lists.push((list, true)));
        }
        if let [(list, is_pattern)] = *lists.as_slice() {
            let to = batch_end(queue, from, first, |_| true);
            // Before anybody gets one: none is handed out twice, whatever happens.
            self.inbox.take_in_hand(to);
            self.deliver(queue, from..to, list, is_pattern);
            return;
        }
        // Several lists: message by message, so that a client on two of them gets them in Redis's order.
        for (list, is_pattern) in lists {
            self.deliver(queue, from..from + 1, list, is_pattern);
        }
    }

    fn deliver(
        &mut self,
        queue: &Queue,
        messages: std::ops::Range<usize>,
        list: ListId,
        is_pattern: bool,
    ) {
        let Self { index, conns, press, pool, dirty, overflowing, .. } = self;
        let pattern = is_pattern.then(|| index.name(list));
        let n_messages = messages.len() as u64;
        let mut n_delivered = 0;
        let mut each = EachFrames::default();
        for &slot in index.subscribers(list) {
            let Some(conn) = conns.get_mut(slot as usize).filter(|it| it.socket.is_some()) else {
                continue;
            };
            let version = conn.version;
            let encode = || encode(press, version, pattern, queue, messages.clone());
            let frames = each.get_or_encode(version, encode);
            frames.hand_to(&mut conn.outbox, pool);
            n_delivered += n_messages;
            if !conn.dirty {
                conn.dirty = true;
                dirty.push(slot);
            }
            if self.pubsub_hard_max < conn.outbox.n_bytes() {
                overflowing.push(slot);
            }
        }
        if let Some(stats) = self.shared.stats.get(usize::from(self.id.0)) {
            stats.n_delivered.add(n_delivered);
        }
    }
}

/// Where the run of small messages of one channel ends.
#[inline]
pub(super) fn batch_end(
    queue: &Queue,
    from: usize,
    first: Message<'_>,
    belongs: impl Fn(&[u8]) -> bool,
) -> usize {
    let Some(payload) = first.small() else { return from + 1 };
    let mut n_bytes = payload.len();
    let mut to = from + 1;
    while n_bytes < BATCH_BYTES {
        match Message::at(queue, to) {
            Some(next) if next.kind == first.kind && next.channel == first.channel => {
                match next.small().filter(|it| belongs(it)) {
                    Some(payload) => n_bytes += payload.len() + 64,
                    None => break,
                }
            }
            _ => break,
        }
        to += 1;
    }
    to
}

/// Encodes messages of one channel for one wire form.
fn encode(
    press: &mut crate::client::Press,
    version: Version,
    pattern: Option<&[u8]>,
    queue: &Queue,
    messages: std::ops::Range<usize>,
) -> Frames {
    let mut head: SmallVec<[u8; 256]> = SmallVec::new();
    let mut len_expected = 0;
    for index in messages.clone() {
        let Some(message) = Message::at(queue, index) else { continue };
        if head.is_empty() {
            write_head(&mut head, version, pattern, &message);
        }
        match message.payload {
            Payload::Small(payload) => {
                len_expected += head.len() + fanfare_resp::bulk_len(payload.len())
            }
            Payload::Large(payload) => {
                let head = press.encode(head.len() + 32, |out| {
                    out.extend_from_slice(&head);
                    fanfare_resp::bulk_header(out, payload.len());
                });
                let tail = Some(press.encode(2, |out| out.extend_from_slice(b"\r\n")));
                let payload = std::sync::Arc::clone(payload);
                return Frames::Parts { head, payload, start: 0, tail };
            }
        }
    }
    Frames::Range(press.encode(len_expected, |out| {
        for payload in messages.filter_map(|it| Message::at(queue, it)?.small()) {
            out.extend_from_slice(&head);
            Writer::new(out, version).bulk(payload);
        }
    }))
}

/// Everything of a message's frame in front of the payload.
fn write_head(
    head: &mut SmallVec<[u8; 256]>,
    version: Version,
    pattern: Option<&[u8]>,
    message: &Message<'_>,
) {
    let mut out = Vec::with_capacity(64 + message.channel.len());
    let mut writer = Writer::new(&mut out, version);
    match pattern {
        Some(pattern) => {
            writer.push(4);
            writer.bulk(b"pmessage");
            writer.bulk(pattern);
        }
        None => {
            writer.push(3);
            writer.bulk(if message.kind == Kind::Shard { b"smessage" } else { b"message" });
        }
    }
    writer.bulk(message.channel);
    head.extend_from_slice(&out);
}
