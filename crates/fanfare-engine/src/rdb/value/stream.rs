//! Streams that are read.

use std::collections::HashMap;

use super::{bytes, listpack, packed};
use crate::packed::Listpack;
use crate::rdb::payload::kind;
use crate::rdb::{ReadError, ReadErrorKind, Reader};
use crate::value::Stream;
use crate::value::stream::{Block, Group, Owner, Pending, Settings, StreamId};

/// Bytes of an ID.
const ID_LEN: usize = 16;
/// What a pending entry takes at least: its ID, a time, a count.
const PENDING_LEN_MIN: usize = ID_LEN + 8 + 1;

/// One of the types of streams.
pub(super) fn read_stream(reader: &mut Reader<'_>, kind: u8) -> Result<Stream, ReadError> {
    let mut stream = Stream::default();
    for _ in 0..reader.count(2)? {
        read_block(reader, &mut stream)?;
    }
    let start = reader.offset();
    let bad = |kind| ReadError { offset: start, kind };
    let len = reader.length()?;
    let mut marks = stream.marks();
    marks.last_id = read_id(reader)?;
    marks.n_added = len;
    if kind != kind::STREAM_LISTPACKS {
        let _first = read_id(reader)?;
        marks.max_deleted_id = read_id(reader)?;
        marks.n_added = reader.length()?;
    }
    let last = stream.iter_back_from(StreamId::MAX).next().map(|it| it.id);
    if usize::try_from(len) != Ok(stream.len()) || last.is_some_and(|it| marks.last_id < it) {
        return Err(bad(ReadErrorKind::BadPacking));
    }
    stream.set_marks(marks);
    for _ in 0..reader.count(6)? {
        read_group(reader, &mut stream, kind)?;
    }
    if matches!(kind, kind::STREAM_LISTPACKS_4 | kind::STREAM_LISTPACKS_5) {
        read_producers(reader, &mut stream)?;
    }
    Ok(stream)
}

fn read_producers(reader: &mut Reader<'_>, stream: &mut Stream) -> Result<(), ReadError> {
    let start = reader.offset();
    let bad = ReadError { offset: start, kind: ReadErrorKind::BadPacking };
    let number = |raw: u64, max| u32::try_from(raw).ok().filter(|it| (1..=max).contains(it));
    let duration_s = number(reader.length()?, Settings::DURATION_S_MAX).ok_or(bad)?;
    let n_max = number(reader.length()?, Settings::N_MAX_MAX).ok_or(bad)?;
    stream.edit_producers(|it| it.set(Settings { duration_s, n_max }));
    for _ in 0..reader.count(2)? {
        let pid = bytes(reader)?;
        for _ in 0..reader.count(3)? {
            let iid = bytes(reader)?;
            let id = read_id(reader)?;
            stream.edit_producers(|it| it.add((&pid, &iid), id));
        }
    }
    let counts = (reader.length()?, reader.length()?);
    stream.edit_producers(|it| it.set_counts(counts));
    Ok(())
}

fn read_block(reader: &mut Reader<'_>, stream: &mut Stream) -> Result<(), ReadError> {
    let base = packed(reader, |raw| {
        <[u8; ID_LEN]>::try_from(&*raw).map(id_of).map_err(|_| ReadErrorKind::BadPacking)
    })?;
    packed(reader, |raw| {
        let pack: Listpack = listpack(raw)?;
        let block = Block::from_listpack(base, pack).ok_or(ReadErrorKind::BadPacking)?;
        stream.push_block(block).then_some(()).ok_or(ReadErrorKind::BadPacking)
    })
}

