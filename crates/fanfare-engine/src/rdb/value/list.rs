//! Lists that are read.

use super::{bytes, count, listpack, old, packed};
use crate::packed::gapped::Gapped;
use crate::packed::{Chunk, Fill, Pack};
use crate::rdb::payload::kind;
use crate::rdb::{ReadError, ReadErrorKind, Reader};
use crate::value::List;
use crate::value::list::Side;

/// A listpack that is longer is taken apart: changing one takes as long as it is.
const NODE_LEN_MAX: usize = 2 << 16;

/// [`kind::LIST`]: element by element.
pub(super) fn read_elements(reader: &mut Reader<'_>, fill: Fill) -> Result<List, ReadError> {
    let mut list = List::default();
    for _ in 0..count(reader, 1)? {
        list.push(Side::Right, &bytes(reader)?, fill);
    }
    Ok(list)
}

/// [`kind::LIST_ZIPLIST`]: the whole list in one.
pub(super) fn read_ziplist(reader: &mut Reader<'_>, fill: Fill) -> Result<List, ReadError> {
    let pack = packed(reader, |bytes| old::ziplist(&bytes))?;
    let mut list = List::default();
    push_all(&mut list, &pack, fill);
    not_empty(reader, list)
}

/// [`kind::LIST_QUICKLIST`]: some ziplists.
pub(super) fn read_ziplists(reader: &mut Reader<'_>, fill: Fill) -> Result<List, ReadError> {
    let mut list = List::default();
    for _ in 0..count(reader, 1)? {
        let pack = packed(reader, |bytes| old::ziplist(&bytes))?;
        add_node(&mut list, pack, fill);
    }
    not_empty(reader, list)
}

/// [`kind::LIST_QUICKLIST_2`]: some listpacks and single elements.
pub(super) fn read_nodes(reader: &mut Reader<'_>, fill: Fill) -> Result<List, ReadError> {
    let mut list = List::default();
    for _ in 0..count(reader, 2)? {
        let start = reader.offset();
        match reader.length()? {
            kind::NODE_PLAIN => packed(reader, |bytes| match &*bytes {
                [] => Err(ReadErrorKind::Empty),
                bytes => {
                    list.push(Side::Right, bytes, fill);
                    Ok(())
                }
            })?,
            kind::NODE_PACKED => {
                let pack = packed(reader, |bytes| match listpack(bytes) {
                    // Redis skips those, too.
                    Err(ReadErrorKind::Empty) => Ok(Pack::new()),
                    pack => pack,
                })?;
                add_node(&mut list, pack, fill);
            }
            _ => return Err(ReadError { offset: start, kind: ReadErrorKind::BadPacking }),
        }
    }
    not_empty(reader, list)
}

/// Adds a node as it is, unless it would be a burden.
fn add_node(list: &mut List, pack: Pack<Gapped>, fill: Fill) {
    if let (1, Some(element)) = (pack.len(), pack.get(0)) {
        // Redis 7.0 has a listpack for a large element, too.
        let alone = Chunk::new(element, fill);
        list.extend(alone);
    } else if NODE_LEN_MAX < pack.as_bytes().len() {
        push_all(list, &pack, fill);
    } else {
        list.extend([Chunk::Packed(pack)]);
    }
}

fn push_all(list: &mut List, pack: &Pack<Gapped>, fill: Fill) {
    let mut digits = itoa::Buffer::new();
    for element in pack {
        list.push(Side::Right, element.spelled(&mut digits), fill);
    }
}

fn not_empty(reader: &Reader<'_>, list: List) -> Result<List, ReadError> {
    let empty = ReadError { offset: reader.offset(), kind: ReadErrorKind::Empty };
    if list.is_empty() { Err(empty) } else { Ok(list) }
}
