//! [`Inner`]: up to 64 children, each for a range of 6 bits of the hash.

use std::mem::{size_of, take};

use triomphe::Arc;

use super::leaf::{self, Leaf, N_ITEMS_MAX, N_MERGED_MAX};

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
    Leaf(Arc<Leaf<T>>),
    Inner(Arc<Inner<T>>),
}

/// A node with children.
///
/// The 64 slots are the values of its 6 bits. A child has an aligned range of slots, a power of two of them, and bit n
/// of `bitmap` says that a child begins at slot n: bit 0 is set, and the n-th set bit belongs to `children[n]`. An inner
/// child has one slot. Two buddies, the halves of one range, which are both no inner nodes have more than
/// [`N_MERGED_MAX`] items together; an inner node with one child is none.
#[derive(Debug)]
pub(super) struct Inner<T> {
    bitmap: u64,
    /// Of the whole subtree.
    n_items: usize,
    children: Vec<Child<T>>,
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
            Self::Inner(inner) => inner.n_items,
        }
    }

    /// Puts an inner node above a full leaf, which the next insert then splits.
    pub(super) fn deepen(&mut self, n_bytes: &mut usize) {
        if self.is_full() {
            let mut children = Vec::new();
            leaf::reserve_one(&mut children);
            let n_items = self.n_items();
            children.push(take(self));
            let inner = Inner { bitmap: 1, n_items, children };
            *n_bytes += inner.n_bytes();
            *self = Self::Inner(Arc::new(inner));
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
                Self::Inner(inner) => child = step(Arc::make_mut(inner), n_bytes),
                Self::Leaf(leaf) => return Arc::make_mut(leaf),
                Self::Empty => {
                    let leaf = Leaf::with_capacity(1);
                    *n_bytes += leaf.n_bytes();
                    *child = Self::Leaf(Arc::new(leaf));
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
            Self::Leaf(node) => {
                let leaf = Arc::make_mut(node);
                *n_bytes -= leaf.n_bytes();
                let item = leaf.remove(item_idx);
                if leaf.len() == 0 {
                    *self = Self::Empty;
                } else {
                    *n_bytes += leaf.n_bytes();
                }
                Some(item)
            }
            Self::Inner(node) => {
                let inner = Arc::make_mut(node);
                let slot = cursor.step();
                let item = inner.child_mut(slot).remove(cursor, item_idx, n_bytes)?;
                inner.n_items -= 1;
                inner.merge(slot, n_bytes);
                if inner.bitmap == 1 {
                    *n_bytes -= inner.n_bytes();
                    *self = inner.children.pop().unwrap_or_default();
                }
                Some(item)
            }
        }
    }

    /// Adds the items of a buddy.
    fn absorb(&mut self, buddy: Self, n_bytes: &mut usize) {
        match (&mut *self, buddy) {
            (Self::Leaf(node), Self::Leaf(other)) => {
                let leaf = Arc::make_mut(node);
                *n_bytes -= leaf.n_bytes() + other.n_bytes();
                leaf.append(Arc::unwrap_or_clone(other));
                *n_bytes += leaf.n_bytes();
            }
            (Self::Empty, buddy) => *self = buddy,
            (Self::Leaf(_), Self::Empty | Self::Inner(_)) | (Self::Inner(_), _) => {}
        }
    }
}

