//! A random walk: several clients, random commands and passing time, beside the naive model.

use fanfare_engine::Version;
use fanfare_testkit::{Rng, seed};

use crate::model::Model;
use crate::world::{N_CLIENTS, World, shown};

const N_WALKS: u64 = 60;
const N_STEPS: usize = 1500;

#[test]
fn engine_and_model_answer_alike() {
    let seed = seed();
    for walk in 0..N_WALKS {
        walk_once(&mut Rng::new(seed.wrapping_add(walk)), walk);
    }
}

fn walk_once(rng: &mut Rng, walk: u64) {
    let mut world = World::new(Version::Resp2);
    let mut model = Model::new(world.now_ms);
    let mut steps = Vec::new();
    let mut client_idx = 0;
    let mut may_count = [false; N_CLIENTS];
    for _ in 0..N_STEPS {
        let passed_ms = [0, 0, 0, 1, 7, 40][pick(rng, 6)];
        world.now_ms += passed_ms;
        model.pass(passed_ms);
        // Clients that go on for a while meet their own watches and transactions more often.
        if rng.below(4) == 0 {
            client_idx = pick(rng, N_CLIENTS);
        }
        let args = command(rng);
        // DBSIZE counts what is due and was not removed yet, and who watches a key is told that SWAPDB takes it away; the
        // model knows no such thing.
        let counts = match args[0].as_str() {
            "DBSIZE" | "SWAPDB" => {
                may_count[client_idx] = true;
                true
            }
            "EXEC" => std::mem::take(&mut may_count[client_idx]),
            _ => false,
        };
        if counts || rng.below(32) == 0 {
            world.expire_due();
        }
        let bytes: Vec<Vec<u8>> = args.iter().map(|it| it.clone().into_bytes()).collect();
        let received = shown(&world.call(client_idx, &bytes));
        let expected = model.call(client_idx, &args);
        steps.push(format!("+{passed_ms}ms {client_idx}> {}  < {received}", args.join(" ")));
        if received != expected {
            let last = steps.split_off(steps.len().saturating_sub(40)).join("\n");
            panic!("walk {walk}: the model answers {expected}\n{last}");
        }
    }
}

fn command(rng: &mut Rng) -> Vec<String> {
    let key = key(rng);
    match rng.below(44) {
        0..4 => vec!["GET".into(), key],
        4..10 => set(rng, key),
        10..12 => some_keys("DEL", rng),
        12 => some_keys("EXISTS", rng),
        13..15 => vec!["INCR".into(), key],
        15 => vec!["DECR".into(), key],
        16 => vec!["INCRBY".into(), key, ["5", "-7", "9223372036854775807"][pick(rng, 3)].into()],
        17..20 => expire(rng, key),
        20 => vec!["PERSIST".into(), key],
        21..23 => vec!["PTTL".into(), key],
        23 => vec!["TYPE".into(), key],
        24 => vec![["DBSIZE", "FLUSHDB", "DBSIZE", "FLUSHALL", "GET"][pick(rng, 5)].into()],
        25 => vec!["SELECT".into(), rng.below(3).to_string()],
        26..29 => vec!["MULTI".into()],
        29..32 => vec!["EXEC".into()],
        32..35 => some_keys("WATCH", rng),
        35..40 => second_name(rng, key),
        40 => vec!["MOVE".into(), key, rng.below(3).to_string()],
        41 => vec!["SWAPDB".into(), rng.below(3).to_string(), rng.below(3).to_string()],
        42 => some_keys("TOUCH", rng),
        _ => vec![["UNWATCH", "DISCARD"][pick(rng, 2)].into()],
    }
}

fn set(rng: &mut Rng, key: String) -> Vec<String> {
    let value = ["1", "-3", "9223372036854775806", "text", "007", "-0"][pick(rng, 6)];
    let mut words = vec!["SET".into(), key, value.into()];
    words.extend([None, None, Some("NX"), Some("XX")][pick(rng, 4)].map(String::from));
    words.extend([None, Some("GET")][pick(rng, 2)].map(String::from));
    match rng.below(4) {
        0 => words.extend(["PX".into(), (1 + rng.below(60)).to_string()]),
        1 => words.push("KEEPTTL".into()),
        _ => {}
    }
    words
}

fn second_name(rng: &mut Rng, first: String) -> Vec<String> {
    let name = ["RENAME", "RENAMENX", "COPY"][pick(rng, 3)];
    let mut words = vec![name.into(), first, key(rng)];
    if name == "COPY" {
        words.extend([None, Some("REPLACE")][pick(rng, 2)].map(String::from));
        if rng.below(2) == 0 {
            words.extend(["DB".into(), rng.below(3).to_string()]);
        }
    }
    words
}

fn expire(rng: &mut Rng, key: String) -> Vec<String> {
    let after_ms = [0, -1, 1, 20, 60][pick(rng, 5)];
    let mut words = vec!["PEXPIRE".into(), key, i64::to_string(&after_ms)];
    let conditions: [&[&str]; 6] = [&[], &["NX"], &["XX"], &["GT"], &["LT"], &["XX", "LT"]];
    words.extend(conditions[pick(rng, 6)].iter().map(|&it| it.into()));
    words
}

fn some_keys(name: &str, rng: &mut Rng) -> Vec<String> {
    let n_keys = 1 + rng.below(3);
    std::iter::once(name.into()).chain((0..n_keys).map(|_| key(rng))).collect()
}

fn key(rng: &mut Rng) -> String {
    ["a", "b", "c", "d", "e", "f", "g", "h"][pick(rng, 8)].into()
}

fn pick(rng: &mut Rng, n_choices: usize) -> usize {
    usize::try_from(rng.below(n_choices as u64)).expect("a choice fits")
}
