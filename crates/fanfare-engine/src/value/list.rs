//! A list: elements in [`Chunk`]s as Redis's quicklist has them in listpacks. A small list is one chunk.
//!
//! Pushing and popping take constant time (at most one move of a chunk's bytes); what goes by index descends a tree of
//! chunks and then searches in one.

mod chunks;
mod slice;

#[cfg(test)]
mod tests;

pub use slice::Slice;

use self::chunks::Chunks;
use crate::Blob;
use crate::packed::{Chunk, Element, Fill};
use crate::tree::Name;

/// A list.
#[derive(Clone, Debug, Default)]
pub struct List(Chunks);

/// One of the two ends of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where the first element is.
    Left,
    /// Where the last element is.
    Right,
}

/// The system takes large allocations back page by page.
const PAGE_LEN: usize = 4096;

/// Reading.
impl List {
    /// Number of elements.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.n_elements()
    }

    /// Whether there is none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element number `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Blob> {
        let (at, offset) = self.0.seek(index)?;
        let chunk = self.0.get(at)?;
        chunk.get(offset).map(|it| blob(chunk, it))
    }

    /// The elements from first to last.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Element<'_>> {
        self.chunks().flat_map(Chunk::iter)
    }

    /// The elements from number `index` on.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = Element<'_>> {
        let (at, offset) = self.0.seek(index).unwrap_or((self.0.n_chunks(), 0));
        let first = self.0.get(at).map(|it| it.iter_from(offset)).into_iter().flatten();
        first.chain(self.0.iter_from(at.saturating_add(1)).flat_map(Chunk::iter))
    }

    /// The chunks, as they are saved. The only one of an empty list is empty.
    pub fn chunks(&self) -> impl DoubleEndedIterator<Item = &Chunk> {
        self.0.iter_from(0)
    }

    /// `n` elements from number `start` on, or as many as there are, as a reply can keep them.
    #[must_use]
    pub fn slice(&self, start: usize, n: usize) -> Slice {
        Slice::new(self.clone(), start, n)
    }

    /// The name that `OBJECT ENCODING` answers.
    #[expect(clippy::unused_self, reason = "the other types look at themselves")]
    pub(super) fn encoding(&self) -> &'static str {
        "quicklist"
    }

    /// Bytes on the heap, in constant time.
    pub(super) fn n_bytes(&self) -> usize {
        self.0.n_bytes()
    }

    /// About how many small allocations it takes as long to free as this.
    pub(super) fn effort(&self) -> usize {
        2 * self.0.n_chunks() + self.0.n_bytes() / PAGE_LEN
    }
}

/// An element as a reply has it: a large one is shared, a short one needs no memory of its own.
fn blob(chunk: &Chunk, element: Element<'_>) -> Blob {
    match chunk {
        Chunk::Plain(bytes) => Blob::Shared(std::sync::Arc::clone(bytes)),
        Chunk::Packed(_) => short_blob(element),
    }
}

/// An element of a packed chunk as a reply has it.
fn short_blob(element: Element<'_>) -> Blob {
    Blob::Name(Name::from(element.spelled(&mut itoa::Buffer::new())))
}

/// A chunk with one element.
fn alone(bytes: &[u8], fill: Fill) -> Chunk {
    // What no listpack can hold does not need one.
    Chunk::new(Element::Bytes(bytes), fill).unwrap_or_else(|_| Chunk::Plain(bytes.into()))
}

/// Changing.
impl List {
    /// Adds an element at one end.
    #[inline]
    pub fn push(&mut self, side: Side, bytes: &[u8], fill: Fill) {
        let chunk = self.0.end_mut(side);
        let index = match side {
            Side::Left => 0,
            Side::Right => usize::MAX,
        };
        if chunk.fits(bytes.len(), fill) && chunk.insert(index, Element::Bytes(bytes)).is_ok() {
            return;
        }
        self.0.insert(index, alone(bytes, fill));
    }

    /// Removes the element at one end.
    #[inline]
    pub fn pop(&mut self, side: Side) -> Option<Blob> {
        let chunk = self.0.end_mut(side);
        let element = match chunk {
            Chunk::Packed(packed) => {
                let position = match side {
                    Side::Left => packed.start(),
                    Side::Right => packed.prev(packed.end())?,
                };
                let element = short_blob(packed.at(position)?);
                packed.remove(position, 1);
                element
            }
            Chunk::Plain(bytes) => {
                let element = Blob::Shared(std::sync::Arc::clone(bytes));
                chunk.remove_range(0, 1);
                element
            }
        };
        if chunk.is_empty() {
            let at = match side {
                Side::Left => 0,
                Side::Right => self.0.n_chunks() - 1,
            };
            self.0.remove(at, at + 1);
        }
        Some(element)
    }

    /// Removes `n` elements at one end, or as many as there are; the one at the very end comes first.
    pub fn pop_many(&mut self, side: Side, n: usize) -> Vec<Blob> {
        let n = n.min(self.len());
        let start = match side {
            Side::Left => 0,
            Side::Right => self.len() - n,
        };
        let mut popped = Vec::with_capacity(n);
        if let Some((at, offset)) = self.0.seek(start) {
            let mut offset = offset;
            for chunk in self.0.iter_from(at) {
                let n_left = n - popped.len();
                popped.extend(chunk.iter_from(offset).take(n_left).map(|it| blob(chunk, it)));
                offset = 0;
                if popped.len() == n {
                    break;
                }
            }
        }
        if side == Side::Right {
            popped.reverse();
        }
        self.remove_range(start, n);
        popped
    }

