//! A panic inside a command closes its client, with its watches and subscriptions; nobody else loses anything.
//!
//! docs/differences.md: D11

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that can not go on ends")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use fanfare_broker::Broker;
use fanfare_broker::config::Allow;
use fanfare_testkit::{FanfareServer, RedisServer, Rng, seed};

use crate::peer::{Frame, PATIENCE, Peer, Poll, addr_of, broker, command, info, wait_until};

const N_REACTORS: u32 = 4;
/// Clients that do the same on all of them.
const N_CLIENTS: usize = 8;

fn fragile() -> Broker {
    broker(|config| {
        config.reactors = N_REACTORS;
        config.enable_debug_command = Allow::Yes;
    })
}

fn ok() -> Frame {
    Frame::Simple(b"OK".to_vec())
}

fn queued() -> Frame {
    Frame::Simple(b"QUEUED".to_vec())
}

/// In RESP3 a subscriber may send any command.
fn subscriber(addr: SocketAddr, channels: &[&str]) -> Peer {
    let mut peer = Peer::connect(addr);
    assert!(!peer.call(&["HELLO", "3"]).items().is_empty());
    peer.send(&[&["SUBSCRIBE"], channels].concat());
    channels.iter().for_each(|_| assert_eq!(peer.read().kind(), Some(&b"subscribe"[..])));
    peer
}

/// Publishes numbers, counted per publisher, until told to stop; how many.
fn publish_until(addr: SocketAddr, publisher: usize, stop: &AtomicBool) -> usize {
    let mut peer = Peer::connect(addr);
    let mut n = 0;
    while !stop.load(Ordering::SeqCst) {
        let n_batch = 20;
        for number in n..n + n_batch {
            peer.send(&["PUBLISH", "busy", &format!("{publisher}:{number}")]);
        }
        (0..n_batch).for_each(|_| assert!(N_CLIENTS as i64 <= peer.read().int()));
        n += n_batch;
    }
    n
}

/// Reads numbers until the end of the connection or a message that is none; how many came from each publisher, without
/// a hole.
fn read_numbers(peer: &mut Peer, n_publishers: usize) -> Vec<usize> {
    let mut next: Vec<Option<usize>> = vec![None; n_publishers];
    let mut counts = vec![0; n_publishers];
    loop {
        let frame = match peer.poll(PATIENCE) {
            Poll::Frame(frame) => frame,
            Poll::Closed => return counts,
            Poll::Nothing => panic!("a subscriber waits for ever"),
        };
        // The victim's own replies are no pushes.
        let Frame::Push(items) = &frame else { continue };
        let Some(Frame::Bulk(payload)) = items.get(2) else { continue };
        let payload = String::from_utf8_lossy(payload);
        let Some((publisher, number)) = payload.split_once(':') else { return counts };
        let publisher: usize = publisher.parse().unwrap();
        let number: usize = number.parse().unwrap();
        assert_eq!(number, next[publisher].unwrap_or(number), "a message is missing: {payload}");
        next[publisher] = Some(number + 1);
        counts[publisher] += 1;
    }
}

#[test]
fn subscribers_panic_while_messages_are_on_their_way() {
    const N_PUBLISHERS: usize = 4;
    let mut rng = Rng::new(seed());
    let broker = fragile();
    let addr = addr_of(&broker);
    let stop = AtomicBool::new(false);
    let mut readers: Vec<Peer> = (0..N_CLIENTS).map(|_| subscriber(addr, &["busy"])).collect();
    let mut admin = Peer::connect(addr);
    let n_victims = 3 * N_CLIENTS;
    thread::scope(|scope| {
        let publishers: Vec<_> = (0..N_PUBLISHERS)
            .map(|it| {
                let stop = &stop;
                scope.spawn(move || publish_until(addr, it, stop))
            })
            .collect();
        let readers: Vec<_> = readers
            .iter_mut()
            .map(|it| scope.spawn(move || read_numbers(it, N_PUBLISHERS)))
            .collect();
        for _ in 0..n_victims {
            let mut victim = subscriber(addr, &["busy", "other"]);
            for _ in 0..rng.below(3) {
                assert_eq!(victim.read().kind(), Some(&b"message"[..]));
            }
            // In a transaction what was posted is drained while the command runs.
            match rng.below(3) {
                0 => victim.send(&["DEBUG", "PANIC"]),
                1 => {
                    victim.send(&["UNSUBSCRIBE", "other"]);
                    victim.send(&["DEBUG", "PANIC"]);
                }
                _ => {
                    for it in
                        ["MULTI", "PUBLISH other x", "UNSUBSCRIBE busy", "DEBUG PANIC", "EXEC"]
                    {
                        victim.send(&it.split(' ').collect::<Vec<_>>());
                    }
                }
            }
            read_numbers(&mut victim, N_PUBLISHERS);
        }
        stop.store(true, Ordering::SeqCst);
        let published: Vec<usize> = publishers.into_iter().map(|it| it.join().unwrap()).collect();
        assert_eq!(admin.call(&["PUBLISH", "busy", "end"]), Frame::Int(N_CLIENTS as i64));
        for reader in readers {
            assert_eq!(reader.join().unwrap(), published);
        }
    });
    assert_eq!(admin.call(&["PUBLISH", "other", "x"]), Frame::Int(0));
    assert_eq!(info(&mut admin, "client_panic_disconnections"), n_victims as u64);
    assert_eq!(info(&mut admin, "pubsub_messages_lost_to_panics"), 0);
    assert_eq!(info(&mut admin, "pubsub_channels"), 1);
    wait_until("only readers are left", || {
        info(&mut admin, "connected_clients") == 1 + N_CLIENTS as u64
    });
}

