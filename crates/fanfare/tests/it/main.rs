//! The library against real servers: what must hold when things go wrong.
//!
//! Every test of `on_everything!` runs on redis-server and on Fanfare's own broker, on a master with
//! replicas and sentinels, on a cluster, and on a broker in this process; those behind `not embedded`
//! need one that has a process, a login or a certificate of its own. Those of `on_every_broker!` run on
//! one server of either kind: they are about databases, or about what a topology does not change.

mod active;
mod blocking;
mod chat;
mod cluster;
mod commands;
mod commands_cluster;
mod commands_typed;
mod conservation;
#[cfg(feature = "schema")]
mod contracts;
mod data;
mod doctor;
#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "embedded")]
mod examples;
mod failover;
mod failover_durable;
mod faults;
mod groups;
mod handler;
mod health;
mod layers;
mod loss;
mod misuse;
mod monitor;
mod monitor_alerts;
mod monitor_queues;
mod names;
mod namespace;
mod nonsense;
#[cfg(all(feature = "embedded", feature = "postgres", feature = "schema", feature = "sqlite"))]
mod outbox;
#[cfg(feature = "embedded")]
mod processes;
mod publisher;
mod pubsub;
mod queue_conservation;
#[cfg(feature = "cron")]
mod queue_cron;
mod queue_events;
mod queue_kinds;
mod queue_support;
mod queue_workers;
mod queues;
mod recovery;
mod request;
mod router;
#[cfg(feature = "schema")]
mod schemas;
mod sentinel;
mod service;
mod spool;
mod stall;
mod streams;
mod support;
mod tail;
mod tail_random;
#[cfg(feature = "embedded")]
mod testing;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod tls_groups;
mod transport;
#[cfg(all(feature = "tls", feature = "webhook"))]
mod webhook;
mod worker_conservation;
mod worker_handlers;
mod worker_housekeeping;
mod worker_leftovers;
mod worker_support;
mod workers;
