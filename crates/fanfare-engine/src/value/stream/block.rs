//! [`Block`]: up to a hundred or so entries in one listpack, as Redis has it.
//!
//! ```text
//! n live | n deleted | n fields | field … | 0 | entry …
//! entry: flags | ms | seq | n fields | field | value … | number of elements before this one
//! entry with the fields of the first one: flags | ms | seq | value … | number of elements before this one
//! ```
//!
//! `ms` and `seq` count from the first entry's ID. The last element of an entry leads back to its beginning. A deleted
//! entry is marked and stays until its block goes.

use super::id::StreamId;
use crate::packed::{Element, Full, Listpack, Position, listpack};
use crate::tree::rank::Item;

const DELETED: i64 = 1;
/// It has the fields of the first entry, whose names are not repeated.
const SAME_FIELDS: i64 = 2;
const FLAGS_MAX: i64 = DELETED | SAME_FIELDS;
/// Bytes that flags take, with what leads back over them.
const FLAGS_LEN: usize = 2;
/// Elements of an entry before its fields.
const N_HEAD: usize = 3;

/// Entries that lie together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Block {
    /// The ID from which those of the entries count.
    base: StreamId,
    pack: Listpack,
    n_live: u32,
    n_deleted: u32,
}

/// How much goes into one block.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `stream-node-max-bytes`; 0: no limit.
    pub bytes_max: usize,
    /// `stream-node-max-entries`; 0: no limit.
    pub entries_max: usize,
}

/// One entry of a block.
#[derive(Clone, Debug)]
pub(super) struct Found<'a> {
    pub(super) entry: Entry<'a>,
    pub(super) is_deleted: bool,
    /// Where it begins and ends.
    pub(super) start: Position,
    pub(super) end: Position,
}

/// An entry: an ID, and fields with values.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// What it is found by.
    pub id: StreamId,
    n_fields: usize,
    /// The names, if they are not among the values.
    names: Option<listpack::Iter<'a>>,
    elements: listpack::Iter<'a>,
}

impl<'a> Entry<'a> {
    /// How many fields it has.
    #[must_use]
    pub fn n_fields(&self) -> usize {
        self.n_fields
    }

    /// Fields and values, in the order in which they were given.
    pub fn fields(&self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> + use<'a> {
        let (mut names, mut elements) = (self.names.clone(), self.elements.clone());
        (0..self.n_fields).map_while(move |_| {
            let name = match &mut names {
                Some(names) => names.next()?,
                None => elements.next()?,
            };
            Some((name, elements.next()?))
        })
    }
}

/// What a block says of itself before its entries.
#[derive(Clone, Debug)]
struct Master<'a> {
    n_fields: usize,
    names: listpack::Iter<'a>,
    /// Where the first entry begins.
    entries: Position,
}

impl Item for Block {
    type Hint = StreamId;
    const LEAF_MAX: usize = 32;

    fn hint(&self) -> StreamId {
        self.base
    }

    fn weight(&self) -> usize {
        self.n_live()
    }
}

