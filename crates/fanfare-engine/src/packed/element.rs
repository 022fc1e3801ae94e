//! One element of a listpack, and how it is written.
//!
//! An element is its encoding (a first byte that tells the kind, perhaps a length, the data) followed by the length of
//! that encoding, written so that it can be read backwards.

use std::borrow::Cow;

use super::{BYTES_MAX, Full};
use crate::number;

/// The byte after the last element.
pub(super) const END: u8 = 0xFF;
/// Longest length of an encoding that is written behind it.
const BACK_LEN_MAX: usize = 5;
/// Longest encoding without the data of a string.
const HEAD_LEN_MAX: usize = 9;
/// A longer string is not the decimal form of a 64-bit integer.
const INT_LEN_MAX: usize = 20;

/// A string, or an integer that stands for its decimal form.
///
/// Two elements are equal if they spell the same string, however they are kept.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    /// An integer.
    Int(i64),
    /// A string; a listpack that was written elsewhere may have numbers among its strings.
    Bytes(&'a [u8]),
}

impl<'a> Element<'a> {
    /// The element that spells `bytes`: an integer where that is the same.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        match parse_int(bytes) {
            Some(number) => Self::Int(number),
            None => Self::Bytes(bytes),
        }
    }

    /// As an integer, if it spells one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bytes(bytes) => parse_int(bytes),
        }
    }

    /// What it spells; the digits of an integer are written to `digits`.
    pub fn spelled<'b>(&self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Int(number) => digits.format(*number).as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// What it spells; an integer's digits are a string of their own.
    #[must_use]
    pub fn to_bytes(&self) -> Cow<'a, [u8]> {
        match self {
            Self::Int(number) => {
                Cow::Owned(itoa::Buffer::new().format(*number).as_bytes().to_vec())
            }
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// How many bytes it takes in a listpack; 0, if there it would be too large.
    #[must_use]
    pub fn packed_len(&self) -> usize {
        Encoded::new(*self).map_or(0, |it| it.len())
    }

    /// How many bytes it spells.
    #[must_use]
    pub fn spelled_len(&self) -> usize {
        self.spelled(&mut itoa::Buffer::new()).len()
    }
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Bytes(left), Self::Bytes(right)) => left == right,
            (Self::Int(number), Self::Bytes(bytes)) | (Self::Bytes(bytes), Self::Int(number)) => {
                parse_int(bytes) == Some(*number)
            }
        }
    }
}

impl Eq for Element<'_> {}

impl From<i64> for Element<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl<'a> From<&'a [u8]> for Element<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::new(bytes)
    }
}

/// The integer of which `bytes` is the decimal form.
pub(super) fn parse_int(bytes: &[u8]) -> Option<i64> {
    if INT_LEN_MAX < bytes.len() { None } else { number::parse_int(bytes) }
}

/// An element as it is written.
pub(super) struct Encoded<'a> {
    head: Short<HEAD_LEN_MAX>,
    body: &'a [u8],
    back: Short<BACK_LEN_MAX>,
}

impl<'a> Encoded<'a> {
    /// The shortest way to write an element: a string that is an integer becomes one.
    #[inline]
    pub(super) fn new(element: Element<'a>) -> Result<Self, Full> {
        let (head, body): (_, &[u8]) = match element {
            Element::Int(number) => (int_head(number), &[]),
            Element::Bytes(bytes) => match parse_int(bytes) {
                Some(number) => (int_head(number), &[]),
                None if BYTES_MAX < bytes.len() => return Err(Full),
                None => (string_head(bytes.len()), bytes),
            },
        };
        let back = back(head.len + body.len());
        Ok(Self { head, body, back })
    }

    /// How many bytes it takes.
    pub(super) fn len(&self) -> usize {
        self.head.len + self.body.len() + self.back.len
    }

