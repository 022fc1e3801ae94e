//! Clients that vanish at any byte, send half of something or garbage: the broker goes on and forgets them.

#![expect(clippy::indexing_slicing, reason = "a test that can not go on ends")]

use std::io::Read;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::Broker;
use fanfare_broker::config::Allow;
use fanfare_testkit::{FanfareServer, Rng, seed};
use socket2::SockRef;

use crate::peer::{Frame, Peer, Poll, addr_of, broker, command, info, wait_until};
use crate::resident::resident_bytes;

/// What clients may be in the midst of when they vanish. None of it lasts or stops others.
fn script(rng: &mut Rng) -> Vec<u8> {
    let lines: [&[&str]; 22] = [
        &["SUBSCRIBE", "a", "b", "c"],
        &["PSUBSCRIBE", "*", "a*", "[b]?"],
        &["SSUBSCRIBE", "s"],
        &["UNSUBSCRIBE"],
        &["PUNSUBSCRIBE", "*"],
        &["PUBLISH", "a", "hello"],
        &["PUBLISH", "b", LONG],
        &["SPUBLISH", "s", "hello"],
        &["MULTI"],
        &["PUBLISH", "c", "in a transaction"],
        &["EXEC"],
        &["DISCARD"],
        &["WATCH", "k", "l"],
        &["SET", "k", "v"],
        &["INCR", "n"],
        &["HELLO", "3"],
        &["HELLO", "2"],
        &["MONITOR"],
        &["CLIENT", "LIST"],
        &["CLIENT", "REPLY", "SKIP"],
        &["RESET"],
        &["GET", "k"],
    ];
    let mut bytes = Vec::new();
    for _ in 0..1 + rng.below(8) {
        bytes.extend(command(lines[pick(rng, lines.len())]));
    }
    bytes
}

/// Of a size that is shared between reactors, not copied.
const LONG: &str = {
    const BYTES: &[u8; 20_000] = &[b'x'; 20_000];
    match std::str::from_utf8(BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
};

fn pick(rng: &mut Rng, n: usize) -> usize {
    usize::try_from(rng.below(n as u64)).unwrap_or_default()
}

fn times(n: usize) -> usize {
    if std::env::var_os("FANFARE_FULL").is_some() { n * 20 } else { n }
}

/// One client that ends at any byte, in one of the ways in which connections end.
fn vanish(addr: SocketAddr, bytes: &[u8], rng: &mut Rng) {
    let mut peer = Peer::connect(addr);
    let _ = peer.try_write(&bytes[..pick(rng, bytes.len() + 1)]);
    match rng.below(4) {
        // Reset: what was not read yet is lost, and so is what the broker still sends.
        0 => assert!(SockRef::from(peer.stream()).set_linger(Some(Duration::ZERO)).is_ok()),
        1 => assert!(peer.stream().shutdown(Shutdown::Write).is_ok()),
        2 => {
            let _ = peer.poll(Duration::from_millis(rng.below(3)));
        }
        _ => {}
    }
}

/// Several threads do `one` so many times together.
fn crowd(addr: SocketAddr, n: usize, one: fn(SocketAddr, &mut Rng)) {
    let mut rng = Rng::new(seed());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let mut rng = Rng::new(rng.next_u64());
            scope.spawn(move || (0..n / 8).for_each(|_| one(addr, &mut rng)));
        }
    });
}

/// Everybody is gone and everything works.
fn all_is_well(broker: &Broker) {
    let mut peer = Peer::of(broker);
    assert_eq!(peer.call(&["PING"]), Frame::Simple(b"PONG".to_vec()));
    wait_until("only this client is left", || info(&mut peer, "connected_clients") == 1);
    wait_until("no subscription is left", || {
        info(&mut peer, "pubsub_channels") + info(&mut peer, "pubsub_patterns") == 0
            && info(&mut peer, "pubsubshard_channels") == 0
    });
    assert_eq!(peer.call(&["CLIENT", "LIST"]).text().lines().count(), 1);
    let mut everywhere: Vec<Peer> = (0..broker.n_reactors()).map(|_| Peer::of(broker)).collect();
    for peer in &mut everywhere {
        peer.send(&["SUBSCRIBE", "x"]);
        assert_eq!(peer.read().kind(), Some(&b"subscribe"[..]));
    }
    assert_eq!(peer.call(&["PUBLISH", "x", "y"]), Frame::Int(broker.n_reactors() as i64));
    everywhere.iter_mut().for_each(|it| assert_eq!(it.read().kind(), Some(&b"message"[..])));
}

#[test]
fn clients_vanish_at_any_byte() {
    let broker = broker(|config| config.reactors = 4);
    crowd(addr_of(&broker), times(3000), |addr, rng| {
        let bytes = script(rng);
        vanish(addr, &bytes, rng);
    });
    all_is_well(&broker);
}

#[test]
fn garbage_is_answered_or_the_connection_closed() {
    let broker = broker(|config| config.reactors = 4);
    crowd(addr_of(&broker), times(3000), |addr, rng| {
        let mut bytes = script(rng);
        for _ in 0..1 + rng.below(6) {
            let at = pick(rng, bytes.len());
            match rng.below(4) {
                0 => bytes[at] = rng.next_u64().to_le_bytes()[0],
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"*$:+-_#,(!=%~>|\r\n0-9"[pick(rng, 19)]),
                _ => bytes.splice(at..at, rng.next_u64().to_le_bytes()).for_each(drop),
            }
            if bytes.is_empty() {
                bytes.push(b'*');
            }
        }
        vanish(addr, &bytes, rng);
    });
    all_is_well(&broker);
}

