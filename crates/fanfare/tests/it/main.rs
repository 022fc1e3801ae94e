//! The library against real servers: what must hold when things go wrong.
//!
//! Every test of `on_every_broker!` runs on redis-server and on Fanfare's own broker; those of
//! `on_every_topology!` run on a master with replicas and sentinels, and on a cluster, as well.

mod cluster;
mod commands;
#[cfg(feature = "embedded")]
mod embedded;
mod failover;
mod groups;
mod handler;
mod loss;
mod pubsub;
mod recovery;
mod sentinel;
mod stall;
mod streams;
mod support;
mod tail;
mod tail_random;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod worker_conservation;
mod workers;
