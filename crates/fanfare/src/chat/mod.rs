//! A chat for programs of several processes: rooms, private messages, history, presence.
//!
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use fanfare::{Fanfare, chat::{Chat, ChatEvent, History}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let fanfare = Fanfare::connect("embedded:").await?;
//! let chat = Chat::new(&fanfare);
//! let (ada, ben) = (chat.connect("ada", "phone").await?, chat.connect("ben", "desk").await?);
//! ada.join("tea", History::None).await?;
//! ben.join("tea", History::Last(20)).await?;
//! ada.send("tea", "hello").await?;
//! loop {
//!     if let Some(ChatEvent::Message { room, message }) = ben.next().await {
//!         assert_eq!((room.as_str(), message.text.as_str()), ("tea", "hello"));
//!         break;
//!     }
//! }
//! let users: Vec<_> = chat.presence("tea").await?.into_iter().map(|it| it.user).collect();
//! assert_eq!(users, ["ada", "ben"]);
//! ben.send_private("ada", "just for you").await?;
//! assert_eq!(chat.history("tea", None, 10).await?.len(), 1);
//! # ada.close().await?;
//! # ben.close().await?;
//! # Ok(()) }
//! ```
//!
//! # What it promises
//! - *Each message once and in order.* What is said in a room is an entry of a stream, and so is who comes
//!   and goes. Each member reads it by a [`Tail`](crate::stream::Tail): the history that it asks for, then
//!   what comes, without a gap or a duplicate, over lost connections and restarted servers. What was
//!   trimmed away before a member could read it is a [`ChatEvent::Gap`].
//! - *Sending is at most once*, and has succeeded when the message is in the stream. A server that dies, or
//!   fails over, may lose what it had not written down or handed on.
//! - *Who is there is kept in the broker*, by its clock. Each connection gives a sign of life three times in
//!   [`presence_ttl`](ChatLimits::presence_ttl); one that does not is gone, so a process that is killed
//!   leaves no ghosts. A user with several connections leaves with the last one. That somebody came, left
//!   or expired is told exactly once, however many processes there are. Who expired is noticed when
//!   somebody is in the room, or asks.
//! - *Limits hold over all processes*: see [`ChatLimits`]. What is refused says the value, the limit and
//!   the cure: [`Refusal`].
//!
//! # Who is who
//! The chat believes what it is told: whoever may call it, or reach the broker, may say that they are
//! anybody. The program authenticates its users, and hands only their own names to [`Chat::connect`]. Nothing
//! is encrypted, but by TLS to the broker. Names are escaped, so no name reaches another one's keys.
//!
//! # On the broker
//! With the prefix `chat`: `{chat:room:R}:history` (a stream), `:presence` (a sorted set of connections by
//! their end) and `:users` (a hash of users and their connections) for each room, and the same for the
//! lobby, `{chat:lobby}`, in which everybody is; `{chat:user:U}:inbox` (a stream), `:rooms` and `:rate` for
//! each user. All go away by themselves. It needs Redis 6.2 and the right to run scripts.

#[expect(clippy::module_inception, reason = "the type is what the module is called after")]
mod chat;
mod event;
mod limits;
mod member;
mod place;
mod shared;

pub use chat::{Chat, ChatStats, Present, RoomStats};
pub use event::{ChatEvent, ChatMessage};
pub use limits::{ChatError, ChatLimits, Refusal};
pub use member::{History, Member, MemberStats};
