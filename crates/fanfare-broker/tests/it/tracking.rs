//! Client-side caching over several reactors: no copy stays stale, what is remembered for it is bounded, and who is gone
//! is forgotten.
//!
//! docs/differences.md: D18

#![expect(clippy::indexing_slicing, reason = "a test that can not go on ends")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use fanfare_testkit::{RedisServer, Rng, seed};

use crate::peer::{Frame, PATIENCE, Peer, Poll, addr_of, broker, command, info, wait_until};

const N_KEYS: u64 = 24;
const N_READERS: u64 = 6;
const N_WRITERS: u64 = 3;
const N_WRITES: u64 = 1000;

fn ok() -> Frame {
    Frame::Simple(b"OK".to_vec())
}

fn resp3(addr: SocketAddr) -> Peer {
    let mut peer = Peer::connect(addr);
    peer.call(&["HELLO", "3"]);
    peer
}

fn key(rng: &mut Rng) -> String {
    format!("k{}", rng.below(N_KEYS))
}

/// A client that believes what it has read until it is told otherwise.
struct Reader {
    peer: Peer,
    copies: BTreeMap<String, Frame>,
    rng: Rng,
}

impl Reader {
    fn new(addr: SocketAddr, mode: &[&str], rng: Rng) -> Self {
        let mut peer = resp3(addr);
        assert_eq!(peer.call(&[&["CLIENT", "TRACKING", "ON"], mode].concat()), ok());
        Self { peer, copies: BTreeMap::new(), rng }
    }

    /// The next reply; copies that it is told of before are dropped.
    fn reply(&mut self) -> Frame {
        loop {
            match self.peer.read() {
                Frame::Push(items) => self.forget(&items),
                reply => return reply,
            }
        }
    }

    fn forget(&mut self, push: &[Frame]) {
        assert_eq!(push.first(), Some(&Frame::Bulk(b"invalidate".to_vec())));
        match push.get(1) {
            Some(Frame::Null) => self.copies.clear(),
            Some(names) => names.items().iter().for_each(|it| {
                self.copies.remove(&it.text());
            }),
            None => panic!("an invalidation without keys"),
        }
    }

    /// Sends some reads and a few writes at once, inside a transaction or not, and keeps what is answered.
    fn batch(&mut self) {
        let is_transaction = self.rng.below(4) == 0;
        let mut requests: Vec<Vec<String>> = Vec::new();
        for _ in 0..=self.rng.below(6) {
            let name = key(&mut self.rng);
            requests.push(match self.rng.below(12) {
                0 => vec!["SET".into(), name, self.rng.below(1000).to_string()],
                1 => vec!["DEL".into(), name],
                _ => vec!["GET".into(), name],
            });
        }
        let mut bytes: Vec<u8> = requests.iter().flat_map(|it| command(it)).collect();
        if is_transaction {
            bytes = [command(&["MULTI"]), bytes, command(&["EXEC"])].concat();
        }
        self.peer.write(&bytes);
        let replies = if is_transaction {
            (0..=requests.len()).for_each(|_| drop(self.reply()));
            self.reply().items().to_vec()
        } else {
            Vec::new()
        };
        for (n, request) in requests.iter().enumerate() {
            let reply = if is_transaction { replies[n].clone() } else { self.reply() };
            if request[0] == "GET" {
                self.copies.insert(request[1].clone(), reply);
            }
        }
    }
}

fn write(addr: SocketAddr, mut rng: Rng) {
    let mut peer = Peer::connect(addr);
    for _ in 0..N_WRITES {
        let (name, value) = (key(&mut rng), rng.below(1000).to_string());
        match rng.below(40) {
            0 => drop(peer.call(&["FLUSHDB"])),
            1..5 => drop(peer.call(&["DEL", &name, &key(&mut rng)])),
            5..9 => drop(peer.call(&["SET", &name, &value, "PX", "2"])),
            9..13 => {
                for request in
                    [&["MULTI"][..], &["SET", &name, &value], &["INCR", &name], &["EXEC"]]
                {
                    peer.call(request);
                }
            }
            13..16 => drop(peer.call(&["INCR", &name])),
            _ => drop(peer.call(&["SET", &name, &value])),
        }
    }
}

