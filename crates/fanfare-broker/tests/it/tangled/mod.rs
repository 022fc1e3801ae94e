//! Commands that need many keys, commands that block, transactions and scripts on several reactors never wait for each
//! other for ever.
//!
//! `FANFARE_SEED=n` repeats the choices of a run; `FANFARE_FULL=1` makes it ten minutes long.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test that can not go on ends")]

mod draw;
mod watchdog;

use std::time::{Duration, Instant};

use fanfare_testkit::{Rng, seed};

use crate::peer::{Frame, Peer, addr_of, broker, info, wait_until};
use draw::Kind;
use watchdog::{Desk, Watchdog};

const N_CLIENTS: u64 = 8;

/// One for each broker, side by side.
const N_REACTORS: [u32; 3] = [2, 3, 5];

#[test]
fn commands_that_need_much_never_wait_for_each_other_for_ever() {
    let is_full = std::env::var_os("FANFARE_FULL").is_some();
    let time = Duration::from_secs(if is_full { 600 } else { 4 });
    let seed = seed();
    let brokers = N_REACTORS.map(|n| broker(|config| config.reactors = n));
    let watchdog = Watchdog::default();
    let until = Instant::now() + time;
    std::thread::scope(|scope| {
        let mut clients = Vec::new();
        for (broker, n_reactors) in brokers.iter().zip(N_REACTORS) {
            for client in 0..N_CLIENTS {
                let peer = Peer::of(broker);
                let desk = watchdog.desk(format!("client {client} of {n_reactors} reactors"));
                let rng = Rng::new(seed.wrapping_add(u64::from(n_reactors) * 100 + client));
                clients.push(scope.spawn(move || Client { peer, desk, rng }.work(until)));
            }
        }
        scope.spawn(|| watchdog.watch());
        let worked = clients.into_iter().map(|it| it.join().is_ok()).fold(true, |a, b| a & b);
        watchdog.end();
        assert!(worked, "a client was not answered as it should be");
    });
    eprintln!("in {time:?}: {}", watchdog.figures());
    for kind in Kind::ALL {
        assert_ne!(watchdog.n_done(kind), 0, "none of {kind:?} was done");
    }
    for broker in &brokers {
        let mut admin = Peer::connect(addr_of(broker));
        wait_until("nobody waits", || info(&mut admin, "blocked_clients") == 0);
        admin.call(&["FLUSHALL"]);
        assert_eq!(admin.call(&["DBSIZE"]), Frame::Int(0));
        assert_eq!(admin.call(&["PING"]), Frame::Simple(b"PONG".to_vec()));
    }
}

struct Client {
    peer: Peer,
    desk: Desk,
    rng: Rng,
}

impl Client {
    fn work(mut self, until: Instant) {
        while Instant::now() < until {
            let in_transaction = self.rng.below(4) == 0;
            if in_transaction {
                if self.rng.below(4) == 0 {
                    let key = draw::key(&mut self.rng);
                    self.call(Kind::Transaction, &["WATCH", &key]);
                }
                self.call(Kind::Transaction, &["MULTI"]);
            }
            for _ in 0..=self.rng.below(4) {
                let (kind, words) = draw::request(&mut self.rng);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                self.call(if in_transaction { Kind::Transaction } else { kind }, &words);
            }
            if in_transaction {
                self.call(Kind::Transaction, &["EXEC"]);
            }
        }
    }

    fn call(&mut self, kind: Kind, words: &[&str]) {
        self.desk.begins(words);
        self.peer.call(words);
        self.desk.ends(kind);
    }
}
