//! A reactor: one thread with its own connections, its own index of subscribers and its own mailbox.
//!
//! A turn: every ready socket is read and its commands run to the end; then what was posted is drained and fanned out;
//! then each connection that got something is written to once. Nothing waits in between except for short locks; a
//! session that must wait is parked.

mod balance;
mod busy;
mod carry;
mod conn;
mod fanout;
mod host;
mod inbox;
mod input;
mod lazyfree;
mod mail;
mod mailbox;
mod output;
mod push;
mod recovery;
mod state;
#[cfg(test)]
mod tests;
mod thread;
mod time;
mod tracking;
mod wait;

pub(crate) use balance::Load;
pub(crate) use lazyfree::Lazyfree;
pub(crate) use mailbox::{Item, Mailbox};
pub(crate) use thread::{Handles, spawn_all};
pub(crate) use tracking::Prefixes;
