//! Values between redis-server and Fanfare, in both directions, and payloads that are wrong.
//!
//! docs/differences.md: D22
//! docs/differences.md: D23
//! docs/differences.md: D24

use std::sync::LazyLock;

use fanfare_engine::Keyspace;
use fanfare_engine::rdb::payload::{self, kind};
use fanfare_engine::rdb::{Compressor, Forms, ReadError, Reader, read_value, write_value};
use fanfare_engine::value::hash::{Lifetime, Limits};
use fanfare_engine::value::stream::{self, Keep, NewId, StreamId, Trim};
use fanfare_engine::value::{Hash, Stream, Value};
use fanfare_testkit::{Rng, escape, seed};

use crate::redis::Redis;
use crate::sample::{below, element, mutate, number, string};
use crate::written::{NEW_KINDS, OLD_KINDS, score, value};

fn forms() -> Forms {
    static FORMS: LazyLock<Forms> = LazyLock::new(|| Forms::of(&Keyspace::new(1, 7)));
    *FORMS
}

fn read(bytes: &[u8]) -> Result<Value, ReadError> {
    read_value(&mut Reader::new(bytes), &forms())
}

fn written(value: &Value, compressor: Option<&mut Compressor>) -> Vec<u8> {
    let mut out = Vec::new();
    write_value(&mut out, value, compressor);
    out
}

fn redis(compresses: &str) -> Redis {
    Redis::with(&["--enable-debug-command", "yes", "--rdbcompression", compresses])
}

/// Checks that two keys hold the same; `origin` is what they were made of.
fn assert_same(redis: &mut Redis, (left, right): (&[u8], &[u8]), origin: &[u8]) {
    let mut digest = |key: &[u8]| escape(&redis.call(&[b"DEBUG", b"DIGEST-VALUE", key]));
    assert_eq!(digest(left), digest(right), "{}", escape(origin));
}

