//! Publishing records to a stream.

use fanfare_client::{Error, ErrorKind};
use futures_util::future::BoxFuture;

use super::{
    DataPublisher, Destination, Published, PublisherOptions, Record,
    channel::no_key,
    desk::{Desk, Home},
    publisher::publisher,
};
use crate::{
    Fanfare,
    agreed::Agreed,
    stream::{Stream, StreamId, Trim},
};

/// The field of an entry that has the record.
pub(super) const FIELD: &str = "data";

/// Adds records to a stream, each as one entry with its JSON in the field `data`.
///
/// The stream keeps them until they are trimmed
/// ([`PublisherOptions::keep`](super::PublisherOptions::keep)), so a reader that comes later, or whose
/// connection was lost, misses nothing that is still there. An entry is added at most once: what an
/// error leaves open is told by
/// [`Error::may_have_been_delivered`](crate::Error::may_have_been_delivered).
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{data::{DataPublisher, Destination, PublisherOptions, StreamPublisher}, stream::Trim};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let stream = Destination::Stream("data of orders".into());
/// let options = PublisherOptions::new().keep(Trim::maxlen(1_000_000).approximate());
/// let orders = StreamPublisher::new(&fanfare, stream, options)?;
/// let published = orders.publish(&[1, 2, 3]).await?;
/// let entries = fanfare.stream("data of orders").range(.., None).await?;
/// assert_eq!((Some(entries[0].id), entries[0].text("data")?), (published.id, "[1,2,3]"));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct StreamPublisher {
    desk: Desk,
    keep: Option<Trim>,
    agreed: Agreed,
}

impl StreamPublisher {
    /// A publisher on the connections of a handle. It runs.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] if the destination is no stream, or an option is not for streams.
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
        if !matches!(destination, Destination::Stream(_)) {
            let message = format!("`{destination}` is no stream");
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        Ok(Self {
            desk: Desk::new(name, destination, home, fanfare),
            keep: options.keep,
            agreed: options.agreed.clone(),
        })
    }

    fn stream(&self, fanfare: &Fanfare) -> Stream {
        let stream = fanfare.stream(self.desk.destination().name());
        Stream {
            fanfare: fanfare.in_same_lane(),
            keep: self.keep,
            agreed: self.agreed.clone(),
            ..stream
        }
    }

    async fn write(
        &self,
        fanfare: &Fanfare,
        key: Option<&str>,
        record: Record,
    ) -> Result<Published, Error> {
        no_key(key, self.desk.destination())?;
        self.stream(fanfare).add([(FIELD, record.payload())]).await.map(published)
    }

    async fn write_many(
        &self,
        fanfare: &Fanfare,
        records: Vec<Record>,
    ) -> Vec<Result<Published, Error>> {
        let entries: Vec<_> = records.iter().map(|it| [(FIELD, it.payload().clone())]).collect();
        let added = self.stream(fanfare).add_batch(entries).await;
        added.into_iter().map(|outcome| outcome.map(published)).collect()
    }
}

publisher!(StreamPublisher, agreed);

fn published(id: StreamId) -> Published {
    Published { id: Some(id), ..Published::default() }
}
