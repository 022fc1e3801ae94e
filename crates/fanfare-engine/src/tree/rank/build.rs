//! Building a tree from items that are in order already: every node is full but the last of each level.

use super::node::{Child, Node};
use super::{Item, RankTree};

impl<T: Item> FromIterator<T> for RankTree<T> {
    /// Items in their order. Takes O(n), and much less than inserting them one by one.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter();
        let mut n_bytes = 0;
        let mut level = level_of(&mut items, T::LEAF_MAX, Node::Leaf, &mut n_bytes);
        while 1 < level.len() {
            level = level_of(&mut level.into_iter(), T::INNER_MAX, Node::Inner, &mut n_bytes);
        }
        Self { root: level.pop(), n_bytes }
    }
}

/// Nodes over all `entries`, `n_max` to each.
fn level_of<T: Item, E>(
    entries: &mut impl Iterator<Item = E>,
    n_max: usize,
    node: impl Fn(Vec<E>) -> Node<T>,
    n_bytes: &mut usize,
) -> Vec<Child<T>> {
    let mut level = Vec::new();
    loop {
        let mut slots = Vec::with_capacity(n_max);
        slots.extend(entries.by_ref().take(n_max));
        if slots.len() < n_max {
            slots.shrink_to_fit();
        }
        let Some(child) = Child::of(node(slots)) else { return level };
        *n_bytes += child.node.n_bytes();
        level.push(child);
    }
}