/// Whether redis-server's sorted set `key` has a member with this score, as text.
fn has_score(redis: &mut Redis, key: &[u8], score: &[u8]) -> bool {
    let shown = redis.strings(&[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"]);
    shown.chunks(2).any(|it| it.get(1).is_some_and(|it| it == score))
}

/// Fills `key` with a value of any type and size; the thresholds of the encodings are in between.
fn fill(redis: &mut Redis, rng: &mut Rng) {
    redis.call(&[b"DEL", b"key"]);
    let n = [3, 20, 127, 128, 129, 511, 512, 513, 2000][below(rng, 9)];
    // Now and then one is too long for a packed collection, or nearly.
    let odds = [10, 1_000_000][below(rng, 2)];
    let short = |rng: &mut Rng| match rng.below(odds) {
        0 => element(rng),
        1 => vec![b'x'; 63 + below(rng, 4)],
        _ if rng.below(2) == 0 => string(rng, 6),
        _ => number(rng).to_string().into_bytes(),
    };
    let mut args: Vec<Vec<u8>> = Vec::new();
    let name = match rng.below(7) {
        0 => return fill_stream(redis, rng),
        1 => {
            args.push(if rng.below(2) == 0 { element(rng) } else { string(rng, 20_000) });
            "SET"
        }
        2 => {
            args.extend((0..n).map(|_| short(rng)));
            args.extend((0..below(rng, 4)).map(|_| string(rng, 20_000)));
            args.extend((0..below(rng, 4)).map(|_| short(rng)));
            "RPUSH"
        }
        3 => {
            args.extend((0..n).map(|_| number(rng).to_string().into_bytes()));
            "SADD"
        }
        4 => {
            args.extend((0..n).map(|_| short(rng)));
            "SADD"
        }
        5 => {
            args.extend((0..2 * n).map(|_| short(rng)));
            "HSET"
        }
        _ => {
            args.extend((0..n).flat_map(|_| [score(rng).to_string().into_bytes(), short(rng)]));
            "ZADD"
        }
    };
    args.splice(0..0, [name.into(), b"key".to_vec()]);
    let args: Vec<&[u8]> = args.iter().map(|it| &**it).collect();
    redis.run(&args);
    if name == "RPUSH" && rng.below(2) == 0 {
        redis.call(&[b"LTRIM", b"key", b"3", b"-2"]);
        redis.call(&[b"LSET", b"key", b"0", b"other"]);
        redis.run(&[b"LPUSH", b"key", b"a"]);
    }
}

/// Fills `key` with a stream that groups read.
fn fill_stream(redis: &mut Redis, rng: &mut Rng) {
    let line = |redis: &mut Redis, line: &str| {
        let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        redis.call(&words);
    };
    for number in 1..=[1, 5, 99, 100, 101, 300][below(rng, 6)] {
        let (ms, seq) = (number / 3, number % 3 + 1);
        let fields = [" size 7", "", " other text"][below(rng, 3)];
        line(redis, &format!("XADD key {ms}-{seq} name {}{fields}", rng.next_u64() >> 40));
        if rng.below(6) == 0 {
            line(redis, &format!("XDEL key {}-{}", rng.below(ms + 1), 1 + rng.below(3)));
        }
    }
    for group in ["g", "h", "i"].iter().take(below(rng, 4)) {
        line(redis, &format!("XGROUP CREATE key {group} {}", ["0", "$", "5"][below(rng, 3)]));
        for consumer in 0..below(rng, 4) {
            let n = 1 + rng.below(40);
            let start = format!("XREADGROUP GROUP {group} c{consumer} COUNT {n}");
            line(redis, &format!("{start} STREAMS key >"));
            line(redis, &format!("XACK key {group} {}-1 {}-2", rng.below(30), rng.below(30)));
        }
        line(redis, &format!("XCLAIM key {group} c1 0 7-1 3-1 8-2 1-1 RETRYCOUNT 300"));
    }
    match rng.below(4) {
        0 => line(redis, &format!("XTRIM key MINID {}", rng.below(60))),
        1 => line(redis, &format!("XTRIM key MAXLEN ~ {}", rng.below(60))),
        _ => {}
    }
}

#[test]
fn what_redis_dumps_is_read_and_written_again() {
    let mut rng = Rng::new(seed());
    let mut redis = redis("no");
    for _ in 0..300 {
        fill(&mut redis, &mut rng);
        let dumped = redis.dump(b"key");
        let value = read(&dumped).expect("it is Redis's own");
        // The key itself may be unpacked because of a value that it held before.
        redis.restore(b"restored", dumped.clone());
        assert_eq!(value.encoding(), redis.encoding(b"restored"));
        let again = written(&value, None);
        match dumped[0] {
            // Only the order is another one.
            kind::SET | kind::HASH if value.encoding() != redis.encoding(b"key") => {}
            kind::SET | kind::HASH => assert_eq!(again.len(), dumped.len()),
            _ => assert_eq!(escape(&again), escape(&dumped)),
        }
        redis.restore(b"restored", again);
        assert_same(&mut redis, (b"key", b"restored"), &dumped);
        assert_eq!(redis.encoding(b"restored"), value.encoding());
    }
}

#[test]
fn compressed_values_are_the_same_values() {
    let mut rng = Rng::new(seed());
    let mut redis = redis("yes");
    let mut compressor = Compressor::new();
    let (mut n_ordered, mut n_other) = (0, 0);
    for _ in 0..200 {
        fill(&mut redis, &mut rng);
        let dumped = redis.dump(b"key");
        let value = read(&dumped).expect("it is Redis's own");
        // The key itself may be unpacked because of a value that it held before.
        redis.restore(b"restored", dumped.clone());
        assert_eq!(value.encoding(), redis.encoding(b"restored"));
        let again = written(&value, Some(&mut compressor));
        if !matches!(dumped[0], kind::SET | kind::HASH) {
            n_ordered += 1;
            n_other += usize::from(again != dumped);
        }
        redis.restore(b"restored", again);
        assert_same(&mut redis, (b"key", b"restored"), &dumped);
    }
    // What Redis's table keeps from the string before now and then lets it find more.
    assert!(n_other * 4 < n_ordered, "{n_other} of {n_ordered} have another form");
}

#[test]
fn old_forms_are_read_as_by_redis() {
    let mut rng = Rng::new(seed());
    let mut redis = redis("yes");
    for round in 0..600 {
        let kind = OLD_KINDS[round % OLD_KINDS.len()];
        let n_max = [1, 30, 300, 700][below(&mut rng, 4)];
        let bytes = value(&mut rng, kind, n_max);
        let value = read(&bytes).unwrap_or_else(|it| panic!("{kind}: {it}: {}", escape(&bytes)));
        redis.restore(b"key", bytes.clone());
        assert_eq!(value.encoding(), redis.encoding(b"key"), "{kind}");
        redis.restore(b"restored", written(&value, None));
        assert_same(&mut redis, (b"key", b"restored"), &bytes);
    }
}

#[test]
fn new_forms_are_read() {
    let mut rng = Rng::new(seed());
    for _ in 0..200 {
        for kind in NEW_KINDS {
            let bytes = value(&mut rng, kind, 30);
            let value =
                read(&bytes).unwrap_or_else(|it| panic!("{kind}: {it}: {}", escape(&bytes)));
            let again = read(&written(&value, None)).expect("it is Fanfare's own");
            assert_eq!(contents(&again), contents(&value));
        }
    }
}

/// What a value holds, however it is kept.
fn contents(value: &Value) -> Vec<String> {
    let mut items: Vec<String> = match value {
        Value::Text(_) => vec![String::from_utf8_lossy(&written(value, None)).into_owned()],
        Value::List(list) => {
            return list.iter().map(|it| it.to_bytes().escape_ascii().to_string()).collect();
        }
        Value::Set(set) => set.iter().map(|it| it.to_name().escape_ascii().to_string()).collect(),
        Value::Hash(hash) => hash
            .iter()
            .map(|it| {
                let (name, value) = (it.name.to_name(), it.value.to_name());
                let time = it.expires_at_ms;
                format!("{} {} {time:?}", name.escape_ascii(), value.escape_ascii())
            })
            .collect(),
        Value::SortedSet(set) => {
            set.iter().map(|it| format!("{} {}", it.score, it.name.escape_ascii())).collect()
        }
        Value::Stream(stream) => return contents_of_stream(stream),
    };
    items.sort_unstable();
    items
}

/// Entries, groups with what is pending in all orders, and producers.
fn contents_of_stream(stream: &Stream) -> Vec<String> {
    let mut lines = vec![format!("{:?} {}", stream.marks(), stream.first_id())];
    for entry in stream.iter_from(StreamId::MIN) {
        let fields = entry.fields().flat_map(|(name, value)| [name, value]);
        let fields: Vec<_> = fields.map(|it| it.to_bytes().escape_ascii().to_string()).collect();
        lines.push(format!("{} {fields:?}", entry.id));
    }
    for group in stream.groups() {
        let position = (group.last_id(), group.entries_read());
        lines.push(format!("{} {position:?}", group.name().escape_ascii()));
        lines.extend(group.pending_from(StreamId::MIN).map(|it| {
            let owner = it.owner.and_then(|it| group.consumer(it));
            let owner = owner.map(|it| it.name.escape_ascii().to_string());
            format!("{} {} {} {owner:?}", it.id, it.delivered_ms, it.n_deliveries)
        }));
        lines.push(format!("{:?}", group.unowned().collect::<Vec<_>>()));
        for consumer in group.consumers() {
            let ids: Vec<_> = consumer.pending_from(StreamId::MIN).collect();
            let name = consumer.name.escape_ascii();
            lines.push(format!("{name} {} {ids:?}", consumer.seen_ms));
        }
    }
    let producers = stream.producers();
    lines.push(format!("{:?} {:?}", producers.settings(), producers.counts()));
    for (pid, n, iids) in producers.iter() {
        let iids: Vec<_> = iids.map(|(iid, id)| (iid.escape_ascii().to_string(), id)).collect();
        lines.push(format!("{} {n} {iids:?}", pid.escape_ascii()));
    }
    lines
}

#[test]
fn hashes_whose_fields_expire_have_the_form_of_redis_7_4() {
    let limits = Limits { n_fields_max: 2, len_max: 64 };
    let mut hash = Hash::default();
    hash.set(b"later", b"1", Lifetime::Until(300), limits);
    hash.set(b"never", b"2", Lifetime::Forever, limits);
    let bytes = written(&Value::Hash(hash.clone()), None);
    let pack = b"\x1e\0\0\0\x06\0\x85later\x06\x01\x01\xc1\x2c\x02\x85never\x06\x02\x01\0\x01\xff";
    let expected = [&b"\x19\x2c\x01\0\0\0\0\0\0"[..], &[0x1e], pack].concat();
    assert_eq!(escape(&bytes), escape(&expected));
    assert_eq!(payload::seal(bytes.clone())[bytes.len()..][..2], [12, 0]);
    let mut redis = redis("yes");
    let answer = redis.call(&[b"RESTORE", b"key", b"0", &payload::seal(bytes)]);
    let refused = b"-ERR DUMP payload version or checksum are wrong\r\n";
    assert_eq!(escape(&answer), escape(refused));

    let mut large = hash.clone();
    large.set(b"soon", b"3", Lifetime::Until(200), limits);
    let value = Value::Hash(large);
    assert_eq!(value.encoding(), "hashtable");
    let bytes = written(&value, None);
    assert_eq!(bytes[..10], [24, 200, 0, 0, 0, 0, 0, 0, 0, 3]);
    let again = read(&bytes).expect("it is Fanfare's own");
    assert_eq!(contents(&again), contents(&value));
    assert_eq!(again.encoding(), "listpackex");

    hash.put_time(b"later", None);
    let value = Value::Hash(hash);
    assert_eq!(value.encoding(), "listpackex");
    redis.restore(b"key", written(&value, None));
    assert_eq!(
        redis.strings(&[b"HGETALL", b"key"]),
        ["never", "2", "later", "1"].map(|it| it.as_bytes().to_vec())
    );
}

#[test]
fn nothing_is_there_twice_or_empty() {
    for (bytes, expected) in [
        (&b"\x01\0"[..], "empty collection at offset 1"),
        (b"\x02\0", "empty collection at offset 1"),
        (b"\x02\x02\x01a\x01a", "field or member for the second time at offset 4"),
        (b"\x02\x02\xc0\x07\x017", "field or member for the second time at offset 4"),
        (b"\x04\x02\x01a\0\x01a\0", "field or member for the second time at offset 5"),
        (b"\x03\x01\x01a\xfd", "score that is not a number at offset 4"),
        (b"\x03\x01\x01a\x011", "no error"),
        (b"\x03\x01\x01a\x03nan", "score that is not a number at offset 4"),
        (
            b"\x05\x01\x01a\xff\xff\xff\xff\xff\xff\xff\xff",
            "score that is not a number at offset 4",
        ),
        (b"\x10\x0b\x0b\0\0\0\x02\0\x01\x01\x02\x01\xff", "no error"),
        (
            b"\x10\x0f\x0f\0\0\0\x04\0\x01\x01\x02\x01\x01\x01\x03\x01\xff",
            "field or member for the second time at offset 1",
        ),
        (
            b"\x10\x0e\x0e\0\0\0\x03\0\x01\x01\x02\x01\x81a\x02\xff",
            "bad packed collection at offset 1",
        ),
        (b"\x10\x07\x07\0\0\0\0\0\xff", "empty collection at offset 1"),
        (
            b"\x11\x0c\x0c\0\0\0\x02\0\x01\x01\x81a\x02\xff",
            "score that is not a number at offset 1",
        ),
        (b"\x12\x01\x01\0", "empty collection at offset 3"),
        (b"\x12\x01\x02\x07\x07\0\0\0\0\0\xff", "empty collection at offset 11"),
        (b"\x12\x01\x03\x01a", "bad packed collection at offset 2"),
        (b"\x0b\x08\x02\0\0\0\0\0\0\0", "empty collection at offset 1"),
        (b"\x09\x02\0\xff", "empty collection at offset 1"),
        (b"\x0f\0", "unexpected end at offset 2"),
        (b"", "unexpected end at offset 0"),
    ] {
        let found = read(bytes).map_or_else(|it| it.to_string(), |_| "no error".into());
        assert_eq!(found, expected, "{}", escape(bytes));
    }
}

/// Mutations of values of all types, some of them made of two.
fn each_mutation(n: usize, rng: &mut Rng, kinds: &[u8], mut check: impl FnMut(&mut Rng, Vec<u8>)) {
    let mut originals = Vec::new();
    for round in 0..n {
        if round % 200 == 0 {
            originals = kinds.iter().map(|kind| value(rng, *kind, 8)).collect();
        }
        let mut bytes = originals[below(rng, originals.len())].clone();
        match rng.below(8) {
            0 => {
                let other = &originals[below(rng, originals.len())];
                let at = below(rng, bytes.len());
                bytes.truncate(at);
                bytes.extend(&other[below(rng, other.len())..]);
            }
            1 => bytes[0] = kinds[below(rng, kinds.len())],
            _ => {
                // What is packed has its own length in front, which would hide what is behind.
                let len = bytes.len();
                mutate(rng, &mut bytes);
                if bytes.len() != len && rng.below(2) == 0 {
                    bytes.resize(len, 0xFF);
                }
            }
        }
        check(rng, bytes);
    }
}

/// A stream in the first of its forms, of one block with one entry.
fn stream_of(flags: &[u8], seq: &[u8], [n_live, n_deleted]: [u8; 2]) -> Vec<u8> {
    let elements = [
        &[n_live, 1, n_deleted, 1, 1, 1, 0x81, b'f', 2, 0, 1][..],
        flags,
        &[0, 1],
        seq,
        &[0x81, b'v', 2, 4, 1, 0xFF],
    ];
    let elements = elements.concat();
    let mut pack = u32::try_from(elements.len() + 6).expect("short").to_le_bytes().to_vec();
    pack.extend([10, 0]);
    pack.extend(elements);
    let mut bytes = vec![kind::STREAM_LISTPACKS, 1, 16];
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 5]);
    bytes.push(u8::try_from(pack.len()).expect("short"));
    bytes.extend(pack);
    bytes.extend([n_live, 5, 5, 0]);
    bytes
}

