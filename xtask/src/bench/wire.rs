//! The bytes that go over the wire: commands, and the frames that answer them.

/// The channel of the single-channel workloads: with a payload of 64 bytes its frame has 102.
pub(super) const CHANNEL: &[u8] = b"bench:00";

/// Encodes one command as an array of bulk strings.
pub(super) fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        push_bulk(&mut out, word);
    }
    out
}

/// The frame that a RESP2 subscriber of `channel` receives.
pub(super) fn message(channel: &[u8], payload: &[u8]) -> Vec<u8> {
    command(&[b"message", channel, payload])
}

/// The frame that a RESP2 subscriber of `pattern` receives.
pub(super) fn pattern_message(pattern: &[u8], channel: &[u8], payload: &[u8]) -> Vec<u8> {
    command(&[b"pmessage", pattern, channel, payload])
}

/// A payload of `len` bytes.
pub(super) fn payload(len: usize) -> Vec<u8> {
    vec![b'x'; len]
}

/// Appends one bulk string.
pub(super) fn push_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// One bulk string.
pub(super) fn bulk(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    push_bulk(&mut out, bytes);
    out
}

/// An integer reply.
pub(super) fn integer(value: usize) -> Vec<u8> {
    format!(":{value}\r\n").into_bytes()
}
