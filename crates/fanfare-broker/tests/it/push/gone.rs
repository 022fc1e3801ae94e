//! Subscribers who go leave nothing behind.

use super::{Pushed, connect, next, subscribe};
use crate::peer::{Frame, Peer, addr_of, broker, info, wait_until};

/// A live subscription and one that is read for ever, of a client that does not read.
fn subscribed(peer: &mut Peer, admin: &mut Peer) {
    let value = "x".repeat(100_000);
    for _ in 0..200 {
        admin.call(&["XADD", "long", "*", "f", &value]);
    }
    subscribe(peer, "$", "new");
    peer.send(&["XSUBSCRIBE", "FROM", "0", "long"]);
    wait_until("both are there", || info(admin, "stream_subscriptions") == 2);
    wait_until("one is behind", || info(admin, "stream_subscriptions_reading") == 1);
}

#[test]
fn whoever_goes_is_subscribed_to_nothing() {
    let broker = broker(|config| {
        config.reactors = 2;
        config.enable_debug_command = fanfare_broker::config::Allow::Yes;
    });
    let addr = addr_of(&broker);
    let mut admin = Peer::connect(addr);
    for ending in ["close", "RESET", "QUIT", "kill", "DEBUG PANIC", "XUNSUBSCRIBE"] {
        let mut peer = connect(addr, 3);
        let client_id = peer.call(&["CLIENT", "ID"]).int();
        subscribed(&mut peer, &mut admin);
        match ending {
            "close" => drop(peer),
            "kill" => {
                let id = client_id.to_string();
                assert_eq!(admin.call(&["CLIENT", "KILL", "ID", &id]).int(), 1);
            }
            "QUIT" => {
                // It is closed when all that waits for it is sent.
                peer.send(&["QUIT"]);
                peer.read_to_end();
            }
            words => peer.send(&words.split(' ').collect::<Vec<_>>()),
        }
        wait_until(ending, || info(&mut admin, "stream_subscriptions") == 0);
        assert_eq!(info(&mut admin, "stream_subscriptions_reading"), 0);
        admin.call(&["DEL", "long", "new"]);
        admin.call(&["XADD", "new", "*", "f", "v"]);
        admin.call(&["DEL", "new"]);
    }
}

#[test]
fn databases_and_types_are_apart() {
    let broker = broker(|config| config.reactors = 2);
    let addr = addr_of(&broker);
    let (mut admin, mut peer) = (Peer::connect(addr), connect(addr, 3));
    admin.call(&["SET", "text", "1"]);
    peer.send(&["XSUBSCRIBE", "a", "text", "b"]);
    let Frame::Error(error) = peer.read() else { panic!("it is no stream") };
    assert!(error.starts_with("WRONGTYPE"), "{error}");
    assert_eq!(info(&mut admin, "stream_subscriptions"), 0);
    subscribe(&mut peer, "$", "a");
    peer.call(&["SELECT", "1"]);
    subscribe(&mut peer, "$", "b");
    for (db, key) in [("1", "a"), ("0", "b"), ("1", "b"), ("0", "a")] {
        admin.call(&["SELECT", db]);
        admin.call(&["XADD", key, "1-1", "db", db]);
    }
    let entry = |db: &str| Pushed::Entry((1, 1), vec!["db".into(), db.into()]);
    assert_eq!(next(&mut peer, "b"), entry("1"));
    assert_eq!(next(&mut peer, "a"), entry("0"));
    peer.send(&["XUNSUBSCRIBE"]);
    let mut left = [peer.read(), peer.read()].map(|it| (it.items()[1].text(), it.items()[2].int()));
    left.sort_unstable();
    assert_eq!(left.map(|it| it.0), ["a", "b"]);
}

#[test]
fn the_list_of_clients_tells_how_many_streams_one_is_pushed() {
    let broker = broker(|config| config.reactors = 2);
    let addr = addr_of(&broker);
    let (mut admin, mut peer) = (Peer::connect(addr), connect(addr, 3));
    let listed = |admin: &mut Peer| admin.call(&["CLIENT", "LIST", "TYPE", "pubsub"]).text();
    admin.call(&["XADD", "a", "1-1", "f", "v"]);
    subscribe(&mut peer, "$", "a");
    subscribe(&mut peer, "0", "b");
    assert!(listed(&mut admin).contains(" sub=0 psub=0 ssub=0 "));
    assert!(listed(&mut admin).ends_with(" lib-ver= xsub=2\n"));
    peer.send(&["XUNSUBSCRIBE", "a"]);
    peer.read();
    assert!(listed(&mut admin).ends_with(" xsub=1\n"));
    assert!(!admin.call(&["CLIENT", "LIST", "TYPE", "normal"]).text().contains("xsub"));
}