/// What the server holds, once no key of it is to expire any more.
fn contents(admin: &mut Peer) -> BTreeMap<String, Frame> {
    let names: Vec<String> = (0..N_KEYS).map(|n| format!("k{n}")).collect();
    wait_until("nothing expires any more", || {
        names.iter().all(|it| admin.call(&["PTTL", it]).int() < 0)
    });
    names.into_iter().map(|it| (it.clone(), admin.call(&["GET", &it]))).collect()
}

fn no_copy_stays_stale(mailbox_bytes_max: u64) {
    let broker = broker(|config| {
        config.reactors = 2;
        config.mailbox_bytes_max = mailbox_bytes_max;
        config.tracked_keys_max = N_KEYS - 4;
    });
    let addr = addr_of(&broker);
    let mut rng = Rng::new(seed());
    let modes: [&[&str]; 3] = [&[], &["OPTOUT"], &["BCAST", "PREFIX", "k"]];
    let is_written = AtomicBool::new(false);
    let mut readers: Vec<Reader> = (0..N_READERS)
        .zip(modes.iter().cycle())
        .map(|(_, mode)| Reader::new(addr, mode, Rng::new(rng.next_u64())))
        .collect();
    thread::scope(|scope| {
        for reader in &mut readers {
            let is_written = &is_written;
            scope.spawn(move || {
                while !is_written.load(Ordering::Relaxed) {
                    reader.batch();
                }
            });
        }
        let writers: Vec<_> = (0..N_WRITERS)
            .map(|_| Rng::new(rng.next_u64()))
            .map(|rng| scope.spawn(move || write(addr, rng)))
            .collect();
        assert!(writers.into_iter().all(|it| it.join().is_ok()));
        is_written.store(true, Ordering::Relaxed);
    });
    let mut admin = Peer::connect(addr);
    let contents = contents(&mut admin);
    let mut n_copies = 0;
    for reader in &mut readers {
        // What was changed before this is asked is told before it is answered.
        reader.peer.send(&["ECHO", "end"]);
        assert_eq!(reader.reply().text(), "end");
        for (name, copy) in &reader.copies {
            assert_eq!(Some(copy), contents.get(name), "the copy of {name}");
        }
        n_copies += reader.copies.len();
    }
    assert!(0 < n_copies, "nobody holds a copy of anything");
    assert!(info(&mut admin, "tracking_total_keys") <= N_KEYS - 4);
}

#[test]
fn no_copy_stays_stale_over_two_reactors() {
    no_copy_stays_stale(1 << 30);
}

#[test]
fn no_copy_stays_stale_when_mailboxes_are_full() {
    no_copy_stays_stale(256);
}

/// The keys of the next pushes, so many.
fn pushed(peer: &mut Peer, n: usize) -> Vec<String> {
    let mut names = Vec::new();
    while names.len() < n {
        let Frame::Push(items) = peer.read() else { panic!("no push") };
        names.extend(items[1].items().iter().map(Frame::text));
    }
    names
}

#[test]
fn a_full_table_gives_keys_up_and_tells() {
    let broker = broker(|config| {
        config.reactors = 2;
        config.tracked_keys_max = 30;
    });
    let mut peer = resp3(addr_of(&broker));
    let mut admin = Peer::of(&broker);
    assert_eq!(peer.call(&["CLIENT", "TRACKING", "ON"]), ok());
    peer.write(&(0..200).flat_map(|n| command(&["GET", &format!("n{n}")])).collect::<Vec<_>>());
    let mut given_up = BTreeSet::new();
    for _ in 0..200 + 170 {
        if let Frame::Push(items) = peer.read() {
            let name = items[1].items()[0].text();
            assert!(given_up.insert(name.clone()), "{name} is given up twice");
        }
    }
    assert_eq!(given_up.len(), 170);
    assert_eq!(info(&mut admin, "tracking_total_keys"), 30);
    assert_eq!(info(&mut admin, "tracking_total_items"), 30);
    assert_eq!(admin.call(&["CONFIG", "SET", "tracking-table-max-keys", "5"]), ok());
    given_up.extend(pushed(&mut peer, 25));
    assert_eq!(given_up.len(), 195);
    assert_eq!(info(&mut admin, "tracking_total_keys"), 5);
    // The others are still remembered.
    for n in 0..200 {
        admin.call(&["SET", &format!("n{n}"), "1"]);
    }
    given_up.extend(pushed(&mut peer, 5));
    assert_eq!(given_up.len(), 200);
    assert_eq!(info(&mut admin, "tracking_total_keys"), 0);
    assert_eq!(info(&mut admin, "tracking_total_items"), 0);
}

