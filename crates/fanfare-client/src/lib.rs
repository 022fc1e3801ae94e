//! The Fanfare link: a connection to any Redis that survives.
//!
//! A [`Link`] carries commands of many callers over one pipelined connection, and subscriptions
//! over another. It keeps both alive:
//!
//! - *It comes back.* A lost connection is made again, for ever, with backoff and jitter (at most
//!   5 s between attempts). Subscriptions are desired state: what is wanted is compared with what
//!   the server confirmed and repaired until both are equal, before `Up` is reported.
//! - *It notices.* A heartbeat with a deadline runs on every connection; a server that hangs is
//!   given up after 10 s by default, however alive its sockets look.
//! - *Nothing is swallowed.* Every call has a deadline and returns an [`Error`] with a kind, a
//!   stable code and whether a retry can help. A command that may have been sent is never sent
//!   again. Every message that is or may be lost is an event, a count and a gap in the stream.
//! - *Everything is bounded*: requests in flight in number and bytes, and every subscription's
//!   queue in messages and bytes, with a policy when it is full ([`Overflow`]).
//!
//! It speaks to standalone servers, to the master that Redis's sentinels agree on, and to all nodes of
//! a cluster, over TCP, Unix sockets and TLS.
//!
//! ```no_run
//! # async fn run() -> Result<(), fanfare_client::Error> {
//! use fanfare_client::{Kind, Link, Options, Queue};
//!
//! let link = Link::connect(Options::new("redis://127.0.0.1:6379")?).await?;
//! let mut news = link.subscribe([(Kind::Channel, "news".into())], Queue::default()).await?;
//! link.call(&[b"PUBLISH", b"news", b"hello"]).await?;
//! let message = news.next().await;
//! # Ok(()) }
//! ```
//!
//! # Code map
//! `connection/core.rs` is the protocol without I/O; `connection/echo.rs`, `heartbeat.rs`,
//! `subscriptions.rs`, `registry.rs`, `waiting.rs`, `queue.rs`, `backoff.rs` and what is in `stream/`
//! are pure as well. `connection/commands.rs`, `connection/subscriber.rs` and `connection/tail.rs`
//! are the tasks that own sockets, `topology/` says which connections there are and where each goes,
//! and `link.rs` is the handle.

mod backoff;
mod borrowed;
mod connection;
mod dedicated;
mod error;
mod event;
mod heartbeat;
mod link;
mod message;
mod namespace;
mod net;
mod options;
mod outlet;
mod policy;
mod queue;
mod registry;
mod request;
pub mod stream;
mod subscription;
mod subscriptions;
#[cfg(feature = "tls")]
mod tls;
mod tls_options;
mod topology;
mod url;
mod vitals;
mod waiting;

pub use backoff::Backoff;
pub use borrowed::Borrowed;
pub use dedicated::Dedicated;
pub use error::{Error, ErrorKind};
pub use event::{Event, Events, Role};
pub use fanfare_resp::{Limits, Value};
pub use link::{ConnectionStats, Link, LinkStats};
pub use message::{Delivery, Gap, Message, Outage, SubscriptionStats};
pub use namespace::Namespace;
pub use options::Options;
pub use policy::{Overflow, Protocol, Queue, WhileDown};
pub use request::{Answers, Pipeline, check_shareable};
pub use subscription::{Subscription, SubscriptionNames};
pub use subscriptions::Kind;
pub use tls_options::TlsOptions;
pub use topology::cluster::slots::slot;
pub use url::{Address, Secret, Sentinel, ServerUrl, Topology};
pub use vitals::{LiveKind, LiveState, Vital, Vitals};
