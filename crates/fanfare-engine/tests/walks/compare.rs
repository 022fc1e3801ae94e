//! The engine beside redis-server: every reply, and at random moments the contents of every key.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_engine::Version;
use fanfare_testkit::{RawClient, RedisServer, escape, seed, split_frames};

use crate::contents::{Look, Reader as _, args, assert_alike, contents};
use crate::defined::{Defined, bulks};
use crate::diary::Diary;
use crate::draw::Draw;
use crate::replay::Replica;
use crate::steps;
use crate::words;
use crate::world::World;

/// Of each of the four walks.
const N_COMMANDS: usize = 25_000;
const N_COMMANDS_ABOUT_STREAMS: usize = 4_000;

/// Clients that walk; one more reads.
const N_WALKERS: usize = 2;

#[test]
fn every_reply_is_that_of_redis() {
    walk_beside_redis(N_COMMANDS, false);
}

#[test]
fn every_reply_about_streams_is_that_of_redis() {
    walk_beside_redis(N_COMMANDS_ABOUT_STREAMS, true);
}

fn walk_beside_redis(n_commands: usize, is_about_streams: bool) {
    let seed = seed();
    let redis = RedisServer::start(&["--enable-debug-command", "yes"]);
    let n_rounds = if std::env::var_os("FANFARE_FULL").is_some() { 20 } else { 1 };
    for round in 0..n_rounds {
        for (idx, version) in [Version::Resp2, Version::Resp3].into_iter().enumerate() {
            for small in [false, true] {
                let nth = round * 4 + idx as u64 * 2 + u64::from(small);
                let mut walk = Walk::new(&redis, seed.wrapping_add(nth), (version, small));
                walk.draw.is_about_streams = is_about_streams;
                walk.run(n_commands);
            }
        }
    }
}

struct Walk {
    draw: Draw,
    world: World,
    redis: Vec<RawClient>,
    reader: RawClient,
    /// What is defined of the replies to queued commands, by client.
    queued: [Vec<Defined>; N_WALKERS],
    replica: Replica,
    diary: Diary,
}

/// A command and what the engine answered.
struct Step {
    words: Vec<String>,
    /// What redis-server is sent.
    sent: Vec<Vec<u8>>,
    got: Vec<u8>,
    defined: Defined,
}