/// The words of a client's line that concern tracking.
fn shown(admin: &mut Peer, id: i64) -> String {
    let line = admin.call(&["CLIENT", "LIST", "ID", &id.to_string()]).text();
    let words =
        line.split([' ', '\n']).filter(|it| it.starts_with("flags=") || it.starts_with("redir="));
    words.map(|it| it.replace(&id.to_string(), "itself")).collect::<Vec<_>>().join(" ")
}

/// What is shown of clients that track, step by step.
fn observe(addr: SocketAddr) -> Vec<String> {
    let mut seen = Vec::new();
    let mut admin = Peer::connect(addr);
    let mut note = |admin: &mut Peer, id: i64| {
        seen.push(shown(admin, id));
        for field in ["clients", "total_keys", "total_items", "total_prefixes"] {
            seen.push(format!("{field}={}", info(admin, &format!("tracking_{field}"))));
        }
    };
    let mut peer = resp3(addr);
    let id = peer.call(&["CLIENT", "ID"]).int();
    note(&mut admin, id);
    for mode in [
        &["ON"][..],
        &["ON", "NOLOOP"],
        &["OFF"],
        &["ON", "BCAST", "PREFIX", "a", "PREFIX", "b"],
        &["OFF"],
        &["ON", "REDIRECT", &id.to_string()],
    ] {
        assert_eq!(peer.call(&[&["CLIENT", "TRACKING"], mode].concat()), ok());
        peer.call(&["EXISTS", "x", "y"]);
        note(&mut admin, id);
    }
    assert_eq!(peer.call(&["CLIENT", "TRACKING", "OFF"]), ok());
    let mut other = Peer::connect(addr);
    let other_id = other.call(&["CLIENT", "ID"]).int().to_string();
    assert_eq!(peer.call(&["CLIENT", "TRACKING", "ON", "REDIRECT", &other_id]), ok());
    drop(other);
    wait_until("the other one is gone", || {
        admin.call(&["CLIENT", "LIST", "ID", &other_id]).text().is_empty()
    });
    peer.call(&["GET", "x"]);
    admin.call(&["SET", "x", "1"]);
    let Frame::Push(items) = peer.read() else { panic!("no push") };
    seen.push(items[0].text());
    seen.push(shown(&mut admin, id).replace(&other_id, "other"));
    drop(peer);
    wait_until("it is gone", || info(&mut admin, "tracking_clients") == 0);
    let mut peer = resp3(addr);
    assert_eq!(peer.call(&["CLIENT", "TRACKING", "ON", "BCAST"]), ok());
    assert_eq!(info(&mut admin, "tracking_total_prefixes"), 1);
    drop(peer);
    wait_until("it is gone", || info(&mut admin, "tracking_clients") == 0);
    assert_eq!(info(&mut admin, "tracking_total_prefixes"), 0);
    admin.call(&["SET", "x", "2"]);
    seen
}

#[test]
fn what_is_shown_of_clients_that_track_is_what_redis_shows() {
    let server = RedisServer::start(&[]);
    let broker = broker(|config| config.reactors = 2);
    assert_eq!(observe(addr_of(&broker)), observe(server.addr()));
}

