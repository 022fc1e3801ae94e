//! redis-server and Fanfare refuse the same bytes.

use fanfare_engine::packed::{IntSet, Listpack, Malformed};
use fanfare_engine::rdb::payload::{self, kind};
use fanfare_engine::rdb::{ReadErrorKind, Reader, write_len, write_string};
use fanfare_testkit::{Rng, escape, seed};

use crate::redis::Redis;
use crate::sample::{element, elements, listpack, mutate, number, string};

const N_MUTATIONS: usize = 4000;

/// Whether redis-server restores this type and value.
fn is_restored(redis: &mut Redis, value: Vec<u8>) -> bool {
    let answer = redis.call(&[b"RESTORE", b"key", b"0", &payload::seal(value), b"REPLACE"]);
    match &answer[..] {
        b"+OK\r\n" => true,
        b"-ERR Bad data format\r\n" => false,
        _ => panic!("redis-server answers {}", escape(&answer)),
    }
}

#[test]
fn mutated_listpacks_are_refused_as_by_redis() {
    let mut rng = Rng::new(seed());
    let mut redis = Redis::start();
    let mut n_accepted = 0;
    for _ in 0..N_MUTATIONS {
        let few: Vec<_> = elements(&mut rng, 6).into_iter().filter(|it| it.len() < 100).collect();
        let mut bytes = listpack(&few).as_bytes().to_vec();
        mutate(&mut rng, &mut bytes);
        let len = u32::try_from(bytes.len()).expect("small").to_le_bytes();
        if rng.below(8) != 0
            && let Some(header) = bytes.first_chunk_mut()
        {
            *header = len;
        }
        let mut value = vec![kind::LIST_QUICKLIST_2];
        write_len(&mut value, 1);
        write_len(&mut value, kind::NODE_PACKED);
        write_len(&mut value, bytes.len() as u64);
        value.extend_from_slice(&bytes);
        let shown = escape(&bytes);
        let read = Listpack::from_bytes(&bytes);
        // No key is empty.
        let is_accepted = read.as_ref().is_ok_and(|it| !it.is_empty());
        let is_restored = is_restored(&mut redis, value);
        // Redis accepts some lengths behind elements that do not hold once the element is replaced.
        let is_lax = |it: Malformed| it.reason == "an element with another length behind it";
        assert!(is_accepted == is_restored || read.is_err_and(is_lax), "{is_restored}: {shown}");
        n_accepted += usize::from(is_accepted);
    }
    assert!(N_MUTATIONS / 50 < n_accepted, "{n_accepted}");
}

#[test]
fn mutated_intsets_are_refused_as_by_redis() {
    let mut rng = Rng::new(seed());
    let mut redis = Redis::start();
    let mut n_accepted = 0;
    for _ in 0..N_MUTATIONS {
        let shift = rng.below(64);
        let mut set = IntSet::new();
        (0..rng.below(6)).for_each(|_| _ = set.insert(number(&mut rng) >> shift));
        let mut bytes = set.to_bytes();
        mutate(&mut rng, &mut bytes);
        let mut value = vec![kind::SET_INTSET];
        write_len(&mut value, bytes.len() as u64);
        value.extend_from_slice(&bytes);
        let shown = escape(&bytes);
        let is_accepted = IntSet::from_bytes(&bytes).is_ok_and(|it| !it.is_empty());
        assert_eq!(is_accepted, is_restored(&mut redis, value), "{shown}");
        n_accepted += usize::from(is_accepted);
    }
    assert!(N_MUTATIONS / 50 < n_accepted, "{n_accepted}");
}

#[test]
fn mutated_strings_are_refused_as_by_redis() {
    let mut rng = Rng::new(seed());
    let mut redis = Redis::start();
    let mut n_accepted = 0;
    for _ in 0..N_MUTATIONS {
        let text = if rng.below(2) == 0 { element(&mut rng) } else { string(&mut rng, 200) };
        let mut bytes = Vec::new();
        write_string(&mut bytes, &text, Some(&mut Default::default()));
        mutate(&mut rng, &mut bytes);
        let shown = escape(&bytes);
        // Redis reserves what is claimed before it finds out: leave gigabytes alone.
        if bytes.iter().take(3).any(|it| matches!(it, 0x80 | 0x81)) {
            continue;
        }
        let mut reader = Reader::new(&bytes);
        let read = match reader.string() {
            Ok(text) => Some(text.into_bytes()),
            Err(error) => match error.kind {
                // Redis reads on into the version and the checksum, and takes the mark of a string in another form for
                // a length.
                ReadErrorKind::Truncated | ReadErrorKind::NotALength => continue,
                _ => None,
            },
        };
        let mut value = vec![kind::STRING];
        value.extend_from_slice(&bytes);
        let is_restored = is_restored(&mut redis, value);
        let Some(read) = read else {
            // Redis's own name for a failure to unfold is the length 0, so where 0 was claimed it sees none.
            assert!(!is_restored || redis.call(&[b"GET", b"key"]) == b"$0\r\n\r\n", "{shown}");
            continue;
        };
        assert!(is_restored, "{shown}");
        n_accepted += 1;
        let expected = [format!("${}\r\n", read.len()).as_bytes(), &read, b"\r\n"].concat();
        let answer = redis.call(&[b"GET", b"key"]);
        assert_eq!(escape(&answer), escape(&expected), "{shown}");
    }
    assert!(N_MUTATIONS / 50 < n_accepted, "{n_accepted}");
}
