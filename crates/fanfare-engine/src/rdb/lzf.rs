//! LZF, the compression of strings in RDB.
//!
//! ```text
//! 000LLLLL                    the next L + 1 bytes as they are
//! LLLooooo oooooooo           L + 2 bytes (L < 7) from o + 1 bytes back
//! 111ooooo LLLLLLLL oooooooo  L + 9 bytes from o + 1 bytes back
//! ```
//!
//! The compressor makes the choices that Redis's makes (libLZF with a table of 16 bits, set to "very fast"), so that the
//! same string gives the same bytes. It never finds less; Redis sometimes finds more, because its table begins with what
//! the string before left in it.

use std::fmt;

/// Longest run of bytes that stand for themselves.
const LITERALS_MAX: usize = 32;
/// Longest match.
const MATCH_LEN_MAX: usize = 264;
/// How far back a match may be.
const DISTANCE_MAX: u32 = 8192;
/// Redis stores a string as it is where compression does not save more than this.
const SAVED_MIN: usize = 4;
/// Three bytes become at most [`MATCH_LEN_MAX`].
const GROWTH_MAX: usize = MATCH_LEN_MAX / 3;
/// What is reserved at once, as a multiple of the compressed bytes; the rest comes as it is needed.
const RESERVED_MAX: usize = 8;

/// A place for each hash of 16 bits.
const TABLE_LEN: usize = 1 << 16;

/// Compresses strings one after another. Keeps its table of a quarter of a megabyte between them; before the first one
/// it has none.
pub struct Compressor {
    /// Where three bytes were last seen, by their hash. Positions count on from string to string, so that those of
    /// earlier strings are known without clearing the table.
    table: Box<[u32]>,
    base: u32,
}

impl Compressor {
    /// A compressor that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { table: Box::default(), base: 0 }
    }

    /// Adds the compressed form of `input` to `out`. If it does not save more than four bytes, nothing is added and the
    /// answer is false.
    pub fn compress(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        let len_before = out.len();
        let is_smaller = self.try_compress(input, out).is_some();
        if !is_smaller {
            out.truncate(len_before);
        }
        is_smaller
    }

    fn try_compress(&mut self, input: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let limit = input.len().checked_sub(SAVED_MIN).filter(|it| *it != 0)?;
        let base = self.begin(u32::try_from(input.len()).ok()?)?;
        let mut run = Run { input, start: 0, end: 0, out_start: out.len(), out };
        while let Some(&[a, b, c]) = input.get(run.end..).and_then(|it| it.first_chunk()) {
            let here = base + u32::try_from(run.end).ok()?;
            let seen = std::mem::replace(self.slot([a, b, c])?, here);
            match find(input, run.end, base, here, seen) {
                None => {
                    if limit <= run.n_written() {
                        return None;
                    }
                    run.extend();
                }
                Some((distance, len)) => {
                    if limit <= run.n_written() - usize::from(run.is_empty()) + 4 {
                        return None;
                    }
                    run.finish();
                    write_match(run.out, distance, len);
                    run.skip(len);
                    if input.len() <= run.end + 2 {
                        break;
                    }
                    // Of the bytes that a match covers only the last two places are remembered.
                    for at in [run.end - 2, run.end - 1] {
                        let three = input.get(at..).and_then(|it| it.first_chunk())?;
                        *self.slot(*three)? = base + u32::try_from(at).ok()?;
                    }
                }
            }
        }
        if limit < run.n_written() + 3 {
            return None;
        }
        while run.end < input.len() {
            run.extend();
        }
        run.finish();
        Some(())
    }

    /// The position of the first byte of a string of so many bytes. `None` if it is too long to be counted.
    fn begin(&mut self, len: u32) -> Option<u32> {
        if self.table.is_empty() {
            self.table = vec![0; TABLE_LEN].into_boxed_slice();
        }
        let base = self.base;
        if let Some(next) = base.checked_add(len).and_then(|it| it.checked_add(1)) {
            self.base = next;
            return Some(base);
        }
        self.table.fill(0);
        self.base = len.checked_add(1)?;
        Some(0)
    }

    fn slot(&mut self, [a, b, c]: [u8; 3]) -> Option<&mut u32> {
        let head = u16::from_be_bytes([a, b]);
        let tail = u16::from_be_bytes([b, c]);
        self.table.get_mut(usize::from(head.wrapping_sub(tail.wrapping_mul(5))))
    }
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

/// How far back the match for the bytes at `at` begins, less one, and its length. `here` is `at` as the table counts,
/// `seen` what the table had there.
fn find(input: &[u8], at: usize, base: u32, here: u32, seen: u32) -> Option<(u16, usize)> {
    // Redis takes the first position of a string for an empty place in the table.
    let from = seen.checked_sub(base).filter(|it| *it != 0)?;
    let distance = here.checked_sub(seen)?.checked_sub(1).filter(|it| *it < DISTANCE_MAX)?;
    let earlier = input.get(usize::try_from(from).ok()?..)?;
    let later = input.get(at..)?;
    // The last two bytes belong to a match only where it would be shorter than three without them.
    let len_max = later.len().saturating_sub(2).clamp(3, MATCH_LEN_MAX);
    let equal = earlier.iter().zip(later).take(len_max).take_while(|(left, right)| left == right);
    let len = equal.count();
    (3 <= len).then_some((u16::try_from(distance).ok()?, len))
}

