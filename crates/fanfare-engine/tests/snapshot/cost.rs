//! What a snapshot costs in memory is proportional to what was changed.
//!
//! The first change of a key or member copies the leaf that it is in and the nodes above: for each tree at most a leaf
//! of 32 items of 64 bytes and an inner node of 64 children of 16 bytes, and further up less and less. Hence the bytes
//! per change that are stated here, and not more however often it is changed. When all is changed there are two of it,
//! and what a copy keeps in reserve.

use fanfare_testkit::{Rng, seed};

use crate::server::{Server, Session};
use crate::{ALLOCATOR, alone, hash, list, n_items, set, sorted_set, stream};

/// Memory that does not depend on what is changed: roots, and buffers of the client.
const N_FIXED: u64 = 64 << 10;

/// Something that is changed while a snapshot holds it.
struct Case {
    name: &'static str,
    fill: fn(&mut Session<'_>, u64),
    /// Changes item `number` without making it larger.
    change: fn(&mut Session<'_>, u64),
    bytes_per_change: u64,
}

const CASES: [Case; 7] = [
    Case { name: "keys", fill: fill_keys, change: change_key, bytes_per_change: 4 << 10 },
    Case { name: "hash", fill: hash::fill, change: change_field, bytes_per_change: 4 << 10 },
    Case { name: "set", fill: set::fill, change: change_member, bytes_per_change: 4 << 10 },
    // Two trees.
    Case { name: "zset", fill: sorted_set::fill, change: change_score, bytes_per_change: 16 << 10 },
    // A chunk of 8 KiB, or two if it is divided, and the tree above.
    Case { name: "list", fill: list::fill, change: change_element, bytes_per_change: 24 << 10 },
    // A block of 4 KiB, and the tree above.
    Case { name: "stream", fill: stream::fill, change: stream::delete, bytes_per_change: 12 << 10 },
    // Three orders; in two of them it goes to another place.
    Case { name: "group", fill: stream::fill, change: stream::claim, bytes_per_change: 40 << 10 },
];

fn fill_keys(session: &mut Session<'_>, n_items: u64) {
    (0..n_items)
        .for_each(|it| drop(session.line(&format!("set key:{it} a-value-with-its-own-memory"))));
}

fn change_key(session: &mut Session<'_>, number: u64) {
    session.line(&format!("set key:{number} another-value-with-memory"));
}

fn change_field(session: &mut Session<'_>, number: u64) {
    session.line(&format!("hset big f:{number} eulav:{number}"));
}

fn change_member(session: &mut Session<'_>, number: u64) {
    session.line(&format!("srem big m:{number}"));
    session.line(&format!("sadd big m:{number}"));
}

fn change_score(session: &mut Session<'_>, number: u64) {
    session.line(&format!("zincrby big 0.25 m:{number}"));
}

fn change_element(session: &mut Session<'_>, number: u64) {
    session.line(&format!("lset big {number} tnemele:{number}"));
}

fn allocated() -> u64 {
    ALLOCATOR.allocated() as u64
}

#[test]
fn a_snapshot_costs_what_is_changed() {
    let _alone = alone();
    let (seed, n_items) = (seed(), n_items());
    for Case { name, fill, change, bytes_per_change } in CASES {
        let server = Server::new(seed);
        let mut session = server.session();
        let empty = allocated();
        fill(&mut server.session(), n_items);
        let whole = allocated() - empty;
        let mut rng = Rng::new(seed);
        for n_changed in [0, 1, 10, 100, 1_000, n_items / 50] {
            let start = allocated();
            let snapshot = server.keyspace.snapshot().expect("no script runs");
            let numbers: Vec<_> = (0..n_changed).map(|_| rng.below(n_items)).collect();
            // The second time nothing is left to be copied.
            for _ in 0..2 {
                numbers.iter().for_each(|it| change(&mut session, *it));
            }
            let extra = allocated().saturating_sub(start);
            let n_bytes_max = (n_changed * bytes_per_change).min(whole * 3 / 2) + N_FIXED;
            assert!(extra <= n_bytes_max, "{name}: {extra} bytes for {n_changed} changes");
            eprintln!("{name}: {extra} bytes for {n_changed} changes of {whole} bytes");
            drop(snapshot);
            // What replaced it may take a little more: nodes that were divided.
            let left = allocated().saturating_sub(start);
            assert!(left <= extra / 4 + N_FIXED, "{name}: {left} bytes are left of {extra}");
        }
        flush(&server, &mut session, empty);
    }
}

/// Flushing while a snapshot lives takes no memory, and gives it back when the snapshot goes.
fn flush(server: &Server, session: &mut Session<'_>, empty: u64) {
    let snapshot = server.keyspace.snapshot().expect("no script runs");
    let full = allocated();
    session.line("flushall");
    assert_eq!(server.keyspace.n_bytes(), 0);
    assert!(allocated() <= full + N_FIXED);
    assert!(full - N_FIXED <= allocated(), "the snapshot holds it");
    drop(snapshot);
    assert!(allocated() <= empty + N_FIXED, "it is given back");
}
