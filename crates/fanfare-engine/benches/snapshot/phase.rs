//! What happens while writers write.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use fanfare_engine::keyspace::{Entry, Garbage, Policy, Snapshot};
use fanfare_engine::value::Value;
use fanfare_engine::value::stream::StreamId;
use fanfare_testkit::Rng;

use crate::clock::{Stopwatch, Waits, give_way, us};
use crate::mix::{BIG, Mix, put_string};
use crate::server::{Server, Session};
use crate::{ALLOCATOR, N_ITEMS, PHASE};

const N_WRITERS: u64 = 2;

/// Snapshots that are taken one after another.
const N_TAKEN: usize = if cfg!(debug_assertions) { 3 } else { 50 };

pub(crate) struct Bench<'a> {
    pub(crate) server: &'a Server,
    pub(crate) mix: Mix,
    pub(crate) frees: Sender<Garbage>,
}

impl<'a> Bench<'a> {
    pub(crate) fn session(&self) -> Session<'a> {
        let mut session = self.server.session();
        session.host.frees = Some(self.frees.clone());
        session
    }

    /// Nobody takes a snapshot.
    pub(crate) fn without(&self) {
        self.writing("no snapshot", || thread::sleep(PHASE));
    }

    /// One is taken, read from the first to the last, and dropped by who read it.
    pub(crate) fn reading(&self) {
        let start = Instant::now();
        let mut snapshot = None;
        let mut taken = Duration::ZERO;
        self.writing("a snapshot is taken and read", || {
            give_way();
            let start = Instant::now();
            snapshot = self.server.keyspace.snapshot();
            taken = start.elapsed();
            let read = snapshot.as_ref().map(read);
            black_box(read);
            thread::sleep(PHASE.saturating_sub(start.elapsed()));
        });
        println!(
            "| | taken in {}, read in {:.1} s | | | | | |",
            us(taken),
            start.elapsed().as_secs_f64()
        );
        self.writing("it is dropped", || {
            give_way();
            snapshot = None;
            thread::sleep(PHASE / 2);
        });
    }

    /// Several are taken, one after the other.
    pub(crate) fn taking(&self) {
        let mut times = Vec::new();
        self.writing("50 snapshots, one after the other", || {
            let mut kept = None;
            for _ in 0..N_TAKEN {
                let start = Instant::now();
                let snapshot = self.server.keyspace.snapshot();
                times.push(start.elapsed());
                thread::sleep(PHASE / 50);
                drop(kept.replace(snapshot));
            }
        });
        times.sort_unstable();
        let (half, last) = (times[times.len() / 2], times[times.len() - 1]);
        println!("| | taking one: median {}, longest {} | | | | | |", us(half), us(last));
    }

    /// Everything goes away, in several ways.
    pub(crate) fn removing(&self) {
        let mut session = self.session();
        if self.mix.is_one() {
            // A copy shares everything; the first writes make it one of its own.
            self.going("a string takes the place of it", &["copy big saved", "set big 1"]);
            session.line("copy saved big REPLACE");
            self.going("it is deleted", &["del saved", "del big"]);
        } else {
            let snapshot = self.server.keyspace.snapshot();
            self.going("SWAPDB, with a snapshot", &["swapdb 0 1", "swapdb 0 1"]);
            self.going("FLUSHALL, with a snapshot", &["flushall"]);
            self.writing("that is dropped", || {
                give_way();
                drop(snapshot);
                thread::sleep(PHASE / 2);
            });
        }
        session.line("flushall");
        crate::fill::fill(&mut session, self.mix);
        if self.mix.is_one() {
            session.line("pexpire big 1000000");
            self.writing_elsewhere("it expires", || {
                self.server.pass(1_000_001);
                let start = Instant::now();
                let swept = self.server.keyspace.expire_due(self.server.now(), 1_000, |_, _, _| {});
                let time = start.elapsed();
                if let Some(garbage) = swept.garbage {
                    self.frees.send(garbage).expect("it frees until nobody sends");
                }
                println!("| | expire_due: {} | | | | | |", us(time));
                thread::sleep(PHASE / 2);
            });
            crate::fill::fill(&mut session, self.mix);
        }
        self.evicting();
        crate::fill::fill(&mut session, self.mix);
        self.going("FLUSHALL", &["flushall"]);
        crate::fill::fill(&mut session, self.mix);
    }

    /// Memory is short: what is there goes.
    fn evicting(&self) {
        let tuning = self.server.keyspace.tuning();
        tuning.set_policy(Policy::AllkeysRandom);
        self.writing("a tenth is evicted", || {
            tuning.set_memory_max(self.server.keyspace.n_bytes() as u64 / 10 * 9);
            thread::sleep(PHASE);
        });
        tuning.set_memory_max(0);
    }

    /// Some commands, each of which is timed.
    fn going(&self, phase: &str, lines: &[&str]) {
        self.writing(phase, || {
            let mut session = self.session();
            for line in lines {
                let start = Instant::now();
                session.line(line);
                println!("| | {line}: {} | | | | | |", us(start.elapsed()));
            }
            thread::sleep(PHASE / 2);
        });
    }

    /// What a snapshot takes when so much was changed.
    pub(crate) fn costs(&self) {
        let mut session = self.session();
        println!("\n| changed | extra bytes | bytes per change |\n|--:|--:|--:|");
        for n_changed in [0, 10, 100, 1_000, 10_000, 100_000, 1_000_000] {
            if N_ITEMS < n_changed {
                break;
            }
            let mut rng = Rng::new(n_changed);
            let snapshot = self.server.keyspace.snapshot();
            let before = ALLOCATOR.allocated();
            (0..n_changed).for_each(|_| self.mix.change(&mut session, rng.below(N_ITEMS)));
            let extra = ALLOCATOR.allocated().saturating_sub(before);
            println!("| {n_changed} | {extra} | {} |", extra as u64 / n_changed.max(1));
            drop(snapshot);
        }
    }

    /// Two threads write while `happen` runs on a third one.
    fn writing(&self, phase: &str, happen: impl FnOnce() + Send) {
        let mix = self.mix;
        self.while_each(phase, |session, rng| mix.write(session, rng), happen);
    }

    /// As [`Self::writing`], but nobody looks at the collection.
    fn writing_elsewhere(&self, phase: &str, happen: impl FnOnce() + Send) {
        let write = |session: &mut Session<'_>, rng: &mut Rng| {
            put_string(session, rng.below(N_ITEMS));
        };
        self.while_each(phase, write, happen);
    }

    fn while_each(
        &self,
        phase: &str,
        write: impl Fn(&mut Session<'_>, &mut Rng) + Sync,
        happen: impl FnOnce() + Send,
    ) {
        let is_over = AtomicBool::new(false);
        let mut all = Waits::new();
        thread::scope(|scope| {
            let (write, is_over) = (&write, &is_over);
            let write_on = move |seed| {
                let mut rng = Rng::new(seed);
                let mut session = self.session();
                let mut watch = Stopwatch::new();
                while !is_over.load(Ordering::Relaxed) {
                    watch.measure(|| write(&mut session, &mut rng));
                }
                watch.into_waits()
            };
            let writers: Vec<_> =
                (0..N_WRITERS).map(|it| scope.spawn(move || write_on(it))).collect();
            scope.spawn(happen).join().expect("it goes well");
            is_over.store(true, Ordering::Relaxed);
            writers.into_iter().for_each(|it| all.add(&it.join().expect("it writes")));
        });
        all.print(phase);
    }
}

/// Looks at all there is.
fn read(snapshot: &Snapshot) -> usize {
    snapshot.databases().flat_map(|db| snapshot.entries(db)).map(read_entry).sum()
}

fn read_entry(entry: &Entry) -> usize {
    if *entry.key() != *BIG {
        return entry.key().len();
    }
    match entry.value() {
        Value::Text(text) => text.len(),
        Value::List(list) => list.iter().map(|it| it.spelled(&mut itoa::Buffer::new()).len()).sum(),
        Value::Set(set) => set.iter().map(|it| it.to_name().len()).sum(),
        Value::Hash(hash) => hash.iter().map(|it| it.value.to_name().len()).sum(),
        Value::SortedSet(set) => set.members(0..set.len()).map(|it| it.name.len()).sum(),
        Value::Stream(stream) => stream.iter_from(StreamId::MIN).map(|it| it.n_fields()).sum(),
    }
}
