//! A snapshot is what was there when it was taken, and costs what is changed: of many keys, and of one collection with
//! many members, while several threads write to them by commands.
//!
//! 100,000 keys or members; 5,000,000 with `FANFARE_FULL=1`. `FANFARE_SEED=n` repeats what is written, though not how
//! the threads take turns.

#![expect(clippy::cast_possible_truncation, reason = "the numbers are small")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that fails here says enough"
)]

mod cost;
mod hash;
#[path = "../it/host.rs"]
mod host;
mod keys;
mod list;
mod moment;
mod server;
mod set;
mod sorted_set;
mod steps;
mod stream;

use std::sync::{Mutex, MutexGuard, PoisonError};

use cap::Cap;

/// Counts the bytes that are asked for.
#[global_allocator]
static ALLOCATOR: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

/// How many keys or members there are.
fn n_items() -> u64 {
    if std::env::var_os("FANFARE_FULL").is_some() { 5_000_000 } else { 100_000 }
}

/// Only one of these tests runs at a time: they count memory, and need much of it.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
