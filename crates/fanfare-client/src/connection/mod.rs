//! One connection: its protocol without I/O, and the tasks that own its socket.

pub(crate) mod commands;
pub(crate) mod core;
pub(crate) mod dial;
pub(crate) mod driver;
pub(crate) mod echo;
pub(crate) mod handshake;
pub(crate) mod subscriber;
pub(crate) mod tail;
