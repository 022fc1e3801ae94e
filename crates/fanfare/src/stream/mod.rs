//! Streams: entries that the broker keeps until they are trimmed, read from any place, any number
//! of times.
//!
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use fanfare::{Fanfare, stream::{Position, Trim}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fanfare::Error> {
//! let fanfare = Fanfare::connect("embedded:").await?;
//! let orders = fanfare.stream("orders").keep(Trim::maxlen(1_000_000).approximate());
//! orders.add([("item", "tea"), ("amount", "3")]).await?;
//! let mut tail = orders.tail(Position::Start).await?;
//! orders.add([("item", "milk")]).await?;
//! for expected in ["tea", "milk"] {
//!     let entry = tail.next().await.expect("the tail goes on");
//!     assert_eq!(entry.text("item")?, expected);
//! }
//! # Ok(()) }
//! ```
//!
//! # What a tail promises
//! Every entry that the stream still has when its turn comes is delivered once, in order, to the
//! value that [`Stream::tail`] returned, over lost connections and restarted servers. While nobody
//! takes, nothing is read, and nothing is lost. What can not be promised is told, in its place:
//!
//! | what happens | what [`Tail::next_delivery`] says |
//! |---|---|
//! | the connection is lost, or the server refuses to go on | [`Down`](Delivery::Down), then [`Resumed`](Delivery::Resumed); nothing is lost |
//! | entries are trimmed away before they are read | [`Gap`](Delivery::Gap) |
//! | the stream is deleted, expires, is renamed away, flushed, overwritten | [`Reset`](Delivery::Reset) |
//! | it is started behind an ID above the stream's last one | [`Reset`](Delivery::Reset) |
//! | a server comes back with older data (an unsynced append-only file, a replica that lagged) | [`Reset`](Delivery::Reset), and entries come again from the first |
//! | single entries are deleted (`XDEL`) before they are read | nothing; they just do not come |
//!
//! How it is noticed depends on the server, which is asked by command (`COMMAND INFO`), not by
//! product or version:
//!
//! - **A server with `XSUBSCRIBE`, in RESP3** (Fanfare's broker) pushes entries, and tells of gaps
//!   and resets itself, exactly and in order. Only a stream that is replaced while the connection
//!   is away is judged by its counters, as below.
//! - **Redis 7.0 and newer** is asked with `XREAD BLOCK`, and with each answer, in one transaction,
//!   for the stream's counters (`XINFO STREAM`). A gap is told when more entries have gone from the
//!   front of the stream than were read. It is exact for a stream from which nothing is `XDEL`eted
//!   and whose end was read at least once, or that was read from its start. Otherwise, it is told
//!   when entries *may* have been trimmed: deleted ones may count as trimmed, and so may those
//!   before the ID given to [`Position::After`] if that entry is gone itself. `upto` is the ID just
//!   below the first entry that is there. A reset is told when the stream is missing, or its last
//!   ID or its number of entries ever added has become smaller, or the two can not be those of the
//!   stream that was read: at the next entry, or within half the heartbeat's interval (at most 5 s).
//!   Not noticed are a stream that comes and goes between two looks; one that is replaced between
//!   them by one with larger IDs, at least as many entries, and as many trimmed; and what `XSETID`
//!   does to the counters.
//! - **Redis 5 and 6** do not count the entries ever added: gaps are not noticed, and a reset only
//!   by a missing stream or a smaller last ID.
//!
//! A tail needs the rights to `XREAD`, `XINFO|STREAM`, `MULTI` and `EXEC`, or to `XSUBSCRIBE`,
//! `XUNSUBSCRIBE` and `XINFO|STREAM`; and to `COMMAND|INFO`, without which nothing is pushed.

mod add;
pub(crate) mod group;
pub(crate) mod handle;
mod read;

pub use add::{AddOptions, NewId, Trim};
pub use fanfare_client::stream::{Delivery, Entry, Position, StreamId, Tail, TailStats};
pub use group::{ConsumerInfo, Group, GroupInfo, Pending, PendingEntry};
pub use handle::Stream;