impl Walk {
    /// `small`: values leave their packed encodings early.
    fn new(redis: &RedisServer, seed: u64, (version, small): (Version, bool)) -> Self {
        let connect = || RawClient::connect(redis.addr()).expect("it listens");
        let mut clients: Vec<_> = (0..N_WALKERS).map(|_| connect()).collect();
        let number = if version == Version::Resp3 { "3" } else { "2" };
        for client in &mut clients {
            client.call(&["HELLO", number]);
        }
        let mut reader = connect();
        let world = World::new(version);
        let sizes: [u32; 3] = if small { [16, 20, 24] } else { [512, 128, 512] };
        let list_fill = if small { 5 } else { -2 };
        let stream_entries_max = if small { 3 } else { 20 };
        let replica = Replica::new();
        // Packed or not: a score of -0 is 0 in a listpack, in Redis too.
        for tuning in [world.keyspace.tuning(), replica.tuning()] {
            tuning.set_hash_entries_max(sizes[0]);
            tuning.set_zset_entries_max(sizes[1]);
            tuning.set_intset_entries_max(sizes[2]);
            tuning.set_list_fill(list_fill);
            tuning.set_stream_entries_max(stream_entries_max);
        }
        let [hash, zset, set] = sizes.map(|it| it.to_string());
        let setting = |name, value: &str| args(&["CONFIG", "SET", name, value]);
        for command in [
            args(&["FLUSHALL"]),
            args(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]),
            setting("hash-max-listpack-entries", &hash),
            setting("zset-max-listpack-entries", &zset),
            setting("set-max-intset-entries", &set),
            setting("list-max-listpack-size", &list_fill.to_string()),
            setting("stream-node-max-entries", &stream_entries_max.to_string()),
        ] {
            assert_eq!(reader.call(&command), b"+OK\r\n");
        }
        Self {
            draw: Draw::new(seed, false),
            world,
            redis: clients,
            reader,
            queued: Default::default(),
            replica,
            diary: Diary::default(),
        }
    }

    fn run(&mut self, n_commands: usize) {
        let mut n_done = 0;
        while n_done < n_commands {
            let n_steps_max = if self.draw.once_in(2) { 4 } else { 60 };
            let n_steps = 1 + self.draw.below(n_steps_max);
            let client_idx = self.draw.below(N_WALKERS);
            self.burst(client_idx, n_steps);
            n_done += n_steps;
            if self.draw.once_in(120) {
                self.compare_contents();
            }
        }
        self.compare_contents();
    }

    /// Some commands of one client; redis-server is sent all at once.
    fn burst(&mut self, client_idx: usize, n_steps: usize) {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        self.world.now_ms = u64::try_from(since_epoch.as_millis()).expect("before the end");
        let steps: Vec<_> = (0..n_steps).map(|_| self.step(client_idx)).collect();
        let client = &mut self.redis[client_idx];
        steps.iter().for_each(|it| client.send_command(&it.sent));
        let replies = client.read_frames(n_steps, Duration::from_secs(60));
        let (replies, _) = split_frames(&replies);
        assert_eq!(replies.len(), n_steps, "redis-server answers everything");
        for (step, expected) in steps.iter().zip(replies) {
            let [got, expected] = [&step.got, expected].map(|it| step.defined.part(it));
            assert!(
                got == expected,
                "{}\ngot      {}\nexpected {}\nafter\n{}",
                step.words.join(" "),
                escape(&got),
                escape(&expected),
                self.diary.tail(&step.words)
            );
        }
    }

    fn step(&mut self, client_idx: usize) -> Step {
        let was_in_multi = steps::in_multi(&self.world, client_idx);
        let words = steps::next(&mut self.draw, was_in_multi);
        self.diary.note((client_idx, self.world.clients[client_idx].db), &words);
        let args: Vec<_> = words.iter().map(|it| words::bytes(it)).collect();
        let got = self.world.call(client_idx, &args);
        let defined = Defined::of(&words);
        if got == b"+QUEUED\r\n" {
            self.queued[client_idx].push(defined);
            return Step { words, sent: args, got, defined: Defined::All };
        }
        if was_in_multi {
            let defined = if steps::in_multi(&self.world, client_idx) {
                Defined::All
            } else {
                Defined::Each(std::mem::take(&mut self.queued[client_idx]))
            };
            return Step { words, sent: args, got, defined };
        }
        let popped = bulks(&got);
        if words[0].eq_ignore_ascii_case("SPOP") && !popped.is_empty() {
            // Which members go is chance: redis-server is told to remove the same.
            let got = format!(":{}\r\n", popped.len()).into_bytes();
            let start = [b"SREM".to_vec(), args[1].clone()];
            let sent = start.into_iter().chain(popped).collect();
            return Step { words, sent, got, defined: Defined::All };
        }
        Step { words, sent: args, got, defined }
    }

    fn compare_contents(&mut self) {
        let ours = contents(&mut self.world, Look::Closely);
        let theirs = contents(&mut self.reader, Look::Closely);
        assert_alike(("engine", &ours), ("redis", &theirs), |words| self.diary.tail(words));
        let (effects, now_ms) = (std::mem::take(&mut self.world.host.effects), self.world.now_ms);
        self.replica.apply(effects, now_ms, &mut self.diary);
        self.replica.compare(&mut self.world, &mut self.diary);
        if self.draw.once_in(4) {
            self.exchange();
        }
    }

    /// Each side goes on with what the other one had at a key; but for hashes: the fields of a table come in no order,
    /// and what is made of its payload may be packed, where the order counts.
    fn exchange(&mut self) {
        let key = self.draw.word("own-stream");
        if self.world.ask(&[args(&["SELECT", "0"]), args(&["TYPE", &key])])[1] == b"+hash\r\n" {
            return;
        }
        self.diary.note((N_WALKERS, 0), &["(exchanged)".into(), key.clone()]);
        let db = args(&["SELECT", "0"]);
        let dump = [db, args(&["DUMP", &key])];
        let [ours, theirs] =
            [self.world.ask(&dump), self.reader.ask(&dump)].map(|it| bulks(&it[1]).pop());
        let restore = |payload: Option<Vec<u8>>| {
            let mut command = args(&["RESTORE", &key, "0"]);
            command.extend([payload?, b"REPLACE".to_vec()]);
            Some([command])
        };
        let answers = [
            restore(theirs).map(|it| self.world.ask(&it)),
            restore(ours).map(|it| self.reader.ask(&it)),
        ];
        for answer in answers.into_iter().flatten() {
            assert_eq!(
                escape(&answer[0]),
                escape(b"+OK\r\n"),
                "{}",
                self.diary.tail(&[String::new(), key.clone()])
            );
        }
    }
}
