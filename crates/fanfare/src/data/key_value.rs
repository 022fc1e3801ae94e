//! Publishing records under keys, and telling that they have changed.

use std::{borrow::Cow, collections::HashSet, sync::LazyLock};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Value, slot};
use futures_util::future::BoxFuture;

use super::{
    DataPublisher, Destination, Published, PublisherOptions, Record,
    desk::{Desk, Home},
    publisher::{KeyOf, publisher},
    value::version_key,
};
use crate::{Fanfare, agreed::Agreed, batch::Batch, client::Script, codec::json};

/// The member that has a record's key, unless another is named.
pub(super) const KEY_MEMBER: &str = "__dagserver_key";

/// Where changes of keys are announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announce {
    /// Nowhere: readers ask for the key by themselves.
    Nowhere,
    /// On a channel, at most once.
    Channel(String),
    /// On a stream, which keeps about the newest `maxlen` announcements: who was away misses none of
    /// them. In a cluster the stream and all keys must be in one slot: give their names a common part
    /// in braces.
    Stream {
        /// The stream's key.
        key: String,
        /// How many announcements it keeps at least; up to some hundred more.
        maxlen: u64,
    },
}

/// Stores records as JSON, each under a key of its own, and announces that it has changed.
///
/// # The key
/// It is an argument ([`publish_at`](Self::publish_at)), or the text of the record's member
/// `__dagserver_key` ([`key_member`](super::PublisherOptions::key_member) names another,
/// [`key_by`](super::PublisherOptions::key_by) takes a function). A record without a key, or whose key
/// is empty or no text, is an error, and nothing is written. The member is not stored with the rest,
/// unless [`keep_key_member`](super::PublisherOptions::keep_key_member) says so; with a key as an
/// argument it is taken for data and stored.
///
/// # What is written
/// Value, time to live, version and announcement are written by one script, so nobody sees one without
/// the others. If one of them is refused, all are: a server that is full, can not save, or has too few
/// replicas takes no value and announces nothing; and if the announcement can not be made (no right to
/// the channel, the stream's key holds something else), nothing is written:
///
/// - the JSON at the key (`SET … [PX ttl]`): any client can `GET` it;
/// - its version at `{key}:version` (`key:version` if the key has a part in braces), with the same time
///   to live: [`Fanfare::data_value`](crate::Fanfare::data_value) reads both at once;
/// - the announcement `{"key":"…","version":…}` on a channel (the destination's name, by default), or
///   an entry with the fields `key` and `version` on a stream: see [`Announce`].
///
/// # Versions
/// A version is the server's time in microseconds when the value was written, or the last version
/// plus one if that is not less. So a later value of a key has a larger version, also if the key was
/// deleted or expired in between, or a replica that had not got the last values became the master, as
/// long as the servers' clocks agree. What other clients `SET` at the key has the version of the value
/// before. What stands where the version should be and is no number below 2<sup>53</sup> is
/// overwritten.
///
/// # What it must be allowed to do
/// `EVAL`, `EVALSHA`, `SCRIPT LOAD`, and in the script `TIME`, `GET`, `EXISTS`, `APPEND`, `SET`, `DEL`
/// and `PUBLISH` or `XADD`, with the key, its version and the channel or stream.
///
/// # In a cluster
/// The key, its version and a stream of announcements are in one slot, or an error says so before
/// anything is written. A channel of announcements is told to all nodes. As everywhere in a cluster,
/// the nodes hand messages of plain channels on without promise.
///
/// # Databases
/// Keys and streams belong to a database, channels do not. So with a database other than 0 the
/// announcements must go to a stream, or nowhere.
///
/// # Delivery
/// The value is written at most once, as every command; writing it again does no harm, it only gets
/// another version. An announcement on a channel is at most once, and readers may see a newer value
/// than the announced one.
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{ErrorKind, data::{DataPublisher, Destination, KeyValuePublisher, PublisherOptions}};
///
/// #[derive(serde::Serialize)]
/// struct Reading { __dagserver_key: Option<&'static str>, celsius: f64 }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let sensors = Destination::Key("sensor_data".into());
/// let sensors = KeyValuePublisher::new(&fanfare, sensors, PublisherOptions::new())?;
/// let reading = Reading { __dagserver_key: Some("sensor:1"), celsius: 23.5 };
/// let published = sensors.publish(&reading).await?;
/// let stored = fanfare.data_value("sensor:1").await?.expect("it was written");
/// assert_eq!(stored.payload, r#"{"celsius":23.5}"#);
/// assert_eq!(stored.version, published.version);
///
/// let no_key = sensors.publish(&Reading { __dagserver_key: None, celsius: 0.0 }).await;
/// assert_eq!(no_key.unwrap_err().kind(), ErrorKind::InvalidRecord);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct KeyValuePublisher {
    desk: Desk,
    terms: Terms,
}

