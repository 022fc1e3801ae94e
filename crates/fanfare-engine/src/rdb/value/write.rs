//! What is written.

use crate::packed::{Chunk, Element, Listpack};
use crate::rdb::payload::kind;
use crate::rdb::{Compressor, write_int, write_len, write_string};
use crate::value::hash::Field;
use crate::value::set::Member;
use crate::value::stream::{Group, Pending, Producers, StreamId};
use crate::value::{Hash, List, Set, SortedSet, Stream, Text, Value};

/// Writes the type of a value and the value. Long strings are compressed if there is a `compressor`.
pub fn write_value(out: &mut Vec<u8>, value: &Value, compressor: Option<&mut Compressor>) {
    let mut writer = Writer { out, compressor };
    match value {
        Value::Text(text) => writer.text(text),
        Value::List(list) => writer.list(list),
        Value::Set(set) => writer.set(set),
        Value::Hash(hash) => writer.hash(hash),
        Value::SortedSet(sorted_set) => writer.sorted_set(sorted_set),
        Value::Stream(stream) => writer.stream(stream),
    }
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    compressor: Option<&'a mut Compressor>,
}

impl Writer<'_> {
    fn kind(&mut self, kind: u8) {
        self.out.push(kind);
    }

    fn n(&mut self, n: usize) {
        write_len(self.out, u64::try_from(n).unwrap_or(u64::MAX));
    }

    fn string(&mut self, bytes: &[u8]) {
        write_string(self.out, bytes, self.compressor.as_deref_mut());
    }

    fn text(&mut self, text: &Text) {
        self.kind(kind::STRING);
        match text {
            Text::Int(number) => write_int(self.out, *number),
            Text::Fixed(bytes) => self.string(bytes),
            Text::Grown(bytes) => self.string(bytes),
        }
    }

    fn list(&mut self, list: &List) {
        self.kind(kind::LIST_QUICKLIST_2);
        self.n(list.chunks().filter(|it| !it.is_empty()).count());
        for chunk in list.chunks().filter(|it| !it.is_empty()) {
            match chunk {
                Chunk::Packed(pack) => self.node(kind::NODE_PACKED, pack.as_bytes()),
                // Redis 7.0 has a listpack for each element that one can hold.
                Chunk::Plain(bytes) => {
                    let mut pack = Listpack::new();
                    match pack.push_back(Element::Bytes(bytes)) {
                        Ok(()) => self.node(kind::NODE_PACKED, pack.as_bytes()),
                        Err(_) => self.node(kind::NODE_PLAIN, bytes),
                    }
                }
            }
        }
    }

    fn node(&mut self, container: u64, bytes: &[u8]) {
        write_len(self.out, container);
        self.string(bytes);
    }

    fn set(&mut self, set: &Set) {
        if let Set::Ints(ints) = set {
            self.kind(kind::SET_INTSET);
            return self.string(&ints.to_bytes());
        }
        self.kind(kind::SET);
        self.n(set.len());
        for member in set {
            match member {
                Member::Int(number) => write_int(self.out, number),
                Member::Name(name) => self.string(name),
            }
        }
    }

    fn hash(&mut self, hash: &Hash) {
        match (hash.listpack(), hash.soonest_ms()) {
            (Some((pack, false)), _) => {
                self.kind(kind::HASH_LISTPACK);
                self.string(pack.as_bytes());
            }
            (Some((pack, true)), None) => {
                self.kind(kind::HASH_LISTPACK);
                self.string(without_times(pack).as_bytes());
            }
            (Some((pack, true)), Some(soonest_ms)) => {
                self.kind(kind::HASH_LISTPACK_EX);
                self.out.extend_from_slice(&soonest_ms.to_le_bytes());
                self.string(pack.as_bytes());
            }
            (None, None) => {
                self.kind(kind::HASH);
                self.n(hash.len());
                hash.iter().for_each(|it| self.field(&it));
            }
            (None, Some(soonest_ms)) => {
                self.kind(kind::HASH_METADATA);
                self.out.extend_from_slice(&soonest_ms.to_le_bytes());
                self.n(hash.len());
                for field in hash {
                    // 0 says never, so that the soonest is 1.
                    let after = field.expires_at_ms.map(|it| it.saturating_sub(soonest_ms) + 1);
                    write_len(self.out, after.unwrap_or(0));
                    self.field(&field);
                }
            }
        }
    }

    fn field(&mut self, field: &Field<'_>) {
        let mut digits = itoa::Buffer::new();
        self.string(field.name.bytes(&mut digits));
        self.string(field.value.bytes(&mut digits));
    }

    fn sorted_set(&mut self, sorted_set: &SortedSet) {
        if let Some(pack) = sorted_set.as_listpack() {
            self.kind(kind::ZSET_LISTPACK);
            return self.string(pack.as_bytes());
        }
        self.kind(kind::ZSET_2);
        self.n(sorted_set.len());
        // The last one first, as Redis does, whose skip list is quicker to build so.
        for member in sorted_set.iter().rev() {
            self.string(&member.name);
            self.out.extend_from_slice(&member.score.to_le_bytes());
        }
    }

    fn stream(&mut self, stream: &Stream) {
        // Few have anything that Redis 7.0 does not know.
        let is_newest = stream.producers().has_any() || stream.groups().any(Group::has_unowned);
        self.kind(if is_newest { kind::STREAM_LISTPACKS_5 } else { kind::STREAM_LISTPACKS_2 });
        // Later ones refuse a block of which all entries were deleted.
        let blocks = || stream.blocks().filter(|it| it.n_entries() != 0);
        self.n(blocks().count());
        for block in blocks() {
            self.string(&raw_id(block.base()));
            self.string(block.listpack().as_bytes());
        }
        let marks = stream.marks();
        self.n(stream.len());
        self.id(marks.last_id);
        self.id(stream.first_id());
        self.id(marks.max_deleted_id);
        write_len(self.out, marks.n_added);
        self.n(stream.n_groups());
        stream.groups().for_each(|it| self.group(it, is_newest));
        if is_newest {
            self.producers(stream.producers());
        }
    }

    fn producers(&mut self, producers: &Producers) {
        let settings = producers.settings();
        write_len(self.out, settings.duration_s.into());
        write_len(self.out, settings.n_max.into());
        self.n(producers.len());
        for (pid, n_entries, entries) in producers.iter() {
            self.string(pid);
            self.n(n_entries);
            for (iid, id) in entries {
                self.string(iid);
                self.id(id);
            }
        }
        let (n_added, n_duplicates) = producers.counts();
        write_len(self.out, n_added);
        write_len(self.out, n_duplicates);
    }

    fn group(&mut self, group: &Group, is_newest: bool) {
        self.string(group.name());
        self.id(group.last_id());
        // What nobody knows is -1.
        write_len(self.out, group.entries_read().unwrap_or(u64::MAX));
        self.n(group.n_pending());
        for pending in group.pending_from(StreamId::MIN) {
            let Pending { id, delivered_ms, n_deliveries, .. } = pending;
            self.out.extend_from_slice(&raw_id(id));
            self.out.extend_from_slice(&delivered_ms.to_le_bytes());
            write_len(self.out, n_deliveries);
        }
        self.n(group.n_consumers());
        for consumer in group.consumers() {
            self.string(&consumer.name);
            self.out.extend_from_slice(&consumer.seen_ms.to_le_bytes());
            if is_newest {
                // What never was is -1.
                let active_ms = consumer.active_ms.unwrap_or(u64::MAX);
                self.out.extend_from_slice(&active_ms.to_le_bytes());
            }
            self.n(consumer.n_pending());
            for id in consumer.pending_from(StreamId::MIN) {
                self.out.extend_from_slice(&raw_id(id));
            }
        }
        if is_newest {
            let ids: Vec<_> = group.unowned().collect();
            self.n(ids.len());
            ids.into_iter().for_each(|id| self.out.extend_from_slice(&raw_id(id)));
        }
    }

    fn id(&mut self, id: StreamId) {
        write_len(self.out, id.ms);
        write_len(self.out, id.seq);
    }
}

/// An ID in 16 bytes that are in order as IDs are.
fn raw_id(id: StreamId) -> [u8; 16] {
    ((u128::from(id.ms) << 64) | u128::from(id.seq)).to_be_bytes()
}

/// Fields and values of a packed hash of which no field expires any more.
fn without_times(pack: &Listpack) -> Listpack {
    let mut plain = Listpack::with_capacity(pack.as_bytes().len());
    for (index, element) in pack.iter().enumerate() {
        if index % 3 != 2 {
            let pushed = plain.push_back(element);
            debug_assert!(pushed.is_ok(), "it is shorter than the one it is made of");
        }
    }
    plain
}
