//! Hashes that are read.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{bytes, count, listpack, old, packed};
use crate::packed::{BYTES_MAX, Element, Listpack};
use crate::rdb::{ReadError, ReadErrorKind, Reader};
use crate::value::Hash;
use crate::value::hash::{Lifetime, Limits};

/// The last millisecond at which a field can expire.
const AT_MS_MAX: u64 = (1 << 46) - 1;

/// [`kind::HASH`](super::kind::HASH): field by field.
pub(super) fn read_fields(reader: &mut Reader<'_>, limits: Limits) -> Result<Hash, ReadError> {
    let n = count(reader, 2)?;
    let mut builder = Builder::new(limits, n);
    for _ in 0..n {
        let start = reader.offset();
        let name = bytes(reader)?;
        let added = builder.add(name, &bytes(reader)?);
        added.map_err(|kind| ReadError { offset: start, kind })?;
    }
    Ok(builder.finish())
}

/// [`kind::HASH_METADATA`](super::kind::HASH_METADATA): field by field, each with how long after the soonest of them it
/// expires, plus one; 0: never.
pub(super) fn read_timed_fields(
    reader: &mut Reader<'_>,
    limits: Limits,
) -> Result<Hash, ReadError> {
    let soonest_ms = u64::from_le_bytes(reader.array()?);
    let mut hash = Hash::default();
    for _ in 0..count(reader, 3)? {
        let start = reader.offset();
        let error = |kind| ReadError { offset: start, kind };
        let lifetime = match reader.length()? {
            0 => Lifetime::Forever,
            after => {
                let at_ms = soonest_ms.checked_add(after - 1).filter(|it| is_time(*it));
                Lifetime::Until(at_ms.ok_or(error(ReadErrorKind::BadTime))?)
            }
        };
        let name = bytes(reader)?;
        if !hash.set(&name, &bytes(reader)?, lifetime, limits) {
            return Err(error(ReadErrorKind::Duplicate));
        }
    }
    Ok(hash)
}

/// [`kind::HASH_LISTPACK`](super::kind::HASH_LISTPACK): field, value, and so on.
pub(super) fn read_listpack(reader: &mut Reader<'_>, limits: Limits) -> Result<Hash, ReadError> {
    packed(reader, |bytes| from_listpack(listpack(bytes)?, limits))
}

/// [`kind::HASH_ZIPLIST`](super::kind::HASH_ZIPLIST): field, value, and so on.
pub(super) fn read_ziplist(reader: &mut Reader<'_>, limits: Limits) -> Result<Hash, ReadError> {
    packed(reader, |bytes| from_listpack(old::ziplist(&bytes)?, limits))
}

/// [`kind::HASH_ZIPMAP`](super::kind::HASH_ZIPMAP): what Redis had before 2.6.
pub(super) fn read_zipmap(reader: &mut Reader<'_>, limits: Limits) -> Result<Hash, ReadError> {
    packed(reader, |bytes| {
        let fields = old::zipmap(&bytes)?;
        if fields.is_empty() {
            return Err(ReadErrorKind::Empty);
        }
        let mut builder = Builder::new(limits, fields.len());
        for (name, value) in fields {
            builder.add(Cow::Borrowed(name), value)?;
        }
        Ok(builder.finish())
    })
}

fn from_listpack(pack: Listpack, limits: Limits) -> Result<Hash, ReadErrorKind> {
    check_names(&pack, 2)?;
    Ok(Hash::from_listpack(pack, false, limits))
}

/// [`kind::HASH_LISTPACK_EX`](super::kind::HASH_LISTPACK_EX): when the first field expires, which the second part says,
/// too; and field, value, time, and so on, in the order of the times.
pub(super) fn read_timed_listpack(
    reader: &mut Reader<'_>,
    limits: Limits,
) -> Result<Hash, ReadError> {
    reader.array::<8>()?;
    packed(reader, |bytes| {
        let pack = listpack(bytes)?;
        check_names(&pack, 3)?;
        let mut before_ms = 0;
        for time in pack.iter().skip(2).step_by(3) {
            // An integer, not a string that spells one.
            let Element::Int(time) = time else { return Err(ReadErrorKind::BadTime) };
            let at_ms = match u64::try_from(time) {
                Ok(0) => u64::MAX,
                Ok(at_ms) if is_time(at_ms) => at_ms,
                Ok(_) | Err(_) => return Err(ReadErrorKind::BadTime),
            };
            if at_ms < before_ms {
                return Err(ReadErrorKind::BadTime);
            }
            before_ms = at_ms;
        }
        Ok(Hash::from_listpack(pack, true, limits))
    })
}

fn is_time(at_ms: u64) -> bool {
    at_ms != 0 && at_ms <= AT_MS_MAX
}

/// Checks that there are `width` elements for each name, and no name twice.
pub(super) fn check_names(pack: &Listpack, width: usize) -> Result<(), ReadErrorKind> {
    if pack.is_empty() {
        return Err(ReadErrorKind::Empty);
    }
    if !pack.len().is_multiple_of(width) {
        return Err(ReadErrorKind::BadPacking);
    }
    let mut names = HashSet::new();
    let all_new = pack.iter().step_by(width).all(|it| names.insert(Spelled::of(it)));
    if all_new { Ok(()) } else { Err(ReadErrorKind::Duplicate) }
}

/// What an element spells, in one form.
#[derive(PartialEq, Eq, Hash)]
enum Spelled<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

impl<'a> Spelled<'a> {
    fn of(element: Element<'a>) -> Self {
        match (element.as_int(), element) {
            (Some(number), _) | (None, Element::Int(number)) => Self::Int(number),
            (None, Element::Bytes(bytes)) => Self::Bytes(bytes),
        }
    }
}

/// A hash that is made field by field, in a time that does not depend on what is set as its limits.
struct Builder<'a> {
    limits: Limits,
    /// So far nothing stands against a packed hash.
    pack: Option<Listpack>,
    /// The names in the pack.
    names: HashSet<Cow<'a, [u8]>>,
    hash: Hash,
}

impl<'a> Builder<'a> {
    /// For `n` fields.
    fn new(limits: Limits, n: usize) -> Self {
        let pack = limits.admits(n).then(Listpack::new);
        Self { limits, pack, names: HashSet::new(), hash: Hash::default() }
    }

    fn add(&mut self, name: Cow<'a, [u8]>, value: &[u8]) -> Result<(), ReadErrorKind> {
        let is_short = self.limits.admits_len(name.len()) && self.limits.admits_len(value.len());
        if let Some(pack) = &mut self.pack
            && is_short
            && has_room(pack, name.len().saturating_add(value.len()))
        {
            let pushed = pack.push_back(&*name).and_then(|()| pack.push_back(value));
            debug_assert!(pushed.is_ok(), "there is room");
            return if self.names.insert(name) { Ok(()) } else { Err(ReadErrorKind::Duplicate) };
        }
        if let Some(pack) = self.pack.take() {
            self.hash = Hash::from_listpack(pack, false, self.limits);
            self.names = HashSet::new();
        }
        if self.hash.set_in_table(&name, value) { Ok(()) } else { Err(ReadErrorKind::Duplicate) }
    }

    fn finish(self) -> Hash {
        match self.pack {
            Some(pack) => Hash::from_listpack(pack, false, self.limits),
            None => self.hash,
        }
    }
}

/// What two elements take at most beyond their bytes.
const OVERHEAD_LEN: usize = 32;

fn has_room(pack: &Listpack, n_more: usize) -> bool {
    pack.as_bytes().len().saturating_add(n_more).saturating_add(OVERHEAD_LEN) <= BYTES_MAX
}