    /// Puts an element in the place of number `index`; returns whether there is one.
    pub fn set(&mut self, index: usize, bytes: &[u8], fill: Fill) -> bool {
        let Some((at, offset)) = self.0.seek(index) else { return false };
        let replaced = self.0.edit(at, |it| it.replace(offset, Element::Bytes(bytes), fill));
        if replaced != Some(true) {
            self.remove_range(index, 1);
            self.insert(index, bytes, fill);
        }
        true
    }

    /// Inserts an element before number `index`, or after the last one.
    pub fn insert(&mut self, index: usize, bytes: &[u8], fill: Fill) {
        let Some((at, offset)) = self.0.seek(index) else {
            return self.push(Side::Right, bytes, fill);
        };
        if self.insert_within(at, offset, bytes, fill) {
            return;
        }
        if offset == 0 {
            if at == 0 || !self.insert_within(at - 1, usize::MAX, bytes, fill) {
                self.0.insert(at, alone(bytes, fill));
            }
            return;
        }
        // The chunk is full: it becomes two, and the new element joins one of them if it may.
        if let Some(Some(rest)) = self.0.edit(at, |it| it.split_off(offset)) {
            self.0.insert(at + 1, rest);
        }
        if !self.insert_within(at, usize::MAX, bytes, fill)
            && !self.insert_within(at + 1, 0, bytes, fill)
        {
            self.0.insert(at + 1, alone(bytes, fill));
        }
        self.merge_around(at, fill);
    }

    /// Inserts an element into the chunk number `at`, if it has room; returns whether it did.
    fn insert_within(&mut self, at: usize, offset: usize, bytes: &[u8], fill: Fill) -> bool {
        let has_room = self.0.get(at).is_some_and(|it| it.fits(bytes.len(), fill));
        has_room && self.0.edit(at, |it| it.insert(offset, Element::Bytes(bytes))) == Some(Ok(()))
    }

    /// Merges the two parts of a chunk that was split with their neighbours if they fit, so that inserting here and
    /// there leaves no crumbs.
    fn merge_around(&mut self, at: usize, fill: Fill) {
        for first in [at + 1, at, at.wrapping_sub(1)] {
            let next_at = first.wrapping_add(1);
            if let (Some(chunk), Some(next)) = (self.0.get(first), self.0.get(next_at))
                && chunk.may_merge(next, fill)
            {
                let next = next.clone();
                if self.0.edit(first, |it| it.merge(&next, fill)) == Some(true) {
                    self.0.remove(next_at, next_at + 1);
                }
            }
        }
    }

    /// Removes `n` elements from number `start` on, or as many as there are.
    pub fn remove_range(&mut self, start: usize, n: usize) {
        let end = start.saturating_add(n).min(self.len());
        if end <= start {
            return;
        }
        let (Some((mut from, from_offset)), Some((to, to_offset))) =
            (self.0.seek(start), self.0.seek(end - 1))
        else {
            return;
        };
        if from == to {
            self.0.edit(from, |it| it.remove_range(from_offset, to_offset + 1 - from_offset));
            return self.remove_if_empty(from);
        }
        let is_whole =
            |list: &Self, at: usize, n: usize| list.0.get(at).is_some_and(|it| it.len() == n);
        let mut whole_end = to;
        if is_whole(self, to, to_offset + 1) {
            whole_end = to + 1;
        } else {
            self.0.edit(to, |it| it.remove_range(0, to_offset + 1));
        }
        if from_offset != 0 {
            self.0.edit(from, |it| it.remove_range(from_offset, usize::MAX));
            from += 1;
        }
        self.0.remove(from, whole_end);
    }

    /// Removes elements that spell `wanted`, `n_max` at most, beginning at one end; returns how many there were.
    pub fn remove_matching(&mut self, wanted: &[u8], n_max: usize, side: Side) -> usize {
        let mut n_removed = 0;
        let mut n_seen = 0;
        while n_removed < n_max && n_seen < self.0.n_chunks() {
            let at = match side {
                Side::Left => n_seen,
                Side::Right => self.0.n_chunks() - 1 - n_seen,
            };
            n_seen += 1;
            // A chunk without any is not touched, and so not copied.
            if self.0.get(at).is_none_or(|it| !it.contains(wanted)) {
                continue;
            }
            let n_left = n_max - n_removed;
            let n = self.0.edit(at, |it| it.remove_matching(wanted, n_left, side == Side::Right));
            n_removed += n.unwrap_or_default();
            if self.0.get(at).is_some_and(Chunk::is_empty) {
                self.0.remove(at, at + 1);
                n_seen -= 1;
                if self.is_empty() {
                    break;
                }
            }
        }
        n_removed
    }

    fn remove_if_empty(&mut self, at: usize) {
        if self.0.get(at).is_some_and(Chunk::is_empty) {
            self.0.remove(at, at + 1);
        }
    }
}

impl FromIterator<Chunk> for List {
    /// Chunks that were saved; empty ones are left out.
    fn from_iter<I: IntoIterator<Item = Chunk>>(chunks: I) -> Self {
        let mut list = Self::default();
        list.extend(chunks);
        list
    }
}

impl Extend<Chunk> for List {
    /// Adds chunks that were saved at the right end; empty ones are left out.
    fn extend<I: IntoIterator<Item = Chunk>>(&mut self, chunks: I) {
        for chunk in chunks.into_iter().filter(|it| !it.is_empty()) {
            self.0.insert(usize::MAX, chunk);
        }
    }
}
