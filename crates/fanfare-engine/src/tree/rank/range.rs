//! Items one after the other.

use std::iter::FusedIterator;
use std::slice;

use super::node::{Child, Node, child_at};
use super::{Item, RankTree};

/// The items of a range of indexes, from either end: [`RankTree::range`].
///
/// Within a leaf and from leaf to leaf of one parent it only goes on; past that it descends again, once in thousands of
/// items.
pub struct Range<'a, T: Item> {
    tree: &'a RankTree<T>,
    start: usize,
    end: usize,
    front: Cursor<'a, T>,
    back: Cursor<'a, T>,
}

/// What lies ahead: items of a leaf, and the leaves beside it.
struct Cursor<'a, T: Item> {
    items: slice::Iter<'a, T>,
    leaves: slice::Iter<'a, Child<T>>,
}

impl<T: Item> Default for Cursor<'_, T> {
    fn default() -> Self {
        Self { items: [].iter(), leaves: [].iter() }
    }
}

impl<'a, T: Item> Range<'a, T> {
    /// `start` and `end` are in order and in the tree.
    pub(super) fn new(tree: &'a RankTree<T>, start: usize, end: usize) -> Self {
        Self { tree, start, end, front: Cursor::default(), back: Cursor::default() }
    }

    /// The item `index`, in a leaf that `front` enters.
    #[inline(never)]
    fn enter_front(&mut self, index: usize) -> Option<&'a T> {
        self.front = match self.front.leaves.next().map(|child| &*child.node) {
            Some(Node::Leaf(items)) => {
                Cursor { items: items.iter(), leaves: self.front.leaves.clone() }
            }
            Some(Node::Inner(_)) | None => {
                let Found { items, at, leaves, leaf_at } = find(self.tree, index)?;
                Cursor {
                    items: items.get(at..)?.iter(),
                    leaves: leaves.get(leaf_at + 1..).unwrap_or_default().iter(),
                }
            }
        };
        self.front.items.next()
    }

    /// The item `index`, in a leaf that `back` enters.
    #[inline(never)]
    fn enter_back(&mut self, index: usize) -> Option<&'a T> {
        self.back = match self.back.leaves.next_back().map(|child| &*child.node) {
            Some(Node::Leaf(items)) => {
                Cursor { items: items.iter(), leaves: self.back.leaves.clone() }
            }
            Some(Node::Inner(_)) | None => {
                let Found { items, at, leaves, leaf_at } = find(self.tree, index)?;
                Cursor {
                    items: items.get(..=at)?.iter(),
                    leaves: leaves.get(..leaf_at).unwrap_or_default().iter(),
                }
            }
        };
        self.back.items.next_back()
    }
}

/// A leaf on the way to an item.
struct Found<'a, T: Item> {
    items: &'a [T],
    /// Where the item is among them.
    at: usize,
    /// The leaves of the same parent, this one included; none, if it is the root.
    leaves: &'a [Child<T>],
    leaf_at: usize,
}

/// Descends to item `index`.
fn find<T: Item>(tree: &RankTree<T>, index: usize) -> Option<Found<'_, T>> {
    let mut child = tree.root.as_ref()?;
    let mut leaves: &[Child<T>] = &[];
    let (mut leaf_at, mut at) = (0, index);
    loop {
        match &*child.node {
            Node::Leaf(items) => return Some(Found { items, at, leaves, leaf_at }),
            Node::Inner(children) => {
                (leaf_at, at) = child_at(children, child.n_items, at);
                (child, leaves) = (children.get(leaf_at)?, children);
            }
        }
    }
}

impl<'a, T: Item> Iterator for Range<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        if self.start == self.end {
            return None;
        }
        let index = self.start;
        self.start += 1;
        self.front.items.next().or_else(|| self.enter_front(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.start, Some(self.end - self.start))
    }

    fn nth(&mut self, n: usize) -> Option<&'a T> {
        if self.front.items.len() <= n {
            // Straight to the item, not by way of the leaves in between.
            self.front = Cursor::default();
            self.start = self.start.saturating_add(n).min(self.end);
            return self.next();
        }
        self.start = self.start.saturating_add(n).min(self.end);
        if self.start == self.end {
            return None;
        }
        self.start += 1;
        self.front.items.nth(n)
    }
}

impl<'a, T: Item> DoubleEndedIterator for Range<'a, T> {
    fn next_back(&mut self) -> Option<&'a T> {
        if self.start == self.end {
            return None;
        }
        self.end -= 1;
        self.back.items.next_back().or_else(|| self.enter_back(self.end))
    }
}

impl<T: Item> ExactSizeIterator for Range<'_, T> {}

impl<T: Item> FusedIterator for Range<'_, T> {}
