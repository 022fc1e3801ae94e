//! [`Chain`]: all entries of a stream: sealed blocks in a tree, and the open one that entries are added to.

use super::block::{Backward, Block, Entry, Forward, Limits};
use super::id::StreamId;
use crate::packed::Full;
use crate::tree::rank::RankTree;

/// What a new block has room for at once, unless blocks are smaller: what Redis reserves, too, less the counter of
/// references in front of it.
const RESERVED_MAX: usize = 4096 - size_of::<usize>();

/// Entries in the order of their IDs.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    /// In order. Trimming by ID may leave one whose entries were all deleted, as in Redis: the last one was deleted before.
    sealed: RankTree<Block>,
    /// The last one.
    open: Option<Block>,
    /// The ID of the last entry of that one, deleted or not.
    open_last: StreamId,
    /// Bytes that the blocks hold.
    n_block_bytes: usize,
}

/// How much is cut off the beginning of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The last so many entries.
    Last(u64),
    /// From this ID on.
    From(StreamId),
}

/// How a stream is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What stays.
    pub keep: Keep,
    /// Only whole blocks go: what stays may be more.
    pub approximately: bool,
    /// So many entries go at most; 0: no limit.
    pub n_max: u64,
}

impl Chain {
    pub(super) fn len(&self) -> usize {
        self.sealed.weight() + self.open.as_ref().map_or(0, Block::n_live)
    }

    pub(super) fn n_blocks(&self) -> usize {
        self.sealed.len() + usize::from(self.open.is_some())
    }

    /// Bytes on the heap.
    pub(super) fn n_bytes(&self) -> usize {
        self.sealed.n_bytes() + self.n_block_bytes
    }

    pub(super) fn blocks(&self) -> impl DoubleEndedIterator<Item = &Block> {
        self.blocks_from(0)
    }

    /// Blocks from number `index` on.
    pub(super) fn blocks_from(&self, index: usize) -> impl DoubleEndedIterator<Item = &Block> {
        let open = self.open.as_ref().filter(|_| index <= self.sealed.len());
        self.sealed.range(index..).chain(open)
    }

    /// Blocks up to number `index`, that one included.
    fn blocks_to(&self, index: usize) -> impl DoubleEndedIterator<Item = &Block> {
        let open = self.open.as_ref().filter(|_| self.sealed.len() <= index);
        self.sealed.range(..=index).chain(open)
    }

    /// Number of the block in which an entry with this ID is, if it is anywhere, or would be.
    fn block_of(&self, id: StreamId) -> usize {
        if self.open.as_ref().is_some_and(|it| it.base() <= id) {
            return self.sealed.len();
        }
        match self.sealed.search(id, |it| it.base().cmp(&id)) {
            Ok(at) => at,
            Err(at) => at.saturating_sub(1),
        }
    }

    fn get_block(&self, index: usize) -> Option<&Block> {
        self.sealed.get(index).or_else(|| self.open.as_ref().filter(|_| index == self.sealed.len()))
    }

