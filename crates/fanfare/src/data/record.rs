//! Records: what is published, as JSON.

use fanfare_client::{Error, ErrorKind};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::codec::json;

/// A value that is published, as JSON.
///
/// Whatever `serde` can write as JSON is one; numbers have at most 64 bits. Members of objects are
/// written in the order of their names.
///
/// # Example
/// ```
/// use fanfare::data::Record;
///
/// #[derive(serde::Serialize)]
/// struct Reading { sensor: &'static str, celsius: f64 }
///
/// let record = Record::new(&Reading { sensor: "kitchen", celsius: 21.5 })?;
/// assert_eq!(record.text("sensor"), Some("kitchen"));
/// assert_eq!(record.to_json()?, br#"{"celsius":21.5,"sensor":"kitchen"}"#);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Record(Value);

impl Record {
    /// A value as a record.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] if it has no JSON: keys of maps that are no strings, numbers of more than
    /// 64 bits.
    pub fn new(value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        serde_json::to_value(value).map(Self).map_err(|source| {
            let message = "the value can not be written as JSON";
            Error::new(ErrorKind::Encode, message).with_source(source)
        })
    }

    /// Reads a record from JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if that is no JSON, or nested more than 128 deep.
    pub fn from_json(payload: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(payload).map(Self).map_err(|source| {
            Error::new(ErrorKind::Decode, "the payload is not JSON").with_source(source)
        })
    }

    /// The JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`].
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        json::encode(&self.0)
    }

    /// The record as a type of the program's own.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is not a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(&self.0).map_err(|source| {
            let message = "the record is not the expected type";
            Error::new(ErrorKind::Decode, message).with_source(source)
        })
    }

    /// The text of a member; `None` if there is no such member, it is not text, or the record is no
    /// object.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.0.get(member)?.as_str()
    }

    /// Whether it is an object that has this member.
    pub fn has(&self, member: &str) -> bool {
        self.0.get(member).is_some()
    }

    /// Takes a member out.
    pub(super) fn remove(&mut self, member: &str) {
        if let Value::Object(members) = &mut self.0 {
            members.remove(member);
        }
    }
}
