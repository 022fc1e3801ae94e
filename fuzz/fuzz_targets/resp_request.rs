//! Bytes of a client, through `RequestDecoder`: whole and cut, before and after authentication.

#![no_main]

use fanfare_resp::{Limits, Progress, RequestDecoder, RequestError};
use libfuzzer_sys::fuzz_target;

/// Beyond this, whether a line is too long depends on how the bytes arrive, as in Redis.
const WIRE_LEN_MAX: usize = 64 * 1024;

fuzz_target!(|wire: &[u8]| {
    if WIRE_LEN_MAX < wire.len() {
        return;
    }
    for is_authenticated in [true, false] {
        let whole = decode(wire, wire.len().max(1), is_authenticated);
        for piece_len in [1, 2, 7] {
            assert_eq!(decode(wire, piece_len, is_authenticated), whole);
        }
    }

    let (mut requests, _) = decode(wire, wire.len().max(1), true);
    requests.retain(|args| !args.is_empty());
    let mut again = Vec::new();
    for args in &requests {
        fanfare_resp::command(&mut again, args.iter().map(Vec::as_slice));
    }
    assert_eq!(decode(&again, again.len().max(1), true), (requests, None));
});

type Requests = Vec<Vec<Vec<u8>>>;

/// The requests of `wire`, which arrives in pieces, and the error that ended it.
fn decode(
    wire: &[u8],
    piece_len: usize,
    is_authenticated: bool,
) -> (Requests, Option<RequestError>) {
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.set_authenticated(is_authenticated);
    let mut buf = Vec::new();
    let mut requests = Vec::new();
    for piece in wire.chunks(piece_len) {
        buf.extend_from_slice(piece);
        let mut start = 0;
        while start < buf.len() {
            let rest = &buf[start..];
            match decoder.decode(rest) {
                Ok(Progress::Complete { consumed }) => {
                    requests.push(decoder.request(rest).iter().map(<[u8]>::to_vec).collect());
                    start += consumed;
                }
                Ok(Progress::Incomplete { .. }) => break,
                Err(error) => return (requests, Some(error)),
            }
        }
        buf.drain(..start);
    }
    (requests, None)
}
