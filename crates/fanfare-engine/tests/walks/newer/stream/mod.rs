//! Streams beside a naive model, with consumers that crash: what newer versions of Redis do, and that every entry that
//! was delivered is acknowledged, pending or dropped, and only one of these.

mod command;
mod entries;
mod groups;
mod reading;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use fanfare_engine::{Reply, Version};
use fanfare_resp::Writer;
use fanfare_testkit::{escape, seed};

use self::command::Command;
use self::waiting::{Served, Waiter};
use super::wire::Wire;
use crate::contents::args;
use crate::diary::Diary;
use crate::draw::Draw;
use crate::replay::Replica;
use crate::world::{N_CLIENTS, World};

const N_WALKS: u64 = 8;
const N_STEPS: usize = 1500;

/// Clients that may wait.
const N_WAITERS: usize = 5;

pub(super) type Id = (u64, u64);
type Name = &'static str;

/// What becomes of an entry that groups have to do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refs {
    Keep,
    Delete,
    Acked,
}

struct Model {
    version: Version,
    now_ms: u64,
    /// Entries that go into a block.
    block_len_max: usize,
    streams: BTreeMap<Name, Stream>,
    /// Whether nearly everybody waits.
    is_crowded: bool,
    /// In the order in which they came.
    waiting: Vec<Waiter>,
    /// The key to which the present command did what others may wait for.
    ready: Option<Name>,
}

#[derive(Default)]
struct Stream {
    entries: BTreeMap<Id, Vec<(Name, Name)>>,
    /// What was added to each block, whether it is there or not.
    blocks: Vec<Vec<Id>>,
    last: Id,
    max_deleted: Id,
    n_added: u64,
    groups: BTreeMap<Name, Group>,
    /// What was set; else 100 each.
    duration_s: Option<u64>,
    n_iids_max: Option<usize>,
    /// By producer, the first to be forgotten first.
    iids: BTreeMap<Name, Vec<(String, Id)>>,
}

#[derive(Default)]
struct Group {
    last: Id,
    n_read: Option<u64>,
    pending: BTreeMap<Id, Pending>,
    /// When they were seen and active.
    consumers: BTreeMap<Name, (u64, Option<u64>)>,
    n_turns: u64,
    delivered: BTreeSet<Id>,
    acked: BTreeSet<Id>,
    /// Without its being acknowledged.
    dropped: BTreeSet<Id>,
    /// It was told to deliver again what it had delivered.
    was_set_back: bool,
    /// What was made pending before it was delivered.
    forced: BTreeSet<Id>,
}

#[derive(Clone, Copy)]
struct Pending {
    owner: Option<Name>,
    ms: u64,
    n: u64,
    turn: u64,
}

fn id_text((ms, seq): Id) -> String {
    format!("{ms}-{seq}")
}

fn bulk(text: impl AsRef<str>) -> Wire {
    Wire::Bulk(Some(text.as_ref().as_bytes().to_vec()))
}

fn id_wire(id: Id) -> Wire {
    bulk(id_text(id))
}

fn int(n: u64) -> Wire {
    Wire::Int(i64::try_from(n).expect("it is shown as a signed number"))
}

impl Group {
    fn set_pending(&mut self, id: Id, owner: Option<Name>, ms: u64, n: u64) {
        self.n_turns += 1;
        self.pending.insert(id, Pending { owner, ms, n, turn: self.n_turns });
        self.delivered.insert(id);
        self.acked.remove(&id);
        self.dropped.remove(&id);
    }

    fn ack(&mut self, id: Id) -> bool {
        let was_pending = self.pending.remove(&id).is_some();
        if was_pending {
            self.acked.insert(id);
        }
        was_pending
    }

    fn drop_pending(&mut self, id: Id) {
        if self.pending.remove(&id).is_some() {
            self.dropped.insert(id);
        }
    }

    /// What is pending, in the order of deliveries.
    fn by_time(&self) -> Vec<(Id, Pending)> {
        let mut all: Vec<_> = self.pending.iter().map(|(id, it)| (*id, *it)).collect();
        all.sort_by_key(|it| (it.1.ms, it.1.turn));
        all
    }

    fn check(&self) {
        for id in &self.delivered {
            let places = [&self.acked, &self.dropped].iter().filter(|it| it.contains(id)).count();
            let n = places + usize::from(self.pending.contains_key(id));
            assert_eq!(n, 1, "{id:?} is in {n} places");
        }
        assert!(
            self.pending
                .values()
                .all(|it| it.owner.is_none_or(|it| self.consumers.contains_key(it)))
        );
    }
}

impl Stream {
    fn first(&self) -> Id {
        self.entries.first_key_value().map_or((0, 0), |it| *it.0)
    }

    /// Whether a group was not given it, or did not acknowledge it.
    fn is_wanted(&self, id: Id) -> bool {
        self.groups.values().any(|it| it.last < id || it.pending.contains_key(&id))
    }

    fn forget(&mut self, id: Id) {
        self.groups.values_mut().for_each(|it| it.drop_pending(id));
    }

    fn n_ahead(&self, group: &Group) -> u64 {
        self.entries.keys().filter(|it| group.last < **it).count() as u64
    }

    /// The place of an ID among all that were ever added, if it can be told.
    fn place(&self, id: Id) -> Option<u64> {
        let (n_added, n) = (self.n_added, self.entries.len() as u64);
        if n_added == 0 || n == 0 && id <= self.last {
            return Some(n_added);
        }
        if id != (0, 0) && id < self.max_deleted || self.last < id {
            return None;
        }
        if id == self.last {
            return Some(n_added);
        }
        if self.max_deleted != (0, 0) && self.first() <= self.max_deleted || self.first() < id {
            return None;
        }
        Some(n_added - n + u64::from(id == self.first()))
    }

