//! Random commands on strings, bitmaps and sets: the engine answers what redis-server answers.

use fanfare_engine::Version;
use fanfare_testkit::{RawClient, RedisServer, Rng, escape, seed, split_frames};

use crate::world::World;

const N_COMMANDS: usize = 4000;

#[test]
fn strings_and_bitmaps_answer_as_redis() {
    compare(|rng| text_command(rng).join(" "));
}

#[test]
fn sets_answer_as_redis() {
    compare(|rng| set_command(rng).join(" "));
}

fn compare(command: impl Fn(&mut Rng) -> String) {
    let mut rng = Rng::new(seed());
    let redis = RedisServer::start(&[]);
    for (version, number) in [(Version::Resp2, "2"), (Version::Resp3, "3")] {
        let mut client = RawClient::connect(redis.addr()).expect("it listens");
        client.call(&["HELLO", number]);
        client.call(&["FLUSHALL"]);
        let mut world = World::new(version);
        for _ in 0..N_COMMANDS {
            let line = command(&mut rng);
            let args: Vec<Vec<u8>> = line.split(' ').map(bytes).collect();
            let expected = client.call(&args);
            let got = world.call(0, &args);
            let is_set = ["SMEMBERS", "SINTER", "SUNION", "SDIFF", "SPOP", "SRANDMEMBER"]
                .contains(&line.split(' ').next().expect("a name"));
            let (expected, got) =
                if is_set { (in_order(&expected), in_order(&got)) } else { (expected, got) };
            assert_eq!(escape(&got), escape(&expected), "{line} ({version:?})");
        }
    }
}

/// The members of a set come in any order.
fn in_order(reply: &[u8]) -> Vec<u8> {
    let head_len = reply.iter().position(|it| *it == b'\n').map_or(0, |it| it + 1);
    let (head, rest) = reply.split_at(head_len);
    let (mut members, _) = split_frames(rest);
    members.sort_unstable();
    [head, &members.concat()].concat()
}

/// `_` is the empty string; `~` and `^` are bytes that text has not.
fn bytes(word: &str) -> Vec<u8> {
    let byte = |it: u8| match it {
        b'~' => 0xFF,
        b'^' => 0,
        _ => it,
    };
    if word == "_" { Vec::new() } else { word.bytes().map(byte).collect() }
}

fn one_of(rng: &mut Rng, words: &[&str]) -> String {
    words[usize::try_from(rng.below(words.len() as u64)).expect("it is below")].into()
}

fn key(rng: &mut Rng) -> String {
    one_of(rng, &["a", "b", "c", "d"])
}

fn several(rng: &mut Rng, word: fn(&mut Rng) -> String) -> Vec<String> {
    (0..1 + rng.below(4)).map(|_| word(rng)).collect()
}

fn value(rng: &mut Rng) -> String {
    match rng.below(4) {
        0 => one_of(rng, &["_", "0", "-1", "12345", "9223372036854775807", "x"]),
        1 => one_of(rng, &["~", "^"]).repeat(1 + usize::try_from(rng.below(40)).expect("few")),
        _ => (0..1 + rng.below(30)).map(|_| one_of(rng, &["a", "b", "~", "^", "U"])).collect(),
    }
}

fn bound(rng: &mut Rng) -> String {
    match rng.below(3) {
        0 => one_of(rng, &["0", "-1", "9223372036854775807", "-9223372036854775808", "x", "1"]),
        1 => (i128::from(rng.below(600)) - 300).to_string(),
        _ => (i128::from(rng.below(40)) - 20).to_string(),
    }
}

fn unit(rng: &mut Rng) -> String {
    one_of(rng, &["BIT", "bit", "BYTE", "FOO"])
}

fn offset(rng: &mut Rng) -> String {
    (i128::from(rng.below(300)) - 1).to_string()
}

