//! Random commands on all types at once: the engine in memory beside redis-server, and beside what its own effects make
//! of an empty keyspace.
//!
//! `FANFARE_SEED=n` repeats a run, `FANFARE_FULL=1` makes the comparison with redis-server twenty times as
//! long.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that fails here says enough"
)]

mod catalog;
mod compare;
mod contents;
mod defined;
mod diary;
mod draw;
mod grammar;
#[path = "../it/host.rs"]
mod host;
mod newer;
mod replay;
mod steps;
mod streams;
mod words;
#[path = "../it/world.rs"]
#[expect(dead_code, reason = "shared with the other tests of the engine")]
mod world;
