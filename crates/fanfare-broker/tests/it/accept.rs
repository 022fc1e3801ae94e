//! When no more files can be opened, who is connected is served, and the others are once there are files again.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that can not go on ends")]

use std::collections::BTreeSet;
use std::fs;
use std::time::Instant;

use fanfare_testkit::FanfareServer;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::peer::{Frame, Peer, info, wait_until};

/// Connections that find a file to be opened for them.
const N_ROOM: usize = 5;
const N_WAITING: usize = 20;

fn pid(server: &FanfareServer) -> Pid {
    let pid = server.pid().and_then(|it| Pid::from_raw(i32::try_from(it).unwrap()));
    pid.expect("the server runs")
}

/// Lets the server open so many more files: as many descriptors are free below the limit.
fn leave_room(server: &FanfareServer, n_files: usize) {
    let listed = fs::read_dir(format!("/proc/{}/fd", pid(server).as_raw_nonzero())).unwrap();
    let descriptor = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let open: BTreeSet<u64> = listed.filter_map(|it| descriptor(it.unwrap())).collect();
    let first_denied = (0..).filter(|it| !open.contains(it)).nth(n_files);
    let limit = Rlimit { current: first_denied, ..getrlimit(Resource::Nofile) };
    let changed = prlimit(Some(pid(server)), Resource::Nofile, limit);
    assert!(changed.is_ok(), "the limit can not be changed: {changed:?}");
}

fn pong() -> Frame {
    Frame::Simple(b"PONG".to_vec())
}

/// Lines in which the log tells that nobody is accepted.
fn n_outages(server: &FanfareServer) -> usize {
    server.log().matches("no connections are accepted").count()
}

/// Clients that ask at once, of which most find no room.
fn crowd(server: &FanfareServer) -> Vec<Peer> {
    let mut crowd: Vec<Peer> = (0..N_WAITING).map(|_| Peer::connect(server.addr())).collect();
    crowd.iter_mut().for_each(|it| it.send(&["PING"]));
    crowd
}

#[test]
fn without_files_the_connected_are_served_and_the_others_wait() {
    let start = Instant::now();
    let server = FanfareServer::start(&["--reactors", "2"]);
    let (mut admin, mut subscriber) = (Peer::connect(server.addr()), Peer::connect(server.addr()));
    subscriber.send(&["SUBSCRIBE", "c"]);
    assert_eq!(subscriber.read().kind(), Some(&b"subscribe"[..]));
    leave_room(&server, N_ROOM);

    let waiting = crowd(&server);
    wait_until("the log tells", || n_outages(&server) != 0);
    for _ in 0..100 {
        assert_eq!(admin.call(&["PUBLISH", "c", "served"]), Frame::Int(1));
        assert_eq!(subscriber.read().kind(), Some(&b"message"[..]));
    }
    assert!(info(&mut admin, "connected_clients") < N_WAITING as u64);
    assert!(server.log().contains("ulimit -n"), "{}", server.log());
    // Each that goes makes room for the next.
    for mut peer in waiting {
        assert_eq!(peer.read(), pong());
    }

    // Or all of them get room at once.
    let mut waiting = crowd(&server);
    wait_until("some wait", || info(&mut admin, "connected_clients") <= 2 + N_ROOM as u64);
    leave_room(&server, 1000);
    waiting.iter_mut().for_each(|it| assert_eq!(it.read(), pong()));
    assert_eq!(info(&mut admin, "connected_clients"), 2 + N_WAITING as u64);
    let n_outages_max = 1 + start.elapsed().as_secs() / 10;
    assert!(n_outages(&server) as u64 <= n_outages_max, "{}", server.log());
}
