//! Small collections as packed bytes, in Redis's own formats: what DUMP and RDB files copy as it is.
//!
//! | module | holds |
//! |---|---|
//! | [`listpack`] | [`Listpack`]: small hashes, sorted sets and lists: a sequence of strings and integers |
//! | [`element`] | [`Element`]: one of them |
//! | [`intset`] | [`IntSet`]: small sets of integers, sorted |
//! | [`chunk`] | [`Chunk`]: what one node of a list holds |
//!
//! Bytes from outside are checked once, as a whole, by `from_bytes`; after that everything is trusted to be in form.
//! Should it not be (a position of another listpack, say), answers are wrong, but nothing panics and nothing runs on
//! for ever.

pub mod chunk;
pub mod element;
pub mod intset;
pub mod listpack;

pub use chunk::{Chunk, Fill};
pub use element::Element;
pub use intset::IntSet;
pub use listpack::{Listpack, Position};

use std::fmt;

use crate::memory::given_for;

/// What a listpack or an intset may have in bytes: Redis's own limit, far below what its header can say.
pub const BYTES_MAX: usize = 1 << 30;

/// The collection would be larger than [`BYTES_MAX`]; it is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a packed collection may have {BYTES_MAX} bytes at most")
    }
}

impl std::error::Error for Full {}

/// Bytes that are not a listpack or an intset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where in the bytes.
    pub offset: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}", self.reason, self.offset)
    }
}

impl std::error::Error for Malformed {}

/// Makes room for `n_more` bytes. Less is kept in reserve than `Vec` would: most small collections are written once and
/// then read, and there are millions of them.
fn reserve(bytes: &mut Vec<u8>, n_more: usize) {
    let needed = bytes.len().saturating_add(n_more);
    if bytes.capacity() < needed {
        bytes.reserve_exact(given_for(needed) - bytes.len());
    }
}

/// Replaces the `n_old` bytes at `at` by `n_new` bytes, whose content is still to be written, and moves what follows.
/// False, and nothing is changed, if there are no such bytes.
fn make_room(bytes: &mut Vec<u8>, at: usize, n_old: usize, n_new: usize) -> bool {
    let len = bytes.len();
    let Some(old_end) = at.checked_add(n_old).filter(|&it| it <= len) else {
        return false;
    };
    let new_end = at.saturating_add(n_new);
    if old_end < new_end {
        let n_more = new_end - old_end;
        reserve(bytes, n_more);
        bytes.resize(len + n_more, 0);
        bytes.copy_within(old_end..len, new_end);
    } else if new_end < old_end {
        bytes.copy_within(old_end..len, new_end);
        bytes.truncate(len - (old_end - new_end));
    }
    true
}
