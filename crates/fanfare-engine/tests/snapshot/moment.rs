//! A snapshot that is taken while others write is one moment between their writes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use fanfare_engine::keyspace::Snapshot;
use fanfare_engine::value::Value;
use fanfare_testkit::{Rng, seed};

use crate::alone;
use crate::server::Server;
use crate::steps::{number_of, while_writing};

const N_ACCOUNTS: u64 = 100;
const N_SNAPSHOTS: u64 = 200;

/// What is in the accounts of a snapshot, and the last number that each writer wrote.
fn contents(snapshot: &Snapshot) -> (i64, Vec<(u64, u64)>) {
    let (mut sum, mut lasts) = (0, Vec::new());
    for entry in snapshot.databases().flat_map(|db| snapshot.entries(db)) {
        match entry.value() {
            Value::Text(text) => sum += text.to_int().expect("a sum of money"),
            // What a writer has written are the numbers from 0 on, and none is missing.
            Value::List(list) => {
                let numbers = list.iter().map(|it| it.as_int().expect("a number"));
                assert!(numbers.eq((0..).take(list.len())));
                lasts.push((number_of(entry.key(), "log:"), list.len() as u64));
            }
            other => panic!("nobody made a {}", other.type_name()),
        }
    }
    (sum, lasts)
}

#[test]
fn a_snapshot_is_a_moment_between_transactions() {
    let _alone = alone();
    let seed = seed();
    let server = Server::new(seed);
    // How much of the log of each writer was begun, and how much is done.
    let (begun, done) = ([const { AtomicU64::new(0) }; 2], [const { AtomicU64::new(0) }; 2]);
    let next_writer = AtomicU64::new(0);
    thread_local! {
        static WRITER: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
    }
    let write = |session: &mut crate::server::Session<'_>, rng: &mut Rng| {
        let writer = WRITER.get().unwrap_or_else(|| next_writer.fetch_add(1, Ordering::Relaxed));
        WRITER.set(Some(writer));
        let number = begun[writer as usize].fetch_add(1, Ordering::SeqCst);
        let (from, to) = (rng.below(N_ACCOUNTS), rng.below(N_ACCOUNTS));
        session.line("multi");
        session.line(&format!("decrby account:{from} {number}"));
        session.line(&format!("rpush log:{writer} {number}"));
        session.line(&format!("incrby account:{to} {number}"));
        session.line("exec");
        done[writer as usize].fetch_add(1, Ordering::SeqCst);
        if number == 1_000 {
            session.line("multi");
            session.line("swapdb 0 1");
            session.line("swapdb 1 0");
            session.line("exec");
        }
    };
    while_writing((&server, seed), N_SNAPSHOTS, write, |pace| {
        let mut before = Vec::new();
        for _ in 0..N_SNAPSHOTS {
            let at_least: Vec<_> = done.iter().map(|it| it.load(Ordering::SeqCst)).collect();
            let snapshot = server.keyspace.snapshot().expect("no script runs");
            let at_most: Vec<_> = begun.iter().map(|it| it.load(Ordering::SeqCst)).collect();
            before.push((at_least, snapshot, at_most));
            pace.read();
            thread::yield_now();
        }
        for (at_least, snapshot, at_most) in before {
            let (sum, lasts) = contents(&snapshot);
            assert_eq!(sum, 0);
            for (writer, n) in lasts {
                let range = at_least[writer as usize]..=at_most[writer as usize];
                assert!(range.contains(&n), "{n} of writer {writer} are not {range:?}");
            }
        }
    });
}
