//! Services that tell each other what has happened.
//!
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use std::time::Duration;
//! use fanfare::{Fanfare, Json, service::{Emitter, Scope, Service}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fanfare::Error> {
//! let fanfare = Fanfare::connect("embedded:").await?;
//! let (sender, mut welcomed) = tokio::sync::mpsc::unbounded_channel();
//! let orders = Service::new(&fanfare, "orders")
//!     .on("user_created", async |Json(name): Json<String>, emitter: Emitter| {
//!         emitter.emit(Scope::Other, "welcome_offer_sent", &name).await.map(drop)
//!     })
//!     .start()
//!     .await?;
//! let users = Service::new(&fanfare, "users")
//!     .on("welcome_offer_sent", move |Json(name): Json<String>| {
//!         let _ = sender.send(name);
//!         async {}
//!     })
//!     .start()
//!     .await?;
//! users.emitter().emit(Scope::Other, "user_created", "ada").await?;
//! assert_eq!(welcomed.recv().await.as_deref(), Some("ada"));
//! let stopped = orders.stop(Duration::from_secs(10)).await;
//! assert_eq!(stopped.stats.counts.handled, 1);
//! # users.stop(Duration::from_secs(10)).await;
//! # Ok(()) }
//! ```
//!
//! # Events
//! An event is an [`Envelope`](crate::Envelope) in a stream: in `services:events`, which all services
//! read ([`Scope::Global`], [`Scope::Other`]), or in `services:events:NAME`, which one service reads
//! ([`Scope::Service`]). Each service has one group in each, which its replicas share, so each event is
//! handled by one replica of each service. A service that was away finds what it has missed.
//!
//! *At least once*: an event is handled well by some replica, or ends among the
//! [dead letters](RunningService::dead_letters) of the service. All that is promised by a
//! [`Worker`](crate::worker::Worker) holds, since that is what reads it: retries with pauses that survive
//! a crash, leases, order, dead letters. What the server itself loses in a failover is lost.
//!
//! What all services have handled is trimmed away; so a service that is new finds, at most, what another
//! one has still to handle. A stream that is full refuses: see [`Retention`].
//!
//! An event for the others ([`Scope::Other`]) is skipped by *every* replica of the service whose name it
//! has as its source.
//!
//! # Hints
//! A [hint](Emitter::hint) goes over a channel to every instance that is there, *at most once*: that a
//! cache is stale, say. What must not be lost is an event.
//!
//! # Start and stop
//! [`Service::start`] makes the groups and subscribes to everything; then it emits `service_started`; then
//! events are handled. So whoever answers that event is heard. [`RunningService::stop`] takes nothing
//! more, lets handlers finish until a deadline, gives the rest back, and emits `service_stopped`. Both are
//! events for the others, whose data is `{"service": …, "instance": …, "uptime_ms": …}`.
//!
//! # Health and orders
//! A [`Console`] asks instances how they are, and orders them to shut down or to take another
//! configuration. Orders are obeyed only if they are signed by a key that the service [was
//! given](Service::control): see [`ControlKeys`].

mod builder;
mod console;
mod control;
mod core;
mod emitter;
mod handlers;
mod names;
mod report;
mod retention;
mod running;
mod stats;

pub use builder::Service;
pub use console::Console;
pub use control::{Confirmation, ControlKeys, RefusedOrder, Shutdown};
pub use emitter::{Emitter, Receipt};
pub use names::{Scope, Target};
pub use report::{HealthReport, WorkerReport};
pub use retention::Retention;
pub use running::{RunningService, Stopped};
pub use stats::{ServiceCounts, ServiceEvent, ServiceEvents, ServiceState, ServiceStats};

/// What becomes of an event for which there is no handler. It is counted and told in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It counts as handled.
    Ignore,
    /// It is tried again, since another replica may be of a release that knows it, and at last put with
    /// the dead letters.
    Retry,
    /// It is put with the dead letters at once.
    DeadLetter,
}
