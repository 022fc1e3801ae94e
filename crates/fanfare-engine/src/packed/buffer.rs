//! [`Buffer`]: bytes that grow and shrink, in one piece of memory with their counter of references.
//!
//! There are millions of small collections. A `Vec` behind an `Arc` would cost each of them an allocation more and some 40
//! bytes, as much as what many of them hold. So the memory has the counter in front, the pointer to it says how many
//! bytes there are, and what is packed says itself how many of these it uses: the others are in reserve.

use smallvec::SmallVec;
use triomphe::Arc;

use crate::memory::given_for;

/// The counter in front of the bytes.
const COUNTER_LEN: usize = size_of::<usize>();

/// What does not need memory of its own while it is moved.
const MOVED_LEN: usize = 512;

/// Bytes behind a counted reference. A clone is one more reference; who writes copies first what a clone also has.
///
/// The first `len` of them are used; how many that is must be told each time.
#[derive(Clone)]
pub(super) struct Buffer(Arc<[u8]>);

impl Buffer {
    /// With these bytes, and room for `capacity` bytes without moving.
    pub(super) fn new(bytes: &[u8], capacity: usize) -> Self {
        Self(with_reserve(bytes, roomy(capacity.max(bytes.len()))))
    }

    /// With these bytes and no room for others.
    pub(super) fn exact(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// All bytes. What they are behind those that are used is anything.
    #[inline]
    pub(super) fn all(&self) -> &[u8] {
        &self.0
    }

    /// The memory that it takes, with its counter.
    pub(super) fn n_bytes(&self) -> usize {
        COUNTER_LEN + self.0.len()
    }

    /// All bytes, to be written to; there are `capacity` of them or more, of which the first `len` are as they were.
    #[inline]
    pub(super) fn edit(&mut self, len: usize, capacity: usize) -> &mut [u8] {
        if self.0.len() < capacity {
            self.0 = with_reserve(self.used(len), roomy(capacity));
        } else if !self.0.is_unique() {
            // Not one byte more or less: the memory of a collection does not depend on how often it was cloned.
            self.0 = with_reserve(self.used(len), self.0.len());
        }
        // Nobody else has it, now.
        Arc::get_mut(&mut self.0).unwrap_or_default()
    }

    /// Replaces the `n_old` bytes at `at` by `n_new` bytes, whose content is still to be written, and moves what follows.
    /// `None`, and nothing is changed, if there are no such bytes among the first `len`; else as [`Self::edit`].
    #[inline]
    pub(super) fn splice(
        &mut self,
        len: usize,
        at: usize,
        (n_old, n_new): (usize, usize),
    ) -> Option<&mut [u8]> {
        let old_end = at.checked_add(n_old).filter(|&it| it <= len)?;
        let new_end = at.saturating_add(n_new);
        let bytes = self.edit(len, len - n_old + n_new);
        if new_end != old_end {
            bytes.copy_within(old_end..len, new_end);
        }
        Some(bytes)
    }

    /// Gives back the memory that is not used.
    pub(super) fn shrink(&mut self, len: usize) {
        if len < self.0.len() {
            *self = Self::exact(self.used(len));
        }
    }

    #[inline]
    fn used(&self, len: usize) -> &[u8] {
        self.0.get(..len).unwrap_or(&self.0)
    }
}

/// The room for so many bytes: what is allocated for them holds no more. Less is kept in reserve than `Vec` would: most
/// small collections are written once and then read.
fn roomy(capacity: usize) -> usize {
    given_for(COUNTER_LEN.saturating_add(capacity)) - COUNTER_LEN
}

/// A copy that has `capacity` bytes.
fn with_reserve(bytes: &[u8], capacity: usize) -> Arc<[u8]> {
    let mut copy = SmallVec::<[u8; MOVED_LEN]>::with_capacity(capacity);
    copy.extend_from_slice(bytes);
    copy.resize(capacity, 0);
    Arc::from(&*copy)
}
