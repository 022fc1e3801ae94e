//! Records on disk: a marker, a length, a checksum, and the record's bytes.
//!
//! ```text
//! frame   = marker (4 bytes) · length of the body (u32) · CRC-32C of length and body (u32) · body
//! ```
//!
//! All numbers are little-endian. The marker is no proof of anything; it is where the search for the
//! next whole frame begins after a damaged one.

use memchr::memmem;

/// What each frame begins with. No text has it.
pub(super) const MARKER: [u8; 4] = [0xF5, b'S', b'P', 0xC1];

/// Bytes of a frame in front of its body.
pub(super) const HEAD_LEN: usize = 12;

/// Appends a frame with this body.
pub(super) fn write(body: &[u8], out: &mut Vec<u8>) -> Result<(), TooLong> {
    let len = u32::try_from(body.len()).map_err(|_| TooLong)?.to_le_bytes();
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&len);
    out.extend_from_slice(&checksum(len, body).to_le_bytes());
    out.extend_from_slice(body);
    Ok(())
}

/// The body does not fit into a frame: its length has 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

fn checksum(len: [u8; 4], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&len), body)
}

/// The length of the body that a frame's head announces.
pub(super) fn body_len(head: [u8; HEAD_LEN]) -> Option<usize> {
    let [a, b, c, d, len @ .., _, _, _, _] = head;
    let len = usize::try_from(u32::from_le_bytes(len)).ok()?;
    ([a, b, c, d] == MARKER).then_some(len)
}

/// The body of the frame that `bytes` begin with, if it is whole.
pub(super) fn body(bytes: &[u8]) -> Option<&[u8]> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_LEN>()?;
    let body = rest.get(..body_len(*head)?)?;
    let [_, _, _, _, l0, l1, l2, l3, crc @ ..] = *head;
    (checksum([l0, l1, l2, l3], body) == u32::from_le_bytes(crc)).then_some(body)
}

/// A part of a file: a whole frame, or bytes that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A frame with this body.
    Whole(&'a [u8]),
    /// So many bytes that are no frame, up to the next one or the end.
    Damaged(usize),
}

/// The parts of a file behind its header.
pub(super) struct Parts<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if self.0.is_empty() {
            return None;
        }
        if let Some(body) = body(self.0) {
            self.0 = self.0.get(HEAD_LEN + body.len()..).unwrap_or_default();
            return Some(Part::Whole(body));
        }
        let skipped = next_whole(self.0).unwrap_or(self.0.len());
        self.0 = self.0.get(skipped..).unwrap_or_default();
        Some(Part::Damaged(skipped))
    }
}

/// Where the next whole frame begins, behind the first byte.
fn next_whole(bytes: &[u8]) -> Option<usize> {
    let markers = memmem::find_iter(bytes, &MARKER);
    markers
        .skip_while(|at| *at == 0)
        .find(|at| bytes.get(*at..).is_some_and(|it| body(it).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bodies: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        bodies.iter().for_each(|it| write(it, &mut out).unwrap());
        out
    }

    #[test]
    fn frames_are_found_again() {
        let file = file(&[b"one", b"", b"three"]);
        let parts: Vec<_> = Parts(&file).collect();
        assert_eq!(parts, [Part::Whole(b"one"), Part::Whole(b""), Part::Whole(b"three")]);
    }

    #[test]
    fn a_file_that_is_cut_anywhere_keeps_its_whole_frames() {
        let whole = file(&[b"one", b"two", b"three"]);
        for len in 0..whole.len() {
            let n_whole = [15, 30, 47].iter().filter(|end| **end <= len).count();
            let parts: Vec<_> = Parts(&whole[..len]).collect();
            assert_eq!(parts.iter().filter(|it| matches!(it, Part::Whole(_))).count(), n_whole);
            let cut = len - [0, 15, 30, 47][n_whole];
            assert_eq!(parts.get(n_whole), (0 < cut).then_some(&Part::Damaged(cut)), "{len}");
        }
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed_and_none_costs_another_frame() {
        let whole = file(&[b"one", b"two", b"three"]);
        for bit in 0..whole.len() * 8 {
            let mut file = whole.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            let parts: Vec<_> = Parts(&file).collect();
            let n_damaged = parts.iter().filter(|it| matches!(it, Part::Damaged(_))).count();
            assert_eq!((parts.len(), n_damaged), (3, 1), "bit {bit}: {parts:?}");
        }
    }

    #[test]
    fn what_looks_like_a_frame_inside_a_record_is_its_content() {
        let inner = file(&[b"inner"]);
        let outer = file(&[&inner, b"next"]);
        assert_eq!(Parts(&outer).next(), Some(Part::Whole(&inner[..])));
    }
}