/// How records are written.
struct Terms {
    ttl_ms: String,
    announce: Announce,
    key_of: KeyOf,
    keep_key_member: bool,
    agreed: Agreed,
}

impl std::fmt::Debug for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terms")
            .field("ttl_ms", &self.ttl_ms)
            .field("announce", &self.announce)
            .finish_non_exhaustive()
    }
}

impl KeyValuePublisher {
    /// A publisher on the connections of a handle. It runs.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] if the destination is not one of keys, if the announcements go to
    /// a channel and the URL names a database other than 0, or if an option can not work.
    pub fn new(
        fanfare: &Fanfare,
        destination: Destination,
        options: PublisherOptions,
    ) -> Result<Self, Error> {
        Self::open(fanfare.in_same_lane(), Home::Shared(fanfare.clone()), destination, options)
    }

    pub(super) fn open(
        fanfare: Fanfare,
        home: Home,
        destination: Destination,
        options: PublisherOptions,
    ) -> Result<Self, Error> {
        let name = options.name_for(&destination)?;
        let Destination::Key(set) = &destination else {
            let message = format!("`{destination}` is no destination of keys");
            return Err(Error::new(ErrorKind::InvalidOption, message));
        };
        let announce = options.announce.unwrap_or_else(|| Announce::Channel(set.clone()));
        if let Announce::Channel(_) = announce {
            fanfare.link().check_channels().map_err(|error| {
                let message = "changes of keys would be announced on a channel: announce them on a \
                               stream, or nowhere (`PublisherOptions::announce`)";
                Error::new(ErrorKind::InvalidOption, message).with_source(error)
            })?;
        }
        let terms = Terms {
            ttl_ms: options.ttl.map(|ttl| ttl.as_millis().to_string()).unwrap_or_default(),
            announce,
            key_of: options.key_of.unwrap_or_else(|| KeyOf::Member(KEY_MEMBER.to_owned())),
            keep_key_member: options.keep_key_member,
            agreed: options.agreed,
        };
        Ok(Self { desk: Desk::new(name, destination, home, fanfare), terms })
    }

    /// Publishes a value as a record under this key.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub fn publish_at<'a, T: serde::Serialize + ?Sized>(
        &'a self,
        key: &'a str,
        value: &T,
    ) -> BoxFuture<'a, Result<Published, Error>> {
        super::publisher::of_value(value, |record| self.publish_record_at(key, record))
    }

    async fn write(
        &self,
        fanfare: &Fanfare,
        key: Option<&str>,
        record: Record,
    ) -> Result<Published, Error> {
        let write = self.terms.write(fanfare, key, record)?;
        let client = fanfare.client();
        let reply = client.run_script::<Value>(&SCRIPT, &write.keys, &write.args).await?;
        Ok(Published { key: Some(write.key), ..published(Ok(reply))? })
    }

    async fn write_many(
        &self,
        fanfare: &Fanfare,
        records: Vec<Record>,
    ) -> Vec<Result<Published, Error>> {
        let writes = records.into_iter().map(|record| self.terms.write(fanfare, None, record));
        let writes: Vec<Result<Write, Error>> = writes.collect();
        // Without the hash the text will do, and tells what is wrong.
        let hash = fanfare.client().script_hash(&SCRIPT).await.ok();
        let run: [&[u8]; 2] = match hash {
            Some(hash) => [b"EVALSHA", hash.as_bytes()],
            None => BY_TEXT,
        };
        let mut batch = Batch::new(fanfare, published);
        for write in &writes {
            match write {
                Ok(write) => write.push_to(&mut batch, run, fanfare).await,
                Err(error) => batch.refuse(error.clone()).await,
            }
        }
        let mut outcomes = batch.finish().await;
        self.write_unknown(fanfare, &writes, &mut outcomes).await;
        let outcomes = outcomes.into_iter().zip(writes);
        outcomes.map(|(it, write)| Ok(Published { key: Some(write?.key), ..it? })).collect()
    }

    /// Writes what a server refused because it did not know the script, by its text; and what came
    /// behind it at the same key, so that the last one stays the last.
    async fn write_unknown(
        &self,
        fanfare: &Fanfare,
        writes: &[Result<Write, Error>],
        outcomes: &mut [Result<Published, Error>],
    ) {
        let mut keys = HashSet::new();
        let (mut again, mut batch) = (Vec::new(), Batch::new(fanfare, published));
        for (write, outcome) in writes.iter().zip(outcomes) {
            let Ok(write) = write else { continue };
            let is_unknown =
                outcome.as_ref().is_err_and(|error| error.server_code() == Some("NOSCRIPT"));
            if is_unknown {
                keys.insert(&write.key);
            }
            if keys.contains(&write.key) {
                write.push_to(&mut batch, BY_TEXT, fanfare).await;
                again.push(outcome);
            }
        }
        for (outcome, later) in again.into_iter().zip(batch.finish().await) {
            *outcome = later;
        }
    }
}

