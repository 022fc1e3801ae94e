//! What redis-server 7.0 lacks, beside a naive model: fields that expire, `BITOP`'s newer operations, `WITHSCORE`.

mod hash;
mod other;
mod stream;
mod wire;

use std::collections::BTreeMap;

use fanfare_engine::Version;
use fanfare_testkit::{escape, seed};

use crate::catalog;
use crate::defined::Defined;
use crate::diary::Diary;
use crate::draw::Draw;
use crate::grammar;
use crate::replay::{Replica, expire_due};
use crate::words;
use crate::world::World;

const N_WALKS: u64 = 10;
const N_STEPS: usize = 2000;

#[test]
fn newer_commands_answer_as_the_model() {
    let seed = seed();
    for nth in 0..N_WALKS {
        let version = if nth % 2 == 0 { Version::Resp2 } else { Version::Resp3 };
        walk(seed.wrapping_add(nth), version);
    }
}

fn walk(seed: u64, version: Version) {
    let mut draw = Draw::new(seed, true);
    let mut world = World::new(version);
    let mut model = Model::default();
    let mut replica = Replica::new();
    let mut diary = Diary::default();
    for _ in 0..N_STEPS {
        world.now_ms += [0, 0, 0, 1, 9, 60, 900][draw.below(7)];
        model.pass(world.now_ms);
        let patterns = draw.pick(&[catalog::FIELDS, catalog::FIELDS, catalog::NEWER]);
        let words = grammar::whole_command(&mut draw, patterns);
        diary.note((0, 0), &words);
        let args: Vec<_> = words.iter().map(|it| words::bytes(it)).collect();
        let expected = model.call(&words[0].to_ascii_uppercase(), &args).encoded(version);
        let got = world.call(0, &args);
        let defined = Defined::of(&words);
        assert!(
            defined.part(&got) == defined.part(&expected),
            "{} at {}\ngot      {}\nexpected {}\nafter\n{}",
            words.join(" "),
            world.now_ms,
            escape(&got),
            escape(&expected),
            diary.tail(&words)
        );
        replica.apply(std::mem::take(&mut world.host.effects), world.now_ms, &mut diary);
        if draw.once_in(40) {
            expire_due(&mut world);
            replica.compare(&mut world, &mut diary);
        }
    }
}

/// Keys of three types, as maps.
#[derive(Default)]
struct Model {
    now_ms: u64,
    hashes: BTreeMap<Vec<u8>, hash::Fields>,
    texts: BTreeMap<Vec<u8>, Vec<u8>>,
    scores: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, i64>>,
}

impl Model {
    /// It is `now_ms`; what is due by then is gone.
    fn pass(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        for hash in self.hashes.values_mut() {
            hash.retain(|_, field| field.expires_at_ms.is_none_or(|it| now_ms < it));
        }
    }

    fn call(&mut self, name: &str, args: &[Vec<u8>]) -> wire::Wire {
        match name {
            "BITOP" | "SET" | "GET" => self.text(name, args),
            "ZADD" | "ZRANK" | "ZREVRANK" => self.rank(name, args),
            _ => self.hash(name, args),
        }
    }
}

/// The number that an argument is.
fn number<N: std::str::FromStr>(arg: &[u8]) -> N {
    let text = std::str::from_utf8(arg).expect("digits");
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}
