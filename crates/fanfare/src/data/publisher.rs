//! What all publishers do, whatever they publish to.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use fanfare_client::{Error, ErrorKind};
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::{Announce, Destination, Record};
use crate::{
    BoxError,
    agreed::Agreed,
    stream::{StreamId, Trim},
};

/// Publishes records to a destination: see [`ChannelPublisher`](super::ChannelPublisher),
/// [`StreamPublisher`](super::StreamPublisher) and [`KeyValuePublisher`](super::KeyValuePublisher) for
/// what each promises.
///
/// Made by [`Fanfare::data_publisher`](crate::Fanfare::data_publisher) on a handle, or by
/// [`open_publisher`](super::open_publisher) from a whole URL; it runs from then on. It may be used by
/// any number of tasks at the same time; the counts are exact.
///
/// # Example: where to is a matter of configuration
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::data::DataPublisher;
///
/// #[derive(serde::Serialize)]
/// struct Alert { severity: &'static str, text: &'static str }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let configured = "redischannel://system_alerts";
/// let alerts: Box<dyn DataPublisher> = fanfare.data_publisher(configured)?;
/// alerts.publish(&Alert { severity: "high", text: "the disk is full" }).await?;
/// let stats = alerts.stop().await;
/// assert_eq!((stats.published, alerts.is_running()), (1, false));
/// assert!(stats.last_published_at.is_some());
/// # Ok(()) }
/// ```
pub trait DataPublisher: Send + Sync + fmt::Debug {
    /// The name that it was given, for logs.
    fn name(&self) -> &str;

    /// Where it publishes to.
    fn destination(&self) -> &Destination;

    /// What records must be like: see [`PublisherOptions::contract`]. `None`: whatever they are.
    #[cfg(feature = "schema")]
    fn contract(&self) -> Option<&crate::schema::Contract> {
        None
    }

    /// Publishes a record, and returns what the broker said. A key/value publisher takes the key from
    /// the record.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] if the publisher is stopped; [`ErrorKind::InvalidRecord`] if a key is
    /// needed and the record has none. In both cases nothing was written. Otherwise as
    /// [`Fanfare::publish`](crate::Fanfare::publish): what an error leaves open is told by
    /// [`Error::may_have_been_delivered`], and nothing is ever sent again by itself.
    ///
    /// # Cancel safety
    /// Dropping the future does not take back what has been handed to the connection. It is not
    /// counted then.
    fn publish_record(&self, record: Record) -> BoxFuture<'_, Result<Published, Error>>;

    /// Publishes a record under this key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRecord`] if the destination has no keys; otherwise as
    /// [`publish_record`](Self::publish_record).
    ///
    /// # Cancel safety
    /// As [`publish_record`](Self::publish_record).
    fn publish_record_at<'a>(
        &'a self,
        key: &'a str,
        record: Record,
    ) -> BoxFuture<'a, Result<Published, Error>>;

    /// Publishes many records, pipelined, and returns the outcome of each in their order. One that can
    /// not be published fails alone. It is not a transaction.
    ///
    /// # Cancel safety
    /// As [`publish_record`](Self::publish_record).
    fn publish_records(&self, records: Vec<Record>)
    -> BoxFuture<'_, Vec<Result<Published, Error>>>;

    /// Runs again after a [`stop`](Self::stop). Does nothing if it runs.
    ///
    /// # Errors
    /// As [`Fanfare::connect`](crate::Fanfare::connect), if it was opened from a whole URL.
    fn start(&self) -> BoxFuture<'_, Result<(), Error>>;

    /// Lets nothing more be published, waits for the outcome of what is being published, closes the
    /// connections if they are its own (opened from a whole URL), and returns the final counts.
    ///
    /// # Cancel safety
    /// Dropping the future leaves it stopped.
    fn stop(&self) -> BoxFuture<'_, PublisherStats>;

    /// Whether it takes records.
    fn is_running(&self) -> bool;

    /// The counts so far.
    fn stats(&self) -> PublisherStats;
}

/// The same with values of any type.
impl dyn DataPublisher + '_ {
    /// Publishes a value as a record.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] if it has no JSON (which is not counted), and as
    /// [`publish_record`](DataPublisher::publish_record).
    ///
    /// # Cancel safety
    /// As [`publish_record`](DataPublisher::publish_record).
    pub fn publish<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> BoxFuture<'_, Result<Published, Error>> {
        of_value(value, |record| self.publish_record(record))
    }

    /// Publishes a value as a record under this key.
    ///
    /// # Errors
    /// As [`publish`](trait.DataPublisher.html#method.publish) and [`publish_record_at`](DataPublisher::publish_record_at).
    ///
    /// # Cancel safety
    /// As [`publish_record`](DataPublisher::publish_record).
    pub fn publish_at<'a, T: Serialize + ?Sized>(
        &'a self,
        key: &'a str,
        value: &T,
    ) -> BoxFuture<'a, Result<Published, Error>> {
        of_value(value, |record| self.publish_record_at(key, record))
    }
}

