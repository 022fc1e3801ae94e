//! Many keys of all types.

use fanfare_engine::keyspace::{Entry, Policy};
use fanfare_engine::value::Value;
use fanfare_engine::value::stream::StreamId;
use fanfare_testkit::{Rng, seed};

use crate::server::{START_MS, Server, Session};
use crate::steps::{N_STEPS, Seen, number_of, while_writing};
use crate::{alone, n_items};

/// In which database key `number` is.
fn db_of(number: u64) -> u16 {
    u16::from(number.is_multiple_of(5))
}

/// When it expires: some never, some while the snapshot is read, some later.
fn expires_at_ms(number: u64) -> Option<u64> {
    match number % 7 {
        0 => Some(START_MS + 1_000 + number % 1_000),
        1 => Some(START_MS + 1_000_000 + number),
        _ => None,
    }
}

/// The commands that make it. Some values were others before.
fn make(session: &mut Session<'_>, number: u64) {
    if number.is_multiple_of(11) {
        session.line(&format!("set key:{number} something-else-that-is-long"));
    }
    if number.is_multiple_of(13) {
        session.line(&format!("del key:{number}"));
    }
    match number % 9 {
        0 => session.line(&format!("set key:{number} {number}")),
        1 => {
            session.line(&format!("set key:{number} before"));
            session.line(&format!("append key:{number} :after:{number}"))
        }
        2 => {
            session.line(&format!("del key:{number}"));
            session.line(&format!("hset key:{number} name a:{number} size {number}"))
        }
        3 => {
            session.line(&format!("del key:{number}"));
            session.line(&format!("rpush key:{number} first {number} last"))
        }
        4 => {
            session.line(&format!("del key:{number}"));
            session.line(&format!("sadd key:{number} {number}"))
        }
        5 => {
            session.line(&format!("del key:{number}"));
            session.line(&format!("zadd key:{number} {number} a:{number}"))
        }
        6 => {
            session.line(&format!("del key:{number}"));
            session.line(&format!("xadd key:{number} * name a:{number}"));
            session.line(&format!("xadd key:{number} * size {number}"))
        }
        _ => session.line(&format!("set key:{number} a-value-with-memory-of-its-own:{number}")),
    };
    if let Some(at_ms) = expires_at_ms(number) {
        session.line(&format!("pexpireat key:{number} {at_ms}"));
    }
}

