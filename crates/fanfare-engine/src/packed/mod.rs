//! Small collections as packed bytes, in Redis's own formats: what DUMP and RDB files copy as it is.
//!
//! | module | holds |
//! |---|---|
//! | [`listpack`] | [`Listpack`]: small hashes, sorted sets and lists: a sequence of strings and integers |
//! | [`element`] | [`Element`]: one of them |
//! | [`intset`] | [`IntSet`]: small sets of integers, sorted |
//! | [`chunk`] | [`Chunk`]: what one node of a list holds |
//! | [`buffer`] | [`Buffer`]: the memory that they are in |
//! | [`gapped`] | [`Gapped`](gapped::Gapped): the same with room at both ends |
//!
//! Bytes from outside are checked once, as a whole, by `from_bytes`; after that everything is trusted to be in form.
//! Should it not be (a position of another listpack, say), answers are wrong, but nothing panics and nothing runs on
//! for ever.

pub mod buffer;
pub mod chunk;
pub mod element;
pub mod gapped;
pub mod intset;
pub mod listpack;

pub use buffer::Buffer;
pub use chunk::{Chunk, Fill};
pub use element::Element;
pub use intset::IntSet;
pub use listpack::{Listpack, Pack, Position};

use std::fmt;

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
