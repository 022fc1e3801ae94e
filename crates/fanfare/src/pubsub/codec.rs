//! How a value becomes a payload, and a payload a value.

use std::borrow::Cow;

use bytes::Bytes;
use fanfare_client::Error;
use serde::Serialize;

use crate::json::{self, Json};

/// How values of one type become payloads.
///
/// [`Json`], [`Text`] and [`Raw`] are those that come with the library; they name a
/// [`Publisher`](crate::Publisher)'s type, and as arguments of a [`Router`](crate::Router)'s
/// handlers they do the way back.
pub trait Codec: Send + Sync + 'static {
    /// What is published.
    type Value: ?Sized;

    /// The payload of a value. What is bytes already is not copied.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode) if it has none.
    fn encode(value: &Self::Value) -> Result<Cow<'_, [u8]>, Error>;
}

impl<T: Serialize + Send + Sync + 'static> Codec for Json<T> {
    type Value = T;

    fn encode(value: &T) -> Result<Cow<'_, [u8]>, Error> {
        json::encode(value).map(Cow::Owned)
    }
}

/// Text: a payload that is UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub String);

impl Codec for Text {
    type Value = str;

    fn encode(value: &str) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Borrowed(value.as_bytes()))
    }
}

/// Bytes as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw(pub Bytes);

impl Codec for Raw {
    type Value = [u8];

    fn encode(value: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Borrowed(value))
    }
}
