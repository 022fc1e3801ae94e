//! Replies, type by type, as bytes and as values.

use bytes::{Bytes, BytesMut};
use fanfare_resp::{DecodeErrorKind, Decoder, Limits, Value};

use crate::support::{decode_all, decode_cut, every_byte};

fn check(wire: &str, expected: Value) {
    let expected = vec![expected];
    assert_eq!(decode_all(wire.as_bytes()), expected, "{wire:?}");
    let byte_by_byte = decode_cut(Limits::default(), wire.as_bytes(), &every_byte(wire.as_bytes()));
    assert_eq!(byte_by_byte, (expected, None), "{wire:?}");
}

fn check_error(wire: &str, offset: usize, kind: DecodeErrorKind) {
    for cuts in [vec![], every_byte(wire.as_bytes())] {
        let (_, error) = decode_cut(Limits::default(), wire.as_bytes(), &cuts);
        let error = error.map(|error| (error.kind(), error.offset()));
        assert_eq!(error, Some((kind, offset)), "{wire:?}");
    }
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn scalars() {
    check("+OK\r\n", Value::SimpleString(text("OK")));
    check("+\r\n", Value::SimpleString(text("")));
    check("-ERR no\r\n", Value::SimpleError(text("ERR no")));
    check(":-5\r\n", Value::Integer(-5));
    check(":+5\r\n", Value::Integer(5));
    check(":-9223372036854775808\r\n", Value::Integer(i64::MIN));
    check("$5\r\nhello\r\n", Value::bulk("hello"));
    check("$0\r\n\r\n", Value::bulk(""));
    check("$4\r\n\r\n\r\n\r\n", Value::bulk("\r\n\r\n"));
    check("$-1\r\n", Value::NullBulk);
    check("*-1\r\n", Value::NullArray);
    check("_\r\n", Value::Null);
    check("#t\r\n", Value::Boolean(true));
    check("#f\r\n", Value::Boolean(false));
    check("(-3492890328409238509324850943850943825024385\r\n", {
        Value::BigNumber(text("-3492890328409238509324850943850943825024385"))
    });
    check("!21\r\nSYNTAX invalid syntax\r\n", Value::BulkError(text("SYNTAX invalid syntax")));
    check("=8\r\ntxt:Some\r\n", Value::Verbatim { format: *b"txt", text: text("Some") });
    check("=4\r\nmkd:\r\n", Value::Verbatim { format: *b"mkd", text: text("") });
}

#[test]
fn doubles() {
    for (wire, expected) in [
        (",1.5\r\n", 1.5),
        (",10\r\n", 10.0),
        (",-0\r\n", -0.0),
        (",1e-5\r\n", 1e-5),
        (",1.5E+300\r\n", 1.5e300),
        (",inf\r\n", f64::INFINITY),
        (",-inf\r\n", f64::NEG_INFINITY),
        (",nan\r\n", f64::NAN),
        (",-nan\r\n", f64::NAN),
    ] {
        check(wire, Value::Double(expected));
    }
}

#[test]
fn aggregates() {
    check("*0\r\n", Value::Array(vec![]));
    check("%0\r\n", Value::Map(vec![]));
    check("*2\r\n:1\r\n*1\r\n_\r\n", {
        Value::Array(vec![Value::Integer(1), Value::Array(vec![Value::Null])])
    });
    check("~2\r\n:1\r\n:1\r\n", Value::Set(vec![Value::Integer(1), Value::Integer(1)]));
    check(">1\r\n+x\r\n", Value::Push(vec![Value::SimpleString(text("x"))]));
    check("%1\r\n+k\r\n*0\r\n", {
        Value::Map(vec![(Value::SimpleString(text("k")), Value::Array(vec![]))])
    });
}

#[test]
fn attributes_belong_to_the_value_after_them() {
    let ttl = vec![(Value::SimpleString(text("ttl")), Value::Integer(9))];
    check("*2\r\n|1\r\n+ttl\r\n:9\r\n:1\r\n:2\r\n", {
        Value::Array(vec![
            Value::Attribute { attributes: ttl.clone(), value: Box::new(Value::Integer(1)) },
            Value::Integer(2),
        ])
    });
    let inner = Value::Attribute { attributes: vec![], value: Box::new(Value::Null) };
    let nested = Value::Attribute { attributes: ttl, value: Box::new(inner) };
    check("|1\r\n+ttl\r\n:9\r\n|0\r\n_\r\n", nested.clone());
    assert!(nested.is_null());
    assert_eq!(nested.into_inner(), Value::Null);
}

#[test]
fn streamed_strings_and_aggregates() {
    check("$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;2\r\nld\r\n;0\r\n", Value::bulk("Hello world"));
    check("$?\r\n;0\r\n", Value::bulk(""));
    check("*?\r\n:1\r\n*?\r\n.\r\n.\r\n", {
        Value::Array(vec![Value::Integer(1), Value::Array(vec![])])
    });
    check("~?\r\n:1\r\n.\r\n", Value::Set(vec![Value::Integer(1)]));
    check(">?\r\n:1\r\n.\r\n", Value::Push(vec![Value::Integer(1)]));
    check("%?\r\n:1\r\n:2\r\n.\r\n", Value::Map(vec![(Value::Integer(1), Value::Integer(2))]));
    check("*1\r\n$?\r\n;1\r\na\r\n;0\r\n", Value::Array(vec![Value::bulk("a")]));
}

#[test]
fn broken_replies() {
    check_error("hello\r\n", 0, DecodeErrorKind::UnexpectedType(b'h'));
    check_error("*2\r\n:1\r\nx\r\n", 8, DecodeErrorKind::UnexpectedType(b'x'));
    check_error("\r\n", 0, DecodeErrorKind::UnexpectedType(b'\r'));
    check_error(".\r\n", 0, DecodeErrorKind::UnexpectedType(b'.'));
    check_error("*1\r\n.\r\n", 4, DecodeErrorKind::UnexpectedType(b'.'));
    check_error("*?\r\n|0\r\n.\r\n", 8, DecodeErrorKind::UnexpectedType(b'.'));
    check_error(";1\r\n", 0, DecodeErrorKind::UnexpectedType(b';'));
    check_error("$?\r\n:1\r\n", 4, DecodeErrorKind::UnexpectedType(b':'));
    check_error("|?\r\n", 0, DecodeErrorKind::UnexpectedType(b'|'));
    check_error("+a\nb\r\n", 0, DecodeErrorKind::ExpectedCrlf);
    check_error("+a\rb\r\n", 0, DecodeErrorKind::ExpectedCrlf);
    check_error("$1\r\nabc\r\n", 4, DecodeErrorKind::ExpectedCrlf);
    check_error("$1\r\na\rc", 4, DecodeErrorKind::ExpectedCrlf);
    check_error("$-2\r\n", 0, DecodeErrorKind::InvalidLength);
    check_error("$\r\n", 0, DecodeErrorKind::InvalidLength);
    check_error("$01\r\n", 0, DecodeErrorKind::InvalidLength);
    check_error("$18446744073709551615\r\n", 0, DecodeErrorKind::InvalidLength);
    check_error("~-1\r\n", 0, DecodeErrorKind::InvalidLength);
    check_error("!-1\r\n", 0, DecodeErrorKind::InvalidLength);
    check_error(":\r\n", 0, DecodeErrorKind::InvalidInteger);
    check_error(":1a\r\n", 0, DecodeErrorKind::InvalidInteger);
    check_error(":9223372036854775808\r\n", 0, DecodeErrorKind::InvalidInteger);
    check_error(",Infinity\r\n", 0, DecodeErrorKind::InvalidDouble);
    check_error(",\r\n", 0, DecodeErrorKind::InvalidDouble);
    check_error("(\r\n", 0, DecodeErrorKind::InvalidBigNumber);
    check_error("(1.0\r\n", 0, DecodeErrorKind::InvalidBigNumber);
    check_error("#true\r\n", 0, DecodeErrorKind::InvalidBoolean);
    check_error("_x\r\n", 0, DecodeErrorKind::InvalidNull);
    check_error("=3\r\ntxt\r\n", 4, DecodeErrorKind::InvalidVerbatim);
    check_error("=4\r\ntext\r\n", 4, DecodeErrorKind::InvalidVerbatim);
    check_error("%?\r\n:1\r\n.\r\n", 8, DecodeErrorKind::OddMap);
}

#[test]
fn offsets_count_from_the_start_of_the_value() {
    let (values, error) = decode_cut(Limits::default(), b"+OK\r\n*2\r\n:1\r\n?\r\n", &[]);
    assert_eq!(values.len(), 1);
    let error = error.unwrap();
    assert_eq!(error.offset(), 8);
    assert!(!error.is_limit());
    assert_eq!(error.to_string(), "unexpected type byte 0x3f at byte 8 of the value");
}

#[test]
fn large_strings_are_slices_of_the_buffer() {
    let mut wire = Vec::new();
    fanfare_resp::value(&mut wire, &Value::bulk(vec![b'x'; 100_000]));
    let mut buf = BytesMut::from(&wire[..]);
    let range = buf.as_ptr_range();
    let value = Decoder::new(Limits::default()).decode(&mut buf).unwrap().unwrap();
    let bytes = value.into_bytes().unwrap();
    assert!(range.contains(&bytes.as_ptr()));
    assert!(buf.is_empty());
}

#[test]
fn the_decoder_says_how_much_is_missing() {
    let mut decoder = Decoder::new(Limits::default());
    let mut buf = BytesMut::from(&b"*2\r\n$1000\r\nabc"[..]);
    assert_eq!(decoder.decode(&mut buf).unwrap(), None);
    assert_eq!(decoder.bytes_wanted(), 999);
    buf.extend_from_slice(&[b'x'; 997]);
    buf.extend_from_slice(b"\r");
    assert_eq!(decoder.decode(&mut buf).unwrap(), None);
    assert_eq!(decoder.bytes_wanted(), 1);
}

#[test]
fn accessors() {
    assert_eq!(Value::bulk("1.5").as_double(), Some(1.5));
    assert_eq!(Value::Integer(3).as_double(), Some(3.0));
    assert_eq!(Value::Integer(1).as_bool(), Some(true));
    assert_eq!(Value::Integer(2).as_bool(), None);
    assert_eq!(Value::bulk("é").as_str(), Some("é"));
    assert_eq!(Value::bulk(&b"\xff"[..]).as_str(), None);
    assert_eq!(Value::SimpleError(text("ERR x")).as_error(), Some(&b"ERR x"[..]));
    assert_eq!(Value::bulk("x").as_error(), None);
    let flat = Value::Array(vec![Value::bulk("k"), Value::Integer(1)]);
    assert_eq!(flat.as_array().map(<[Value]>::len), Some(2));
    assert_eq!(flat.into_pairs(), Some(vec![(Value::bulk("k"), Value::Integer(1))]));
    assert_eq!(Value::Array(vec![Value::Null]).into_pairs(), None);
    assert_ne!(Value::Double(0.0), Value::Double(-0.0));
    assert_ne!(Value::Null, Value::NullBulk);
}