    fn has_tombstones(&self, from: Id) -> bool {
        !self.entries.is_empty() && self.max_deleted != (0, 0) && from <= self.max_deleted
    }

    fn lag(&self, group: &Group) -> Option<u64> {
        let n = self.entries.len() as u64;
        if self.n_added == 0 || n == 0 {
            return Some(0);
        }
        if group.last < self.first() && self.max_deleted < self.first() {
            return Some(n);
        }
        let known = group.n_read.filter(|_| !self.has_tombstones(group.last));
        known.or_else(|| self.place(group.last)).map(|it| self.n_added - it)
    }
}

#[test]
fn streams_answer_as_the_model_and_lose_nothing() {
    let seed = seed();
    let n_walks = if std::env::var_os("FANFARE_FULL").is_some() { 200 } else { N_WALKS };
    for nth in 0..n_walks {
        let version = if nth % 2 == 0 { Version::Resp2 } else { Version::Resp3 };
        Walk::new(seed.wrapping_add(nth), version).run();
    }
}

struct Walk {
    draw: Draw,
    world: World,
    model: Model,
    replica: Replica,
    diary: Diary,
}

impl Walk {
    fn new(seed: u64, version: Version) -> Self {
        let mut draw = Draw::new(seed, true);
        let world = World::with_clients(version, N_CLIENTS + N_WAITERS);
        let replica = Replica::new();
        let block_len_max = [1, 2, 3, 100][draw.below(4)];
        for tuning in [world.keyspace.tuning(), replica.tuning()] {
            tuning.set_stream_entries_max(block_len_max);
        }
        let model = Model {
            version,
            now_ms: 0,
            block_len_max: usize::try_from(block_len_max).expect("small"),
            streams: BTreeMap::new(),
            is_crowded: draw.once_in(2),
            waiting: Vec::new(),
            ready: None,
        };
        Self { draw, world, model, replica, diary: Diary::default() }
    }

    fn run(mut self) {
        for _ in 0..N_STEPS {
            self.world.now_ms += [0, 0, 0, 1, 9, 60, 900][self.draw.below(7)];
            self.model.now_ms = self.world.now_ms;
            self.diary.note((0, 0), &[format!("(at {})", self.world.now_ms)]);
            let served = self.model.end_late_waits();
            self.world.end_late_waits();
            self.compare_served(served, &["(time)".to_owned()]);
            self.step();
            let effects = std::mem::take(&mut self.world.host.effects);
            self.replica.apply(effects, self.world.now_ms, &mut self.diary);
            if self.draw.once_in(30) {
                compare(&mut self.world, &self.model, &self.diary);
                self.replica.compare(&mut self.world, &mut self.diary);
            }
        }
    }

    fn step(&mut self) {
        let mut command = Command::draw(&mut self.draw, &self.model);
        let mut client_idx = 0;
        if command.block_ms().is_some() {
            let clients = self.world.clients.iter().enumerate().skip(N_CLIENTS);
            let idle: Vec<_> = clients.filter(|it| !self.model.is_waiting(it.1.id)).collect();
            if idle.is_empty() {
                command = command.without_wait();
            } else {
                client_idx = idle[self.draw.below(idle.len())].0;
            }
        }
        let words = command.words();
        self.diary.note((client_idx, 0), &words);
        let (expected, served) = self.model.call(self.world.clients[client_idx].id, command);
        let line: Vec<Vec<u8>> = words.iter().map(|it| it.as_bytes().to_vec()).collect();
        let got = self.world.call(client_idx, &line);
        self.assert_same(&words, &got, &expected.encoded(self.model.version));
        self.compare_served(served, &words);
    }

    /// Whether the same clients were served the same, in the same order.
    fn compare_served(&mut self, expected: Served, words: &[String]) {
        let version = self.model.version;
        let told = |id: u64, wire: &[u8]| [format!("client {id} ").as_bytes(), wire].concat();
        let encoded = |reply: Reply| {
            let mut wire = Vec::new();
            reply.write(&mut Writer::new(&mut wire, version));
            wire
        };
        let got = self.world.host.served.drain(..).map(|(id, it)| told(id, &encoded(it)));
        let got: Vec<u8> = got.collect::<Vec<_>>().concat();
        let expected = expected.iter().map(|(id, it)| told(*id, &it.encoded(version)));
        self.assert_same(words, &got, &expected.collect::<Vec<_>>().concat());
    }

    fn assert_same(&self, words: &[String], got: &[u8], expected: &[u8]) {
        assert!(
            got == expected,
            "{} at {}\ngot      {}\nexpected {}\nafter\n{}",
            words.join(" "),
            self.world.now_ms,
            escape(got),
            escape(expected),
            self.diary.tail(words)
        );
    }
}

/// Whether all that is pending is the same, and all that was delivered is somewhere.
fn compare(world: &mut World, model: &Model, diary: &Diary) {
    for (key, stream) in &model.streams {
        for (name, group) in &stream.groups {
            group.check();
            if let Some(lag) = stream.lag(group) {
                assert_eq!(
                    lag,
                    stream.n_ahead(group),
                    "{key} {name}\n{}",
                    diary.tail(&[String::new(), (*key).into()])
                );
            }
            let rows = group.pending.iter().map(|(id, it)| groups::row(model.now_ms, *id, it));
            let expected = Wire::Array(rows.collect()).encoded(model.version);
            let got = world.call(1, &args(&["XPENDING", key, name, "-", "+", "100000"]));
            assert_eq!(escape(&got), escape(&expected), "{key} {name}");
        }
    }
}
