//! Clients that wait for elements of lists, on several reactors.
//!
//! docs/differences.md: D25

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use fanfare_testkit::{RedisServer, Rng, seed};

use crate::peer::{Frame, Peer, Poll, addr_of, broker, command, info, wait_until};

fn ok() -> Frame {
    Frame::Simple(b"OK".to_vec())
}

fn bulk(text: &str) -> Frame {
    Frame::Bulk(text.as_bytes().to_vec())
}

fn pair(key: &str, element: &str) -> Frame {
    Frame::Array(vec![bulk(key), bulk(element)])
}

/// Waits until so many clients are blocked.
fn wait_for_blocked(admin: &mut Peer, n: u64) {
    wait_until("they are blocked", || info(admin, "blocked_clients") == n);
}

#[test]
fn those_who_came_first_are_served_first_wherever_they_are() {
    let broker = broker(|config| config.reactors = 2);
    let mut admin = Peer::of(&broker);
    let mut waiting: Vec<Peer> = (0..8).map(|_| Peer::of(&broker)).collect();
    for (n, peer) in (1..).zip(&mut waiting) {
        peer.send(&["BLPOP", "k", "0"]);
        wait_for_blocked(&mut admin, n);
    }
    for number in 0..8 {
        admin.call(&["RPUSH", "k", &number.to_string()]);
    }
    for (number, peer) in waiting.iter_mut().enumerate() {
        assert_eq!(peer.read(), pair("k", &number.to_string()));
    }
    assert_eq!(info(&mut admin, "blocked_clients"), 0);
    assert_eq!(admin.call(&["EXISTS", "k"]), Frame::Int(0));
}

#[test]
fn who_hangs_up_is_not_served() {
    let broker = broker(|config| config.reactors = 2);
    let mut admin = Peer::of(&broker);
    let mut gone: Vec<Peer> = (0..4).map(|_| Peer::of(&broker)).collect();
    gone.iter_mut().for_each(|it| it.send(&["BLMOVE", "k", "l", "LEFT", "RIGHT", "0"]));
    wait_for_blocked(&mut admin, 4);
    let flagged =
        |admin: &mut Peer| admin.call(&["CLIENT", "LIST"]).text().matches("flags=b").count();
    assert_eq!(flagged(&mut admin), 4);
    drop(gone);
    wait_until("they are gone", || info(&mut admin, "connected_clients") == 1);
    assert_eq!(admin.call(&["RPUSH", "k", "1"]), Frame::Int(1));
    assert_eq!(admin.call(&["LLEN", "k"]), Frame::Int(1));
    assert_eq!(info(&mut admin, "blocked_clients"), 0);
}

#[test]
fn deadlines_hold_and_far_ones_do_no_harm() {
    let broker = broker(|config| config.reactors = 2);
    let mut peers: Vec<Peer> = (0..6).map(|_| Peer::of(&broker)).collect();
    let timeouts = ["9223372036854775.807", "0.2", "0.1", "100000000000", "0.05", "0"];
    for (peer, timeout) in peers.iter_mut().zip(timeouts) {
        peer.send(&["BLPOP", "k", timeout]);
    }
    for at in [4, 2, 1] {
        assert_eq!(peers.get_mut(at).map(Peer::read), Some(Frame::Null));
    }
    let mut admin = Peer::of(&broker);
    wait_for_blocked(&mut admin, 3);
    admin.call(&["RPUSH", "k", "1", "2", "3"]);
    for at in [0, 3, 5] {
        assert!(matches!(peers.get_mut(at).map(Peer::read), Some(Frame::Array(_))));
    }
}

#[test]
fn what_is_behind_a_blocking_command_runs_after_it() {
    let broker = broker(|config| config.reactors = 2);
    let (mut peer, mut admin) = (Peer::of(&broker), Peer::of(&broker));
    peer.write(&[command(&["BLPOP", "k", "0"]), command(&["RPUSH", "m", "1"])].concat());
    wait_for_blocked(&mut admin, 1);
    peer.send(&["PING"]);
    assert_eq!(admin.call(&["EXISTS", "m"]), Frame::Int(0));
    admin.call(&["RPUSH", "k", "1"]);
    assert_eq!(peer.read(), pair("k", "1"));
    assert_eq!(peer.read(), Frame::Int(1));
    assert_eq!(peer.read(), Frame::Simple(b"PONG".to_vec()));
}

