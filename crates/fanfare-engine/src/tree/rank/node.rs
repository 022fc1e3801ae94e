//! Nodes, what their parents know of them, and descents that only read.

use std::mem::size_of;

use triomphe::Arc;

use super::Item;
use super::slots::capacity_for;

/// A node: entries in order, never none.
pub(super) enum Node<T: Item> {
    Leaf(Vec<T>),
    Inner(Vec<Child<T>>),
}

/// A node as its parent holds it: beside the pointer all that a descent compares, so that it reads one array per level.
#[derive(Clone)]
pub(super) struct Child<T: Item> {
    /// Of all items below.
    pub(super) weight: usize,
    pub(super) n_items: usize,
    /// Of the first item below.
    pub(super) hint: T::Hint,
    pub(super) node: Arc<Node<T>>,
}

/// Is a node the first or the last of its level?
#[derive(Clone, Copy)]
pub(super) struct Edges {
    pub(super) first: bool,
    pub(super) last: bool,
}

impl Edges {
    /// Those of the root: it is alone.
    pub(super) const ROOT: Self = Self { first: true, last: true };

    /// Those of child `at` of `n_children`.
    pub(super) fn of_child(self, at: usize, n_children: usize) -> Self {
        Self { first: self.first && at == 0, last: self.last && at + 1 == n_children }
    }
}

/// For the copy that a write makes: with room for what it is about to insert.
impl<T: Item> Clone for Node<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(items) => Self::Leaf(copy(items, T::LEAF_MAX)),
            Self::Inner(children) => Self::Inner(copy(children, T::INNER_MAX)),
        }
    }
}

fn copy<E: Clone>(slots: &[E], n_max: usize) -> Vec<E> {
    let mut copied = Vec::with_capacity(capacity_for((slots.len() + 1).min(n_max), n_max));
    copied.extend_from_slice(slots);
    copied
}

impl<T: Item> Node<T> {
    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Inner(children) => children.len(),
        }
    }

    /// How many entries it may have.
    pub(super) fn n_max(&self) -> usize {
        match self {
            Self::Leaf(_) => T::LEAF_MAX,
            Self::Inner(_) => T::INNER_MAX,
        }
    }

    /// What it takes without the nodes below it: its place behind the `Arc`, and the capacity of its entries.
    pub(super) fn n_bytes(&self) -> usize {
        let entries = match self {
            Self::Leaf(items) => items.capacity() * size_of::<T>(),
            Self::Inner(children) => children.capacity() * size_of::<Child<T>>(),
        };
        size_of::<usize>() + size_of::<Self>() + entries
    }

    /// The hint of its first item.
    pub(super) fn hint(&self) -> Option<T::Hint> {
        match self {
            Self::Leaf(items) => items.first().map(Item::hint),
            Self::Inner(children) => children.first().map(|child| child.hint),
        }
    }

    /// The first item below it.
    pub(super) fn first(&self) -> Option<&T> {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(items) => return items.first(),
                Self::Inner(children) => node = &children.first()?.node,
            }
        }
    }

    /// The last item below it.
    pub(super) fn last(&self) -> Option<&T> {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(items) => return items.last(),
                Self::Inner(children) => node = &children.last()?.node,
            }
        }
    }
}

impl<T: Item> Child<T> {
    /// A parent's view of `node`; none if it is empty.
    pub(super) fn of(node: Node<T>) -> Option<Self> {
        let hint = node.hint()?;
        let mut child = Self { weight: 0, n_items: 0, hint, node: Arc::new(node) };
        child.sum_up();
        Some(child)
    }

    /// Takes sums and hint from the node's entries, after many of them changed.
    pub(super) fn sum_up(&mut self) {
        (self.weight, self.n_items) = match &*self.node {
            Node::Leaf(items) => (items.iter().map(Item::weight).sum(), items.len()),
            Node::Inner(children) => {
                children.iter().fold((0, 0), |(weight, n), it| (weight + it.weight, n + it.n_items))
            }
        };
        self.update_hint();
    }

    /// Takes the hint from the first entry, after that one changed.
    pub(super) fn update_hint(&mut self) {
        if let Some(hint) = self.node.hint() {
            self.hint = hint;
        }
    }
}

/// Which of `children` holds the item `index`, and which item of it that is. An index that is `n_items` of all, where
/// an insert appends, belongs to the last child.
pub(super) fn child_at<T: Item>(
    children: &[Child<T>],
    n_items: usize,
    index: usize,
) -> (usize, usize) {
    // The end first: that is where queues and logs are written, and it costs no sum.
    let n_before_last = n_items - children.last().map_or(0, |last| last.n_items);
    if n_before_last <= index {
        return (children.len().saturating_sub(1), index - n_before_last);
    }
    let mut rest = index;
    for (at, child) in children.iter().enumerate() {
        if rest < child.n_items {
            return (at, rest);
        }
        rest -= child.n_items;
    }
    (children.len(), rest)
}