    /// Adds an entry with an ID larger than all before it. If it is too large nothing is changed.
    pub(super) fn push<'f>(
        &mut self,
        id: StreamId,
        fields: impl ExactSizeIterator<Item = (&'f [u8], &'f [u8])> + Clone,
        limits: Limits,
    ) -> Result<(), Full> {
        let n_bytes = fields.clone().map(|it| it.0.len() + it.1.len()).sum();
        if crate::packed::BYTES_MAX < n_bytes {
            return Err(Full);
        }
        // XSETID may go back behind an entry that was deleted and is still there: IDs are in order within a block.
        if let Some(open) =
            self.open.as_mut().filter(|it| self.open_last < id && it.has_room(n_bytes, limits))
        {
            let n_bytes_before = open.n_bytes();
            open.push(id, fields)?;
            self.open_last = id;
            self.n_block_bytes = self.n_block_bytes + open.n_bytes() - n_bytes_before;
            return Ok(());
        }
        let n_reserved = match limits.bytes_max {
            1..RESERVED_MAX => limits.bytes_max,
            _ => RESERVED_MAX,
        };
        let mut block = Block::new(id, fields.clone().map(|it| it.0), n_reserved)?;
        block.push(id, fields)?;
        self.open_last = id;
        self.n_block_bytes += block.n_bytes();
        if let Some(mut full) = self.open.replace(block) {
            self.n_block_bytes -= full.n_bytes();
            full.seal();
            self.n_block_bytes += full.n_bytes();
            self.sealed.push_back(full);
        }
        Ok(())
    }

    /// Adds a block behind all others; false if it does not belong there.
    pub(super) fn push_block(&mut self, block: Block) -> bool {
        if self.open.is_some() && block.base() <= self.open_last {
            return false;
        }
        self.open_last = block.last_id();
        self.n_block_bytes += block.n_bytes();
        if let Some(before) = self.open.replace(block) {
            self.sealed.push_back(before);
        }
        true
    }

    /// The ID of the first live entry.
    pub(super) fn first_id(&self) -> Option<StreamId> {
        self.iter_from(StreamId::MIN).next().map(|it| it.id)
    }

    /// The entry with this ID.
    pub(super) fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.get_block(self.block_of(id))?.find(id).map(|it| it.entry)
    }

    /// Blocks from the one in which an entry with this ID would be, each with its entries from there on.
    pub(super) fn parts_from(
        &self,
        id: StreamId,
    ) -> impl Iterator<Item = (&Block, Forward<'_>)> + use<'_> {
        self.blocks_from(self.block_of(id)).map(move |it| (it, it.from(id)))
    }

    /// Blocks from the one in which an entry with this ID would be, backwards, each with its entries from there on.
    pub(super) fn parts_back_from(
        &self,
        id: StreamId,
    ) -> impl Iterator<Item = (&Block, Backward<'_>)> + use<'_> {
        self.blocks_to(self.block_of(id)).rev().map(move |it| (it, it.back_from(id)))
    }

    /// Entries from the first whose ID is not less.
    pub(super) fn iter_from(&self, id: StreamId) -> impl Iterator<Item = Entry<'_>> + use<'_> {
        self.parts_from(id).flat_map(|(_, entries)| entries).map(|it| it.entry)
    }

    /// Entries from the last whose ID is not greater, backwards.
    pub(super) fn iter_back_from(&self, id: StreamId) -> impl Iterator<Item = Entry<'_>> + use<'_> {
        self.parts_back_from(id).flat_map(|(_, entries)| entries).map(|it| it.entry)
    }

    /// Removes an entry; false if it is not there.
    pub(super) fn remove(&mut self, id: StreamId) -> bool {
        let index = self.block_of(id);
        let mut n_bytes = (0, 0);
        let mut delete = |block: &mut Block| {
            n_bytes.0 = block.n_bytes();
            let deleted = block.delete(id);
            n_bytes.1 = block.n_bytes();
            (deleted, block.n_live() == 0)
        };
        let changed = match &mut self.open {
            Some(open) if index == self.sealed.len() => Some(delete(open)),
            _ => self.sealed.update(index, delete),
        };
        let Some((true, is_empty)) = changed else { return false };
        self.n_block_bytes = self.n_block_bytes + n_bytes.1 - n_bytes.0;
        if is_empty {
            self.remove_block(index);
        }
        true
    }

    fn remove_block(&mut self, index: usize) -> Option<Block> {
        let removed = if index < self.sealed.len() {
            self.sealed.remove(index)
        } else {
            let before = self.sealed.pop_back();
            self.open_last = before.as_ref().map_or(StreamId::MIN, Block::last_id);
            std::mem::replace(&mut self.open, before)
        };
        self.n_block_bytes -= removed.as_ref().map_or(0, |it| it.n_bytes());
        removed
    }

    /// Cuts the beginning off, as Redis does; returns how many entries went, and the ID of the last one.
    pub(super) fn trim(&mut self, trim: Trim) -> (u64, Option<StreamId>) {
        let mut n_removed = 0;
        let mut last_gone = None;
        let mut last_block = None;
        while let Some(first) = self.get_block(0) {
            let (len, n_here) = (self.len() as u64, first.n_live() as u64);
            let goes_wholly = match trim.keep {
                Keep::Last(n) if len <= n => break,
                Keep::Last(n) => n <= len - n_here,
                Keep::From(id) => first.last_id() < id,
            };
            if trim.n_max != 0 && trim.n_max < n_removed + n_here {
                break;
            }
            if goes_wholly {
                last_block = self.remove_block(0);
                n_removed += n_here;
                continue;
            }
            if !trim.approximately {
                let (n_here, gone) = self.trim_first(trim.keep, len);
                last_gone = last_gone.max(gone);
                n_removed += n_here;
                // What is left of it was deleted, and has IDs that were given again.
                if self.begins_with_remains(trim.keep) {
                    last_block = self.remove_block(0);
                    continue;
                }
            }
            break;
        }
        let last_of = |block: &Block| block.back_from(StreamId::MAX).next().map(|it| it.entry.id);
        (n_removed, last_gone.or_else(|| last_block.as_ref().and_then(last_of)))
    }

    /// Whether nothing in the first block is live, and the next one begins with what goes, too.
    fn begins_with_remains(&self, keep: Keep) -> bool {
        let Keep::From(id) = keep else { return false };
        let is_empty = self.get_block(0).is_some_and(|it| it.n_live() == 0);
        is_empty && self.get_block(1).is_some_and(|it| it.base() < id)
    }

    fn trim_first(&mut self, keep: Keep, len: u64) -> (u64, Option<StreamId>) {
        let mut n_bytes = (0, 0);
        let mut delete = |block: &mut Block| {
            n_bytes.0 = block.n_bytes();
            let deleted = block.delete_while(|id, n| match keep {
                Keep::Last(n_kept) => n_kept < len - n as u64,
                Keep::From(first) => id < first,
            });
            n_bytes.1 = block.n_bytes();
            deleted
        };
        let (n, last_gone) = match &mut self.open {
            Some(open) if self.sealed.is_empty() => delete(open),
            _ => self.sealed.update(0, delete).unwrap_or_default(),
        };
        self.n_block_bytes = self.n_block_bytes + n_bytes.1 - n_bytes.0;
        (n as u64, last_gone)
    }
}
