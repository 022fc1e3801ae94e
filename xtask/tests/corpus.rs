//! The fuzz targets' corpus through the decoders, whole and byte by byte, where libFuzzer is not at
//! hand.

#![expect(clippy::expect_used, reason = "a test may end with a message")]

use std::path::Path;

use bytes::BytesMut;
use fanfare_resp::{Decoder, Limits, Progress, RequestDecoder};

#[test]
fn replies_are_the_same_however_they_arrive() {
    for (name, wire) in corpus("resp_decode") {
        assert_eq!(replies(&wire, 1), replies(&wire, wire.len().max(1)), "{name}");
    }
}

#[test]
fn requests_are_the_same_however_they_arrive() {
    for (name, wire) in corpus("resp_request") {
        assert_eq!(requests(&wire, 1), requests(&wire, wire.len().max(1)), "{name}");
    }
}

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|it| {
            let path = it.expect("its entries can be read").path();
            (path.display().to_string(), std::fs::read(&path).expect("a file can be read"))
        })
        .collect();
    assert!(!files.is_empty());
    files
}

/// What was decoded, and the error that ended it.
fn replies(wire: &[u8], piece_len: usize) -> (Vec<String>, Option<String>) {
    let mut decoder = Decoder::new(Limits::default());
    let mut buffer = BytesMut::new();
    let mut values = Vec::new();
    for piece in wire.chunks(piece_len) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(value)) => values.push(format!("{value:?}")),
                Ok(None) => break,
                Err(error) => return (values, Some(error.to_string())),
            }
        }
    }
    (values, None)
}

fn requests(wire: &[u8], piece_len: usize) -> (Vec<Vec<Vec<u8>>>, Option<String>) {
    let mut decoder = RequestDecoder::new(Limits::default());
    let mut buffer = Vec::new();
    let mut requests = Vec::new();
    for piece in wire.chunks(piece_len) {
        buffer.extend_from_slice(piece);
        while !buffer.is_empty() {
            match decoder.decode(&buffer) {
                Ok(Progress::Complete { consumed }) => {
                    let request = decoder.request(&buffer);
                    requests.push(request.iter().map(<[u8]>::to_vec).collect());
                    buffer.drain(..consumed);
                }
                Ok(Progress::Incomplete { .. }) => break,
                Err(error) => return (requests, Some(error.to_string())),
            }
        }
    }
    (requests, None)
}
