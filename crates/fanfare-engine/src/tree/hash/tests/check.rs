//! What holds in every node at any time.

use crate::tree::hash::inner::{Child, Span};
use crate::tree::hash::leaf::{N_ITEMS_MAX, N_MERGED_MAX, tag};

use super::*;

impl<T> HashTree<T> {
    /// Fails if an invariant of a node, or a sum over them, does not hold.
    pub(super) fn check(&self, rehash: impl Fn(&T) -> u64) {
        let mut n_bytes = 0;
        let n_items = check_child(&self.root, Place::ROOT, &rehash, &mut n_bytes);
        assert_eq!(n_items, self.len());
        assert_eq!(n_bytes, self.n_bytes(), "bytes of the nodes");
        assert_eq!(n_items, self.iter().count());
    }
}

#[derive(Clone, Copy, Debug)]
struct Place {
    level: u32,
    first: u64,
    last: u64,
}

impl Place {
    const ROOT: Self = Self { level: 0, first: 0, last: u64::MAX };
}

fn check_child<T>(
    child: &Child<T>,
    place: Place,
    rehash: &impl Fn(&T) -> u64,
    n_bytes: &mut usize,
) -> usize {
    match child {
        Child::Empty => {}
        Child::Leaf(leaf) => {
            *n_bytes += leaf.n_bytes();
            assert_ne!(leaf.len(), 0, "an empty leaf at {place:?}");
            let hashes: Vec<_> = leaf.slots().iter().flatten().map(rehash).collect();
            assert!(leaf.slots().iter().skip(leaf.len()).all(Option::is_none));
            assert_eq!(hashes.len(), leaf.len());
            let is_crowded = N_ITEMS_MAX < leaf.len();
            assert!(!is_crowded || hashes.iter().all(|it| *it == hashes[0]), "{place:?}");
            assert!(hashes.iter().all(|it| place.first <= *it && *it <= place.last), "{place:?}");
            assert!(
                hashes.iter().zip(leaf.tags()).all(|(hash, it)| tag(*hash) == *it),
                "{place:?}"
            );
            assert!(leaf.slots().len() <= room_max(leaf.len()), "{place:?}");
        }
        Child::Inner(inner) => {
            *n_bytes += inner.n_bytes();
            let (children, unused) = inner.places().split_at(inner.n_children());
            assert!(unused.iter().all(|it| matches!(it, Child::Empty)));
            assert!(1 < children.len(), "an inner node with one child at {place:?}");
            assert!(inner.places().len() <= room_max(children.len()));
            let mut spans = Vec::new();
            let mut slot = 0;
            for (child_idx, child) in children.iter().enumerate() {
                let span = inner.span(slot);
                assert_eq!((span.first, inner.child_idx(slot)), (slot, child_idx));
                assert!(span.len.is_power_of_two() && span.first % span.len == 0, "{span:?}");
                assert!(span.len == 1 || !matches!(child, Child::Inner(_)), "{span:?}");
                let (first, last) = span.hashes(place.first, place.level);
                assert_eq!(first == place.first, slot == 0);
                let below = Place { level: place.level + 1, first, last };
                check_child(child, below, rehash, n_bytes);
                slot += span.len;
                assert_eq!(last == place.last, slot == 64);
                spans.push(span);
            }
            assert_eq!(slot, 64);
            assert_eq!(children.iter().map(Child::n_items).sum::<usize>(), child.n_items());
            check_buddies(children, &spans);
        }
    }
    child.n_items()
}

/// Buddies are so many that they are not to be merged.
fn check_buddies<T>(children: &[Child<T>], spans: &[Span]) {
    for (pair, span) in children.windows(2).zip(spans.windows(2)) {
        let are_buddies =
            span[0].len == span[1].len && span[0].first ^ span[0].len == span[1].first;
        let are_inner = pair.iter().any(|it| matches!(it, Child::Inner(_)));
        if are_buddies && !are_inner {
            assert!(N_MERGED_MAX < pair[0].n_items() + pair[1].n_items(), "{span:?}");
        }
    }
}

/// Slots of a node that holds so many: at most twice what the allocator gives for them anyhow.
fn room_max(n_used: usize) -> usize {
    2 * n_used.max(2) * 5 / 4 + 8
}
