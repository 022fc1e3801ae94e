//! Transactions and scripts on several reactors: each happens as a whole or not at all, and nobody sees half of one.

use std::sync::atomic::{AtomicBool, Ordering};

use fanfare_broker::Broker;
use fanfare_testkit::{Rng, seed};

use crate::carried::restless;
use crate::peer::{Frame, Peer, broker};

const N_ACCOUNTS: u64 = 40;
const BALANCE: i64 = 100;

/// Whether this is the long run of `cargo xtask soak`.
fn is_full() -> bool {
    std::env::var_os("FANFARE_FULL").is_some()
}

fn account(number: u64) -> String {
    format!("account:{number}")
}

/// Two accounts, and what goes from the one to the other.
struct Transfer {
    from: String,
    to: String,
    amount: i64,
}

impl Transfer {
    fn random(rng: &mut Rng) -> Self {
        let (from, to) = (account(rng.below(N_ACCOUNTS)), account(rng.below(N_ACCOUNTS)));
        Self { from, to, amount: 1 + i64::from(rng.below(9) == 0) + i64::from(rng.below(3) == 0) }
    }

    fn by_transaction(&self, peer: &mut Peer) {
        peer.call(&["MULTI"]);
        let amount = self.amount.to_string();
        peer.call(&["DECRBY", &self.from, &amount]);
        peer.call(&["INCRBY", &self.to, &amount]);
        let answered = peer.call(&["EXEC"]);
        assert_eq!(answered.items().len(), 2, "{answered:?}");
    }

    fn by_script(&self, peer: &mut Peer) {
        let script = "redis.call('DECRBY', KEYS[1], ARGV[1]); \
                      return redis.call('INCRBY', KEYS[2], ARGV[1])";
        let amount = self.amount.to_string();
        peer.call(&["EVAL", script, "2", &self.from, &self.to, &amount]).int();
    }

    /// Reads the balances first; again and again, until nobody has changed them meanwhile.
    fn by_watching(&self, peer: &mut Peer) {
        loop {
            peer.call(&["WATCH", &self.from, &self.to]);
            let read = |peer: &mut Peer, key: &str| -> i64 { number(&peer.call(&["GET", key])) };
            let (before, amount) = (read(peer, &self.from), self.amount);
            let after = read(peer, &self.to);
            peer.call(&["MULTI"]);
            peer.call(&["SET", &self.from, &(before - amount).to_string()]);
            if self.from == self.to {
                peer.call(&["SET", &self.to, &before.to_string()]);
            } else {
                peer.call(&["SET", &self.to, &(after + amount).to_string()]);
            }
            if peer.call(&["EXEC"]) != Frame::Null {
                return;
            }
        }
    }
}

fn sum(frame: &Frame) -> i64 {
    frame.items().iter().map(number).sum()
}

fn number(frame: &Frame) -> i64 {
    frame.text().parse().unwrap_or_else(|_| panic!("no balance: {frame:?}"))
}

/// What all accounts hold, as one command, one transaction or one script sees it.
fn total(peer: &mut Peer, way: u64) -> i64 {
    let keys: Vec<String> = (0..N_ACCOUNTS).map(account).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    match way {
        0 => sum(&peer.call(&[&["MGET"], &*keys].concat())),
        1 => {
            peer.call(&["MULTI"]);
            for key in keys {
                peer.call(&["GET", key]);
            }
            sum(&peer.call(&["EXEC"]))
        }
        _ => {
            let script = "local n = 0; for _, key in ipairs(redis.call('KEYS', 'account:*')) do \
                          n = n + redis.call('GET', key) end; return n";
            peer.call(&["EVAL", script, "0"]).int()
        }
    }
}

#[test]
fn no_money_comes_or_goes_however_it_is_moved() {
    move_money(&broker(|config| config.reactors = 3));
}

#[test]
fn no_money_comes_or_goes_while_clients_are_carried_about() {
    move_money(&restless(3));
}

fn move_money(broker: &Broker) {
    let seed = seed();
    let n_transfers = if is_full() { 20_000 } else { 400 };
    let mut bank = Peer::of(broker);
    for number in 0..N_ACCOUNTS {
        bank.call(&["SET", &account(number), &BALANCE.to_string()]);
    }
    let expected: i64 = (0..N_ACCOUNTS).map(|_| BALANCE).sum();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let auditors: Vec<_> = (0..3)
            .map(|way| {
                let mut peer = Peer::of(broker);
                let is_over = &is_over;
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        assert_eq!(total(&mut peer, way), expected, "seen by way {way}");
                    }
                })
            })
            .collect();
        let clerks: Vec<_> = (0..6)
            .map(|clerk| {
                let mut peer = Peer::of(broker);
                scope.spawn(move || {
                    let mut rng = Rng::new(seed.wrapping_add(clerk));
                    for _ in 0..n_transfers {
                        let transfer = Transfer::random(&mut rng);
                        match clerk % 3 {
                            0 => transfer.by_transaction(&mut peer),
                            1 => transfer.by_script(&mut peer),
                            _ => transfer.by_watching(&mut peer),
                        }
                    }
                })
            })
            .collect();
        let worked = clerks.into_iter().map(|it| it.join().is_ok()).fold(true, |a, b| a & b);
        is_over.store(true, Ordering::Relaxed);
        let checked = auditors.into_iter().map(|it| it.join().is_ok()).fold(true, |a, b| a & b);
        assert!(worked && checked);
    });
    assert_eq!(total(&mut bank, 0), expected);
}
