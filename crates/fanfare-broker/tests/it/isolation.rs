//! A subscriber that does not read costs nobody else anything: it is cut, counted, and its memory comes back.

use std::io::Read as _;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use fanfare_testkit::FanfareServer;
use socket2::SockRef;

use crate::peer::{Frame, PATIENCE, Peer, Poll, broker, info, wait_until};
use crate::resident::resident_bytes;

const N_READERS: usize = 99;
const N_THREADS: usize = 9;
const PAYLOAD_LEN: usize = 4096;
/// Messages that are published before anybody looks whether they came.
const ROUND: usize = 64;
/// 45 MiB: more than the limit and what sockets keep.
const N_ROUNDS: usize = 180;
/// By so much the resident memory differs from one quiet moment to the next; much less than the limit.
const ALLOCATOR_NOISE: u64 = 6 << 20;

/// A subscriber with little room in the system for what it does not read.
fn deaf(addr: std::net::SocketAddr) -> Peer {
    let mut peer = Peer::connect(addr);
    assert!(SockRef::from(peer.stream()).set_recv_buffer_size(64 * 1024).is_ok());
    subscribe(&mut peer);
    peer
}

fn subscribe(peer: &mut Peer) {
    peer.send(&["SUBSCRIBE", "news"]);
    assert_eq!(peer.read().kind(), Some(&b"subscribe"[..]));
}

/// Publishes so many messages at once; the sum of the replies. Each reply is waited for.
fn publish(publisher: &mut Peer, numbers: std::ops::Range<usize>) -> i64 {
    let n = numbers.len();
    for number in numbers {
        publisher.send(&["PUBLISH", "news", &format!("{number:<PAYLOAD_LEN$}")]);
    }
    (0..n).map(|_| publisher.read().int()).sum()
}

/// Reads the messages of every round with `peers` and meets the publisher after each.
fn read_rounds(mut peers: Vec<Peer>, n_rounds: usize, meet: &Barrier) {
    for round in 0..n_rounds {
        for peer in &mut peers {
            for number in round * ROUND..(round + 1) * ROUND {
                let frame = peer.read();
                let payload = frame.items().get(2).map(Frame::text).unwrap_or_default();
                let got = payload.split_once(' ').and_then(|it| it.0.parse::<usize>().ok());
                assert_eq!(got, Some(number));
            }
        }
        meet.wait();
    }
    for peer in &mut peers {
        assert!(
            matches!(peer.poll(Duration::ZERO), Poll::Nothing),
            "a reader was cut or got too much"
        );
    }
}

/// All rounds with 99 readers; what PUBLISH answered in sum.
fn run(server: &FanfareServer, n_rounds: usize) -> i64 {
    let meet = Arc::new(Barrier::new(N_THREADS + 1));
    let threads: Vec<_> = (0..N_THREADS)
        .map(|_| {
            let mut peers: Vec<Peer> =
                (0..N_READERS / N_THREADS).map(|_| Peer::connect(server.addr())).collect();
            peers.iter_mut().for_each(subscribe);
            let meet = Arc::clone(&meet);
            thread::spawn(move || read_rounds(peers, n_rounds, &meet))
        })
        .collect();
    let mut publisher = Peer::connect(server.addr());
    let mut sum = 0;
    for round in 0..n_rounds {
        sum += publish(&mut publisher, round * ROUND..(round + 1) * ROUND);
        meet.wait();
    }
    threads.into_iter().for_each(|it| assert!(it.join().is_ok(), "a reader lost something"));
    sum
}

#[test]
fn one_that_never_reads_is_cut_and_nobody_else_notices() {
    let server = FanfareServer::start(&[
        "--reactors",
        "4",
        "--client-output-buffer-limit",
        "pubsub 32mb 0 0",
    ]);
    // Traffic without the slow one: what the allocator keeps for reuse is not what that one costs.
    let n_warming = N_ROUNDS / 3;
    assert_eq!(run(&server, n_warming), (N_READERS * n_warming * ROUND) as i64);
    let mut admin = Peer::connect(server.addr());
    wait_until("the first readers are gone", || info(&mut admin, "connected_clients") == 1);
    let before = settled(&server);

    let mut slow = deaf(server.addr());
    assert_eq!(info(&mut admin, "pubsub_output_limit_kills"), 0);
    let sum = run(&server, N_ROUNDS);
    let n_published = N_ROUNDS * ROUND;
    let all = (N_READERS * n_published) as i64;
    assert!(all < sum, "the slow subscriber was not even counted once: {sum}");
    assert!(sum < all + n_published as i64, "the slow subscriber was never cut: {sum}");
    assert_eq!(info(&mut admin, "pubsub_output_limit_kills"), 1);
    assert!(32 << 20 < info(&mut admin, "pubsub_output_bytes_lost"));
    assert_eq!(info(&mut admin, "client_output_buffer_limit_disconnections"), 1);
    assert!(slow.read_to_end().len() < n_published, "the slow subscriber got everything");
    wait_until("all are gone", || info(&mut admin, "connected_clients") == 1);
    assert_eq!(admin.call(&["CLIENT", "LIST"]).text().lines().count(), 1);
    let after = settled(&server);
    assert!(after < before + ALLOCATOR_NOISE, "resident: {before} bytes before, {after} after");
}

/// Resident memory once the reactors have rested: they give memory back after a second without work.
fn settled(server: &FanfareServer) -> u64 {
    let mut least = resident_bytes(server.pid());
    let mut n_same = 0;
    while n_same < 20 {
        thread::sleep(Duration::from_millis(100));
        let now = resident_bytes(server.pid());
        n_same = if now < least { 0 } else { n_same + 1 };
        least = least.min(now);
    }
    least
}

