//! Streams, groups and tails.

use std::{ops::RangeBounds, time::Duration};

use serde::Serialize;
use tokio::time::timeout;

use super::{runtime, twin};
use crate::{
    Error,
    stream::{
        AddOptions, ConsumerInfo, Delivery, Entry, GroupInfo, Pending, PendingEntry, Position,
        StreamId, TailStats, Trim,
    },
};

/// The twin of [`fanfare::stream::Stream`](crate::stream::Stream).
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::stream::Position;
///
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let orders = fanfare.stream("blocking orders");
/// orders.add([("item", "tea")])?;
/// orders.add([("item", "milk")])?;
/// let items = orders.tail(Position::Start)?.take(2).map(|entry| entry.text("item").map(str::to_owned));
/// assert_eq!(items.collect::<Result<Vec<_>, _>>()?, ["tea", "milk"]);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stream {
    pub(super) inner: crate::stream::Stream,
}

impl Stream {
    /// The key, without the namespace.
    pub fn key(&self) -> &[u8] {
        self.inner.key()
    }

    /// What every add from now on trims away.
    #[must_use]
    pub fn keep(self, trim: Trim) -> Self {
        Self { inner: self.inner.keep(trim) }
    }

    /// Refuses to add what does not fit, and sends nothing then.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn contract(self, contract: impl Into<crate::schema::Contract>) -> Self {
        Self { inner: self.inner.contract(contract) }
    }

    /// Bounds the queue of the tails that are made from now on, in entries and bytes.
    #[must_use]
    pub fn queue(self, entries_max: usize, bytes_max: usize) -> Self {
        Self { inner: self.inner.queue(entries_max, bytes_max) }
    }

    /// Follows the stream: its entries from `start` on, and then those that are added.
    ///
    /// # Errors
    /// As [`Stream::tail`](crate::stream::Stream::tail).
    pub fn tail(&self, start: impl Into<Position>) -> Result<Tail, Error> {
        Ok(Tail { inner: runtime::wait(self.inner.tail(start))? })
    }

    /// A consumer group of the stream, by its name. Nothing is sent.
    pub fn group(&self, name: impl AsRef<[u8]>) -> Group {
        Group { inner: self.inner.group(name) }
    }
}

twin!(Stream {
    /// Adds an entry of these fields, and returns its ID.
    fn add(
        &self,
        fields: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>,
    ) -> StreamId;

    /// Adds an entry with a value as JSON in one field.
    fn add_json(&self, field: impl AsRef<[u8]>, value: &(impl Serialize + ?Sized)) -> StreamId;

    /// Adds an entry with these options. `None`: there is no stream, and none was to be made.
    fn add_with(
        &self,
        options: &AddOptions,
        fields: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>,
    ) -> Option<StreamId>;

    /// Adds many entries, pipelined, and returns the outcome of each in their order.
    fn add_batch(
        &self,
        entries: impl IntoIterator<
            Item = impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>,
        >,
    ) => Vec<Result<StreamId, Error>>;

    /// How many entries there are; 0 if there is no stream.
    fn len(&self) -> u64;

    /// Whether there are no entries.
    fn is_empty(&self) -> bool;

    /// Trims the stream, and returns how many entries that removed.
    fn trim(&self, trim: Trim) -> u64;

    /// Trims the stream until the server says that it takes at most so many bytes of memory, and
    /// returns how many entries that removed.
    fn trim_to_bytes(&self, bytes_max: u64) -> u64;

    /// Deletes entries, and returns how many of them were there.
    fn delete(&self, ids: impl IntoIterator<Item = StreamId>) -> u64;

    /// The entries with IDs in a range, oldest first, at most `count`.
    fn range(&self, ids: impl RangeBounds<StreamId>, count: Option<u64>) -> Vec<Entry>;

    /// The entries with IDs in a range, newest first, at most `count`.
    fn rev_range(&self, ids: impl RangeBounds<StreamId>, count: Option<u64>) -> Vec<Entry>;

    /// The consumer groups of the stream.
    fn groups(&self) -> Vec<GroupInfo>;
});

/// The twin of [`fanfare::stream::Tail`](crate::stream::Tail): an iterator of entries that waits for
/// the next one. Dropping it closes its connection.
#[derive(Debug)]
pub struct Tail {
    inner: crate::stream::Tail,
}

impl Tail {
    /// The next entry, if one comes within `limit`. `None`: none came, or this is the end, and
    /// [`error`](Self::error) says why.
    pub fn next_within(&mut self, limit: Duration) -> Option<Entry> {
        runtime::wait(async { timeout(limit, self.inner.next()).await }).ok().flatten()
    }

    /// The next entry or event, or `None` at the end.
    pub fn next_delivery(&mut self) -> Option<Delivery> {
        runtime::wait(self.inner.next_delivery())
    }

    /// The next entry or event, if one comes within `limit`. `None`: none came, or this is the end.
    pub fn next_delivery_within(&mut self, limit: Duration) -> Option<Delivery> {
        runtime::wait(async { timeout(limit, self.inner.next_delivery()).await }).ok().flatten()
    }

    /// All entries and events.
    pub fn deliveries(&mut self) -> impl Iterator<Item = Delivery> {
        std::iter::from_fn(|| self.next_delivery())
    }

    /// The ID of the entry that was handed out last.
    pub fn last_id(&self) -> Option<StreamId> {
        self.inner.last_id()
    }

    /// Why it has ended; `None` while it has not.
    pub fn error(&self) -> Option<Error> {
        self.inner.error()
    }

    /// The counts, the queue's length and the age of the last successful read.
    pub fn stats(&self) -> TailStats {
        self.inner.stats()
    }
}

impl Iterator for Tail {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        runtime::wait(self.inner.next())
    }
}

/// The twin of [`fanfare::stream::Group`](crate::stream::Group).
#[derive(Clone, Debug)]
pub struct Group {
    pub(super) inner: crate::stream::Group,
}

impl Group {
    /// The name.
    pub fn name(&self) -> &[u8] {
        self.inner.name()
    }

    /// The stream.
    pub fn stream(&self) -> Stream {
        Stream { inner: self.inner.stream().clone() }
    }
}

twin!(Group {
    /// Makes the group, and the stream if there is none; whether it was made.
    fn create(&self, start: impl Into<Position>) -> bool;

    /// Deletes the group; whether there was one.
    fn delete(&self) -> bool;

    /// Lets the group go on behind another entry.
    fn set_position(&self, start: impl Into<Position>) -> ();

    /// How the group is; `None` if there is none.
    fn info(&self) -> Option<GroupInfo>;

    /// Its consumers.
    fn consumers(&self) -> Vec<ConsumerInfo>;

    /// Entries that were delivered and not acknowledged.
    fn pending(&self, which: Pending) -> Vec<PendingEntry>;

    /// Acknowledges entries, and returns how many were pending.
    fn acknowledge(&self, ids: impl IntoIterator<Item = StreamId>) -> u64;
});
