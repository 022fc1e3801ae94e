//! What is written.

use crate::packed::{Chunk, Element, Listpack};
use crate::rdb::payload::kind;
use crate::rdb::{Compressor, write_int, write_len, write_string};
use crate::value::hash::Field;
use crate::value::set::Member;
use crate::value::{Hash, List, Set, SortedSet, Text, Value};

/// Writes the type of a value and the value. Long strings are compressed if there is a `compressor`.
pub fn write_value(out: &mut Vec<u8>, value: &Value, compressor: Option<&mut Compressor>) {
    let mut writer = Writer { out, compressor };
    match value {
        Value::Text(text) => writer.text(text),
        Value::List(list) => writer.list(list),
        Value::Set(set) => writer.set(set),
        Value::Hash(hash) => writer.hash(hash),
        Value::SortedSet(sorted_set) => writer.sorted_set(sorted_set),
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
            return self.string(ints.as_bytes());
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
