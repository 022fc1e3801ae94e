//! One client: what it has sent and not yet had answered, what waits to be sent to it, and what is known about it. No
//! sockets in here.

mod facts;
mod outbox;

pub(crate) use facts::{Clients, Facts, Place, Seat, flag};
pub(crate) use outbox::{BufferPool, Outbox, Press, Slice, WriteNow};
