//! [`Buffer`]: bytes that grow and shrink, of which what is packed says itself how many it uses; the others are in
//! reserve.
//!
//! There are millions of small collections. A `Vec` behind an `Arc` would cost each of them an allocation more and some 40
//! bytes, as much as what many of them hold. [`Shared`] has its counter of references in front of the bytes, and the
//! pointer to it says how many there are. For the chunks of lists that would be a loss: they are behind a counter anyway,
//! and one that is full fills a size of the allocator, and with eight bytes more would need the next one. They are
//! [`Gapped`](super::gapped::Gapped).

use std::fmt;

use triomphe::Arc;

use crate::memory::given_for;

/// The counter in front of the bytes.
const COUNTER_LEN: usize = size_of::<usize>();

/// So little is kept however few bytes are used.
const KEPT_MAX: usize = 256;

/// Words of so many are moved one by one.
const WORDS_MAX: usize = 32;

/// Bytes. The first `len` of them are used; how many that is must be told each time. What the others are is anything.
pub trait Buffer: Clone {
    /// With these bytes, and room for `capacity` bytes without moving.
    fn with_capacity(bytes: &[u8], capacity: usize) -> Self;

    /// All bytes.
    fn all(&self) -> &[u8];

    /// All bytes, to be written to; there are `capacity` of them or more, of which the first `len` are as they were.
    fn edit(&mut self, len: usize, capacity: usize) -> &mut [u8];

    /// The memory that it holds.
    fn n_bytes(&self) -> usize;

    /// With these bytes and no room for others.
    fn exact(bytes: &[u8]) -> Self;

    /// Replaces the `n_old` bytes at `at` by `n_new` bytes, whose content is still to be written, and moves what follows.
    /// `None`, and nothing is changed, if there are no such bytes among the first `len`; else as [`Self::edit`].
    #[inline]
    fn splice(
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

    /// After something was removed: gives memory back of which less than a quarter is used, by the first `len` bytes.
    #[inline]
    fn give_back(&mut self, len: usize) {
        let n_bytes = self.n_bytes();
        if KEPT_MAX < n_bytes
            && len < n_bytes / 4
            && let Some(used) = self.all().get(..len)
        {
            *self = Self::exact(used);
        }
    }
}

/// Bytes in one piece of memory with their counter of references. A clone is one more reference; who writes copies first
/// what a clone also has.
///
/// Less is kept in reserve than `Vec` would: most small collections are written once and then read.
#[derive(Clone)]
pub struct Shared(Arc<[Word]>);

/// All sizes of allocations are multiples of it.
type Word = [u8; 8];

/// How many words there is room for, if there is room for so many bytes: what is allocated for them holds no more.
#[inline]
fn n_words_for(capacity: usize) -> usize {
    (given_for(COUNTER_LEN.saturating_add(capacity)) - COUNTER_LEN) / size_of::<Word>()
}

/// A copy of some words, and one more, which has `n_words` of them.
fn copy(words: &[Word], last: Word, n_words: usize) -> Arc<[Word]> {
    if n_words <= WORDS_MAX {
        // A `Vec` between would be an allocation more.
        return (0..n_words)
            .map(|at| match words.get(at) {
                Some(word) => *word,
                None if at == words.len() => last,
                None => Word::default(),
            })
            .collect();
    }
    let mut copy = Vec::with_capacity(n_words + 1);
    copy.extend_from_slice(words);
    copy.push(last);
    copy.resize(n_words, Word::default());
    Arc::from(copy)
}

impl Buffer for Shared {
    fn with_capacity(bytes: &[u8], capacity: usize) -> Self {
        let (words, rest) = bytes.as_chunks();
        let mut last = Word::default();
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        Self(copy(words, last, n_words_for(capacity.max(bytes.len()))))
    }

    fn exact(bytes: &[u8]) -> Self {
        Self::with_capacity(bytes, bytes.len())
    }

    #[inline]
    fn all(&self) -> &[u8] {
        self.0.as_flattened()
    }

    #[inline]
    fn edit(&mut self, len: usize, capacity: usize) -> &mut [u8] {
        if self.all().len() < capacity || !self.0.is_unique() {
            // Not one byte more than before, if there is enough.
            let n_words = n_words_for(capacity.max(self.all().len()));
            let used = self.0.get(..len.div_ceil(size_of::<Word>())).unwrap_or(&self.0);
            self.0 = copy(used, Word::default(), n_words);
        }
        // Nobody else has it, now.
        Arc::get_mut(&mut self.0).unwrap_or_default().as_flattened_mut()
    }

    #[inline]
    fn n_bytes(&self) -> usize {
        COUNTER_LEN + self.all().len()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.all().len())
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffer, Shared};
    use crate::packed::gapped::Gapped;

    fn check_splice<B: Buffer>() {
        let mut buffer = B::with_capacity(b"abc", 3);
        let clone = buffer.clone();
        let bytes = buffer.splice(3, 1, (1, 3)).unwrap();
        bytes[1..4].copy_from_slice(b"123");
        assert_eq!((&buffer.all()[..5], &clone.all()[..3]), (&b"a123c"[..], &b"abc"[..]));
        for (at, n_old) in [(6, 0), (4, 2), (usize::MAX, 1)] {
            assert!(buffer.splice(5, at, (n_old, 9)).is_none());
        }
        assert_eq!(&buffer.all()[..5], b"a123c");
        let longer = buffer.splice(5, 5, (0, 5000)).unwrap();
        assert!(5005 <= longer.len() && longer.starts_with(b"a123c"));
        assert_eq!(&B::exact(&buffer.all()[..5]).all()[..5], b"a123c");
    }

    #[test]
    fn a_clone_stays_what_it_was() {
        check_splice::<Shared>();
        check_splice::<Gapped>();
        let mut shared = Shared::with_capacity(b"abc", 100);
        let clone = shared.clone();
        assert_eq!(shared.edit(3, 3).len(), clone.all().len());
    }

    #[test]
    fn memory_is_filled_before_there_is_more() {
        let mut buffer = Shared::with_capacity(b"", 0);
        let mut sizes: Vec<usize> = (0..=1016)
            .map(|len| {
                assert!(len <= buffer.edit(len, len).len());
                buffer.n_bytes()
            })
            .collect();
        assert!(sizes.iter().zip(8..).all(|(size, needed)| needed <= *size));
        sizes.dedup();
        assert_eq!(sizes[..8], [16, 32, 48, 64, 80, 96, 112, 128]);
        assert_eq!(sizes[8..].len(), 12);
        assert_eq!(Shared::exact(&[0; 3000]).n_bytes(), 3072);
        let mut full = Gapped::exact(b"");
        assert_eq!((full.edit(0, 8190).len(), full.n_bytes()), (8192, 8192));
    }
}