impl Block {
    /// A block for entries with these fields that begins with the ID of the first of them, and has none so far.
    ///
    /// # Errors
    /// If they are too large.
    pub(super) fn new<'f>(
        base: StreamId,
        fields: impl ExactSizeIterator<Item = &'f [u8]>,
        n_bytes: usize,
    ) -> Result<Self, Full> {
        let mut pack = Listpack::with_capacity(n_bytes);
        for number in [0, 0, int(fields.len())] {
            pack.push_back(number)?;
        }
        fields.into_iter().try_for_each(|name| pack.push_back(name))?;
        pack.push_back(0)?;
        Ok(Self { base, pack, n_live: 0, n_deleted: 0 })
    }

    /// What was written elsewhere. `None`: it is not a block whose entries' IDs are in order, from `base` on.
    pub(crate) fn from_listpack(base: StreamId, pack: Listpack) -> Option<Self> {
        let mut block = Self { base, pack, n_live: 0, n_deleted: 0 };
        let (n_live, at) = block.int_at(block.pack.start())?;
        let (n_deleted, _) = block.int_at(at)?;
        let master = block.master()?;
        let mut at = master.entries;
        let (mut n_live_found, mut n_deleted_found, mut last) = (0, 0, None);
        while at < block.pack.end() {
            let found = block.read(&master, at)?;
            let (n_elements, _) = block.int_at(block.pack.prev(found.end)?)?;
            let n_found = block.pack.range(found.start, found.end).count().checked_sub(1)?;
            let id = found.entry.id;
            let (flags, flags_end) = block.int_at(at)?;
            // Deleting an entry must not move it.
            let is_in_place =
                (0..=FLAGS_MAX).contains(&flags) && flags_end.distance(at) == FLAGS_LEN;
            if !is_in_place || id < base {
                return None;
            }
            if usize::try_from(n_elements).ok()? != n_found || last.is_some_and(|it| id <= it) {
                return None;
            }
            *if found.is_deleted { &mut n_deleted_found } else { &mut n_live_found } += 1;
            (last, at) = (Some(id), found.end);
        }
        (block.n_live, block.n_deleted) = (n_live_found, n_deleted_found);
        last?;
        let is_true = (i64::from(n_live_found), i64::from(n_deleted_found)) == (n_live, n_deleted);
        // Zero marks the end of the master entry.
        is_true.then_some(block)
    }

    pub(crate) fn base(&self) -> StreamId {
        self.base
    }

    pub(super) fn n_live(&self) -> usize {
        self.n_live as usize
    }

    /// How many entries it has that were not deleted.
    pub(crate) fn n_entries(&self) -> usize {
        self.n_live()
    }

    /// The ID of the last entry, deleted or not. It is read.
    pub(crate) fn last_id(&self) -> StreamId {
        let last = self.master().and_then(|it| self.read_back(&it, self.pack.end()));
        last.map_or(self.base, |it| it.entry.id)
    }

    /// The IDs of the entries that were not deleted.
    pub(crate) fn ids(&self) -> impl Iterator<Item = StreamId> + use<'_> {
        self.from(StreamId::MIN).map(|it| it.entry.id)
    }

    /// Bytes on the heap that it holds.
    pub(super) fn n_bytes(&self) -> usize {
        self.pack.n_bytes()
    }

    /// The entries as Redis has them.
    pub(crate) fn listpack(&self) -> &Listpack {
        &self.pack
    }

    /// Whether an entry with so many bytes still belongs here.
    pub(super) fn has_room(&self, n_bytes: usize, limits: Limits) -> bool {
        let bytes_max = match limits.bytes_max {
            1..=crate::packed::BYTES_MAX => limits.bytes_max,
            _ => crate::packed::BYTES_MAX,
        };
        let n_entries = self.n_live() + self.n_deleted as usize;
        self.pack.n_used() + n_bytes < bytes_max
            && (limits.entries_max == 0 || n_entries < limits.entries_max)
    }

    /// Adds an entry, whose ID is larger than all here.
    ///
    /// # Errors
    /// If it is too large. The block is of no use any more then.
    pub(super) fn push<'f>(
        &mut self,
        id: StreamId,
        fields: impl ExactSizeIterator<Item = (&'f [u8], &'f [u8])> + Clone,
    ) -> Result<(), Full> {
        let has_same = self.has_fields(fields.clone().map(|it| it.0));
        let n_fields = fields.len();
        let (ms, seq) = id.minus(self.base);
        let pack = &mut self.pack;
        for number in [if has_same { SAME_FIELDS } else { 0 }, ms, seq] {
            pack.push_back(number)?;
        }
        if !has_same {
            pack.push_back(int(n_fields))?;
        }
        for (name, value) in fields {
            if !has_same {
                pack.push_back(name)?;
            }
            pack.push_back(value)?;
        }
        let n_elements = N_HEAD + if has_same { n_fields } else { 1 + 2 * n_fields };
        pack.push_back(int(n_elements))?;
        self.n_live += 1;
        self.write_counts()
    }

    /// Whether these are the names that the block says before its entries.
    fn has_fields<'f>(&self, mut names: impl ExactSizeIterator<Item = &'f [u8]>) -> bool {
        let mut digits = itoa::Buffer::new();
        self.master().is_some_and(|it| {
            it.n_fields == names.len()
                && it
                    .names
                    .take(it.n_fields)
                    .all(|mine| names.next() == Some(mine.spelled(&mut digits)))
        })
    }

    /// Writes how many entries there are.
    fn write_counts(&mut self) -> Result<(), Full> {
        let (n_live, n_deleted) = (i64::from(self.n_live), i64::from(self.n_deleted));
        let pack = &mut self.pack;
        let at = pack.start();
        pack.replace(at, n_live)?;
        // Most blocks have none, and what is there already says so.
        match pack.next(at) {
            Some(at) if pack.at(at).and_then(|it| it.as_int()) != Some(n_deleted) => {
                pack.replace(at, n_deleted)
            }
            _ => Ok(()),
        }
    }

    /// Gives back the memory that was kept for more entries.
    pub(super) fn seal(&mut self) {
        self.pack.shrink_to_fit();
    }

    /// Marks an entry as deleted; false if it is not there.
    pub(super) fn delete(&mut self, id: StreamId) -> bool {
        let Some(start) = self.find(id).map(|it| it.start) else { return false };
        self.mark(start) && self.write_counts().is_ok()
    }

    /// Marks entries from the first on as deleted, while `is_wanted`, which is asked with the ID and how many live ones
    /// were marked so far. Returns how many those were.
    pub(super) fn delete_while(
        &mut self,
        is_wanted: impl Fn(StreamId, usize) -> bool,
    ) -> (usize, Option<StreamId>) {
        let Some(mut at) = self.master().map(|it| it.entries) else { return (0, None) };
        let (mut n, mut last) = (0, None);
        loop {
            // Marking an entry moves nothing: the flags take one byte.
            let found = self.master().and_then(|master| self.read(&master, at));
            let Some(found) = found.filter(|it| is_wanted(it.entry.id, n)) else { break };
            let (id, is_deleted, end) = (found.entry.id, found.is_deleted, found.end);
            if !is_deleted && self.mark(at) {
                n += 1;
                last = Some(id);
            }
            at = end;
        }
        let written = self.write_counts();
        debug_assert!(written.is_ok(), "a count takes a few bytes");
        (n, last)
    }

    fn mark(&mut self, start: Position) -> bool {
        let Some((flags, _)) = self.int_at(start) else { return false };
        let marked = self.pack.replace(start, flags | DELETED).is_ok();
        if marked {
            self.n_live -= 1;
            self.n_deleted += 1;
        }
        marked
    }

    /// The live entry with this ID.
    pub(super) fn find(&self, id: StreamId) -> Option<Found<'_>> {
        let mut after = self.from(id);
        after.next().filter(|it| it.entry.id == id)
    }

    /// Live entries from the first whose ID is not less.
    pub(super) fn from(&self, id: StreamId) -> Forward<'_> {
        let Some(master) = self.master() else { return Forward { block: self, next: None } };
        if id <= self.base {
            let at = master.entries;
            return Forward { block: self, next: Some((master, at)) };
        }
        let (mut low, mut high) = (master.entries, self.pack.end());
        // From both ends: who follows a stream asks for its last entries, who pages for any.
        loop {
            match self.read(&master, low) {
                Some(found) if found.entry.id < id => low = found.end,
                _ => break,
            }
            match self.read_back(&master, high) {
                Some(found) if id <= found.entry.id => high = found.start,
                _ => {
                    low = high;
                    break;
                }
            }
        }
        Forward { block: self, next: Some((master, low)) }
    }

    /// Live entries from the last whose ID is not greater, backwards.
    pub(super) fn back_from(&self, id: StreamId) -> Backward<'_> {
        let end = match id.next() {
            Some(after) => self.from(after).position(),
            None => Some(self.pack.end()),
        };
        Backward { block: self, next: self.master().zip(end) }
    }

    /// Live entries from a position on that an earlier one ended at.
    pub(super) fn forward_at(&self, at: Position) -> Forward<'_> {
        Forward { block: self, next: self.master().map(|it| (it, at)) }
    }

    /// Live entries before a position at which one begins, backwards.
    pub(super) fn backward_at(&self, at: Position) -> Backward<'_> {
        Backward { block: self, next: self.master().map(|it| (it, at)) }
    }

    fn master(&self) -> Option<Master<'_>> {
        let at = self.pack.next(self.pack.next(self.pack.start())?)?;
        let (n_fields, names_at) = self.int_at(at)?;
        let n_fields = usize::try_from(n_fields).ok()?;
        let end = self.skip(names_at, n_fields)?;
        let names = self.pack.range(names_at, end);
        // A zero ends it.
        Some(Master { n_fields, names, entries: self.pack.next(end)? })
    }

    /// The entry at a position.
    fn read<'a>(&'a self, master: &Master<'a>, start: Position) -> Option<Found<'a>> {
        let (flags, at) = self.int_at(start)?;
        let (ms, at) = self.int_at(at)?;
        let (seq, at) = self.int_at(at)?;
        let id = self.base.plus((ms, seq));
        let (n_fields, names, at, n_elements) = if flags & SAME_FIELDS != 0 {
            (master.n_fields, Some(master.names.clone()), at, master.n_fields)
        } else {
            let (n_fields, at) = self.int_at(at)?;
            let n_fields = usize::try_from(n_fields).ok()?;
            (n_fields, None, at, n_fields.checked_mul(2)?)
        };
        let elements_end = self.skip(at, n_elements)?;
        let elements = self.pack.range(at, elements_end);
        let end = self.pack.next(elements_end)?;
        let entry = Entry { id, n_fields, names, elements };
        Some(Found { entry, is_deleted: flags & DELETED != 0, start, end })
    }

    /// The entry that ends at a position; `None` at the first.
    fn read_back<'a>(&'a self, master: &Master<'a>, end: Position) -> Option<Found<'a>> {
        if end <= master.entries {
            return None;
        }
        let last = self.pack.prev(end)?;
        let (n_elements, _) = self.int_at(last)?;
        let n_elements = usize::try_from(n_elements).ok()?;
        let start = (0..n_elements).try_fold(last, |it, _| self.pack.prev(it))?;
        self.read(master, start)
    }

    fn int_at(&self, at: Position) -> Option<(i64, Position)> {
        let (element, next) = self.pack.read(at)?;
        Some((element.as_int()?, next))
    }

    fn skip(&self, at: Position, n: usize) -> Option<Position> {
        (0..n).try_fold(at, |it, _| self.pack.next(it))
    }
}

