//! Records: what is published, as JSON.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::RawValue;

use crate::codec::json;

/// A value that is published, as JSON: its bytes, which are read when somebody asks what is in them.
///
/// Whatever `serde` can write as JSON is one. Two are equal if they are written alike.
///
/// # Example
/// ```
/// use fanfare::data::Record;
///
/// #[derive(serde::Serialize)]
/// struct Reading { sensor: &'static str, celsius: f64 }
///
/// let record = Record::new(&Reading { sensor: "kitchen", celsius: 21.5 })?;
/// assert_eq!(record.text("sensor").as_deref(), Some("kitchen"));
/// assert_eq!(record.payload(), r#"{"sensor":"kitchen","celsius":21.5}"#);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record(Bytes);

impl Record {
    /// A value as a record.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] if it has no JSON: keys of maps that are no strings.
    pub fn new(value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        Ok(Self(json::encode(value)?.into()))
    }

    /// Reads a record from JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if that is no JSON.
    pub fn from_json(payload: &[u8]) -> Result<Self, Error> {
        Self::of(Bytes::copy_from_slice(payload)).map_err(|(error, _)| error)
    }

    /// The same without a copy. The payload comes back if it is no JSON.
    pub(super) fn of(payload: Bytes) -> Result<Self, (Error, Bytes)> {
        match serde_json::from_slice::<&RawValue>(&payload) {
            Ok(_) => Ok(Self(payload)),
            Err(source) => {
                let error = Error::new(ErrorKind::Decode, "the payload is not JSON");
                Err((error.with_source(source), payload))
            }
        }
    }

    /// The JSON.
    pub fn payload(&self) -> &Bytes {
        &self.0
    }

    /// The record as a type of the program's own.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is not a `T`, or nested more than 128 deep.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.0).map_err(|source| {
            let message = "the record is not the expected type";
            Error::new(ErrorKind::Decode, message).with_source(source)
        })
    }

    /// The text of a member; `None` if there is no such member, it is not text, or the record is no
    /// object. Of several with this name it is the last. Reads through the record each time.
    pub fn text(&self, member: &str) -> Option<Cow<'_, str>> {
        self.members()?.last(member)?
    }

    /// Whether it is an object that has this member. Reads through the record each time.
    pub fn has(&self, member: &str) -> bool {
        self.members().is_some_and(|members| members.last(member).is_some())
    }

    /// The same without these members, all others as they are.
    pub(super) fn without(&self, member: &str) -> Result<Self, Error> {
        let Some(Members(mut members)) = self.members() else { return Ok(self.clone()) };
        members.retain(|(name, _)| name != member);
        Self::new(&Members(members))
    }

    fn members(&self) -> Option<Members<'_>> {
        // Of what is no object, and of what has a name that is no Unicode, nobody can name a member.
        serde_json::from_slice(&self.0).ok()
    }
}

/// The members of an object, in their order, their values as they are written.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The last member of a name, if there is one, and its text, if it is one.
    fn last(&self, member: &str) -> Option<Option<Cow<'a, str>>> {
        let (_, value) = self.0.iter().rev().find(|(name, _)| name == member)?;
        Some(serde_json::from_str::<Text<'a>>(value.get()).ok().map(|Text(text)| text))
    }
}

/// A name or a text, borrowed if it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader).map(Members)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_stays_as_it_was_written() {
        let text = r#"{ "n": 1.10, "\u006bey": "a\tb", "big": 123456789012345678901234567890,
                        "n": [ ], "key": 7, "key": "last" }"#;
        let record = Record::from_json(text.as_bytes()).unwrap();
        assert_eq!(record.payload(), text);
        assert_eq!(record.text("key").as_deref(), Some("last"));
        assert!(record.has("n") && record.text("n").is_none() && !record.has("nothing"));
        let rest = record.without("key").unwrap();
        let expected = r#"{"n":1.10,"big":123456789012345678901234567890,"n":[ ]}"#;
        assert_eq!(rest.payload(), expected);
        let escaped = Record::from_json(br#"{"\u006bey": "a\tb"}"#).unwrap();
        assert_eq!(escaped.text("key").as_deref(), Some("a\tb"));
        assert_eq!(escaped.without("key").unwrap().payload(), "{}");
        for other in ["17", "[1]", r#""key""#, "null"] {
            let other = Record::from_json(other.as_bytes()).unwrap();
            assert!(!other.has("key") && other.without("key").unwrap() == other);
        }
        for no_json in [&b""[..], b"{", b"{} x", b"\"\xff\"", b"nul"] {
            assert_eq!(Record::from_json(no_json).unwrap_err().kind(), ErrorKind::Decode);
        }
    }
}
