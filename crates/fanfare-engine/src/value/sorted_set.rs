//! A zset.

use triomphe::Arc;

use crate::tree::Name;

/// A zset.
#[derive(Clone, Debug, Default)]
pub struct SortedSet(Arc<Vec<Name>>);

impl SortedSet {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name that `OBJECT ENCODING` answers.
    pub(super) fn encoding(&self) -> &'static str {
        "skiplist"
    }

    /// Bytes on the heap, in constant time.
    pub(super) fn n_bytes(&self) -> usize {
        self.0.len()
    }

    /// About how many small allocations it takes as long to free as this.
    pub(super) fn effort(&self) -> usize {
        self.0.len()
    }
}
