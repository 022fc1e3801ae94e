//! For tests: a reactor that does not run, so that they can.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use fanfare_engine::CommandTable;
use fanfare_engine::pubsub::ReactorId;
use tokio::runtime::Runtime;

use super::state::Reactor;
use crate::broker::share;
use crate::config::Config;
use crate::net::Incoming;
use crate::shared::{Hooks, Identity, Shared};

/// The slot of the first connection.
pub(super) const SLOT: u32 = 0;

/// What must outlive a reactor with connections.
pub(super) struct Around {
    pub(super) shared: Arc<Shared>,
    pub(super) peers: Vec<UnixStream>,
    pub(super) runtime: Runtime,
}

/// The first of two reactors with a connection, and what is around it.
pub(super) fn reactor() -> (Reactor, Around) {
    among(shared(), 1)
}

/// The first of two reactors, of which one alone takes commands, with so many connections.
pub(super) fn elastic(n_connections: usize) -> (Reactor, Around) {
    let mut shared = shared();
    shared.is_elastic = true;
    shared.n_active.store(1, Ordering::Relaxed);
    among(shared, n_connections)
}

fn shared() -> Shared {
    let identity = Identity {
        run_id: String::new(),
        replication_id: String::new(),
        started: Instant::now(),
        started_unix_us: 0,
        port: 0,
        unix_path: String::new(),
    };
    let config = Config { reactors: 2, ..Config::default() };
    let table = CommandTable::new(&[]).unwrap();
    share(config, table, identity, Hooks::default())
}

fn among(shared: Shared, n_connections: usize) -> (Reactor, Around) {
    let shared = Arc::new(shared);
    let mut reactor = Reactor::new(ReactorId(0), Arc::clone(&shared));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let entered = runtime.enter();
    let mut peers = Vec::new();
    for _ in 0..n_connections {
        let (ours, peer) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        shared.loads[0].n_connections.fetch_add(1, Ordering::Relaxed);
        reactor.adopt(Incoming::Unix(ours));
        peers.push(peer);
    }
    drop(entered);
    assert_eq!(reactor.take_adopted().first(), Some(&SLOT));
    (reactor, Around { shared, peers, runtime })
}
