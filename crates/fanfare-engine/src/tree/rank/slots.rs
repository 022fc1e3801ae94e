//! The entries of a node, items or children: `n_max` at most, with little capacity to spare.
//!
//! Nodes are two thirds full on average, so capacity that doubled would cost as much memory as short members. It grows
//! by an eighth of `n_max` instead, which is also how far the size classes of allocators are apart.

/// Where a full node is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// In the middle.
    Even,
    /// After the first entry: the sequence grows at its front.
    First,
    /// Before the last entry: the sequence grows at its end.
    Last,
}

/// Capacity for `len` entries.
pub(super) fn capacity_for(len: usize, n_max: usize) -> usize {
    len.next_multiple_of(step(n_max)).min(n_max)
}

fn step(n_max: usize) -> usize {
    (n_max / 8).max(1)
}

/// Inserts `entry` at `index`, which is at most the length. Of a full node, the entries that now belong to a new node
/// on the right are returned.
pub(super) fn insert<E>(
    slots: &mut Vec<E>,
    index: usize,
    entry: E,
    n_max: usize,
    split: Split,
) -> Option<Vec<E>> {
    if slots.len() < n_max {
        grow(slots, 1, n_max);
        slots.insert(index, entry);
        return None;
    }
    let n_left = match split {
        Split::Even => slots.len().div_ceil(2),
        Split::First => 1,
        Split::Last => slots.len(),
    };
    let right = if index < n_left {
        let right = take_from(slots, n_left - 1, None, n_max);
        slots.insert(index, entry);
        right
    } else {
        take_from(slots, n_left, Some((index - n_left, entry)), n_max)
    };
    fit(slots, n_max);
    Some(right)
}

/// The entries from `at` on, and `more`, an index among them and an entry.
fn take_from<E>(slots: &mut Vec<E>, at: usize, more: Option<(usize, E)>, n_max: usize) -> Vec<E> {
    let n_taken = slots.len() - at + usize::from(more.is_some());
    let mut taken = Vec::with_capacity(capacity_for(n_taken, n_max));
    taken.extend(slots.drain(at..));
    if let Some((index, entry)) = more {
        taken.insert(index, entry);
    }
    taken
}

/// How many entries, all at the front, `is_before` is true for.
///
/// Reads every eighth entry and then the eight around the boundary, instead of halving: a node is mostly not in the
/// cache, and these reads do not wait for each other.
pub(super) fn partition_point<E>(slots: &[E], is_before: impl Fn(&E) -> bool) -> usize {
    let mut n_before = 0;
    for eight in slots.chunks(8) {
        if !eight.last().is_some_and(&is_before) {
            return n_before + eight.iter().take_while(|it| is_before(it)).count();
        }
        n_before += eight.len();
    }
    n_before
}

/// As [`partition_point`], where entries with a smaller hint are before and those with a larger one are not:
/// `is_before` is asked only of those whose hint is the same, which mostly are none.
pub(super) fn n_before<E, H: Copy + PartialOrd>(
    slots: &[E],
    hint_of: impl Fn(&E) -> H,
    hint: H,
    is_before: impl Fn(&E) -> bool,
) -> usize {
    let n_less = partition_point(slots, |it| hint_of(it) < hint);
    let rest = slots.get(n_less..).unwrap_or_default();
    let n_equal = partition_point(rest, |it| hint_of(it) == hint);
    n_less + rest.get(..n_equal).unwrap_or_default().partition_point(is_before)
}

/// Moves all of `right` to the end of `left`.
pub(super) fn append<E>(left: &mut Vec<E>, right: &mut Vec<E>, n_max: usize) {
    grow(left, right.len(), n_max);
    left.append(right);
}

/// Moves entries between two neighbours until both have equally many.
pub(super) fn share<E>(left: &mut Vec<E>, right: &mut Vec<E>, n_max: usize) {
    let n_left = (left.len() + right.len()) / 2;
    if left.len() < n_left {
        let n_moved = n_left - left.len();
        grow(left, n_moved, n_max);
        left.extend(right.drain(..n_moved));
        fit(right, n_max);
    } else {
        grow(right, left.len() - n_left, n_max);
        right.splice(0..0, left.drain(n_left..));
        fit(left, n_max);
    }
}

/// Gives memory back after entries were removed; not for the first ones, so that a node whose length goes up and down
/// is not moved each time.
pub(super) fn fit<E>(slots: &mut Vec<E>, n_max: usize) {
    let needed = capacity_for(slots.len(), n_max);
    if needed + step(n_max) < slots.capacity() {
        slots.shrink_to(needed);
    }
}

fn grow<E>(slots: &mut Vec<E>, n_more: usize, n_max: usize) {
    let len = slots.len();
    if slots.capacity() < len + n_more {
        slots.reserve_exact(capacity_for(len + n_more, n_max) - len);
    }
}
