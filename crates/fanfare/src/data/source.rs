//! Where a subscriber's data comes from: a subscription or a tail, and for keys what is read then.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_client::{
    Delivery, Error, ErrorKind, Gap, Kind, Queue, Subscription, SubscriptionNames,
    stream::{Delivery as TailDelivery, Entry, Position, StreamId, Tail},
};
use futures_util::FutureExt;

use super::{Missing, Received, Record, Undecodable, announced::Announced, stream::FIELD};
use crate::{Fanfare, stream::Stream};

/// What to follow.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    Names { kind: Kind, name: String, queue: Queue },
    Stream { key: String, from: Position, queue: Option<Queue> },
}

/// What is being followed.
pub(super) struct Source {
    inner: Inner,
    /// For keys: reads the values that are announced.
    keys: Option<Announced>,
    /// Announcements whose values are being read.
    notes: Vec<Raw>,
    /// How many of them are read at once.
    notes_max: usize,
    /// What comes next, and the ID of the last entry that is dealt with by it.
    events: VecDeque<(Option<StreamId>, Event)>,
    /// The ID of the last entry that was dealt with.
    last_id: Option<StreamId>,
    /// Messages that were dropped, as far as that has been told.
    n_dropped: u64,
    /// How many messages or entries its queue has at most, and their bytes.
    bounds: (usize, usize),
}

/// How many announced values are read at once: so many, and no more than take so many bytes if each is as
/// large as the largest of the last ones.
const NOTES_MAX: usize = 64;
const VALUES_BYTES_MAX: usize = 1 << 20;

enum Inner {
    Names(Subscription),
    Stream { tail: Tail, key: Bytes },
}

/// How long to wait before a value that could not be read is asked for again.
const AGAIN: Duration = Duration::from_millis(100);

/// What came.
pub(super) enum Event {
    Record(Received),
    Missing(Vec<Missing>),
    Undecodable(Undecodable),
    /// An announcement of a value that is gone, or was delivered already.
    Outdated,
}

/// A payload before it is read.
#[derive(Clone)]
pub(super) struct Raw {
    pub(super) source: Bytes,
    pub(super) payload: Result<Bytes, Error>,
    pub(super) id: Option<StreamId>,
    pub(super) received_at: SystemTime,
}

impl Source {
    /// Follows, from behind `resume` if it is a stream and was followed before.
    pub(super) async fn open(
        fanfare: &Fanfare,
        plan: &Plan,
        is_keys: bool,
        resume: Option<StreamId>,
    ) -> Result<Self, Error> {
        let mut last_id = resume;
        let (inner, bounds) = match plan {
            Plan::Names { kind, name, queue } => {
                let names = [(*kind, Bytes::copy_from_slice(name.as_bytes()))];
                let subscription = fanfare.link().subscribe(names, *queue).await?;
                (Inner::Names(subscription), (queue.messages_max, queue.bytes_max))
            }
            Plan::Stream { key, from, queue } => {
                let stream = fanfare.stream(key);
                let stream = match queue {
                    Some(queue) => stream.queue(queue.messages_max, queue.bytes_max),
                    None => stream,
                };
                if resume.is_none() && *from == Position::New {
                    // Another start goes on here if nothing comes until then.
                    last_id = Some(end(&stream).await?);
                }
                let bounds = stream.queue;
                let tail = stream.tail(resume.map_or(*from, Position::After)).await?;
                (Inner::Stream { tail, key: Bytes::copy_from_slice(key.as_bytes()) }, bounds)
            }
        };
        let keys = is_keys.then(|| Announced::new(fanfare.in_same_lane()));
        let (notes, events) = (Vec::new(), VecDeque::new());
        let (notes_max, n_dropped) = (NOTES_MAX, 0);
        Ok(Self { inner, keys, notes, notes_max, events, last_id, n_dropped, bounds })
    }

