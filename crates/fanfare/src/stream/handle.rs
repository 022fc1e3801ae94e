//! The handle of one stream.

use std::fmt;

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Value};

use crate::{
    Fanfare,
    agreed::Agreed,
    stream::{StreamId, Trim},
};

/// A stream of the broker, by its key. Made by [`Fanfare::stream`]; nothing is sent for that, and
/// the stream need not exist.
///
/// Cheap to clone. Commands go over the connection that all commands share; each
/// [`tail`](Self::tail) has its own.
#[derive(Clone)]
pub struct Stream {
    pub(crate) fanfare: Fanfare,
    /// With the namespace.
    pub(crate) key: Bytes,
    pub(crate) keep: Option<Trim>,
    pub(crate) queue: (usize, usize),
    pub(crate) agreed: Agreed,
}

impl Fanfare {
    /// The stream at a key of the URL's database, behind the namespace if there is one.
    ///
    /// # Example: add and read
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let stream = fanfare.stream("temperatures");
    /// let id = stream.add([("room", "kitchen"), ("celsius", "21")]).await?;
    /// let entries = stream.range(id.., None).await?;
    /// assert_eq!(entries[0].text("celsius")?, "21");
    /// # Ok(()) }
    /// ```
    pub fn stream(&self, key: impl AsRef<[u8]>) -> Stream {
        let key = self.link().options().names().full(Bytes::copy_from_slice(key.as_ref()));
        Stream {
            fanfare: self.clone(),
            key,
            keep: None,
            queue: (16_384, 16 * 1024 * 1024),
            agreed: Agreed::default(),
        }
    }
}

impl Stream {
    /// The key, without the namespace.
    pub fn key(&self) -> &[u8] {
        self.fanfare.link().options().names().short(&self.key)
    }

    /// What every add from now on trims away. Default: nothing.
    #[must_use]
    pub fn keep(mut self, trim: Trim) -> Self {
        self.keep = Some(trim);
        self
    }

    /// Bounds the queue of the tails that are made from now on, in entries and bytes. Default:
    /// 16,384 entries and 16 MiB, counting fields and values, 128 bytes for each entry and 64 for
    /// each field.
    ///
    /// One more answer of the server may come on top: it is asked for at most 1,000 entries, and
    /// for as many as fit if they are as large as the last ones.
    #[must_use]
    pub fn queue(mut self, entries_max: usize, bytes_max: usize) -> Self {
        self.queue = (entries_max, bytes_max);
        self
    }

    /// Refuses to add what does not fit, as [`ErrorKind::InvalidRecord`] with the place and the rule; nothing is sent
    /// then. An entry is an [`Envelope`](crate::Envelope), or has one field, whose value is the data.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn contract(mut self, contract: impl Into<crate::schema::Contract>) -> Self {
        self.agreed = Agreed::on(contract);
        self
    }

    /// How many entries there are; 0 if there is no stream.
    ///
    /// # Errors
    /// As [`Fanfare::command`]; [`ErrorKind::Server`] with `WRONGTYPE` if the key holds something
    /// else.
    pub async fn len(&self) -> Result<u64, Error> {
        count(self.call(&[b"XLEN", &self.key]).await?)
    }

    /// Whether there are no entries.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    pub async fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.len().await? == 0)
    }

    /// Trims the stream, and returns how many entries that removed.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    ///
    /// # Example: the newest ten
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # use fanfare::stream::Trim;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let stream = fanfare.stream("log");
    /// stream.add_batch((0..15).map(|n| [("n", n.to_string())])).await;
    /// assert_eq!(stream.trim(Trim::maxlen(10)).await?, 5);
    /// # Ok(()) }
    /// ```
    pub async fn trim(&self, trim: Trim) -> Result<u64, Error> {
        let mut args = vec![b"XTRIM".to_vec(), self.key.to_vec()];
        trim.write(&mut args);
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        count(self.call(&args).await?)
    }

    /// Trims the stream until the server says that it takes at most so many bytes of memory
    /// (`MEMORY USAGE`, which estimates), and returns how many entries that removed. Servers have no
    /// policy of this kind for [`keep`](Self::keep), so call it now and then.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    ///
    /// # Cancel safety
    /// Dropping the future does not take back what has been trimmed.
    ///
    /// # Example: at most a mebibyte
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let stream = fanfare.stream("pictures");
    /// stream.add_batch((0..30).map(|_| [("picture", vec![0; 100_000])])).await;
    /// assert!(20 <= stream.trim_to_bytes(1 << 20).await?);
    /// # Ok(()) }
    /// ```
    pub async fn trim_to_bytes(&self, bytes_max: u64) -> Result<u64, Error> {
        let mut n_trimmed = 0;
        loop {
            let usage = self.call(&[b"MEMORY", b"USAGE", &self.key]).await?;
            if usage.is_null() {
                return Ok(n_trimmed);
            }
            let (n_bytes, len) = (count(usage)?, self.len().await?);
            if n_bytes <= bytes_max || len == 0 {
                return Ok(n_trimmed);
            }
            // In proportion, and one at least: then the server is asked again.
            let share = u128::from(len) * u128::from(bytes_max) / u128::from(n_bytes);
            let kept = u64::try_from(share).unwrap_or(u64::MAX).min(len - 1);
            n_trimmed += self.trim(Trim::maxlen(kept)).await?;
        }
    }

    /// Deletes entries, and returns how many of them were there.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    pub async fn delete(&self, ids: impl IntoIterator<Item = StreamId>) -> Result<u64, Error> {
        let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let mut args = vec![&b"XDEL"[..], &self.key];
        args.extend(ids.iter().map(String::as_bytes));
        count(self.call(&args).await?)
    }

    pub(crate) async fn call(&self, args: &[&[u8]]) -> Result<Value, Error> {
        self.fanfare.link().call(args).await
    }
}

pub(crate) fn count(reply: Value) -> Result<u64, Error> {
    reply.as_int().and_then(|n| u64::try_from(n).ok()).ok_or_else(|| {
        Error::new(ErrorKind::Protocol, "the server's answer about a stream is not a count")
    })
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stream").field(&self.key).finish()
    }
}
