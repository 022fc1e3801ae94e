//! One connection of a user to a chat.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fanfare_client::Error;
use futures_util::Stream;
use tokio::sync::{Mutex, mpsc};

#[cfg(doc)]
use super::Refusal;
use super::{
    Chat, ChatError, ChatEvent, ChatMessage,
    chat::page,
    limits::check_name,
    place::{JOIN, LEAVE, Own, Place, member},
    shared::{Counts, Shared, Task, beat, pump},
};
use crate::stream::{Position, StreamId};

/// How many events wait for a member that does not take them. Then its tails wait, and the broker keeps
/// the rest.
const EVENTS_MAX: usize = 256;

/// More users than a lobby ever has.
const NO_LIMIT: &str = "9007199254740991";

/// What of a room's past a member gets before what comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum History {
    /// Nothing: its own coming is the first that it sees.
    #[default]
    None,
    /// The last so many entries: messages, and who came and went.
    Last(u64),
    /// Everything behind this one, which another member of the same program has seen last, say.
    After(StreamId),
}

/// One connection of a user to a chat. Made by [`Chat::connect`].
///
/// All methods can be called at the same time. End it with [`close`](Self::close): if it is dropped, that is
/// as if the process had died. Then others are told that the user is gone when
/// [`presence_ttl`](super::ChatLimits::presence_ttl) has passed.
///
/// It has a connection to the broker for its inbox, and one for each room.
///
/// # Example: leaving
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// # use fanfare::{Fanfare, chat::{Chat, History}};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let chat = Chat::new(&Fanfare::connect("embedded:").await?).prefix("left");
/// let member = chat.connect("ada", "phone").await?;
/// assert!(member.join("tea", History::None).await?);
/// assert!(!member.join("tea", History::None).await?);
/// // Others are told, and nothing of the room is read any more.
/// member.leave("tea").await?;
/// // Leaves everything. A member that is dropped expires.
/// member.close().await?;
/// assert!(chat.presence("tea").await?.is_empty());
/// # Ok(()) }
/// ```
#[must_use = "the member is no longer there when this is dropped"]
pub struct Member {
    shared: Arc<Shared>,
    events: Mutex<mpsc::Receiver<Option<ChatEvent>>>,
    beating: Task,
    _inbox: Task,
}

/// The counts of one member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberStats {
    /// Messages sent.
    pub sent: u64,
    /// Messages and joins that the chat refused.
    pub refused: u64,
    /// Signs of life that could not be given. They are given again.
    pub failed_beats: u64,
    /// Times that others may have been told that it is gone, although it is not: see
    /// [`ChatEvent::Lapsed`].
    pub lapses: u64,
    /// Entries that are nothing that a chat has written.
    pub unreadable: u64,
}

impl Member {
    pub(super) async fn connect(
        chat: &Chat,
        user: &str,
        connection: &str,
    ) -> Result<Self, ChatError> {
        check_name(user)?;
        check_name(connection)?;
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let shared = Arc::new(Shared {
            chat: chat.clone(),
            user: user.to_owned(),
            connection: connection.to_owned(),
            me: member(user, connection)?,
            own: Own::new(&chat.prefix, user)?,
            rooms: Mutex::default(),
            events: sender,
            counts: Counts::default(),
        });
        let inbox = chat.stream(&shared.own.inbox()).tail(Position::New).await?;
        let lobby = Place::lobby(&chat.prefix);
        let args = [shared.me.as_str(), &shared.ttl_ms(), NO_LIMIT];
        let _: (String, String) = lobby.run(&chat.client, &chat.limits, &JOIN, &args).await?;
        let inbox = Task(tokio::spawn(pump(shared.clone(), None, inbox)));
        let beating = Task(tokio::spawn(beat(shared.clone())));
        Ok(Self { shared, events: Mutex::new(events), beating, _inbox: inbox })
    }

    /// The user.
    pub fn user(&self) -> &str {
        &self.shared.user
    }

    /// The id of the connection.
    pub fn connection(&self) -> &str {
        &self.shared.connection
    }

    /// Comes into a room. Returns whether it was not in it before; who joins twice is in it once.
    ///
    /// What of the past was asked for comes first, then everything that is said and happens, each once and
    /// in the room's order, until the room is left.
    ///
    /// # Errors
    /// [`Refusal`] of a name, [`Refusal::TooManyRooms`], [`Refusal::RoomFull`]; as every command, and as
    /// [`Stream::tail`](crate::stream::Stream::tail).
    ///
    /// # Cancel safety
    /// If the future is dropped, the user may count as in the room until
    /// [`presence_ttl`](super::ChatLimits::presence_ttl) has passed.
    pub async fn join(&self, room: &str, history: History) -> Result<bool, ChatError> {
        let joined = self.shared.clone().join(room, history).await;
        self.shared.noting(joined)
    }

