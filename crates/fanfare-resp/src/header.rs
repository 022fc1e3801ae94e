//! The hot path of both decoders: `*3`, `$64` and their like, when nothing is unusual about them.

/// A line of `MARKER`, one to nine digits, CR and any byte, as nearly all are: its number and its
/// length. Anything else, the incomplete line included, is `None`.
#[inline]
pub(crate) fn header<const MARKER: u8>(buf: &[u8]) -> Option<(usize, usize)> {
    match buf {
        [marker, a @ b'0'..=b'9', b'\r', _, ..] if *marker == MARKER => {
            Some((usize::from(a - b'0'), 4))
        }
        [marker, a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', _, ..] if *marker == MARKER => {
            Some((usize::from(a - b'0') * 10 + usize::from(b - b'0'), 5))
        }
        [marker, b'1'..=b'9', ..] if *marker == MARKER => long_header(buf),
        _ => None,
    }
}

/// As [`header`]; the first digit is known not to be zero.
#[inline]
fn long_header(buf: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (idx, byte) in buf.iter().enumerate().skip(1).take(10) {
        let digit = byte.wrapping_sub(b'0');
        if 9 < digit {
            let is_whole = *byte == b'\r' && idx + 1 < buf.len();
            return is_whole.then_some((value, idx + 2));
        }
        value = value * 10 + usize::from(digit);
    }
    None
}
