//! DUMP and RESTORE in the engine: what is published and recorded, and how long a key lives.

use fanfare_engine::Version;
use fanfare_engine::notify::Classes;
use fanfare_engine::rdb::payload;

use crate::world::{World, shown};

/// The payload that DUMP answers.
fn dump(world: &mut World, key: &str) -> Vec<u8> {
    let reply = world.call(0, &[b"DUMP".to_vec(), key.into()]);
    let start = reply.iter().position(|it| *it == b'\n').expect("a length") + 1;
    reply[start..reply.len() - 2].to_vec()
}

/// Calls RESTORE; returns what it answers and what is recorded.
fn restore(world: &mut World, key: &str, ttl: &str, payload: &[u8], options: &str) -> String {
    world.host.effects.clear();
    let mut args = vec![b"RESTORE".to_vec(), key.into(), ttl.into(), payload.to_vec()];
    args.extend(options.split_whitespace().map(Into::into));
    let answer = shown(&world.call(0, &args));
    let effects = world.host.effects.drain(..).map(|effect| {
        let words = effect.args.iter().map(|it| match &**it {
            it if it == payload => "PAYLOAD".into(),
            it => it.escape_ascii().to_string(),
        });
        words.collect::<Vec<_>>().join(" ")
    });
    [answer].into_iter().chain(effects).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_time_that_is_recorded_is_absolute() {
    let mut world = World::new(Version::Resp2);
    world.line("SET a value");
    let payload = dump(&mut world, "a");
    let now_ms = 1_700_000_000_000_u64;
    for (ttl, options, expected, then) in [
        ("0", "", "+OK, RESTORE b 0 PAYLOAD", ":-1"),
        ("0", "ABSTTL", "+OK, RESTORE b 0 PAYLOAD ABSTTL", ":-1"),
        ("5000", "", "+OK, RESTORE b 1700000005000 PAYLOAD ABSTTL", ":1700000005000"),
        (
            "1700000000001",
            "absttl",
            "+OK, RESTORE b 1700000000001 PAYLOAD absttl",
            ":1700000000001",
        ),
        (
            "1",
            "IDLETIME 9",
            "+OK, RESTORE b 1700000000001 PAYLOAD IDLETIME 9 ABSTTL",
            ":1700000000001",
        ),
        ("1700000000000", "ABSTTL", "+OK", ":-2"),
        ("9223372036854775807", "", "+OK", ":-2"),
    ] {
        assert_eq!(world.now_ms, now_ms);
        world.line("DEL b");
        assert_eq!(restore(&mut world, "b", ttl, &payload, options), expected, "{ttl} {options}");
        assert_eq!(world.line("PEXPIRETIME b"), then, "{ttl} {options}");
    }
    world.line("SET b other");
    assert!(restore(&mut world, "b", "1", &payload, "ABSTTL").starts_with("-BUSYKEY"));
    assert_eq!(restore(&mut world, "b", "1", &payload, "ABSTTL REPLACE"), "+OK, DEL b");
    assert_eq!(world.line("EXISTS b"), ":0");
    assert_eq!(restore(&mut world, "b", "1", &payload, "ABSTTL REPLACE"), "+OK");
}

#[test]
fn a_hash_keeps_the_times_of_its_fields() {
    let mut world = World::new(Version::Resp2);
    world.line("HSET a f 1 g 2 h 3");
    world.line("HPEXPIRE a 100 FIELDS 1 g");
    for n_fields_max in [512, 2] {
        world.keyspace.tuning().set_hash_entries_max(n_fields_max);
        world.line("HSET a f 1");
        let payload = dump(&mut world, "a");
        assert_eq!(payload[payload.len() - 10..][..2], [12, 0], "the version");
        let expected = "+OK, RESTORE b 0 PAYLOAD REPLACE";
        assert_eq!(restore(&mut world, "b", "0", &payload, "REPLACE"), expected);
        assert_eq!(world.line("HPTTL b FIELDS 3 f g h"), "*3 :-1 :100 :-1");
    }
    let payload = dump(&mut world, "a");
    world.now_ms += 100;
    assert_eq!(world.line("HLEN b"), ":2");
    assert_eq!(restore(&mut world, "c", "0", &payload, ""), "+OK, RESTORE c 0 PAYLOAD");
    assert_eq!(world.line("HLEN c"), ":2", "a field that is due is gone at once");
    world.line("HSET d f 1 g 2");
    world.line("HPEXPIRE d 100 FIELDS 2 f g");
    let all_due = dump(&mut world, "d");
    world.now_ms += 100;
    assert_eq!(world.line("EXISTS d"), ":0");
    assert_eq!(restore(&mut world, "d", "0", &all_due, ""), "+OK");
    assert_eq!(restore(&mut world, "c", "0", &all_due, "REPLACE"), "+OK, DEL c");
    assert_eq!(world.line("EXISTS c d"), ":0");
    let payload = dump(&mut world, "b");
    assert_eq!(payload[payload.len() - 10..][..2], [10, 0], "no field expires any more");
}

#[test]
fn thresholds_are_those_of_the_reader() {
    let mut world = World::new(Version::Resp2);
    for (key, add) in [
        ("list", "RPUSH list 1 2 3"),
        ("ints", "SADD ints 1 2 3"),
        ("set", "SADD set a b c"),
        ("hash", "HSET hash a 1 b 2 c 3"),
        ("zset", "ZADD zset 1 a 2 b 3 c"),
    ] {
        let tuning = world.keyspace.tuning();
        tuning.set_intset_entries_max(512);
        tuning.set_hash_entries_max(512);
        tuning.set_zset_entries_max(128);
        world.line(add);
        let packed = dump(&mut world, key);
        let tuning = world.keyspace.tuning();
        tuning.set_intset_entries_max(2);
        tuning.set_hash_entries_max(2);
        tuning.set_zset_entries_max(2);
        restore(&mut world, key, "0", &packed, "REPLACE");
        let large = dump(&mut world, key);
        let expected = [
            ("list", [18, 18]),
            ("ints", [11, 2]),
            ("set", [2, 2]),
            ("hash", [16, 4]),
            ("zset", [17, 5]),
        ];
        assert!(expected.contains(&(key, [packed[0], large[0]])), "{key}: {}", large[0]);
    }
}

#[test]
fn events_come_in_redis_s_order() {
    let mut world = World::new(Version::Resp2);
    world.line("SET a value");
    let payload = dump(&mut world, "a");
    world.keyspace.tuning().set_notify(Classes::parse("EAnm").expect("classes"));
    restore(&mut world, "b", "0", &payload, "");
    restore(&mut world, "b", "0", &payload, "REPLACE");
    restore(&mut world, "b", "1", &payload, "REPLACE ABSTTL");
    restore(&mut world, "b", "1", &payload, "REPLACE ABSTTL");
    world.line("DUMP b");
    let expected = ["new b", "restore b", "new b", "restore b", "del b", "keymiss b"];
    assert_eq!(world.host.published, expected);
}

#[test]
fn a_payload_is_bound_to_its_bytes() {
    let mut world = World::new(Version::Resp2);
    world.line("SET a value");
    let payload = dump(&mut world, "a");
    for at in 0..payload.len() {
        let mut wrong = payload.clone();
        wrong[at] ^= 0x40;
        let answer = restore(&mut world, "b", "0", &wrong, "");
        assert_eq!(answer, "-ERR DUMP payload version or checksum are wrong");
    }
    for value in [&b"\x0f\0"[..], b"\x02\0", b"\xff", b""] {
        let answer = restore(&mut world, "b", "0", &payload::seal(value.to_vec()), "");
        assert_eq!(answer, "-ERR Bad data format");
    }
    // Like Redis, it does not look at what follows the value.
    let payload = payload::seal(b"\0\x01xjunk".to_vec());
    assert_eq!(restore(&mut world, "b", "0", &payload, ""), "+OK, RESTORE b 0 PAYLOAD");
    assert_eq!(world.line("GET b"), "$1 x");
}

/// Whatever numbers a payload has, what is recorded of it can be run again.
#[test]
fn a_stream_of_the_largest_numbers_lives_on() {
    let max = [&[0x81][..], &[0xFF; 8]].concat();
    let id = |ms: u8, seq: u8| [0, 0, 0, 0, 0, 0, 0, ms, 0, 0, 0, 0, 0, 0, 0, seq];
    let value = [
        // No blocks and entries, the last ID, two others, how many were added.
        &[19, 0, 0, 5, 5, 0, 0, 0, 0][..],
        &max,
        // A group, its last ID, how many it has read, and what is pending of one entry.
        &[1, 1, b'g', 5, 5],
        &max[..8],
        &[0xFE, 1],
        &id(1, 1),
        &[0xFF; 8],
        &max,
        // A consumer that was seen some time.
        &[1, 1, b'c'],
        &[0xFF; 8],
        &[1],
        &id(1, 1),
    ];
    let payload = payload::seal(value.concat());
    let mut world = World::new(Version::Resp2);
    assert_eq!(restore(&mut world, "s", "0", &payload, ""), "+OK, RESTORE s 0 PAYLOAD");
    let mut replica = World::new(Version::Resp2);
    restore(&mut replica, "s", "0", &payload, "");
    for (line, expected) in [
        ("XADD s 6-0 f v", "$3 6-0"),
        ("XPENDING s g", "*4 :1 $3 1-1 $3 1-1 *1 *2 $1 c $1 1"),
        ("XPENDING s g - + 10", "*1 *4 $3 1-1 $1 c :0 :9223372036854775807"),
        ("XREADGROUP GROUP g d STREAMS s >", "*1 *2 $1 s *1 *2 $3 6-0 *2 $1 f $1 v"),
        ("XCLAIM s g d 0 1-1", "*0"),
        ("XREADGROUP GROUP g c STREAMS s 0", "*1 *2 $1 s *0"),
        ("XPENDING s g", "*4 :1 $3 6-0 $3 6-0 *1 *2 $1 d $1 1"),
    ] {
        assert_eq!(world.line(line), expected, "{line}");
    }
    replica.follow(&mut world);
    for line in ["XINFO GROUPS s", "XPENDING s g - + 10", "XRANGE s - +"] {
        assert_eq!(replica.line(line), world.line(line), "{line}");
    }
}
