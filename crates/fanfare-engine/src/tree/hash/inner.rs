//! [`Inner`]: up to 64 children, each for a range of 6 bits of the hash.

use std::mem::take;

use super::leaf::{Leaf, N_ITEMS_MAX, N_MERGED_MAX};
use super::node::Node;

/// The bits of the hash that one level of the tree uses.
const BITS: u32 = 6;
const N_SLOTS: u32 = 1 << BITS;

/// The level that has only 4 bits left to use; its slots are every fourth.
const LEVEL_MAX: u32 = 10;

/// What is below a place in the tree.
#[derive(Debug, Default)]
pub(super) enum Child<T> {
    #[default]
    Empty,
    Leaf(Leaf<T>),
    Inner(Inner<T>),
}

/// A node with children. A clone is one more reference to it.
///
/// The 64 slots are the values of its 6 bits. A child has an aligned range of slots, a power of two of them, and bit n
/// of `bitmap` says that a child begins at slot n: bit 0 is set, and the n-th set bit belongs to the n-th child. Places
/// after the last child are empty. An inner child has one slot. Two buddies, the halves of one range, of which none is an
/// inner node have more than [`N_MERGED_MAX`] items together. An inner node has two children or more.
#[derive(Debug)]
pub(super) struct Inner<T>(Node<Header, Child<T>>);

#[derive(Clone, Copy, Debug)]
struct Header {
    bitmap: u64,
    /// Of the whole subtree.
    n_items: usize,
}

/// A range of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u32,
    pub(super) len: u32,
}

/// Where a descent is: at which level, and what is left of the hash, from the top.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    level: u32,
    rest: u64,
}

impl<T> Child<T> {
    pub(super) fn n_items(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(inner) => inner.0.header().n_items,
        }
    }

    fn is_full(&self) -> bool {
        match self {
            Self::Leaf(leaf) => N_ITEMS_MAX <= leaf.len(),
            Self::Empty | Self::Inner(_) => false,
        }
    }

    /// The items of a leaf; none for an inner node.
    fn n_leaf_items(&self) -> Option<usize> {
        match self {
            Self::Empty => Some(0),
            Self::Leaf(leaf) => Some(leaf.len()),
            Self::Inner(_) => None,
        }
    }
}

impl<T: Clone> Child<T> {
    /// Puts an inner node above a full leaf, which the next insert then splits.
    pub(super) fn deepen(&mut self, n_bytes: &mut usize) {
        if self.is_full() {
            let mut node = Node::new(Header { bitmap: 1, n_items: self.n_items() }, 2);
            *n_bytes += node.n_bytes();
            if let Some(first) = node.make_mut().1.first_mut() {
                *first = take(self);
            }
            *self = Self::Inner(Inner(node));
        }
    }

    /// The leaf below that has the cursor's hash, to be written to. `step` goes from an inner node to its child.
    #[inline]
    pub(super) fn leaf_mut(
        &mut self,
        n_bytes: &mut usize,
        mut step: impl for<'a> FnMut(&'a mut Inner<T>, &mut usize) -> &'a mut Self,
    ) -> &mut Leaf<T> {
        let mut child = self;
        loop {
            match child {
                Self::Inner(inner) => child = step(inner, n_bytes),
                Self::Leaf(leaf) => return leaf,
                Self::Empty => {
                    let leaf = Leaf::with_capacity(1);
                    *n_bytes += leaf.n_bytes();
                    *child = Self::Leaf(leaf);
                }
            }
        }
    }

    /// Takes out the item that is at `item_idx` of the leaf below.
    pub(super) fn remove(
        &mut self,
        mut cursor: Cursor,
        item_idx: usize,
        n_bytes: &mut usize,
    ) -> Option<T> {
        match self {
            Self::Empty => None,
            Self::Leaf(leaf) => {
                *n_bytes -= leaf.n_bytes();
                let item = leaf.remove(item_idx);
                if leaf.len() == 0 {
                    *self = Self::Empty;
                } else {
                    *n_bytes += leaf.n_bytes();
                }
                item
            }
            Self::Inner(inner) => {
                let slot = cursor.step();
                let item = inner.child_mut(slot).remove(cursor, item_idx, n_bytes)?;
                inner.0.make_mut().0.n_items -= 1;
                inner.merge(slot, n_bytes);
                if inner.bitmap() == 1 {
                    *n_bytes -= inner.n_bytes();
                    *self = take(inner.child_mut(0));
                }
                Some(item)
            }
        }
    }

    /// Adds the items of a buddy.
    fn absorb(&mut self, buddy: Self, n_bytes: &mut usize) {
        match (&mut *self, buddy) {
            (Self::Leaf(leaf), Self::Leaf(other)) => {
                *n_bytes -= leaf.n_bytes() + other.n_bytes();
                leaf.append(other);
                *n_bytes += leaf.n_bytes();
            }
            (Self::Empty, buddy) => *self = buddy,
            (Self::Leaf(_), Self::Empty | Self::Inner(_)) | (Self::Inner(_), _) => {}
        }
    }
}

