//! Consumer groups: who has read how far, and what was delivered and not acknowledged.

use std::{fmt, time::Duration};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Value};

use crate::stream::{Position, Stream, StreamId, handle::count};

/// A consumer group of a stream, by its name. Made by [`Stream::group`]; nothing is sent for that.
///
/// The server remembers how far the group has been served, and keeps every entry that it gave to a
/// consumer as *pending* until it is acknowledged.
#[derive(Clone)]
pub struct Group {
    stream: Stream,
    name: Bytes,
}

/// How far a group is. See <https://redis.io/docs/latest/commands/xinfo-groups/>.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupInfo {
    /// The group's name.
    pub name: Bytes,
    /// How many consumers the server knows.
    pub consumers: u64,
    /// Entries that were delivered and not acknowledged.
    pub pending: u64,
    /// The last entry that was delivered.
    pub last_delivered: StreamId,
    /// How many entries were delivered, counted from the stream's first; `None` if the server can
    /// not tell (before Redis 7.0, or since the group was set to another place).
    pub entries_read: Option<u64>,
    /// Entries of the stream that are still to be delivered; `None` if the server can not tell:
    /// before Redis 7.0, or since an entry ahead of the group was deleted.
    pub lag: Option<u64>,
}

/// A consumer of a group. See <https://redis.io/docs/latest/commands/xinfo-consumers/>.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// The consumer's name.
    pub name: Bytes,
    /// Entries that it got and did not acknowledge.
    pub pending: u64,
    /// Time since it last asked for anything.
    pub idle: Duration,
    /// Time since it last got anything; `None` if it never did, or before Redis 7.2.
    pub inactive: Option<Duration>,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingEntry {
    /// Which entry. The stream may no longer have it.
    pub id: StreamId,
    /// Who has it; empty if it was given back.
    pub consumer: Bytes,
    /// Time since it was last delivered or claimed; 0 if it was given back.
    pub idle: Duration,
    /// How often it was delivered.
    pub deliveries: u64,
}

/// Which pending entries to list. Default: all of them, oldest first, at most 100.
///
/// ```
/// use std::time::Duration;
/// use fanfare::stream::Pending;
///
/// let stuck = Pending::new().idle(Duration::from_secs(60)).consumer("worker-7").limit(10);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Pending {
    after: Option<StreamId>,
    idle: Duration,
    consumer: Option<Bytes>,
    n_max: u64,
}

impl Default for Pending {
    fn default() -> Self {
        Self { after: None, idle: Duration::ZERO, consumer: None, n_max: 100 }
    }
}

impl Pending {
    /// All, oldest first, at most 100.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those behind this one: the last one of a list gives the next list.
    pub fn after(mut self, id: StreamId) -> Self {
        self.after = Some(id);
        self
    }

    /// Only those that were delivered or claimed at least so long ago. Needs Redis 6.2.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Only those of this consumer.
    pub fn consumer(mut self, name: impl AsRef<[u8]>) -> Self {
        self.consumer = Some(Bytes::copy_from_slice(name.as_ref()));
        self
    }

    /// At most so many.
    pub fn limit(mut self, n_max: u64) -> Self {
        self.n_max = n_max;
        self
    }

    fn write(&self, args: &mut Vec<Vec<u8>>) {
        if !self.idle.is_zero() {
            args.push(b"IDLE".to_vec());
            args.push(self.idle.as_millis().to_string().into_bytes());
        }
        args.push(match self.after {
            Some(id) => format!("({id}").into_bytes(),
            None => b"-".to_vec(),
        });
        args.push(b"+".to_vec());
        args.push(self.n_max.to_string().into_bytes());
        args.extend(self.consumer.as_ref().map(|it| it.to_vec()));
    }
}

impl Stream {
    /// A group of this stream.
    ///
    /// # Example: read, acknowledge, look
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::stream::{Pending, Position};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let orders = fanfare.stream("orders of a group");
    /// let billing = orders.group("billing");
    /// billing.create(Position::Start).await?;
    /// let id = orders.add([("item", "tea")]).await?;
    /// fanfare
    ///     .command(["XREADGROUP", "GROUP", "billing", "me", "STREAMS", "orders of a group", ">"])
    ///     .await?;
    /// let pending = billing.pending(Pending::new()).await?;
    /// assert_eq!((pending[0].id, pending[0].deliveries), (id, 1));
    /// assert_eq!(billing.acknowledge([id]).await?, 1);
    /// let info = billing.info().await?.expect("it was made");
    /// assert_eq!((info.pending, info.lag), (0, Some(0)));
    /// # Ok(()) }
    /// ```
    pub fn group(&self, name: impl AsRef<[u8]>) -> Group {
        Group { stream: self.clone(), name: Bytes::copy_from_slice(name.as_ref()) }
    }

    /// All groups of this stream; none if there is no stream.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    pub async fn groups(&self) -> Result<Vec<GroupInfo>, Error> {
        listed(self.call(&[b"XINFO", b"GROUPS", &self.key]).await, group_info)
    }
}

