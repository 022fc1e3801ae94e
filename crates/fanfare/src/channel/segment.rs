//! One segment of a name: how it is written so that it stays one.

use fanfare_client::{Error, ErrorKind};

/// Between segments.
pub(super) const SEPARATOR: u8 = b':';

/// What is written as `%` and two digits: what separates segments, what escapes, and what nobody sees.
/// So a name of usual characters is written as it is.
fn is_escaped(byte: u8) -> bool {
    matches!(byte, SEPARATOR | b'%') || byte <= b' ' || byte == 0x7f
}

/// Appends a segment to a name.
pub(super) fn push(name: &mut Vec<u8>, segment: &[u8]) -> Result<(), Error> {
    if segment.is_empty() {
        let message = "a segment of a channel's name is empty: leave it out, or give it a value";
        return Err(Error::new(ErrorKind::InvalidRequest, message));
    }
    if !name.is_empty() {
        name.push(SEPARATOR);
    }
    for &byte in segment {
        if is_escaped(byte) {
            name.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            name.push(byte);
        }
    }
    Ok(())
}

/// What was a segment before it was written.
pub(super) fn decode(written: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(written.len());
    let mut rest = written;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| after.split_at_checked(2)).flatten();
        let value = escaped.and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            // `from_str_radix` takes a sign as well.
            let is_hex = digits.bytes().all(|it| it.is_ascii_hexdigit());
            is_hex.then(|| u8::from_str_radix(digits, 16).ok()).flatten().map(|it| (it, after))
        });
        let (byte, after) = value.unwrap_or((byte, after));
        decoded.push(byte);
        rest = after;
    }
    decoded
}
