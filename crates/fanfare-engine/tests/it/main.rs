//! The engine in memory: transcripts per family, and a random walk beside a naive model.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that fails here says enough"
)]

mod admin;
mod bitmap;
mod check;
mod command;
mod conn;
mod effects;
mod evict;
mod hash;
mod host;
mod key;
mod list;
mod model;
mod oracle;
mod pubsub;
mod restore;
mod scan;
mod script;
mod set;
mod sorted_set;
mod spec;
mod stream_group;
mod string;
mod told;
mod txn;
mod walk;
mod world;
