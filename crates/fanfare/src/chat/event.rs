//! What a member of a chat sees.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_client::Error;

use super::place::unescaped;
use crate::stream::{Entry, StreamId};

/// Something that a member of a chat sees.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChatEvent {
    /// Somebody has said something in a room, perhaps the member itself.
    Message {
        /// The room.
        room: String,
        /// What was said.
        message: ChatMessage,
    },
    /// Somebody has sent something to this user.
    Private(ChatMessage),
    /// A user has come into a room, by the first of possibly several connections.
    Joined {
        /// The room.
        room: String,
        /// Who.
        user: String,
        /// The place in the room's order.
        id: StreamId,
    },
    /// A user has left a room, by the last of possibly several connections.
    Left {
        /// The room.
        room: String,
        /// Who.
        user: String,
        /// The place in the room's order.
        id: StreamId,
    },
    /// The last connection of a user gave no sign of life any more.
    Expired {
        /// The room.
        room: String,
        /// Who.
        user: String,
        /// The place in the room's order.
        id: StreamId,
    },
    /// This member could give no sign of life for so long that others may have been told that it is gone.
    /// It is there again. If it takes no events, only
    /// [`MemberStats::lapses`](super::MemberStats::lapses) tells.
    Lapsed {
        /// The room.
        room: String,
    },
    /// Something that was said was trimmed away before this member could read it, or the history was
    /// deleted.
    Gap {
        /// The room; `None`: the inbox.
        room: Option<String>,
    },
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChatMessage {
    /// Its place in the order of the room, or of the inbox.
    pub id: StreamId,
    /// Who has said it.
    pub user: String,
    /// By which connection.
    pub connection: String,
    /// What.
    pub text: String,
}

impl ChatMessage {
    /// When it was said, by the broker's clock.
    pub fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.id.ms)
    }

    /// `None`: it is something else.
    pub(super) fn read(entry: &Entry) -> Result<Option<Self>, Error> {
        if entry.text("type")? != "message" {
            return Ok(None);
        }
        let (user, connection) = entry.text("member")?.split_once(':').unwrap_or_default();
        Ok(Some(Self {
            id: entry.id,
            user: unescaped(user),
            connection: unescaped(connection),
            text: entry.text("text")?.to_owned(),
        }))
    }
}

impl ChatEvent {
    /// What an entry of a room says, or of the inbox (`None`); nothing, if a later release has made it.
    pub(super) fn read(room: Option<&str>, entry: &Entry) -> Result<Option<Self>, Error> {
        if let Some(message) = ChatMessage::read(entry)? {
            return Ok(Some(match room {
                Some(room) => Self::Message { room: room.to_owned(), message },
                None => Self::Private(message),
            }));
        }
        let (Some(room), id) = (room, entry.id) else { return Ok(None) };
        let (room, user) = (room.to_owned(), unescaped(entry.text("user")?));
        Ok(match entry.text("type")? {
            "joined" => Some(Self::Joined { room, user, id }),
            "left" => Some(Self::Left { room, user, id }),
            "expired" => Some(Self::Expired { room, user, id }),
            _ => None,
        })
    }
}
