//! Streams that go, and others that come in their place, whatever does it: every subscriber is told, and goes on with what
//! is there.

use super::{Id, Pushed, connect, next, subscribe};
use crate::peer::{Frame, Peer, addr_of, broker, info, wait_until};

const KEY: &str = "s";

/// What is done to the stream at `s`, which has the entry 5-1 (`other` has 1-1 and 2-1, and `s` of database 1 has 3-1),
/// and the entries that are there then.
const WAYS: &[(&str, &[Id])] = &[
    ("DEL s", &[]),
    ("UNLINK s", &[]),
    ("PEXPIREAT s 1", &[]),
    // Nobody looks at it any more.
    ("PEXPIRE s 1", &[]),
    ("SET s text; DEL s", &[]),
    ("SUNIONSTORE s set; DEL s", &[]),
    ("SUNIONSTORE s none", &[]),
    ("SORT set ALPHA STORE s; DEL s", &[]),
    ("RENAME s elsewhere", &[]),
    ("RENAMENX s elsewhere", &[]),
    ("RENAME other s", &[(1, 1), (2, 1)]),
    ("COPY other s REPLACE", &[(1, 1), (2, 1)]),
    (
        "EVAL return(redis.call('RESTORE',KEYS[1],0,redis.call('DUMP',KEYS[2]),'REPLACE')) 2 s other",
        &[(1, 1), (2, 1)],
    ),
    ("SELECT 1; DEL s; SELECT 0; MOVE s 1", &[]),
    ("SELECT 1; COPY s s DB 0 REPLACE", &[(3, 1)]),
    ("SWAPDB 0 1", &[(3, 1)]),
    ("SWAPDB 0 2", &[]),
    ("FLUSHDB", &[]),
    ("FLUSHDB ASYNC", &[]),
    ("FLUSHALL SYNC", &[]),
    ("FLUSHALL ASYNC", &[]),
    ("MULTI; DEL s; XADD s 4-1 f v; EXEC", &[(4, 1)]),
    ("evict allkeys-random", &[]),
    ("evict allkeys-lru", &[]),
    ("evict allkeys-lfu", &[]),
    ("evict volatile-ttl", &[]),
    ("evict volatile-lru", &[]),
];

/// The same where there is no stream at `s`.
const WAYS_TO_COME: &[(&str, &[Id])] = &[
    ("RENAME other s", &[(1, 1), (2, 1)]),
    ("RENAMENX other s", &[(1, 1), (2, 1)]),
    ("COPY other s", &[(1, 1), (2, 1)]),
    (
        "EVAL return(redis.call('RESTORE',KEYS[1],0,redis.call('DUMP',KEYS[2]))) 2 s other",
        &[(1, 1), (2, 1)],
    ),
    ("SELECT 1; MOVE s 0", &[(3, 1)]),
    ("SWAPDB 1 0", &[(3, 1)]),
];

#[test]
fn whatever_happens_to_a_stream_its_subscribers_are_told() {
    for n_reactors in [1, 3] {
        for (way, ids) in WAYS {
            check(n_reactors, &["XADD s 5-1 f v"], (way, ids));
        }
    }
}

#[test]
fn a_stream_that_comes_from_elsewhere_is_pushed_from_its_first_entry() {
    for n_reactors in [1, 3] {
        for (way, ids) in WAYS_TO_COME {
            check(n_reactors, &[], (way, ids));
        }
    }
}

fn entry(id: Id) -> Pushed {
    Pushed::Entry(id, vec!["f".into(), "v".into()])
}

fn check(n_reactors: u32, before: &[&str], (way, ids): (&str, &[Id])) {
    let broker = broker(|config| config.reactors = n_reactors);
    let addr = addr_of(&broker);
    let mut admin = Peer::connect(addr);
    let others = ["XADD other 1-1 f v", "XADD other 2-1 f v", "SADD set m"];
    let elsewhere = ["SELECT 1", "XADD s 3-1 f v", "SELECT 0"];
    others.iter().chain(&elsewhere).chain(before).for_each(|it| run(&mut admin, it));
    let mut peers = [2, 3, 3, 2].map(|version| connect(addr, version));
    for peer in &mut peers {
        subscribe(peer, "0", KEY);
        for _ in before {
            assert_eq!(next(peer, KEY), entry((5, 1)));
        }
    }
    wait_until("all are live", || info(&mut admin, "stream_subscriptions_reading") == 0);
    match way.strip_prefix("evict ") {
        Some(policy) => evict(&mut admin, policy),
        None => way.split("; ").for_each(|it| run(&mut admin, it)),
    }
    for peer in &mut peers {
        assert_eq!(next(peer, KEY), Pushed::Reset, "{way}");
        for id in ids {
            assert_eq!(next(peer, KEY), entry(*id), "{way}");
        }
    }
    run(&mut admin, "SELECT 0");
    run(&mut admin, "XADD s 9-1 f v");
    for peer in &mut peers {
        assert_eq!(next(peer, KEY), entry((9, 1)), "{way}");
    }
}

fn run(admin: &mut Peer, line: &str) {
    let reply = admin.call(&line.split(' ').collect::<Vec<_>>());
    assert!(!matches!(reply, Frame::Error(_)), "{line}: {reply:?}");
}

/// Lets memory end until nothing is left that this policy may remove.
fn evict(admin: &mut Peer, policy: &str) {
    run(admin, "EXPIRE s 1000");
    run(admin, &format!("CONFIG SET maxmemory-policy {policy}"));
    run(admin, "CONFIG SET maxmemory 1");
    wait_until("it is evicted", || admin.call(&["EXISTS", KEY]).int() == 0);
    run(admin, "CONFIG SET maxmemory 0");
}
