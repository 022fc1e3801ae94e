//! What is known about a value.

use std::{collections::BTreeMap, time::SystemTime};

use fanfare_client::{Error, ErrorKind};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::codec::json;

/// What else is known about an event: names and values in JSON.
pub type Metadata = BTreeMap<String, Value>;

/// What an [`Envelope`](crate::Envelope) has beside its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) time: SystemTime,
    pub(crate) version: String,
    pub(crate) source: String,
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) metadata: Metadata,
}

impl Head {
    /// That of an event of this type, made now, with a new id.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            id: Uuid::now_v7().to_string(),
            kind: kind.into(),
            time: rounded(SystemTime::now()),
            version: VERSION.to_owned(),
            source: String::new(),
            content_type: None,
            content_encoding: None,
            metadata: Metadata::new(),
        }
    }

    /// The event's id, which no other event of the source has.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its type, such as `user.login`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// When it happened, to the microsecond.
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// The version of the data's shape.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Who made it; empty if that is not said.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What the data's bytes are, such as `application/msgpack`; JSON if it is not said.
    pub fn content_type(&self) -> &str {
        self.content_type.as_deref().unwrap_or(json::CONTENT_TYPE)
    }

    /// How the data's bytes are compressed, such as `zstd`; `None`: not at all.
    pub fn content_encoding(&self) -> Option<&str> {
        self.content_encoding.as_deref()
    }

    /// What else is known.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What else is known by this name, if it is a text: `correlation_id`, `traceparent` …
    pub fn text(&self, name: &str) -> Option<&str> {
        self.metadata.get(name).and_then(Value::as_str)
    }

    /// Whether the data's bytes are JSON as it is.
    pub(crate) fn is_plain_json(&self) -> bool {
        self.content_encoding.is_none() && is_json(self.content_type())
    }

    /// Whether the data can be read as JSON.
    pub(super) fn demand_plain_json(&self) -> Result<(), Error> {
        if self.is_plain_json() {
            return Ok(());
        }
        let Self { id, kind, .. } = self;
        let what = match &self.content_encoding {
            Some(encoding) => format!(
                "the data of event {id} ({kind}) is compressed by {encoding:?}: put a layer that \
                 decompresses around the handler"
            ),
            None => format!(
                "the data of event {id} ({kind}) is {}, and JSON was asked for",
                self.content_type()
            ),
        };
        Err(Error::new(ErrorKind::Decode, what))
    }
}

/// The version where none is said.
pub(super) const VERSION: &str = "1.0";

/// Whether a media type is that of JSON: `application/json`, or `…+json`, with any parameters.
pub(crate) fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence == json::CONTENT_TYPE || essence.ends_with("+json")
}

/// A media type without its parameters, in small letters.
pub(crate) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A time as it is on the wire: to the microsecond, and within what RFC 3339 can say.
pub(super) fn rounded(time: SystemTime) -> SystemTime {
    timestamp(time).into()
}

/// The time in RFC 3339.
pub(super) fn to_text(time: SystemTime) -> String {
    timestamp(time).to_string()
}

/// The time that a text in RFC 3339 says.
pub(super) fn from_text(text: &str) -> Result<SystemTime, jiff::Error> {
    text.parse::<Timestamp>().map(|it| rounded(it.into()))
}

fn timestamp(time: SystemTime) -> Timestamp {
    let end = if time < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    let time = Timestamp::try_from(time).unwrap_or(end);
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}
