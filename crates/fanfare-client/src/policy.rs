//! Choices of a link's options: the protocol, and what happens when there is no connection or no room.

use crate::{Error, ErrorKind};

/// Which protocol to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Ask for RESP3 and accept RESP2.
    #[default]
    Auto,
    /// RESP2 without asking.
    Resp2,
}

/// What happens to a command while there is no connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhileDown {
    /// It waits for the connection until its deadline, then fails with
    /// [`ErrorKind::NotConnected`].
    #[default]
    Wait,
    /// It fails at once with [`ErrorKind::NotConnected`].
    FailFast,
}

/// What happens to a message that does not fit into a subscription's queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest queued message is dropped, and the stream shows a gap in its place.
    #[default]
    DropOldest,
    /// The new message is dropped, and the stream shows a gap in its place.
    DropNewest,
    /// Nothing is read from the socket until there is room: the server's output buffer for this
    /// client fills instead.
    ///
    /// Such a subscription gets a connection of its own, so that it holds back nobody else. While
    /// it is held back, silence proves nothing, so the heartbeat rests. If the server cuts the
    /// connection because its buffer is full (`client-output-buffer-limit`), that is noticed as
    /// soon as reading goes on, and shown as `Down`, `Resubscribed` and a gap.
    Block,
    /// The subscription ends with [`ErrorKind::SlowConsumer`], after what was queued before.
    Disconnect,
}

/// The bounds of one subscription's queue and what happens when it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// What happens when it is full.
    pub overflow: Overflow,
    /// Most messages in the queue.
    pub messages_max: usize,
    /// Most bytes in the queue: payloads and channel names, and 128 bytes for each message. One
    /// message is always admitted, however large.
    pub bytes_max: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self { overflow: Overflow::default(), messages_max: 131_072, bytes_max: 64 * 1024 * 1024 }
    }
}

impl Queue {
    /// A queue with these bounds.
    pub fn new(overflow: Overflow, messages_max: usize, bytes_max: usize) -> Self {
        Self { overflow, messages_max, bytes_max }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.messages_max == 0 || self.bytes_max == 0 {
            return Err(Error::new(
                ErrorKind::InvalidOption,
                "a queue must hold at least 1 message and 1 byte",
            ));
        }
        Ok(())
    }
}