impl<T> Inner<T> {
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.children.capacity()
    }

    pub(super) fn children(&self) -> &[Child<T>] {
        &self.children
    }

    /// Its memory, with its counter of references and without its children's.
    pub(super) fn n_bytes(&self) -> usize {
        leaf::ARC_HEADER_LEN + size_of::<Self>() + self.children.capacity() * size_of::<Child<T>>()
    }

    /// Which child has the slot.
    #[inline]
    pub(super) fn child_idx(&self, slot: u32) -> usize {
        // The upper levels of a large tree are full, and a processor that cannot count bits is spared from it.
        if self.bitmap == u64::MAX {
            return slot as usize;
        }
        (self.bitmap & up_to(slot)).count_ones() as usize - 1
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "every slot has a child: bit 0 is always set")]
    pub(super) fn child(&self, slot: u32) -> &Child<T> {
        &self.children[self.child_idx(slot)]
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "every slot has a child: bit 0 is always set")]
    pub(super) fn child_mut(&mut self, slot: u32) -> &mut Child<T> {
        let child_idx = self.child_idx(slot);
        &mut self.children[child_idx]
    }

    /// The range of the child that has the slot.
    pub(super) fn span(&self, slot: u32) -> Span {
        let first = u64::BITS - 1 - (self.bitmap & up_to(slot)).leading_zeros();
        let end = (self.bitmap & !up_to(slot)).trailing_zeros();
        Span { first, len: end - first }
    }
}

impl<T: Clone> Inner<T> {
    /// The way of an item that is about to be inserted: counts it, splits the leaf where it belongs while that is full.
    #[inline]
    pub(super) fn make_way(
        &mut self,
        cursor: &mut Cursor,
        rehash: impl Fn(&T) -> u64,
        n_bytes: &mut usize,
    ) -> &mut Child<T> {
        self.n_items += 1;
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
        let Child::Leaf(node) = take(self.child_mut(span.first)) else { return };
        let middle = span.first + span.len / 2;
        *n_bytes -= node.n_bytes() + self.n_bytes();
        let is_upper = |item: &T| middle <= Cursor::at(level, rehash(item)).slot();
        let halves: [Leaf<T>; 2] = Arc::unwrap_or_clone(node).split(is_upper).into();
        let [left, right] = halves.map(|half| {
            if half.len() == 0 {
                return Child::Empty;
            }
            *n_bytes += half.n_bytes();
            Child::Leaf(Arc::new(half))
        });
        let child_idx = self.child_idx(span.first);
        *self.child_mut(span.first) = left;
        leaf::reserve_one(&mut self.children);
        self.children.insert(child_idx + 1, right);
        self.bitmap |= 1 << middle;
        *n_bytes += self.n_bytes();
    }

    /// Merges the leaf at a slot, which has lost an item, with its buddy, as long as they have few items together.
    fn merge(&mut self, slot: u32, n_bytes: &mut usize) {
        while let Some((left_idx, middle)) = self.mergeable(slot) {
            *n_bytes -= self.n_bytes();
            let right = self.children.remove(left_idx + 1);
            self.bitmap &= !(1 << middle);
            if let Some(left) = self.children.get_mut(left_idx) {
                left.absorb(right, n_bytes);
            }
            leaf::shrink(&mut self.children);
            *n_bytes += self.n_bytes();
        }
    }

    /// If the child at a slot and its buddy are to be one: which child is the first of the two, and where the second
    /// begins.
    fn mergeable(&self, slot: u32) -> Option<(usize, u32)> {
        let span = self.span(slot);
        if span.len == N_SLOTS {
            return None;
        }
        let buddy = self.span(span.first ^ span.len);
        if buddy.len != span.len {
            return None;
        }
        let left_idx = self.child_idx(span.first.min(buddy.first));
        let n_left = self.children.get(left_idx)?.n_leaf_items()?;
        let n_right = self.children.get(left_idx + 1)?.n_leaf_items()?;
        (n_left + n_right <= N_MERGED_MAX).then_some((left_idx, span.first.max(buddy.first)))
    }
}

impl<T> Clone for Child<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Leaf(leaf) => Self::Leaf(Arc::clone(leaf)),
            Self::Inner(inner) => Self::Inner(Arc::clone(inner)),
        }
    }
}

/// A copy has the same capacity, as that of a leaf.
impl<T> Clone for Inner<T> {
    fn clone(&self) -> Self {
        let children = leaf::clone_with_capacity(&self.children);
        Self { bitmap: self.bitmap, n_items: self.n_items, children }
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
    #[expect(clippy::cast_possible_truncation, reason = "6 bits are left")]
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