#[test]
fn a_transaction_that_panics_holds_no_key_and_keeps_what_it_did() {
    let broker = fragile();
    let mut others: Vec<Peer> = (0..N_CLIENTS).map(|_| Peer::of(&broker)).collect();
    let mut listener = subscriber(addr_of(&broker), &["c"]);
    for round in 0..20 {
        let mut victim = Peer::of(&broker);
        assert_eq!(victim.call(&["WATCH", "k", "unchanged"]), ok());
        assert_eq!(victim.call(&["MULTI"]), ok());
        let done = format!("done {round}");
        for args in [
            &["SET", "k", done.as_str()][..],
            &["PUBLISH", "c", done.as_str()],
            // It holds all keys of its database.
            &["DEBUG", "PANIC"],
            &["SET", "k", "never"],
            &["PUBLISH", "c", "never"],
        ] {
            assert_eq!(victim.call(args), queued());
        }
        victim.send(&["EXEC"]);
        assert!(victim.read_to_end().is_empty(), "it was answered");
        for (index, peer) in others.iter_mut().enumerate() {
            assert_eq!(peer.call(&["GET", "k"]).text(), done);
            assert_eq!(peer.call(&["SET", &format!("{index}"), "x"]), ok());
            assert_eq!(peer.call(&["MULTI"]), ok());
            assert_eq!(peer.call(&["DBSIZE"]), queued());
            assert_eq!(peer.call(&["EXEC"]).items().len(), 1);
        }
        assert_eq!(listener.read().items().last().map(Frame::text), Some(done));
    }
    assert_eq!(others[0].call(&["PUBLISH", "c", "last"]), Frame::Int(1));
    assert_eq!(listener.read().items().last().map(Frame::text), Some("last".to_owned()));
    assert_eq!(info(&mut others[0], "watching_clients"), 0);
    assert_eq!(info(&mut others[0], "client_panic_disconnections"), 20);
    assert_eq!(info(&mut others[0], "connected_clients"), 1 + N_CLIENTS as u64);
}

#[test]
fn what_was_answered_before_a_panic_arrives_and_what_follows_does_not_run() {
    let broker = fragile();
    let mut other = Peer::of(&broker);
    let mut victim = Peer::of(&broker);
    let lines =
        ["SET before 1", "INCR before", "DEBUG PANIC and more", "SET after 1", "GET before"];
    let batch = lines.map(|it| command(&it.split(' ').collect::<Vec<_>>())).concat();
    victim.write(&batch);
    assert_eq!(victim.read_to_end(), [ok(), Frame::Int(2)]);
    assert_eq!(other.call(&["GET", "before"]).text(), "2");
    assert_eq!(other.call(&["EXISTS", "after"]), Frame::Int(0));
}

#[test]
fn monitors_see_everybody_else_when_one_of_them_panics_and_when_another_does() {
    let broker = fragile();
    let addr = addr_of(&broker);
    let monitor = |addr| {
        let mut peer = Peer::connect(addr);
        assert_eq!(peer.call(&["MONITOR"]), ok());
        peer
    };
    let (mut first, mut second) = (monitor(addr), monitor(addr));
    let mut working: Vec<Peer> = (0..N_CLIENTS).map(|_| Peer::connect(addr)).collect();
    let mut expected = Vec::new();
    for round in 0..20 {
        let mut victim = Peer::connect(addr);
        let channel = format!("{round}");
        for args in [&["MULTI"][..], &["PUBLISH", &channel, "x"], &["DEBUG", "PANIC"], &["EXEC"]] {
            victim.send(args);
        }
        assert_eq!(victim.read_to_end(), [ok(), queued(), queued()]);
        // The transaction never ended, and administration is not shown.
        expected.extend(["\"MULTI\"".to_owned(), format!("\"PUBLISH\" \"{channel}\" \"x\"")]);
        for peer in &mut working {
            assert_eq!(peer.call(&["PUBLISH", &channel, "y"]), Frame::Int(0));
            expected.push(format!("\"PUBLISH\" \"{channel}\" \"y\""));
        }
        if round == 10 {
            second.send(&["DEBUG", "PANIC"]);
            assert!(second.read_to_end().iter().all(|it| it.text().contains("\"")));
        }
    }
    for line in expected {
        let shown = first.read().text();
        assert!(shown.ends_with(&line), "{shown}, not {line}");
    }
    assert_eq!(info(&mut working[0], "connected_clients"), 1 + N_CLIENTS as u64);
}

#[test]
fn a_panic_is_logged_with_its_command_and_needs_leave() {
    let server = FanfareServer::start(&["--enable-debug-command", "local"]);
    let mut victim = Peer::connect(server.addr());
    victim.send(&["DEBUG", "PANIC"]);
    assert!(victim.read_to_end().is_empty());
    let log = server.log();
    let line = log.lines().find(|it| it.contains("its command panicked")).unwrap_or_default();
    assert!(line.contains("command=\"debug\"") && line.contains("DEBUG PANIC was called"), "{log}");

    let careful = broker(|config| config.reactors = 1);
    let mut client = Peer::of(&careful);
    let refused = client.call(&["DEBUG", "PANIC"]);
    assert!(matches!(&refused, Frame::Error(it) if it.contains("not allowed")), "{refused:?}");
    assert_eq!(client.call(&["PING"]), Frame::Simple(b"PONG".to_vec()));
}

#[test]
fn the_whole_of_redis_ends_by_debug_panic() {
    let mut server = RedisServer::start(&["--enable-debug-command", "yes"]);
    let mut client = Peer::connect(server.addr());
    client.send(&["DEBUG", "PANIC"]);
    assert!(client.read_to_end().is_empty());
    assert!(server.wait_exit().is_some_and(|it| !it.success()));
}