#[test]
fn blocks_of_streams_can_be_changed() {
    let (flags, seq, counts) = (&[2, 1][..], &[0, 1][..], [1, 0]);
    assert!(read(&stream_of(flags, seq, counts)).is_ok());
    let refused = [
        // In more bytes than it takes: what is behind would move when the entry is deleted.
        stream_of(&[0xF1, 2, 0, 3], seq, counts),
        stream_of(&[4, 1], seq, counts),
        // Before the block in which it is.
        stream_of(flags, &[0xDF, 0xFF, 2], counts),
        stream_of(&[3, 1], seq, counts),
        stream_of(flags, seq, [0, 1]),
        stream_of(flags, seq, [2, 0]),
    ];
    for bytes in refused {
        assert!(read(&bytes).is_err(), "{}", escape(&bytes));
    }
    // Trimming by ID leaves such blocks in redis-server 7.0; they are not written again.
    let deleted = stream_of(&[3, 1], seq, [0, 1]);
    redis("no").restore(b"key", deleted.clone());
    let value = read(&deleted).expect("redis-server restores it");
    assert_eq!(written(&value, None), [19, 0, 0, 5, 5, 0, 0, 0, 0, 0, 0]);
}

/// Changes a stream from elsewhere, which has what it says after each change.
fn change(stream: &mut Stream, rng: &mut Rng, origin: &[u8]) {
    for _ in 0..6 {
        let ids: Vec<_> = stream.iter_from(StreamId::MIN).map(|it| it.id).collect();
        assert!(ids.is_sorted_by(|left, right| left < right), "{}", escape(origin));
        assert_eq!(ids.len(), stream.len(), "{}", escape(origin));
        let back = stream.iter_back_from(StreamId::MAX).map(|it| it.id);
        assert!(back.eq(ids.iter().rev().copied()), "{}", escape(origin));
        assert!(ids.iter().all(|it| stream.get(*it).is_some()), "{}", escape(origin));
        let id = ids.get(below(rng, ids.len().max(1))).copied().unwrap_or_default();
        match rng.below(4) {
            0 => assert_eq!(stream.remove(id), !ids.is_empty(), "{}", escape(origin)),
            1 => {
                let n = rng.below(1 + ids.len() as u64);
                let trim = Trim { keep: Keep::Last(n), approximately: false, n_max: 0 };
                assert_eq!(stream.trim(trim), ids.len() as u64 - n, "{}", escape(origin));
            }
            2 => {
                let trim = Trim { keep: Keep::From(id), approximately: false, n_max: 0 };
                let n = ids.iter().filter(|it| **it < id).count();
                assert_eq!(stream.trim(trim), n as u64, "{}", escape(origin));
            }
            _ => {
                let limits = stream::Limits { bytes_max: 4096, entries_max: 100 };
                let fields = [(&b"name"[..], &b"value"[..])];
                if let Some(id) = stream.next_id(NewId::Auto, 0) {
                    let pushed = stream.push(id, fields.into_iter(), limits);
                    assert!(pushed.is_ok() && stream.get(id).is_some(), "{}", escape(origin));
                }
            }
        }
    }
}

