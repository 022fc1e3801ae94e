//! Adding entries: one, many, with which ID, and what is trimmed away.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_client::{Error, ErrorKind, Pipeline, Value};
use serde::Serialize;

use crate::{
    batch::Batch,
    codec::json,
    stream::{Stream, StreamId},
};

/// What of a stream is kept: the rest is trimmed away, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    kept: Kept,
    is_approximate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Maxlen(u64),
    Minid(StreamId),
    MaxAge(Duration),
}

impl Trim {
    /// Keeps the newest `n` entries.
    pub const fn maxlen(n: u64) -> Self {
        Self { kept: Kept::Maxlen(n), is_approximate: false }
    }

    /// Keeps the entries from this ID on. Needs Redis 6.2, as [`max_age`](Self::max_age) does.
    pub const fn minid(id: StreamId) -> Self {
        Self { kept: Kept::Minid(id), is_approximate: false }
    }

    /// Keeps the entries of the last `age`, by the clock of this program: those whose IDs begin with
    /// later milliseconds. That is their age as long as the server chooses the IDs
    /// ([`NewId::Auto`]) and the two clocks agree. A stream to which nothing is added is not
    /// trimmed by itself.
    ///
    /// # Example: an hour
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # use std::time::Duration;
    /// # use fanfare::stream::{AddOptions, NewId, StreamId, Trim};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let clicks = fanfare.stream("clicks").keep(Trim::max_age(Duration::from_secs(3_600)));
    /// clicks.add([("page", "/")]).await?;
    /// # Ok(()) }
    /// ```
    pub const fn max_age(age: Duration) -> Self {
        Self { kept: Kept::MaxAge(age), is_approximate: false }
    }

    /// Lets the server keep somewhat more (some hundred entries), which costs it much less.
    #[must_use]
    pub const fn approximate(mut self) -> Self {
        self.is_approximate = true;
        self
    }

    pub(crate) fn write(self, args: &mut Vec<Vec<u8>>) {
        let (word, threshold) = match self.kept {
            Kept::Maxlen(n) => ("MAXLEN", n.to_string()),
            Kept::Minid(id) => ("MINID", id.to_string()),
            Kept::MaxAge(age) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                ("MINID", now.saturating_sub(age).as_millis().to_string())
            }
        };
        let how = if self.is_approximate { "~" } else { "=" };
        args.extend([word, how, &threshold].map(|it| it.as_bytes().to_vec()));
    }
}

/// The ID that a new entry gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewId {
    /// The server's time, and the next number in its millisecond (`*`).
    #[default]
    Auto,
    /// These milliseconds, and the next number in them (`ms-*`).
    Ms(u64),
    /// This one, which must be above the last.
    Exact(StreamId),
}

/// How an entry is added. The default is what [`Stream::add`] does.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct AddOptions {
    id: NewId,
    nomkstream: bool,
    trim: Option<Trim>,
}

impl AddOptions {
    /// The defaults: the server chooses the ID, makes the stream if there is none, and trims as
    /// [`Stream::keep`] says.
    pub fn new() -> Self {
        Self::default()
    }

    /// The entry's ID.
    pub fn id(mut self, id: NewId) -> Self {
        self.id = id;
        self
    }

    /// Adds nothing if there is no stream.
    pub fn nomkstream(mut self) -> Self {
        self.nomkstream = true;
        self
    }

    /// Trims so, in place of what [`Stream::keep`] says.
    pub fn trim(mut self, trim: Trim) -> Self {
        self.trim = Some(trim);
        self
    }
}

