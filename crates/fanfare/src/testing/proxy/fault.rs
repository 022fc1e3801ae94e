//! What can happen between a client and a server.

use std::time::Duration;

/// In which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// What the client sends.
    ToServer,
    /// What the server sends.
    ToClient,
    /// Everything.
    Both,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cut {
    /// Both ends see an ordinary end (FIN).
    Close,
    /// Both ends see a reset (RST).
    Reset,
}

/// What happens to those who want to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// They are closed at once (FIN).
    Close,
    /// They are reset at once (RST).
    Reset,
    /// They are connected, and nobody speaks to them until [`heal`](super::Proxy::heal), which lets
    /// them go on.
    Silence,
}

/// What can happen between a client and a server. A new fault takes the place of an earlier one of
/// the same sort and way; [`Proxy::heal`](super::Proxy::heal) ends all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// All connections that are open end. Happens once; new connections are served.
    Cut(Cut),

    /// New connections are refused. Those that are open go on.
    Refuse(Refusal),

    /// Bytes come late, by `latency` and up to `jitter` more, and in their order.
    Delay {
        /// Which bytes.
        way: Way,
        /// By how much all of them.
        latency: Duration,
        /// By how much more at most, at random.
        jitter: Duration,
    },

    /// Bytes are read and lost, as on a connection whose other end has vanished: nobody is told. A
    /// connection that has lost something is reset when this ends, since TCP loses nothing in the
    /// middle.
    Swallow(Way),

    /// Bytes are read no faster than this, so that the sender's buffers fill; 0: not at all.
    Throttle {
        /// Which bytes.
        way: Way,
        /// How many.
        bytes_per_second: u32,
    },

    /// About one byte in so many has a bit flipped: the same ones for the same seed and the same
    /// traffic.
    Garble {
        /// Which bytes.
        way: Way,
        /// 1: every byte.
        one_in: u32,
        /// Where the flipped bits are.
        seed: u64,
    },

    /// These bytes appear on every open connection, wherever its traffic is at the moment. Happens
    /// once.
    Insert {
        /// Who gets to see them: the server, the client, or both.
        way: Way,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

/// The faults of one direction that last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weather {
    pub(super) delay: Option<(Duration, Duration)>,
    pub(super) is_swallowed: bool,
    pub(super) bytes_per_second: Option<u32>,
    pub(super) garble: Option<Garble>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Garble {
    pub(super) one_in: u32,
    pub(super) seed: u64,
}
