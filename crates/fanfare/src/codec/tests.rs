//! Forms, compression and redaction, with what is hostile.

#![cfg(all(
    feature = "cbor",
    feature = "msgpack",
    feature = "zstd",
    feature = "lz4",
    feature = "gzip"
))]

use std::time::SystemTime;

use bytes::Bytes;
use fanfare_client::{ErrorKind, Kind, Message};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Algorithm, Codec, Compression, Data, Redaction};
use crate::{Call, Cbor, Envelope, Extract, Head, Json, MsgPack, Raw, Sealed, Text};

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Zstd, Algorithm::Lz4, Algorithm::Gzip];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    item: String,
    #[serde(default)]
    amount: i32,
}

fn order() -> Order {
    Order { id: u64::MAX, item: "té\0".to_owned(), amount: -1 }
}

fn call(payload: impl Into<Bytes>) -> Call {
    let at = SystemTime::UNIX_EPOCH;
    Message::new(Kind::Channel, Bytes::from_static(b"orders"), payload.into(), at).into()
}

fn sealed(data: impl Into<Bytes>) -> Sealed {
    Sealed::new(Head::new("t"), "text/plain", data)
}

fn level_1(algorithm: Algorithm) -> Compression {
    Compression::new(algorithm).expect("it is built").threshold(0).level(1)
}

#[test]
fn a_value_comes_back_in_every_form() {
    let envelope = Envelope::new("created", order());
    let forms = [
        envelope.seal().unwrap(),
        envelope.seal_as::<MsgPack<Order>>().unwrap(),
        envelope.seal_as::<Cbor<Order>>().unwrap(),
        envelope.seal_as::<Json<Order>>().unwrap(),
    ];
    for sealed in forms {
        let call = call(sealed.to_payload().unwrap());
        assert_eq!(Data::<Order>::extract(&call, &()).unwrap().0, order(), "{sealed:?}");
        assert_eq!(call.head().map(Head::id), Some(envelope.head.id()));
    }
    assert_eq!(MsgPack::<Order>::encode(&order()).unwrap()[0], 0x83, "a map of names");
}

#[test]
fn what_is_in_another_form_is_refused_with_its_name() {
    let sealed = Sealed::new(Head::new("t"), "application/avro", "x");
    let error = Data::<u64>::extract(&call(sealed.to_payload().unwrap()), &()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("application/avro"), "{error}");

    // One value, and nothing behind it.
    let mut two = MsgPack::<u64>::encode(&1).unwrap().into_owned();
    two.push(2);
    assert!(MsgPack::<u64>::extract(&call(two.clone()), &()).is_err());
    assert!(Cbor::<u64>::extract(&call(two), &()).is_err());
    // As long as memory, it says.
    for bytes in
        [&b"\xdd\xff\xff\xff\xff"[..], b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", b"", b"\xc1"]
    {
        assert!(MsgPack::<Vec<u64>>::extract(&call(bytes), &()).is_err(), "{bytes:?}");
        assert!(Cbor::<Vec<u64>>::extract(&call(bytes), &()).is_err(), "{bytes:?}");
    }
    // Deeper than any stack.
    assert!(MsgPack::<Value>::extract(&call(vec![0x91; 1_000_000]), &()).is_err());
    assert!(Cbor::<Value>::extract(&call(vec![0x81; 1_000_000]), &()).is_err());
    assert!(Json::<Value>::extract(&call(vec![b'['; 1_000_000]), &()).is_err());
}

#[test]
fn what_is_small_or_grows_stays_as_it_is() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let noise: Vec<u8> = (0..2_000)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[4]
        })
        .collect();
    for algorithm in ALGORITHMS {
        let usual = Compression::new(algorithm).unwrap();
        for data in [vec![b'a'; 511], b"".to_vec()] {
            let small = sealed(data);
            assert_eq!(small.clone().compress(&usual).unwrap(), small, "{algorithm}");
        }
        let large = sealed(vec![b'a'; 512]).compress(&usual).unwrap();
        assert_eq!(large.head().content_encoding(), Some(algorithm.name()));
        assert!(large.body().len() < 100);
        // Once is enough.
        assert_eq!(large.clone().compress(&level_1(Algorithm::Gzip)).unwrap(), large);
        let mixed = sealed(noise.clone());
        assert_eq!(mixed.clone().compress(&usual).unwrap(), mixed, "{algorithm}");
        // The sketch made 76 bytes of 56.
        let short = sealed(vec![b'x'; 1]);
        assert_eq!(short.clone().compress(&level_1(algorithm)).unwrap(), short);
    }
}

#[test]
fn a_bomb_is_given_up_at_the_limit() {
    for algorithm in ALGORITHMS {
        let bomb = sealed(vec![0; 10_000_000]).compress(&level_1(algorithm).level(9)).unwrap();
        assert!(bomb.body().len() < 100_000, "{algorithm}: {}", bomb.body().len());
        let error = bomb.clone().decompress(1_000_000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains("1000000 bytes that are allowed"), "{error}");
        assert_eq!(bomb.decompress(10_000_000).unwrap().body().len(), 10_000_000);
        let exact = sealed(vec![b'a'; 1_000]).compress(&level_1(algorithm)).unwrap();
        assert!(exact.clone().decompress(999).is_err());
        assert_eq!(exact.decompress(1_000).unwrap().body().len(), 1_000);
    }
}

