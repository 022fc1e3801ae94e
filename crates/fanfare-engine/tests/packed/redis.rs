//! What redis-server dumps is read, and what is written here it restores.

use std::collections::{BTreeMap, BTreeSet};

use fanfare_engine::packed::{Chunk, Element, Fill, IntSet, Listpack};
use fanfare_engine::rdb::payload::{self, kind};
use fanfare_engine::rdb::{Compressor, Reader, Text, write_len, write_string};
use fanfare_testkit::{RawClient, RedisServer, Rng, escape, seed};

use crate::sample::{below, bytes_of, element, elements, listpack, number, string};

/// A connection to a redis-server that believes no payload.
pub(crate) struct Redis {
    _server: RedisServer,
    client: RawClient,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::with(&[
            "--set-max-intset-entries",
            "100000",
            "--hash-max-listpack-value",
            "100000",
            "--zset-max-listpack-value",
            "100000",
        ])
    }

    pub(crate) fn with(args: &[&str]) -> Self {
        let server = RedisServer::start(&[&["--sanitize-dump-payload", "yes"], args].concat());
        let client = RawClient::connect(server.addr()).expect("redis-server listens");
        Self { _server: server, client }
    }

    pub(crate) fn call(&mut self, args: &[&[u8]]) -> Vec<u8> {
        self.client.call(args)
    }

    /// Calls a command that answers `+OK` or a number.
    pub(crate) fn run(&mut self, args: &[&[u8]]) {
        let answer = self.call(args);
        assert!(matches!(answer[0], b'+' | b':'), "{}", escape(&answer));
    }

    /// Calls a command that answers a string or an array of strings.
    pub(crate) fn strings(&mut self, args: &[&[u8]]) -> Vec<Vec<u8>> {
        let answer = self.call(args);
        let mut rest = &answer[..];
        if rest[0] == b'*' {
            line(&mut rest);
        }
        let mut strings = Vec::new();
        while !rest.is_empty() {
            assert_eq!(rest[0], b'$', "{}", escape(&answer));
            let len: usize = line(&mut rest)[1..].parse().expect("a length");
            strings.push(rest[..len].to_vec());
            rest = &rest[len + 2..];
        }
        strings
    }

    /// The type and the value that DUMP answers.
    pub(crate) fn dump(&mut self, key: &[u8]) -> Vec<u8> {
        let payload = self.strings(&[b"DUMP", key]).remove(0);
        let opened = payload::open(&payload).expect("Redis's own payload").to_vec();
        assert_eq!(payload::seal(opened.clone()), payload);
        opened
    }

    pub(crate) fn restore(&mut self, key: &[u8], value: Vec<u8>) {
        let answer = self.call(&[b"RESTORE", key, b"0", &payload::seal(value), b"REPLACE"]);
        assert_eq!(escape(&answer), escape(b"+OK\r\n"));
    }

    pub(crate) fn encoding(&mut self, key: &[u8]) -> String {
        String::from_utf8(self.strings(&[b"OBJECT", b"ENCODING", key]).remove(0)).expect("a word")
    }
}

fn line(rest: &mut &[u8]) -> String {
    let end = rest.windows(2).position(|it| it == b"\r\n").expect("a line");
    let line = String::from_utf8(rest[..end].to_vec()).expect("text");
    *rest = &rest[end + 2..];
    line
}

fn read_string(reader: &mut Reader<'_>) -> Vec<u8> {
    reader.string().map(Text::into_bytes).expect("a string").into_owned()
}

/// The only string of a value of this type.
fn blob(value: &[u8], expected_kind: u8) -> Vec<u8> {
    let mut reader = Reader::new(value);
    assert_eq!(reader.byte(), Ok(expected_kind));
    let blob = read_string(&mut reader);
    assert!(reader.rest().is_empty());
    blob
}

fn value_of(kind: u8, blob: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut value = vec![kind];
    let mut compressor = Compressor::new();
    let compressor = if rng.below(2) == 0 { Some(&mut compressor) } else { None };
    write_string(&mut value, blob, compressor);
    value
}

fn push(list: &mut Vec<Chunk>, element: &[u8]) {
    let element = Element::Bytes(element);
    match list.last_mut().filter(|it| it.fits(element.spelled_len(), Fill::default())) {
        Some(chunk) => chunk.insert(usize::MAX, element).expect("it fits"),
        None => list.push(Chunk::new(element, Fill::default()).expect("small")),
    }
}