    /// The next, or `None` at the end.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((id, event)) = self.events.pop_front() {
                self.last_id = id.or(self.last_id);
                return Some(event);
            }
            if !self.notes.is_empty() {
                self.read_notes().await;
                continue;
            }
            let (came, id) = self.inner.next(self.keys.is_some()).await?;
            self.came(came, id);
            // What else has arrived is read with it.
            while (1..self.notes_max).contains(&self.notes.len()) && self.events.is_empty() {
                match self.inner.next(true).now_or_never() {
                    Some(Some((came, id))) => self.came(came, id),
                    Some(None) | None => break,
                }
            }
        }
    }

    fn came(&mut self, came: Came, id: Option<StreamId>) {
        match (came, &self.keys) {
            (Err(missing), _) => {
                for missing in &missing {
                    if let Missing::Dropped(n) = missing {
                        self.n_dropped += n;
                    }
                }
                self.events.push_back((id, Event::Missing(missing)));
            }
            (Ok(raw), None) => self.events.push_back((id, raw.decode())),
            (Ok(raw), Some(_)) => self.notes.push(raw),
        }
    }

    /// Makes events of the announcements, before those that are there: a gap came behind them.
    async fn read_notes(&mut self) {
        let Some(keys) = &mut self.keys else { return };
        let events = loop {
            match keys.read(&self.notes).await {
                Ok(events) => break events,
                Err(error) => {
                    tracing::warn!(%error, "announced values can not be read yet, and are asked for again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        let lens = events.iter().map(|event| match event {
            Event::Record(received) => received.payload.len(),
            Event::Undecodable(bad) => bad.payload.len(),
            Event::Missing(_) | Event::Outdated => 0,
        });
        let largest = lens.max().unwrap_or(0).max(1);
        self.notes_max = (VALUES_BYTES_MAX / largest).clamp(1, NOTES_MAX);
        for (raw, event) in self.notes.drain(..).zip(events).rev() {
            self.events.push_front((raw.id, event));
        }
    }

    /// The next of what has arrived already, once nobody waits for more. Keys are read no more.
    pub(super) fn next_left(&mut self) -> Option<Event> {
        if self.keys.is_none() || !self.events.is_empty() {
            return self.next().now_or_never().flatten();
        }
        None
    }

    /// How many wait that will not be taken; a stream keeps them.
    pub(super) fn n_left(&self) -> usize {
        let n_read = self.events.iter().filter(|(_, it)| !matches!(it, Event::Missing(_))).count();
        match &self.inner {
            Inner::Names(subscription) => {
                subscription.stats().queued_messages + self.notes.len() + n_read
            }
            Inner::Stream { .. } => 0,
        }
    }

    /// The same, with those that were dropped before and of which nobody has been told.
    pub(super) fn n_missing(&self) -> u64 {
        let n_dropped = match &self.inner {
            Inner::Names(subscription) => subscription.stats().dropped,
            Inner::Stream { .. } => 0,
        };
        u64::try_from(self.n_left()).unwrap_or(u64::MAX) + n_dropped.saturating_sub(self.n_dropped)
    }

    /// How many messages or entries wait at most, and their bytes.
    pub(super) fn bounds(&self) -> (usize, usize) {
        self.bounds
    }

    /// Whose counts go on while nobody takes.
    pub(super) fn names(&self) -> Option<SubscriptionNames> {
        match &self.inner {
            Inner::Names(subscription) => Some(subscription.names()),
            Inner::Stream { .. } => None,
        }
    }

    pub(super) fn reconnects(&self) -> u64 {
        match &self.inner {
            Inner::Names(subscription) => subscription.stats().reconnects,
            Inner::Stream { tail, .. } => tail.stats().reconnects,
        }
    }

    /// Behind which entry another would go on.
    pub(super) fn last_id(&self) -> Option<StreamId> {
        self.last_id
    }

    /// Why it has ended.
    pub(super) fn error(&self) -> Error {
        let error = match &self.inner {
            Inner::Names(subscription) => subscription.error(),
            Inner::Stream { tail, .. } => tail.error(),
        };
        error.unwrap_or_else(|| Error::new(ErrorKind::Closed, "the subscription has ended"))
    }
}

impl Inner {
    /// What comes next, and the ID up to which everything has come then.
    async fn next(&mut self, is_note: bool) -> Option<(Came, Option<StreamId>)> {
        match self {
            Self::Names(subscription) => {
                Some((of_message(subscription.next_delivery().await?), None))
            }
            Self::Stream { tail, key } => loop {
                let delivery = tail.next_delivery().await?;
                // Of another stream everything is still to come.
                let is_other = matches!(delivery, TailDelivery::Reset);
                let id = if is_other { Some(StreamId::MIN) } else { tail.last_id() };
                if let Some(came) = of_entry(delivery, key, is_note) {
                    return Some((came, id));
                }
            },
        }
    }
}

/// The last ID that a stream has given; the smallest of all if there is none.
async fn end(stream: &Stream) -> Result<StreamId, Error> {
    let facts = match stream.call(&[b"XINFO", b"STREAM", &stream.key]).await {
        Err(error) if error.to_string().contains("no such key") => return Ok(StreamId::MIN),
        facts => facts?,
    };
    let facts = facts.into_pairs().unwrap_or_default();
    let last = facts.into_iter().find(|(name, _)| name.as_str() == Some("last-generated-id"));
    last.and_then(|(_, id)| id.as_str()?.parse().ok())
        .ok_or_else(|| Error::new(ErrorKind::Protocol, "XINFO STREAM does not tell the last ID"))
}

impl Raw {
    pub(super) fn decode(self) -> Event {
        let Self { source, payload, id, received_at } = self;
        let (payload, error) = match payload {
            Ok(payload) => match Record::of(payload) {
                Ok(record) => {
                    let (payload, version) = (record.payload().clone(), None);
                    return Event::Record(Received {
                        source,
                        payload,
                        record,
                        id,
                        version,
                        received_at,
                    });
                }
                Err((error, payload)) => (payload, error),
            },
            Err(error) => (Bytes::new(), error),
        };
        Event::Undecodable(Undecodable { source, payload, id, error })
    }
}

type Came = Result<Raw, Vec<Missing>>;

fn of_message(delivery: Delivery) -> Came {
    match delivery {
        Delivery::Message(message) => Ok(Raw {
            source: message.channel,
            payload: Ok(message.payload),
            id: None,
            received_at: message.received_at,
        }),
        Delivery::Gap(Gap { n_dropped, outage, .. }) => {
            let dropped = (0 < n_dropped).then_some(Missing::Dropped(n_dropped));
            Err(dropped.into_iter().chain(outage.map(Missing::Outage)).collect())
        }
    }
}

fn of_entry(delivery: TailDelivery, key: &Bytes, is_note: bool) -> Option<Came> {
    match delivery {
        TailDelivery::Entry(entry) => {
            let payload = if is_note { note(&entry) } else { data(&entry) };
            let (source, id) = (key.clone(), Some(entry.id));
            Some(Ok(Raw { source, payload, id, received_at: entry.received_at }))
        }
        TailDelivery::Gap { after, upto } => Some(Err(vec![Missing::Trimmed { after, upto }])),
        TailDelivery::Reset => Some(Err(vec![Missing::Reset])),
        // Nothing is lost by that.
        TailDelivery::Down { .. } | TailDelivery::Resumed { .. } => None,
    }
}

fn data(entry: &Entry) -> Result<Bytes, Error> {
    entry.get(FIELD).cloned().ok_or_else(|| {
        let message = format!("entry {} has no field `{FIELD}`", entry.id);
        Error::new(ErrorKind::Decode, message)
    })
}

/// An entry of announcements as what a channel would have had.
fn note(entry: &Entry) -> Result<Bytes, Error> {
    let version: u64 = entry.json("version")?;
    let note = serde_json::json!({ "key": entry.text("key")?, "version": version });
    Ok(Bytes::from(note.to_string()))
}
