//! The forms of a payload that name what it is.

use std::borrow::Cow;

use bytes::Bytes;
use fanfare_client::Error;
use serde::Serialize;

use super::json::{self, Json};

/// How values of one type become payloads.
///
/// [`Json`], [`Text`] and [`Raw`] are those that always come with the library, `MsgPack` and `Cbor` with
/// the features `msgpack` and `cbor`. They name a [`Publisher`](crate::Publisher)'s type and the form of an
/// [`Envelope`](crate::Envelope)'s data; as arguments of handlers they do the way back.
pub trait Codec: Send + Sync + 'static {
    /// What is published.
    type Value: ?Sized;

    /// The media type of the payloads.
    const CONTENT_TYPE: &'static str;

    /// The payload of a value. What is bytes already is not copied.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode) if it has none.
    fn encode(value: &Self::Value) -> Result<Cow<'_, [u8]>, Error>;
}

impl<T: Serialize + Send + Sync + 'static> Codec for Json<T> {
    type Value = T;

    const CONTENT_TYPE: &'static str = json::CONTENT_TYPE;

    fn encode(value: &T) -> Result<Cow<'_, [u8]>, Error> {
        json::encode(value).map(Cow::Owned)
    }
}

/// Text: a payload that is UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub String);

impl Codec for Text {
    type Value = str;

    const CONTENT_TYPE: &'static str = "text/plain; charset=utf-8";

    fn encode(value: &str) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Borrowed(value.as_bytes()))
    }
}

/// Bytes as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw(pub Bytes);

impl Codec for Raw {
    type Value = [u8];

    const CONTENT_TYPE: &'static str = "application/octet-stream";

    fn encode(value: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Borrowed(value))
    }
}
