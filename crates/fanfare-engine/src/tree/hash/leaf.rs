//! [`Leaf`]: some items, in no order, and one byte of the hash of each.

use std::mem::take;

use super::node::Node;

/// How many items a leaf may have before it is split. More only if their hashes are all equal.
pub(super) const N_ITEMS_MAX: usize = 32;

/// Two leaves that have no more than this together become one: half a leaf, so that the next insert does not split it
/// again.
pub(super) const N_MERGED_MAX: usize = N_ITEMS_MAX / 2;

/// Items whose hashes are in one range. A clone is one more reference to them.
///
/// Slots are filled from the first on. An `Option` costs nothing where the item has a [`Name`](crate::tree::Name) or
/// another reference in it.
#[derive(Debug)]
pub(super) struct Leaf<T>(Node<Header, Option<T>>);

/// `tags` says of the first [`N_ITEMS_MAX`] items the low 8 bits of their hashes: the tree above uses the high ones.
/// Items after these, and the first ones with them, have all the same hash. Tags without an item may say anything.
#[derive(Clone, Debug)]
struct Header {
    tags: [u8; N_ITEMS_MAX],
    n_items: usize,
}

impl<T> Leaf<T> {
    pub(super) fn with_capacity(n_items: usize) -> Self {
        Self(Node::new(Header { tags: [0; N_ITEMS_MAX], n_items: 0 }, n_items))
    }

    /// The items, and slots without.
    pub(super) fn slots(&self) -> &[Option<T>] {
        self.0.slots()
    }

    pub(super) fn len(&self) -> usize {
        self.0.header().n_items
    }

    #[cfg(test)]
    pub(super) fn tags(&self) -> &[u8] {
        &self.0.header().tags
    }

    /// Its memory, with its counter of references.
    pub(super) fn n_bytes(&self) -> usize {
        self.0.n_bytes()
    }

    /// Where the item is.
    #[inline]
    pub(super) fn locate(&self, hash: u64, eq: impl Fn(&T) -> bool) -> Option<usize> {
        let Header { tags, n_items } = self.0.header();
        let mut matches = matches(tags, tag(hash));
        while matches != 0 {
            let item_idx = first_match(matches);
            if self.get(item_idx).is_some_and(&eq) {
                return Some(item_idx);
            }
            matches &= matches - 1;
        }
        if *n_items <= N_ITEMS_MAX {
            return None;
        }
        let rest = self.slots().get(N_ITEMS_MAX..)?;
        rest.iter().position(|it| it.as_ref().is_some_and(&eq)).map(|at| N_ITEMS_MAX + at)
    }

    #[inline]
    pub(super) fn get(&self, item_idx: usize) -> Option<&T> {
        self.slots().get(item_idx)?.as_ref()
    }
}

impl<T: Clone> Leaf<T> {
    /// The item that [`Leaf::locate`] has found.
    #[inline]
    #[expect(clippy::expect_used, reason = "nothing has happened since it was found")]
    pub(super) fn item_mut(&mut self, item_idx: usize) -> &mut T {
        let (_, slots) = self.0.make_mut();
        slots.get_mut(item_idx).and_then(Option::as_mut).expect("the item that was found")
    }

    /// Makes room for one more.
    #[inline]
    pub(super) fn reserve_one(&mut self) {
        self.0.reserve_one(self.len());
    }

    /// Adds an item.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "room was made for it")]
    pub(super) fn push(&mut self, tag: u8, item: T) -> &mut T {
        self.reserve_one();
        let (header, slots) = self.0.make_mut();
        let item_idx = header.n_items;
        if let Some(place) = header.tags.get_mut(item_idx) {
            *place = tag;
        }
        header.n_items += 1;
        slots[item_idx].insert(item)
    }

    /// Takes an item out. `item_idx` is from [`Leaf::locate`].
    pub(super) fn remove(&mut self, item_idx: usize) -> Option<T> {
        let (header, slots) = self.0.make_mut();
        let last_idx = header.n_items.checked_sub(1)?;
        let last = slots.get_mut(last_idx)?.take();
        header.n_items = last_idx;
        let item = if item_idx == last_idx {
            last
        } else {
            // Where the last item has no tag of its own, all tags are the same.
            if let Some(&tag) = header.tags.get(last_idx)
                && let Some(place) = header.tags.get_mut(item_idx)
            {
                *place = tag;
            }
            std::mem::replace(slots.get_mut(item_idx)?, last)
        };
        self.0.shrink(last_idx);
        item
    }

    /// Two leaves of a full one: the items which `is_upper` does not and does choose.
    pub(super) fn split(mut self, is_upper: impl Fn(&T) -> bool) -> (Self, Self) {
        let (header, slots) = self.0.make_mut();
        let upper =
            slots.iter().flatten().enumerate().fold(0_u64, |upper, (item_idx, item)| {
                upper | (u64::from(is_upper(item)) << item_idx)
            });
        let n_upper = upper.count_ones() as usize;
        // One of the two gets an item at once.
        let mut left = Self::with_capacity(header.n_items - n_upper + 1);
        let mut right = Self::with_capacity(n_upper + 1);
        for (item_idx, (slot, tag)) in slots.iter_mut().zip(header.tags).enumerate() {
            let half = if (upper >> item_idx) & 1 == 0 { &mut left } else { &mut right };
            if let Some(item) = take(slot) {
                half.push(tag, item);
            }
        }
        (left, right)
    }

    /// Adds the items of `other`; both together are at most [`N_MERGED_MAX`].
    pub(super) fn append(&mut self, mut other: Self) {
        let (header, slots) = other.0.make_mut();
        for (slot, tag) in slots.iter_mut().zip(header.tags) {
            if let Some(item) = take(slot) {
                self.push(tag, item);
            }
        }
        self.0.shrink(self.len());
    }
}

impl<T> Clone for Leaf<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The byte of a hash that a leaf compares first.
#[inline]
pub(super) fn tag(hash: u64) -> u8 {
    let [low, ..] = hash.to_le_bytes();
    low
}

/// Which tags are the one that is looked for: bit w of byte b is that of tag `w * 8 + b`.
#[inline]
fn matches(tags: &[u8; N_ITEMS_MAX], wanted: u8) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const LOW_BITS: u64 = ONES * 0x7f;

    let (words, _) = tags.as_chunks::<8>();
    words.iter().rev().fold(0, |matches, word| {
        let differing = u64::from_le_bytes(*word) ^ (u64::from(wanted) * ONES);
        // The high bit of every byte that is not 0.
        let highs = ((differing & LOW_BITS) + LOW_BITS) | differing;
        (matches << 1) | ((!highs >> 7) & ONES)
    })
}

/// The tag of the lowest bit of what [`matches`] returned.
#[inline]
fn first_match(matches: u64) -> usize {
    let bit = matches.trailing_zeros() as usize;
    bit % 8 * 8 + bit / 8
}