    /// Leaves a room. Returns whether it was in it. What had arrived before may still be among the events.
    ///
    /// # Errors
    /// As every command. Nothing of the room arrives any more then, and others are told when
    /// [`presence_ttl`](super::ChatLimits::presence_ttl) has passed.
    ///
    /// # Cancel safety
    /// As after an error.
    pub async fn leave(&self, room: &str) -> Result<bool, ChatError> {
        let mut rooms = self.shared.rooms.lock().await;
        // The connection that reads it is closed here.
        if rooms.remove(room).is_none() {
            return Ok(false);
        }
        self.shared.leave(room).await?;
        Ok(true)
    }

    /// The rooms that it is in, sorted.
    pub async fn rooms(&self) -> Vec<String> {
        let mut rooms: Vec<_> = self.shared.rooms.lock().await.keys().cloned().collect();
        rooms.sort();
        rooms
    }

    /// Says something in a room, and returns its place in the room's order.
    ///
    /// It is said at most once: after an error of the broker that [may have been
    /// delivered](Error::may_have_been_delivered), the history tells whether it was.
    ///
    /// # Errors
    /// [`Refusal`] of a text that is empty, too long, or has control characters other than line feeds and
    /// tabs; [`Refusal::TooFast`]; [`Refusal::NotInRoom`]; as every command.
    ///
    /// # Cancel safety
    /// Dropping the future does not take back what has been handed to the connection.
    pub async fn send(&self, room: &str, text: &str) -> Result<StreamId, ChatError> {
        let sent = self.shared.send(room, text).await;
        self.shared.noting_sent(sent)
    }

    /// Sends something to a user, and returns its place in the user's inbox. All connections of the user
    /// get it; if there is none, it waits in the [inbox](Self::inbox).
    ///
    /// Whether there is such a user is not known here.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`Refusal`] of a name.
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    pub async fn send_private(&self, user: &str, text: &str) -> Result<StreamId, ChatError> {
        let sent = self.shared.send_private(user, text).await;
        self.shared.noting_sent(sent)
    }

    /// The last messages that were sent to the user, newest first: as [`Chat::history`].
    ///
    /// # Errors
    /// As every command.
    pub async fn inbox(
        &self,
        before: Option<StreamId>,
        n: usize,
    ) -> Result<Vec<ChatMessage>, ChatError> {
        let stream = self.shared.chat.stream(&self.shared.own.inbox());
        Ok(page(&stream, before, n).await?)
    }

    /// The next event, of all rooms and the inbox; `None` when the connection was
    /// [closed](crate::Fanfare::close). Those of one room are in its order.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&self) -> Option<ChatEvent> {
        let mut events = self.events.lock().await;
        let event = events.recv().await.flatten();
        if event.is_none() {
            events.close();
        }
        event
    }

    /// All events, as a stream: see [`next`](Self::next).
    pub fn events(&self) -> impl Stream<Item = ChatEvent> + Send + '_ {
        futures_util::stream::unfold(self, async |member| Some((member.next().await?, member)))
    }

    /// The counts so far.
    pub fn stats(&self) -> MemberStats {
        let counts = &self.shared.counts;
        let read = |it: &AtomicU64| it.load(Ordering::Relaxed);
        MemberStats {
            sent: read(&counts.sent),
            refused: read(&counts.refused),
            failed_beats: read(&counts.failed_beats),
            lapses: read(&counts.lapses),
            unreadable: read(&counts.unreadable),
        }
    }

    /// Leaves all rooms and the chat: others are told now.
    ///
    /// # Errors
    /// The first of the broker's. The rest is tried all the same; what could not be told is told when
    /// [`presence_ttl`](super::ChatLimits::presence_ttl) has passed.
    ///
    /// # Cancel safety
    /// Dropping the future is like dropping the member.
    pub async fn close(self) -> Result<(), ChatError> {
        let Self { shared, beating, .. } = self;
        // A sign of life that comes behind would bring it back.
        beating.end().await;
        let mut result = Ok(());
        let mut rooms = shared.rooms.lock().await;
        for (room, task) in rooms.drain() {
            drop(task);
            result = result.and(shared.leave(&room).await);
        }
        let Shared { chat, me, .. } = &*shared;
        let lobby = Place::lobby(&chat.prefix);
        let left: Result<u64, Error> = lobby.run(&chat.client, &chat.limits, &LEAVE, &[me]).await;
        result.and(left.map(drop).map_err(ChatError::Failed))
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("user", &self.shared.user)
            .field("connection", &self.shared.connection)
            .finish_non_exhaustive()
    }
}
