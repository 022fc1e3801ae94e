//! What one client asks for holds on all reactors: CLIENT KILL, CLIENT PAUSE, CONFIG SET, MONITOR.

#![expect(clippy::indexing_slicing, reason = "a test that can not go on ends")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fanfare_testkit::{Rng, seed};

use crate::peer::{Frame, Peer, Poll, addr_of, broker, info, wait_until};

const N_REACTORS: u32 = 4;
/// Clients that do the same on all of them.
const N_CLIENTS: usize = 8;

fn ok() -> Frame {
    Frame::Simple(b"OK".to_vec())
}

fn id(peer: &mut Peer) -> String {
    peer.call(&["CLIENT", "ID"]).int().to_string()
}

/// Publishes numbers to a channel until told to stop or cut off; how many were answered.
fn publish_until(peer: &mut Peer, channel: &str, stop: &AtomicBool) -> u64 {
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        let command = crate::peer::command(&["PUBLISH", channel, &number.to_string()]);
        if !peer.try_write(&command) {
            break;
        }
        match peer.poll(crate::peer::PATIENCE) {
            Poll::Frame(frame) => assert!(0 <= frame.int()),
            Poll::Closed => break,
            Poll::Nothing => panic!("a publisher waits for ever"),
        }
        number += 1;
    }
    number
}

/// Reads until the end of the connection or of the traffic; how many messages came, without a hole.
fn read_all(mut peer: Peer) -> u64 {
    let mut next = None;
    let mut n = 0;
    loop {
        let frame = match peer.poll(crate::peer::PATIENCE) {
            Poll::Frame(frame) => frame,
            Poll::Closed => return n,
            Poll::Nothing => panic!("a subscriber waits for ever"),
        };
        let payload = frame.items()[2].text();
        let Ok(number) = payload.parse::<u64>() else { return n };
        assert_eq!(number, next.unwrap_or(number), "a message is missing");
        next = Some(number + 1);
        n += 1;
    }
}

fn subscriber(addr: SocketAddr, channel: &str) -> (Peer, String) {
    let mut peer = Peer::connect(addr);
    let id = id(&mut peer);
    peer.send(&["SUBSCRIBE", channel]);
    assert_eq!(peer.read().kind(), Some(&b"subscribe"[..]));
    (peer, id)
}

