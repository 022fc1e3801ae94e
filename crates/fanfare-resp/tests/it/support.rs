//! Decoding whole inputs, cut in pieces.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use bytes::BytesMut;
use fanfare_resp::{DecodeError, Decoder, Limits, Progress, RequestDecoder, RequestError, Value};

/// The values of `wire`, whose pieces end at `cuts`, and the error that ended it, if any.
pub(crate) fn decode_cut(
    limits: Limits,
    wire: &[u8],
    cuts: &[usize],
) -> (Vec<Value>, Option<DecodeError>) {
    let mut decoder = Decoder::new(limits);
    let mut buf = BytesMut::new();
    let mut values = Vec::new();
    for piece in pieces(wire, cuts) {
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

/// All of `wire`, which must be well-formed.
pub(crate) fn decode_all(wire: &[u8]) -> Vec<Value> {
    let (values, error) = decode_cut(Limits::default(), wire, &[]);
    assert_eq!(error, None, "{}", wire.escape_ascii());
    values
}

/// Arguments of one request after the other.
pub(crate) type Requests = Vec<Vec<Vec<u8>>>;

/// The requests of `wire`, whose pieces end at `cuts`, and the error that ended it, if any.
pub(crate) fn requests_cut(
    decoder: &mut RequestDecoder,
    wire: &[u8],
    cuts: &[usize],
) -> (Requests, Option<RequestError>) {
    let mut buf = Vec::new();
    let mut requests = Vec::new();
    for piece in pieces(wire, cuts) {
        buf.extend_from_slice(piece);
        while !buf.is_empty() {
            match decoder.decode(&buf) {
                Ok(Progress::Complete { consumed }) => {
                    let request = decoder.request(&buf);
                    assert_eq!(request.len(), request.iter().len());
                    assert_eq!(request.get(request.len()), None);
                    requests.push(request.iter().map(<[u8]>::to_vec).collect());
                    buf.drain(..consumed);
                }
                Ok(Progress::Incomplete { .. }) => break,
                Err(error) => return (requests, Some(error)),
            }
        }
    }
    (requests, None)
}

/// `cuts` as ends of pieces; what is behind the last one is the last piece.
fn pieces<'a>(wire: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (wire.len() + 1)).collect();
    ends.push(wire.len());
    ends.sort_unstable();
    let mut start = 0;
    let mut pieces = Vec::new();
    for end in ends {
        pieces.push(wire.get(start..end).expect("ends are sorted and within"));
        start = end;
    }
    pieces
}

/// Every byte is a piece.
pub(crate) fn every_byte(wire: &[u8]) -> Vec<usize> {
    (0..wire.len()).collect()
}