/// Live entries of a block.
#[derive(Clone, Debug)]
pub(super) struct Forward<'a> {
    block: &'a Block,
    next: Option<(Master<'a>, Position)>,
}

impl Forward<'_> {
    /// Where the next entry begins, deleted or not.
    pub(super) fn position(&self) -> Option<Position> {
        self.next.as_ref().map(|it| it.1)
    }
}

impl<'a> Iterator for Forward<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let (master, at) = self.next.as_mut()?;
        loop {
            let found = self.block.read(master, *at)?;
            *at = found.end;
            if !found.is_deleted {
                return Some(found);
            }
        }
    }
}

/// Live entries of a block, the last first.
#[derive(Clone, Debug)]
pub(super) struct Backward<'a> {
    block: &'a Block,
    next: Option<(Master<'a>, Position)>,
}

impl Backward<'_> {
    /// Where the entry before ends, deleted or not.
    pub(super) fn position(&self) -> Option<Position> {
        self.next.as_ref().map(|it| it.1)
    }
}

impl<'a> Iterator for Backward<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let (master, at) = self.next.as_mut()?;
        loop {
            let found = self.block.read_back(master, *at)?;
            *at = found.start;
            if !found.is_deleted {
                return Some(found);
            }
        }
    }
}

fn int(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