#[test]
fn kills_reach_every_reactor_and_hit_nobody_else() {
    let mut rng = Rng::new(seed());
    let broker = broker(|config| config.reactors = N_REACTORS);
    let addr = addr_of(&broker);
    let mut admin = Peer::connect(addr);
    let stop = AtomicBool::new(false);
    let (mut publisher, mut victim) = (Peer::connect(addr), Peer::connect(addr));
    let victim_id = id(&mut victim);
    let (mut ids, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..24 {
        let (peer, id) = subscriber(addr, "kept");
        peers.push(peer);
        ids.push(id);
    }
    thread::scope(|scope| {
        let readers: Vec<_> =
            peers.into_iter().map(|it| scope.spawn(move || read_all(it))).collect();
        let publishing = scope.spawn(|| publish_until(&mut publisher, "kept", &stop));
        let dying = scope.spawn(|| publish_until(&mut victim, "nobody", &stop));
        let mut killed = vec![false; readers.len()];
        for _ in 0..readers.len() / 2 {
            let index = usize::try_from(rng.below(readers.len() as u64)).unwrap_or_default();
            let n = i64::from(!std::mem::replace(&mut killed[index], true));
            assert!(admin.call(&["CLIENT", "KILL", "ID", &ids[index]]).int() <= n);
            thread::sleep(Duration::from_millis(rng.below(5)));
        }
        assert_eq!(admin.call(&["CLIENT", "KILL", "ID", &victim_id]), Frame::Int(1));
        assert!(dying.join().is_ok(), "the killed publisher ends");
        stop.store(true, Ordering::SeqCst);
        let n_published = publishing.join().unwrap_or(u64::MAX);
        assert_ne!(n_published, 0);
        let n_left = killed.iter().filter(|it| !**it).count();
        let numsub = admin.call(&["PUBSUB", "NUMSUB", "kept"]);
        assert_eq!(
            numsub.items()[1],
            Frame::Int(n_left as i64),
            "who was killed is gone with the reply"
        );
        assert_eq!(admin.call(&["PUBLISH", "kept", "end"]), Frame::Int(n_left as i64));
        for (reader, was_killed) in readers.into_iter().zip(killed) {
            let n = reader.join().unwrap_or(u64::MAX);
            assert!(n == n_published || was_killed && n < n_published, "{n} of {n_published}");
        }
    });
    let kept: Vec<_> = (0..8).map(|_| subscriber(addr, "kept").0).collect();
    // Who has ended by himself may be counted still.
    assert!(8 <= admin.call(&["CLIENT", "KILL", "TYPE", "pubsub"]).int());
    assert_eq!(admin.call(&["PUBLISH", "kept", "nobody"]), Frame::Int(0));
    let list = admin.call(&["CLIENT", "LIST", "TYPE", "pubsub"]);
    assert_eq!(list.text(), "");
    kept.into_iter().for_each(|it| assert_eq!(read_all(it), 0));
    let own = id(&mut admin);
    assert_eq!(admin.call(&["CLIENT", "KILL", "ID", &own, "SKIPME", "no"]), Frame::Int(1));
    assert!(admin.read_to_end().is_empty());
    let mut last = Peer::connect(addr);
    wait_until("the publisher and we are left", || info(&mut last, "connected_clients") == 2);
}

#[test]
fn who_is_gone_is_not_counted_by_publish_on_any_reactor() {
    let broker = broker(|config| config.reactors = N_REACTORS);
    let addr = addr_of(&broker);
    let mut admin = Peer::connect(addr);
    let mut publishers: Vec<Peer> = (0..N_CLIENTS).map(|_| Peer::connect(addr)).collect();
    // So many that giving them up takes a while.
    let channels: Vec<String> = (0..500).map(|it| format!("c{it}")).collect();
    let subscribe: Vec<&str> =
        ["SUBSCRIBE"].into_iter().chain(channels.iter().map(String::as_str)).collect();
    for round in 0..50 {
        let (mut peer, peer_id) = subscriber(addr, "c");
        peer.send(&subscribe);
        peer.send(&["PSUBSCRIBE", "c*"]);
        (0..=channels.len()).for_each(|_| assert!(peer.read().kind().is_some()));
        assert_eq!(publishers[0].call(&["PUBLISH", "c", "p"]), Frame::Int(2));
        if round % 2 == 0 {
            assert_eq!(admin.call(&["CLIENT", "KILL", "ID", &peer_id]), Frame::Int(1));
        } else {
            drop(peer);
            // As soon as anybody can see that it is gone.
            while !admin.call(&["CLIENT", "LIST", "ID", &peer_id]).text().is_empty() {}
        }
        assert_eq!(admin.call(&["PUBSUB", "CHANNELS"]), Frame::Array(Vec::new()), "{round}");
        for (publisher, channel) in publishers.iter_mut().zip(channels.iter().step_by(60)) {
            assert_eq!(publisher.call(&["PUBLISH", channel, "p"]), Frame::Int(0), "{round}");
        }
    }
}

#[test]
fn after_the_reply_to_a_pause_nothing_is_published_anywhere() {
    let broker = broker(|config| config.reactors = N_REACTORS);
    let addr = addr_of(&broker);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for index in 0..N_CLIENTS {
            let stop = &stop;
            let in_transaction = index % 2 == 1;
            scope.spawn(move || write_until(Peer::connect(addr), in_transaction, stop));
        }
        let mut admin = Peer::connect(addr);
        let published = |admin: &mut Peer| info(admin, "pubsub_messages_published");
        for _ in 0..20 {
            let before = published(&mut admin);
            wait_until("they publish", || before < published(&mut admin));
            assert_eq!(admin.call(&["CLIENT", "PAUSE", "1000000", "WRITE"]), ok());
            let (n_published, value) = (published(&mut admin), admin.call(&["GET", "k"]));
            thread::sleep(Duration::from_millis(20));
            assert_eq!(published(&mut admin), n_published);
            assert_eq!(admin.call(&["GET", "k"]), value);
            assert_eq!(admin.call(&["CLIENT", "UNPAUSE"]), ok());
            wait_until("they go on", || n_published < published(&mut admin));
        }
        stop.store(true, Ordering::SeqCst);
    });
}

