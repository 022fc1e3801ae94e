//! Streams that are pushed to those who subscribed to them: what is there already, then what is added.
//!
//! A subscription is *live* or *reading*. A live one is counted in the [registry](crate::pubsub::Registry) under the
//! stream's name, and gets what is published there while the stripe of the key is locked: entries, and that the stream
//! begins again. A reading one has a [`Cursor`] and takes what is behind it in chunks, each under a short lock
//! ([`exec::read_on`](crate::exec::read_on)). It becomes live under such a lock, when nothing is behind the cursor: what
//! was added before has been read, and what is added later is published to it. A live one that can not keep up becomes
//! reading again, from the entry that it was not handed.

use fanfare_resp::Writer;

use crate::Host;
use crate::host::Kind;
use crate::value::Stream;
use crate::value::stream::{Order, Shown, Slice, StreamId};

/// Bytes of a message in front of an entry's wire form.
pub const ENTRY_AT: usize = 24;

/// How far a subscriber has come in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// What is behind this ID is still to be pushed.
    after: StreamId,
    /// The subscriber knows that entries up to this ID may be missing.
    told: StreamId,
    /// Which stream it is; `None`: whichever is there.
    identity: Option<u64>,
}

/// A part of a stream's history, and what the subscriber is told before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chunk {
    /// What was there before is no longer what is there.
    is_restart: bool,
    /// Entries behind the first ID and up to the second were cut off.
    gap: Option<(StreamId, StreamId)>,
    entries: Slice,
    /// There is nothing behind it: the subscription is live.
    is_end: bool,
}

/// What is published of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// An entry; its wire form begins at [`ENTRY_AT`]. Who is not handed it reads on from there.
    Entry(Cursor),
    /// The stream was deleted or replaced.
    Restart,
}

/// What a stream is called among all that can be subscribed to.
#[must_use]
pub fn name_of(db: u16, key: &[u8]) -> Vec<u8> {
    [&db.to_be_bytes(), key].concat()
}

/// The database and the key of a stream.
#[must_use]
pub fn split(name: &[u8]) -> Option<(u16, &[u8])> {
    let (db, key) = name.split_first_chunk()?;
    Some((u16::from_be_bytes(*db), key))
}

/// Publishes an entry that was added to a stream, whose stripe is locked. Who is not handed it stands at `before`.
pub(crate) fn announce_entry<'f>(
    host: &mut dyn Host,
    (db, key): (u16, &[u8]),
    before: Cursor,
    (id, fields): (StreamId, impl ExactSizeIterator<Item = (&'f [u8], &'f [u8])> + Clone),
) {
    let n_bytes: usize = fields.clone().map(|it| it.0.len() + it.1.len() + 24).sum();
    let mut message = Vec::with_capacity(ENTRY_AT + 64 + n_bytes);
    for number in [before.identity.unwrap_or_default(), before.after.ms, before.after.seq] {
        message.extend_from_slice(&number.to_be_bytes());
    }
    // It looks the same in both versions.
    let mut out = Writer::new(&mut message, fanfare_resp::Version::default());
    out.array(2);
    out.bulk(&id.spelled());
    out.array(2 * fields.len());
    for (name, value) in fields {
        out.bulk(name);
        out.bulk(value);
    }
    host.publish(Kind::Stream, &name_of(db, key), &message);
}

/// Publishes that a stream went from a key, or came to it. Its stripe is locked.
pub(crate) fn announce_restart(host: &mut dyn Host, db: u16, key: &[u8]) {
    host.publish(Kind::Stream, &name_of(db, key), &[]);
}

impl Message {
    /// What was published.
    #[must_use]
    pub fn parse(message: &[u8]) -> Self {
        let number = |at: usize| {
            let bytes = message.get(at..).and_then(|it| it.first_chunk());
            bytes.copied().map(u64::from_be_bytes)
        };
        match (number(0), number(8), number(16)) {
            (Some(identity), Some(ms), Some(seq)) => Self::Entry(Cursor {
                after: StreamId { ms, seq },
                told: StreamId::MIN,
                identity: Some(identity),
            }),
            _ => Self::Restart,
        }
    }
}

impl Cursor {
    /// What is behind an ID of whichever stream is there.
    #[must_use]
    pub fn after(after: StreamId) -> Self {
        Self { after, ..Self::default() }
    }

    /// What is behind an ID of `stream`.
    pub(crate) fn within(stream: &Stream, after: StreamId) -> Self {
        Self { after, told: StreamId::MIN, identity: Some(stream.identity()) }
    }

    /// Takes entries of so many bytes, one at least if there is any, of the stream that is there now.
    pub(crate) fn read(&mut self, stream: Option<&Stream>, n_bytes_max: usize) -> Chunk {
        let Some(stream) = stream else {
            let is_restart = *self != Self::default();
            *self = Self::default();
            return Chunk { is_restart, is_end: true, ..Chunk::default() };
        };
        let last_id = stream.marks().last_id;
        let is_restart = match self.identity {
            Some(identity) => identity != stream.identity(),
            // An ID that was never given to an entry of this one.
            None => last_id < self.after,
        };
        if is_restart {
            *self = Self::default();
        }
        self.identity = Some(stream.identity());
        let (known, trimmed) = (self.after.max(self.told), stream.trimmed_id());
        self.told = known.max(trimmed);
        let gap = (known < trimmed).then_some((known, trimmed));
        let (mut n_bytes, mut is_end) = (0, true);
        let entries = match self.after.next().filter(|_| self.after < last_id) {
            Some(first) => stream.slice((first, StreamId::MAX), Order::Forward, |entry| {
                is_end = n_bytes < n_bytes_max.max(1);
                if is_end {
                    let lens =
                        entry.fields().map(|it| it.0.spelled_len() + it.1.spelled_len() + 16);
                    n_bytes += 64 + lens.sum::<usize>();
                    self.after = entry.id;
                }
                is_end
            }),
            None => Slice::default(),
        };
        if is_end {
            self.after = last_id;
        }
        Chunk { is_restart, gap, entries, is_end }
    }
}

impl Chunk {
    /// Whether the subscription became live.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.is_end
    }

    /// Appends all of it for a subscriber of the stream at `key`.
    pub fn write(&self, key: &[u8], out: &mut Writer<'_>) {
        if self.is_restart {
            write_restart(key, out);
        }
        if let Some((after, upto)) = self.gap {
            out.push(4);
            out.bulk(b"xgap");
            out.bulk(key);
            out.bulk(&after.spelled());
            out.bulk(&upto.spelled());
        }
        self.entries.for_each(|shown| match shown {
            Shown::Entry(entry) => {
                write_head(key, out);
                out.array(2);
                entry.write(out);
            }
            // It was taken from the stream itself.
            Shown::Gone(_) | Shown::Again(..) => {}
        });
    }
}

/// Appends what stands before an entry.
pub fn write_head(key: &[u8], out: &mut Writer<'_>) {
    out.push(3);
    out.bulk(b"xmessage");
    out.bulk(key);
}

/// Appends that the stream at `key` begins again.
pub fn write_restart(key: &[u8], out: &mut Writer<'_>) {
    out.push(2);
    out.bulk(b"xreset");
    out.bulk(key);
}

#[cfg(test)]
mod tests;
