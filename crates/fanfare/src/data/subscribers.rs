//! The subscribers, by where their data comes from.

use fanfare_client::{Error, ErrorKind, Kind, Options};

use super::{Announce, Destination, SubscriberOptions, desk::Home, feed::Feed, source::Plan};
use crate::{Fanfare, stream::Position};

/// Receives the records that are published on a channel, on a sharded channel, or on all channels
/// that match a pattern.
///
/// Delivery is at most once, in the order of the broker. The queue is bounded
/// ([`queue`](SubscriberOptions::queue)): what does not fit is counted and shown as
/// [`Missing::Dropped`](super::Missing::Dropped). After a lost connection the subscription comes back
/// by itself, with [`Missing::Outage`](super::Missing::Outage) in its place. What is published between
/// a stop and the next start does not arrive and is not counted.
///
/// Channels know no databases, so they are refused where the URL has one other than 0.
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::data::{Arrival, ChannelSubscriber, DataSubscriber, Destination, SubscriberOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let logs = Destination::Pattern("log.*".into());
/// let logs = ChannelSubscriber::new(&fanfare, logs, SubscriberOptions::new())?;
/// logs.start().await?;
/// fanfare.publish_json("log.errors", &["the disk is full"]).await?;
/// let Arrival::Record(received) = logs.recv().await? else { panic!("nothing is missing") };
/// assert_eq!(received.source, "log.errors");
/// assert_eq!(received.json::<Vec<String>>()?, ["the disk is full"]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ChannelSubscriber {
    feed: Feed,
}

/// Receives the records of a stream: those that it has, then those that are added.
///
/// Each entry arrives exactly once at this value, in order, over lost connections, restarts of the
/// server, and stops and starts of the subscriber, as long as the stream still has it; what was
/// trimmed away unread is [`Missing::Trimmed`](super::Missing::Trimmed), a stream that was replaced
/// [`Missing::Reset`](super::Missing::Reset). What is promised on which server is told in
/// [`fanfare::stream`](crate::stream). Nothing is acknowledged: another process that starts reads all
/// of it again; a [`Worker`](crate::worker::Worker) shares the entries among several.
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::data::{Arrival, DataSubscriber, Destination, StreamSubscriber, SubscriberOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// fanfare.data_publisher("stream:bills")?.publish(&["tea", "3.20"]).await?;
/// let bills = Destination::Stream("bills".into());
/// let bills = StreamSubscriber::new(&fanfare, bills, SubscriberOptions::new())?;
/// bills.start().await?;
/// let Arrival::Record(received) = bills.recv().await? else { panic!("nothing is missing") };
/// assert_eq!(received.payload, r#"["tea","3.20"]"#);
/// assert!(received.id.is_some());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct StreamSubscriber {
    feed: Feed,
}

/// Follows what [`KeyValuePublisher`](super::KeyValuePublisher)s announce, and reads the values.
///
/// Values that are announced one behind the other are read together, up to 64 of them, or as many as take 1 MiB if
/// they are as large as the last ones. A record is the newest value of its key when it is read, with its
/// [`version`](super::Received::version): values that are overwritten sooner are passed over, and each
/// version comes at most once (of the last 65,536 keys). A value that is gone when it is read, or was
/// delivered already, counts as [`outdated`](super::SubscriberStats::outdated).
///
/// Announcements come as messages of a channel, at most once, with gaps shown; or, if publishers and
/// this are told so ([`announced`](SubscriberOptions::announced)), as entries of a stream, which keeps
/// them. After a gap, ask for the keys that matter by
/// [`Fanfare::data_value`](crate::Fanfare::data_value).
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::data::{Arrival, DataSubscriber, Destination, KeySubscriber, SubscriberOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let prices = Destination::Key("prices".into());
/// let changes = KeySubscriber::new(&fanfare, prices, SubscriberOptions::new())?;
/// changes.start().await?;
/// let publisher = fanfare.data_publisher("key:prices")?;
/// let published = publisher.publish_at("price:tea", &3.2).await?;
/// let Arrival::Record(received) = changes.recv().await? else { panic!("nothing is missing") };
/// assert_eq!((received.source, received.version), ("price:tea".into(), published.version));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct KeySubscriber {
    feed: Feed,
}

impl ChannelSubscriber {
    /// A subscriber on the connections of a handle, not yet started.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] if the destination is not one of channels, if the URL names a
    /// database other than 0, or if an option is not for channels.
    pub fn new(
        fanfare: &Fanfare,
        destination: Destination,
        options: SubscriberOptions,
    ) -> Result<Self, Error> {
        let link = fanfare.link().options();
        Self::open(link, Home::Shared(fanfare.clone()), destination, options)
    }

