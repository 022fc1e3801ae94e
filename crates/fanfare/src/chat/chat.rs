//! A chat: who is where, and what was said.

use std::ops::Bound;

use fanfare_client::Error;

use super::{
    ChatError, ChatLimits, ChatMessage, Member,
    limits::check_name,
    place::{COUNT, Place, TOUCH, WHO, unescaped},
};
use crate::{
    Fanfare,
    client::Client,
    commands::SortedSets,
    stream::{Stream, StreamId},
};

/// A chat: rooms, what was said in them, and who is there. Cheap to clone. What is promised is told in the
/// [module's documentation](crate::chat).
///
/// All programs that name the same prefix on the same broker are one chat.
#[derive(Clone, Debug)]
pub struct Chat {
    pub(super) client: Client,
    pub(super) prefix: String,
    pub(super) limits: ChatLimits,
}

/// A user who is in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Present {
    /// Who.
    pub user: String,
    /// By how many connections.
    pub connections: u64,
}

/// How many are in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomStats {
    /// The room.
    pub room: String,
    /// How many users.
    pub users: u64,
    /// By how many connections.
    pub connections: u64,
}

/// How many there are, in all processes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChatStats {
    /// Users who are connected, whether they are in a room or not.
    pub users: u64,
    /// Their connections.
    pub connections: u64,
    /// Rooms in which somebody is, at most 1,000 of them.
    pub rooms: Vec<RoomStats>,
    /// How many rooms there are in all, as of the last minute or so.
    pub rooms_total: u64,
}

/// How many rooms statistics name.
const ROOMS_TOLD: i64 = 1_000;

/// How many entries of a history are read at a time.
const PAGE_MAX: usize = 1_000;

impl Chat {
    /// A chat on this broker. Nothing is sent for that.
    pub fn new(fanfare: &Fanfare) -> Self {
        Self { client: fanfare.client(), prefix: "chat".into(), limits: ChatLimits::default() }
    }

    /// The part with which all its keys begin. Default: `chat`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// What is allowed. Values that can not work are moved to the nearest that can.
    #[must_use]
    pub fn limits(mut self, limits: ChatLimits) -> Self {
        self.limits = limits.sane();
        self
    }

    /// Connects a user: from then on the user counts as there, and what is sent to the user's inbox
    /// arrives.
    ///
    /// *The chat does not know who anybody is.* Whoever calls this has made sure that the user is the one;
    /// and nobody else may reach the broker. The id of the connection is one that no other connection of
    /// the user has at the same time: a random one, say. A user may have several, in any processes.
    ///
    /// # Errors
    /// [`Refusal`](super::Refusal) of a name that is empty, longer than 128 bytes, or has control
    /// characters; as every command, and as [`Stream::tail`].
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
    ///
    /// # Cancel safety
    /// If the future is dropped, the user may count as there until
    /// [`presence_ttl`](ChatLimits::presence_ttl) has passed.
    pub async fn connect(&self, user: &str, connection: &str) -> Result<Member, ChatError> {
        Member::connect(self, user, connection).await
    }

    /// Who is in a room, by their names.
    ///
    /// # Errors
    /// As [`history`](Self::history).
    pub async fn presence(&self, room: &str) -> Result<Vec<Present>, ChatError> {
        let counted: Vec<(String, u64)> = {
            let flat: std::collections::BTreeMap<String, u64> =
                self.room(room)?.run(&self.client, &self.limits, &WHO, &[]).await?;
            flat.into_iter().collect()
        };
        let present = counted.into_iter();
        Ok(present.map(|(user, n)| Present { user: unescaped(&user), connections: n }).collect())
    }

    /// The last `n` messages of a room, newest first; or the last of those before one of them. So the ID
    /// of the last one that was given gives the next page, until one is empty.
    ///
    /// # Errors
    /// [`Refusal`](super::Refusal) of what can not be the name of a room; as every command.
    pub async fn history(
        &self,
        room: &str,
        before: Option<StreamId>,
        n: usize,
    ) -> Result<Vec<ChatMessage>, ChatError> {
        let stream = self.stream(&self.room(room)?.history());
        Ok(page(&stream, before, n).await?)
    }

    /// How many there are, in all processes. Takes a round trip for each room.
    ///
    /// # Errors
    /// As every command.
    pub async fn stats(&self) -> Result<ChatStats, Error> {
        let lobby = Place::lobby(&self.prefix);
        let (users, connections) = lobby.run(&self.client, &self.limits, &COUNT, &[]).await?;
        let rooms_total: u64 = self.client.run_script(&TOUCH, [lobby.rooms()], ["0"]).await?;
        let names: Vec<String> = self.client.zrange(lobby.rooms(), 0, ROOMS_TOLD - 1).await?;
        let mut rooms = Vec::new();
        for name in names {
            let room = unescaped(&name);
            let place = Place::room(&self.prefix, &room)?;
            let (users, connections) = place.run(&self.client, &self.limits, &COUNT, &[]).await?;
            if 0 < users {
                rooms.push(RoomStats { room, users, connections });
            }
        }
        Ok(ChatStats { users, connections, rooms, rooms_total })
    }

    pub(super) fn room(&self, room: &str) -> Result<Place, ChatError> {
        check_name(room)?;
        Ok(Place::room(&self.prefix, room)?)
    }

    /// A stream whose tail keeps little ahead: the stream itself is the queue.
    pub(super) fn stream(&self, key: &str) -> Stream {
        self.client.fanfare().stream(key).queue(256, 1024 * 1024)
    }
}

/// The last messages of a stream, newest first.
pub(super) async fn page(
    stream: &Stream,
    before: Option<StreamId>,
    n: usize,
) -> Result<Vec<ChatMessage>, Error> {
    let mut messages = Vec::new();
    let mut end = before.map_or(Bound::Unbounded, Bound::Excluded);
    while messages.len() < n {
        // Who came and went is among them.
        let n_wanted = (n - messages.len()).min(PAGE_MAX);
        let count = u64::try_from(n_wanted).ok();
        let entries = stream.rev_range((Bound::Unbounded, end), count).await?;
        for entry in &entries {
            messages.extend(ChatMessage::read(entry)?);
        }
        match entries.last() {
            Some(last) if entries.len() == n_wanted => end = Bound::Excluded(last.id),
            _ => break,
        }
    }
    Ok(messages)
}
