//! A length from the wire is an accusation until checked.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use bytes::BytesMut;
use fanfare_resp::{
    DecodeErrorKind, Decoder, Limits, Progress, RequestDecoder, RequestError, Value,
};

use crate::support::{decode_cut, every_byte, requests_cut};

const SMALL: Limits = Limits {
    depth_max: 2,
    bulk_len_max: 8,
    array_len_max: 3,
    inline_len_max: 16,
    total_len_max: 64,
};

fn check(limits: Limits, wire: &[u8], kind: DecodeErrorKind) {
    for cuts in [vec![], every_byte(wire)] {
        let (_, error) = decode_cut(limits, wire, &cuts);
        let error = error.expect("the limit is exceeded");
        assert_eq!(error.kind(), kind, "{}", wire.escape_ascii());
        assert!(error.is_limit());
    }
}

fn check_allowed(limits: Limits, wire: &[u8]) {
    for cuts in [vec![], every_byte(wire)] {
        let (values, error) = decode_cut(limits, wire, &cuts);
        assert_eq!((values.len(), error), (1, None), "{}", wire.escape_ascii());
    }
}

#[test]
fn replies_within_and_beyond_each_limit() {
    check_allowed(SMALL, b"*1\r\n*1\r\n:1\r\n");
    check_allowed(SMALL, b"*1\r\n*1\r\n*0\r\n");
    check(SMALL, b"*1\r\n*1\r\n*1\r\n:1\r\n", DecodeErrorKind::TooDeep { limit: 2 });
    check(SMALL, b"|0\r\n*1\r\n|0\r\n:1\r\n", DecodeErrorKind::TooDeep { limit: 2 });

    check_allowed(SMALL, b"$8\r\n12345678\r\n");
    check(SMALL, b"$9\r\n123456789\r\n", DecodeErrorKind::BulkTooLong { declared: 9, limit: 8 });
    check_allowed(SMALL, b"$?\r\n;4\r\n1234\r\n;4\r\n1234\r\n;0\r\n");
    let streamed = b"$?\r\n;4\r\n1234\r\n;5\r\n12345\r\n;0\r\n";
    check(SMALL, streamed, DecodeErrorKind::BulkTooLong { declared: 9, limit: 8 });

    check_allowed(SMALL, b"%3\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n");
    check(SMALL, b"*4\r\n", DecodeErrorKind::TooManyElements { declared: 4, limit: 3 });
    check_allowed(SMALL, b"*?\r\n:1\r\n:1\r\n:1\r\n.\r\n");
    let streamed = b"~?\r\n:1\r\n:1\r\n:1\r\n:1\r\n.\r\n";
    check(SMALL, streamed, DecodeErrorKind::TooManyElements { declared: 4, limit: 3 });
    let streamed = b"%?\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n";
    check(SMALL, streamed, DecodeErrorKind::TooManyElements { declared: 4, limit: 3 });

    check_allowed(SMALL, b"+123456789012345\r\n");
    check(SMALL, b"+1234567890123456\r\n", DecodeErrorKind::LineTooLong { limit: 16 });
    check(SMALL, &[b'+'; 17], DecodeErrorKind::LineTooLong { limit: 16 });

    let total = ["*3\r\n*3\r\n", &"$8\r\n12345678\r\n".repeat(5)].concat();
    check(SMALL, total.as_bytes(), DecodeErrorKind::TotalTooLong { limit: 64 });
    let limits = Limits { bulk_len_max: 1000, ..SMALL };
    check(limits, b"$1000\r\n", DecodeErrorKind::TotalTooLong { limit: 64 });
}

#[test]
fn the_total_starts_anew_with_each_value() {
    let wire = b"$8\r\n12345678\r\n".repeat(100);
    for cuts in [vec![], every_byte(&wire)] {
        let (values, error) = decode_cut(SMALL, &wire, &cuts);
        assert_eq!((values.len(), error), (100, None));
    }
}