fn read_group(reader: &mut Reader<'_>, stream: &mut Stream, kind: u8) -> Result<(), ReadError> {
    let start = reader.offset();
    let duplicate = ReadError { offset: start, kind: ReadErrorKind::Duplicate };
    let name = bytes(reader)?;
    let last_id = read_id(reader)?;
    let entries_read = if kind == kind::STREAM_LISTPACKS {
        stream.extent().n_added_up_to(last_id)
    } else {
        // What nobody knows is -1; nor can it be more than was added.
        Some(reader.length()?).filter(|it| *it <= stream.marks().n_added)
    };
    if !stream.add_group(&name, last_id, entries_read) {
        return Err(duplicate);
    }
    stream.edit_group(&name, |group| read_pending(reader, group, kind)).unwrap_or(Err(duplicate))
}

/// What is known of entries of which nobody has said so far who has them: when they were delivered, and how often.
type Unowned = HashMap<StreamId, (u64, u64)>;

/// What is pending, and who has it.
fn read_pending(reader: &mut Reader<'_>, group: &mut Group, kind: u8) -> Result<(), ReadError> {
    let start = reader.offset();
    let bad = |kind| ReadError { offset: start, kind };
    let mut unowned = Unowned::new();
    for _ in 0..reader.count(PENDING_LEN_MIN)? {
        let id = id_of(reader.array()?);
        let delivered_ms = signed_max(u64::from_le_bytes(reader.array()?));
        if unowned.insert(id, (delivered_ms, signed_max(reader.length()?))).is_some() {
            return Err(bad(ReadErrorKind::Duplicate));
        }
    }
    let mut owned = Vec::with_capacity(unowned.len());
    for _ in 0..reader.count(10)? {
        let name = bytes(reader)?;
        let seen_ms = u64::from_le_bytes(reader.array()?);
        let (owner, is_new) = group.owner_or_new(&name, seen_ms);
        if !is_new {
            return Err(bad(ReadErrorKind::Duplicate));
        }
        let active_ms = match kind {
            kind::STREAM_LISTPACKS | kind::STREAM_LISTPACKS_2 => seen_ms,
            _ => u64::from_le_bytes(reader.array()?),
        };
        // What never was is -1.
        let active_ms = Some(active_ms).filter(|it| *it != u64::MAX);
        group.edit_consumer(owner, |it| it.active_ms = active_ms);
        for _ in 0..reader.count(ID_LEN)? {
            owned.push(read_owned(reader, Some(owner), &mut unowned)?);
        }
    }
    if kind == kind::STREAM_LISTPACKS_5 {
        for _ in 0..reader.count(ID_LEN)? {
            let pending = read_owned(reader, None, &mut unowned)?;
            if pending.delivered_ms != 0 {
                return Err(bad(ReadErrorKind::BadTime));
            }
            group.set_pending(pending);
        }
    }
    // Those of the same time are in the order of their IDs.
    owned.sort_unstable_by_key(|it| it.id);
    owned.into_iter().for_each(|it| group.set_pending(it));
    if unowned.is_empty() { Ok(()) } else { Err(bad(ReadErrorKind::BadPacking)) }
}

/// The ID of an entry that is pending, and who has it.
fn read_owned(
    reader: &mut Reader<'_>,
    owner: Option<Owner>,
    unowned: &mut Unowned,
) -> Result<Pending, ReadError> {
    let start = reader.offset();
    let id = id_of(reader.array()?);
    let Some((delivered_ms, n_deliveries)) = unowned.remove(&id) else {
        return Err(ReadError { offset: start, kind: ReadErrorKind::BadPacking });
    };
    Ok(Pending { id, delivered_ms, n_deliveries, owner })
}

/// Commands, and so what is recorded, know signed numbers only.
fn signed_max(number: u64) -> u64 {
    number.min(i64::MAX.cast_unsigned())
}

fn read_id(reader: &mut Reader<'_>) -> Result<StreamId, ReadError> {
    Ok(StreamId { ms: reader.length()?, seq: reader.length()? })
}

fn id_of(raw: [u8; ID_LEN]) -> StreamId {
    let [a, b, c, d, e, f, g, h, seq @ ..] = raw;
    StreamId { ms: u64::from_be_bytes([a, b, c, d, e, f, g, h]), seq: u64::from_be_bytes(seq) }
}