/// Publishes and writes until told to stop.
fn write_until(mut peer: Peer, in_transaction: bool, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        if in_transaction {
            assert_eq!(peer.call(&["MULTI"]), ok());
            peer.call(&["INCR", "k"]);
            peer.call(&["PUBLISH", "c", "p"]);
            assert_eq!(peer.call(&["EXEC"]).items().len(), 2);
        } else {
            assert_eq!(peer.call(&["PUBLISH", "c", "p"]), Frame::Int(0));
        }
    }
}

#[test]
fn a_pause_of_all_holds_everybody_and_ends_by_itself() {
    let pause = Duration::from_millis(300);
    let broker = broker(|config| config.reactors = N_REACTORS);
    let mut peers: Vec<Peer> = (0..N_CLIENTS).map(|_| Peer::of(&broker)).collect();
    let mut admin = Peer::of(&broker);
    let start = Instant::now();
    assert_eq!(admin.call(&["CLIENT", "PAUSE", "300"]), ok());
    for peer in &mut peers {
        peer.send(&["PING"]);
        peer.send(&["PUBLISH", "c", "p"]);
    }
    for peer in &mut peers {
        assert_eq!(peer.read(), Frame::Simple(b"PONG".to_vec()));
        assert!(pause <= start.elapsed() + Duration::from_millis(1), "PING did not wait");
        assert_eq!(peer.read(), Frame::Int(0));
    }
}

#[test]
fn a_password_holds_on_all_reactors_before_the_reply() {
    let broker = broker(|config| config.reactors = N_REACTORS);
    let mut admin = Peer::of(&broker);
    for round in 0..20 {
        assert_eq!(admin.call(&["CONFIG", "SET", "requirepass", "secret"]), ok());
        let mut peers: Vec<Peer> = (0..N_CLIENTS).map(|_| Peer::of(&broker)).collect();
        for peer in &mut peers {
            let reply = peer.call(&["PUBLISH", "c", "p"]);
            assert!(
                matches!(&reply, Frame::Error(it) if it.starts_with("NOAUTH")),
                "{round}: {reply:?}"
            );
            assert_eq!(peer.call(&["AUTH", "secret"]), ok());
            assert_eq!(peer.call(&["PUBLISH", "c", "p"]), Frame::Int(0));
        }
        assert_eq!(admin.call(&["CONFIG", "SET", "requirepass", ""]), ok());
        let mut peers: Vec<Peer> = (0..N_CLIENTS).map(|_| Peer::of(&broker)).collect();
        for peer in &mut peers {
            assert_eq!(peer.call(&["PUBLISH", "c", "p"]), Frame::Int(0));
        }
    }
}

/// Every write answers with the value before it: a chain that shows the order in which they ran.
#[test]
fn monitor_shows_writes_in_the_order_in_which_they_ran() {
    const N_EACH: usize = 500;
    let broker = broker(|config| config.reactors = N_REACTORS);
    let addr = addr_of(&broker);
    let mut monitor = Peer::connect(addr);
    assert_eq!(monitor.call(&["MONITOR"]), ok());
    let mut after = HashMap::new();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..N_CLIENTS)
            .map(|writer| {
                scope.spawn(move || {
                    let mut peer = Peer::connect(addr);
                    let values = (0..N_EACH).map(|number| format!("{writer}:{number}"));
                    values.map(|it| (peer.call(&["SET", "k", &it, "GET"]), it)).collect::<Vec<_>>()
                })
            })
            .collect();
        for (before, value) in writers.into_iter().flat_map(|it| it.join().unwrap_or_default()) {
            let before = if before == Frame::Null { String::new() } else { before.text() };
            assert_eq!(after.insert(before, value), None);
        }
    });
    let mut value = String::new();
    for _ in 0..N_CLIENTS * N_EACH {
        let line = monitor.read().text();
        let shown = line.split('"').nth(5).unwrap_or_default().to_owned();
        assert_eq!(after.get(&value), Some(&shown), "after {value}");
        value = shown;
    }
}