#[test]
fn deep_nesting_is_an_error_not_a_stack_overflow() {
    let kind = DecodeErrorKind::TooDeep { limit: 32 };
    for open in ["*1\r\n", "*?\r\n", "|0\r\n", "%1\r\n", ">1\r\n"] {
        let wire = open.repeat(200_000);
        let (_, error) = decode_cut(Limits::default(), wire.as_bytes(), &[]);
        let error = error.expect("too deep");
        assert_eq!((error.kind(), error.offset()), (kind, 32 * open.len()), "{open:?}");
    }
}

#[test]
fn declared_sizes_are_not_allocated() {
    let huge = Limits { array_len_max: usize::MAX, bulk_len_max: usize::MAX, ..Limits::default() };
    let huge = Limits { total_len_max: usize::MAX, ..huge };
    for wire in ["*1000000000\r\n", "%4000000000000000000\r\n", "*9223372036854775807\r\n"] {
        let mut buf = BytesMut::from(wire);
        assert_eq!(Decoder::new(huge).decode(&mut buf), Ok(None), "{wire:?}");
        let (values, error) = decode_cut(huge, format!("{wire}:1\r\n").as_bytes(), &[]);
        assert_eq!((values, error), (vec![], None));
    }
    let mut decoder = Decoder::new(huge);
    let mut buf = BytesMut::from("$9223372036854775807\r\nabc");
    assert_eq!(decoder.decode(&mut buf), Ok(None));
    assert!(buf.capacity() < 1024);
    assert_eq!(decoder.bytes_wanted(), 9_223_372_036_854_775_806);

    let mut decoder = RequestDecoder::new(huge);
    assert_eq!(decoder.decode(b"*1000000000\r\n"), Ok(Progress::Incomplete { wanted: 0 }));
    let mut decoder = RequestDecoder::new(huge);
    let claim = decoder.decode(b"*1\r\n$9223372036854775807\r\nabc");
    assert_eq!(claim, Ok(Progress::Incomplete { wanted: 9_223_372_036_854_775_806 }));
}

#[test]
fn requests_beyond_each_limit() {
    for (wire, error) in [
        (&b"*4\r\n"[..], RequestError::InvalidMultibulkLength),
        (b"*1\r\n$9\r\n", RequestError::InvalidBulkLength),
        (b"aaaaaaaaaaaaaaaaa", RequestError::TooBigInline),
        (b"*1111111111111111", RequestError::TooBigMbulkCount),
        (b"*1\r\n$1111111111111111", RequestError::TooBigBulkCount),
    ] {
        for cuts in [vec![], every_byte(wire)] {
            let found = requests_cut(&mut RequestDecoder::new(SMALL), wire, &cuts);
            assert_eq!(found, (vec![], Some(error)), "{}", wire.escape_ascii());
        }
    }
}

#[test]
fn a_request_has_a_limit_in_total() {
    let limits = Limits { total_len_max: 40, ..SMALL };
    let wire = b"*3\r\n$8\r\n12345678\r\n$8\r\n12345678\r\n$8\r\n12345678\r\n";
    for cuts in [vec![], every_byte(wire)] {
        let found = requests_cut(&mut RequestDecoder::new(limits), wire, &cuts);
        assert_eq!(found, (vec![], Some(RequestError::TotalTooLong)));
    }
    let mut reply = Vec::new();
    RequestError::TotalTooLong.write_reply(&mut reply);
    assert!(reply.is_empty());
}

#[test]
fn limits_may_change_between_requests() {
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.limits_mut().bulk_len_max = 3;
    let found = requests_cut(&mut decoder, b"*1\r\n$3\r\nabc\r\n*1\r\n$4\r\n", &[]);
    assert_eq!(found, (vec![vec![b"abc".to_vec()]], Some(RequestError::InvalidBulkLength)));
}

#[test]
fn a_hundred_thousand_small_values_in_one_aggregate() {
    let wire = format!("*100000\r\n{}", ":1\r\n".repeat(100_000));
    let (values, error) = decode_cut(Limits::default(), wire.as_bytes(), &[7, 5000, 123_456]);
    assert_eq!((values, error), (vec![Value::Array(vec![Value::Integer(1); 100_000])], None));
}
