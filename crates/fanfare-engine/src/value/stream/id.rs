//! [`StreamId`]: what orders the entries of a stream.
//!
//! Source: <https://redis.io/docs/latest/develop/data-types/streams/#entry-ids> and redis-server 7.0.15's way of reading
//! them, which is that of C: a byte 0 ends the text, and blanks and a sign may stand before digits.

use std::fmt;
use std::io::Write;

use crate::number;

/// Milliseconds, and a number among the entries of one millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix time in milliseconds, as a rule.
    pub ms: u64,
    /// Number within the millisecond.
    pub seq: u64,
}

/// An ID as `XADD` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    /// `*`: the time, or what follows the last ID.
    Auto,
    /// `ms-*`: the next number of a millisecond.
    AutoSeq(u64),
    /// `ms-seq`, or `ms` for `ms-0`.
    Explicit(StreamId),
}

/// What is longer is no ID.
const TEXT_LEN_MAX: usize = 127;
/// Two numbers of 64 bits and a hyphen.
const SPELLED_LEN_MAX: usize = 41;

impl StreamId {
    /// 0-0: before every entry.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    /// The last that there can be.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The one before it.
    #[must_use]
    pub fn previous(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// `ms-seq`, or `ms` alone, which has `missing_seq`.
    #[must_use]
    pub fn parse(raw: &[u8], missing_seq: u64) -> Option<Self> {
        let text = c_text(raw)?;
        let (ms, seq) = match text.iter().position(|&it| it == b'-') {
            Some(at) => (text.get(..at)?, parse_u64(text.get(at + 1..)?)?),
            None => (text, missing_seq),
        };
        Some(Self { ms: parse_u64(ms)?, seq })
    }

    /// As [`Self::parse`], and `-` and `+` are the first and the last that there can be.
    #[must_use]
    pub fn parse_bound(raw: &[u8], missing_seq: u64) -> Option<Self> {
        match c_text(raw)? {
            b"-" => Some(Self::MIN),
            b"+" => Some(Self::MAX),
            _ => Self::parse(raw, missing_seq),
        }
    }

    /// How it is spelled: `ms-seq`.
    #[must_use]
    pub fn spelled(self) -> Spelled {
        let mut spelled = Spelled { bytes: [0; SPELLED_LEN_MAX], len: 0 };
        let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
        let mut rest = &mut spelled.bytes[..];
        for part in [ms.format(self.ms).as_bytes(), b"-", seq.format(self.seq).as_bytes()] {
            // There is room for the longest.
            if rest.write_all(part).is_ok() {
                spelled.len += part.len();
            }
        }
        spelled
    }

    /// The millisecond `delta.0` and the number `delta.1` after this one; deltas are kept as signed numbers, and wrap.
    pub(super) fn plus(self, (ms, seq): (i64, i64)) -> Self {
        Self {
            ms: self.ms.wrapping_add(ms.cast_unsigned()),
            seq: self.seq.wrapping_add(seq.cast_unsigned()),
        }
    }

    /// What has to be added to `base`.
    pub(super) fn minus(self, base: Self) -> (i64, i64) {
        (self.ms.wrapping_sub(base.ms).cast_signed(), self.seq.wrapping_sub(base.seq).cast_signed())
    }
}

/// The text of an ID.
#[derive(Clone, Copy, Debug)]
pub struct Spelled {
    bytes: [u8; SPELLED_LEN_MAX],
    len: usize,
}

impl std::ops::Deref for Spelled {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl NewId {
    /// An ID as `XADD` takes it.
    #[must_use]
    pub fn parse(raw: &[u8]) -> Option<Self> {
        let text = c_text(raw)?;
        if text == b"*" {
            return Some(Self::Auto);
        }
        match text.strip_suffix(b"-*") {
            Some(ms) if !ms.contains(&b'-') => parse_u64(ms).map(Self::AutoSeq),
            _ => StreamId::parse(raw, 0).map(Self::Explicit),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// What C sees of it.
fn c_text(raw: &[u8]) -> Option<&[u8]> {
    if TEXT_LEN_MAX < raw.len() {
        return None;
    }
    raw.split(|&it| it == 0).next()
}

/// As Redis reads it: a number in its shortest form must not be below zero; anything else is read by `strtoull`, which
/// skips blanks, takes a sign, and takes what is below zero from 2^64.
fn parse_u64(text: &[u8]) -> Option<u64> {
    if let Some(number) = number::parse_int(text) {
        return u64::try_from(number).ok();
    }
    let n_blank = text.iter().take_while(|it| it.is_ascii_whitespace() || **it == 0x0b).count();
    let rest = text.get(n_blank..)?;
    let (is_negative, digits) = match rest.split_first()? {
        (b'-', digits) => (true, digits),
        (b'+', digits) => (false, digits),
        _ => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let number = digits.iter().try_fold(0_u64, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if is_negative { number.wrapping_neg() } else { number })
}

#[cfg(test)]
mod tests {
    use super::{NewId, StreamId};

    fn id(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    #[test]
    fn ids_are_read_as_c_reads_them() {
        let parse = |text: &[u8]| StreamId::parse(text, 9);
        for (text, expected) in [
            (&b"5"[..], id(5, 9)),
            (b"5-3", id(5, 3)),
            (b"007-03", id(7, 3)),
            (b" 5- 7", id(5, 7)),
            (b"+5-+7", id(5, 7)),
            (b"5- -7", id(5, 7_u64.wrapping_neg())),
            (b"5--0", id(5, 0)),
            (b"5--07", id(5, 7_u64.wrapping_neg())),
            (b"5\0junk", id(5, 9)),
            (b"18446744073709551615-18446744073709551615", StreamId::MAX),
        ] {
            assert_eq!(parse(text), Some(expected), "{}", text.escape_ascii());
        }
        let none: [&[u8]; 12] = [
            b"",
            b"-",
            b"+",
            b"-5",
            b"5-",
            b"5--7",
            b"5-*",
            b"x",
            b"5x",
            b"5-3-1",
            b"18446744073709551616",
            &[b'1'; 128],
        ];
        for text in none {
            assert_eq!(parse(text), None, "{}", text.escape_ascii());
        }
        assert_eq!(StreamId::parse_bound(b"-", 9), Some(StreamId::MIN));
        assert_eq!(StreamId::parse_bound(b"+", 9), Some(StreamId::MAX));
    }

    #[test]
    fn new_ids_may_be_left_to_the_stream() {
        assert_eq!(NewId::parse(b"*"), Some(NewId::Auto));
        assert_eq!(NewId::parse(b"5-*"), Some(NewId::AutoSeq(5)));
        assert_eq!(NewId::parse(b"5"), Some(NewId::Explicit(id(5, 0))));
        assert_eq!(NewId::parse(b"-*"), None);
        assert_eq!(NewId::parse(b"5-1-*"), None);
    }

    #[test]
    fn neighbours_and_spelling() {
        assert_eq!(id(1, u64::MAX).next(), Some(id(2, 0)));
        assert_eq!(id(2, 0).previous(), Some(id(1, u64::MAX)));
        assert_eq!((StreamId::MAX.next(), StreamId::MIN.previous()), (None, None));
        assert_eq!(*StreamId::MAX.spelled(), *StreamId::MAX.to_string().as_bytes());
        assert_eq!(*id(0, 7).spelled(), *b"0-7");
        let (base, far) = (id(7, 9), id(3, u64::MAX));
        assert_eq!(base.plus(far.minus(base)), far);
    }
}
