//! Following a stream: what it delivers, what to ask the server for, and what the answers mean.
//!
//! Only the handle, [`Tail`], knows of the task that owns the socket. The rest is pure: `cursor.rs` knows how far the stream was read and judges what became of it, `reader.rs`
//! asks, `replies.rs` takes answers apart, `queue.rs` holds what nobody took yet.

mod cursor;
mod entry;
mod id;
pub(crate) mod queue;
pub(crate) mod reader;
mod replies;
mod tail;

pub use entry::{Delivery, Entry, Position, TailStats};
pub use id::StreamId;
pub use replies::{entries, read as entries_read};
pub use tail::Tail;