/// An element of a list, sometimes too large to share a chunk.
fn list_element(rng: &mut Rng) -> Vec<u8> {
    if rng.below(40) == 0 { string(rng, 20_000) } else { element(rng) }
}

#[test]
fn lists_have_redis_s_nodes() {
    let mut rng = Rng::new(seed());
    let mut redis = Redis::start();
    for _ in 0..60 {
        let elements: Vec<_> = (0..=below(&mut rng, 60)).map(|_| list_element(&mut rng)).collect();
        let mut list = Vec::new();
        redis.run(&[b"DEL", b"list"]);
        for element in &elements {
            redis.run(&[b"RPUSH", b"list", element]);
            push(&mut list, element);
        }
        let value = redis.dump(b"list");
        let mut reader = Reader::new(&value);
        assert_eq!(reader.byte(), Ok(kind::LIST_QUICKLIST_2));
        assert_eq!(reader.count(2), Ok(list.len()));
        for chunk in &list {
            assert_eq!(reader.length(), Ok(kind::NODE_PACKED));
            let node = read_string(&mut reader);
            let read = Listpack::from_bytes(&node).expect("Redis's own listpack");
            match chunk {
                Chunk::Packed(packed) => assert_eq!(read.as_bytes(), packed.as_bytes()),
                // Redis 7.0 has plain nodes only from a gigabyte on, later ones from 8 KiB on.
                Chunk::Plain(bytes) => assert_eq!(bytes_of(&read), [bytes.to_vec()]),
            }
        }
        assert!(reader.rest().is_empty());

        let mut value = vec![kind::LIST_QUICKLIST_2];
        write_len(&mut value, list.len() as u64);
        for chunk in &list {
            let (container, bytes) = match chunk {
                Chunk::Packed(packed) => (kind::NODE_PACKED, packed.as_bytes()),
                Chunk::Plain(bytes) => (kind::NODE_PLAIN, &bytes[..]),
            };
            write_len(&mut value, container);
            value.extend(&value_of(0, bytes, &mut rng)[1..]);
        }
        redis.restore(b"restored", value);
        assert_eq!(redis.strings(&[b"LRANGE", b"restored", b"0", b"-1"]), elements);
    }
}

#[test]
fn hashes_are_redis_s() {
    let mut rng = Rng::new(seed());
    let mut redis = Redis::start();
    for _ in 0..150 {
        let mut packed = Listpack::new();
        redis.run(&[b"DEL", b"hash"]);
        for field in elements(&mut rng, 30).into_iter().chain([b"f".to_vec()]) {
            let value = element(&mut rng);
            redis.run(&[b"HSET", b"hash", &field, &value]);
            match packed.find(&field, packed.start(), 1).and_then(|it| packed.next(it)) {
                Some(old) => packed.replace(old, Element::Bytes(&value)).expect("small"),
                None => {
                    packed.push_back(Element::Bytes(&field)).expect("small");
                    packed.push_back(Element::Bytes(&value)).expect("small");
                }
            }
            if rng.below(4) == 0 {
                redis.run(&[b"HDEL", b"hash", b"f", &field]);
                for gone in [&b"f"[..], &field] {
                    if let Some(position) = packed.find(gone, packed.start(), 1) {
                        packed.remove(position, 2);
                    }
                }
            }
        }
        if packed.is_empty() {
            continue;
        }
        let dumped = blob(&redis.dump(b"hash"), kind::HASH_LISTPACK);
        assert_eq!(dumped, packed.as_bytes());
        assert_eq!(Listpack::from_bytes(&dumped).as_ref(), Ok(&packed));
        redis.restore(b"restored", value_of(kind::HASH_LISTPACK, packed.as_bytes(), &mut rng));
        assert_eq!(redis.encoding(b"restored"), "listpack");
        assert_eq!(redis.strings(&[b"HGETALL", b"restored"]), bytes_of(&packed));
    }
}