#[test]
fn monitor_shows_messages_in_the_order_of_their_channel() {
    const N_EACH: usize = 500;
    let broker = broker(|config| config.reactors = N_REACTORS);
    let addr = addr_of(&broker);
    let (mut monitor, mut reader) = (Peer::connect(addr), subscriber(addr, "c").0);
    assert_eq!(monitor.call(&["MONITOR"]), ok());
    thread::scope(|scope| {
        for publisher in 0..N_CLIENTS {
            scope.spawn(move || {
                let mut peer = Peer::connect(addr);
                for number in 0..N_EACH {
                    assert_eq!(
                        peer.call(&["PUBLISH", "c", &format!("{publisher}:{number}")]),
                        Frame::Int(1)
                    );
                }
            });
        }
    });
    for _ in 0..N_CLIENTS * N_EACH {
        let line = monitor.read().text();
        let shown = line.split('"').nth(5).unwrap_or_default();
        assert_eq!(shown, reader.read().items()[2].text());
    }
}

#[test]
fn a_running_broker_keeps_its_port() {
    // docs/differences.md: D10
    let broker = broker(|config| config.reactors = 2);
    let mut admin = Peer::connect(addr_of(&broker));
    for (name, value) in [("port", "1"), ("bind", "127.0.0.9")] {
        let refused = admin.call(&["CONFIG", "SET", name, value]);
        let said = format!("{refused:?}");
        assert!(said.contains("be changed while the broker runs"), "{said}");
    }
    let port = addr_of(&broker).port().to_string();
    assert_eq!(admin.call(&["CONFIG", "SET", "port", &port]), ok());
}

#[test]
fn an_unsubscribe_inside_a_command_does_not_close_others_under_its_locks() {
    // A client that was killed is closed by the reactor of the one that unsubscribes, and closing takes the monitors'
    // lock and the stripes of watched keys: both are held while a transaction unsubscribes.
    let mut rng = Rng::new(seed());
    let broker = broker(|config| config.reactors = 2);
    let addr = addr_of(&broker);
    let mut admin = Peer::connect(addr);
    let mut working: Vec<Peer> = (0..4).map(|_| Peer::connect(addr)).collect();
    working.iter_mut().for_each(|it| assert!(!it.call(&["HELLO", "3"]).items().is_empty()));
    for _ in 0..200 {
        let mut victims = Vec::new();
        for n in 0..4 {
            let mut victim = Peer::connect(addr);
            let victim_id = id(&mut victim);
            let command: &[&str] = if n % 2 == 0 { &["MONITOR"] } else { &["WATCH", "k"] };
            assert_eq!(victim.call(command), ok());
            victims.push((victim, victim_id));
        }
        for peer in &mut working {
            peer.send(&["SUBSCRIBE", "a", "b"]);
            peer.send(&["MULTI"]);
            peer.send(&["SET", "k", "1"]);
            peer.send(&["UNSUBSCRIBE", "a"]);
            peer.send(&["EXEC"]);
            peer.send(&["UNSUBSCRIBE", "b"]);
            peer.send(&["PING"]);
        }
        let victim = usize::try_from(rng.below(4)).unwrap_or(0);
        for (_, victim_id) in victims[victim..].iter().chain(&victims[..victim]) {
            assert_eq!(admin.call(&["CLIENT", "KILL", "ID", victim_id]).int(), 1);
        }
        for peer in &mut working {
            while peer.read() != Frame::Simple(b"PONG".to_vec()) {}
        }
    }
    assert_eq!(admin.call(&["PING"]), Frame::Simple(b"PONG".to_vec()));
}

#[test]
fn a_transaction_that_never_ends_is_bounded() {
    let broker = broker(|config| {
        config.reactors = 2;
        config.query_buffer_bytes_max = 1 << 20;
    });
    let mut greedy = Peer::connect(addr_of(&broker));
    assert_eq!(greedy.call(&["MULTI"]), ok());
    let value = "v".repeat(10_000);
    let mut n_queued = 0;
    while greedy.try_write(&crate::peer::command(&["SET", "k", &value])) {
        match greedy.poll(crate::peer::PATIENCE) {
            Poll::Frame(frame) => assert_eq!(frame, Frame::Simple(b"QUEUED".to_vec())),
            Poll::Closed => break,
            Poll::Nothing => panic!("neither queued nor closed"),
        }
        n_queued += 1;
        assert!(n_queued < 1000, "10 MB were queued beyond a limit of 1 MiB");
    }
    assert!(90 < n_queued, "only {n_queued} were queued");
    let mut admin = Peer::connect(addr_of(&broker));
    assert_eq!(info(&mut admin, "client_query_buffer_limit_disconnections"), 1);
}
