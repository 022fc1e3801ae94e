//! [`HashTree`]: a hash table whose clone costs nothing until one of the two is written to.
//!
//! It is a tree over the bits of a 64-bit hash, the most significant first: what is equal in the first bits is near
//! each other, and going through all items goes through the hashes in order. A position in that order stays meaningful
//! however the table grows and shrinks; SCAN needs no more ([`HashTree::visit`]).
//!
//! | module | holds |
//! |---|---|
//! | `leaf` | up to 32 items of one range of hashes, with a byte of each hash to find them by |
//! | `inner` | a node with up to 64 children, for 6 bits; splits and merges |
//! | `node` | what both are made of: one piece of memory with a counter of references |
//! | `iter` | going through it in order |
//!
//! Every node is behind a counted reference. A clone of the table is one more reference to the root. A write copies
//! the nodes on its way that a clone also has: at most one leaf, one more that it is merged with, and the nodes above.
//!
//! Hashes are not stored. Who splits a leaf asks for them again (`rehash`), who looks for an item brings its hash and a
//! comparison, as with `hashbrown::HashTable`. Items with equal hashes are in one leaf, however many: a seeded hash
//! function is up to the caller.

mod inner;
mod iter;
mod leaf;
mod node;
#[cfg(test)]
mod tests;

use std::fmt;

pub use iter::Iter;

use inner::{Child, Cursor};
use leaf::Leaf;

/// A hash table with instant clones.
///
/// # Example: a snapshot
/// ```
/// use fanfare_engine::tree::HashTree;
///
/// let hash = |n: &u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
/// let mut tree = HashTree::new();
/// tree.insert(hash(&1), 1, hash);
/// let snapshot = tree.clone();
/// tree.insert(hash(&2), 2, hash);
/// assert_eq!(tree.find(hash(&2), |&it| it == 2), Some(&2));
/// assert_eq!(snapshot.find(hash(&2), |&it| it == 2), None);
/// ```
pub struct HashTree<T> {
    root: Child<T>,
    /// Of all nodes, as if no clone had them too.
    n_bytes: usize,
}

impl<T> HashTree<T> {
    /// A table without items. It holds no memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { root: Child::Empty, n_bytes: 0 }
    }

    /// How many items it has.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.root.n_items()
    }

    /// Whether it has none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory of its nodes, with the room they have in reserve, without what the items hold themselves. Clones
    /// share memory, and each counts it.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// The item with this hash for which `eq` is true.
    #[must_use]
    #[inline]
    pub fn find(&self, hash: u64, eq: impl Fn(&T) -> bool) -> Option<&T> {
        let leaf = self.leaf(hash)?;
        leaf.get(leaf.locate(hash, eq)?)
    }

    /// Where in its leaf an item is.
    #[inline]
    fn locate(&self, hash: u64, eq: impl Fn(&T) -> bool) -> Option<usize> {
        self.leaf(hash)?.locate(hash, eq)
    }

    #[inline]
    fn leaf(&self, hash: u64) -> Option<&Leaf<T>> {
        let mut cursor = Cursor::new(hash);
        let mut child = &self.root;
        loop {
            match child {
                Child::Inner(inner) => child = inner.child(cursor.step()),
                Child::Leaf(leaf) => return Some(leaf),
                Child::Empty => return None,
            }
        }
    }

    /// All items, by ascending hash of the leaves; those of one leaf in no order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, T> {
        self.iter_from(0)
    }

    /// The items of the leaf that has the hash `position`, and of all leaves after it. Of that first leaf also those
    /// whose hash is smaller.
    #[must_use]
    pub fn iter_from(&self, position: u64) -> Iter<'_, T> {
        Iter::new(&self.root, position)
    }

    /// Calls `f` with every item of one leaf, the one that has the hash `position`, whose hash is not smaller than
    /// that. Returns the position after that leaf, or `None` if it was the last one.
    ///
    /// Begun at 0 and continued with what the call before returned, the calls see every item that is there from the
    /// first to the last, and each only once, whatever is inserted and removed between them: each call sees all items
    /// whose hashes are in a range, the ranges follow one another, and together they are all hashes. A range may have
    /// no items.
    pub fn visit<'a>(
        &'a self,
        position: u64,
        rehash: impl Fn(&T) -> u64,
        mut f: impl FnMut(&'a T),
    ) -> Option<u64> {
        let mut cursor = Cursor::new(position);
        let mut child = &self.root;
        let (mut first, mut last) = (0, u64::MAX);
        while let Child::Inner(inner) = child {
            let level = cursor.level();
            let slot = cursor.step();
            (first, last) = inner.span(slot).hashes(first, level);
            child = inner.child(slot);
        }
        if let Child::Leaf(leaf) = child {
            for item in leaf.slots().iter().flatten() {
                if position <= first || position <= rehash(item) {
                    f(item);
                }
            }
        }
        last.checked_add(1)
    }

    /// As [`Self::visit`], but goes on until it can stop at a position whose last `n_low` bits are 0, so that who keeps
    /// the position need not keep those. That is seldom more than one leaf.
    pub fn visit_coarsely<'a>(
        &'a self,
        mut position: u64,
        n_low: u32,
        rehash: impl Fn(&T) -> u64,
        mut f: impl FnMut(&'a T),
    ) -> Option<u64> {
        loop {
            position = self.visit(position, &rehash, &mut f)?;
            if n_low <= position.trailing_zeros() {
                return Some(position);
            }
        }
    }

    /// An item chosen by a random number; `None` if there is none.
    ///
    /// Every item has the same chance, whatever the hashes: `random` stands for a place in the order of
    /// [`HashTree::iter`], and the nodes know how many items are below them.
    #[must_use]
    pub fn sample(&self, random: u64) -> Option<&T> {
        let scaled = u128::from(random) * self.len() as u128;
        self.nth(usize::try_from(scaled >> u64::BITS).ok()?)
    }

    /// The item that has `n_before` others before it in the order of [`HashTree::iter`].
    #[must_use]
    pub fn nth(&self, mut n_before: usize) -> Option<&T> {
        let mut child = &self.root;
        loop {
            match child {
                Child::Inner(inner) => {
                    child = inner.places().iter().find(|child| {
                        let n_items = child.n_items();
                        let is_below = n_before < n_items;
                        if !is_below {
                            n_before -= n_items;
                        }
                        is_below
                    })?;
                }
                Child::Leaf(leaf) => return leaf.get(n_before),
                Child::Empty => return None,
            }
        }
    }
}