#[test]
fn sorted_sets_are_redis_s() {
    let mut rng = Rng::new(seed());
    let mut redis = Redis::start();
    for _ in 0..100 {
        redis.run(&[b"DEL", b"zset"]);
        let mut scores: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
        for member in elements(&mut rng, 30).into_iter().chain([b"m".to_vec()]) {
            let score = number(&mut rng) >> 20;
            redis.run(&[b"ZADD", b"zset", score.to_string().as_bytes(), &member]);
            scores.insert(member, score);
        }
        let mut ranked: Vec<_> = scores.into_iter().collect();
        ranked.sort_by(|left, right| (left.1, &left.0).cmp(&(right.1, &right.0)));
        let flat =
            ranked.into_iter().flat_map(|(member, it)| [member, it.to_string().into_bytes()]);
        let flat: Vec<Vec<u8>> = flat.collect();
        let packed = listpack(&flat);
        let dumped = blob(&redis.dump(b"zset"), kind::ZSET_LISTPACK);
        assert_eq!(dumped, packed.as_bytes());
        redis.restore(b"restored", value_of(kind::ZSET_LISTPACK, packed.as_bytes(), &mut rng));
        assert_eq!(redis.encoding(b"restored"), "listpack");
        let range: [&[u8]; 5] = [b"ZRANGE", b"restored", b"0", b"-1", b"WITHSCORES"];
        assert_eq!(redis.strings(&range), flat);
    }
}

#[test]
fn sets_of_integers_are_redis_s() {
    let mut rng = Rng::new(seed());
    let mut redis = Redis::start();
    for _ in 0..100 {
        let shift = rng.below(64);
        let mut set = IntSet::new();
        redis.run(&[b"DEL", b"set"]);
        for _ in 0..=below(&mut rng, 60) {
            let number = number(&mut rng) >> shift;
            redis.run(&[b"SADD", b"set", number.to_string().as_bytes()]);
            set.insert(number).expect("small");
            let gone = number.wrapping_sub(1);
            if rng.below(2) == 0 && 1 < set.len() {
                redis.run(&[b"SREM", b"set", gone.to_string().as_bytes()]);
                set.remove(gone);
            }
        }
        let dumped = blob(&redis.dump(b"set"), kind::SET_INTSET);
        assert_eq!(dumped, set.to_bytes());
        assert_eq!(IntSet::from_bytes(&dumped).as_ref(), Ok(&set));
        redis.restore(b"restored", value_of(kind::SET_INTSET, &set.to_bytes(), &mut rng));
        assert_eq!(redis.encoding(b"restored"), "intset");
        let members = redis.strings(&[b"SMEMBERS", b"restored"]);
        let expected: Vec<_> = set.iter().map(|it| it.to_string().into_bytes()).collect();
        assert_eq!(members, expected);
    }
}

#[test]
fn strings_are_redis_s() {
    let mut rng = Rng::new(seed());
    let mut redis = Redis::start();
    let mut compressor = Compressor::new();
    let mut n_other = 0;
    for round in 0..600 {
        let text = match round % 3 {
            0 => element(&mut rng),
            1 => string(&mut rng, 20_000),
            _ => string(&mut rng, 100),
        };
        let mut written = vec![kind::STRING];
        write_string(&mut written, &text, Some(&mut compressor));
        redis.run(&[b"SET", b"text", &text]);
        let value = redis.dump(b"text");
        assert_eq!(blob(&value, kind::STRING), text);
        n_other += usize::from(value != written);
        redis.restore(b"restored", written);
        assert_eq!(redis.strings(&[b"GET", b"restored"]), [text]);
    }
    // What Redis's table keeps from the string before now and then lets it find more.
    assert!(n_other < 60, "{n_other} of 600 have another form");
}

#[test]
fn a_plain_set_of_strings_is_read() {
    let mut rng = Rng::new(seed());
    let mut redis = Redis::start();
    let members: BTreeSet<Vec<u8>> = elements(&mut rng, 200).into_iter().collect();
    redis.run(&[b"SADD", b"set", b"no integer"]);
    members.iter().for_each(|it| redis.run(&[b"SADD", b"set", it]));
    let value = redis.dump(b"set");
    let mut reader = Reader::new(&value);
    assert_eq!(reader.byte(), Ok(kind::SET));
    let n = reader.count(1).expect("a count");
    let mut read: BTreeSet<_> = (0..n).map(|_| read_string(&mut reader)).collect();
    assert!(read.remove(&b"no integer"[..]) && reader.rest().is_empty());
    assert_eq!(read, members);
}
