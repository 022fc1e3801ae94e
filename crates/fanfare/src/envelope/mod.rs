//! A message with what is known about it: id, type, time, version, source, metadata.

mod head;
mod sealed;
mod wire;

use std::time::SystemTime;

use bytes::Bytes;
use fanfare_client::{Error, Message};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Call, Codec, Extract, codec::json, stream::Entry, worker::Delivered};

pub use head::{Head, Metadata};
pub(crate) use head::{essence, is_json};
pub use sealed::Sealed;
pub(crate) use wire::may_be_envelope;

/// An event: a value, and what is known about it. The same form in JSON on a channel and as fields
/// of a stream's entry, so that any language can make and read it.
///
/// | member | here | |
/// |---|---|---|
/// | `event_id` | [`Head::id`] | required; unique within the source. A UUID v7 unless set |
/// | `event_type` | [`Head::kind`] | required; `user.login` |
/// | `timestamp` | [`Head::time`] | required; RFC 3339, such as `2026-11-22T15:04:05.123456Z` |
/// | `data` | [`data`](Self::data) | required |
/// | `version` | [`Head::version`] | that of the data's shape; `1.0` if it is missing |
/// | `source` | [`Head::source`] | who made it; empty if it is missing |
/// | `metadata` | [`Head::metadata`] | whatever else: `correlation_id`, `causation_id`, `traceparent` … |
/// | `content_type` | [`Head::content_type`] | what the data's bytes are; JSON if it is missing |
/// | `content_encoding` | [`Head::content_encoding`] | how they are compressed; not at all if it is missing |
///
/// Members that nobody knows are ignored, so that a new version can add some; what is missing has
/// the default above. A payload of which a required member is missing or has another type is not
/// an envelope.
///
/// # On the wire
/// As one payload (channels, lists): the JSON object of all members, if `data` is JSON. Data
/// that is not, or that is compressed, is not wrapped in base64; it follows the other members as it
/// is: `fanfare:1 `, the object without `data`, a line feed, the bytes.
///
/// As the entry of a stream: a field for each member; `data` has the bytes, `metadata` an object in
/// JSON.
///
/// # Example: published, and read by one who knows envelopes and one who does not
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Envelope, Fanfare, Message};
///
/// #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// struct Login { user_id: String }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let mut logins = fanfare.subscribe(["events:user:login"]).await?;
/// let login = Envelope::new("user.login", Login { user_id: "user_123".into() })
///     .source("auth_service")
///     .with("correlation_id", "trace_abc123");
/// fanfare.publish("events:user:login", login.to_payload()?).await?;
///
/// let message: Message = logins.next().await.expect("a message");
/// let read: Envelope<Login> = Envelope::from_payload(&message.payload)?;
/// assert_eq!((read.head.id(), &read.data), (login.head.id(), &login.data));
/// assert_eq!(read.head.text("correlation_id"), Some("trace_abc123"));
/// let plain: serde_json::Value = message.json()?;
/// assert_eq!(plain["data"]["user_id"], "user_123");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Envelope<T> {
    /// What is known about the value.
    pub head: Head,
    /// The value.
    pub data: T,
}

impl<T> Envelope<T> {
    /// An event of this type, made now, with a new id.
    pub fn new(kind: impl Into<String>, data: T) -> Self {
        Self { head: Head::new(kind), data }
    }

    /// Who made it.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.head.source = source.into();
        self
    }

    /// The version of the data's shape.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.head.version = version.into();
        self
    }

    /// Its id, in place of the one it was given: for what must be recognised when it is made once more.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.head.id = id.into();
        self
    }

    /// When it happened. Rounded to microseconds.
    pub fn time(mut self, time: SystemTime) -> Self {
        self.head.time = head::rounded(time);
        self
    }

    /// Adds to the metadata.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.head.metadata.insert(name.into(), value.into());
        self
    }

    /// Says that this was made because of another one: `causation_id` is that one's id, and
    /// `correlation_id` the one that it has, or its id if it has none. `traceparent` goes along.
    pub fn caused_by(mut self, cause: &Head) -> Self {
        let correlation = cause.text("correlation_id").unwrap_or(cause.id()).to_owned();
        self = self.with("causation_id", cause.id()).with("correlation_id", correlation);
        match cause.text("traceparent").map(str::to_owned) {
            Some(traceparent) => self.with("traceparent", traceparent),
            None => self,
        }
    }
}

