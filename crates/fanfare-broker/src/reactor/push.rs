//! Streams on their way to those who subscribed to them.
//!
//! What is added comes through the mailbox, like messages, and is encoded once for all. Who can not keep up with that is
//! taken off the list and reads on from there, as those do who asked for what was there before: a bounded chunk at a
//! time, when the socket has sent most of what waits.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fanfare_engine::Version;
use fanfare_engine::exec::{self, Closed};
use fanfare_engine::host::Kind;
use fanfare_engine::pubsub::{ListId, ReactorSet};
use fanfare_engine::push::{self, Cursor, ENTRY_AT};
use fanfare_resp::Writer;
use smallvec::SmallVec;

use super::fanout::{EachFrames, Frames, Message, Payload, batch_end};
use super::host::Turn;
use super::mailbox::Queue;
use super::state::Reactor;
use crate::client::Press;

/// History that is read at once, in bytes: a key is locked for that long.
const CHUNK_BYTES: usize = 64 * 1024;
/// More history is read when less than this waits to be sent.
const LOW_BYTES: usize = 128 * 1024;
/// Chunks that are read in one turn, whoever they are for: a millisecond or so.
const CHUNKS_PER_TURN: usize = 16;

/// How reading history went on.
enum Reading {
    /// There is more of it.
    On,
    /// The client reads nothing any more.
    Over,
    /// A script holds everything.
    Closed,
}

/// What was added.
impl Reactor {
    /// Hands out what was published of a stream at `from`, and the entries that follow it directly.
    pub(super) fn push_out(&mut self, queue: &Queue, from: usize, first: Message<'_>) {
        let Some(list) = self.index.find(Kind::Stream, first.channel) else { return };
        if let push::Message::Restart = message(first.payload) {
            self.restart(list, first.channel);
            return;
        }
        let to = batch_end(queue, from, first, |payload| !payload.is_empty());
        // Before anybody gets one: none is handed out twice, whatever happens.
        self.inbox.take_in_hand(to);
        self.deliver_entries(queue, from..to, (list, first));
    }

