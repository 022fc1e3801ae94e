//! Lengths and strings as RDB has them.
//!
//! | first byte | what follows |
//! |---|---|
//! | `00......` | nothing: the length is in the other six bits |
//! | `01......` | one byte: the low eight of 14 bits |
//! | `10000000`, `10000001` | four or eight bytes, the highest first |
//! | `110000..` | no length: a string in another form: 0 to 2 an integer of 1, 2 or 4 bytes (the lowest first), 3 compressed |

use std::borrow::Cow;

use super::{Compressor, ReadError, ReadErrorKind, lzf};
use crate::number;

/// What a string may have, unpacked, if nothing else is said: `proto-max-bulk-len`.
const STRING_LEN_MAX: usize = 512 << 20;
/// A longer string is not written as an integer: the longest are those of 32 bits.
const INT_LEN_MAX: usize = 11;
/// A shorter string is not worth compressing.
const COMPRESSED_LEN_MIN: usize = 21;

const LEN_32_BITS: u8 = 0x80;
const LEN_64_BITS: u8 = 0x81;
const INT_8_BITS: u8 = 0xC0;
const INT_16_BITS: u8 = 0xC1;
const INT_32_BITS: u8 = 0xC2;
const COMPRESSED: u8 = 0xC3;

/// A string that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// The decimal form of this number.
    Int(i32),
    /// Bytes of the input, or what they unfolded to.
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Text<'a> {
    /// The bytes; a number is spelled out.
    #[must_use]
    pub fn into_bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::Int(number) => Cow::Owned(itoa::Buffer::new().format(number).as_bytes().to_vec()),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// What a length may be.
enum Head {
    Len(u64),
    Other(u8),
}

/// Reads RDB from bytes, from the first to the last. After an error it stands where it stood before.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    string_len_max: usize,
}

impl<'a> Reader<'a> {
    /// A reader that unpacks strings of up to 512 MiB.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0, string_len_max: STRING_LEN_MAX }
    }

    /// Sets how long a string may be, unpacked.
    #[must_use]
    pub fn with_string_len_max(mut self, string_len_max: usize) -> Self {
        self.string_len_max = string_len_max;
        self
    }

    /// How many bytes were read.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What is left to read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], ReadError> {
        let taken = self.rest().get(..n).ok_or(self.error(ReadErrorKind::Truncated))?;
        self.offset += n;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let taken = *self.rest().first_chunk().ok_or(self.error(ReadErrorKind::Truncated))?;
        self.offset += N;
        Ok(taken)
    }

    /// The next byte.
    ///
    /// # Errors
    /// If there is none.
    pub fn byte(&mut self) -> Result<u8, ReadError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// A length. It is only what the bytes claim: nothing is to be reserved for it.
    ///
    /// # Errors
    /// If there is none.
    pub fn length(&mut self) -> Result<u64, ReadError> {
        self.whole(|it| match it.head()? {
            Head::Len(len) => Ok(len),
            Head::Other(_) => Err(it.error(ReadErrorKind::NotALength)),
        })
    }

    /// A length that counts what follows, of which each takes at least `item_len_min` bytes: never more than there can
    /// be.
    ///
    /// # Errors
    /// If there is none, or if it counts more than is left.
    pub fn count(&mut self, item_len_min: usize) -> Result<usize, ReadError> {
        self.whole(|it| {
            let claimed = it.length()?;
            let n_max = it.rest().len() / item_len_min.max(1);
            let n = usize::try_from(claimed).ok().filter(|n| *n <= n_max);
            n.ok_or(it.error(ReadErrorKind::Truncated))
        })
    }

    /// A string.
    ///
    /// # Errors
    /// If there is none, or if it is over the limit.
    pub fn string(&mut self) -> Result<Text<'a>, ReadError> {
        self.whole(Self::read_string)
    }

    fn read_string(&mut self) -> Result<Text<'a>, ReadError> {
        Ok(match self.head()? {
            Head::Len(len) => {
                let len = self.checked_len(len)?;
                Text::Bytes(Cow::Borrowed(self.take(len)?))
            }
            Head::Other(INT_8_BITS) => Text::Int(i8::from_le_bytes(self.array()?).into()),
            Head::Other(INT_16_BITS) => Text::Int(i16::from_le_bytes(self.array()?).into()),
            Head::Other(INT_32_BITS) => Text::Int(i32::from_le_bytes(self.array()?)),
            Head::Other(COMPRESSED) => {
                let packed_len = self.count(1)?;
                let len = self.length()?;
                let packed = self.take(packed_len)?;
                let len = self.checked_len(len)?;
                let unfolded = lzf::decompress(packed, len);
                Text::Bytes(Cow::Owned(
                    unfolded.map_err(|_| self.error(ReadErrorKind::BadCompression))?,
                ))
            }
            Head::Other(_) => return Err(self.error(ReadErrorKind::UnknownString)),
        })
    }

    fn head(&mut self) -> Result<Head, ReadError> {
        let first = self.byte()?;
        Ok(match first {
            0..=0x3F => Head::Len(first.into()),
            0x40..=0x7F => Head::Len(u16::from_be_bytes([first & 0x3F, self.byte()?]).into()),
            LEN_32_BITS => Head::Len(u32::from_be_bytes(self.array()?).into()),
            LEN_64_BITS => Head::Len(u64::from_be_bytes(self.array()?)),
            0x82..=0xBF => return Err(self.error(ReadErrorKind::UnknownLength)),
            0xC0..=0xFF => Head::Other(first),
        })
    }

    fn checked_len(&self, len: u64) -> Result<usize, ReadError> {
        usize::try_from(len)
            .ok()
            .filter(|it| *it <= self.string_len_max)
            .ok_or(self.error(ReadErrorKind::TooLong))
    }

    /// Reads something whole or not at all; an error is where it begins.
    fn whole<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let start = self.offset;
        read(self).map_err(|error| {
            self.offset = start;
            ReadError { offset: start, ..error }
        })
    }

    fn error(&self, kind: ReadErrorKind) -> ReadError {
        ReadError { offset: self.offset, kind }
    }
}