fn text_command(rng: &mut Rng) -> Vec<String> {
    let bit = one_of(rng, &["0", "1", "1", "0", "2"]);
    let name = one_of(
        rng,
        &[
            "SET", "GET", "APPEND", "SETRANGE", "GETRANGE", "STRLEN", "SETBIT", "SETBIT", "GETBIT",
            "BITCOUNT", "BITPOS", "BITPOS", "BITOP", "LCS", "MSET", "MGET", "INCR", "GETSET",
            "GETDEL", "MSETNX", "SETNX", "SADD",
        ],
    );
    let mut args = vec![name.clone(), key(rng)];
    match &*name {
        "SET" | "APPEND" | "GETSET" | "SETNX" => args.push(value(rng)),
        "SETRANGE" => args.extend([offset(rng), value(rng)]),
        "GETRANGE" => args.extend([bound(rng), bound(rng)]),
        "SETBIT" => args.extend([offset(rng), bit]),
        "GETBIT" => args.push(offset(rng)),
        "BITCOUNT" => args.extend([bound(rng), bound(rng), unit(rng)]),
        "BITPOS" => args.extend([bit, bound(rng), bound(rng), unit(rng)]),
        "BITOP" => {
            args.insert(1, one_of(rng, &["AND", "OR", "XOR", "NOT"]));
            args.extend(several(rng, key));
        }
        "LCS" => args.extend([key(rng), one_of(rng, &["LEN", "IDX", "WITHMATCHLEN"])]),
        "MSET" | "MSETNX" => args.extend([value(rng), key(rng), value(rng)]),
        "MGET" => args.extend(several(rng, key)),
        "SADD" => args.push("1".into()),
        _ => {}
    }
    // Options are left out as often as not.
    let n_needed = match &*name {
        "BITCOUNT" => 2,
        "BITPOS" => 3,
        "LCS" => 3,
        _ => args.len(),
    };
    let n_left = (args.len() - n_needed) as u64 + 1;
    args.truncate(n_needed + usize::try_from(rng.below(n_left)).expect("few"));
    args
}

fn member(rng: &mut Rng) -> String {
    match rng.below(12) {
        0 => one_of(rng, &["x", "y", "01", "_", "9223372036854775808"]),
        1 => (rng.next_u64() >> rng.below(64)).to_string(),
        _ => (i128::from(rng.below(40)) - 5).to_string(),
    }
}

fn set_command(rng: &mut Rng) -> Vec<String> {
    let name = one_of(
        rng,
        &[
            "SADD",
            "SADD",
            "SADD",
            "SREM",
            "SREM",
            "SISMEMBER",
            "SMISMEMBER",
            "SMEMBERS",
            "SCARD",
            "SMOVE",
            "SINTER",
            "SUNION",
            "SDIFF",
            "SINTERSTORE",
            "SUNIONSTORE",
            "SDIFFSTORE",
            "SINTERCARD",
            "SPOP",
            "SRANDMEMBER",
            "TYPE",
            "DEL",
            "SET",
        ],
    );
    let mut args = vec![name.clone(), key(rng)];
    match &*name {
        "SADD" | "SREM" | "SMISMEMBER" => args.extend(several(rng, member)),
        "SISMEMBER" => args.push(member(rng)),
        "SMOVE" => args.extend([key(rng), member(rng)]),
        "SINTER" | "SUNION" | "SDIFF" | "SINTERSTORE" | "SUNIONSTORE" | "SDIFFSTORE" => {
            args.extend(several(rng, key));
        }
        "SINTERCARD" => {
            args.insert(1, one_of(rng, &["1", "2", "2", "3", "0"]));
            args.extend([key(rng), "LIMIT".into(), one_of(rng, &["0", "1", "2", "-1"])]);
        }
        // All members: which are chosen otherwise is left to chance.
        "SPOP" | "SRANDMEMBER" => args.push("1000000".into()),
        "SET" => args = vec!["SET".into(), "d".into(), "v".into()],
        _ => {}
    }
    args
}
