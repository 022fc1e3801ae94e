//! What clients are told of commands whose keys are in places of every kind, against redis-server.

mod specs;

use fanfare_resp::{Span, Version, Writer};
use fanfare_testkit::{RedisServer, Rng, escape, seed};

use self::specs::SPECS;
use super::info::info_of;
use super::keys::keys_and_flags;
use crate::commands::COMMANDS;
use crate::{Reply, Request, Spec};

#[test]
fn info_is_that_of_redis() {
    let redis = RedisServer::start(&[]);
    let mut client = redis.client();
    // The subcommands of a container are asked for one by one: redis-server lists them in the order of its table.
    let mut others = Vec::new();
    for spec in known().filter(|it| it.subcommands.is_empty()).chain(SPECS) {
        let theirs = client.call(&["COMMAND", "INFO", spec.name]);
        let ours = wire(&Reply::Array(vec![info_of(spec)]));
        if ours != theirs {
            others.push(spec.name);
        }
    }
    assert_eq!(others, LONGER_SINCE_7_2);
}

/// Commands and subcommands that redis-server knows too.
fn known() -> impl Iterator<Item = &'static Spec> {
    let all = COMMANDS.iter().copied().flat_map(|it| [&[it], it.subcommands].concat());
    all.filter(|it| it.docs.since <= REDIS_VERSION && !OWN.contains(&it.name))
}

/// Commands that no Redis has.
const OWN: &[&str] = &["xsubscribe", "xunsubscribe"];

/// Words that requests are made of: names, numbers good and bad, what key specifications search for.
const WORDS: &[&str] = &[
    "a",
    "b",
    "k",
    "",
    "-1",
    "0",
    "1",
    "1",
    "2",
    "2",
    "3",
    "9",
    "x",
    "9223372036854775807",
    "99999999999999999999",
    "streams",
    "STREAMS",
    "store",
    "STOREDIST",
    "by",
    "GET",
    "set",
    "overflow",
    "limit",
];

/// What answers; it does not know commands of later versions.
const REDIS_VERSION: &str = "7.0.15";
/// Commands to which Redis 7.2 gave another argument: for 7.0 that is one too many.
const LONGER_SINCE_7_2: &[&str] = &["zrank", "zrevrank"];
/// Commands whose arguments Fanfare reads where Redis guesses.
const FOUND_ANYWAY: &[&str] = &["xread", "xreadgroup"];

#[test]
fn keys_are_those_that_redis_finds() {
    let redis = RedisServer::start(&[]);
    let mut client = redis.client();
    let mut rng = Rng::new(seed());
    let mut n_with_keys = 0;
    for spec in known().filter(|it| it.has_keys()).chain(SPECS) {
        for _ in 0..400 {
            let mut words: Vec<&str> = spec.name.split('|').collect();
            for _ in 0..rng.below(9) {
                let index = usize::try_from(rng.below(WORDS.len() as u64)).unwrap();
                words.push(WORDS[index]);
            }
            let question: Vec<&str> =
                ["COMMAND", "GETKEYSANDFLAGS"].into_iter().chain(words.iter().copied()).collect();
            // COMMAND GETKEYS itself wants more.
            if question.len() < 4 {
                continue;
            }
            let theirs = client.call(&question);
            let ours = keys_told(spec, &words);
            if LONGER_SINCE_7_2.contains(&spec.name)
                && theirs.starts_with(b"-ERR Invalid number of arguments")
            {
                continue;
            }
            // Keys without flags are Redis's guess by older rules, for a request that is out of order.
            if escape(&theirs).contains("\\r\\n*0\\r\\n") {
                let is_refused = ours.starts_with(b"-ERR Invalid arguments");
                assert!(is_refused || FOUND_ANYWAY.contains(&spec.name), "{words:?}");
                continue;
            }
            n_with_keys += usize::from(ours.starts_with(b"*") && ours != b"*0\r\n");
            assert_eq!(escape(&ours), escape(&theirs), "{words:?}");
        }
    }
    assert!(500 < n_with_keys, "only {n_with_keys} requests had keys");
}

fn keys_told(spec: &Spec, words: &[&str]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut spans = Vec::new();
    for word in words {
        let start = data.len();
        data.extend_from_slice(word.as_bytes());
        spans.push(Span { start, end: data.len() });
    }
    let reply = keys_and_flags(spec, Request::new(&data, &spans));
    wire(&reply.unwrap_or_else(Reply::Error))
}

fn wire(reply: &Reply) -> Vec<u8> {
    let mut bytes = Vec::new();
    reply.write(&mut Writer::new(&mut bytes, Version::default()));
    bytes
}