#[test]
fn a_pause_and_the_end_find_them_waiting() {
    let broker = broker(|config| config.reactors = 2);
    let (mut first, mut second, mut admin) =
        (Peer::of(&broker), Peer::of(&broker), Peer::of(&broker));
    first.send(&["BLPOP", "k", "0"]);
    second.send(&["BLPOP", "k", "0"]);
    wait_for_blocked(&mut admin, 2);
    assert_eq!(admin.call(&["CLIENT", "PAUSE", "1000000", "WRITE"]), ok());
    let mut pusher = Peer::of(&broker);
    pusher.send(&["RPUSH", "k", "1"]);
    assert!(matches!(first.poll(Duration::from_millis(20)), Poll::Nothing));
    assert_eq!(admin.call(&["CLIENT", "UNPAUSE"]), ok());
    assert_eq!(pusher.read(), Frame::Int(1));
    wait_until("one of them is served", || {
        let frame = |it: &mut Peer| matches!(it.poll(Duration::ZERO), Poll::Frame(_));
        frame(&mut first) || frame(&mut second)
    });
    broker.shutdown();
    // And nobody else.
    assert!(first.read_to_end().is_empty() && second.read_to_end().is_empty());
}

#[test]
fn who_is_blocked_on_a_key_that_is_overwritten_is_served_but_not_by_redis_server_7() {
    let redis = RedisServer::start(&[]);
    let broker = broker(|config| config.reactors = 2);
    let stored = pair("k", "1");
    for (addr, is_served) in [(redis.addr(), false), (addr_of(&broker), true)] {
        let (mut peer, mut admin) = (Peer::connect(addr), Peer::connect(addr));
        peer.send(&["BLPOP", "k", "0"]);
        wait_for_blocked(&mut admin, 1);
        admin.call(&["RPUSH", "l", "2", "1"]);
        admin.call(&["SET", "k", "x"]);
        assert_eq!(admin.call(&["SORT", "l", "STORE", "k"]), Frame::Int(2));
        if is_served {
            assert_eq!(peer.read(), stored);
        }
        assert_eq!(info(&mut admin, "blocked_clients"), u64::from(!is_served));
        assert_eq!(admin.call(&["LLEN", "k"]), Frame::Int(2 - i64::from(is_served)));
    }
}

/// The words of what the slow log holds, the newest first, with who sent them.
fn logged(admin: &mut Peer) -> Vec<String> {
    let log = admin.call(&["SLOWLOG", "GET", "-1"]);
    let entry = |it: &Frame| {
        let words = it.items().get(3).map(Frame::items).unwrap_or_default();
        let name = it.items().get(5).map(Frame::text).unwrap_or_default();
        let words: Vec<String> = words.iter().map(Frame::text).collect();
        format!("{name}> {}", words.join(" "))
    };
    log.items().iter().map(entry).filter(|it| it.starts_with("waiter>")).collect()
}

