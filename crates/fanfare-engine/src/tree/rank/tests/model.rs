//! What the tree is held to: its invariants, and a `Vec` that went through the same.

use fanfare_testkit::Rng;

use crate::tree::rank::node::{Child, Edges, Node};
use crate::tree::rank::{Item, RankTree};

/// Holds all invariants against `tree`.
pub(super) fn check<T: Item>(tree: &RankTree<T>) {
    let mut n_bytes = 0;
    let mut depths = Vec::new();
    if let Some(root) = &tree.root {
        check_child(root, Edges::ROOT, 0, &mut depths, &mut n_bytes);
        if let Node::Inner(children) = &*root.node {
            assert!(1 < children.len(), "a root above one child");
        }
    }
    assert!(depths.windows(2).all(|pair| pair[0] == pair[1]), "leaves at {depths:?}");
    assert_eq!(n_bytes, tree.n_bytes(), "bytes");
}

fn check_child<T: Item>(
    child: &Child<T>,
    edges: Edges,
    depth: usize,
    depths: &mut Vec<usize>,
    n_bytes: &mut usize,
) {
    let node = &*child.node;
    *n_bytes += node.n_bytes();
    let n_min = if edges.first || edges.last { 1 } else { node.n_max() / 2 };
    assert!(n_min <= node.len() && node.len() <= node.n_max(), "{} entries", node.len());
    match node {
        Node::Leaf(items) => {
            depths.push(depth);
            assert!(items.capacity() <= T::LEAF_MAX);
        }
        Node::Inner(children) => {
            for (at, it) in children.iter().enumerate() {
                check_child(it, edges.of_child(at, children.len()), depth + 1, depths, n_bytes);
            }
        }
    }
    let mut summed = child.clone();
    summed.sum_up();
    assert_eq!((summed.weight, summed.n_items), (child.weight, child.n_items), "sums");
    assert!(summed.hint == child.hint, "hint");
    assert!(node.first().is_some_and(|item| item.hint() == child.hint), "hint of the first item");
}

/// Everything that can be asked must be as in `model`.
pub(super) fn compare<T: Item + PartialEq + std::fmt::Debug>(
    tree: &RankTree<T>,
    model: &[T],
    rng: &mut Rng,
) {
    assert_eq!(tree.len(), model.len());
    assert_eq!(tree.is_empty(), model.is_empty());
    assert_eq!(tree.weight(), model.iter().map(Item::weight).sum::<usize>());
    assert_eq!((tree.first(), tree.last()), (model.first(), model.last()));
    assert!(tree.iter().eq(model), "forwards");
    assert!(tree.iter().rev().eq(model.iter().rev()), "backwards");
    for _ in 0..5 {
        let index = below(rng, model.len() + 2);
        assert_eq!(tree.get(index), model.get(index));
        let position = below(rng, tree.weight() + 2);
        assert_eq!(tree.locate(position), locate(model, position));
        compare_range(tree, model, rng);
    }
}

fn compare_range<T: Item + PartialEq + std::fmt::Debug>(
    tree: &RankTree<T>,
    model: &[T],
    rng: &mut Rng,
) {
    let start = below(rng, model.len() + 1);
    let end = start + below(rng, model.len() - start + 1);
    let mut range = tree.range(start..end);
    let mut expected = model[start..end].iter();
    loop {
        assert_eq!(range.len(), expected.len());
        let (got, wanted) = match rng.below(5) {
            0 | 1 => (range.next(), expected.next()),
            2 | 3 => (range.next_back(), expected.next_back()),
            _ => {
                let n = below(rng, 9);
                (range.nth(n), expected.nth(n))
            }
        };
        assert_eq!(got, wanted);
        if wanted.is_none() {
            return;
        }
    }
}

fn locate<T: Item>(model: &[T], position: usize) -> Option<(usize, &T, usize)> {
    let mut before = 0;
    for (index, item) in model.iter().enumerate() {
        if position < before + item.weight() {
            return Some((index, item, position - before));
        }
        before += item.weight();
    }
    None
}

pub(super) fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).unwrap()
}

/// A tree, the `Vec` it must equal, and clones of both from earlier.
pub(super) struct Pair<T: Item> {
    pub(super) tree: RankTree<T>,
    pub(super) model: Vec<T>,
    pub(super) clones: Vec<(RankTree<T>, Vec<T>)>,
}

impl<T: Item + PartialEq + std::fmt::Debug> Pair<T> {
    pub(super) fn new() -> Self {
        Self { tree: RankTree::new(), model: Vec::new(), clones: Vec::new() }
    }

    /// Does something random that needs no order. `growth` of ten times it inserts.
    pub(super) fn step(&mut self, rng: &mut Rng, growth: u64, item: impl Fn(&mut Rng) -> T) {
        let (tree, model) = (&mut self.tree, &mut self.model);
        let index = below(rng, model.len() + 1);
        if rng.below(10) < growth {
            let new = item(rng);
            match rng.below(4) {
                0 => (tree.push_back(new.clone()), model.push(new)),
                1 => (tree.push_front(new.clone()), model.insert(0, new)),
                _ => (tree.insert(index, new.clone()), model.insert(index, new)),
            };
            return;
        }
        match rng.below(8) {
            0 => assert_eq!(tree.pop_back(), model.pop()),
            1 => assert_eq!(tree.pop_front(), take(model, 0)),
            2 => {
                let new = item(rng);
                let old = tree.update(index, |it| std::mem::replace(it, new.clone()));
                assert_eq!(old, model.get_mut(index).map(|it| std::mem::replace(it, new)));
            }
            3 => {
                let end = index + below(rng, 30);
                let mut removed = Vec::new();
                let n_removed = tree.remove_range(index..end, |it| removed.push(it));
                assert_eq!(n_removed, removed.len());
                assert!(model.drain(index..end.min(model.len())).eq(removed));
            }
            4 => {
                let at = below(rng, 5);
                if 4 <= self.clones.len() {
                    self.clones.swap_remove(at.min(3));
                }
                self.clones.push((tree.clone(), model.clone()));
            }
            _ => assert_eq!(tree.remove(index), take(model, index)),
        }
    }

    pub(super) fn check(&self, rng: &mut Rng) {
        check(&self.tree);
        compare(&self.tree, &self.model, rng);
        for (tree, model) in &self.clones {
            check(tree);
            assert!(tree.iter().eq(model), "a clone changed");
        }
    }
}

fn take<T>(model: &mut Vec<T>, index: usize) -> Option<T> {
    (index < model.len()).then(|| model.remove(index))
}
