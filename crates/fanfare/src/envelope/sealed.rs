//! An envelope whose data is bytes.

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};
use serde::de::DeserializeOwned;

use super::{Envelope, Head, wire};
use crate::stream::Entry;

/// An envelope whose data is bytes: in JSON, in another form, compressed or not, as its
/// [`content_type`](Head::content_type) and [`content_encoding`](Head::content_encoding) say. It is
/// what is sent, and what has arrived and is not decoded yet.
///
/// # Example: a picture, which is not wrapped in text
/// ```
/// use fanfare::{Head, Sealed};
///
/// let picture = Sealed::new(Head::new("picture.taken"), "image/png", vec![137, 80, 78, 71]);
/// let payload = picture.to_payload()?;
/// assert!(payload.starts_with(b"fanfare:1 {") && payload.ends_with(b"}\n\x89PNG"));
/// assert_eq!(Sealed::from_payload(&payload)?, picture);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
}

impl Sealed {
    /// Data in any form, with the name of that form.
    pub fn new(mut head: Head, content_type: impl Into<String>, data: impl Into<Bytes>) -> Self {
        head.content_type = Some(content_type.into());
        head.content_encoding = None;
        Self { head, body: data.into() }
    }

    /// What is known about the data.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The data's bytes.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Reads an envelope from a payload, in either form, whatever its data is.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`], with what is missing or wrong.
    pub fn from_payload(payload: &Bytes) -> Result<Self, Error> {
        wire::from_payload(payload)
    }

    /// Reads an envelope from the entry of a stream: from its fields, or, if there is just one, from
    /// its value.
    ///
    /// # Errors
    /// As [`from_payload`](Self::from_payload).
    pub fn from_entry(entry: &Entry) -> Result<Self, Error> {
        wire::from_entry(entry)
    }

    /// It as one payload: an object in JSON, or a line with one and the bytes behind it.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] if it says of itself that it is JSON, and is not.
    pub fn to_payload(&self) -> Result<Bytes, Error> {
        wire::to_payload(self)
    }

    /// It as the fields of a stream's entry.
    ///
    /// # Errors
    /// As [`to_payload`](Self::to_payload).
    pub fn to_fields(&self) -> Result<Vec<(&'static str, Bytes)>, Error> {
        wire::to_fields(self)
    }

    /// Decodes the data, which must be JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is in another form, compressed, or not a `T`.
    pub fn open<T: DeserializeOwned>(self) -> Result<Envelope<T>, Error> {
        let Self { head, body } = self;
        head.demand_plain_json()?;
        let data = serde_json::from_slice(&body).map_err(|source| {
            let what = format!("the data of event {} ({}) is not as expected", head.id, head.kind);
            Error::new(ErrorKind::Decode, what).with_source(source)
        })?;
        Ok(Envelope { head, data })
    }
}
