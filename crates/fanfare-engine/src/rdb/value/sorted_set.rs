//! Sorted sets that are read.

use std::collections::HashSet;

use super::hash::check_names;
use super::{bytes, count, listpack, old, packed};
use crate::double;
use crate::packed::{Element, Listpack};
use crate::rdb::{ReadError, ReadErrorKind, Reader};
use crate::tree::Name;
use crate::value::SortedSet;
use crate::value::sorted_set::{Member, Packing};

/// What stands for a score that is not finite where else there is its length.
const NEGATIVE_INFINITY: u8 = 255;
const INFINITY: u8 = 254;
const NAN: u8 = 253;

/// [`kind::ZSET_2`](super::kind::ZSET_2): member by member with scores of 64 bits, in any order.
pub(super) fn read_members(
    reader: &mut Reader<'_>,
    packing: Packing,
) -> Result<SortedSet, ReadError> {
    read_each(reader, packing, 9, |reader| Ok(f64::from_le_bytes(reader.array()?)))
}

/// [`kind::ZSET`](super::kind::ZSET): member by member with scores that are spelled out, in any order.
pub(super) fn read_spelled(
    reader: &mut Reader<'_>,
    packing: Packing,
) -> Result<SortedSet, ReadError> {
    read_each(reader, packing, 2, |reader| {
        Ok(match reader.byte()? {
            NEGATIVE_INFINITY => f64::NEG_INFINITY,
            INFINITY => f64::INFINITY,
            NAN => f64::NAN,
            // What is no number is as little a score as NaN.
            len => double::parse(reader.take(len.into())?).unwrap_or(f64::NAN),
        })
    })
}

fn read_each(
    reader: &mut Reader<'_>,
    packing: Packing,
    member_len_min: usize,
    mut read_score: impl FnMut(&mut Reader<'_>) -> Result<f64, ReadError>,
) -> Result<SortedSet, ReadError> {
    let start = reader.offset();
    let mut members = Vec::new();
    for _ in 0..count(reader, member_len_min)? {
        let name = Name::from(&*bytes(reader)?);
        let start = reader.offset();
        let score = read_score(reader)?;
        if score.is_nan() {
            return Err(ReadError { offset: start, kind: ReadErrorKind::BadScore });
        }
        members.push(Member { score, name });
    }
    let mut names = HashSet::new();
    if !members.iter().all(|it| names.insert(&*it.name)) {
        return Err(ReadError { offset: start, kind: ReadErrorKind::Duplicate });
    }
    Ok(SortedSet::from_members(members, packing))
}

/// [`kind::ZSET_LISTPACK`](super::kind::ZSET_LISTPACK): member, score, and so on.
pub(super) fn read_listpack(
    reader: &mut Reader<'_>,
    packing: Packing,
) -> Result<SortedSet, ReadError> {
    packed(reader, |bytes| from_listpack(&listpack(bytes)?, packing))
}

/// [`kind::ZSET_ZIPLIST`](super::kind::ZSET_ZIPLIST): member, score, and so on.
pub(super) fn read_ziplist(
    reader: &mut Reader<'_>,
    packing: Packing,
) -> Result<SortedSet, ReadError> {
    packed(reader, |bytes| from_listpack(&old::ziplist(&bytes)?, packing))
}

/// Packed again, so that order and spelling are those of Fanfare. A packed one may have long names, as with Redis.
fn from_listpack(pack: &Listpack, packing: Packing) -> Result<SortedSet, ReadErrorKind> {
    check_names(pack, 2)?;
    let mut members = Vec::with_capacity(pack.len() / 2);
    let mut elements = pack.iter();
    while let (Some(name), Some(score)) = (elements.next(), elements.next()) {
        let score = score_of(score).ok_or(ReadErrorKind::BadScore)?;
        members.push(Member { score, name: name.spelled(&mut itoa::Buffer::new()).into() });
    }
    Ok(SortedSet::from_members(members, Packing { value_max: usize::MAX, ..packing }))
}

/// Redis looks at no more of a score in a listpack.
const SCORE_LEN_MAX: usize = 127;

fn score_of(element: Element<'_>) -> Option<f64> {
    match element {
        Element::Int(number) => Some(number as f64),
        Element::Bytes(text) if SCORE_LEN_MAX < text.len() => None,
        Element::Bytes(text) => double::parse(text),
    }
}
