//! Where a call came from.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use fanfare_client::{Kind, Message};

/// Where a [`Call`](crate::Call) came from.
///
/// Its `Display` is for people: `channel news`, `stream orders`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    kind: SourceKind,
    name: Bytes,
    through: Option<Bytes>,
}

/// What a [`Source`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SourceKind {
    /// A channel.
    Channel,
    /// A sharded channel.
    Shard,
    /// A stream.
    Stream,
    /// A queue.
    Queue,
}

impl SourceKind {
    /// Its name in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Shard => "shard",
            Self::Stream => "stream",
            Self::Queue => "queue",
        }
    }
}

impl Source {
    pub(super) fn of_message(message: &Message) -> Self {
        let kind = match message.kind {
            Kind::Channel | Kind::Pattern => SourceKind::Channel,
            Kind::Shard => SourceKind::Shard,
        };
        Self { kind, name: message.channel.clone(), through: message.pattern.clone() }
    }

    pub(super) fn of_stream(stream: Bytes, group: Bytes) -> Self {
        Self { kind: SourceKind::Stream, name: stream, through: Some(group) }
    }

    pub(super) fn of_queue(name: Bytes) -> Self {
        Self { kind: SourceKind::Queue, name, through: None }
    }

    /// What it is.
    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    /// The name of the channel, the stream or the queue, without the namespace.
    pub fn name(&self) -> &Bytes {
        &self.name
    }

    /// The name as text; bytes that are not UTF-8 are replaced.
    pub fn name_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }

    /// The consumer group, or the pattern that matched the channel, if there is one.
    pub fn through(&self) -> Option<&Bytes> {
        self.through.as_ref()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.name_text())
    }
}
