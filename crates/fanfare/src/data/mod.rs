//! Publishers and subscribers of data, opened from a configured string.
//!
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use std::collections::HashMap;
//! use fanfare::{Fanfare, data::{Arrival, DataSubscriber}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fanfare::Error> {
//! let fanfare = Fanfare::connect("embedded:").await?;
//! let readings = fanfare.data_subscriber("redischannel://readings")?;
//! readings.start().await?;
//!
//! let publisher = fanfare.data_publisher("redischannel://readings")?;
//! publisher.publish(&HashMap::from([("kitchen", 21.5)])).await?;
//!
//! let Arrival::Record(received) = readings.recv().await? else { panic!("nothing is missing") };
//! assert_eq!(received.json::<HashMap<String, f64>>()?["kitchen"], 21.5);
//! readings.stop().await;
//! # Ok(()) }
//! ```
//!
//! A program holds a `Box<dyn `[`DataPublisher`]`>` or a `Box<dyn `[`DataSubscriber`]`>`, and where the
//! data goes is a matter of its configuration: see [`Destination`] for what can be written there.
//!
//! # Which one?
//!
//! | destination | publisher | subscriber | delivery |
//! |---|---|---|---|
//! | `channel:`, `shard:`, `pattern:` | [`ChannelPublisher`] | [`ChannelSubscriber`] | at most once, to those who are there; gaps are shown |
//! | `stream:` | [`StreamPublisher`] | [`StreamSubscriber`] | what there is, and then what comes, exactly once to each subscriber |
//! | `key:` | [`KeyValuePublisher`] | [`KeySubscriber`] | the newest value of each key stays; its changes are announced |
//!
//! Records are JSON ([`Record`]). For values of one type, other encodings, more throughput and routing
//! to several handlers there are [`Publisher`](crate::Publisher), [`Router`](crate::Router),
//! [`Stream`](crate::stream::Stream) and [`Worker`](crate::worker::Worker).
//!
//! # Connections
//! What is made on a [`Fanfare`] uses its connections, and leaves them open. What is opened from a whole
//! URL has its own, from each start to the next stop.

mod announced;
mod channel;
mod desk;
mod destination;
mod feed;
mod key_value;
mod publisher;
mod record;
mod source;
mod stream;
mod subscriber;
mod subscribers;
mod value;

use fanfare_client::{Error, ErrorKind, Options};

pub use channel::ChannelPublisher;
pub use destination::Destination;
pub use key_value::{Announce, KeyValuePublisher};
pub use publisher::{DataPublisher, Published, PublisherOptions, PublisherStats};
pub use record::Record;
pub use stream::StreamPublisher;
pub use subscriber::{
    Arrival, DataSubscriber, Missing, Received, SubscriberOptions, SubscriberStats, Undecodable,
};
pub use subscribers::{ChannelSubscriber, KeySubscriber, StreamSubscriber};
pub use value::Versioned;

use self::desk::Home;
use crate::{Fanfare, fanfare};

/// Connects to the broker that a URL names, and makes a publisher to the destination behind its `#`.
/// It has its own connections, which a stop closes.
///
/// # Errors
/// [`ErrorKind::InvalidUrl`] if the URL lacks a broker or a destination, or can be read in two ways
/// (see [`Destination`]); otherwise as [`Fanfare::connect`] and
/// [`Fanfare::data_publisher`].
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// // Or redis://user:password@host:6379/0#channel:alerts
/// let alerts = fanfare::data::open_publisher("embedded:#channel:alerts").await?;
/// alerts.publish(&["the disk is full"]).await?;
/// alerts.stop().await;
/// # Ok(()) }
/// ```
pub async fn open_publisher(url: &str) -> Result<Box<dyn DataPublisher>, Error> {
    open_publisher_with(url, PublisherOptions::new()).await
}

/// The same with options.
///
/// # Errors
/// As [`open_publisher`].
pub async fn open_publisher_with(
    url: &str,
    options: PublisherOptions,
) -> Result<Box<dyn DataPublisher>, Error> {
    let (home, destination) = home(url)?;
    options.name_for(&destination)?;
    let fanfare = home.open().await?;
    publisher(fanfare, home, destination, options)
}