pub(super) fn of_value<'a, T: Serialize + ?Sized>(
    value: &T,
    publish: impl FnOnce(Record) -> BoxFuture<'a, Result<Published, Error>>,
) -> BoxFuture<'a, Result<Published, Error>> {
    match Record::new(value) {
        Ok(record) => publish(record),
        Err(error) => Box::pin(async { Err(error) }),
    }
}

/// Methods that a publisher has of its own, so that its trait need not be imported for them, and the
/// trait by them.
macro_rules! publisher {
    ($type:ty, $($agreed:ident).+) => {
        impl $type {
            /// Publishes a value as a record.
            ///
            /// # Errors
            /// [`ErrorKind::Encode`](crate::ErrorKind::Encode) if it has no JSON (which is not
            /// counted), and as [`publish_record`](super::DataPublisher::publish_record).
            ///
            /// # Cancel safety
            /// As [`publish_record`](super::DataPublisher::publish_record).
            pub fn publish<T: serde::Serialize + ?Sized>(
                &self,
                value: &T,
            ) -> BoxFuture<'_, Result<Published, Error>> {
                super::publisher::of_value(value, |record| self.publish_record(record))
            }
        }

        impl super::DataPublisher for $type {
            fn name(&self) -> &str {
                self.desk.name()
            }

            fn destination(&self) -> &super::Destination {
                self.desk.destination()
            }

            #[cfg(feature = "schema")]
            fn contract(&self) -> Option<&crate::schema::Contract> {
                self.$($agreed).+.contract()
            }

            fn publish_record(&self, record: Record) -> BoxFuture<'_, Result<Published, Error>> {
                Box::pin(async move {
                    let pass = self.desk.enter()?;
                    let outcome = self.write(&pass.fanfare, None, record).await;
                    pass.count(&outcome);
                    outcome
                })
            }

            fn publish_record_at<'a>(
                &'a self,
                key: &'a str,
                record: Record,
            ) -> BoxFuture<'a, Result<Published, Error>> {
                Box::pin(async move {
                    let pass = self.desk.enter()?;
                    let outcome = self.write(&pass.fanfare, Some(key), record).await;
                    pass.count(&outcome);
                    outcome
                })
            }

            fn publish_records(
                &self,
                records: Vec<Record>,
            ) -> BoxFuture<'_, Vec<Result<Published, Error>>> {
                Box::pin(async move {
                    let pass = match self.desk.enter() {
                        Ok(pass) => pass,
                        Err(error) => return records.iter().map(|_| Err(error.clone())).collect(),
                    };
                    let outcomes = self.write_many(&pass.fanfare, records).await;
                    outcomes.iter().for_each(|outcome| pass.count(outcome));
                    outcomes
                })
            }

            fn start(&self) -> BoxFuture<'_, Result<(), Error>> {
                Box::pin(self.desk.start())
            }

            fn stop(&self) -> BoxFuture<'_, super::PublisherStats> {
                Box::pin(self.desk.stop())
            }

            fn is_running(&self) -> bool {
                self.desk.is_running()
            }

            fn stats(&self) -> super::PublisherStats {
                self.desk.stats()
            }
        }
    };
}
pub(super) use publisher;

/// What the broker said about a record that was published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// How many subscriptions the message, or the announcement of a key, was handed to. `None` for a
    /// stream. In a cluster only those of one node are counted.
    pub receivers: Option<u64>,
    /// The ID of the entry that was added: of a stream, or of a key's announcement on one.
    pub id: Option<StreamId>,
    /// The key that was written.
    pub key: Option<String>,
    /// The version that the key has now: see [`KeyValuePublisher`](super::KeyValuePublisher).
    pub version: Option<u64>,
}

/// The counts of a publisher, since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublisherStats {
    /// Records that the broker has acknowledged.
    pub published: u64,
    /// Records of which it is certain that they were not published.
    pub failed: u64,
    /// Records that failed and may have been published
    /// ([`Error::may_have_been_delivered`]).
    pub unknown: u64,
    /// When the broker last acknowledged one, by this program's clock.
    pub last_published_at: Option<SystemTime>,
    /// Whether it takes records.
    pub is_running: bool,
}

