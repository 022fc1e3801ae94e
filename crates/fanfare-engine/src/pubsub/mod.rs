//! Publish/subscribe without I/O: who is subscribed to what.
//!
//! [`Registry`] is shared by all reactors and counts subscriptions per reactor; its locks give every channel one order.
//! [`Index`] belongs to one reactor and knows the subscribers themselves. [`Patterns`] finds the patterns that match a
//! channel without trying them all.

mod counted;
mod index;
mod patterns;
mod registry;

pub use index::{Index, ListId, Subscriber};
pub use patterns::Patterns;
pub use registry::{ReactorId, ReactorSet, Registry};

#[cfg(test)]
mod tests;
