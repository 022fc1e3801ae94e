//! Clients are carried from one reactor to another while they work, and notice nothing.

use std::sync::atomic::{AtomicBool, Ordering};

use fanfare_broker::Broker;
use fanfare_broker::config::Allow;
use fanfare_testkit::{Rng, seed};

use crate::peer::{Frame, Peer, Poll, broker, command, info, wait_until};

/// Whether this is the long run of `cargo xtask soak`.
fn is_full() -> bool {
    std::env::var_os("FANFARE_FULL").is_some()
}

/// A broker that carries its clients about all the time.
pub(crate) fn restless(reactors: u32) -> Broker {
    let broker = broker(|config| {
        config.reactors = reactors;
        config.enable_debug_command = Allow::Yes;
    });
    let mut peer = Peer::of(&broker);
    assert_eq!(peer.call(&["DEBUG", "SHUFFLE-CLIENTS", "1"]).text(), "OK");
    broker
}

/// A client with its own keys, and one that helps it.
struct Worker {
    number: u64,
    rng: Rng,
    peer: Peer,
    other: Peer,
    counter: i64,
    db: u64,
}

impl Worker {
    fn new(broker: &Broker, number: u64, seed: u64) -> Self {
        let mut worker = Self {
            number,
            rng: Rng::new(seed.wrapping_add(number)),
            peer: Peer::of(broker),
            other: Peer::of(broker),
            counter: 0,
            db: 0,
        };
        worker.peer.call(&["CLIENT", "SETNAME", &format!("worker{number}")]);
        worker
    }

    fn key(&self, kind: &str) -> String {
        format!("{kind}:{}", self.number)
    }

    fn work(&mut self) {
        match self.rng.below(7) {
            0 | 1 => self.count_in_pieces(),
            2 => self.change_database(),
            3 => self.transact(),
            4 => self.wait(),
            5 => self.work_in_silence(),
            _ => self.remember(),
        }
    }

    /// Commands whose bytes come in pieces, with time to be carried off in between.
    fn count_in_pieces(&mut self) {
        let key = self.key("counter");
        let n = 1 + self.rng.below(50);
        let bytes = command(&["INCR", &key]).repeat(usize::try_from(n).unwrap_or(1));
        let mut rest = &*bytes;
        while !rest.is_empty() {
            let len = 1 + self.rng.below(rest.len() as u64);
            let (piece, after) = rest.split_at(usize::try_from(len).unwrap_or(1));
            self.peer.write(piece);
            rest = after;
            if self.rng.below(3) == 0 {
                std::thread::yield_now();
            }
        }
        // The counter lies in the database of the moment.
        for _ in 0..n {
            let counted = self.peer.read().int();
            assert!(counted == self.counter + 1 || self.counter == 0, "{counted} of {key}");
            self.counter = counted;
        }
    }

    fn change_database(&mut self) {
        self.db = self.rng.below(16);
        self.peer.call(&["SELECT", &self.db.to_string()]);
        self.counter = 0;
        let listed = self.peer.call(&["CLIENT", "INFO"]).text();
        let expected = format!(" db={} ", self.db);
        assert!(listed.contains(&expected), "{listed} lacks {expected}");
        assert!(listed.contains(&format!(" name=worker{} ", self.number)), "{listed}");
    }

    /// What is watched and queued goes along.
    fn transact(&mut self) {
        let key = self.key("watched");
        self.other.call(&["SELECT", &self.db.to_string()]);
        self.peer.call(&["SET", &key, "0"]);
        self.peer.call(&["WATCH", &key]);
        let is_touched = self.rng.below(2) == 0;
        if is_touched {
            self.other.call(&["INCR", &key]);
        }
        self.peer.call(&["MULTI"]);
        assert_eq!(self.peer.call(&["INCR", &key]).text(), "QUEUED");
        assert_eq!(self.peer.call(&["INCR", &key]).text(), "QUEUED");
        let answered = self.peer.call(&["EXEC"]);
        let expected = Frame::Array(vec![Frame::Int(1), Frame::Int(2)]);
        assert_eq!(answered, if is_touched { Frame::Null } else { expected });
    }

    /// Who waits is served where it is, and goes on.
    fn wait(&mut self) {
        let key = self.key("queue");
        self.other.call(&["SELECT", &self.db.to_string()]);
        if self.rng.below(2) == 0 {
            self.peer.send(&["BLPOP", &key, "0"]);
            self.other.call(&["RPUSH", &key, "element"]);
        } else {
            self.other.call(&["RPUSH", &key, "element"]);
            self.peer.send(&["BLPOP", &key, "0"]);
        }
        let popped = self.peer.read();
        assert_eq!(popped.items().last().map(Frame::text).as_deref(), Some("element"));
    }

    /// That it wants no replies goes along.
    fn work_in_silence(&mut self) {
        let key = self.key("silence");
        self.peer.call(&["SET", &key, "0"]);
        self.peer.send(&["CLIENT", "REPLY", "SKIP"]);
        std::thread::yield_now();
        self.peer.send(&["INCR", &key]);
        self.peer.send(&["CLIENT", "REPLY", "OFF"]);
        std::thread::yield_now();
        self.peer.send(&["INCR", &key]);
        std::thread::yield_now();
        assert_eq!(self.peer.call(&["CLIENT", "REPLY", "ON"]).text(), "OK");
        assert_eq!(self.peer.call(&["GET", &key]).text(), "2");
    }

    /// The protocol's version goes along.
    fn remember(&mut self) {
        let version = 2 + self.rng.below(2);
        self.peer.call(&["HELLO", &version.to_string()]);
        let key = self.key("counter");
        // Of a null, only RESP3 has one form.
        self.peer.send(&["GET", &format!("{key}:none")]);
        assert_eq!(self.peer.read(), Frame::Null);
        let listed = self.peer.call(&["CLIENT", "INFO"]).text();
        assert!(listed.contains(&format!(" resp={version} ")), "{listed}");
        self.peer.call(&["HELLO", "2"]);
    }
}