const TTL_MIN: Duration = Duration::from_millis(1);
/// Servers refuse an end that they can not count.
const TTL_MAX: Duration = Duration::from_secs(1_000 * 365 * 24 * 3_600);

/// A program's own way to a record's key.
type KeyFn = dyn Fn(&Record) -> Result<String, BoxError> + Send + Sync;

/// How a record's key is found.
#[derive(Clone)]
pub(super) enum KeyOf {
    Member(String),
    By(Arc<KeyFn>),
}

/// How a publisher is made. What does not fit the destination is refused.
///
/// # Example: values that live for an hour
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::{collections::HashMap, time::Duration};
/// use fanfare::data::PublisherOptions;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let options = PublisherOptions::new()
///     .name("sessions of the shop")
///     .ttl(Duration::from_secs(3_600))
///     .key_by(|record| Ok(format!("session:{}", record.text("user").ok_or("no user")?)));
/// let sessions = fanfare.data_publisher_with("key:sessions", options)?;
/// let published = sessions.publish(&HashMap::from([("user", "anna")])).await?;
/// assert_eq!(published.key.as_deref(), Some("session:anna"));
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct PublisherOptions {
    pub(super) name: Option<String>,
    pub(super) ttl: Option<Duration>,
    pub(super) announce: Option<Announce>,
    pub(super) key_of: Option<KeyOf>,
    pub(super) keep_key_member: bool,
    pub(super) keep: Option<Trim>,
    pub(super) agreed: Agreed,
}

impl PublisherOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it is called in logs and errors. Default: the destination.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How long values live, set in the command that writes them: 1 ms to 1,000 years. Default: for
    /// ever. For `key:` only.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Where changes are announced. Default: the channel with the destination's name. For `key:` only.
    pub fn announce(mut self, announce: Announce) -> Self {
        self.announce = Some(announce);
        self
    }

    /// Takes the key from another member than `__dagserver_key`. For `key:` only.
    pub fn key_member(mut self, member: impl Into<String>) -> Self {
        self.key_of = Some(KeyOf::Member(member.into()));
        self
    }

    /// Makes the key of each record by a function. An error is told to the caller as
    /// [`ErrorKind::InvalidRecord`], and nothing is written. For `key:` only.
    pub fn key_by(
        mut self,
        key: impl Fn(&Record) -> Result<String, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.key_of = Some(KeyOf::By(Arc::new(key)));
        self
    }

    /// Stores the member that has the key together with the rest. Default: it is taken out. For
    /// `key:` only.
    pub fn keep_key_member(mut self) -> Self {
        self.keep_key_member = true;
        self
    }

    /// What every entry that is added trims away. Default: nothing. For `stream:` only.
    pub fn keep(mut self, trim: Trim) -> Self {
        self.keep = Some(trim);
        self
    }

    /// Refuses to publish what does not fit, as [`ErrorKind::InvalidRecord`] with the place and the rule; nothing is
    /// written then. It is about what is written: the member that has a key is taken out before, unless it is
    /// [kept](Self::keep_key_member).
    #[cfg(feature = "schema")]
    pub fn contract(mut self, contract: impl Into<crate::schema::Contract>) -> Self {
        self.agreed = Agreed::on(contract);
        self
    }

    /// The name, and an error if there are options that are not for this destination.
    pub(super) fn name_for(&self, destination: &Destination) -> Result<String, Error> {
        let (is_key, is_stream) = match destination {
            Destination::Key(_) => (true, false),
            Destination::Stream(_) => (false, true),
            Destination::Channel(_) | Destination::Shard(_) | Destination::Pattern(_) => {
                (false, false)
            }
        };
        let for_keys = [
            ("ttl", self.ttl.is_some()),
            ("announce", self.announce.is_some()),
            ("a key", self.key_of.is_some()),
            ("keep_key_member", self.keep_key_member),
        ];
        let mut wrong = for_keys.iter().filter(|(_, is_set)| *is_set && !is_key);
        let wrong = wrong.next().map(|(option, _)| *option);
        if let Some(option) = wrong.or((self.keep.is_some() && !is_stream).then_some("keep")) {
            let message = format!("the option `{option}` means nothing for `{destination}`");
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        if let Some(ttl) = self.ttl
            && !(TTL_MIN..=TTL_MAX).contains(&ttl)
        {
            let message = format!(
                "a value must live for 1 ms to 1,000 years, and not for {ttl:?}; to let it live for \
                 ever, leave `ttl` out"
            );
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        Ok(self.name.clone().unwrap_or_else(|| destination.to_string()))
    }
}

impl fmt::Debug for PublisherOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublisherOptions").field("name", &self.name).finish_non_exhaustive()
    }
}
