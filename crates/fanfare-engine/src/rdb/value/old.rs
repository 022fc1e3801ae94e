//! The packed collections of Redis before 7.0, which are read and never written.

use crate::packed::{Buffer, Element, Pack};
use crate::rdb::ReadErrorKind;

const END: u8 = 0xFF;

/// The elements of a ziplist; there may be none.
///
/// ```text
/// total bytes (u32) | offset of the last entry (u32) | number of entries (u16, 65535: more) | entries … | 0xFF
/// ```
/// An entry begins with the length of the one before it, in one byte, or as 0xFE and four bytes. Of that nothing may
/// differ.
pub(super) fn ziplist<B: Buffer>(bytes: &[u8]) -> Result<Pack<B>, ReadErrorKind> {
    read_ziplist(bytes).ok_or(ReadErrorKind::BadPacking)
}

const ZIPLIST_HEADER_LEN: usize = 10;

fn read_ziplist<B: Buffer>(bytes: &[u8]) -> Option<Pack<B>> {
    let (header, entries) = bytes.split_first_chunk::<ZIPLIST_HEADER_LEN>()?;
    let [n_bytes @ .., a, b, c, d, e, f] = *header;
    let (&END, mut rest) = entries.split_last()? else { return None };
    if usize::try_from(u32::from_le_bytes(n_bytes)) != Ok(bytes.len()) {
        return None;
    }
    let mut pack = Pack::new();
    let mut len_before = 0;
    let mut last_at = ZIPLIST_HEADER_LEN;
    while !rest.is_empty() {
        last_at = bytes.len() - 1 - rest.len();
        let (claimed, after) = len_of_previous(rest)?;
        let (element, after) = entry(after)?;
        if claimed != len_before {
            return None;
        }
        pack.push_back(element).ok()?;
        len_before = rest.len() - after.len();
        rest = after;
    }
    let claimed = u16::from_le_bytes([e, f]);
    let is_whole = usize::try_from(u32::from_le_bytes([a, b, c, d])) == Ok(last_at)
        && (claimed == u16::MAX || usize::from(claimed) == pack.len());
    is_whole.then_some(pack)
}

fn len_of_previous(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [0xFE, a, b, c, d, ref rest @ ..] => {
            Some((usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?, rest))
        }
        [0xFE | END, ..] | [] => None,
        [len, ref rest @ ..] => Some((len.into(), rest)),
    }
}

/// An entry without the length before it, and what follows.
fn entry(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let int = |number: i64, rest| Some((Element::Int(number), rest));
    match *bytes {
        [len @ 0..=0x3F, ref rest @ ..] => string(len.into(), rest),
        [high @ 0x40..=0x7F, low, ref rest @ ..] => {
            string(u16::from_be_bytes([high & 0x3F, low]).into(), rest)
        }
        [0x80..=0xBF, a, b, c, d, ref rest @ ..] => {
            string(usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?, rest)
        }
        [0xC0, a, b, ref rest @ ..] => int(i16::from_le_bytes([a, b]).into(), rest),
        [0xD0, a, b, c, d, ref rest @ ..] => int(i32::from_le_bytes([a, b, c, d]).into(), rest),
        [0xE0, a, b, c, d, e, f, g, h, ref rest @ ..] => {
            int(i64::from_le_bytes([a, b, c, d, e, f, g, h]), rest)
        }
        [0xF0, a, b, c, ref rest @ ..] => int((i32::from_le_bytes([0, a, b, c]) >> 8).into(), rest),
        [0xFE, a, ref rest @ ..] => int(i8::from_le_bytes([a]).into(), rest),
        [small @ 0xF1..=0xFD, ref rest @ ..] => int(i64::from(small & 0x0F) - 1, rest),
        _ => None,
    }
}

fn string(len: usize, bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (string, rest) = bytes.split_at_checked(len)?;
    Some((Element::Bytes(string), rest))
}

/// Fields and their values.
type Fields<'a> = Vec<(&'a [u8], &'a [u8])>;

/// The fields of a zipmap and their values; there may be none.
///
/// ```text
/// number of fields (u8, 254: more) | length, field, length, number of unused bytes (u8), value, unused bytes … | 0xFF
/// ```
pub(super) fn zipmap(bytes: &[u8]) -> Result<Fields<'_>, ReadErrorKind> {
    read_zipmap(bytes).ok_or(ReadErrorKind::BadPacking)
}

const ZIPMAP_MANY: u8 = 254;

fn read_zipmap(bytes: &[u8]) -> Option<Fields<'_>> {
    let [claimed, ref fields @ .., END] = *bytes else { return None };
    let mut rest = fields;
    let mut read = Vec::new();
    while !rest.is_empty() {
        let (len, after) = zipmap_len(rest)?;
        let (name, after) = after.split_at_checked(len)?;
        let (len, after) = zipmap_len(after)?;
        let (&n_unused, after) = after.split_first()?;
        let (value, after) = after.split_at_checked(len)?;
        rest = after.get(n_unused.into()..)?;
        read.push((name, value));
    }
    let is_whole = claimed == ZIPMAP_MANY || usize::from(claimed) == read.len();
    is_whole.then_some(read)
}

fn zipmap_len(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [ZIPMAP_MANY, a, b, c, d, ref rest @ ..] => {
            Some((usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?, rest))
        }
        [ZIPMAP_MANY | END, ..] | [] => None,
        [len, ref rest @ ..] => Some((len.into(), rest)),
    }
}
