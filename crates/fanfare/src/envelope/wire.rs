//! Envelopes as payloads and as fields of entries.

use std::{borrow::Cow, time::SystemTime};

use bytes::{BufMut, Bytes, BytesMut};
use fanfare_client::{Error, ErrorKind};
use memchr::memchr;
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{
    Sealed,
    head::{Head, Metadata, VERSION, from_text, to_text},
};
use crate::stream::Entry;

/// What a payload begins with whose data follows its head as it is.
const FRAMED: &[u8] = b"fanfare:1 ";

/// The members, in the order in which they are written.
#[derive(Serialize)]
struct Written<'a, T> {
    event_id: &'a str,
    event_type: &'a str,
    timestamp: String,
    version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_encoding: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a T>,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    metadata: &'a Metadata,
}

impl<'a, T> Written<'a, T> {
    fn new(head: &'a Head, data: Option<&'a T>) -> Self {
        Self {
            event_id: &head.id,
            event_type: &head.kind,
            timestamp: to_text(head.time),
            version: &head.version,
            source: &head.source,
            content_type: head.content_type.as_deref(),
            content_encoding: head.content_encoding.as_deref(),
            data,
            metadata: &head.metadata,
        }
    }
}

/// The members as they are read. What is `null` is missing, but for the data.
#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    event_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    timestamp: Option<Cow<'a, str>>,
    version: Option<String>,
    source: Option<String>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    metadata: Option<Metadata>,
}

/// A member that is there, whatever it is: `null` is data.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(member: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(member).map(Some)
}

impl Read<'_> {
    fn into_head(self) -> Result<Head, Error> {
        let timestamp = self.timestamp.ok_or_else(|| missing("timestamp"))?;
        Ok(Head {
            id: self.event_id.ok_or_else(|| missing("event_id"))?.into_owned(),
            kind: self.event_type.ok_or_else(|| missing("event_type"))?.into_owned(),
            time: time(&timestamp)?,
            version: self.version.unwrap_or_else(|| VERSION.to_owned()),
            source: self.source.unwrap_or_default(),
            content_type: self.content_type,
            content_encoding: self.content_encoding,
            metadata: self.metadata.unwrap_or_default(),
        })
    }
}

/// Whether a payload may be an envelope: cheap, and never wrong when it says no. A member's name can be
/// spelled with escapes, too.
pub(crate) fn may_be_envelope(payload: &[u8]) -> bool {
    let has = |text: &[u8]| memchr::memmem::find(payload, text).is_some();
    payload.starts_with(FRAMED)
        || (payload.trim_ascii_start().starts_with(b"{") && (has(b"\"event_id\"") || has(b"\\u")))
}

pub(super) fn from_payload(payload: &Bytes) -> Result<Sealed, Error> {
    let Some(framed) = payload.strip_prefix(FRAMED) else {
        let read = read(payload)?;
        let data = read.data.ok_or_else(|| missing("data"))?.get();
        return Ok(Sealed { head: read.into_head()?, body: payload.slice_ref(data.as_bytes()) });
    };
    let Some((line, body)) = memchr(b'\n', framed).and_then(|at| framed.split_at_checked(at))
    else {
        return Err(wrong("the line of its head does not end"));
    };
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    Ok(Sealed { head: read(line)?.into_head()?, body: payload.slice_ref(body) })
}

fn read(json: &[u8]) -> Result<Read<'_>, Error> {
    serde_json::from_slice(json).map_err(|source| {
        let what = match serde_json::from_slice::<IgnoredAny>(json) {
            Ok(_) => "the payload is not an envelope: a member has the wrong type",
            Err(_) => "the payload is not an envelope: it is not an object in JSON",
        };
        Error::new(ErrorKind::Decode, what).with_source(source)
    })
}

pub(super) fn from_entry(entry: &Entry) -> Result<Sealed, Error> {
    if let [(_, value)] = &entry.fields[..] {
        return from_payload(value);
    }
    let text = |name: &str| {
        let text = |value| {
            let text = std::str::from_utf8(value).map(str::to_owned);
            text.map_err(|_| wrong(&format!("its field {name:?} is not UTF-8")))
        };
        entry.get(name).map(|value| text(value)).transpose()
    };
    let demand = |name: &str| text(name)?.ok_or_else(|| missing(name));
    let metadata = match entry.get("metadata") {
        None => Metadata::new(),
        Some(json) => serde_json::from_slice(json).map_err(|source| {
            wrong("its field \"metadata\" is not an object in JSON").with_source(source)
        })?,
    };
    let head = Head {
        id: demand("event_id")?,
        kind: demand("event_type")?,
        time: time(&demand("timestamp")?)?,
        version: text("version")?.unwrap_or_else(|| VERSION.to_owned()),
        source: text("source")?.unwrap_or_default(),
        content_type: text("content_type")?,
        content_encoding: text("content_encoding")?,
        metadata,
    };
    let body = entry.get("data").ok_or_else(|| missing("data"))?.clone();
    Ok(Sealed { head, body })
}

pub(super) fn to_payload(Sealed { head, body }: &Sealed) -> Result<Bytes, Error> {
    if head.is_plain_json() {
        return payload_of(head, raw(head, body)?);
    }
    let line = encode(&Written::<()>::new(head, None))?;
    let mut payload = BytesMut::with_capacity(FRAMED.len() + line.len() + 1 + body.len());
    payload.extend_from_slice(FRAMED);
    payload.extend_from_slice(&line);
    payload.put_u8(b'\n');
    payload.extend_from_slice(body);
    Ok(payload.freeze())
}

/// A payload of data that is written where it belongs, and so need not be read again.
pub(super) fn payload_of<T: Serialize + ?Sized>(head: &Head, data: &T) -> Result<Bytes, Error> {
    encode(&Written::new(head, Some(&data))).map(Bytes::from)
}

pub(super) fn to_fields(
    Sealed { head, body }: &Sealed,
) -> Result<Vec<(&'static str, Bytes)>, Error> {
    if head.is_plain_json() {
        raw(head, body)?;
    }
    fields_of(head, body.clone())
}

/// The fields of a body that is what its head says.
pub(super) fn fields_of(head: &Head, body: Bytes) -> Result<Vec<(&'static str, Bytes)>, Error> {
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let mut fields = vec![
        ("event_id", text(&head.id)),
        ("event_type", text(&head.kind)),
        ("timestamp", to_text(head.time).into()),
        ("version", text(&head.version)),
        ("data", body),
    ];
    if !head.source.is_empty() {
        fields.push(("source", text(&head.source)));
    }
    fields.extend(head.content_type.as_deref().map(|it| ("content_type", text(it))));
    fields.extend(head.content_encoding.as_deref().map(|it| ("content_encoding", text(it))));
    if !head.metadata.is_empty() {
        fields.push(("metadata", encode(&head.metadata)?.into()));
    }
    Ok(fields)
}

/// A body that says of itself that it is JSON.
fn raw<'a>(head: &Head, body: &'a [u8]) -> Result<&'a RawValue, Error> {
    serde_json::from_slice(body).map_err(|source| {
        let what = format!("the data of event {} ({}) is not JSON", head.id, head.kind);
        Error::new(ErrorKind::Encode, what).with_source(source)
    })
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    crate::codec::json::encode(value)
}

fn time(text: &str) -> Result<SystemTime, Error> {
    from_text(text).map_err(|source| {
        wrong(&format!("its timestamp {text:?} is not one of RFC 3339")).with_source(source)
    })
}

fn missing(member: &str) -> Error {
    wrong(&format!("it has no {member:?}"))
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::Decode, format!("the payload is not an envelope: {what}"))
}