impl<T: Serialize> Envelope<T> {
    /// It with the data as bytes, in JSON: what is compressed and sent.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode) if the data has no JSON.
    pub fn seal(&self) -> Result<Sealed, Error> {
        let mut head = self.head.clone();
        if !head.is_plain_json() {
            // That of something else, which was in another form.
            (head.content_type, head.content_encoding) = (None, None);
        }
        Ok(Sealed { head, body: json::encode(&self.data)?.into() })
    }

    /// It with the data as bytes in another form: `MsgPack`, `Cbor`, or a [`Codec`] of one's own.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode) if the data has no such form.
    ///
    /// # Example: as MessagePack
    #[cfg_attr(feature = "msgpack", doc = "```")]
    #[cfg_attr(not(feature = "msgpack"), doc = "```text")]
    /// use fanfare::{Envelope, MsgPack};
    ///
    /// let sealed = Envelope::new("measured", 21.5).seal_as::<MsgPack<f64>>()?;
    /// assert_eq!(sealed.head().content_type(), "application/msgpack");
    /// # Ok::<_, fanfare::Error>(())
    /// ```
    pub fn seal_as<C: Codec<Value = T>>(&self) -> Result<Sealed, Error> {
        let data = C::encode(&self.data)?.into_owned();
        Ok(Sealed::new(self.head.clone(), C::CONTENT_TYPE, data))
    }

    /// It as one payload: an object in JSON.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn to_payload(&self) -> Result<Bytes, Error> {
        if self.head.is_plain_json() {
            return wire::payload_of(&self.head, &self.data);
        }
        self.seal()?.to_payload()
    }

    /// It as the fields of a stream's entry, for [`Stream::add`](crate::stream::Stream::add).
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    ///
    /// # Example: told to whoever is there, and kept for whoever comes
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{Envelope, Fanfare};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = Fanfare::connect("embedded:").await?;
    /// let login = Envelope::new("user.login", serde_json::json!({"user_id": "user_123"}))
    ///     .source("auth_service")
    ///     .with("correlation_id", "trace_abc123");
    /// fanfare.publish("events:user:login", login.to_payload()?).await?;
    /// fanfare.stream("events:user").add(login.to_fields()?).await?;
    /// # let entries = fanfare.stream("events:user").range(.., None).await?;
    /// # assert_eq!(entries[0].text("event_type")?, "user.login");
    /// # Ok(()) }
    /// ```
    pub fn to_fields(&self) -> Result<Vec<(&'static str, Bytes)>, Error> {
        let Sealed { head, body } = self.seal()?;
        wire::fields_of(&head, body)
    }
}

impl<T: DeserializeOwned> Envelope<T> {
    /// Reads one from a payload, in either form.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode), with what is missing or wrong; also if the
    /// data is not JSON, or compressed.
    pub fn from_payload(payload: &Bytes) -> Result<Self, Error> {
        Sealed::from_payload(payload)?.open()
    }

    /// Reads one from the entry of a stream: from its fields, or, if there is just one, from its value.
    ///
    /// # Errors
    /// As [`from_payload`](Self::from_payload).
    pub fn from_entry(entry: &Entry) -> Result<Self, Error> {
        Sealed::from_entry(entry)?.open()
    }
}

impl<S, T: DeserializeOwned + Send> Extract<S> for Envelope<T> {
    fn extract(message: &Message, _state: &S) -> Result<Self, Error> {
        Self::from_payload(&message.payload)
    }
}

impl<S, T: DeserializeOwned + Send> Extract<S, Delivered> for Envelope<T> {
    fn extract(delivered: &Delivered, _state: &S) -> Result<Self, Error> {
        Self::from_entry(&delivered.entry)
    }
}

impl<S, T: DeserializeOwned + Send> Extract<S, Call> for Envelope<T> {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        call.sealed()?.open()
    }
}

#[cfg(test)]
mod tests;
