//! Redis messaging for Rust: publish and subscribe, and streams, on an embedded broker or on any Redis.
//!
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use fanfare::Fanfare;
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), fanfare::Error> {
//!     // Or redis://host:port, redis+sentinel://host/master: the rest stays the same.
//!     let fanfare = Fanfare::connect("embedded:").await?;
//!     let mut news = fanfare.subscribe(["news"]).await?;
//!     fanfare.publish("news", "hello").await?;
//!     if let Some(message) = news.next().await {
//!         println!("{}: {}", message.channel_name(), message.text()?);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # The types
//! - [`Fanfare`] is the handle: [`publish`](Fanfare::publish),
//!   [`publish_json`](Fanfare::publish_json), [`publish_batch`](Fanfare::publish_batch),
//!   [`subscribe`](Fanfare::subscribe), [`psubscribe`](Fanfare::psubscribe),
//!   [`ssubscribe`](Fanfare::ssubscribe), [`handle`](Fanfare::handle),
//!   [`command`](Fanfare::command), [`events`](Fanfare::events).
//! - [`Subscriber`] describes a subscription: channels, patterns, sharded channels, queue.
//! - [`Subscription`] is a stream of [`Message`]s, and with
//!   [`next_delivery`](Subscription::next_delivery) of the [`Gap`]s between them.
//! - [`Handler`] is a loop that calls a function for each message and survives its panics.
//! - [`Stream`](stream::Stream) adds to, reads and follows a stream that the broker keeps; its
//!   [`Tail`](stream::Tail) misses nothing that the stream still has.
//! - [`Worker`](worker::Worker) handles the entries of a stream, together with others, each at
//!   least once; what always fails ends among the [`DeadLetters`](worker::DeadLetters).
//! - [`Error`] has a kind, a stable code, and says whether a retry can help and whether the
//!   request may have taken effect.
//!
//! # What is promised
//! Publish and subscribe deliver at most once, a stream's tail exactly once to the value that reads
//! it, both in the order of the broker; a worker's handler gets each entry at least once. Connections come back by themselves, and
//! subscriptions with them; a server that hangs is noticed by a heartbeat. Every queue has a bound
//! and a policy for when it is full ([`Overflow`]). Every loss is an [`Event`], a count and a
//! [`Gap`] in the stream; none is silent.
//!
//! # Features
//! - `embedded` (default): the URL `embedded:` starts a broker inside the program.
//! - `tls` (default): `rediss://`.

mod batch;
pub mod catalogue;
mod client;
#[cfg(feature = "embedded")]
mod embedded;
mod json;
mod pubsub;
pub mod stream;
pub mod worker;

pub use client::{Builder, Fanfare};
pub use fanfare_client::{
    Address, Backoff, ConnectionStats, Delivery, Error, ErrorKind, Event, Events, Gap, Kind,
    Limits, LinkStats, Message, Options, Outage, Overflow, Protocol, Queue, Role, ServerUrl,
    Subscription, SubscriptionStats, TlsOptions, Value, WhileDown,
};
pub use pubsub::{Handler, HandlerStats, Outcome, Subscriber};
