//! Bytes of a server, through `Decoder`: whole and cut.

#![no_main]

use bytes::BytesMut;
use fanfare_resp::{DecodeError, Decoder, Limits, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|wire: &[u8]| {
    let whole = decode(wire, wire.len().max(1));
    for piece_len in [1, 2, 7] {
        assert_eq!(decode(wire, piece_len), whole);
    }

    let (values, _) = whole;
    let mut again = Vec::new();
    for value in &values {
        fanfare_resp::value(&mut again, value);
    }
    assert_eq!(decode(&again, again.len().max(1)), (values, None));
});

/// The values of `wire`, which arrives in pieces, and the error that ended it.
fn decode(wire: &[u8], piece_len: usize) -> (Vec<Value>, Option<DecodeError>) {
    let mut decoder = Decoder::new(Limits::default());
    let mut buf = BytesMut::new();
    let mut values = Vec::new();
    for piece in wire.chunks(piece_len) {
        buf.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buf) {
                Ok(Some(value)) => values.push(value),
                Ok(None) => break,
                Err(error) => return (values, Some(error)),
            }
        }
    }
    (values, None)
}
