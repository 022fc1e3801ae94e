//! What is freed in the background: nobody waits for it, nothing of it is still there, and `INFO` counts it.

use std::net::SocketAddr;

use fanfare_testkit::RedisServer;

use crate::peer::{Frame, Peer, broker, command, info, wait_until};

const N_KEYS: u64 = 50_000;

/// Sets so many keys of the selected database.
fn fill(peer: &mut Peer, n_keys: u64) {
    let mut commands = command(&["CLIENT", "REPLY", "OFF"]);
    for number in 0..n_keys {
        commands.extend(command(&["SET", &format!("key:{number}"), "a value of some length"]));
    }
    commands.extend(command(&["CLIENT", "REPLY", "ON"]));
    peer.write(&commands);
    assert_eq!(peer.read(), ok());
    assert_eq!(peer.call(&["DBSIZE"]), Frame::Int(n_keys.cast_signed()));
}

fn ok() -> Frame {
    Frame::Simple(b"OK".to_vec())
}

/// Waits until nothing is left to free; returns how much has been freed.
fn freed(peer: &mut Peer) -> u64 {
    wait_until("everything is freed", || info(peer, "lazyfree_pending_objects") == 0);
    info(peer, "lazyfreed_objects")
}

#[test]
fn every_way_to_flush_leaves_nothing_and_counts() {
    let broker = broker(|config| config.reactors = 2);
    let mut peer = Peer::of(&broker);
    let mut other = Peer::of(&broker);
    assert_eq!(other.call(&["SELECT", "9"]), ok());
    fill(&mut other, 1);
    let ways: [&[&str]; 6] = [
        &["FLUSHDB"],
        &["FLUSHDB", "SYNC"],
        &["FLUSHDB", "ASYNC"],
        &["FLUSHALL"],
        &["FLUSHALL", "SYNC"],
        &["FLUSHALL", "ASYNC"],
    ];
    let mut n_freed = 0;
    for way in ways {
        fill(&mut peer, N_KEYS);
        assert_eq!(peer.call(way), ok());
        assert_eq!(peer.call(&["DBSIZE"]), Frame::Int(0), "{way:?}");
        assert_eq!(peer.call(&["EXISTS", "key:0"]), Frame::Int(0), "{way:?}");
        let is_left = i64::from(way.first() == Some(&"FLUSHDB"));
        assert_eq!(other.call(&["DBSIZE"]), Frame::Int(is_left), "{way:?}");
        // The other database's key went with the first FLUSHALL.
        n_freed += N_KEYS + u64::from(way == ["FLUSHALL"]);
        assert_eq!(freed(&mut peer), n_freed, "{way:?}");
    }
    assert_eq!(peer.call(&["CONFIG", "RESETSTAT"]), ok());
    assert_eq!(info(&mut peer, "lazyfreed_objects"), 0);
}

#[test]
fn a_transaction_flushes_and_goes_on() {
    let broker = broker(|_| {});
    let mut peer = Peer::of(&broker);
    fill(&mut peer, N_KEYS);
    for command in [&["MULTI"][..], &["FLUSHALL"], &["SET", "a", "1"], &["DBSIZE"]] {
        peer.call(command);
    }
    assert_eq!(peer.call(&["EXEC"]), Frame::Array(vec![ok(), ok(), Frame::Int(1)]));
    assert_eq!(freed(&mut peer), N_KEYS);
    assert_eq!(peer.call(&["DBSIZE"]), Frame::Int(1));
}

// docs/differences.md: D13
#[test]
fn a_large_value_is_freed_in_the_background_and_a_small_one_at_once() {
    let broker = broker(|_| {});
    let mut peer = Peer::of(&broker);
    let large = "x".repeat(4 << 20);
    for (value, remove, n_freed) in [
        (&*large, ["UNLINK", "a"], 1),
        (&*large, ["DEL", "a"], 2),
        ("small", ["UNLINK", "a"], 2),
        (&*large, ["FLUSHALL", "ASYNC"], 3),
        ("small", ["FLUSHALL", "ASYNC"], 3),
    ] {
        assert_eq!(peer.call(&["SET", "a", value]), ok());
        peer.call(&remove);
        assert_eq!(peer.call(&["DBSIZE"]), Frame::Int(0));
        assert_eq!(freed(&mut peer), n_freed, "{remove:?}");
    }
}

#[test]
fn many_flushes_at_once_are_all_done() {
    let broker = broker(|_| {});
    let mut peer = Peer::of(&broker);
    // More than may wait: the rest is freed by the reactor, and not counted.
    let mut commands = Vec::new();
    for round in 0..200 {
        for number in 0..300 {
            commands.extend(command(&["SET", &format!("{round}:{number}"), "value"]));
        }
        commands.extend(command(&["FLUSHALL"]));
    }
    let mut writer = peer.split();
    let writing = std::thread::spawn(move || writer.write(&commands));
    (0..200 * 301).for_each(|_| assert_eq!(peer.read(), ok()));
    assert!(writing.join().is_ok());
    assert_eq!(peer.call(&["DBSIZE"]), Frame::Int(0));
    let n_freed = freed(&mut peer);
    assert!(n_freed.is_multiple_of(300) && n_freed <= 200 * 300, "{n_freed}");
}

#[test]
fn the_broker_ends_while_much_is_freed() {
    for _ in 0..3 {
        let broker = broker(|_| {});
        let mut peer = Peer::of(&broker);
        fill(&mut peer, N_KEYS);
        assert_eq!(peer.call(&["FLUSHALL", "ASYNC"]), ok());
        broker.shutdown();
        assert!(peer.read_to_end().is_empty());
    }
}

#[test]
fn objects_are_counted_as_in_redis() {
    let redis_server = RedisServer::start(&[]);
    let broker = broker(|_| {});
    let counts = |addr: SocketAddr| {
        let mut peer = Peer::connect(addr);
        fill(&mut peer, 1000);
        peer.call(&["FLUSHALL", "ASYNC"]);
        let first = freed(&mut peer);
        fill(&mut peer, 500);
        peer.call(&["FLUSHDB", "ASYNC"]);
        let second = freed(&mut peer);
        peer.call(&["CONFIG", "RESETSTAT"]);
        [first, second, info(&mut peer, "lazyfreed_objects")]
    };
    let expected = counts(redis_server.addr());
    assert_eq!(expected, [1000, 1500, 0]);
    assert_eq!(counts(crate::peer::addr_of(&broker)), expected);
}
