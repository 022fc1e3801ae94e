//! A subscriber that does not read costs nobody else anything: it is cut, counted, and its memory comes back.

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