#[test]
fn a_subscriber_that_does_not_read_and_is_reset() {
    let broker = broker(|config| {
        config.reactors = 2;
        config.output_limits.pubsub.hard_bytes = 0;
        config.output_limits.pubsub.soft_bytes = 0;
    });
    let mut publisher = Peer::of(&broker);
    let mut others: Vec<Peer> = (0..3).map(|_| Peer::of(&broker)).collect();
    for _ in 0..times(10) {
        let mut deaf: Vec<Peer> = (0..4).map(|_| Peer::of(&broker)).collect();
        for peer in &mut deaf {
            assert!(SockRef::from(peer.stream()).set_recv_buffer_size(4096).is_ok());
            peer.send(&["SUBSCRIBE", "flood"]);
            assert_eq!(peer.read().kind(), Some(&b"subscribe"[..]));
        }
        for _ in 0..400 {
            assert_eq!(publisher.call(&["PUBLISH", "flood", LONG]), Frame::Int(4));
        }
        for peer in &deaf {
            assert!(SockRef::from(peer.stream()).set_linger(Some(Duration::ZERO)).is_ok());
        }
        drop(deaf);
        wait_until("nobody is subscribed", || {
            publisher.call(&["PUBLISH", "flood", ""]) == Frame::Int(0)
        });
        for peer in &mut others {
            assert_eq!(peer.call(&["PING"]), Frame::Simple(b"PONG".to_vec()));
        }
    }
    drop(others);
    drop(publisher);
    all_is_well(&broker);
}

#[test]
fn a_length_that_is_only_claimed_costs_nothing() {
    let server = FanfareServer::start(&["--reactors", "4"]);
    let before = resident_bytes(server.pid());
    let claims: Vec<Peer> = (0..64)
        .map(|_| {
            let mut peer = Peer::connect(server.addr());
            peer.write(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n");
            peer.write(&[b'x'; 64 * 1024]);
            peer
        })
        .collect();
    let mut peer = Peer::connect(server.addr());
    wait_until("all of it was read", || 64 * 64 * 1024 < info(&mut peer, "total_net_input_bytes"));
    let grown = resident_bytes(server.pid()).saturating_sub(before);
    assert!(grown < 200 << 20, "{grown} bytes for 4 MiB that arrived");
    drop(claims);
    wait_until("all are gone", || info(&mut peer, "connected_clients") == 1);
}

#[test]
fn replies_that_nobody_reads_wait_in_bounds() {
    const N: usize = 800;
    const CALL: &[u8] = b"PUBSUB CHANNELS\r\n";
    let server = FanfareServer::start(&["--reactors", "4"]);
    let (mut admin, mut subscriber) = (Peer::connect(server.addr()), Peer::connect(server.addr()));
    let names = (0..1100).map(|it| format!("{it:01000}"));
    let subscribe: Vec<String> = std::iter::once("SUBSCRIBE".to_owned()).chain(names).collect();
    subscriber.write(&command(&subscribe));
    (0..1100).for_each(|_| assert_eq!(subscriber.read().kind(), Some(&b"subscribe"[..])));
    let mut deaf = Peer::connect(server.addr());
    // A few bytes each, and all in one piece.
    deaf.write(&CALL.repeat(N));
    wait_until("much waits", || {
        let list = admin.call(&["CLIENT", "LIST"]).text();
        let waiting =
            list.split(" omem=").filter_map(|it| it.split(' ').next()?.parse::<u64>().ok());
        waiting.max().is_some_and(|it| 200 << 20 < it)
    });
    let resident = resident_bytes(server.pid());
    assert!(resident < 600 << 20, "{resident} bytes for {N} replies of 1.1 MB");
    // All of them come when they are read.
    let reply_len = 1100 * b"$1000\r\n\r\n".len() + 1100 * 1000 + b"*1100\r\n".len();
    let wanted = (N * reply_len) as u64;
    let got = std::io::copy(&mut deaf.stream().take(wanted), &mut std::io::sink());
    assert!(got.is_ok_and(|it| it == wanted), "the connection ended before all of it came");
    assert_eq!(deaf.call(&["PING"]), Frame::Simple(b"PONG".to_vec()));
}

#[test]
fn a_query_beyond_the_limit_is_cut() {
    let broker = broker(|config| {
        config.reactors = 2;
        config.query_buffer_bytes_max = 1 << 20;
    });
    let mut big = Peer::of(&broker);
    big.write(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n");
    let chunk = vec![b'x'; 64 * 1024];
    let n_taken = (0..4096).take_while(|_| big.try_write(&chunk)).count();
    assert!(n_taken < 4096, "256 MiB were taken with a limit of 1 MiB");
    let mut peer = Peer::of(&broker);
    wait_until("it is gone", || info(&mut peer, "connected_clients") == 1);
    assert_eq!(info(&mut peer, "client_query_buffer_limit_disconnections"), 1);
    all_is_well_after(&broker, peer);
}

fn all_is_well_after(broker: &Broker, peer: Peer) {
    drop(peer);
    all_is_well(broker);
}

#[test]
fn commands_of_those_who_left_are_done_all_the_same() {
    let broker = Arc::new(broker(|config| {
        config.reactors = 4;
        config.enable_debug_command = Allow::Yes;
    }));
    let mut listener = Peer::of(&broker);
    listener.send(&["SUBSCRIBE", "last words"]);
    assert_eq!(listener.read().kind(), Some(&b"subscribe"[..]));
    for number in 0..200 {
        let mut peer = Peer::of(&broker);
        peer.send(&["PUBLISH", "last words", &number.to_string()]);
        assert!(peer.stream().shutdown(Shutdown::Write).is_ok());
    }
    let mut numbers: Vec<u64> =
        (0..200).map(|_| listener.read().items()[2].text().parse().unwrap_or(u64::MAX)).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..200));
    assert!(matches!(listener.poll(Duration::ZERO), Poll::Nothing));
}