impl<T> Inner<T> {
    fn bitmap(&self) -> u64 {
        self.0.header().bitmap
    }

    pub(super) fn n_children(&self) -> usize {
        self.bitmap().count_ones() as usize
    }

    /// The children, and empty ones after the last.
    pub(super) fn places(&self) -> &[Child<T>] {
        self.0.slots()
    }

    /// Its memory, with its counter of references and without its children's.
    pub(super) fn n_bytes(&self) -> usize {
        self.0.n_bytes()
    }

    /// Which child has the slot.
    #[inline]
    pub(super) fn child_idx(&self, slot: u32) -> usize {
        // The upper levels of a large tree are full, and a processor that cannot count bits is spared from it.
        let bitmap = self.bitmap();
        if bitmap == u64::MAX {
            return slot as usize;
        }
        (bitmap & up_to(slot)).count_ones() as usize - 1
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "every slot has a child: bit 0 is always set")]
    pub(super) fn child(&self, slot: u32) -> &Child<T> {
        &self.places()[self.child_idx(slot)]
    }

    /// The range of the child that has the slot.
    pub(super) fn span(&self, slot: u32) -> Span {
        let first = u64::BITS - 1 - (self.bitmap() & up_to(slot)).leading_zeros();
        let end = (self.bitmap() & !up_to(slot)).trailing_zeros();
        Span { first, len: end - first }
    }
}

