//! Values, as DUMP payloads and snapshot files have them: a type, and then what the type says.
//!
//! | module | values |
//! |---|---|
//! | `write` | what is written, of every type |
//! | `list`, `set`, `hash`, `sorted_set` | what is read |
//! | `old` | the ziplists and zipmaps of Redis before 7.0 |
//!
//! Written is what redis-server 7.0.15 writes, byte for byte where the encodings are the same; only the order within a
//! hash table is another one. A hash of which a field expires has no form that Redis 7.0 knows: it is written as by
//! Redis 7.4 ([`kind::HASH_LISTPACK_EX`], [`kind::HASH_METADATA`]), and an older redis-server refuses it. Once no field
//! of it expires, it is written like any other.
//!
//! Read is what redis-server 7.0.15 reads, and of later ones [`kind::SET_LISTPACK`] and the two above. The thresholds
//! of the reader count, not those of the writer. What a value is made of is checked as by Redis with
//! `sanitize-dump-payload yes`: nothing is packed wrongly, there twice, or empty. Beyond that, scores that are no
//! numbers are refused, and hashes whose fields are not in the order of their times.

mod hash;
mod list;
mod old;
mod set;
mod sorted_set;
mod stream;
mod write;

pub use write::write_value;

use std::borrow::Cow;

use super::payload::kind;
use super::{ReadError, ReadErrorKind, Reader, Text};
use crate::Keyspace;
use crate::packed::{Buffer, Fill, Pack};
use crate::value::hash::Limits;
use crate::value::sorted_set::Packing;
use crate::value::{self, Value};

/// How values are kept that are read.
#[derive(Clone, Copy, Debug)]
pub struct Forms {
    /// How much a chunk of a list may hold.
    pub list: Fill,
    /// What sets are.
    pub ints_max: u32,
    /// Where a packed hash becomes a table.
    pub hash: Limits,
    /// Where a packed sorted set becomes a tree.
    pub sorted_set: Packing,
}

impl Forms {
    /// As it is set now.
    #[must_use]
    pub fn of(keyspace: &Keyspace) -> Self {
        let tuning = keyspace.tuning();
        Self {
            list: Fill::new(tuning.list_fill()),
            ints_max: tuning.intset_entries_max(),
            hash: Limits::of(tuning),
            sorted_set: Packing::of(tuning),
        }
    }
}

/// Reads a type and a value of it. What follows is left to be read.
///
/// # Errors
/// If it is not a value. The reader stands anywhere then.
pub fn read_value(reader: &mut Reader<'_>, forms: &Forms) -> Result<Value, ReadError> {
    let start = reader.offset();
    Ok(match reader.byte()? {
        kind::STRING => Value::Text(value::Text::new(&bytes(reader)?)),
        kind::LIST => Value::List(list::read_elements(reader, forms.list)?),
        kind::LIST_ZIPLIST => Value::List(list::read_ziplist(reader, forms.list)?),
        kind::LIST_QUICKLIST => Value::List(list::read_ziplists(reader, forms.list)?),
        kind::LIST_QUICKLIST_2 => Value::List(list::read_nodes(reader, forms.list)?),
        kind::SET => Value::Set(set::read_members(reader, forms.ints_max)?),
        kind::SET_INTSET => Value::Set(set::read_intset(reader, forms.ints_max)?),
        kind::SET_LISTPACK => Value::Set(set::read_listpack(reader, forms.ints_max)?),
        kind::HASH => Value::Hash(hash::read_fields(reader, forms.hash)?),
        kind::HASH_ZIPMAP => Value::Hash(hash::read_zipmap(reader, forms.hash)?),
        kind::HASH_ZIPLIST => Value::Hash(hash::read_ziplist(reader, forms.hash)?),
        kind::HASH_LISTPACK => Value::Hash(hash::read_listpack(reader, forms.hash)?),
        kind::HASH_LISTPACK_EX => Value::Hash(hash::read_timed_listpack(reader, forms.hash)?),
        kind::HASH_METADATA => Value::Hash(hash::read_timed_fields(reader, forms.hash)?),
        kind::ZSET => Value::SortedSet(sorted_set::read_spelled(reader, forms.sorted_set)?),
        kind::ZSET_2 => Value::SortedSet(sorted_set::read_members(reader, forms.sorted_set)?),
        kind::ZSET_ZIPLIST => Value::SortedSet(sorted_set::read_ziplist(reader, forms.sorted_set)?),
        kind::ZSET_LISTPACK => {
            Value::SortedSet(sorted_set::read_listpack(reader, forms.sorted_set)?)
        }
        kind @ (kind::STREAM_LISTPACKS
        | kind::STREAM_LISTPACKS_2
        | kind::STREAM_LISTPACKS_3
        | kind::STREAM_LISTPACKS_4
        | kind::STREAM_LISTPACKS_5) => Value::Stream(stream::read_stream(reader, kind)?),
        _ => return Err(ReadError { offset: start, kind: ReadErrorKind::UnknownType }),
    })
}

/// The next string.
fn bytes<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, [u8]>, ReadError> {
    reader.string().map(Text::into_bytes)
}

/// How many items follow, of which each takes at least `item_len_min` bytes; there is at least one.
fn count(reader: &mut Reader<'_>, item_len_min: usize) -> Result<usize, ReadError> {
    let start = reader.offset();
    match reader.count(item_len_min)? {
        0 => Err(ReadError { offset: start, kind: ReadErrorKind::Empty }),
        n => Ok(n),
    }
}

/// The next string, made something of; an error is where the string begins.
fn packed<'a, T>(
    reader: &mut Reader<'a>,
    unpack: impl FnOnce(Cow<'a, [u8]>) -> Result<T, ReadErrorKind>,
) -> Result<T, ReadError> {
    let start = reader.offset();
    let bytes = bytes(reader)?;
    unpack(bytes).map_err(|kind| ReadError { offset: start, kind })
}

/// A listpack that is not empty.
fn listpack<B: Buffer>(bytes: Cow<'_, [u8]>) -> Result<Pack<B>, ReadErrorKind> {
    let pack = Pack::from_bytes(&bytes).map_err(|_| ReadErrorKind::BadPacking)?;
    if pack.is_empty() { Err(ReadErrorKind::Empty) } else { Ok(pack) }
}