fn write_match(out: &mut Vec<u8>, distance: u16, len: usize) {
    let [far, near] = distance.to_be_bytes();
    let [short, ..] = len.saturating_sub(2).to_le_bytes();
    let [long, ..] = len.saturating_sub(9).to_le_bytes();
    if len < 9 {
        out.extend_from_slice(&[(short << 5) | far, near]);
    } else {
        out.extend_from_slice(&[(7 << 5) | far, long, near]);
    }
}

/// Bytes of the input that will stand for themselves, up to the place that is looked at.
struct Run<'a> {
    input: &'a [u8],
    start: usize,
    end: usize,
    out_start: usize,
    out: &'a mut Vec<u8>,
}

impl Run<'_> {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Bytes that were written or will be, with the first byte of this run.
    fn n_written(&self) -> usize {
        self.out.len() - self.out_start + 1 + (self.end - self.start)
    }

    fn extend(&mut self) {
        self.end += 1;
        if self.end - self.start == LITERALS_MAX {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let literals = self.input.get(self.start..self.end).unwrap_or_default();
        if let Some(last) = literals.len().checked_sub(1).and_then(|it| u8::try_from(it).ok()) {
            self.out.push(last);
            self.out.extend_from_slice(literals);
        }
        self.start = self.end;
    }

    fn skip(&mut self, len: usize) {
        self.end += len;
        self.start = self.end;
    }
}

/// A compressed string that does not unfold to what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCompression;

impl fmt::Display for BadCompression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the compressed bytes do not unfold to what was announced")
    }
}

impl std::error::Error for BadCompression {}

/// Unfolds `packed` to exactly `len` bytes. A `len` that is only claimed takes no memory: at first at most eight times
/// the bytes of `packed`, then twice what has been unfolded.
///
/// # Errors
/// If it unfolds to anything else.
pub fn decompress(packed: &[u8], len: usize) -> Result<Vec<u8>, BadCompression> {
    if packed.len().saturating_mul(GROWTH_MAX) < len {
        return Err(BadCompression);
    }
    let mut out = Vec::with_capacity(len.min(packed.len().saturating_mul(RESERVED_MAX)));
    let mut rest = packed;
    while let Some((&control, after)) = rest.split_first() {
        rest = unfold(control, after, len - out.len(), &mut out).ok_or(BadCompression)?;
    }
    if out.len() == len {
        out.shrink_to_fit();
        Ok(out)
    } else {
        Err(BadCompression)
    }
}

/// Unfolds what `control` says to at most `n_max` bytes, and returns what follows.
fn unfold<'a>(control: u8, rest: &'a [u8], n_max: usize, out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let head = usize::from(control >> 5);
    if head == 0 {
        let n = usize::from(control) + 1;
        let (literals, rest) = rest.split_at_checked(n).filter(|_| n <= n_max)?;
        out.extend_from_slice(literals);
        return Some(rest);
    }
    let (more, rest) = if head == 7 { rest.split_first()? } else { (&0, rest) };
    let (&near, rest) = rest.split_first()?;
    let n = head + usize::from(*more) + 2;
    let distance = usize::from(u16::from_be_bytes([control & 0x1F, near])) + 1;
    let start = out.len().checked_sub(distance).filter(|_| n <= n_max)?;
    let mut n_left = n;
    while n_left != 0 {
        // A match may reach into what it produces; then each round can copy twice as much.
        let n_copied = n_left.min(out.len() - start);
        out.extend_from_within(start..start + n_copied);
        n_left -= n_copied;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::{BadCompression, Compressor, decompress};

    #[test]
    fn a_run_of_one_byte_shrinks_and_returns() {
        let mut out = b"before".to_vec();
        assert!(Compressor::new().compress(&[b'a'; 600], &mut out));
        assert!(out.len() < 30, "{out:?}");
        assert_eq!(decompress(&out[6..], 600), Ok(vec![b'a'; 600]));
    }

    #[test]
    fn what_does_not_shrink_is_left() {
        let mut out = b"before".to_vec();
        let mut compressor = Compressor::new();
        for input in [&b""[..], b"a", b"aaaa", b"abcdefghijklmnopqrstuvwxyz0123456789"] {
            assert!(!compressor.compress(input, &mut out));
        }
        assert_eq!(out, b"before");
    }

    #[test]
    fn positions_may_overflow() {
        let mut compressor = Compressor::new();
        compressor.base = u32::MAX - 700;
        for _ in 0..4 {
            let mut out = Vec::new();
            assert!(compressor.compress(&b"hello world ".repeat(20), &mut out));
            assert_eq!(decompress(&out, 240), Ok(b"hello world ".repeat(20)));
        }
        assert!(compressor.base < 1000);
    }

    #[test]
    fn hostile_bytes_are_refused() {
        for (packed, len) in [
            (&[][..], 1),
            (&[0], 1),
            (&[0, b'a'], 2),
            (&[1, b'a', b'b'], 1),
            (&[0, b'a', 0x20], 4),
            (&[0, b'a', 0xE0, 0xFF], 265),
            (&[0, b'a', 0x20, 1], 4),
            (&[0, b'a', 0x3F, 0xFF], 4),
            (&[0, b'a', 0x20, 0], usize::MAX),
        ] {
            assert_eq!(decompress(packed, len), Err(BadCompression), "{packed:?}");
        }
        assert_eq!(decompress(&[0, b'a', 0x20, 0], 4), Ok(b"aaaa".to_vec()));
        assert_eq!(decompress(&[0, b'a', 0xE0, 0xFF, 0], 265), Ok(vec![b'a'; 265]));
    }
}
