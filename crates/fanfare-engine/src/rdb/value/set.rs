//! Sets that are read.

use super::{bytes, count, listpack, packed};
use crate::packed::{IntSet, Listpack};
use crate::rdb::{ReadError, ReadErrorKind, Reader};
use crate::value::Set;

/// [`kind::SET`](super::kind::SET): member by member.
pub(super) fn read_members(reader: &mut Reader<'_>, ints_max: u32) -> Result<Set, ReadError> {
    let mut set = Set::default();
    for _ in 0..count(reader, 1)? {
        let start = reader.offset();
        if !set.insert(&bytes(reader)?, ints_max) {
            return Err(ReadError { offset: start, kind: ReadErrorKind::Duplicate });
        }
    }
    Ok(set)
}

/// [`kind::SET_INTSET`](super::kind::SET_INTSET).
pub(super) fn read_intset(reader: &mut Reader<'_>, ints_max: u32) -> Result<Set, ReadError> {
    packed(reader, |bytes| {
        let ints = IntSet::from_bytes(&bytes).map_err(|_| ReadErrorKind::BadPacking)?;
        if ints.is_empty() {
            return Err(ReadErrorKind::Empty);
        }
        Ok(Set::Ints(ints).rebuilt(ints_max))
    })
}

/// [`kind::SET_LISTPACK`](super::kind::SET_LISTPACK): Redis 7.2 packs small sets of strings.
pub(super) fn read_listpack(reader: &mut Reader<'_>, ints_max: u32) -> Result<Set, ReadError> {
    packed(reader, |bytes| {
        let mut set = Set::default();
        let mut digits = itoa::Buffer::new();
        let members: Listpack = listpack(bytes)?;
        for member in &members {
            if !set.insert(member.spelled(&mut digits), ints_max) {
                return Err(ReadErrorKind::Duplicate);
            }
        }
        Ok(set)
    })
}
