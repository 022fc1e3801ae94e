//! What a tail delivers: entries, and what happened to the stream between them.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::{Error, ErrorKind, Outage, stream::StreamId};

/// An entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its ID.
    pub id: StreamId,
    /// Its fields and their values, in the order in which they were added. A field may come twice.
    pub fields: Vec<(Bytes, Bytes)>,
    /// When this program read it from the socket.
    pub received_at: SystemTime,
}

impl Entry {
    /// An entry, as a test of a handler may want it.
    pub fn new(id: StreamId, fields: Vec<(Bytes, Bytes)>, received_at: SystemTime) -> Self {
        Self { id, fields, received_at }
    }

    /// The value of a field; of several with this name, the first.
    pub fn get(&self, field: impl AsRef<[u8]>) -> Option<&Bytes> {
        let field = field.as_ref();
        self.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value)
    }

    /// The value of a field as text.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if there is no such field or it is not UTF-8. The tail goes on.
    pub fn text(&self, field: &str) -> Result<&str, Error> {
        std::str::from_utf8(self.present(field)?)
            .map_err(|source| self.undecodable(field, "UTF-8 text").with_source(source))
    }

    /// The value of a field as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if there is no such field, or it is not JSON or not a `T`. The tail
    /// goes on.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self, field: &str) -> Result<T, Error> {
        serde_json::from_slice(self.present(field)?)
            .map_err(|source| self.undecodable(field, "the expected JSON").with_source(source))
    }

    fn present(&self, field: &str) -> Result<&Bytes, Error> {
        self.get(field).ok_or_else(|| {
            let message = format!("entry {} has no field {field:?}", self.id);
            Error::new(ErrorKind::Decode, message)
        })
    }

    fn undecodable(&self, field: &str, what: &str) -> Error {
        let message = format!("field {field:?} of entry {} is not {what}", self.id);
        Error::new(ErrorKind::Decode, message)
    }

    /// What it counts in a queue: its bytes, 128 for itself, and 64 for each field.
    pub(crate) fn cost(&self) -> usize {
        let fields = self.fields.iter().map(|(name, value)| 64 + name.len() + value.len());
        128 + fields.sum::<usize>()
    }
}

/// Where a tail begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// With the first entry that is there.
    Start,
    /// With the first entry after this one, whether the stream still has it or not. If it is above
    /// the last one, it is taken for that of another stream, and all entries come, after a
    /// [`Delivery::Reset`].
    After(StreamId),
    /// With what is added from now on.
    New,
}

impl From<StreamId> for Position {
    fn from(id: StreamId) -> Self {
        Self::After(id)
    }
}

/// One item of a tail's full stream, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// An entry.
    Entry(Entry),
    /// Entries were trimmed away before they could be read: some whose IDs are above `after` and
    /// not above `upto`. Others of these may be left, since `XTRIM … ACKED` leaves what a group has
    /// still to do with; they are delivered next.
    Gap {
        /// The ID up to which everything was delivered.
        after: StreamId,
        /// The largest ID that is missing, or the one below the first entry that is there.
        upto: StreamId,
    },
    /// The stream was deleted or replaced by another one. Entries that had not been read are gone;
    /// what is there now, or will be, is delivered from its first entry, whatever its ID.
    Reset,
    /// The connection was lost, or the server refuses to go on (the key holds another type, a
    /// right was taken away). Nothing is lost by that. The tail tries again, for ever.
    Down {
        /// Why.
        error: Error,
    },
    /// The connection is back, and the tail goes on where it was.
    Resumed {
        /// How long it was away.
        outage: Outage,
    },
}

/// The counts of one tail.
///
/// `received = delivered + queued_entries`, always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TailStats {
    /// Entries that arrived from the server.
    pub received: u64,
    /// Entries handed to the program.
    pub delivered: u64,
    /// Times that entries were trimmed away before they could be read.
    pub gaps: u64,
    /// Times that the stream was deleted or replaced.
    pub resets: u64,
    /// How often the tail was resumed after its connection was lost.
    pub reconnects: u64,
    /// Entries waiting in the queue.
    pub queued_entries: usize,
    /// Bytes waiting in the queue: fields and values, 128 for each entry and 64 for each field.
    pub queued_bytes: usize,
    /// Whether the connection is there and entries can come.
    pub is_up: bool,
    /// Whether reading is held back because the queue is full.
    pub is_held_back: bool,
    /// Whether the server pushes entries by itself (`XSUBSCRIBE`) instead of being asked (`XREAD`).
    pub is_pushed: bool,
    /// Time since anything, an entry or a heartbeat, was last read from the server. This is what
    /// health means: on a quiet stream it stays below the heartbeat's interval plus deadline.
    pub last_read_age: Duration,
}
