//! Properties: encoding then decoding is the identity, however the bytes are cut.

use bytes::Bytes;
use fanfare_resp::{Limits, RequestDecoder, Value};
use proptest::{collection::vec, prelude::*};

use crate::{
    seed::check,
    support::{decode_cut, every_byte, requests_cut},
};

/// Bytes that may stand on a line.
fn line() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>().prop_filter("ends a line", |byte| !matches!(byte, b'\r' | b'\n')), 0..40)
        .prop_map(Bytes::from)
}

/// Any bytes, sometimes so many that they are not copied.
fn binary() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..30).prop_map(Bytes::from),
        1 => vec(any::<u8>(), 200..700).prop_map(Bytes::from),
        1 => Just(Bytes::from_static(b"message")),
    ]
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        // The bits of a NaN do not survive the wire.
        any::<u64>().prop_map(f64::from_bits).prop_map(|it| if it.is_nan() {
            f64::NAN
        } else {
            it
        }),
        (-1000_i32..1000).prop_map(|it| f64::from(it) / 8.0),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        line().prop_map(Value::SimpleString),
        line().prop_map(Value::SimpleError),
        any::<i64>().prop_map(Value::Integer),
        binary().prop_map(Value::BulkString),
        Just(Value::NullBulk),
        Just(Value::NullArray),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        double().prop_map(Value::Double),
        "[+-]?[0-9]{1,60}".prop_map(|digits| Value::BigNumber(Bytes::from(digits))),
        binary().prop_map(Value::BulkError),
        (any::<[u8; 3]>(), binary()).prop_map(|(format, text)| Value::Verbatim { format, text }),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(6, 60, 6, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            vec(inner.clone(), 0..6).prop_map(Value::Set),
            vec(inner.clone(), 0..6).prop_map(Value::Push),
            vec(pair.clone(), 0..4).prop_map(Value::Map),
            (vec(pair, 0..3), inner).prop_map(|(attributes, value)| Value::Attribute {
                attributes,
                value: Box::new(value)
            }),
        ]
    })
}

#[test]
fn values_survive_the_wire() {
    check(512, (vec(value(), 1..4), vec(any::<usize>(), 0..8)), |(values, cuts)| {
        let mut wire = Vec::new();
        for value in &values {
            fanfare_resp::value(&mut wire, value);
        }
        for cuts in [vec![], cuts, every_byte(&wire)] {
            prop_assert_eq!(&decode_cut(Limits::default(), &wire, &cuts), &(values.clone(), None));
        }
        Ok(())
    });
}

/// Writes as a stream what can be one; chunks of strings have `chunk_len` bytes.
fn write_streamed(out: &mut Vec<u8>, value: &Value, chunk_len: usize) {
    let (marker, items): (u8, Vec<&Value>) = match value {
        Value::BulkString(bytes) => {
            out.extend_from_slice(b"$?\r\n");
            for chunk in bytes.chunks(chunk_len) {
                out.extend_from_slice(format!(";{}\r\n", chunk.len()).as_bytes());
                out.extend_from_slice(chunk);
                out.extend_from_slice(b"\r\n");
            }
            return out.extend_from_slice(b";0\r\n");
        }
        Value::Attribute { attributes, value } => {
            out.extend_from_slice(format!("|{}\r\n", attributes.len()).as_bytes());
            for (key, val) in attributes {
                write_streamed(out, key, chunk_len);
                write_streamed(out, val, chunk_len);
            }
            return write_streamed(out, value, chunk_len);
        }
        Value::Array(items) => (b'*', items.iter().collect()),
        Value::Set(items) => (b'~', items.iter().collect()),
        Value::Push(items) => (b'>', items.iter().collect()),
        Value::Map(entries) => (b'%', entries.iter().flat_map(|(key, val)| [key, val]).collect()),
        other => return fanfare_resp::value(out, other),
    };
    out.extend_from_slice(&[marker, b'?', b'\r', b'\n']);
    for item in items {
        write_streamed(out, item, chunk_len);
    }
    out.extend_from_slice(b".\r\n");
}

