//! Several clients that block, and others that write: what each of them is sent is what redis-server sends, step by step.
//!
//! A step is what one client sends at once, a client that hangs up, or `CLIENT UNBLOCK`. redis-server goes first; then
//! the broker has to bring every client into the same state with the same bytes: blocked or not, inside `MULTI` or not.
//! Notifications tell the order in which clients were served, and the counts of `INFO` what was counted.
//!
//! docs/differences.md: D26
//!
//! `FANFARE_SEED=n` repeats a run, `FANFARE_FULL=1` makes it fifty times as long.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test that can not go on ends")]

mod draw;
mod side;

use std::collections::VecDeque;

use fanfare_testkit::{RedisServer, Rng, escape, seed};

use crate::peer::{addr_of, broker};
use draw::{Draw, Payloads, Step};
use side::{Seen, Side, State};

/// Clients that take part.
const N_CLIENTS: usize = 7;
const N_STEPS: usize = 400;
/// Steps that are shown of a run that fails.
const N_SHOWN: usize = 60;

fn walk(n_reactors: u32) {
    let seed = seed();
    let redis = RedisServer::start(&[]);
    let n_walks = if std::env::var_os("FANFARE_FULL").is_some() { 50 } else { 1 };
    for nth in 0..n_walks {
        for version in ["2", "3"] {
            // What is counted is counted from the start.
            let broker = broker(|config| config.reactors = n_reactors);
            let sides = [
                Side::new("redis-server", redis.addr(), version, N_CLIENTS),
                Side::new("the broker", addr_of(&broker), version, N_CLIENTS),
            ];
            let n = nth * 2 + u64::from(version == "3");
            Walk::new(sides, seed.wrapping_add(n)).run();
        }
    }
}

#[test]
fn blocked_clients_are_served_as_by_redis() {
    walk(1);
}

#[test]
fn blocked_clients_are_served_as_by_redis_over_two_reactors() {
    walk(2);
}

struct Walk {
    redis: Side,
    broker: Side,
    draw: Draw,
    states: Vec<State>,
    diary: VecDeque<String>,
}

impl Walk {
    fn new([mut redis, mut broker]: [Side; 2], seed: u64) -> Self {
        let draw = Draw::new(Rng::new(seed), Payloads::made_by(&mut redis));
        let states = redis.states();
        for side in [&mut redis, &mut broker] {
            side.ask(&["CONFIG", "RESETSTAT"]);
        }
        Self { redis, broker, draw, states, diary: VecDeque::new() }
    }

    fn run(&mut self) {
        for nth in 0..N_STEPS {
            let step = self.draw.step(&self.states);
            self.step(&step);
            if nth % 20 == 0 {
                self.compare_contents();
            }
        }
        for client in 0..N_CLIENTS {
            if self.states[client].is_blocked {
                self.step(&Step::Unblock { client, with_error: false });
            }
        }
        self.compare_contents();
        let [theirs, ours] = [&mut self.redis, &mut self.broker].map(Side::counts);
        let only_in = |these: &[String], those: &[String]| -> String {
            these.iter().filter(|it| !those.contains(it)).map(|it| format!("\n{it}")).collect()
        };
        let (too_much, missing) = (only_in(&ours, &theirs), only_in(&theirs, &ours));
        assert!(ours == theirs, "INFO tells{too_much}\nand not{missing}\n{}", self.tale());
    }

    fn step(&mut self, step: &Step) {
        self.diary.push_back(step.to_string());
        if N_SHOWN < self.diary.len() {
            self.diary.pop_front();
        }
        self.redis.act(step);
        let expected = self.redis.settle(step);
        self.note(&expected);
        self.broker.act(step);
        let seen = self.broker.catch_up(step, &expected);
        assert!(
            seen == expected,
            "the broker differs{}\n--- expected\n{expected}--- seen\n{seen}",
            self.tale()
        );
        self.states = expected.states;
    }

    fn note(&mut self, seen: &Seen) {
        let n = self.states.len();
        for client in 0..n {
            let bytes = &seen.received[client];
            if !bytes.is_empty() {
                self.diary.push_back(format!("        {client} < {}", escape(bytes)));
            }
        }
    }

    fn compare_contents(&mut self) {
        let [theirs, ours] = [&mut self.redis, &mut self.broker].map(|it| it.contents(&draw::KEYS));
        for (their, our) in theirs.iter().zip(&ours) {
            assert_eq!(our, their, "the contents differ{}", self.tale());
        }
    }

    /// What happened last.
    fn tale(&self) -> String {
        self.diary.iter().fold(" after".to_owned(), |all, line| all + "\n" + line)
    }
}
