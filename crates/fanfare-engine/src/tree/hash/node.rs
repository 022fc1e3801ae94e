//! [`Node`]: a header and its slots in one piece of memory, behind a counted reference.

use std::mem::{size_of, take};

use triomphe::{Arc, HeaderSlice};

use crate::memory::given_for;

/// The counter in front of a node.
const COUNTER_LEN: usize = size_of::<usize>();

/// What a node of the tree is made of. A clone is one more reference.
///
/// A copy has as many slots as the original: it is made to be written to, and the memory of a tree does not depend on
/// how often it was cloned.
#[derive(Debug)]
pub(super) struct Node<H, S>(Arc<HeaderSlice<H, [S]>>);

impl<H, S: Default> Node<H, S> {
    /// With room for at least this many.
    pub(super) fn new(header: H, n_slots: usize) -> Self {
        let slots = (0..Self::roomy(n_slots)).map(|_| S::default());
        Self(Arc::from_header_and_iter(header, slots))
    }
}

impl<H, S> Node<H, S> {
    #[inline]
    pub(super) fn header(&self) -> &H {
        &self.0.header
    }

    #[inline]
    pub(super) fn slots(&self) -> &[S] {
        &self.0.slice
    }

    pub(super) fn n_bytes(&self) -> usize {
        Self::OWN_LEN + size_of_val(self.slots())
    }

    /// What a node takes without slots.
    const OWN_LEN: usize = COUNTER_LEN + size_of::<H>();

    /// The room for this many: what is allocated for them holds no more.
    #[inline]
    fn roomy(n_used: usize) -> usize {
        let n_used = if n_used <= 2 { 2 } else { n_used };
        (given_for(Self::OWN_LEN + n_used * size_of::<S>()) - Self::OWN_LEN) / size_of::<S>()
    }
}

impl<H: Clone, S: Clone + Default> Node<H, S> {
    /// To be written to: copied first if there is another reference.
    #[inline]
    #[expect(
        clippy::expect_used,
        reason = "no other reference is left, and nobody else can take one"
    )]
    pub(super) fn make_mut(&mut self) -> (&mut H, &mut [S]) {
        if !self.0.is_unique() {
            self.copy();
        }
        let node = Arc::get_mut(&mut self.0).expect("a node that nobody shares");
        (&mut node.header, &mut node.slice)
    }

    #[cold]
    fn copy(&mut self) {
        let slots = self.slots().iter().cloned();
        self.0 = Arc::from_header_and_iter(self.header().clone(), slots);
    }

    /// Makes room for one more than `n_used`, in small steps: there are millions of nodes, and most of them never
    /// double.
    #[inline]
    pub(super) fn reserve_one(&mut self, n_used: usize) {
        if n_used == self.slots().len() {
            self.resize(Self::roomy(n_used + 1));
        }
    }

    /// Gives memory back when more than half of it is unused.
    pub(super) fn shrink(&mut self, n_used: usize) {
        let enough = Self::roomy(n_used);
        if enough * 2 < self.slots().len() {
            self.resize(enough);
        }
    }

    fn resize(&mut self, n_slots: usize) {
        let (header, slots) = self.make_mut();
        let slots = (0..n_slots).map(|at| slots.get_mut(at).map(take).unwrap_or_default());
        self.0 = Arc::from_header_and_iter(header.clone(), slots);
    }
}

impl<H, S> Clone for Node<H, S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