    /// Writes it over the first bytes of `out`, which is long enough; returns those behind.
    #[inline]
    pub(super) fn write_over<'o>(&self, out: &'o mut [u8]) -> &'o mut [u8] {
        let rest = self.head.write_over(out);
        match rest.split_at_mut_checked(self.body.len()) {
            Some((to, rest)) => {
                to.copy_from_slice(self.body);
                self.back.write_over(rest)
            }
            None => Default::default(),
        }
    }
}

/// A few bytes.
struct Short<const N: usize> {
    data: [u8; N],
    len: usize,
}

impl<const N: usize> Short<N> {
    fn new<const M: usize>(bytes: [u8; M]) -> Self {
        let mut data = [0; N];
        if let Some(to) = data.first_chunk_mut() {
            *to = bytes;
        }
        Self { data, len: M.min(N) }
    }

    fn bytes(&self) -> &[u8] {
        self.data.get(..self.len).unwrap_or_default()
    }

    /// Writes it over the first bytes of `out`; returns those behind. One by one: they are mostly one or two, for which a
    /// call that copies them would take longer.
    #[inline]
    fn write_over<'o>(&self, out: &'o mut [u8]) -> &'o mut [u8] {
        let (to, rest) = out.split_at_mut(self.len.min(out.len()));
        for (to, from) in to.iter_mut().zip(self.data) {
            *to = from;
        }
        rest
    }
}

fn int_head(number: i64) -> Short<HEAD_LEN_MAX> {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    match number {
        0..=0x7F => Short::new([a]),
        -0x1000..=0xFFF => Short::new([0xC0 | (b & 0x1F), a]),
        -0x8000..=0x7FFF => Short::new([0xF1, a, b]),
        -0x80_0000..=0x7F_FFFF => Short::new([0xF2, a, b, c]),
        -0x8000_0000..=0x7FFF_FFFF => Short::new([0xF3, a, b, c, d]),
        _ => Short::new([0xF4, a, b, c, d, e, f, g, h]),
    }
}

fn string_head(len: usize) -> Short<HEAD_LEN_MAX> {
    let [a, b, c, d, ..] = len.to_le_bytes();
    match len {
        0..0x40 => Short::new([0x80 | a]),
        0x40..0x1000 => Short::new([0xE0 | b, a]),
        _ => Short::new([0xF0, a, b, c, d]),
    }
}

/// How many bytes the length `len` of an encoding takes behind it. Redis spends a byte more than needed on the largest
/// value of each size, and so does everybody who wants to read it backwards.
#[inline]
pub(super) fn back_len(len: usize) -> usize {
    match len {
        0..128 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => BACK_LEN_MAX,
    }
}

/// The length of an encoding as it is written behind it: seven bits a byte, the lowest last; in each but the first byte
/// the highest bit tells that there are more before it.
#[inline]
fn back(len: usize) -> Short<BACK_LEN_MAX> {
    match u8::try_from(len) {
        Ok(len @ 0..0x80) => Short::new([len]),
        _ => long_back(len),
    }
}

fn long_back(len: usize) -> Short<BACK_LEN_MAX> {
    let n = back_len(len);
    let mut data = [0; BACK_LEN_MAX];
    let mut rest = len;
    for (index, byte) in data.iter_mut().take(n).enumerate().rev() {
        let [low, ..] = rest.to_le_bytes();
        *byte = (low & 0x7F) | if index == 0 { 0 } else { 0x80 };
        rest >>= 7;
    }
    Short { data, len: n }
}

/// Whether after `len` bytes this length stands as it is written.
pub(super) fn is_back(bytes: &[u8], len: usize) -> bool {
    match len {
        0..128 => bytes.get(len).is_some_and(|it| usize::from(*it) == len),
        _ => bytes.get(len..).is_some_and(|it| it.starts_with(back(len).bytes())),
    }
}

