//! Where a subscriber's data comes from: a subscription or a tail, and for keys what is read then.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_client::{
    Delivery, Error, ErrorKind, Gap, Kind, Queue, Subscription, SubscriptionNames,
    stream::{Delivery as TailDelivery, Entry, Position, StreamId, Tail},
};
use futures_util::FutureExt;

use super::{Missing, Received, Record, Undecodable, stream::FIELD};
use crate::Fanfare;

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
    keys: Option<Keys>,
    /// Whether the value of an announcement is being read.
    is_reading: bool,
    /// The ID of the last entry that was dealt with.
    last_id: Option<StreamId>,
}

enum Inner {
    Names(Subscription),
    Stream { tail: Tail, key: Bytes },
}

/// Reads values, each version once.
struct Keys {
    fanfare: Fanfare,
    /// The last version of each key that was delivered.
    delivered: HashMap<String, u64>,
}

/// Of how many keys the version is remembered. Beyond that all are forgotten, and one that was
/// announced twice may come twice.
const KEYS_MAX: usize = 65_536;

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
struct Raw {
    source: Bytes,
    payload: Result<Bytes, Error>,
    id: Option<StreamId>,
    received_at: SystemTime,
}

/// An announcement.
#[derive(serde::Deserialize)]
struct Note {
    key: String,
    version: u64,
}

impl Source {
    /// Follows, from behind `resume` if it is a stream and was followed before.
    pub(super) async fn open(
        fanfare: &Fanfare,
        plan: &Plan,
        is_keys: bool,
        resume: Option<StreamId>,
    ) -> Result<Self, Error> {
        let inner = match plan {
            Plan::Names { kind, name, queue } => {
                let names = [(*kind, Bytes::copy_from_slice(name.as_bytes()))];
                Inner::Names(fanfare.link().subscribe(names, *queue).await?)
            }
            Plan::Stream { key, from, queue } => {
                let stream = fanfare.stream(key);
                let stream = match queue {
                    Some(queue) => stream.queue(queue.messages_max, queue.bytes_max),
                    None => stream,
                };
                let tail = stream.tail(resume.map_or(*from, Position::After)).await?;
                Inner::Stream { tail, key: Bytes::copy_from_slice(key.as_bytes()) }
            }
        };
        let keys = || Keys { fanfare: fanfare.in_same_lane(), delivered: HashMap::new() };
        Ok(Self { inner, keys: is_keys.then(keys), is_reading: false, last_id: None })
    }

    /// The next, or `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            let came = match &mut self.inner {
                Inner::Names(subscription) => of_message(subscription.next_delivery().await?),
                Inner::Stream { tail, key } => {
                    let is_note = self.keys.is_some();
                    match of_entry(tail.next_delivery().await?, key, is_note) {
                        Some(came) => came,
                        None => continue,
                    }
                }
            };
            let event = match (came, &mut self.keys) {
                (Err(missing), _) => Event::Missing(missing),
                (Ok(raw), None) => raw.decode(),
                (Ok(raw), Some(keys)) => {
                    self.is_reading = true;
                    let event = keys.read(raw).await;
                    self.is_reading = false;
                    event
                }
            };
            if let Inner::Stream { tail, .. } = &self.inner {
                self.last_id = tail.last_id();
            }
            return Some(event);
        }
    }

    /// The next of what has arrived already, once nobody waits for more. Keys are read no more.
    pub(super) fn next_left(&mut self) -> Option<Event> {
        match &self.keys {
            None => self.next().now_or_never().flatten(),
            Some(_) => None,
        }
    }

    /// How many wait in the queue that will not be taken.
    pub(super) fn n_left(&self) -> usize {
        match &self.inner {
            Inner::Names(subscription) => {
                subscription.stats().queued_messages + usize::from(self.is_reading)
            }
            Inner::Stream { .. } => 0,
        }
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

impl Raw {
    fn decode(self) -> Event {
        let Self { source, payload, id, received_at } = self;
        let (payload, error) = match payload {
            Ok(payload) => match Record::from_json(&payload) {
                Ok(record) => {
                    let version = None;
                    return Event::Record(Received {
                        source,
                        payload,
                        record,
                        id,
                        version,
                        received_at,
                    });
                }
                Err(error) => (payload, error),
            },
            Err(error) => (Bytes::new(), error),
        };
        Event::Undecodable(Undecodable { source, payload, id, error })
    }
}

impl Keys {
    /// The value that was announced.
    async fn read(&mut self, raw: Raw) -> Event {
        let announced = match raw.decode() {
            Event::Record(announced) => announced,
            other => return other,
        };
        let note: Note = match announced.json() {
            Ok(note) => note,
            Err(error) => {
                let Received { source, payload, id, .. } = announced;
                return Event::Undecodable(Undecodable { source, payload, id, error });
            }
        };
        if self.delivered.get(&note.key).is_some_and(|delivered| note.version <= *delivered) {
            return Event::Outdated;
        }
        let value = loop {
            match self.fanfare.data_value(&note.key).await {
                Ok(value) => break value,
                Err(error) if error.is_retryable() => tokio::time::sleep(AGAIN).await,
                Err(error) => {
                    let code = error.code();
                    return Event::Missing(vec![Missing::Unread { key: note.key, code }]);
                }
            }
        };
        let Some(value) = value else {
            return Event::Outdated;
        };
        if self.delivered.len() == KEYS_MAX && !self.delivered.contains_key(&note.key) {
            self.delivered.clear();
        }
        self.delivered.insert(note.key.clone(), value.version.unwrap_or(note.version));
        let (source, payload) = (Bytes::from(note.key), Ok(value.payload));
        match (Raw { source, payload, id: announced.id, received_at: announced.received_at })
            .decode()
        {
            Event::Record(received) => {
                Event::Record(Received { version: value.version, ..received })
            }
            other => other,
        }
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
