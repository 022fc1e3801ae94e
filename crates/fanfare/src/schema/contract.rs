//! What a channel, a stream or a queue carries.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};
use serde_json::Value;

use super::{Schema, Schemas};
use crate::{
    Call, Head, Sealed,
    envelope::{essence, is_json, may_be_envelope},
    stream::{Entry, StreamId},
};

/// What messages must be like, for those who send and for those who receive them. Cheap to clone.
///
/// Whatever publishes takes one, by `contract`, and refuses what does not fit before anything is sent:
/// [`Publisher`](crate::Publisher::contract), [`Stream`](crate::stream::Stream::contract),
/// [`PublisherOptions`](crate::data::PublisherOptions::contract) of data,
/// [`TaskQueue`](crate::queue::TaskQueue::contract), [`Requester`](crate::request::Requester::contract),
/// [`Service`](crate::service::Service::contract), and a spool's
/// [`Destination`](crate::spool::Destination::contract). Those who receive put a
/// [`Validate`](crate::layers::Validate) around their handlers.
///
/// Made of a [`Schema`], it is about the data: that of envelopes, and payloads that are none. Made of [`Schemas`], it
/// demands envelopes, and goes by their type and version. Data in JSON is checked, and in MessagePack and CBOR with
/// these features; what is compressed must be checked before, or expanded first.
///
/// # Example
/// ```
/// use fanfare::{Envelope, schema::{Contract, Schema}};
///
/// let contract = Contract::from(Schema::of::<u32>()?);
/// assert!(contract.check(&Envelope::new("counted", 7).seal()?).is_ok());
/// assert!(contract.check(&Envelope::new("counted", -7).seal()?).is_err());
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract(Arc<Terms>);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Terms {
    One(Schema),
    Typed(Schemas),
}

impl From<Schema> for Contract {
    fn from(schema: Schema) -> Self {
        Self(Arc::new(Terms::One(schema)))
    }
}

impl From<Schemas> for Contract {
    fn from(schemas: Schemas) -> Self {
        Self(Arc::new(Terms::Typed(schemas)))
    }
}

impl Contract {
    /// Whether an envelope fits.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRecord`]: with the place and the rule ([`Violation`](super::Violation), its source) if the
    /// data does not fit; if the type or version is not known; if the data can not be read.
    pub fn check(&self, sealed: &Sealed) -> Result<(), Error> {
        self.check_data(Some(sealed.head()), sealed.head().content_type(), sealed.body())
    }

    /// Whether what is to be published fits.
    pub(crate) fn check_payload(&self, content_type: &str, payload: &[u8]) -> Result<(), Error> {
        if may_be_envelope(payload)
            && let Ok(sealed) = Sealed::from_payload(&Bytes::copy_from_slice(payload))
        {
            return self.check(&sealed);
        }
        // Bytes and texts are what their receivers take them for.
        let is_any = matches!(&*essence(content_type), "application/octet-stream" | "text/plain");
        self.check_data(None, if is_any { JSON } else { content_type }, payload)
    }

    /// Whether the fields of a new entry fit: names and values in turn.
    pub(crate) fn check_fields<W: AsRef<[u8]>>(&self, words: &[W]) -> Result<(), Error> {
        if let [_, value] = words {
            return self.check_payload(JSON, value.as_ref());
        }
        let copy = |word: &W| Bytes::copy_from_slice(word.as_ref());
        let fields = words.chunks_exact(2).filter_map(|pair| match pair {
            [name, value] => Some((copy(name), copy(value))),
            _ => None,
        });
        let received_at = std::time::SystemTime::UNIX_EPOCH;
        let entry = Entry::new(StreamId::MIN, fields.collect(), received_at);
        let sealed = Sealed::from_entry(&entry).map_err(|source| {
            let message = "the entry has several fields and is not an envelope, so there is no \
                           telling which is the data";
            Error::new(ErrorKind::InvalidRecord, message).with_source(source)
        })?;
        self.check(&sealed)
    }

    /// Whether what came fits.
    pub(crate) fn check_call(&self, call: &Call) -> Result<(), Error> {
        let content_type = call.head().map_or(JSON, Head::content_type);
        self.check_data(call.head(), content_type, call.payload()?)
    }

    pub(super) fn terms(&self) -> &Terms {
        &self.0
    }

    fn check_data(
        &self,
        head: Option<&Head>,
        content_type: &str,
        data: &[u8],
    ) -> Result<(), Error> {
        let schema = match (&*self.0, head) {
            (Terms::One(schema), _) => schema,
            (Terms::Typed(schemas), Some(head)) => schemas.find(head)?,
            (Terms::Typed(_), None) => {
                let message = "the message is no envelope, so it does not say of which type it is";
                return Err(Error::new(ErrorKind::InvalidRecord, message));
            }
        };
        let of = || match head {
            Some(head) => format!("the data of event {} ({})", head.id(), head.kind()),
            None => "the message".to_owned(),
        };
        let refused = |what: &str| {
            let message = format!("{} {what}", of());
            Error::new(ErrorKind::InvalidRecord, message)
        };
        let encoding = head.and_then(Head::content_encoding);
        let value = read(encoding, content_type, data).map_err(|source| {
            refused("can not be read, and so not be checked").with_source(source)
        })?;
        schema.check(&value).map_err(|violation| {
            refused(&format!("does not fit its schema {violation}")).with_source(violation)
        })
    }
}

/// What a message is that does not say it.
const JSON: &str = "application/json";

fn read(encoding: Option<&str>, content_type: &str, data: &[u8]) -> Result<Value, Error> {
    if let Some(encoding) = encoding {
        let message = format!(
            "it is compressed by {encoding:?}: check it before, or put a layer that decompresses \
             around"
        );
        return Err(Error::new(ErrorKind::Decode, message));
    }
    match essence(content_type).as_str() {
        _ if is_json(content_type) => serde_json::from_slice(data)
            .map_err(|source| Error::new(ErrorKind::Decode, "it is not JSON").with_source(source)),
        #[cfg(feature = "msgpack")]
        "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => {
            crate::MsgPack::read(data, "a message").map(|crate::MsgPack(value)| value)
        }
        #[cfg(feature = "cbor")]
        "application/cbor" => crate::Cbor::read(data, "a message").map(|crate::Cbor(value)| value),
        _ => {
            let message = format!("it is {content_type:?}, which this program can not decode");
            Err(Error::new(ErrorKind::Decode, message))
        }
    }
}