#[test]
fn a_key_that_expires_while_nobody_looks_is_told() {
    let broker = broker(|config| config.reactors = 2);
    let (mut peer, mut other) = (resp3(addr_of(&broker)), resp3(addr_of(&broker)));
    assert_eq!(peer.call(&["CLIENT", "TRACKING", "ON"]), ok());
    assert_eq!(
        other.call(&["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "soon", "NOLOOP"]),
        ok()
    );
    assert_eq!(other.call(&["SET", "soon", "1", "PX", "300"]), ok());
    assert_eq!(peer.call(&["GET", "soon"]).text(), "1");
    assert_eq!(pushed(&mut peer, 1), ["soon"]);
    assert_eq!(pushed(&mut other, 1), ["soon"]);
}

/// What a client that tracks is told of each write, with the names of the keys; `*` is everything.
fn told(addr: SocketAddr, mode: &[&str], script: &[(bool, &[&str])]) -> Vec<String> {
    let (mut peer, mut other) = (resp3(addr), Peer::connect(addr));
    other.call(&["FLUSHALL"]);
    assert_eq!(peer.call(&[&["CLIENT", "TRACKING", "ON"], mode].concat()), ok());
    let mut seen = Vec::new();
    for (by_itself, request) in script {
        if *by_itself {
            peer.send(request)
        } else {
            drop(other.call(request))
        }
        // What was changed before this is asked is told before it is answered.
        peer.send(&["ECHO", "end"]);
        loop {
            match peer.read() {
                Frame::Push(items) => seen.push(match &items[1] {
                    Frame::Null => "*".to_owned(),
                    names => names.items().iter().map(Frame::text).collect(),
                }),
                Frame::Bulk(text) if text == b"end" => break,
                _ => {}
            }
        }
    }
    seen
}

#[test]
fn what_redis_forgets_to_tell_is_told() {
    let server = RedisServer::start(&[]);
    let broker = broker(|config| config.reactors = 2);
    let (theirs, ours) = (server.addr(), addr_of(&broker));
    let set: &[&str] = &["SET", "k", "1"];
    // A script that does not say which keys it reads.
    let undeclared: &[(bool, &[&str])] =
        &[(true, &["EVAL", "return redis.call('GET', 'k')", "0"]), (false, set)];
    assert!(told(theirs, &[], undeclared).is_empty());
    assert_eq!(told(ours, &[], undeclared), ["k"]);
    // Databases that change places: other values have the names.
    let swapped: &[(bool, &[&str])] =
        &[(false, set), (true, &["GET", "k"]), (false, &["SWAPDB", "0", "1"])];
    assert!(told(theirs, &[], swapped).is_empty());
    assert_eq!(told(ours, &[], swapped), ["*"]);
    // A script's changes are those of its client.
    let own: &[(bool, &[&str])] = &[
        (true, &["EVAL", "return redis.call('SET', 'k', 1)", "0"]),
        // redis-server broadcasts after the requests that it has read.
        (false, &["PING"]),
    ];
    assert_eq!(told(theirs, &["BCAST", "NOLOOP"], own), ["k"]);
    assert!(told(ours, &["BCAST", "NOLOOP"], own).is_empty());
}

/// The keys that clients are told of when they are evicted, which happens after a command or beside it.
fn told_of_evicted(addr: SocketAddr) -> Vec<Vec<String>> {
    let mut admin = Peer::connect(addr);
    let modes: [&[&str]; 3] = [&[], &["NOLOOP"], &["BCAST", "PREFIX", "k", "NOLOOP"]];
    let evict = [["maxmemory-policy", "allkeys-random"], ["maxmemory", "0"]];
    evict.iter().for_each(|it| assert_eq!(admin.call(&["CONFIG", "SET", it[0], it[1]]), ok()));
    let mut seen = Vec::new();
    for mode in modes {
        let mut peer = resp3(addr);
        assert_eq!(peer.call(&["SET", "k", "1"]), ok());
        assert_eq!(peer.call(&[&["CLIENT", "TRACKING", "ON"], mode].concat()), ok());
        assert_eq!(peer.call(&["GET", "k"]).text(), "1");
        assert_eq!(admin.call(&["CONFIG", "SET", "maxmemory", "1"]), ok());
        wait_until("it is evicted", || admin.call(&["DBSIZE"]) == Frame::Int(0));
        assert_eq!(admin.call(&["CONFIG", "SET", "maxmemory", "0"]), ok());
        seen.push(pushed(&mut peer, 1));
    }
    seen
}

#[test]
fn evicted_keys_are_told() {
    let server = RedisServer::start(&[]);
    let broker = broker(|config| config.reactors = 2);
    assert_eq!(told_of_evicted(addr_of(&broker)), told_of_evicted(server.addr()));
}

#[test]
fn who_does_not_read_what_it_is_told_does_not_hold_up_writers() {
    let broker = broker(|config| {
        config.reactors = 2;
        config.mailbox_bytes_max = 1024;
    });
    let mut deaf = resp3(addr_of(&broker));
    assert_eq!(deaf.call(&["CLIENT", "TRACKING", "ON", "BCAST"]), ok());
    let mut writer = Peer::of(&broker);
    let long = "k".repeat(10_000);
    for _ in 0..2000 {
        assert_eq!(writer.call(&["SET", &long, "1"]), ok());
    }
    assert!(matches!(deaf.poll(PATIENCE), Poll::Frame(Frame::Push(_))));
}