#[test]
fn streamed_values_come_out_whole() {
    let inputs = (value(), 1_usize..300, vec(any::<usize>(), 0..8));
    check(512, inputs, |(value, chunk_len, cuts)| {
        let mut wire = Vec::new();
        write_streamed(&mut wire, &value, chunk_len);
        for cuts in [vec![], cuts, every_byte(&wire)] {
            let expected = (vec![value.clone()], None);
            prop_assert_eq!(decode_cut(Limits::default(), &wire, &cuts), expected);
        }
        Ok(())
    });
}

#[test]
fn requests_survive_the_wire() {
    let requests = vec(vec(binary().prop_map(|arg| arg.to_vec()), 1..12), 1..5);
    check(512, (requests, vec(any::<usize>(), 0..8)), |(requests, cuts)| {
        let mut wire = Vec::new();
        for args in &requests {
            fanfare_resp::command(&mut wire, args.iter().map(Vec::as_slice));
        }
        let mut decoder = RequestDecoder::new(Limits::default());
        for cuts in [vec![], cuts, every_byte(&wire)] {
            let decoded = requests_cut(&mut decoder, &wire, &cuts);
            prop_assert_eq!(decoded, (requests.clone(), None));
        }
        Ok(())
    });
}

#[test]
fn quoted_inline_arguments_survive_the_wire() {
    let args = vec(vec(any::<u8>(), 0..20), 1..6);
    check(512, (args, vec(any::<usize>(), 0..8)), |(args, cuts)| {
        let mut wire = Vec::new();
        for arg in &args {
            wire.push(b'"');
            for byte in arg {
                wire.extend_from_slice(format!("\\x{byte:02X}").as_bytes());
            }
            wire.extend_from_slice(b"\" ");
        }
        wire.extend_from_slice(b"\r\n");
        let mut decoder = RequestDecoder::new(Limits::default());
        for cuts in [vec![], cuts, every_byte(&wire)] {
            let decoded = requests_cut(&mut decoder, &wire, &cuts);
            prop_assert_eq!(decoded, (vec![args.clone()], None));
        }
        Ok(())
    });
}

/// Bytes that look like the protocol often enough to get past the first line.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        "[-+:$*_#,(!=%~>|;.]".prop_map(String::into_bytes),
        "[0-9?-]{1,3}".prop_map(String::into_bytes),
        Just(b"\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        "[*$%~>|;!=][0-9?]\r\n".prop_map(String::into_bytes),
        "[:,(#+-][0-9tf.e]{1,3}\r\n".prop_map(String::into_bytes),
        "[a-z \"'\\\\]{0,6}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..6),
    ];
    vec(fragment, 0..24).prop_map(|fragments| fragments.concat())
}

#[test]
fn garbage_gives_the_same_however_it_is_cut() {
    check(1500, (garbage(), vec(any::<usize>(), 0..8)), |(wire, cuts)| {
        let values = decode_cut(Limits::default(), &wire, &[]);
        let mut decoder = RequestDecoder::new(Limits::default());
        let requests = requests_cut(&mut decoder, &wire, &[]);
        for cuts in [cuts, every_byte(&wire)] {
            prop_assert_eq!(&decode_cut(Limits::default(), &wire, &cuts), &values);
            let mut decoder = RequestDecoder::new(Limits::default());
            prop_assert_eq!(&requests_cut(&mut decoder, &wire, &cuts), &requests);
        }
        Ok(())
    });
}

#[test]
fn what_was_decoded_from_garbage_survives_the_wire() {
    check(1500, garbage(), |wire| {
        let (values, _) = decode_cut(Limits::default(), &wire, &[]);
        let mut again = Vec::new();
        for value in &values {
            fanfare_resp::value(&mut again, value);
        }
        prop_assert_eq!(decode_cut(Limits::default(), &again, &[]), (values, None));
        Ok(())
    });
}
