//! Replies of both versions, byte for byte.

use fanfare_resp::{Value, Version, Writer, bulk_header_len, bulk_len};

fn check(write: impl Fn(&mut Writer<'_>), resp2: &str, resp3: &str) {
    for (version, expected) in [(Version::Resp2, resp2), (Version::Resp3, resp3)] {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out, version));
        assert_eq!(out.escape_ascii().to_string(), expected.as_bytes().escape_ascii().to_string());
    }
}

#[test]
fn every_type_in_both_versions() {
    check(|w| w.simple(b"OK"), "+OK\r\n", "+OK\r\n");
    check(|w| w.ok(), "+OK\r\n", "+OK\r\n");
    for n in [0, 9, 10, 42, 99, 100, 12345, i64::MAX, -1, -10, i64::MIN] {
        let expected = format!(":{n}\r\n");
        check(|w| w.int(n), &expected, &expected);
    }
    check(|w| w.error(b"ERR x"), "-ERR x\r\n", "-ERR x\r\n");
    check(|w| w.int(-12), ":-12\r\n", ":-12\r\n");
    check(|w| w.bulk(b"0123456789"), "$10\r\n0123456789\r\n", "$10\r\n0123456789\r\n");
    check(|w| w.null(), "$-1\r\n", "_\r\n");
    check(|w| w.null_array(), "*-1\r\n", "_\r\n");
    check(|w| w.array(3), "*3\r\n", "*3\r\n");
    check(|w| w.map(3), "*6\r\n", "%3\r\n");
    check(|w| w.set(12), "*12\r\n", "~12\r\n");
    check(|w| w.push(3), "*3\r\n", ">3\r\n");
    check(|w| w.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
    check(|w| w.boolean(true), ":1\r\n", "#t\r\n");
    check(|w| w.boolean(false), ":0\r\n", "#f\r\n");
    check(|w| w.big_number(b"123"), "$3\r\n123\r\n", "(123\r\n");
    check(|w| w.verbatim(b"txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
    check(|w| w.bulk_error(b"ERR a\r\nb"), "-ERR a  b\r\n", "!8\r\nERR a\r\nb\r\n");
    let attribute = |w: &mut Writer<'_>| {
        if w.attribute(1) {
            w.bulk(b"ttl");
            w.int(9);
        }
        w.null();
    };
    check(attribute, "$-1\r\n", "|1\r\n$3\r\nttl\r\n:9\r\n_\r\n");
}

#[test]
fn a_line_cannot_forge_another_reply() {
    check(|w| w.error(b"ERR 'x\r\n+OK\r\n'"), "-ERR 'x  +OK  '\r\n", "-ERR 'x  +OK  '\r\n");
    check(|w| w.simple(b"a\nb"), "+a b\r\n", "+a b\r\n");
    let mut out = Vec::new();
    fanfare_resp::value(&mut out, &Value::SimpleError("a\r\nb".into()));
    assert_eq!(out, b"-a  b\r\n");
}

/// The texts are those of C's `printf("%.17g")`.
#[test]
fn doubles_as_redis_7_0_writes_them() {
    for (value, text) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (3.0, "3"),
        (1.1, "1.1000000000000001"),
        (-1.5, "-1.5"),
        (0.1, "0.10000000000000001"),
        (100.0, "100"),
        (123_456.789, "123456.789"),
        (1e15, "1000000000000000"),
        (1e16, "10000000000000000"),
        (12_345_678_901_234_567.0, "12345678901234568"),
        (1e17, "1e+17"),
        (1e100, "1e+100"),
        (1.5e300, "1.5000000000000001e+300"),
        (0.0001, "0.0001"),
        (0.00012, "0.00012"),
        (0.00001, "1.0000000000000001e-05"),
        (5e-324, "4.9406564584124654e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
        (1.0 / 3.0, "0.33333333333333331"),
        (1e23, "9.9999999999999992e+22"),
    ] {
        let (len, resp3) = (text.len(), format!(",{text}\r\n"));
        check(|w| w.double(value), &format!("${len}\r\n{text}\r\n"), &resp3);
    }
}

#[test]
fn announced_lengths_are_those_written() {
    for n in [0, 1, 9, 10, 99, 100, 999, 1000, 65_535, 100_000] {
        let mut out = Vec::new();
        let bytes = vec![b'x'; n];
        Writer::new(&mut out, Version::Resp2).bulk(&bytes);
        assert_eq!(out.len(), bulk_len(n));
        out.clear();
        Writer::new(&mut out, Version::Resp2).array(n);
        assert_eq!(out.len(), bulk_header_len(n));
    }
}
