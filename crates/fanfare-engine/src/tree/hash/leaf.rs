//! [`Leaf`]: some items, in no order, and one byte of the hash of each.

use std::mem::size_of;

/// How many items a leaf may have before it is split. More only if their hashes are all equal.
pub(super) const N_ITEMS_MAX: usize = 32;

/// Two leaves that have no more than this together become one: half a leaf, so that the next insert does not split it
/// again.
pub(super) const N_MERGED_MAX: usize = N_ITEMS_MAX / 2;

/// The counter that `triomphe::Arc` puts in front of a node.
pub(super) const ARC_HEADER_LEN: usize = size_of::<usize>();

/// A word of tags, all of them 1.
const ONES: u64 = u64::MAX / 0xff;

/// Items whose hashes are in one range.
///
/// `tags` says of the first [`N_ITEMS_MAX`] items the low 8 bits of their hashes: the tree above uses the high ones.
/// Items after these, and the first ones with them, have all the same hash. Tags without an item may say anything.
#[derive(Debug)]
pub(super) struct Leaf<T> {
    tags: [u8; N_ITEMS_MAX],
    items: Vec<T>,
}

impl<T> Leaf<T> {
    pub(super) fn with_capacity(n_items: usize) -> Self {
        Self { tags: [0; N_ITEMS_MAX], items: Vec::with_capacity(roomy(n_items)) }
    }

    pub(super) fn items(&self) -> &[T] {
        &self.items
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    #[cfg(test)]
    pub(super) fn tags(&self) -> &[u8] {
        &self.tags
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.items.capacity()
    }

    /// Its memory, with its counter of references.
    pub(super) fn n_bytes(&self) -> usize {
        ARC_HEADER_LEN + size_of::<Self>() + self.items.capacity() * size_of::<T>()
    }

    /// Where the item is.
    #[inline]
    pub(super) fn locate(&self, hash: u64, eq: impl Fn(&T) -> bool) -> Option<usize> {
        let wanted = u64::from(tag(hash)) * ONES;
        let (words, _) = self.tags.as_chunks::<8>();
        for (word_idx, word) in words.iter().enumerate() {
            let mut matches = zero_bytes(u64::from_le_bytes(*word) ^ wanted);
            while matches != 0 {
                let item_idx = word_idx * 8 + matches.trailing_zeros() as usize / 8;
                if self.items.get(item_idx).is_some_and(&eq) {
                    return Some(item_idx);
                }
                matches &= matches - 1;
            }
        }
        if self.items.len() <= N_ITEMS_MAX {
            return None;
        }
        let rest = self.items.get(N_ITEMS_MAX..)?;
        rest.iter().position(eq).map(|at| N_ITEMS_MAX + at)
    }

    #[inline]
    pub(super) fn get(&self, item_idx: usize) -> Option<&T> {
        self.items.get(item_idx)
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the index is from `locate` or `push`")]
    pub(super) fn item_mut(&mut self, item_idx: usize) -> &mut T {
        &mut self.items[item_idx]
    }

    /// Adds an item and says where it is.
    #[inline]
    pub(super) fn push(&mut self, tag: u8, item: T) -> usize {
        let item_idx = self.items.len();
        if let Some(place) = self.tags.get_mut(item_idx) {
            *place = tag;
        }
        reserve_one(&mut self.items);
        self.items.push(item);
        item_idx
    }

    /// Takes an item out. `item_idx` is from [`Leaf::locate`].
    pub(super) fn remove(&mut self, item_idx: usize) -> T {
        let item = self.items.swap_remove(item_idx);
        // Where the last item has no tag of its own, all tags are the same.
        if let Some(&last) = self.tags.get(self.items.len())
            && let Some(place) = self.tags.get_mut(item_idx)
        {
            *place = last;
        }
        shrink(&mut self.items);
        item
    }

    /// Two leaves of a full one: the items which `is_upper` does not and does choose.
    pub(super) fn split(self, is_upper: impl Fn(&T) -> bool) -> (Self, Self) {
        let upper =
            self.items.iter().enumerate().fold(0_u64, |upper, (item_idx, item)| {
                upper | u64::from(is_upper(item)) << item_idx
            });
        let n_upper = upper.count_ones() as usize;
        // One of the two gets an item at once.
        let mut left = Self::with_capacity(self.items.len() - n_upper + 1);
        let mut right = Self::with_capacity(n_upper + 1);
        for (item_idx, (item, tag)) in self.items.into_iter().zip(self.tags).enumerate() {
            let half = if upper >> item_idx & 1 == 0 { &mut left } else { &mut right };
            half.push(tag, item);
        }
        (left, right)
    }

    /// Adds the items of `other`; both together are at most [`N_MERGED_MAX`].
    pub(super) fn append(&mut self, other: Self) {
        for (item, tag) in other.items.into_iter().zip(other.tags) {
            self.push(tag, item);
        }
        shrink(&mut self.items);
    }
}

/// A copy has the same capacity: it is made to be written to, and the memory of a tree does not depend on how often it
/// was cloned.
impl<T: Clone> Clone for Leaf<T> {
    fn clone(&self) -> Self {
        Self { tags: self.tags, items: clone_with_capacity(&self.items) }
    }
}

/// The byte of a hash that a leaf compares first.
#[inline]
pub(super) fn tag(hash: u64) -> u8 {
    let [low, ..] = hash.to_le_bytes();
    low
}

/// As `Vec::clone`, with the room of the original.
pub(super) fn clone_with_capacity<T: Clone>(items: &Vec<T>) -> Vec<T> {
    let mut copy = Vec::with_capacity(items.capacity());
    copy.extend_from_slice(items);
    copy
}

/// Makes room for one more, in small steps: there are millions of these vectors, and most of them never double.
#[inline]
pub(super) fn reserve_one<T>(items: &mut Vec<T>) {
    let len = items.len();
    if len == items.capacity() {
        items.reserve_exact(roomy(len + 1) - len);
    }
}

/// Gives memory back when more than half of it is unused.
#[inline]
pub(super) fn shrink<T>(items: &mut Vec<T>) {
    let enough = roomy(items.len());
    if size_of::<T>() != 0 && enough * 2 < items.capacity() {
        items.shrink_to(enough);
    }
}

/// The capacity for this many items.
#[inline]
pub(super) fn roomy(n_items: usize) -> usize {
    match n_items {
        0..=2 => 2,
        3..=64 => n_items.next_multiple_of(4),
        65.. => n_items.next_power_of_two(),
    }
}

/// The high bit of every byte that is 0, and no other bit.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    const LOW_BITS: u64 = ONES * 0x7f;
    !(((word & LOW_BITS) + LOW_BITS) | word | LOW_BITS)
}