#[test]
fn clients_that_are_carried_about_notice_nothing() {
    let seed = seed();
    let n_rounds = if is_full() { 20_000 } else { 300 };
    let broker = restless(3);
    std::thread::scope(|scope| {
        for number in 0..6 {
            let broker = &broker;
            scope.spawn(move || {
                let mut worker = Worker::new(broker, number, seed);
                for _ in 0..n_rounds {
                    worker.work();
                }
            });
        }
    });
    let mut peer = Peer::of(&broker);
    assert!(100 < info(&mut peer, "fanfare_clients_carried"), "nobody was carried");
    assert_eq!(peer.call(&["DEBUG", "SHUFFLE-CLIENTS", "0"]).text(), "OK");
    // Everybody who went has been counted out where they were counted in.
    wait_until("all others are gone", || info(&mut peer, "connected_clients") == 1);
}

/// Who is told in another client's stead what is stale is found wherever it is.
#[test]
fn invalidations_find_a_client_that_is_carried_about() {
    let n_rounds = if is_full() { 20_000 } else { 500 };
    let broker = restless(3);
    let (mut reader, mut writer) = (Peer::of(&broker), Peer::of(&broker));
    let mut told = Peer::of(&broker);
    told.call(&["HELLO", "3"]);
    let id = told.call(&["CLIENT", "ID"]).int().to_string();
    reader.call(&["CLIENT", "TRACKING", "ON", "REDIRECT", &id]);
    for round in 0..n_rounds {
        let key = format!("key:{round}");
        reader.call(&["GET", &key]);
        writer.call(&["SET", &key, "1"]);
        let expected = Frame::Push(vec![
            Frame::Bulk(b"invalidate".to_vec()),
            Frame::Array(vec![Frame::Bulk(key.into_bytes())]),
        ]);
        assert_eq!(told.read(), expected);
    }
    assert!(n_rounds / 10 < info(&mut writer, "fanfare_clients_carried"), "nobody was carried");
}

#[test]
fn who_is_killed_on_the_way_is_gone_before_the_reply() {
    let seed = seed();
    let n_rounds = if is_full() { 5000 } else { 150 };
    let broker = restless(3);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // They keep the reactors turning, so that everybody is carried about.
        for number in 0..3 {
            let (broker, is_over) = (&broker, &is_over);
            scope.spawn(move || {
                let mut worker = Worker::new(broker, number, seed);
                while !is_over.load(Ordering::Relaxed) {
                    worker.work();
                }
            });
        }
        let killer = scope.spawn(|| {
            let mut killer = Peer::of(&broker);
            for round in 0..n_rounds {
                let mut victim = Peer::of(&broker);
                let id = victim.call(&["CLIENT", "ID"]).int().to_string();
                victim.send(&["SET", &format!("round:{round}"), "before"]);
                victim.read();
                assert_eq!(killer.call(&["CLIENT", "KILL", "ID", &id]).int(), 1);
                // It may still be able to send, and nobody does what it says.
                victim.try_write(&command(&["SET", &format!("round:{round}"), "after"]));
                assert!(matches!(victim.poll(crate::peer::PATIENCE), Poll::Closed));
                let kept = killer.call(&["GET", &format!("round:{round}")]).text();
                assert_eq!(kept, "before", "round {round}");
                assert_eq!(killer.call(&["CLIENT", "LIST", "ID", &id]).text(), "");
            }
        });
        let killed = killer.join();
        is_over.store(true, Ordering::Relaxed);
        assert!(killed.is_ok());
    });
}

/// Without a number of reactors, subscribers fill the first one and then share all of them, and the rest stays together.
#[test]
fn subscribers_get_a_place_of_their_own_and_miss_nothing() {
    const N_SUBSCRIBERS: i64 = 40;
    let broker = broker(|config| config.reactors = 0);
    let mut publisher = Peer::of(&broker);
    let mut subscribers: Vec<Peer> = (0..N_SUBSCRIBERS)
        .map(|n| {
            let mut peer = Peer::of(&broker);
            // What came before is answered before it leaves, and what follows runs where it arrives.
            let mut bytes = command(&["SET", &format!("seen:{n}"), "1"]);
            bytes.extend(command(&["SUBSCRIBE", "news"]));
            bytes.extend(command(&["PING"]));
            peer.write(&bytes);
            peer
        })
        .collect();
    for peer in &mut subscribers {
        assert_eq!(peer.read().text(), "OK");
        assert_eq!(peer.read().kind(), Some(&b"subscribe"[..]));
        assert_eq!(peer.read().kind(), Some(&b"pong"[..]));
    }
    for n in 0..100 {
        assert_eq!(publisher.call(&["PUBLISH", "news", &n.to_string()]).int(), N_SUBSCRIBERS);
    }
    for peer in &mut subscribers {
        for n in 0..100 {
            let message = peer.read();
            assert_eq!(message.items().last().map(Frame::text), Some(n.to_string()));
        }
    }
    if 1 < broker.n_reactors() {
        assert!(1 <= info(&mut publisher, "fanfare_clients_carried"), "all are on one reactor");
    }
    // In a transaction the place is the one where it runs.
    let mut late = Peer::of(&broker);
    late.call(&["MULTI"]);
    late.call(&["SUBSCRIBE", "news"]);
    late.call(&["EXEC"]);
    assert_eq!(publisher.call(&["PUBLISH", "news", "late"]).int(), N_SUBSCRIBERS + 1);
}