/// Reads the length that ends before `end`.
pub(super) fn read_back(bytes: &[u8], end: usize) -> Option<usize> {
    let mut len: usize = 0;
    for (index, &byte) in bytes.get(..end)?.iter().rev().take(BACK_LEN_MAX).enumerate() {
        len |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(len);
        }
    }
    None
}

/// The element that begins at `at`, and where the next one begins. `None` at the end, or if there is no element.
#[inline]
pub(super) fn decode(bytes: &[u8], at: usize) -> Option<(Element<'_>, usize)> {
    let (element, len) = decode_first(bytes.get(at..)?)?;
    Some((element, at.checked_add(len)?.checked_add(back_len(len))?))
}

/// Whether the element at `at` spells `wanted`, which is `number` if it is one, and where the next one begins. `None` at
/// the end, or if there is no element.
#[inline]
pub(super) fn spells(
    bytes: &[u8],
    at: usize,
    (wanted, number): (&[u8], Option<i64>),
) -> Option<(bool, usize)> {
    // Most are short strings.
    if let Some(&first @ 0x80..=0xBF) = bytes.get(at) {
        let (len, start) = (usize::from(first & 0x3F), at + 1);
        let end = start + len;
        let is_wanted = len == wanted.len() && {
            let spelled = bytes.get(start..end)?;
            // Names of the same length differ at their ends, most likely.
            spelled.last() == wanted.last() && spelled == wanted
        };
        return Some((is_wanted, end + 1));
    }
    let (element, next) = decode(bytes, at)?;
    let is_wanted = match element {
        Element::Int(it) => number == Some(it),
        Element::Bytes(it) => it == wanted,
    };
    Some((is_wanted, next))
}

/// Where the element after that at `at` begins, without reading it. `None` at the end, or if there is no element.
#[inline]
pub(super) fn skip(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let (&first, behind) = rest.split_first()?;
    let len = match first {
        0..=0x7F => 1,
        0x80..=0xBF => 1 + usize::from(first & 0x3F),
        0xE0..=0xEF => 2 + usize::from(u16::from_be_bytes([first & 0x0F, *behind.first()?])),
        0xC0..=0xDF | 0xF0..=END => decode_long(first, rest, behind)?.1,
    };
    at.checked_add(len)?.checked_add(back_len(len))
}

/// The element at the start of `bytes` and the length of its encoding.
#[inline]
pub(super) fn decode_first(bytes: &[u8]) -> Option<(Element<'_>, usize)> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..=0x7F => Some((Element::Int(i64::from(first)), 1)),
        0x80..=0xBF => {
            let len = usize::from(first & 0x3F);
            Some((Element::Bytes(rest.get(..len)?), 1 + len))
        }
        // Most elements are short: with the others apart, the last of 128 fields is found in half the time.
        0xC0..=END => decode_long(first, bytes, rest),
    }
}

fn decode_long<'a>(first: u8, bytes: &'a [u8], rest: &[u8]) -> Option<(Element<'a>, usize)> {
    let (head_len, len) = match first {
        0xC0..=0xDF => {
            let raw = i64::from(u16::from_be_bytes([first & 0x1F, *rest.first()?]));
            return Some((Element::Int(if raw < 0x1000 { raw } else { raw - 0x2000 }), 2));
        }
        0xE0..=0xEF => (2, usize::from(u16::from_be_bytes([first & 0x0F, *rest.first()?]))),
        0xF0 => (5, usize::try_from(u32::from_le_bytes(*rest.first_chunk()?)).ok()?),
        0xF1..=0xF4 => return decode_int(first, rest),
        _ => return None,
    };
    let encoded_len = len.checked_add(head_len)?;
    Some((Element::Bytes(bytes.get(head_len..encoded_len)?), encoded_len))
}