impl Stream {
    /// Adds an entry of these fields, and returns its ID.
    ///
    /// The server adds it at most once: if the connection breaks before the answer comes, it is not
    /// sent again. To add *exactly* once, give it an [`Exact`](NewId::Exact) ID and repeat until the
    /// server accepts it, or says that the ID is not above the last.
    ///
    /// # Errors
    /// [`ErrorKind::NotConnected`] and [`ErrorKind::Overloaded`]: nothing was sent.
    /// [`ErrorKind::Disconnected`] and [`ErrorKind::Timeout`]: it may have been added
    /// ([`Error::may_have_been_delivered`]). [`ErrorKind::Server`]: refused, such as `WRONGTYPE`,
    /// or because there were no fields.
    ///
    /// # Cancel safety
    /// Dropping the future does not take back an entry that has been handed to the connection.
    pub async fn add<F, V>(
        &self,
        fields: impl IntoIterator<Item = (F, V)>,
    ) -> Result<StreamId, Error>
    where
        F: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        self.add_by(&AddOptions::default(), fields).await.and_then(id)
    }

    /// Adds an entry with a value as JSON in one field.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] if the value has no JSON, and as [`add`](Self::add).
    ///
    /// # Example: a typed entry
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # use fanfare::stream::Position;
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Order { id: u64, item: String }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let orders = fanfare.stream("typed orders");
    /// orders.add_json("order", &Order { id: 7, item: "tea".into() }).await?;
    /// let mut tail = orders.tail(Position::Start).await?;
    /// let entry = tail.next().await.expect("the tail goes on");
    /// assert_eq!(entry.json::<Order>("order")?.id, 7);
    /// # Ok(()) }
    /// ```
    pub async fn add_json(
        &self,
        field: impl AsRef<[u8]>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<StreamId, Error> {
        self.add([(field, json::encode(value)?)]).await
    }

    /// Adds an entry with these options. `None`: there is no stream, and none was to be made.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    ///
    /// # Example: an ID of one's own
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # use fanfare::stream::{AddOptions, NewId, StreamId};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let stream = fanfare.stream("numbered");
    /// let only_if_there = AddOptions::new().nomkstream();
    /// assert_eq!(stream.add_with(&only_if_there, [("n", "0")]).await?, None);
    /// let numbered = AddOptions::new().id(NewId::Exact(StreamId::new(1, 0)));
    /// assert_eq!(stream.add_with(&numbered, [("n", "1")]).await?, Some(StreamId::new(1, 0)));
    /// let again = stream.add_with(&numbered, [("n", "1")]).await.unwrap_err();
    /// assert!(again.message().contains("equal or smaller"));
    /// # Ok(()) }
    /// ```
    pub async fn add_with<F, V>(
        &self,
        options: &AddOptions,
        fields: impl IntoIterator<Item = (F, V)>,
    ) -> Result<Option<StreamId>, Error>
    where
        F: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        self.add_by(options, fields).await.and_then(id_if_added)
    }

    /// Adds many entries, pipelined, and returns the outcome of each in their order.
    ///
    /// They go out in chunks bounded in number and bytes, a few chunks at a time. It is not a
    /// transaction: other clients' entries may come in between, and when the connection breaks in
    /// the middle, each entry says for itself what is known about it.
    ///
    /// # Cancel safety
    /// Dropping the future does not take back what has been handed to the connection.
    pub async fn add_batch<I, F, V>(
        &self,
        entries: impl IntoIterator<Item = I>,
    ) -> Vec<Result<StreamId, Error>>
    where
        I: IntoIterator<Item = (F, V)>,
        F: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let options = AddOptions::default();
        let mut batch = Batch::new(&self.fanfare, |reply| reply.and_then(id));
        for fields in entries {
            match self.add_args(&options, fields) {
                Ok(args) => batch.push(args.iter().map(Vec::as_slice)).await,
                Err(error) => batch.refuse(error).await,
            }
        }
        batch.finish().await
    }

    async fn add_by<F, V>(
        &self,
        options: &AddOptions,
        fields: impl IntoIterator<Item = (F, V)>,
    ) -> Result<Value, Error>
    where
        F: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let args = self.add_args(options, fields)?;
        let mut pipeline = Pipeline::new();
        pipeline.push(args.iter().map(Vec::as_slice));
        self.fanfare.link().send(pipeline).await?.one().await
    }

    fn add_args<F, V>(
        &self,
        options: &AddOptions,
        fields: impl IntoIterator<Item = (F, V)>,
    ) -> Result<Vec<Vec<u8>>, Error>
    where
        F: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let mut args = vec![b"XADD".to_vec(), self.key.to_vec()];
        if options.nomkstream {
            args.push(b"NOMKSTREAM".to_vec());
        }
        if let Some(trim) = options.trim.or(self.keep) {
            trim.write(&mut args);
        }
        args.push(match options.id {
            NewId::Auto => b"*".to_vec(),
            NewId::Ms(ms) => format!("{ms}-*").into_bytes(),
            NewId::Exact(id) => id.to_string().into_bytes(),
        });
        let words = fields
            .into_iter()
            .flat_map(|(field, value)| [field.as_ref().to_vec(), value.as_ref().to_vec()]);
        let words: Vec<Vec<u8>> = words.collect();
        self.agreed.check_fields(&words)?;
        args.extend(words);
        Ok(args)
    }
}

fn id(reply: Value) -> Result<StreamId, Error> {
    reply
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::new(ErrorKind::Protocol, "the server's answer to XADD is not an ID"))
}

fn id_if_added(reply: Value) -> Result<Option<StreamId>, Error> {
    if reply.is_null() { Ok(None) } else { id(reply).map(Some) }
}
