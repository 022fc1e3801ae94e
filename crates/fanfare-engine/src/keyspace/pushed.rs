//! [`Pushed`]: whether any stream is pushed to anybody, and which stream is which.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What those who change streams have to know of those whom streams are pushed to.
#[derive(Debug, Default)]
pub struct Pushed {
    n_live: AtomicUsize,
    n_streams: AtomicU64,
}

impl Pushed {
    /// Somebody is pushed what is added to a stream from now on. The stripe of its key is locked, so that whoever
    /// changes the stream next knows of it.
    pub fn join(&self) {
        self.n_live.fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody is not pushed any more what is added to a stream.
    pub fn leave(&self) {
        self.n_live.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether anybody is pushed what is added to any stream.
    #[inline]
    #[must_use]
    pub fn any(&self) -> bool {
        self.n_live() != 0
    }

    /// How many subscriptions are pushed what is added.
    #[must_use]
    pub fn n_live(&self) -> usize {
        self.n_live.load(Ordering::Relaxed)
    }

    /// A number that no stream had before.
    pub(crate) fn draw_identity(&self) -> u64 {
        self.n_streams.fetch_add(1, Ordering::Relaxed) + 1
    }
}
