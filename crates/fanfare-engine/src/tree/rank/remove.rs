//! Removing items, and what keeps nodes at least half full.

use triomphe::Arc;

use super::Item;
use super::node::{Child, Edges, Node, child_at};
use super::slots;

impl<T: Item> Child<T> {
    /// Removes items from `index` on, at most `n_max` and only those in the same leaf, and hands them to `removed`.
    /// Returns their weight and number. If none is left the node is empty, which its parent puts right.
    pub(super) fn remove(
        &mut self,
        index: usize,
        n_max: usize,
        edges: Edges,
        n_bytes: &mut usize,
        removed: &mut impl FnMut(T),
    ) -> (usize, usize) {
        let n_bytes_before = self.node.n_bytes();
        let node = Arc::make_mut(&mut self.node);
        let (weight, n) = match node {
            Node::Leaf(items) => {
                let n = n_max.min(items.len().saturating_sub(index));
                let mut weight = 0;
                for item in items.drain(index..index + n) {
                    weight += item.weight();
                    removed(item);
                }
                slots::fit(items, T::LEAF_MAX);
                (weight, n)
            }
            Node::Inner(children) => {
                let n_children = children.len();
                let (at, rest) = child_at(children, self.n_items, index);
                let sums = children.get_mut(at).map_or((0, 0), |child| {
                    child.remove(rest, n_max, edges.of_child(at, n_children), n_bytes, removed)
                });
                rebalance(children, at, edges, n_bytes);
                slots::fit(children, T::INNER_MAX);
                sums
            }
        };
        *n_bytes = *n_bytes + node.n_bytes() - n_bytes_before;
        self.weight -= weight;
        self.n_items -= n;
        if index == 0 {
            self.update_hint();
        }
        (weight, n)
    }
}

/// Puts child `at`, which lost entries, right: takes it out if it is empty, and fills it from a neighbour, or merges
/// the two, if it is less than half full.
fn rebalance<T: Item>(children: &mut Vec<Child<T>>, at: usize, edges: Edges, n_bytes: &mut usize) {
    let n_children = children.len();
    let Some(child) = children.get(at) else { return };
    let (len, n_max) = (child.node.len(), child.node.n_max());
    let n_min = n_max / 2;
    if n_min <= len {
        return;
    }
    if len == 0 {
        *n_bytes -= child.node.n_bytes();
        children.remove(at);
        return;
    }
    let left_at = if at + 1 < n_children { at } else { at.saturating_sub(1) };
    let Ok([left, right]) = children.get_disjoint_mut([left_at, left_at + 1]) else { return };
    let n_both = left.node.len() + right.node.len();
    let edges = edges.of_child(at, n_children);
    if (edges.first || edges.last) && n_min < n_both {
        // A queue that shrinks at this end: the node will soon be empty.
        return;
    }
    *n_bytes -= left.node.n_bytes() + right.node.n_bytes();
    if n_max < n_both {
        share(left, right);
        *n_bytes += left.node.n_bytes() + right.node.n_bytes();
    } else {
        merge(left, right);
        *n_bytes += left.node.n_bytes();
        children.remove(left_at + 1);
    }
}

/// Moves all entries of `right` to `left`.
fn merge<T: Item>(left: &mut Child<T>, right: &mut Child<T>) {
    match (Arc::make_mut(&mut left.node), Arc::make_mut(&mut right.node)) {
        (Node::Leaf(left), Node::Leaf(right)) => slots::append(left, right, T::LEAF_MAX),
        (Node::Inner(left), Node::Inner(right)) => slots::append(left, right, T::INNER_MAX),
        (Node::Leaf(_), Node::Inner(_)) | (Node::Inner(_), Node::Leaf(_)) => {}
    }
    left.weight += right.weight;
    left.n_items += right.n_items;
}

/// Distributes the entries of both evenly.
fn share<T: Item>(left: &mut Child<T>, right: &mut Child<T>) {
    match (Arc::make_mut(&mut left.node), Arc::make_mut(&mut right.node)) {
        (Node::Leaf(left), Node::Leaf(right)) => slots::share(left, right, T::LEAF_MAX),
        (Node::Inner(left), Node::Inner(right)) => slots::share(left, right, T::INNER_MAX),
        (Node::Leaf(_), Node::Inner(_)) | (Node::Inner(_), Node::Leaf(_)) => {}
    }
    left.sum_up();
    right.sum_up();
}