impl<T: Clone> HashTree<T> {
    /// As [`HashTree::find`], to change the item. Its hash must stay the same. Copies what a clone also has, unless
    /// there is no such item.
    #[must_use]
    #[inline]
    pub fn find_mut(&mut self, hash: u64, eq: impl Fn(&T) -> bool) -> Option<&mut T> {
        let item_idx = self.locate(hash, eq)?;
        Some(self.item_mut(hash, item_idx))
    }

    /// The item with this hash for which `eq` is true; if there is none, the one that `make` makes. And whether it was
    /// made.
    #[inline]
    pub fn get_or_insert_with(
        &mut self,
        hash: u64,
        eq: impl Fn(&T) -> bool,
        rehash: impl Fn(&T) -> u64,
        make: impl FnOnce() -> T,
    ) -> (&mut T, bool) {
        match self.locate(hash, eq) {
            Some(item_idx) => (self.item_mut(hash, item_idx), false),
            None => (self.insert(hash, make(), rehash), true),
        }
    }

    /// Adds an item that is not there yet. `rehash` gives the hash of an item, and `hash` is that of `item`.
    #[inline]
    pub fn insert(&mut self, hash: u64, item: T, rehash: impl Fn(&T) -> u64) -> &mut T {
        let n_bytes = &mut self.n_bytes;
        self.root.deepen(n_bytes);
        let mut cursor = Cursor::new(hash);
        let leaf = self.root.leaf_mut(n_bytes, |inner, n_bytes| {
            inner.make_way(&mut cursor, &rehash, n_bytes) //
        });
        *n_bytes -= leaf.n_bytes();
        leaf.reserve_one();
        *n_bytes += leaf.n_bytes();
        leaf.push(leaf::tag(hash), item)
    }

    /// Takes out the item with this hash for which `eq` is true. Copies what a clone also has, unless there is no such
    /// item.
    #[inline]
    pub fn remove(&mut self, hash: u64, eq: impl Fn(&T) -> bool) -> Option<T> {
        let item_idx = self.locate(hash, eq)?;
        self.root.remove(Cursor::new(hash), item_idx, &mut self.n_bytes)
    }

    /// The item which [`HashTree::locate`] found.
    #[inline]
    fn item_mut(&mut self, hash: u64, item_idx: usize) -> &mut T {
        let mut cursor = Cursor::new(hash);
        let leaf = self.root.leaf_mut(&mut self.n_bytes, |inner, _| inner.child_mut(cursor.step()));
        leaf.item_mut(item_idx)
    }
}

impl<T> Clone for HashTree<T> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), n_bytes: self.n_bytes }
    }
}

impl<T> Default for HashTree<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, T> IntoIterator for &'a HashTree<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for HashTree<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self).finish()
    }
}
