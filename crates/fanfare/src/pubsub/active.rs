//! Which channels have subscribers, and how many.

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Kind, Value};

use crate::Fanfare;

/// A channel that somebody is subscribed to by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveChannel {
    /// The channel.
    pub name: Bytes,
    /// How many clients are subscribed to it. Those of patterns do not count.
    pub n_subscribers: u64,
}

/// What was found of the channels that have subscribers.
#[derive(Debug, Default)]
pub(crate) struct Active {
    pub(crate) channels: Vec<ActiveChannel>,
    /// How many more there are.
    pub(crate) more: u64,
    /// How many were left out.
    pub(crate) left_out: u64,
}

impl Fanfare {
    /// The channels that match a glob pattern and have subscribers, by their names. Takes two round
    /// trips, however many there are; of a cluster, the counts of all nodes are added up.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    ///
    /// # Example: who listens?
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let _news = fanfare.subscribe(["news.sport", "news.weather"]).await?;
    /// for channel in fanfare.active_channels("news.*").await? {
    ///     assert_eq!(channel.n_subscribers, 1);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn active_channels(
        &self,
        pattern: impl AsRef<[u8]>,
    ) -> Result<Vec<ActiveChannel>, Error> {
        Ok(self.active_bounded(false, pattern.as_ref(), usize::MAX, |_| false).await?.channels)
    }

    /// The same of sharded channels. A server without them (before Redis 7.0) answers with an error.
    ///
    /// # Errors
    /// As [`active_channels`](Self::active_channels).
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn active_sharded_channels(
        &self,
        pattern: impl AsRef<[u8]>,
    ) -> Result<Vec<ActiveChannel>, Error> {
        Ok(self.active_bounded(true, pattern.as_ref(), usize::MAX, |_| false).await?.channels)
    }

    /// How many clients are subscribed to each of these channels (or sharded channels), in their
    /// order, in one round trip. For [`Kind::Pattern`] there is no such count.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for patterns, and as [`command`](Self::command).
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn count_subscribers<N: AsRef<[u8]>>(
        &self,
        kind: Kind,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Vec<u64>, Error> {
        let count = match kind {
            Kind::Channel => "NUMSUB",
            Kind::Shard => "SHARDNUMSUB",
            Kind::Pattern => {
                let message = "servers do not tell how many subscribe to a pattern";
                return Err(Error::new(ErrorKind::InvalidRequest, message));
            }
        };
        let names: Vec<N> = names.into_iter().collect();
        let names = names.iter().map(|name| self.channel(name.as_ref()));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let names: Vec<&[u8]> = names.iter().map(AsRef::as_ref).collect();
        let channels = self.counts(count, &names).await?;
        Ok(channels.into_iter().map(|channel| channel.n_subscribers).collect())
    }

    /// The same of at most so many channels, without some.
    pub(crate) async fn active_bounded(
        &self,
        is_sharded: bool,
        pattern: &[u8],
        n_max: usize,
        is_left_out: fn(&[u8]) -> bool,
    ) -> Result<Active, Error> {
        let [list, count] = match is_sharded {
            true => ["SHARDCHANNELS", "SHARDNUMSUB"],
            false => ["CHANNELS", "NUMSUB"],
        };
        let pattern = self.channel(pattern)?;
        let names = self.command([b"PUBSUB", list.as_bytes(), &pattern]).await?;
        let names = names.into_array().ok_or_else(unexpected)?;
        let mut names: Vec<&[u8]> = names.iter().filter_map(Value::as_bytes).collect();
        let n_found = names.len();
        names.retain(|it| !is_left_out(self.link().options().names().short(it)));
        let left_out = (n_found - names.len()) as u64;
        names.sort_unstable();
        let more = names.len().saturating_sub(n_max) as u64;
        names.truncate(n_max);
        let mut channels = self.counts(count, &names).await?;
        // Somebody may have left between the two.
        channels.retain(|channel| 0 < channel.n_subscribers);
        Ok(Active { channels, more, left_out })
    }

    async fn counts(&self, count: &str, names: &[&[u8]]) -> Result<Vec<ActiveChannel>, Error> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let words = [&b"PUBSUB"[..], count.as_bytes()];
        let counts = self.command(words.iter().chain(names)).await?;
        let counts = counts.into_array().ok_or_else(unexpected)?;
        let channels: Option<Vec<ActiveChannel>> = counts
            .chunks(2)
            .map(|pair| {
                let mut name = Bytes::copy_from_slice(pair.first()?.as_bytes()?);
                self.link().options().names().strip(&mut name);
                let n_subscribers = u64::try_from(pair.get(1)?.as_int()?).ok()?;
                Some(ActiveChannel { name, n_subscribers })
            })
            .collect();
        channels.filter(|it| it.len() == names.len()).ok_or_else(unexpected)
    }
}

fn unexpected() -> Error {
    Error::new(ErrorKind::Protocol, "the server's answer to PUBSUB is not a list of channels")
}