#[test]
fn what_is_damaged_is_an_error_and_not_the_data() {
    for algorithm in ALGORITHMS {
        let good = sealed(b"many words ".repeat(100)).compress(&level_1(algorithm)).unwrap();
        for n_left in 0..good.body.len() {
            let mut cut = good.clone();
            cut.body = cut.body.slice(..n_left);
            let refused = cut.decompress(1 << 20).map_err(|error| error.kind());
            assert!(matches!(refused, Err(ErrorKind::Decode)), "{algorithm} cut to {n_left}");
        }
        let mut garbage = good;
        garbage.body = Bytes::from_static(b"no such thing");
        assert_eq!(garbage.decompress(1 << 20).unwrap_err().kind(), ErrorKind::Decode);
    }
    let mut other = sealed("x");
    other.head.content_encoding = Some("br".to_owned());
    assert_eq!(other.decompress(1 << 20).unwrap_err().kind(), ErrorKind::Unsupported);
}

/// A few bytes that ask for a window of so many bits, with one byte in it.
fn zstd_frame(window_log: u8) -> Vec<u8> {
    let magic = [0x28, 0xB5, 0x2F, 0xFD];
    let (descriptor, window, last_raw_block_of_1) = (0, (window_log - 10) << 3, [0b1001, 0, 0]);
    [&magic[..], &[descriptor, window], &last_raw_block_of_1, b"x"].concat()
}

/// 14 bytes took 128 MiB.
#[test]
fn a_small_frame_gets_no_large_window() {
    let claims = |window_log| {
        let mut sealed = sealed(zstd_frame(window_log));
        sealed.head.content_encoding = Some("zstd".to_owned());
        sealed
    };
    let error = claims(24).decompress(1 << 20).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    // What everybody should allow, and what the limit allows.
    assert_eq!(claims(23).decompress(1 << 20).unwrap().body(), "x");
    assert_eq!(claims(24).decompress(1 << 24).unwrap().body(), "x");
    // Nobody finds what another one has left.
    let good = sealed(vec![b'a'; 1_000]).compress(&level_1(Algorithm::Zstd)).unwrap();
    for _ in 0..3 {
        let mut cut = good.clone();
        cut.body = cut.body.slice(..cut.body.len() / 2);
        assert!(cut.decompress(1_000).is_err() && claims(27).decompress(1 << 20).is_err());
        assert_eq!(good.clone().decompress(1_000).unwrap().body().len(), 1_000);
    }
}

#[test]
fn plain_text_stays_plain_text() {
    let call = call("hello world");
    assert_eq!(Text::extract(&call, &()).unwrap().0, "hello world");
    assert_eq!(sealed("hello world").decompress(0).unwrap().body(), "hello world");
}

#[test]
fn what_is_named_is_taken_out() {
    let redaction = Redaction::names(["password"]).path("users.email").path("a.b.c").path("x");
    let mut value = json!({
        "PASSWORD": {"deep": 1}, "users": [{"email": "1"}, {"email": null, "password": "2"}, 3],
        "a": {"b": [[{"c": 1}]], "c": "stays"}, "email": "stays",
    });
    assert_eq!(redaction.apply(&mut value), 5);
    let expected = json!({
        "PASSWORD": "***", "users": [{"email": "***"}, {"email": "***", "password": "***"}, 3],
        "a": {"b": [[{"c": "***"}]], "c": "stays"}, "email": "stays",
    });
    assert_eq!(value, expected);
    assert_eq!(redaction.apply(&mut value), 0, "once is enough");

    // A reader that takes the first of two would see it.
    for twice in [r#"{"password":1,"password":"***"}"#, r#"{"a":{"password":1},"a":2}"#] {
        let sealed = Sealed::new(Head::new("t"), "application/json", twice);
        let redacted = sealed.redact(&redaction).unwrap();
        assert!(!String::from_utf8_lossy(redacted.body()).contains('1'), "{redacted:?}");
    }

    let envelope = Envelope::new("t", 1).with("password", "2").with("who", json!({"password": 3}));
    let head = envelope.seal().unwrap().redact(&redaction).unwrap().head;
    assert_eq!(head.metadata()["password"], "***");
    assert_eq!(head.metadata()["who"], json!({"password": "***"}));
    for hidden in [envelope.seal_as::<MsgPack<i32>>().unwrap(), sealed("password")] {
        assert_eq!(hidden.redact(&redaction).unwrap_err().kind(), ErrorKind::Encode);
    }
}

proptest! {
    #[test]
    fn compressed_data_comes_back(
        data in prop::collection::vec(0_u8..3, 0..2_000),
        idx in 0_usize..3,
        level in any::<u8>(),
    ) {
        let before = sealed(data);
        let compression = level_1(ALGORITHMS[idx]).level(level % 12);
        let after = before.clone().compress(&compression).unwrap();
        let read = Sealed::from_payload(&after.to_payload().unwrap()).unwrap();
        prop_assert_eq!(read.decompress(2_000).unwrap(), before);
    }

    #[test]
    fn any_bytes_are_expanded_or_refused(
        data in prop::collection::vec(any::<u8>(), 0..200),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        idx in 0_usize..3,
    ) {
        let mut hostile = sealed(b"many words ".repeat(20)).compress(&level_1(ALGORITHMS[idx])).unwrap();
        let mut body = hostile.body.to_vec();
        for (at, byte) in flips {
            let at = at.index(body.len());
            body[at] ^= byte;
        }
        hostile.body = body.into();
        if let Ok(expanded) = hostile.clone().decompress(10_000) {
            prop_assert_eq!(&expanded.body()[..], b"many words ".repeat(20));
        }
        hostile.body = data.into();
        let _ = hostile.decompress(10_000);
    }
}

#[test]
fn raw_bytes_are_what_came() {
    assert_eq!(Raw::extract(&call(&b"\xff\0"[..]), &()).unwrap().0, &b"\xff\0"[..]);
}