impl Group {
    /// The name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The stream.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Makes the group if it is not there, and the stream if that is not there. Returns whether the
    /// group was made; one that is there stays as it is.
    ///
    /// # Errors
    /// As [`Stream::len`].
    pub async fn create(&self, start: impl Into<Position>) -> Result<bool, Error> {
        let start = spelled(start.into());
        let (key, name) = (&self.stream.key, &self.name);
        let made = self
            .stream
            .call(&[b"XGROUP", b"CREATE", key, name, start.as_bytes(), b"MKSTREAM"])
            .await;
        match made {
            Ok(_) => Ok(true),
            Err(error) if error.server_code() == Some("BUSYGROUP") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes the group with all that it knows, and returns whether it was there. Those who wait
    /// in it are told so.
    ///
    /// # Errors
    /// As [`Stream::len`], and [`ErrorKind::Server`] if there is no stream.
    pub async fn delete(&self) -> Result<bool, Error> {
        let (key, name) = (&self.stream.key, &self.name);
        Ok(count(self.stream.call(&[b"XGROUP", b"DESTROY", key, name]).await?)? == 1)
    }

    /// Goes on at another place: what lies between is skipped, or delivered once more. What is
    /// pending stays so.
    ///
    /// # Errors
    /// As [`Stream::len`], and [`ErrorKind::Server`] with `NOGROUP` if there is no such group.
    pub async fn set_position(&self, start: impl Into<Position>) -> Result<(), Error> {
        let start = spelled(start.into());
        let (key, name) = (&self.stream.key, &self.name);
        self.stream.call(&[b"XGROUP", b"SETID", key, name, start.as_bytes()]).await.map(drop)
    }

    /// How far the group is; `None` if there is no such group.
    ///
    /// # Errors
    /// As [`Stream::len`].
    pub async fn info(&self) -> Result<Option<GroupInfo>, Error> {
        Ok(self.stream.groups().await?.into_iter().find(|it| it.name == self.name))
    }

    /// The consumers that the server knows.
    ///
    /// # Errors
    /// As [`Stream::len`], and [`ErrorKind::Server`] with `NOGROUP` if there is no such group.
    pub async fn consumers(&self) -> Result<Vec<ConsumerInfo>, Error> {
        let (key, name) = (&self.stream.key, &self.name);
        listed(self.stream.call(&[b"XINFO", b"CONSUMERS", key, name]).await, consumer_info)
    }

    /// What was delivered and not acknowledged.
    ///
    /// # Errors
    /// As [`Stream::len`], and [`ErrorKind::Server`] with `NOGROUP` if there is no such group.
    pub async fn pending(&self, which: Pending) -> Result<Vec<PendingEntry>, Error> {
        let mut args = vec![b"XPENDING".to_vec(), self.stream.key.to_vec(), self.name.to_vec()];
        which.write(&mut args);
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        listed(self.stream.call(&args).await, pending_entry)
    }

    /// Says that these were handled: they are not pending any more. Returns how many of them were.
    ///
    /// # Errors
    /// As [`Stream::len`].
    ///
    /// # Cancel safety
    /// Dropping the future does not take back what has been sent. To acknowledge twice is harmless.
    pub async fn acknowledge(&self, ids: impl IntoIterator<Item = StreamId>) -> Result<u64, Error> {
        let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let mut args = vec![&b"XACK"[..], &self.stream.key, &self.name];
        args.extend(ids.iter().map(String::as_bytes));
        count(self.stream.call(&args).await?)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("stream", &self.stream).field("name", &self.name).finish()
    }
}

fn spelled(start: Position) -> String {
    match start {
        Position::Start => "0".to_owned(),
        Position::After(id) => id.to_string(),
        Position::New => "$".to_owned(),
    }
}

/// A list in which every item is one that `read` understands; empty if there is no key.
pub(crate) fn listed<T>(
    reply: Result<Value, Error>,
    read: impl Fn(Value) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let items = match reply {
        Ok(value) => value.into_array(),
        Err(error) if error.message().ends_with("no such key") => Some(Vec::new()),
        Err(error) => return Err(error),
    };
    let items = items.and_then(|items| items.into_iter().map(read).collect());
    items.ok_or_else(|| {
        Error::new(ErrorKind::Protocol, "the server's answer about a group is not a list of facts")
    })
}

pub(crate) fn group_info(facts: Value) -> Option<GroupInfo> {
    let facts = Facts(facts.into_pairs()?);
    Some(GroupInfo {
        name: facts.bytes("name")?,
        consumers: facts.number("consumers")?,
        pending: facts.number("pending")?,
        last_delivered: stream_id(&facts.bytes("last-delivered-id")?)?,
        entries_read: facts.number("entries-read"),
        lag: facts.number("lag"),
    })
}

pub(crate) fn consumer_info(facts: Value) -> Option<ConsumerInfo> {
    let facts = Facts(facts.into_pairs()?);
    Some(ConsumerInfo {
        name: facts.bytes("name")?,
        pending: facts.number("pending")?,
        idle: facts.number("idle").map(Duration::from_millis)?,
        // -1 if it never got anything.
        inactive: facts.number("inactive").map(Duration::from_millis),
    })
}

pub(crate) fn pending_entry(parts: Value) -> Option<PendingEntry> {
    let mut parts = parts.into_array()?.into_iter();
    Some(PendingEntry {
        id: stream_id(&parts.next()?.into_bytes()?)?,
        consumer: parts.next()?.into_bytes().unwrap_or_default(),
        // -1 if it was given back (XNACK).
        idle: Duration::from_millis(u64::try_from(parts.next()?.as_int()?).unwrap_or(0)),
        deliveries: u64::try_from(parts.next()?.as_int()?).ok()?,
    })
}

pub(crate) fn stream_id(text: &[u8]) -> Option<StreamId> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Names and values, in RESP2 and RESP3.
pub(crate) struct Facts(pub(crate) Vec<(Value, Value)>);

impl Facts {
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<Bytes> {
        self.value(name)?.clone().into_bytes()
    }

    /// `None` also for what is unknown (null) or never was (-1).
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        u64::try_from(self.value(name)?.as_int()?).ok()
    }
}