/// Makes a subscriber to the destination behind a URL's `#`. It connects to the broker that the URL
/// names when it is started, and closes its connections when it is stopped.
///
/// # Errors
/// As [`open_publisher`], but for what only a server can tell.
///
/// # Panics
/// Outside a tokio runtime.
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let orders = fanfare::data::open_subscriber("embedded:#stream:orders")?;
/// orders.start().await?;
/// assert!(orders.is_running() && orders.try_recv()?.is_none());
/// orders.stop().await;
/// # Ok(()) }
/// ```
pub fn open_subscriber(url: &str) -> Result<Box<dyn DataSubscriber>, Error> {
    open_subscriber_with(url, SubscriberOptions::new())
}

/// The same with options.
///
/// # Errors
/// As [`open_subscriber`].
pub fn open_subscriber_with(
    url: &str,
    options: SubscriberOptions,
) -> Result<Box<dyn DataSubscriber>, Error> {
    let (server, destination) = destination::split(url)?;
    let link = fanfare::parse(server)?;
    subscriber(&link, Home::Own(Box::new(link.clone())), destination, options)
}

impl Fanfare {
    /// A publisher to a destination, on this handle's connections: see [`DataPublisher`] for an
    /// example. It runs.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUrl`] if this is no [`Destination`], or a whole URL;
    /// [`ErrorKind::InvalidOption`] if nothing can be published there: to a pattern, or to a channel
    /// where the URL names a database other than 0.
    pub fn data_publisher(&self, destination: &str) -> Result<Box<dyn DataPublisher>, Error> {
        self.data_publisher_with(destination, PublisherOptions::new())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`data_publisher`](Self::data_publisher), and [`ErrorKind::InvalidOption`] if an option is
    /// not for this destination.
    pub fn data_publisher_with(
        &self,
        destination: &str,
        options: PublisherOptions,
    ) -> Result<Box<dyn DataPublisher>, Error> {
        publisher(self.in_same_lane(), Home::Shared(self.clone()), destination.parse()?, options)
    }

    /// A subscriber to a destination, on this handle's connections: see [`DataSubscriber`] for an
    /// example. It is not yet started.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUrl`] if this is no [`Destination`], or a whole URL;
    /// [`ErrorKind::InvalidOption`] for a channel where the URL names a database other than 0.
    pub fn data_subscriber(&self, destination: &str) -> Result<Box<dyn DataSubscriber>, Error> {
        self.data_subscriber_with(destination, SubscriberOptions::new())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`data_subscriber`](Self::data_subscriber), and [`ErrorKind::InvalidOption`] if an option is
    /// not for this destination.
    pub fn data_subscriber_with(
        &self,
        destination: &str,
        options: SubscriberOptions,
    ) -> Result<Box<dyn DataSubscriber>, Error> {
        let home = Home::Shared(self.clone());
        subscriber(self.link().options(), home, destination.parse()?, options)
    }
}

fn home(url: &str) -> Result<(Home, Destination), Error> {
    let (server, destination) = destination::split(url)?;
    Ok((Home::Own(Box::new(fanfare::parse(server)?)), destination))
}

fn publisher(
    fanfare: Fanfare,
    home: Home,
    destination: Destination,
    options: PublisherOptions,
) -> Result<Box<dyn DataPublisher>, Error> {
    Ok(match &destination {
        Destination::Channel(_) | Destination::Shard(_) => {
            Box::new(ChannelPublisher::open(fanfare, home, destination, &options)?)
        }
        Destination::Stream(_) => {
            Box::new(StreamPublisher::open(fanfare, home, destination, &options)?)
        }
        Destination::Key(_) => {
            Box::new(KeyValuePublisher::open(fanfare, home, destination, options)?)
        }
        Destination::Pattern(_) => {
            return Err(Error::new(
                ErrorKind::InvalidOption,
                format!("`{destination}` can be subscribed to, and not published to"),
            ));
        }
    })
}

fn subscriber(
    link: &Options,
    home: Home,
    destination: Destination,
    options: SubscriberOptions,
) -> Result<Box<dyn DataSubscriber>, Error> {
    Ok(match &destination {
        Destination::Channel(_) | Destination::Pattern(_) | Destination::Shard(_) => {
            Box::new(ChannelSubscriber::open(link, home, destination, options)?)
        }
        Destination::Stream(_) => Box::new(StreamSubscriber::open(home, destination, options)?),
        Destination::Key(_) => Box::new(KeySubscriber::open(link, home, destination, options)?),
    })
}