#[test]
fn one_that_reads_too_slowly_for_too_long_is_cut() {
    let broker = broker(|config| {
        config.reactors = 2;
        config.output_limits.pubsub.hard_bytes = 0;
        config.output_limits.pubsub.soft_bytes = 64 * 1024;
        config.output_limits.pubsub.soft_seconds = 1;
    });
    let addr = crate::peer::addr_of(&broker);
    let (mut slow, mut late) = (deaf(addr), Peer::connect(addr));
    subscribe(&mut late);
    let mut publisher = Peer::connect(addr);
    // More than sockets keep, so that something waits; then nothing more is published: time alone cuts.
    assert_eq!(publish(&mut publisher, 0..3000), 6000);
    // Late but in time: it is below the limit again at once.
    (0..3000).for_each(|_| assert_eq!(late.read().kind(), Some(&b"message"[..])));
    wait_until("the slow one is cut", || info(&mut publisher, "pubsub_output_limit_kills") == 1);
    assert!(slow.read_to_end().len() < 3000);
    assert_eq!(publish(&mut publisher, 0..1), 1);
    assert!(matches!(late.poll(PATIENCE), Poll::Frame(_)));
}

/// What may wait for a client that does not read before nothing more of it runs, or a monitor is cut.
const UNREAD_BYTES_MAX: u64 = 256 << 20;
const LARGE_LEN: usize = 1 << 20;
/// More than the bound and what sockets keep.
const N_LARGE: usize = 280;

/// Reads so many bytes, without looking at frames: there are hundreds of megabytes.
fn read_bytes(peer: &Peer, n_bytes: usize) {
    assert!(peer.stream().set_read_timeout(Some(PATIENCE)).is_ok());
    let mut expected = peer.stream().take(n_bytes as u64);
    let n_read = std::io::copy(&mut expected, &mut std::io::sink());
    assert_eq!(n_read.ok(), Some(n_bytes as u64));
}

#[test]
fn a_monitor_that_never_reads_is_cut_and_nobody_else_notices() {
    // docs/differences.md: D12
    let server = FanfareServer::start(&["--reactors", "2"]);
    let addr = server.addr();
    let monitor = || {
        let mut peer = Peer::connect(addr);
        assert!(SockRef::from(peer.stream()).set_recv_buffer_size(64 * 1024).is_ok());
        assert_eq!(peer.call(&["MONITOR"]), Frame::Simple(b"OK".to_vec()));
        peer
    };
    let (mut admin, mut publisher) = (Peer::connect(addr), Peer::connect(addr));
    let mut subscriber = Peer::connect(addr);
    subscribe(&mut subscriber);
    let (mut reading, deaf) = (monitor(), monitor());
    let payload = "x".repeat(LARGE_LEN);
    let message_len = b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1048576\r\n\r\n".len() + LARGE_LEN;

    assert_eq!(publisher.call(&["PUBLISH", "news", &payload]), Frame::Int(1));
    // Every line is as long as the first: the time has as many digits for centuries.
    let line_len = reading.read().text().len() + "+\r\n".len();
    thread::scope(|scope| {
        scope.spawn(|| read_bytes(&subscriber, N_LARGE * message_len));
        scope.spawn(|| read_bytes(&reading, (N_LARGE - 1) * line_len));
        for _ in 1..N_LARGE {
            assert_eq!(publisher.call(&["PUBLISH", "news", &payload]), Frame::Int(1));
        }
    });
    wait_until("the deaf one is cut", || {
        info(&mut admin, "client_output_buffer_limit_disconnections") == 1
    });
    assert!(UNREAD_BYTES_MAX <= info(&mut admin, "pubsub_output_bytes_lost"));
    let log = server.log();
    assert_eq!(log.matches("it does not read as fast as it is sent to").count(), 1, "{log}");
    let mut rest = Vec::new();
    assert!(deaf.stream().read_to_end(&mut rest).is_ok());
    assert!(rest.len() < (N_LARGE - 1) * line_len, "the deaf one got everything");
    // The other one goes on, and so do those whose commands are shown.
    assert_eq!(publisher.call(&["PUBLISH", "news", "last"]), Frame::Int(1));
    while !reading.read().text().ends_with("\"last\"") {}
    assert_eq!(subscriber.read().items().last().map(Frame::text), Some("last".to_owned()));
}

#[test]
fn replies_that_are_not_read_stop_their_client_until_they_are() {
    // docs/differences.md: D12
    let broker = broker(|config| config.reactors = 1);
    let (mut greedy, mut other) = (Peer::of(&broker), Peer::of(&broker));
    assert!(SockRef::from(greedy.stream()).set_recv_buffer_size(64 * 1024).is_ok());
    let ok = Frame::Simple(b"OK".to_vec());
    assert_eq!(other.call(&["SET", "large", &"x".repeat(LARGE_LEN)]), ok);
    greedy.write(&crate::peer::command(&["GET", "large"]).repeat(N_LARGE));
    greedy.send(&["SET", "done", "1"]);
    let n_run = |other: &mut Peer| info(other, "keyspace_hits");
    wait_until("the bound is reached", || UNREAD_BYTES_MAX <= n_run(&mut other) * LARGE_LEN as u64);
    for _ in 0..100 {
        assert_eq!(other.call(&["PING"]), Frame::Simple(b"PONG".to_vec()));
    }
    assert!(n_run(&mut other) < N_LARGE as u64, "everything ran although nothing was read");
    assert_eq!(other.call(&["EXISTS", "done"]), Frame::Int(0));
    read_bytes(&greedy, N_LARGE * (b"$1048576\r\n\r\n".len() + LARGE_LEN));
    assert_eq!(greedy.read(), ok);
    assert_eq!(info(&mut other, "client_output_buffer_limit_disconnections"), 0);
}