    pub(super) fn open(
        link: &Options,
        home: Home,
        destination: Destination,
        options: SubscriberOptions,
    ) -> Result<Self, Error> {
        let (kind, name) = match &destination {
            Destination::Channel(name) => (Kind::Channel, name.clone()),
            Destination::Pattern(name) => (Kind::Pattern, name.clone()),
            Destination::Shard(name) => (Kind::Shard, name.clone()),
            Destination::Stream(_) | Destination::Key(_) => return Err(not_for(&destination)),
        };
        refuse("from", options.from.is_some(), &destination)?;
        refuse("announced", options.announced.is_some(), &destination)?;
        let plan = names(link, kind, name, &options)?;
        Ok(Self { feed: Feed::new(home, destination, plan, options) })
    }
}

impl StreamSubscriber {
    /// A subscriber on the connections of a handle, not yet started.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] if the destination is no stream, or an option is not for streams.
    pub fn new(
        fanfare: &Fanfare,
        destination: Destination,
        options: SubscriberOptions,
    ) -> Result<Self, Error> {
        Self::open(Home::Shared(fanfare.clone()), destination, options)
    }

    pub(super) fn open(
        home: Home,
        destination: Destination,
        options: SubscriberOptions,
    ) -> Result<Self, Error> {
        let Destination::Stream(key) = &destination else {
            return Err(not_for(&destination));
        };
        refuse("announced", options.announced.is_some(), &destination)?;
        let plan = stream(key.clone(), &options);
        Ok(Self { feed: Feed::new(home, destination, plan, options) })
    }
}

impl KeySubscriber {
    /// A subscriber on the connections of a handle, not yet started.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] if the destination is not one of keys, if nothing is announced, if
    /// the announcements are on a channel and the URL names a database other than 0, or if an option
    /// can not work.
    pub fn new(
        fanfare: &Fanfare,
        destination: Destination,
        options: SubscriberOptions,
    ) -> Result<Self, Error> {
        let link = fanfare.link().options();
        Self::open(link, Home::Shared(fanfare.clone()), destination, options)
    }

    pub(super) fn open(
        link: &Options,
        home: Home,
        destination: Destination,
        options: SubscriberOptions,
    ) -> Result<Self, Error> {
        let Destination::Key(set) = &destination else {
            return Err(not_for(&destination));
        };
        let plan = match &options.announced {
            Some(Announce::Stream { key, .. }) => stream(key.clone(), &options),
            Some(Announce::Nowhere) => {
                let message = "what is announced nowhere can not be followed";
                return Err(Error::new(ErrorKind::InvalidOption, message));
            }
            on_channel => {
                refuse("from", options.from.is_some(), &destination)?;
                let name = match on_channel {
                    Some(Announce::Channel(name)) => name.clone(),
                    Some(Announce::Nowhere | Announce::Stream { .. }) | None => set.clone(),
                };
                names(link, Kind::Channel, name, &options)?
            }
        };
        Ok(Self { feed: Feed::new(home, destination, plan, options) })
    }
}

macro_rules! subscribers {
    ($($type:ty),*) => {$(
        impl super::DataSubscriber for $type {
            fn name(&self) -> &str {
                self.feed.name()
            }

            fn destination(&self) -> &Destination {
                self.feed.destination()
            }

            fn start(&self) -> futures_util::future::BoxFuture<'_, Result<(), Error>> {
                Box::pin(self.feed.start())
            }

            fn stop(&self) -> futures_util::future::BoxFuture<'_, super::SubscriberStats> {
                Box::pin(self.feed.stop())
            }

            fn is_running(&self) -> bool {
                self.feed.is_running()
            }

            fn recv(&self) -> futures_util::future::BoxFuture<'_, Result<super::Arrival, Error>> {
                Box::pin(self.feed.recv())
            }

            fn try_recv(&self) -> Result<Option<super::Arrival>, Error> {
                self.feed.try_recv()
            }

            fn stats(&self) -> super::SubscriberStats {
                self.feed.stats()
            }
        }
    )*};
}

subscribers!(ChannelSubscriber, StreamSubscriber, KeySubscriber);

fn names(
    link: &Options,
    kind: Kind,
    name: String,
    options: &SubscriberOptions,
) -> Result<Plan, Error> {
    link.check_channels()?;
    let queue = options.queue.unwrap_or_else(|| link.default_queue());
    Ok(Plan::Names { kind, name, queue })
}

fn stream(key: String, options: &SubscriberOptions) -> Plan {
    Plan::Stream { key, from: options.from.unwrap_or(Position::Start), queue: options.queue }
}

fn refuse(option: &str, is_set: bool, destination: &Destination) -> Result<(), Error> {
    if !is_set {
        return Ok(());
    }
    let message = format!("the option `{option}` means nothing for `{destination}`");
    Err(Error::new(ErrorKind::InvalidOption, message))
}

fn not_for(destination: &Destination) -> Error {
    let message = format!("this subscriber is not for `{destination}`");
    Error::new(ErrorKind::InvalidOption, message)
}
