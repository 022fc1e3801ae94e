//! What a write waits for while a snapshot of 5,000,000 keys or members is taken, read, and dropped.
//!
//! `cargo bench -p fanfare-engine --bench snapshot [subject]…`: prints, for each subject and phase, percentiles of the
//! waits of two threads that write without rest while a third reads. With `--profile dev` there are fewer items.
//!
//! On a machine with two processors three threads can not all run: what a writer waits for the scheduler is not the
//! engine's doing, so each wait is given three times:
//!
//! * **wait**: from the call to its return.
//! * **less queue**: without the time that the thread was ready to run and another one had the processor
//!   (`/proc/thread-self/schedstat`). Waiting for a lock is in it, also if the one who holds that is not running.
//! * **own**: processor time of the write itself: what it copies and frees.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "it measures, and ends if it can not"
)]

mod clock;
mod fill;
#[path = "../../tests/it/host.rs"]
mod host;
mod mix;
mod phase;
#[path = "../../tests/snapshot/server.rs"]
mod server;

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use cap::Cap;
use fanfare_allocator::Mimalloc;
use fanfare_engine::keyspace::Garbage;

use mix::Mix;
use phase::Bench;
use server::Server;

/// Counts the bytes that are asked for.
#[global_allocator]
static ALLOCATOR: Cap<Mimalloc> = Cap::new(Mimalloc, usize::MAX);

/// Keys, or members of one collection.
const N_ITEMS: u64 = if cfg!(debug_assertions) { 3_000 } else { 5_000_000 };

/// How long writers write in each phase, at least.
const PHASE: Duration = Duration::from_millis(if cfg!(debug_assertions) { 20 } else { 4_000 });

fn main() {
    let wanted: Vec<_> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    println!("{N_ITEMS} items, 2 writers, 1 reader; times in µs");
    for mix in Mix::ALL {
        if wanted.is_empty() || wanted.iter().any(|it| *it == mix.name()) {
            measure(mix);
        }
    }
}

fn measure(mix: Mix) {
    let server = Server::new(7);
    let (frees, garbage) = channel();
    thread::scope(|scope| {
        scope.spawn(|| free_all(garbage));
        let bench = Bench { server: &server, mix, frees };
        let start = Instant::now();
        fill::fill(&mut bench.session(), mix);
        let n_bytes = ALLOCATOR.allocated();
        println!(
            "\n## {}: {:.1} s, {} MB\n",
            mix.name(),
            start.elapsed().as_secs_f64(),
            n_bytes / 1_000_000
        );
        println!("| phase | what | writes | p50 | p99 | p99.9 | max |");
        println!("|---|---|--:|--:|--:|--:|--:|");
        bench.without();
        bench.reading();
        bench.taking();
        bench.removing();
        bench.costs();
    });
}

/// Frees what commands threw away, as the broker's lazyfree thread does.
fn free_all(garbage: Receiver<Garbage>) {
    clock::give_way();
    garbage.into_iter().for_each(drop);
}