    fn deliver_entries(
        &mut self,
        queue: &Queue,
        messages: std::ops::Range<usize>,
        (list, first): (ListId, Message<'_>),
    ) {
        let Self { index, conns, press, pool, dirty, push_bytes_max, .. } = self;
        let mut late: SmallVec<[u32; 8]> = SmallVec::new();
        let mut each = EachFrames::default();
        for &slot in index.subscribers(list) {
            let Some(conn) = conns.get_mut(slot as usize).filter(|it| it.socket.is_some()) else {
                continue;
            };
            let version = conn.version;
            let encode = || encode_entries(press, version, queue, messages.clone());
            let frames = each.get_or_encode(version, encode);
            if *push_bytes_max < conn.outbox.n_bytes() + frames.len() {
                late.push(slot);
                continue;
            }
            frames.hand_to(&mut conn.outbox, pool);
            if !conn.dirty {
                conn.dirty = true;
                dirty.push(slot);
            }
        }
        for slot in late {
            self.deliver_late(slot, &each, (list, first));
        }
    }

    /// Hands entries to a subscriber for whom much waits: the socket may take that, or else they are read from history.
    fn deliver_late(&mut self, slot: u32, each: &EachFrames, (list, first): (ListId, Message<'_>)) {
        if self.may_flush && self.conn(slot).is_some_and(|it| !it.blocked) {
            self.flush(slot);
        }
        let push_bytes_max = self.push_bytes_max;
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        let frames = each.of(conn.version).filter(|_| conn.socket.is_some());
        let Some(frames) = frames else { return };
        if conn.outbox.n_bytes() + frames.len() <= push_bytes_max {
            frames.hand_to(&mut conn.outbox, &mut self.pool);
            self.mark_dirty(slot);
        } else if let push::Message::Entry(before) = message(first.payload)
            && self.fall_back(slot, (list, first.channel), before)
            && let Some(stats) = self.stats()
        {
            stats.n_fallbacks.add(1);
        }
    }

    /// A stream begins again: those whom it was pushed to are told, and read it from its first entry.
    fn restart(&mut self, list: ListId, name: &[u8]) {
        let key = push::split(name).map(|it| it.1).unwrap_or_default();
        for slot in self.index.subscribers(list).to_vec() {
            let Self { conns, pool, .. } = self;
            let Some(conn) = conns.get_mut(slot as usize).filter(|it| it.socket.is_some()) else {
                continue;
            };
            conn.outbox.reply(conn.version, pool, |out| push::write_restart(key, out));
            self.mark_dirty(slot);
            self.fall_back(slot, (list, name), Cursor::default());
        }
    }

    /// Takes a subscriber off a list that it is on; it reads what is behind `cursor`. Returns `false` if it was
    /// unsubscribed before.
    fn fall_back(&mut self, slot: u32, (list, name): (ListId, &[u8]), cursor: Cursor) -> bool {
        let Some(conn) = self.conns.get_mut(slot as usize) else { return false };
        let Some(subscriptions) = &mut conn.subscriptions else { return false };
        if !subscriptions.remove(Kind::Stream, list) {
            return false;
        }
        subscriptions.add_reading(name, cursor);
        conn.reads = true;
        self.shared.n_reading.fetch_add(1, Ordering::Relaxed);
        // No marker is needed: what comes behind this message is not for it.
        self.index.remove(list, slot);
        self.shared.registry.unsubscribe(Kind::Stream, name, self.id, || ());
        self.shared.keyspace.pushed().leave();
        self.queue_reader(slot);
        true
    }
}

/// What was there before.
impl Reactor {
    /// A client is pushed a stream from a cursor on. Returns whether it was not subscribed before.
    pub(super) fn read_from(&mut self, slot: u32, name: &[u8], cursor: Cursor) -> bool {
        let list = self.index.find(Kind::Stream, name);
        let Some(conn) = self.conns.get_mut(slot as usize) else { return false };
        let subscriptions = conn.subscriptions.get_or_insert_default();
        let is_live = list.is_some_and(|it| subscriptions.contains(Kind::Stream, it));
        if is_live || subscriptions.is_reading(name) {
            return false;
        }
        subscriptions.add_reading(name, cursor);
        conn.reads = true;
        self.shared.n_reading.fetch_add(1, Ordering::Relaxed);
        self.queue_reader(slot);
        true
    }

    /// Sees to it that a client is pushed more history, if there is any for it and it has room for that.
    #[inline]
    pub(super) fn queue_reader(&mut self, slot: u32) {
        let low_bytes = self.low_bytes();
        if let Some(conn) = self.conns.get_mut(slot as usize)
            && !conn.queued
            && conn.is_reading()
            && conn.outbox.n_bytes() < low_bytes
        {
            conn.queued = true;
            self.readers.push_back(slot);
            self.schedule_turn();
        }
    }

    fn low_bytes(&self) -> usize {
        LOW_BYTES.min(self.push_bytes_max / 4)
    }

    /// Reads some of the history that clients have room for, each in its turn.
    pub(super) fn read_histories(&mut self) {
        if self.readers.is_empty() || self.is_stopping {
            return;
        }
        self.refresh();
        let n_readers = self.readers.len();
        let n_each = (CHUNKS_PER_TURN / n_readers).max(1);
        let mut put_off = Vec::new();
        for _ in 0..n_readers.min(CHUNKS_PER_TURN) {
            let Some(slot) = self.readers.pop_front() else { break };
            if let Some(conn) = self.conns.get_mut(slot as usize) {
                conn.queued = false;
            }
            match self.read_history(slot, n_each) {
                Reading::On => self.queue_reader(slot),
                Reading::Over => {}
                Reading::Closed => put_off.push(slot),
            }
        }
        if !self.readers.is_empty() {
            self.schedule_turn();
        }
        for slot in put_off {
            // Whoever opens the gate ends a turn here, and so does the next tick.
            if let Some(conn) = self.conns.get_mut(slot as usize) {
                conn.queued = true;
                self.readers.push_back(slot);
            }
        }
    }

    /// Reads up to so many chunks for a client, as long as it has room for them.
    fn read_history(&mut self, slot: u32, n_chunks_max: usize) -> Reading {
        for _ in 0..n_chunks_max {
            let low_bytes = self.low_bytes();
            if self.conn(slot).is_some_and(|it| low_bytes <= it.outbox.n_bytes() && !it.blocked) {
                self.flush(slot);
            }
            match self.conn(slot) {
                Some(conn) if conn.is_reading() && !conn.closing => {
                    if low_bytes <= conn.outbox.n_bytes() {
                        // The rest when that is sent.
                        return Reading::On;
                    }
                }
                Some(conn) => {
                    conn.reads = false;
                    return Reading::Over;
                }
                None => return Reading::Over,
            }
            if let Err(Closed) = self.read_chunk(slot) {
                return Reading::Closed;
            }
        }
        Reading::On
    }

    /// Reads a chunk for a client that reads.
    fn read_chunk(&mut self, slot: u32) -> Result<(), Closed> {
        let shared = Rc::clone(&self.shared);
        let n_bytes_max = CHUNK_BYTES.min(self.push_bytes_max / 8);
        let subscriptions = self.conn(slot).and_then(|it| it.subscriptions.as_mut());
        let Some((name, mut cursor)) = subscriptions.and_then(|it| it.take_reading()) else {
            return Ok(());
        };
        let now = self.now;
        let mut turn = Turn::new(self, &shared, slot);
        let (keyspace, table) = (&shared.keyspace, &shared.table);
        let place = (&*name, &mut cursor);
        let read = exec::read_on(now, (keyspace, table), &mut turn, place, n_bytes_max);
        drop(turn);
        // Nobody's command did it: nobody has to wait.
        if std::mem::take(&mut self.wants).own {
            self.tell_own();
        }
        self.full = ReactorSet::default();
        let Self { conns, pool, .. } = self;
        let Some(conn) = conns.get_mut(slot as usize) else { return Ok(()) };
        let is_live = read.as_ref().is_ok_and(push::Chunk::is_end);
        if is_live {
            shared.n_reading.fetch_sub(1, Ordering::Relaxed);
        } else if let Some(subscriptions) = &mut conn.subscriptions {
            subscriptions.add_reading(&name, cursor);
        }
        let chunk = read?;
        let key = push::split(&name).map(|it| it.1).unwrap_or_default();
        conn.outbox.reply(conn.version, pool, |out| chunk.write(key, out));
        self.mark_dirty(slot);
        Ok(())
    }
}

fn message(payload: Payload<'_>) -> push::Message {
    push::Message::parse(match payload {
        Payload::Small(bytes) => bytes,
        Payload::Large(bytes) => bytes,
    })
}

/// Encodes entries of one stream for one wire form.
fn encode_entries(
    press: &mut Press,
    version: Version,
    queue: &Queue,
    messages: std::ops::Range<usize>,
) -> Frames {
    let mut head = Vec::new();
    let mut len_expected = 0;
    for message in messages.clone().filter_map(|it| Message::at(queue, it)) {
        if head.is_empty() {
            let key = push::split(message.channel).map(|it| it.1).unwrap_or_default();
            push::write_head(key, &mut Writer::new(&mut head, version));
        }
        match message.payload {
            Payload::Small(payload) => len_expected += head.len() + payload.len(),
            Payload::Large(payload) => {
                let head = press.encode(head.len(), |out| out.extend_from_slice(&head));
                let payload = Arc::clone(payload);
                return Frames::Parts { head, payload, start: ENTRY_AT, tail: None };
            }
        }
    }
    Frames::Range(press.encode(len_expected, |out| {
        for payload in messages.filter_map(|it| Message::at(queue, it)?.small()) {
            out.extend_from_slice(&head);
            out.extend_from_slice(payload.get(ENTRY_AT..).unwrap_or_default());
        }
    }))
}
