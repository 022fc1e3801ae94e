//! Inserting an item, and changing one where it is.

use triomphe::Arc;

use super::Item;
use super::node::{Child, Edges, Node, child_at};
use super::slots::{self, Split};

impl<T: Item> Child<T> {
    /// Inserts `item` before item `index`, at most `n_items`. If the node was full, the part of it that became a node
    /// of its own is returned: its right neighbour.
    pub(super) fn insert(
        &mut self,
        index: usize,
        item: T,
        edges: Edges,
        n_bytes: &mut usize,
    ) -> Option<Self> {
        let n_items = self.n_items;
        self.weight += item.weight();
        self.n_items += 1;
        let n_bytes_before = self.node.n_bytes();
        let node = Arc::make_mut(&mut self.node);
        let right = match node {
            Node::Leaf(items) => {
                let split = split_of(edges, index == 0, index == items.len());
                slots::insert(items, index, item, T::LEAF_MAX, split).map(Node::Leaf)
            }
            Node::Inner(children) => {
                let n_children = children.len();
                let (at, rest) = child_at(children, n_items, index);
                let child = children.get_mut(at)?;
                child.insert(rest, item, edges.of_child(at, n_children), n_bytes).and_then(|new| {
                    let split = split_of(edges, at == 0, at + 1 == n_children);
                    slots::insert(children, at + 1, new, T::INNER_MAX, split).map(Node::Inner)
                })
            }
        };
        *n_bytes = *n_bytes + node.n_bytes() - n_bytes_before;
        let right = right.and_then(Self::of);
        if let Some(right) = &right {
            *n_bytes += right.node.n_bytes();
            self.weight -= right.weight;
            self.n_items -= right.n_items;
        }
        if index == 0 {
            self.update_hint();
        }
        right
    }

    /// Has `f` change item `index`. Returns the item's weight before and after, and what `f` returned.
    pub(super) fn update<R>(
        &mut self,
        index: usize,
        n_bytes: &mut usize,
        f: impl FnOnce(&mut T) -> R,
    ) -> Option<(usize, usize, R)> {
        let n_bytes_before = self.node.n_bytes();
        let node = Arc::make_mut(&mut self.node);
        // A copy for a clone's sake has another capacity.
        *n_bytes = *n_bytes + node.n_bytes() - n_bytes_before;
        let (before, after, returned) = match node {
            Node::Leaf(items) => {
                let item = items.get_mut(index)?;
                let before = item.weight();
                let returned = f(item);
                (before, item.weight(), returned)
            }
            Node::Inner(children) => {
                let (at, rest) = child_at(children, self.n_items, index);
                children.get_mut(at)?.update(rest, n_bytes, f)?
            }
        };
        self.weight = self.weight - before + after;
        if index == 0 {
            self.update_hint();
        }
        Some((before, after, returned))
    }
}

fn split_of(edges: Edges, at_front: bool, at_end: bool) -> Split {
    if edges.last && at_end {
        Split::Last
    } else if edges.first && at_front {
        Split::First
    } else {
        Split::Even
    }
}
