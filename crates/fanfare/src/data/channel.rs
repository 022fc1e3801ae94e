//! Publishing records to a channel.

use fanfare_client::{Error, ErrorKind};
use futures_util::future::BoxFuture;

use super::{
    DataPublisher, Destination, Published, PublisherOptions, Record,
    desk::{Desk, Home},
    publisher::publisher,
};
use crate::{Fanfare, agreed::Agreed, batch::Batch, pubsub::receivers};

/// Publishes records as JSON to a channel or a sharded channel.
///
/// Delivery is at most once: who is not subscribed when the message arrives at the broker never sees
/// it. [`Published::receivers`] says how many subscriptions got it (in a cluster, those of one node).
/// When the connection is lost, an error says whether the message may have been delivered, and it is
/// never sent again by itself.
///
/// Channels know no databases, so they are refused where the URL has one other than 0.
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::data::{ChannelPublisher, DataPublisher, Destination, PublisherOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let channel = Destination::Channel("alerts".into());
/// let alerts = ChannelPublisher::new(&fanfare, channel, PublisherOptions::new())?;
/// let published = alerts.publish(&["the disk is full"]).await?;
/// assert_eq!((published.receivers, alerts.stats().published), (Some(0), 1));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ChannelPublisher {
    desk: Desk,
    agreed: Agreed,
}

impl ChannelPublisher {
    /// A publisher on the connections of a handle. It runs.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] if the destination is neither a channel nor a sharded channel, if
    /// the URL names a database other than 0, or if an option is not for channels.
    pub fn new(
        fanfare: &Fanfare,
        destination: Destination,
        options: PublisherOptions,
    ) -> Result<Self, Error> {
        Self::open(fanfare.in_same_lane(), Home::Shared(fanfare.clone()), destination, &options)
    }

    pub(super) fn open(
        fanfare: Fanfare,
        home: Home,
        destination: Destination,
        options: &PublisherOptions,
    ) -> Result<Self, Error> {
        let name = options.name_for(&destination)?;
        if !matches!(destination, Destination::Channel(_) | Destination::Shard(_)) {
            let message = format!("`{destination}` is no channel that can be published to");
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        fanfare.link().check_channels()?;
        let agreed = options.agreed.clone();
        Ok(Self { desk: Desk::new(name, destination, home, fanfare), agreed })
    }

    fn verb(&self) -> &'static [u8] {
        match self.desk.destination() {
            Destination::Shard(_) => b"SPUBLISH",
            Destination::Channel(_)
            | Destination::Pattern(_)
            | Destination::Stream(_)
            | Destination::Key(_) => b"PUBLISH",
        }
    }

    async fn write(
        &self,
        fanfare: &Fanfare,
        key: Option<&str>,
        record: Record,
    ) -> Result<Published, Error> {
        no_key(key, self.desk.destination())?;
        self.agreed.check_json(record.payload())?;
        let channel = self.desk.destination().name().as_bytes();
        fanfare.publish_by(self.verb(), channel, record.payload()).await.map(published)
    }

    async fn write_many(
        &self,
        fanfare: &Fanfare,
        records: Vec<Record>,
    ) -> Vec<Result<Published, Error>> {
        let mut batch = Batch::new(fanfare, |reply| receivers(reply).map(published));
        for record in records {
            let channel = fanfare.channel(self.desk.destination().name().as_bytes());
            let checked = self.agreed.check_json(record.payload());
            match checked.and(channel) {
                Ok(channel) => batch.push([self.verb(), &channel, record.payload()]).await,
                Err(error) => batch.refuse(error).await,
            }
        }
        batch.finish().await
    }
}

publisher!(ChannelPublisher, agreed);

fn published(receivers: u64) -> Published {
    Published { receivers: Some(receivers), ..Published::default() }
}

/// Refuses a key where there are none.
pub(super) fn no_key(key: Option<&str>, destination: &Destination) -> Result<(), Error> {
    match key {
        None => Ok(()),
        Some(_) => Err(Error::new(
            ErrorKind::InvalidRecord,
            format!("`{destination}` has no keys: publish the record without one"),
        )),
    }
}
