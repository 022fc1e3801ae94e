//! A monitor of a *broker*, on any topology: how it is, what is in it, and alerts when something is
//! too much.
//!
//! [`Fanfare::monitor`](crate::Fanfare::monitor) and [`Health`](crate::Health) tell whether what
//! lives in *this program* still gets its messages. A [`BrokerMonitor`] looks at the server from
//! outside, as an operator does: every node, the subscribers of channels, what is published,
//! streams, groups, dead letters, queues, memory, clients, replicas, persistence.
//!
//! # Example: a snapshot, and what is wrong
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use std::time::Duration;
//! use fanfare::monitor::{Metric, Rule, Severity};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fanfare::Error> {
//! let fanfare = fanfare::Fanfare::connect("embedded:").await?;
//! let lag = Rule::new(Metric::Lag, Severity::Critical, 1_000.0)
//!     .resolve_at(500.0)
//!     .held(Duration::from_secs(30));
//! let mut monitor = fanfare
//!     .broker_monitor()
//!     .every(Duration::from_secs(5))
//!     .find_streams("*")
//!     .find_queues("*")
//!     .listen(["orders.*"])
//!     .rule(lag)
//!     .start()?;
//! if let Some(snapshot) = monitor.next().await {
//!     for alert in &snapshot.alerts {
//!         println!("{alert}: {}", alert.cure);
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! # What is promised
//! - What can not be seen is told as such ([`Snapshot::blind`], [`Node::error`]) and raises an
//!   alert of its own; it is never a zero.
//! - Rates are taken over a window ([`BrokerMonitor::window`]); a restart makes none of them
//!   negative.
//! - Everything is bounded: streams, groups, queues, channels, what is heard, what waits to be delivered.
//!   What does not fit is counted, and that streams, groups or queues are not looked at raises an alert.
//! - An alert is told once when it is raised and once when it is resolved.
//!
//! Of a Sentinel group the master is looked at, and of a cluster all masters; replicas as their
//! master sees them. Streams and queues are found, and keys counted, in the URL's database.

mod alert;
mod channels;
mod courier;
mod find;
#[cfg(feature = "metrics")]
mod gauges;
mod heard;
mod hysteresis;
pub(crate) mod info;
mod judge;
pub(crate) mod look;
mod metric;
pub(crate) mod node;
mod options;
mod queues;
mod rule;
mod run;
mod samples;
mod snapshot;
mod streams;
mod tally;
#[cfg(feature = "webhook")]
mod webhook;
mod window;

pub use self::alert::{Alert, Notice, Severity};
pub use self::metric::Metric;
pub use self::options::BrokerMonitor;
pub use self::rule::Rule;
pub use self::run::{Notices, RunningMonitor};
pub use self::snapshot::{
    Blind, ChannelLook, Counters, GroupLook, Node, OtherChannels, Persistence, PrivateChannels,
    QueueLook, Replication, Snapshot, StreamLook,
};
#[cfg(feature = "webhook")]
pub use self::webhook::Webhook;