#[test]
fn mutated_values_do_no_harm() {
    let n = if std::env::var_os("FANFARE_FULL").is_some() { 1_000_000 } else { 20_000 };
    let mut rng = Rng::new(seed());
    let forms = forms();
    let kinds = [&OLD_KINDS[..], &NEW_KINDS].concat();
    let mut n_accepted = 0;
    each_mutation(n, &mut rng, &kinds, |rng, bytes| {
        // As RESTORE sees it, with a checksum that is right.
        let sealed = payload::seal(bytes);
        let bytes = payload::open(&sealed).expect("it was sealed");
        let Ok(value) = read_value(&mut Reader::new(bytes), &forms) else { return };
        n_accepted += 1;
        assert!(value.n_bytes() <= 200 * bytes.len() + 1000, "{}", escape(bytes));
        let compressor = if rng.below(8) == 0 { Some(&mut Compressor::new()) } else { None };
        let again = read_value(&mut Reader::new(&written(&value, compressor)), &forms);
        let again = again.expect("it is Fanfare's own");
        assert!(contents(&again) == contents(&value), "{}", escape(bytes));
        if let Value::Stream(mut stream) = value {
            change(&mut stream, rng, bytes);
        }
    });
    assert!(n / 50 < n_accepted, "{n_accepted}");
}