impl<T: Clone> Inner<T> {
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "every slot has a child: bit 0 is always set")]
    pub(super) fn child_mut(&mut self, slot: u32) -> &mut Child<T> {
        let child_idx = self.child_idx(slot);
        &mut self.0.make_mut().1[child_idx]
    }

    /// The way of an item that is about to be inserted: counts it, splits the leaf where it belongs while that is full.
    #[inline]
    pub(super) fn make_way(
        &mut self,
        cursor: &mut Cursor,
        rehash: impl Fn(&T) -> u64,
        n_bytes: &mut usize,
    ) -> &mut Child<T> {
        self.0.make_mut().0.n_items += 1;
        let level = cursor.level;
        let slot = cursor.step();
        while self.child(slot).is_full() {
            let span = self.span(slot);
            if level == LEVEL_MAX && span.len == slots_per_hash(level) {
                break;
            }
            if span.len == 1 {
                self.child_mut(slot).deepen(n_bytes);
            } else {
                self.split(span, level, &rehash, n_bytes);
            }
        }
        self.child_mut(slot)
    }

    /// Makes two leaves of one.
    fn split(&mut self, span: Span, level: u32, rehash: impl Fn(&T) -> u64, n_bytes: &mut usize) {
        let Child::Leaf(leaf) = take(self.child_mut(span.first)) else { return };
        let middle = span.first + span.len / 2;
        *n_bytes -= leaf.n_bytes() + self.n_bytes();
        let halves = leaf.split(|item| middle <= Cursor::at(level, rehash(item)).slot());
        let [left, right] = <[Leaf<T>; 2]>::from(halves).map(|half| {
            if half.len() == 0 {
                return Child::Empty;
            }
            *n_bytes += half.n_bytes();
            Child::Leaf(half)
        });
        *self.child_mut(span.first) = left;
        self.insert(middle, right);
        *n_bytes += self.n_bytes();
    }

    /// Adds a child that begins at `slot`, in the range of another.
    fn insert(&mut self, slot: u32, child: Child<T>) {
        let child_idx = self.child_idx(slot) + 1;
        self.0.reserve_one(self.n_children());
        let (header, places) = self.0.make_mut();
        let end = header.bitmap.count_ones() as usize;
        header.bitmap |= 1 << slot;
        if let Some(moved) = places.get_mut(child_idx..=end) {
            moved.rotate_right(1);
        }
        if let Some(place) = places.get_mut(child_idx) {
            *place = child;
        }
    }

    /// Takes out the child that begins at `slot`; the one before it has its range from now on.
    fn remove(&mut self, slot: u32) -> Child<T> {
        let child_idx = self.child_idx(slot);
        let end = self.n_children();
        let (header, places) = self.0.make_mut();
        header.bitmap &= !(1 << slot);
        let Some(moved) = places.get_mut(child_idx..end) else { return Child::Empty };
        moved.rotate_left(1);
        let child = moved.last_mut().map(take).unwrap_or_default();
        self.0.shrink(self.n_children());
        child
    }

    /// Merges the leaf at a slot, which has lost an item, with its buddy, as long as they have few items together.
    fn merge(&mut self, slot: u32, n_bytes: &mut usize) {
        while let Some(middle) = self.mergeable(slot) {
            *n_bytes -= self.n_bytes();
            let right = self.remove(middle);
            self.child_mut(middle).absorb(right, n_bytes);
            *n_bytes += self.n_bytes();
        }
    }

    /// Where the second of the two begins, if the child at a slot and its buddy are to be one.
    fn mergeable(&self, slot: u32) -> Option<u32> {
        let span = self.span(slot);
        if span.len == N_SLOTS {
            return None;
        }
        let buddy = self.span(span.first ^ span.len);
        if buddy.len != span.len {
            return None;
        }
        let n_here = self.child(span.first).n_leaf_items()?;
        if N_MERGED_MAX < n_here {
            return None;
        }
        let n_there = self.child(buddy.first).n_leaf_items()?;
        (n_here + n_there <= N_MERGED_MAX).then_some(span.first.max(buddy.first))
    }
}

impl<T> Clone for Child<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Leaf(leaf) => Self::Leaf(leaf.clone()),
            Self::Inner(inner) => Self::Inner(inner.clone()),
        }
    }
}

impl<T> Clone for Inner<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Cursor {
    /// At the root, on the way to `hash`.
    #[inline]
    pub(super) fn new(hash: u64) -> Self {
        Self::at(0, hash)
    }

    #[inline]
    fn at(level: u32, hash: u64) -> Self {
        Self { level, rest: hash << (level * BITS) }
    }

    /// The slot to go to.
    #[inline]
    fn slot(self) -> u32 {
        (self.rest >> (u64::BITS - BITS)) as u32
    }

    /// The slot to go to, and on to the next level.
    #[inline]
    pub(super) fn step(&mut self) -> u32 {
        let slot = self.slot();
        self.level += 1;
        self.rest <<= BITS;
        slot
    }

    pub(super) fn level(self) -> u32 {
        self.level
    }
}

impl Span {
    /// The first and the last hash of a child with this range, in a node of `level` whose first hash is `node_first`.
    pub(super) fn hashes(self, node_first: u64, level: u32) -> (u64, u64) {
        let place = |slot: u32| (u64::from(slot) << (u64::BITS - BITS)) >> (level * BITS);
        let first = node_first | place(self.first);
        let slot_last = u64::MAX >> BITS >> (level * BITS);
        (first, first + (place(self.len - 1) | slot_last))
    }
}

/// The fewest slots that a child of this level may have.
fn slots_per_hash(level: u32) -> u32 {
    if level == LEVEL_MAX { 1 << ((level + 1) * BITS - u64::BITS) } else { 1 }
}

/// The bits 0 to `slot`.
#[inline]
fn up_to(slot: u32) -> u64 {
    u64::MAX >> (u64::BITS - 1 - slot)
}
