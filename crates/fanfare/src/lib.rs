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
//! - [`Publisher`] publishes values of one type, in batches, or gathered from many callers
//!   ([`Lingering`]).
//! - [`Router`] calls many handlers over one subscription, each with arguments extracted from the
//!   message.
//! - [`Channel`] and [`Pattern`] are names built of segments, whatever those contain.
//! - [`Envelope`] is an event with what is known about it; [`Call`] is what a handler is called for,
//!   wherever it came from.
//! - [`layers`] fit around handlers of all kinds: time limit, retry, circuit breaker, limits,
//!   idempotency, dead letters, metrics, traces.
//! - [`Health`] has the vital signs of everything that lives, and a judgement with reasons.
//! - [`Handler`] is a loop that calls a function for each message and survives its panics.
//! - [`Stream`](stream::Stream) adds to, reads and follows a stream that the broker keeps; its
//!   [`Tail`](stream::Tail) misses nothing that the stream still has.
//! - [`Client`](client::Client) runs commands and gives typed answers: keys, strings, counters, JSON,
//!   hashes, lists, sets, sorted sets, scripts, pipelines, transactions.
//! - [`Config`] reads how to connect from files and the environment, by the names that they have in
//!   other libraries.
//! - [`Worker`](worker::Worker) handles the entries of a stream, together with others, each at
//!   least once; what always fails ends among the [`DeadLetters`](worker::DeadLetters).
//! - [`DataPublisher`](data::DataPublisher) and [`DataSubscriber`](data::DataSubscriber) carry records
//!   to and from channels, streams and keys that a configured string names.
//! - [`Requester`](request::Requester) asks and gets answers, from one or many, within a deadline;
//!   [`Responder`](request::Responder) answers.
//! - [`Spool`](spool::Spool) keeps messages in a directory while the broker is away, and sends each once
//!   and in order when it is back.
#![cfg_attr(
    any(feature = "postgres", feature = "sqlite"),
    doc = "- [`Outbox`](outbox::Outbox) writes messages in a database's transaction, and a\n  [`Relay`](outbox::Relay) sends what is committed. It has no blocking twin."
)]
//! - [`Service`](service::Service) handles events by type and version, shares them with its replicas, and
//!   tells others what has happened.
//! - [`Chat`](chat::Chat) has rooms, private messages, history, and who is there, over all processes.
//! - [`TaskQueue`](queue::TaskQueue) has tasks with a time, a priority, a key and a result of their own,
//!   each run at least once.
//! - [`blocking`] is the twin of all that for programs without a runtime.
//! - [`BrokerMonitor`](monitor::BrokerMonitor) looks at a broker and raises alerts; [`doctor`] finds what
//!   is wrong with one, and says which command mends it.
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
//! - `cron`: schedules of queues.
//! - `embedded` (default): the URL `embedded:` starts a broker inside the program.
//! - `msgpack`, `cbor`: these forms of payloads.
//! - `zstd`, `lz4`, `gzip`: these ways of [`Compression`].
//! - `metrics`: a [`Monitor`] sets gauges of the `metrics` crate.
//! - `postgres`, `sqlite`: a transactional outbox (module `outbox`) in one of them.
//! - `schema`: JSON Schemas of messages, and AsyncAPI documents (module `schema`).
//! - `tls` (default): `rediss://`.
//! - `webhook`: alerts of a [`BrokerMonitor`](monitor::BrokerMonitor) to a URL.
#![cfg_attr(
    feature = "testing",
    doc = "- `testing`: [`testing`], for the tests of programs that use this crate."
)]
#![cfg_attr(
    not(feature = "testing"),
    doc = "- `testing`: a module for the tests of programs that use this crate."
)]

mod agreed;
mod batch;
pub mod blocking;
mod bucket;
mod call;
pub mod catalogue;
mod channel;
pub mod chat;
pub mod client;
mod codec;
mod config;
pub mod data;
pub mod doctor;
#[cfg(feature = "embedded")]
mod embedded;
mod envelope;
mod events;
mod fanfare;
mod handle;
mod health;
pub mod layers;
pub mod monitor;
mod once;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub mod outbox;
mod pubsub;
pub mod queue;
pub mod request;
#[cfg(feature = "schema")]
pub mod schema;
pub mod service;
pub mod spool;
pub mod stream;
#[cfg(feature = "testing")]
pub mod testing;
pub mod worker;

pub use self::call::{Call, Source, SourceKind};
pub use self::channel::{Channel, Pattern};
pub use self::client::commands;
#[cfg(feature = "cbor")]
pub use self::codec::Cbor;
#[cfg(feature = "msgpack")]
pub use self::codec::MsgPack;
pub use self::codec::{Algorithm, Codec, Compression, Data, Json, Raw, Redaction, Text};
pub use self::config::{Config, Hosts, Keepalive, Setting, Url};
pub use self::envelope::{Envelope, Head, Metadata, Sealed};
pub use self::fanfare::{Builder, Fanfare};
pub use fanfare_client::{
    Address, Backoff, ConnectionStats, Delivery, Error, ErrorKind, Event, Events, Gap, Kind,
    Limits, LinkStats, LiveKind, LiveState, Message, Namespace, Options, Outage, Overflow,
    Protocol, Queue, Role, Secret, ServerUrl, Subscription, SubscriptionNames, SubscriptionStats,
    TlsOptions, Value, Vitals, WhileDown,
};
pub use handle::{BoxError, Extract, Handle, HandlerService, Outcome, Permanent, State, service};
pub use health::{Health, Monitor, Pulse, SelfTest, Tolerance, Unwell};
pub use pubsub::{
    ActiveChannel, Failed, FailedReason, Handler, HandlerStats, Linger, LingerStats, Lingering,
    Publisher, Receipt, RouteId, RouteStats, Router, RouterStats, RunningRouter, Subscriber,
    WhenFull,
};

/// The Rust of the tutorials is compiled and run with the other examples.
#[cfg(all(doctest, feature = "embedded"))]
mod tutorials {
    #[doc = include_str!("../../../docs/tutorials/01-publish-and-subscribe.md")]
    mod publish_and_subscribe {}
    #[doc = include_str!("../../../docs/tutorials/02-patterns.md")]
    mod patterns {}
    #[doc = include_str!("../../../docs/tutorials/03-streams.md")]
    mod streams {}
    #[doc = include_str!("../../../docs/tutorials/04-groups-and-workers.md")]
    mod groups_and_workers {}
    #[doc = include_str!("../../../docs/tutorials/05-queues-and-data.md")]
    mod queues_and_data {}
    #[doc = include_str!("../../../docs/tutorials/07-sentinel-and-cluster.md")]
    mod sentinel_and_cluster {}
}
