//! A chat, and its members.

use std::time::Duration;

use tokio::time::timeout;

use super::{Fanfare, runtime, twin};
use crate::{
    chat::{
        self, ChatError, ChatEvent, ChatLimits, ChatMessage, ChatStats, History, MemberStats,
        Present,
    },
    stream::StreamId,
};

/// The twin of [`fanfare::chat::Chat`](crate::chat::Chat): who is where, and what was said. Cheap to clone, for
/// any number of threads.
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{blocking::{Chat, Fanfare}, chat::{ChatEvent, History}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let fanfare = Fanfare::connect("embedded:")?;
/// let chat = Chat::new(&fanfare).prefix("blocking chat");
/// let (ada, ben) = (chat.connect("ada", "phone")?, chat.connect("ben", "desk")?);
/// ada.join("tea", History::None)?;
/// ben.join("tea", History::Last(20))?;
/// ada.send("tea", "hello")?;
/// let said = ben.events().find_map(|event| match event {
///     ChatEvent::Message { message, .. } => Some(message.text),
///     _ => None,
/// });
/// assert_eq!(said.as_deref(), Some("hello"));
/// ben.close()?;
/// ada.close()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Chat {
    inner: chat::Chat,
}

/// The twin of [`fanfare::chat::Member`](crate::chat::Member): one connection of a user to a chat. Made by
/// [`Chat::connect`].
///
/// It may be shared by threads: one that takes events while another one sends. If it is dropped, and not
/// [closed](Self::close), that is as if the process had died.
#[derive(Debug)]
#[must_use = "the member is no longer there when this is dropped"]
pub struct Member {
    inner: chat::Member,
}

impl Chat {
    /// A chat on this broker. Nothing is sent for that.
    pub fn new(fanfare: &Fanfare) -> Self {
        Self { inner: chat::Chat::new(fanfare.asynchronous()) }
    }

    /// The part with which all its keys begin.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { inner: self.inner.prefix(prefix) }
    }

    /// What is allowed.
    #[must_use]
    pub fn limits(self, limits: ChatLimits) -> Self {
        Self { inner: self.inner.limits(limits) }
    }

    /// Connects a user. *The chat does not know who anybody is*: see
    /// [`connect`](crate::chat::Chat::connect).
    ///
    /// # Errors
    /// As there.
    pub fn connect(&self, user: &str, connection: &str) -> Result<Member, ChatError> {
        Ok(Member { inner: runtime::wait(self.inner.connect(user, connection))? })
    }

    /// Who is in a room, by their names.
    ///
    /// # Errors
    /// As [`presence`](crate::chat::Chat::presence).
    pub fn presence(&self, room: &str) -> Result<Vec<Present>, ChatError> {
        runtime::wait(self.inner.presence(room))
    }

    /// The last `n` messages of a room, newest first; or the last of those before one of them.
    ///
    /// # Errors
    /// As [`history`](crate::chat::Chat::history).
    pub fn history(
        &self,
        room: &str,
        before: Option<StreamId>,
        n: usize,
    ) -> Result<Vec<ChatMessage>, ChatError> {
        runtime::wait(self.inner.history(room, before, n))
    }
}

twin!(Chat {
    /// How many there are, in all processes. Takes a round trip for each room.
    fn stats(&self) -> ChatStats;
});

impl Member {
    /// The user.
    pub fn user(&self) -> &str {
        self.inner.user()
    }

    /// The id of the connection.
    pub fn connection(&self) -> &str {
        self.inner.connection()
    }

    /// Comes into a room. Returns whether it was not in it before.
    ///
    /// # Errors
    /// As [`join`](crate::chat::Member::join).
    pub fn join(&self, room: &str, history: History) -> Result<bool, ChatError> {
        runtime::wait(self.inner.join(room, history))
    }

    /// Leaves a room. Returns whether it was in it.
    ///
    /// # Errors
    /// As [`leave`](crate::chat::Member::leave).
    pub fn leave(&self, room: &str) -> Result<bool, ChatError> {
        runtime::wait(self.inner.leave(room))
    }

    /// The rooms that it is in, sorted.
    pub fn rooms(&self) -> Vec<String> {
        runtime::wait(self.inner.rooms())
    }

    /// Says something in a room, at most once, and returns its place in the room's order.
    ///
    /// # Errors
    /// As [`send`](crate::chat::Member::send).
    pub fn send(&self, room: &str, text: &str) -> Result<StreamId, ChatError> {
        runtime::wait(self.inner.send(room, text))
    }

    /// Sends something to a user, and returns its place in the user's inbox.
    ///
    /// # Errors
    /// As [`send_private`](crate::chat::Member::send_private).
    pub fn send_private(&self, user: &str, text: &str) -> Result<StreamId, ChatError> {
        runtime::wait(self.inner.send_private(user, text))
    }

    /// The last messages that were sent to the user, newest first.
    ///
    /// # Errors
    /// As [`inbox`](crate::chat::Member::inbox).
    pub fn inbox(&self, before: Option<StreamId>, n: usize) -> Result<Vec<ChatMessage>, ChatError> {
        runtime::wait(self.inner.inbox(before, n))
    }

    /// The next event, if one comes within `limit`. `None`: none came, or this is the end. No event is lost
    /// when the time is over.
    pub fn next_within(&self, limit: Duration) -> Option<ChatEvent> {
        runtime::wait(async { timeout(limit, self.inner.next()).await }).ok().flatten()
    }

    /// All events of all rooms and the inbox: waits for the next one, and ends when the connection was
    /// [closed](Fanfare::close).
    pub fn events(&self) -> impl Iterator<Item = ChatEvent> + '_ {
        std::iter::from_fn(|| runtime::wait(self.inner.next()))
    }

    /// The counts so far.
    pub fn stats(&self) -> MemberStats {
        self.inner.stats()
    }

    /// Leaves all rooms and the chat: others are told now.
    ///
    /// # Errors
    /// As [`close`](crate::chat::Member::close).
    pub fn close(self) -> Result<(), ChatError> {
        runtime::wait(self.inner.close())
    }
}
