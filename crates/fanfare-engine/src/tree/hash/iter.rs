//! [`Iter`]: the items in the order of their leaves.

use std::iter::FusedIterator;
use std::slice;

use super::inner::{Child, Cursor};

/// All items of a [`HashTree`](super::HashTree), or those from a position.
#[derive(Debug)]
pub struct Iter<'a, T> {
    /// What is still to be gone through below each inner node on the way to the leaf, the root's first.
    levels: Vec<slice::Iter<'a, Child<T>>>,
    leaf: slice::Iter<'a, Option<T>>,
}

impl<'a, T> Iter<'a, T> {
    pub(super) fn new(root: &'a Child<T>, position: u64) -> Self {
        let mut this = Self { levels: Vec::new(), leaf: [].iter() };
        let mut cursor = Cursor::new(position);
        let mut child = root;
        while let Child::Inner(inner) = child {
            let child_idx = inner.child_idx(cursor.step());
            let mut children = inner.places().iter();
            let Some(here) = children.nth(child_idx) else { break };
            this.levels.push(children);
            child = here;
        }
        this.enter(child);
        this
    }

    fn enter(&mut self, child: &'a Child<T>) {
        match child {
            Child::Empty => {}
            Child::Leaf(leaf) => self.leaf = leaf.slots().iter(),
            Child::Inner(inner) => self.levels.push(inner.places().iter()),
        }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(item) = self.leaf.by_ref().flatten().next() {
                return Some(item);
            }
            match self.levels.last_mut()?.next() {
                Some(child) => self.enter(child),
                None => {
                    self.levels.pop();
                }
            }
        }
    }
}

impl<T> FusedIterator for Iter<'_, T> {}