/// The integers that are kept as such, without their first byte.
fn decode_int<'a>(first: u8, rest: &[u8]) -> Option<(Element<'a>, usize)> {
    let (number, len) = match first {
        0xF1 => (i64::from(i16::from_le_bytes(*rest.first_chunk()?)), 3),
        0xF2 => {
            let [low, middle, high] = *rest.first_chunk()?;
            (i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8), 4)
        }
        0xF3 => (i64::from(i32::from_le_bytes(*rest.first_chunk()?)), 5),
        _ => (i64::from_le_bytes(*rest.first_chunk()?), 9),
    };
    Some((Element::Int(number), len))
}

#[cfg(test)]
mod tests {
    use super::{Element, Encoded, back_len, decode_first, read_back};

    fn encoded(bytes: &[u8]) -> Vec<u8> {
        let encoded = Encoded::new(Element::Bytes(bytes)).unwrap();
        let mut out = vec![0; encoded.len()];
        assert!(encoded.write_over(&mut out).is_empty());
        out
    }

    #[test]
    fn each_kind_is_written_as_redis_does() {
        let int = |number: i64| encoded(number.to_string().as_bytes());
        assert_eq!(int(0), [0, 1]);
        assert_eq!(int(127), [127, 1]);
        assert_eq!(int(128), [0xC0, 128, 2]);
        assert_eq!(int(-1), [0xDF, 0xFF, 2]);
        assert_eq!(int(4095), [0xCF, 0xFF, 2]);
        assert_eq!(int(-4096), [0xD0, 0, 2]);
        assert_eq!(int(4096), [0xF1, 0, 0x10, 3]);
        assert_eq!(int(-32768), [0xF1, 0, 0x80, 3]);
        assert_eq!(int(32768), [0xF2, 0, 0x80, 0, 4]);
        assert_eq!(int(-8_388_608), [0xF2, 0, 0, 0x80, 4]);
        assert_eq!(int(8_388_608), [0xF3, 0, 0, 0x80, 0, 5]);
        assert_eq!(int(1 << 31), [0xF4, 0, 0, 0, 0x80, 0, 0, 0, 0, 9]);
        assert_eq!(encoded(b""), [0x80, 1]);
        assert_eq!(encoded(b"+1"), [0x82, b'+', b'1', 3]);
        assert_eq!(encoded(&[b'x'; 64])[..2], [0xE0, 64]);
        assert_eq!(encoded(&[b'x'; 4096])[..5], [0xF0, 0, 16, 0, 0]);
    }

    #[test]
    fn what_is_written_is_read_in_both_directions() {
        let edges = [7, 12, 13, 15, 16, 23, 24, 31, 32, 62].map(|bits| 1_i64 << bits);
        let numbers = edges.iter().flat_map(|it| [it - 1, *it, -it - 1, -it]);
        for number in numbers.chain([0, 1, i64::MIN, i64::MAX]) {
            let text = number.to_string();
            let bytes = encoded(text.as_bytes());
            let (element, len) = decode_first(&bytes).unwrap();
            assert!(matches!(element, Element::Int(it) if it == number), "{number}: {element:?}");
            assert_eq!(read_back(&bytes, bytes.len()), Some(len));
            assert_eq!(bytes.len(), len + back_len(len));
        }
        let lens = [0, 1, 63, 64, 126, 127, 4095, 4096, 16_377, 16_378, 16_379, 2_097_146];
        for len in lens {
            let text = vec![b'x'; len];
            let bytes = encoded(&text);
            let (element, encoded_len) = decode_first(&bytes).unwrap();
            assert_eq!(element, Element::Bytes(&text));
            assert_eq!(read_back(&bytes, bytes.len()), Some(encoded_len));
            assert_eq!(bytes.len(), encoded_len + back_len(encoded_len));
        }
    }

    #[test]
    fn equality_is_that_of_the_spelled_strings() {
        assert_eq!(Element::Int(-7), Element::Bytes(b"-7"));
        assert_ne!(Element::Int(7), Element::Bytes(b"07"));
        assert_eq!(Element::Int(-70).spelled_len(), 3);
        assert_eq!(*Element::new(b"12").to_bytes(), *b"12");
    }
}
