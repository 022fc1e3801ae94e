//! From history to what is added: no entry is missing, none comes twice, whenever a subscriber comes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fanfare_testkit::{Rng, seed};

use super::{Id, Pushed, at, below, connect, id, ids, is_end, next, spelled, subscribe};
use crate::peer::{Peer, addr_of, broker, command, info, wait_until};

const N_WRITERS: usize = 3;
const N_SUBSCRIBERS: usize = 9;
/// Entries of each writer, and how many of them are sent at once.
const N_ENTRIES: usize = 6_000;
const BATCH: usize = 200;
const KEYS: [&str; 2] = ["s", "t"];

#[test]
fn every_subscriber_sees_every_entry_once_and_in_order() {
    let mut rng = Rng::new(seed());
    for n_reactors in [1, 3] {
        let broker = broker(|config| config.reactors = n_reactors);
        let addr = addr_of(&broker);
        let n_written = AtomicUsize::new(0);
        let mut admin = Peer::connect(addr);
        let seen: Vec<_> = thread::scope(|scope| {
            let n_written = &n_written;
            let writers: Vec<_> = (0..N_WRITERS)
                .map(|_| scope.spawn(move || write(Peer::connect(addr), n_written)))
                .collect();
            let subscribers: Vec<_> = (0..N_SUBSCRIBERS)
                .map(|n| {
                    let rng = Rng::new(rng.next_u64());
                    let version = if n % 2 == 0 { 2 } else { 3 };
                    let key = KEYS[n % 3 % 2];
                    let (peer, other) = (connect(addr, version), Peer::connect(addr));
                    scope.spawn(move || read(peer, other, (key, rng), n_written))
                })
                .collect();
            writers.into_iter().for_each(|it| it.join().unwrap());
            for key in KEYS {
                admin.call(&["XADD", key, "*", "end", "1"]);
            }
            subscribers.into_iter().map(|it| it.join().unwrap()).collect()
        });
        for (key, begins, seen) in seen {
            let all = ids(&mut admin, key);
            let expected = &all[all.len().saturating_sub(seen.len())..];
            assert!(seen == expected, "{} entries are not the last ones", seen.len());
            let n_behind = |id: Id| all.len() - all.partition_point(|it| *it <= id);
            let (n_most, n_least) = (n_behind(begins.0), n_behind(begins.1));
            assert!((n_least..=n_most).contains(&seen.len()), "{} entries", seen.len());
        }
        wait_until("nobody is subscribed", || info(&mut admin, "stream_subscriptions") == 0);
    }
}

/// Adds entries to both streams as fast as they are taken.
fn write(mut peer: Peer, n_written: &AtomicUsize) {
    for n in 0..N_ENTRIES / BATCH {
        let key = if n % 2 == 0 { "s" } else { "t" };
        let add = |n: usize| command(&["XADD", key, "*", "n", &n.to_string()]);
        peer.write(&(0..BATCH).flat_map(add).collect::<Vec<u8>>());
        (0..BATCH).for_each(|_| drop(peer.read()));
        n_written.fetch_add(BATCH, Ordering::Relaxed);
    }
}

/// The last ID of a stream.
fn last_id(peer: &mut Peer, key: &str) -> Id {
    let last = peer.call(&["XREVRANGE", key, "+", "-", "COUNT", "1"]);
    last.items().first().map_or((0, 0), |it| id(&at(it, 0).text()))
}

/// Subscribes at some time, from some entry, and reads to the last one. Returns behind which entry it begins at the earliest
/// and at the latest, and what it was pushed.
fn read(
    mut peer: Peer,
    mut other: Peer,
    (key, mut rng): (&'static str, Rng),
    n_written: &AtomicUsize,
) -> (&'static str, (Id, Id), Vec<Id>) {
    let begins_at = below(&mut rng, N_WRITERS * N_ENTRIES * 3 / 4);
    wait_until("enough is written", || begins_at <= n_written.load(Ordering::Relaxed));
    let after = match rng.below(4) {
        0 => None,
        1 => Some((0, 0)),
        _ => {
            let all = peer.call(&["XREVRANGE", key, "+", "-", "COUNT", "2000"]);
            let index = below(&mut rng, all.items().len());
            all.items().get(index).map(|it| id(&at(it, 0).text())).or(Some((0, 0)))
        }
    };
    // What is added before the confirmation is written may come or not, and what is added later comes.
    let earliest = after.unwrap_or_else(|| last_id(&mut other, key));
    subscribe(&mut peer, &after.map_or("$".into(), spelled), key);
    let latest = after.unwrap_or_else(|| last_id(&mut other, key));
    let mut seen = Vec::new();
    loop {
        match next(&mut peer, key) {
            Pushed::Entry(id, fields) => {
                seen.push(id);
                if is_end(&fields) {
                    return (key, (earliest, latest), seen);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}