/// Writes a length in its shortest form.
pub fn write_len(out: &mut Vec<u8>, len: u64) {
    let [.., e, f, g, h] = len.to_be_bytes();
    match len {
        0..0x40 => out.push(h),
        0x40..0x4000 => out.extend_from_slice(&[0x40 | g, h]),
        0x4000..=0xFFFF_FFFF => out.extend_from_slice(&[LEN_32_BITS, e, f, g, h]),
        _ => {
            out.push(LEN_64_BITS);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
}

/// Writes a string in the form that Redis chooses: an integer of up to 32 bits as such; compressed, if there is a
/// `compressor` (`rdbcompression yes`) and it saves more than four bytes; else as it is.
pub fn write_string(out: &mut Vec<u8>, bytes: &[u8], compressor: Option<&mut Compressor>) {
    let number = if bytes.len() <= INT_LEN_MAX { number::parse_int(bytes) } else { None };
    if let Some(number) = number.and_then(|it| i32::try_from(it).ok()) {
        return write_short_int(out, number);
    }
    if COMPRESSED_LEN_MIN <= bytes.len()
        && let Some(compressor) = compressor
    {
        let mut packed = Vec::new();
        if compressor.compress(bytes, &mut packed) {
            out.push(COMPRESSED);
            write_len(out, len_of(&packed));
            write_len(out, len_of(bytes));
            out.extend_from_slice(&packed);
            return;
        }
    }
    write_len(out, len_of(bytes));
    out.extend_from_slice(bytes);
}

/// Writes a string that is the decimal form of a number.
pub fn write_int(out: &mut Vec<u8>, number: i64) {
    match i32::try_from(number) {
        Ok(number) => write_short_int(out, number),
        Err(_) => write_string(out, itoa::Buffer::new().format(number).as_bytes(), None),
    }
}

fn write_short_int(out: &mut Vec<u8>, number: i32) {
    let [a, b, c, d] = number.to_le_bytes();
    if i8::try_from(number).is_ok() {
        out.extend_from_slice(&[INT_8_BITS, a]);
    } else if i16::try_from(number).is_ok() {
        out.extend_from_slice(&[INT_16_BITS, a, b]);
    } else {
        out.extend_from_slice(&[INT_32_BITS, a, b, c, d]);
    }
}

fn len_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Cow, ReadErrorKind, Reader, Text, write_int, write_len, write_string};
    use crate::rdb::Compressor;

    #[test]
    fn lengths_are_as_short_as_they_can_be() {
        for (len, expected) in [
            (0, &[0][..]),
            (63, &[63]),
            (64, &[0x40, 64]),
            (16_383, &[0x7F, 0xFF]),
            (16_384, &[0x80, 0, 0, 0x40, 0]),
            (0xFFFF_FFFF, &[0x80, 0xFF, 0xFF, 0xFF, 0xFF]),
            (1 << 32, &[0x81, 0, 0, 0, 1, 0, 0, 0, 0]),
            (u64::MAX, &[0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ] {
            let mut out = Vec::new();
            write_len(&mut out, len);
            assert_eq!(out, expected);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.length(), Ok(len));
            assert!(reader.rest().is_empty());
            for cut in 0..out.len() {
                let error = Reader::new(&out[..cut]).length().unwrap_err();
                assert_eq!((error.offset, error.kind), (0, ReadErrorKind::Truncated));
            }
        }
    }

    #[test]
    fn strings_survive_in_each_form() {
        let letters = b"abcdefghijklmnopqrstuvwxyz".to_vec();
        for (text, first) in [
            (b"".to_vec(), 0),
            (b"-128".to_vec(), 0xC0),
            (b"128".to_vec(), 0xC1),
            (b"-2147483648".to_vec(), 0xC2),
            (b"2147483648".to_vec(), 10),
            (b"01".to_vec(), 2),
            (vec![b'a'; 20], 20),
            (vec![b'a'; 21], 0xC3),
            (letters, 26),
        ] {
            let mut out = Vec::new();
            write_string(&mut out, &text, Some(&mut Compressor::new()));
            assert_eq!(out[0], first);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.string().map(Text::into_bytes), Ok(Cow::Borrowed(&text[..])));
            assert!(reader.rest().is_empty());
            assert!((0..out.len()).all(|cut| Reader::new(&out[..cut]).string().is_err()));
        }
    }

    #[test]
    fn numbers_are_written_like_their_digits() {
        for number in [0, 127, -129, 1 << 20, i64::from(i32::MIN), 1 << 31, i64::MIN] {
            let (mut as_int, mut as_text) = (Vec::new(), Vec::new());
            write_int(&mut as_int, number);
            write_string(&mut as_text, number.to_string().as_bytes(), None);
            assert_eq!(as_int, as_text);
        }
    }

    #[test]
    fn claims_are_not_believed() {
        let kind = |bytes: &[u8]| Reader::new(bytes).string().unwrap_err().kind;
        assert_eq!(kind(&[0x80, 0x1F, 0xFF, 0xFF, 0xFF, 1]), ReadErrorKind::Truncated);
        assert_eq!(kind(&[0x81, 0, 0, 1, 0, 0, 0, 0, 0, 1]), ReadErrorKind::TooLong);
        assert_eq!(kind(&[0xC3, 2, 0x7F, 0xFF, 0, b'a']), ReadErrorKind::BadCompression);
        assert_eq!(kind(&[0xC3, 9, 0x7F, 0xFF, 0, b'a']), ReadErrorKind::Truncated);
        assert_eq!(kind(&[0xC4, 0]), ReadErrorKind::UnknownString);
        assert_eq!(kind(&[0x82, 0]), ReadErrorKind::UnknownLength);
        assert_eq!(Reader::new(&[0xC0, 1]).length().unwrap_err().kind, ReadErrorKind::NotALength);
        let mut reader = Reader::new(&[9, 1, 2, 3, 4, 5]).with_string_len_max(4);
        assert_eq!(reader.count(1).unwrap_err().kind, ReadErrorKind::Truncated);
        assert_eq!(reader.string().unwrap_err().kind, ReadErrorKind::TooLong);
        assert_eq!(reader.offset(), 0);
        assert_eq!(Reader::new(&[2, 1, 2, 3, 4]).count(2), Ok(2));
        assert!(Reader::new(&[3, 1, 2, 3, 4]).count(2).is_err());
    }
}
