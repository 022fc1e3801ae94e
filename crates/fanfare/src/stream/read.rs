//! Reading: a range of entries, and all that come.

use std::ops::{Bound, RangeBounds};

use fanfare_client::{Error, stream::entries};

use crate::stream::{Entry, Position, Stream, StreamId, Tail};

impl Stream {
    /// The entries with these IDs, oldest first; of more than `count`, the oldest.
    ///
    /// They come in one answer and are held in memory at once: read a long stream piece by piece,
    /// or with a [`tail`](Self::tail).
    ///
    /// # Errors
    /// As [`len`](Self::len).
    ///
    /// # Example: piece by piece
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use std::ops::Bound;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let stream = fanfare.stream("pages");
    /// stream.add_batch((0..25).map(|n| [("n", n.to_string())])).await;
    /// let (mut n_read, mut from) = (0, Bound::Unbounded);
    /// loop {
    ///     let page = stream.range((from, Bound::Unbounded), Some(10)).await?;
    ///     let Some(last) = page.last() else { break };
    ///     n_read += page.len();
    ///     from = Bound::Excluded(last.id);
    /// }
    /// assert_eq!(n_read, 25);
    /// # Ok(()) }
    /// ```
    pub async fn range(
        &self,
        ids: impl RangeBounds<StreamId>,
        count: Option<u64>,
    ) -> Result<Vec<Entry>, Error> {
        self.range_by(b"XRANGE", [low(&ids), high(&ids)], count).await
    }

    /// The entries with these IDs, newest first; of more than `count`, the newest.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    ///
    /// # Example: the last one
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let stream = fanfare.stream("last");
    /// stream.add([("n", "1")]).await?;
    /// let id = stream.add([("n", "2")]).await?;
    /// let newest = stream.rev_range(.., Some(1)).await?;
    /// assert_eq!((newest.len(), newest[0].id), (1, id));
    /// # Ok(()) }
    /// ```
    pub async fn rev_range(
        &self,
        ids: impl RangeBounds<StreamId>,
        count: Option<u64>,
    ) -> Result<Vec<Entry>, Error> {
        self.range_by(b"XREVRANGE", [high(&ids), low(&ids)], count).await
    }

    /// Follows the stream: its entries from `start` on, and then those that are added, for ever.
    ///
    /// What is promised, and on which server, is told in the [module's documentation](crate::stream).
    /// The stream need not exist. Returns after the server has answered the first read: with
    /// [`Position::New`], what is added from then on arrives. With [`Position::After`], an ID above
    /// the last one is that of another stream: a [`Delivery::Reset`](crate::stream::Delivery::Reset)
    /// comes first, and then everything.
    ///
    /// # Errors
    /// [`ErrorKind::Server`](crate::ErrorKind::Server) if the server refuses (`WRONGTYPE`, `NOPERM`);
    /// [`ErrorKind::NotConnected`](crate::ErrorKind::NotConnected) if it did not answer in time;
    /// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption) if the queue could hold nothing.
    /// Later the tail does not end: what the server refuses then is a
    /// [`Delivery::Down`](crate::stream::Delivery::Down), and tried again.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    ///
    /// # Example: go on where another program was
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # use fanfare::stream::{Delivery, Position};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let stream = fanfare.stream("jobs");
    /// let done = stream.add([("job", "1")]).await?;
    /// stream.add([("job", "2")]).await?;
    /// let mut tail = stream.tail(Position::After(done)).await?;
    /// match tail.next_delivery().await {
    ///     Some(Delivery::Entry(entry)) => assert_eq!(entry.text("job")?, "2"),
    ///     Some(Delivery::Gap { upto, .. }) => println!("trimmed away unread, up to {upto}"),
    ///     other => println!("{other:?}"),
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn tail(&self, start: impl Into<Position>) -> Result<Tail, Error> {
        let (entries_max, bytes_max) = self.queue;
        let link = self.fanfare.link();
        link.tail(self.key.clone(), start.into(), entries_max, bytes_max).await
    }

    async fn range_by(
        &self,
        verb: &[u8],
        [from, to]: [String; 2],
        count: Option<u64>,
    ) -> Result<Vec<Entry>, Error> {
        let mut args = vec![verb, &self.key, from.as_bytes(), to.as_bytes()];
        let count = count.map(|count| count.to_string());
        if let Some(count) = &count {
            args.extend([&b"COUNT"[..], count.as_bytes()]);
        }
        entries(self.call(&args).await?)
    }
}

fn low(ids: &impl RangeBounds<StreamId>) -> String {
    bound(ids.start_bound(), "-")
}

fn high(ids: &impl RangeBounds<StreamId>) -> String {
    bound(ids.end_bound(), "+")
}

fn bound(bound: Bound<&StreamId>, end: &str) -> String {
    match bound {
        Bound::Included(id) => id.to_string(),
        Bound::Excluded(id) => format!("({id}"),
        Bound::Unbounded => end.to_owned(),
    }
}