/// What it holds, on one line.
fn expected(number: u64) -> String {
    match number % 9 {
        0 => format!("{number}"),
        1 => format!("before:after:{number}"),
        2 => format!("name=a:{number} size={number} "),
        3 => format!("first {number} last "),
        4 => format!("{number} "),
        5 => format!("a:{number}={number} "),
        6 => format!("name=a:{number} size={number} "),
        _ => format!("a-value-with-memory-of-its-own:{number}"),
    }
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// What it holds, on one line.
fn found(entry: &Entry) -> String {
    let mut digits = itoa::Buffer::new();
    match entry.value() {
        Value::Text(value) => text(value.bytes(&mut digits)),
        Value::List(list) => list.iter().map(|it| text(&it.to_bytes()) + " ").collect(),
        Value::Set(set) => set.iter().map(|it| text(&it.to_name()) + " ").collect(),
        Value::Hash(hash) => hash
            .iter()
            .map(|it| format!("{}={} ", text(&it.name.to_name()), text(&it.value.to_name())))
            .collect(),
        Value::SortedSet(set) => set
            .members(0..set.len())
            .map(|it| format!("{}={} ", text(&it.name), it.score))
            .collect(),
        Value::Stream(stream) => {
            let entries =
                stream.iter_from(StreamId::MIN).flat_map(|it| it.fields().collect::<Vec<_>>());
            entries
                .map(|it| format!("{}={} ", text(&it.0.to_bytes()), text(&it.1.to_bytes())))
                .collect()
        }
    }
}

/// Any write to any key, whatever it holds by now.
fn write(session: &mut Session<'_>, rng: &mut Rng, n_items: u64) {
    let number = rng.below(n_items);
    let key = format!("key:{number}");
    let db = rng.below(2).to_string();
    session.call(&[b"select", db.as_bytes()]);
    let key = key.as_bytes();
    // Some are of another type: an error is as good as any other reply.
    match rng.below(22) {
        0 => session.call(&[b"set", key, b"written"]),
        1 => session.call(&[b"append", key, b"written"]),
        2 => session.call(&[b"setrange", key, b"3", b"written"]),
        3 => session.call(&[b"incr", key]),
        4 => session.call(&[b"hset", key, b"name", b"written"]),
        5 => session.call(&[b"hdel", key, b"size"]),
        6 => session.call(&[b"lpush", key, b"written"]),
        7 => session.call(&[b"rpop", key]),
        8 => session.call(&[b"lset", key, b"1", b"written"]),
        9 => session.call(&[b"sadd", key, b"written", b"1"]),
        10 => session.call(&[b"spop", key]),
        11 => session.call(&[b"zadd", key, b"1", b"written"]),
        12 => session.call(&[b"zincrby", key, b"1", b"written"]),
        13 => session.call(&[b"del", key]),
        14 => session.call(&[b"unlink", key, b"key:1", b"key:2"]),
        15 => session.call(&[b"persist", key]),
        16 => session.call(&[b"pexpire", key, b"1"]),
        17 => session.call(&[b"rename", key, format!("key:{}", rng.below(n_items)).as_bytes()]),
        19 => session.call(&[b"xadd", key, b"maxlen", b"3", b"*", b"name", b"written"]),
        20 => session.call(&[b"xgroup", b"create", key, b"g", b"0"]),
        18 => session.call(&[b"getex", key, b"px", b"100000"]),
        _ => session.call(&[b"setbit", key, b"7", b"1"]),
    };
}

/// What else happens when so many steps were read.
fn happen(server: &Server, session: &mut Session<'_>, n_steps: u64) {
    let tuning = server.keyspace.tuning();
    match n_steps {
        4 => drop(session.line("swapdb 0 1")),
        6 => server.pass(1_500),
        7 => {
            let swept = server.keyspace.expire_due(server.now(), usize::MAX, |_, _, _| {});
            assert_ne!(swept.n_removed, 0);
        }
        9 => {
            tuning.set_policy(Policy::AllkeysRandom);
            tuning.set_memory_max(server.keyspace.n_bytes() as u64 * 99 / 100);
        }
        11 => {
            assert_ne!(server.keyspace.totals().n_evicted, 0);
            tuning.set_memory_max(0);
        }
        13 => drop(session.line("swapdb 0 3")),
        15 => drop(session.line("flushdb")),
        16 => drop(session.line("flushall")),
        _ => {}
    }
}

#[test]
fn keys_stay_what_they_were() {
    let _alone = alone();
    let (seed, n_items) = (seed(), n_items());
    let server = Server::new(seed);
    let mut session = server.session();
    for db in 0..2 {
        session.line(&format!("select {db}"));
        (0..n_items).filter(|it| db_of(*it) == db).for_each(|it| make(&mut session, it));
    }
    let snapshot = server.keyspace.snapshot().expect("no script runs");
    let write = |session: &mut Session<'_>, rng: &mut Rng| write(session, rng, n_items);
    let mut n_steps = 0;
    while_writing((&server, seed), n_items, write, |pace| {
        let mut seen = Seen::new(n_items);
        assert!(snapshot.databases().eq(0..2));
        for db in snapshot.databases() {
            for entry in snapshot.entries(db) {
                let number = number_of(entry.key(), "key:");
                assert_eq!(db, db_of(number), "key:{number}");
                assert_eq!(found(entry), expected(number), "key:{number}");
                assert_eq!(entry.expires_at_ms(), expires_at_ms(number), "key:{number}");
                seen.see(number);
                if let Some(n) = pace.read() {
                    n_steps = n;
                    happen(&server, &mut session, n);
                }
            }
        }
        assert_eq!(seen.n_seen(), n_items);
    });
    assert_eq!(n_steps, N_STEPS);
}
