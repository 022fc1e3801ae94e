//! Many connections and subscriptions, again and again: nothing is kept of them.
//!
//! `FANFARE_FULL=1` runs it in the size that is promised: 10,000 idle connections and 200,000 subscriptions.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use fanfare_testkit::FanfareServer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::peer::{Frame, Peer, command, info, wait_until};
use crate::resident::resident_bytes;

const N_CHANNELS_EACH: usize = 1000;

struct Size {
    n_idle: usize,
    n_subscriptions: usize,
    n_churned: usize,
    n_cycles: usize,
    /// By so much the resident memory differs from one quiet moment to the next, whatever the size.
    allocator_noise: u64,
}

impl Size {
    /// As large as was asked for and as the system lets one process have files open.
    fn new() -> Self {
        let n_files_max = raise_open_files();
        let full = std::env::var_os("FANFARE_FULL").is_some();
        let (n_idle, n_subscriptions) = if full { (10_000, 200_000) } else { (2000, 40_000) };
        let n_allowed = n_files_max.saturating_sub(1000 + n_subscriptions / N_CHANNELS_EACH);
        if n_allowed < n_idle {
            eprintln!("{n_allowed} idle connections instead of {n_idle}: see ulimit -n");
        }
        let n_idle = n_idle.min(n_allowed);
        // In the small size the noise is more than 5 %, so that more cycles must show what is kept.
        let (n_cycles, allocator_noise) = if full { (3, 0) } else { (6, 12 << 20) };
        Self { n_idle, n_subscriptions, n_churned: n_idle, n_cycles, allocator_noise }
    }
}

/// Lets this process and those that it starts open as many files as they may; how many.
fn raise_open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    assert!(setrlimit(Resource::Nofile, raised).is_ok(), "the limit can not be raised: {limit:?}");
    limit.maximum.and_then(|it| usize::try_from(it).ok()).unwrap_or(usize::MAX)
}

/// Subscribes to a thousand channels of its own.
fn subscribe(addr: SocketAddr, index: usize) -> Peer {
    let mut peer = Peer::connect(addr);
    let names = (0..N_CHANNELS_EACH).map(|it| format!("channel:{index}:{it}"));
    let args: Vec<String> = std::iter::once("SUBSCRIBE".to_owned()).chain(names).collect();
    peer.write(&command(&args));
    for _ in 0..N_CHANNELS_EACH {
        assert_eq!(peer.read().kind(), Some(&b"subscribe"[..]));
    }
    peer
}

/// Comes, subscribes to something, hears something, goes.
fn churn(addr: SocketAddr, n: usize) {
    thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let mut publisher = Peer::connect(addr);
                for number in 0..n / 4 {
                    let mut peer = Peer::connect(addr);
                    let channel = format!("churn:{thread}:{number}:");
                    peer.write(&command(&["SUBSCRIBE", &channel, "churn"]));
                    peer.write(&command(&["PSUBSCRIBE", &format!("{channel}*")]));
                    (0..3).for_each(|_| assert!(peer.read().kind().is_some()));
                    assert_eq!(publisher.call(&["PUBLISH", &channel, "hello"]), Frame::Int(2));
                    (0..2).for_each(|_| assert!(peer.read().kind().is_some()));
                }
            });
        }
    });
}

fn cycle(addr: SocketAddr, size: &Size, admin: &mut Peer) {
    let mut idle: Vec<Peer> = (0..size.n_idle).map(|_| Peer::connect(addr)).collect();
    let n_subscribers = size.n_subscriptions / N_CHANNELS_EACH;
    let subscribers: Vec<Peer> = (0..n_subscribers).map(|it| subscribe(addr, it)).collect();
    churn(addr, size.n_churned);
    for peer in idle.iter_mut().step_by(97) {
        assert_eq!(peer.call(&["PING"]), Frame::Simple(b"PONG".to_vec()));
    }
    let n_open = (size.n_idle + n_subscribers + 1) as u64;
    wait_until("those who only visited are gone", || info(admin, "connected_clients") == n_open);
    assert_eq!(info(admin, "pubsub_channels"), size.n_subscriptions as u64);
    drop((idle, subscribers));
    wait_until("all are gone", || info(admin, "connected_clients") == 1);
    wait_until("no channel is left", || {
        admin.call(&["PUBSUB", "CHANNELS"]) == Frame::Array(Vec::new())
    });
    assert_eq!(admin.call(&["PUBSUB", "NUMPAT"]), Frame::Int(0));
    let numsub = admin.call(&["PUBSUB", "NUMSUB", "channel:0:0"]);
    assert_eq!(numsub.items().get(1), Some(&Frame::Int(0)));
    assert_eq!(admin.call(&["CLIENT", "LIST"]).text().lines().count(), 1);
}

/// The least that is resident within a second: allocators give memory back a little later.
fn settled(server: &FanfareServer) -> u64 {
    let looks = (0..40).map(|_| {
        thread::sleep(Duration::from_millis(50));
        resident_bytes(server.pid())
    });
    looks.min().unwrap_or_default()
}

#[test]
fn cycles_of_connections_and_subscriptions_leave_nothing() {
    let size = Size::new();
    let server = FanfareServer::start(&["--reactors", "4", "--maxclients", "20000"]);
    let mut admin = Peer::connect(server.addr());
    let resident: Vec<u64> = (0..size.n_cycles)
        .map(|_| {
            cycle(server.addr(), &size, &mut admin);
            settled(&server)
        })
        .collect();
    eprintln!("resident after each cycle: {resident:?}");
    let (first, later) = (resident[0], resident[size.n_cycles - 2..].iter().min());
    let bound = first + first / 20 + size.allocator_noise;
    assert!(later.is_some_and(|it| *it <= bound), "resident after each cycle: {resident:?}");
}