publisher!(KeyValuePublisher, terms.agreed);

/// How the script is run.
const BY_TEXT: [&[u8]; 2] = [b"EVAL", include_bytes!("key_value.lua")];

/// What is written for one record.
struct Write {
    key: String,
    /// Without the namespace.
    keys: Vec<Vec<u8>>,
    args: Vec<Bytes>,
}

impl Write {
    /// The script, with all that it takes.
    async fn push_to(&self, batch: &mut Batch<'_, Published>, run: [&[u8]; 2], fanfare: &Fanfare) {
        let names = fanfare.link().options().names();
        let n_keys = self.keys.len().to_string();
        let keys: Vec<_> = self.keys.iter().map(|key| names.full_slice(key)).collect();
        let mut command = run.to_vec();
        command.push(n_keys.as_bytes());
        command.extend(keys.iter().map(|key| &**key));
        command.extend(self.args.iter().map(|arg| &**arg));
        batch.push(command).await;
    }
}

impl Terms {
    fn write(
        &self,
        fanfare: &Fanfare,
        key: Option<&str>,
        mut record: Record,
    ) -> Result<Write, Error> {
        let key = match key {
            Some(key) => key.to_owned(),
            None => self.key(&mut record)?,
        };
        if key.is_empty() {
            return Err(Error::new(ErrorKind::InvalidRecord, "the record's key is empty"));
        }
        self.agreed.check_json(record.payload())?;
        let names = fanfare.link().options().names();
        let mut keys = vec![key.clone().into_bytes(), version_key(names, key.as_bytes())];
        let (how, to, maxlen) = match &self.announce {
            Announce::Nowhere => ("", Vec::new(), String::new()),
            Announce::Channel(name) => {
                ("channel", fanfare.channel(name.as_bytes())?.into_owned(), String::new())
            }
            Announce::Stream { key, maxlen } => {
                keys.push(key.clone().into_bytes());
                ("stream", Vec::new(), maxlen.to_string())
            }
        };
        if fanfare.link().options().url().is_cluster() {
            let mut slots = keys.iter().map(|key| slot(&names.full_slice(key)));
            let first = slots.next();
            if slots.any(|it| Some(it) != first) {
                return Err(Error::new(
                    ErrorKind::InvalidRecord,
                    format!(
                        "the key {key:?}, its version and the stream of announcements are not in \
                         one slot of the cluster: give them a common part in braces"
                    ),
                ));
            }
        }
        let args = vec![
            record.payload().clone(),
            self.ttl_ms.clone().into(),
            how.into(),
            to.into(),
            json::encode(&key)?.into(),
            maxlen.into(),
            key.clone().into(),
        ];
        Ok(Write { key, keys, args })
    }

    /// The key that a record says.
    fn key(&self, record: &mut Record) -> Result<String, Error> {
        match &self.key_of {
            KeyOf::Member(member) => {
                let key = record.text(member).map(Cow::into_owned).ok_or_else(|| {
                    let what = if record.has(member) { "is no text" } else { "is missing" };
                    Error::new(
                        ErrorKind::InvalidRecord,
                        format!(
                            "the record has no key: its member `{member}` {what}; nothing was \
                             written"
                        ),
                    )
                })?;
                if !self.keep_key_member {
                    *record = record.without(member)?;
                }
                Ok(key)
            }
            KeyOf::By(key) => key(record).map_err(|source| {
                let message = "the program's function found no key in the record; nothing was \
                               written";
                Error::new(ErrorKind::InvalidRecord, message).with_source(source)
            }),
        }
    }
}

/// See the file.
static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("key_value.lua")));

/// What the script returned.
fn published(reply: Result<Value, Error>) -> Result<Published, Error> {
    let odd = || Error::new(ErrorKind::Protocol, "the script returned no version");
    let mut values = reply?.into_array().ok_or_else(odd)?.into_iter();
    let version = values.next().and_then(|value| value.as_str()?.parse().ok()).ok_or_else(odd)?;
    let told = values.next();
    let receivers = told.as_ref().and_then(Value::as_int).and_then(|n| u64::try_from(n).ok());
    let id = told.as_ref().and_then(Value::as_str).and_then(|id| id.parse().ok());
    Ok(Published { receivers, id, key: None, version: Some(version) })
}