#[test]
fn what_redis_refuses_is_refused() {
    let mut rng = Rng::new(seed());
    let mut redis = redis("yes");
    let (mut n_accepted, mut n_compared) = (0, 0);
    each_mutation(6000, &mut rng, &OLD_KINDS, |_, bytes| {
        // redis-server reserves what is claimed before it finds out: leave gigabytes alone.
        if bytes.iter().any(|it| matches!(it, 0x80 | 0x81)) {
            return;
        }
        // A mutated first byte may name a type that redis-server 7.0 does not know (D23).
        if bytes.first().is_some_and(|it| NEW_KINDS.contains(it)) {
            return;
        }
        let shown = escape(&bytes);
        let Ok(value) = read(&bytes) else { return };
        n_accepted += 1;
        let answer =
            redis.call(&[b"RESTORE", b"key", b"0", &payload::seal(bytes.clone()), b"REPLACE"]);
        assert_eq!(escape(&answer), escape(b"+OK\r\n"), "{shown}");
        assert_eq!(value.encoding(), redis.encoding(b"key"), "{shown}");
        redis.restore(b"restored", written(&value, None));
        // What is packed anew has no -0 (D24), which redis-server digests as it was written.
        let is_sorted_set = matches!(value, Value::SortedSet(_));
        if !(is_sorted_set && has_score(&mut redis, b"key", b"-0")) {
            assert_same(&mut redis, (b"key", b"restored"), &bytes);
            n_compared += 1;
        }
    });
    assert!(n_accepted - n_accepted / 10 < n_compared, "{n_compared} of {n_accepted}");
    assert!(200 < n_accepted, "{n_accepted}");
}
