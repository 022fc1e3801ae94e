//! The tree as its users see it.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Bound, RangeBounds};

use super::node::{Child, Edges, Node, child_at};
use super::{Item, Range, slots};

/// A sequence of items with positions, of which clones are O(1).
///
/// Items have an *index*, 0 to [`len`](Self::len), and each takes [`weight`](Item::weight) *positions*. For the members
/// of a sorted set both are the same; the items of a list are chunks of elements, and its positions are elements.
///
/// Reading and changing take O(log n). A change copies the nodes on its path that a clone still holds, and no others.
#[derive(Clone)]
pub struct RankTree<T: Item> {
    pub(super) root: Option<Child<T>>,
    pub(super) n_bytes: usize,
}

impl<T: Item> RankTree<T> {
    /// An empty tree, which takes no memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { root: None, n_bytes: 0 }
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.n_items)
    }

    /// Is there no item?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// How many positions all items take together.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.weight)
    }

    /// What the nodes take, capacity included, in O(1); not what items refer to. Nodes that clones share count in each.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// The first item.
    #[must_use]
    pub fn first(&self) -> Option<&T> {
        self.root.as_ref()?.node.first()
    }

    /// The last item.
    #[must_use]
    pub fn last(&self) -> Option<&T> {
        self.root.as_ref()?.node.last()
    }

    /// The item `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        let mut child = self.root.as_ref()?;
        let mut rest = index;
        loop {
            match &*child.node {
                Node::Leaf(items) => return items.get(rest),
                Node::Inner(children) => {
                    let (at, rest_there) = child_at(children, child.n_items, rest);
                    (child, rest) = (children.get(at)?, rest_there);
                }
            }
        }
    }

    /// The item that takes `position`: its index, itself, and how many positions of it are before that one.
    #[must_use]
    pub fn locate(&self, position: usize) -> Option<(usize, &T, usize)> {
        let mut node = &*self.root.as_ref()?.node;
        let mut index = 0;
        let mut rest = position;
        loop {
            match node {
                Node::Leaf(items) => {
                    for item in items {
                        let weight = item.weight();
                        if rest < weight {
                            return Some((index, item, rest));
                        }
                        rest -= weight;
                        index += 1;
                    }
                    return None;
                }
                Node::Inner(children) => {
                    let mut children = children.iter();
                    node = loop {
                        let child = children.next()?;
                        if rest < child.weight {
                            break &child.node;
                        }
                        rest -= child.weight;
                        index += child.n_items;
                    };
                }
            }
        }
    }

    /// Finds an item in a tree that is in order, as `slice::binary_search_by` does: the index of the first item for
    /// which `cmp` is `Equal`, else, as the error, the index where it would have to be inserted. `cmp` tells how an
    /// item compares to what is looked for, of which `hint` is the [`Hint`](Item::Hint): items are read only where that
    /// does not decide.
    ///
    /// # Errors
    /// The index of the first item for which `cmp` is `Greater`, if it is `Equal` for none. A `cmp` that never is gives
    /// the boundary of a range of scores.
    pub fn search(&self, hint: T::Hint, cmp: impl Fn(&T) -> Ordering) -> Result<usize, usize> {
        let is_before = |item: &T| cmp(item).is_lt();
        let n_children = |children: &[Child<T>]| {
            let starts_before = |child: &Child<T>| child.node.first().is_some_and(is_before);
            slots::n_before(children, |it| it.hint, hint, starts_before)
        };
        let n_items = |items: &[T]| slots::n_before(items, Item::hint, hint, is_before);
        let (index, found) = self.descend(n_children, n_items);
        // At the end of a leaf, what comes next is in another one.
        let found = found.or_else(|| self.get(index));
        if found.is_some_and(|item| cmp(item).is_eq()) { Ok(index) } else { Err(index) }
    }

    /// The index of the first item for which `is_before` is false; it must be true for all items before that one, and
    /// false for all after it.
    pub fn partition_point(&self, is_before: impl Fn(&T) -> bool) -> usize {
        let is_child_before = |child: &Child<T>| child.node.first().is_some_and(&is_before);
        let n_items = |items: &[T]| slots::partition_point(items, &is_before);
        self.descend(|children| children.partition_point(is_child_before), n_items).0
    }

    /// How many items are before, and the next one, if it is in the same leaf. `n_children_before` tells for how many
    /// children the first item is before, `n_items_before` how many items of a leaf are.
    fn descend(
        &self,
        n_children_before: impl Fn(&[Child<T>]) -> usize,
        n_items_before: impl Fn(&[T]) -> usize,
    ) -> (usize, Option<&T>) {
        let mut n_before = 0;
        let mut child = self.root.as_ref();
        while let Some(node) = child.map(|child| &*child.node) {
            match node {
                Node::Leaf(items) => {
                    let at = n_items_before(items);
                    return (n_before + at, items.get(at));
                }
                Node::Inner(children) => {
                    // The last child that begins before: the first one, if none does.
                    let later = children.get(1..).unwrap_or_default();
                    let at = n_children_before(later);
                    n_before += children.iter().take(at).map(|it| it.n_items).sum::<usize>();
                    child = children.get(at);
                }
            }
        }
        (n_before, None)
    }

    /// The items with these indexes; past the end there are none.
    pub fn range(&self, indexes: impl RangeBounds<usize>) -> Range<'_, T> {
        let (start, end) = self.bounds(&indexes);
        Range::new(self, start, end)
    }

    /// All items.
    pub fn iter(&self) -> Range<'_, T> {
        Range::new(self, 0, self.len())
    }

    /// `indexes` as they are in this tree: `start <= end <= len`.
    fn bounds(&self, indexes: &impl RangeBounds<usize>) -> (usize, usize) {
        let end = match indexes.end_bound() {
            Bound::Included(last) => last.saturating_add(1).min(self.len()),
            Bound::Excluded(end) => self.len().min(*end),
            Bound::Unbounded => self.len(),
        };
        let start = match indexes.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        (start.min(end), end)
    }

    /// Inserts `item` so that it has `index`; at the end, if there are not so many.
    pub fn insert(&mut self, index: usize, item: T) {
        let index = index.min(self.len());
        let Some(mut root) = self.root.take() else {
            return self.set_root(Node::Leaf(vec![item]));
        };
        match root.insert(index, item, Edges::ROOT, &mut self.n_bytes) {
            Some(right) => self.set_root(Node::Inner(vec![root, right])),
            None => self.root = Some(root),
        }
    }

    /// Makes `node` the root, on top of what the tree has.
    fn set_root(&mut self, node: Node<T>) {
        self.n_bytes += node.n_bytes();
        self.root = Child::of(node);
    }

    /// Inserts `item` before the first.
    pub fn push_front(&mut self, item: T) {
        self.insert(0, item);
    }

    /// Inserts `item` after the last.
    pub fn push_back(&mut self, item: T) {
        self.insert(self.len(), item);
    }

    /// Has `f` change the item `index`, weight included, and returns what it returned. The item must stay in order with
    /// its neighbours: a member whose new score belongs elsewhere is removed and inserted.
    pub fn update<R>(&mut self, index: usize, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let root = self.root.as_mut().filter(|root| index < root.n_items)?;
        root.update(index, &mut self.n_bytes, f).map(|(_, _, returned)| returned)
    }

    /// Removes the item `index`.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        let mut removed = None;
        self.remove_in_leaf(index, 1, &mut |item| removed = Some(item));
        removed
    }

    /// Removes the first item.
    pub fn pop_front(&mut self) -> Option<T> {
        self.remove(0)
    }

    /// Removes the last item.
    pub fn pop_back(&mut self) -> Option<T> {
        self.remove(self.len().checked_sub(1)?)
    }

    /// Removes the items with these indexes and hands them to `removed`, in order. Returns how many there were. Takes
    /// one descent per leaf, not per item.
    pub fn remove_range(
        &mut self,
        indexes: impl RangeBounds<usize>,
        mut removed: impl FnMut(T),
    ) -> usize {
        let (start, end) = self.bounds(&indexes);
        let mut rest = end - start;
        while 0 < rest {
            rest -= self.remove_in_leaf(start, rest, &mut removed);
        }
        end - start
    }

    /// Removes items from `index` on, `n_max` at most, as far as they are in one leaf: at least one, if there is one.
    fn remove_in_leaf(&mut self, index: usize, n_max: usize, removed: &mut impl FnMut(T)) -> usize {
        let Some(root) = self.root.as_mut().filter(|root| index < root.n_items) else { return 0 };
        let (_, n) = root.remove(index, n_max, Edges::ROOT, &mut self.n_bytes, removed);
        if root.n_items == 0 {
            *self = Self::new();
        }
        while let Some(only) = self.root.as_ref().and_then(only_child) {
            self.n_bytes -= self.root.as_ref().map_or(0, |root| root.node.n_bytes());
            self.root = Some(only);
        }
        n
    }
}

/// The child of a root that needs none above it.
fn only_child<T: Item>(root: &Child<T>) -> Option<Child<T>> {
    match &*root.node {
        Node::Inner(children) if children.len() == 1 => children.first().cloned(),
        Node::Inner(_) | Node::Leaf(_) => None,
    }
}

impl<T: Item> Default for RankTree<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, T: Item> IntoIterator for &'a RankTree<T> {
    type Item = &'a T;
    type IntoIter = Range<'a, T>;

    fn into_iter(self) -> Range<'a, T> {
        self.iter()
    }
}

impl<T: Item + fmt::Debug> fmt::Debug for RankTree<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}