/// What the slow log shows of a client that waits, is served, fails, waits in vain, and is unblocked.
fn shown_as_slow(addr: SocketAddr) -> Vec<Vec<String>> {
    let (mut peer, mut admin) = (Peer::connect(addr), Peer::connect(addr));
    admin.call(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    peer.call(&["CLIENT", "SETNAME", "waiter"]);
    admin.call(&["SET", "s", "x"]);
    admin.call(&["SLOWLOG", "RESET"]);
    let mut seen = Vec::new();
    for request in [
        &["BLPOP", "k", "0"][..],
        &["BLMPOP", "0", "1", "k", "LEFT"],
        &["BLMOVE", "k", "s", "LEFT", "LEFT", "0"],
    ] {
        peer.send(request);
        wait_for_blocked(&mut admin, 1);
        seen.push(logged(&mut admin));
        admin.call(&["RPUSH", "k", "x"]);
        peer.read();
        seen.push(logged(&mut admin));
    }
    admin.call(&["DEL", "k"]);
    assert_eq!(peer.call(&["BLPOP", "k", "0.001"]), Frame::Null);
    seen.push(logged(&mut admin));
    seen
}

#[test]
fn the_slow_log_shows_who_was_blocked_once_it_was_served() {
    let redis = RedisServer::start(&[]);
    let broker = broker(|config| config.reactors = 2);
    assert_eq!(shown_as_slow(addr_of(&broker)), shown_as_slow(redis.addr()));
}

const N_KEYS: u64 = 5;
const N_ELEMENTS: u64 = 1500;
const N_CONSUMERS: usize = 8;

fn key(rng: &mut Rng) -> String {
    format!("k{}", rng.below(N_KEYS))
}

/// Takes elements until it is told to stop, in every way there is.
fn consume(mut peer: Peer, mut rng: Rng) -> Vec<String> {
    let mut taken = Vec::new();
    loop {
        let (a, b) = (key(&mut rng), key(&mut rng));
        let timeout = if rng.below(3) == 0 { "0.001" } else { "0.05" };
        let frame = match rng.below(5) {
            0 => peer.call(&["BLPOP", &a, &b, "end", timeout]),
            1 => peer.call(&["BRPOP", &a, "end", timeout]),
            2 => peer.call(&["BLMPOP", timeout, "3", &a, &b, "end", "RIGHT", "COUNT", "3"]),
            3 => {
                // It goes on to another list, and is not taken.
                peer.call(&["BLMOVE", &a, &b, "LEFT", "RIGHT", timeout]);
                continue;
            }
            _ => peer.call(&["BRPOPLPUSH", &a, &b, timeout]),
        };
        let Frame::Array(items) = frame else { continue };
        let Some(from) = items.first().map(Frame::text) else { continue };
        match items.get(1) {
            Some(Frame::Array(elements)) => taken.extend(elements.iter().map(Frame::text)),
            Some(element) => taken.push(element.text()),
            None => {}
        }
        if from == "end" {
            return taken;
        }
    }
}

fn produce(mut peer: Peer, mut rng: Rng, name: usize) {
    let mut number = 0;
    while number < N_ELEMENTS {
        let (a, b) = (key(&mut rng), key(&mut rng));
        let element = format!("{name}:{number}");
        match rng.below(4) {
            0 => {
                peer.call(&["LPUSH", &a, &element]);
            }
            1 => {
                peer.call(&["MULTI"]);
                peer.call(&["RPUSH", &a, &element]);
                peer.call(&["RPOPLPUSH", &a, &b]);
                peer.call(&["EXEC"]);
            }
            2 => {
                peer.send(&["RPUSH", &a, &element]);
                peer.read();
            }
            _ => {
                peer.call(&["RPUSH", &a, &element]);
                peer.call(&["LMOVE", &b, &a, "LEFT", "LEFT"]);
            }
        }
        number += 1;
    }
}

#[test]
fn nothing_is_lost_doubled_or_stuck() {
    let mut rng = Rng::new(seed());
    let broker = broker(|config| config.reactors = 2);
    let mut admin = Peer::of(&broker);
    let taken = std::thread::scope(|scope| {
        let consumers: Vec<_> = (0..N_CONSUMERS)
            .map(|_| {
                let (peer, rng) = (Peer::of(&broker), Rng::new(rng.next_u64()));
                scope.spawn(move || consume(peer, rng))
            })
            .collect();
        let producers: Vec<_> = (0..3)
            .map(|name| {
                let (peer, rng) = (Peer::of(&broker), Rng::new(rng.next_u64()));
                scope.spawn(move || produce(peer, rng, name))
            })
            .collect();
        producers.into_iter().for_each(|it| assert!(it.join().is_ok()));
        let keys: Vec<String> = (0..N_KEYS).map(|it| format!("k{it}")).collect();
        wait_until("all lists are empty", || {
            keys.iter().all(|it| admin.call(&["LLEN", it]) == Frame::Int(0))
        });
        let mut taken = Vec::new();
        for consumer in consumers {
            // Each stops at the first of these; one that takes several leaves fewer to the others.
            while !consumer.is_finished() {
                if admin.call(&["LLEN", "end"]) == Frame::Int(0) {
                    admin.call(&["RPUSH", "end", "end"]);
                }
                std::thread::yield_now();
            }
            taken.extend(consumer.join().unwrap_or_default());
        }
        taken
    });
    let mut n_times: HashMap<String, usize> = HashMap::new();
    taken.into_iter().filter(|it| it != "end").for_each(|it| *n_times.entry(it).or_default() += 1);
    let doubled: Vec<_> = n_times.iter().filter(|it| *it.1 != 1).collect();
    assert!(doubled.is_empty(), "not once: {doubled:?}");
    assert_eq!(n_times.len() as u64, 3 * N_ELEMENTS);
    wait_until("nobody waits", || info(&mut admin, "blocked_clients") == 0);
}
