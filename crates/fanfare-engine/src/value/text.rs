//! A string value.

use triomphe::Arc;

use crate::Blob;
use crate::number;
use crate::tree::Name;

/// A string. Integers are kept as such; short strings lie in the entry itself; strings that grow keep room to grow.
#[derive(Clone, Debug)]
pub enum Text {
    /// The decimal form of this number.
    Int(i64),
    /// Bytes that were set as a whole.
    Fixed(Name),
    /// Bytes that were changed in part (`APPEND`, `SETRANGE`, `SETBIT`).
    Grown(Arc<Vec<u8>>),
}

/// Length of the longest decimal form of an `i64`.
pub const INT_LEN_MAX: usize = 20;

/// Redis calls longer strings `raw`.
pub const EMBEDDED_LEN_MAX: usize = 44;

/// The system takes large allocations back page by page.
pub(crate) const PAGE_LEN: usize = 4096;

impl Default for Text {
    fn default() -> Self {
        Self::Fixed(Name::default())
    }
}

impl Text {
    /// Keeps `bytes`; as a number where that is the same.
    #[inline]
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        if bytes.len() <= INT_LEN_MAX
            && let Some(number) = number::parse_int(bytes)
        {
            return Self::Int(number);
        }
        Self::Fixed(Name::from(bytes))
    }

    /// Keeps `bytes` as they are, even if they spell a number.
    #[must_use]
    pub fn fixed(bytes: &[u8]) -> Self {
        Self::Fixed(Name::from(bytes))
    }

    /// Keeps `bytes` as something that grew: never as a number.
    #[must_use]
    pub fn grown(bytes: Vec<u8>) -> Self {
        Self::Grown(Arc::new(bytes))
    }

    /// Its bytes; `buffer` holds those of a number.
    #[inline]
    #[must_use]
    pub fn bytes<'a>(&'a self, buffer: &'a mut itoa::Buffer) -> &'a [u8] {
        match self {
            Self::Int(number) => buffer.format(*number).as_bytes(),
            Self::Fixed(bytes) => bytes,
            Self::Grown(bytes) => bytes,
        }
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes(&mut itoa::Buffer::new()).len()
    }

    /// Whether it is the empty string.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number that it spells, as Redis's counters read it.
    #[inline]
    #[must_use]
    pub fn to_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Fixed(bytes) => number::parse_int(bytes),
            Self::Grown(bytes) => number::parse_int(bytes),
        }
    }

    /// As a reply. A long string is shared with it, not copied, unless it grew.
    #[inline]
    #[must_use]
    pub fn to_blob(&self) -> Blob {
        match self {
            Self::Int(number) => Blob::Vec(itoa::Buffer::new().format(*number).as_bytes().to_vec()),
            Self::Fixed(bytes) => Blob::Name(bytes.clone()),
            Self::Grown(bytes) => Blob::Vec(bytes.to_vec()),
        }
    }

    /// Its bytes to be changed. It is not copied unless a snapshot holds it, or it was set as a whole.
    pub fn edit(&mut self) -> &mut Vec<u8> {
        if !matches!(self, Self::Grown(_)) {
            *self = Self::grown(self.bytes(&mut itoa::Buffer::new()).to_vec());
        }
        match self {
            Self::Grown(bytes) => Arc::make_mut(bytes),
            Self::Int(_) | Self::Fixed(_) => unreachable!("it was made one that grows"),
        }
    }

    /// As [`Self::edit`], with room for `len` bytes and some more. What it keeps in reserve is bounded.
    fn edit_with_room(&mut self, len: usize) -> &mut Vec<u8> {
        if !matches!(self, Self::Grown(_)) {
            let mut buffer = itoa::Buffer::new();
            let bytes = self.bytes(&mut buffer);
            let mut grown = Vec::with_capacity(len.max(bytes.len()));
            grown.extend_from_slice(bytes);
            *self = Self::grown(grown);
        }
        let bytes = self.edit();
        if bytes.capacity() < len {
            let reserve = len.min(RESERVE_LEN_MAX);
            bytes.reserve_exact((len - bytes.len()).saturating_add(reserve));
        }
        bytes
    }

    /// Makes it at least `len` bytes long; what is new is 0.
    fn lengthen(&mut self, len: usize) -> &mut Vec<u8> {
        if self.is_empty() {
            // The system gives zeros; it need not give them before somebody looks.
            *self = Self::grown(vec![0; len]);
        }
        let bytes = self.edit_with_room(len);
        if bytes.len() < len {
            bytes.resize(len, 0);
        }
        bytes
    }

    /// Adds `more` at the end; returns the length. Whether it may become so long is up to the caller.
    pub fn append(&mut self, more: &[u8]) -> usize {
        let bytes = self.edit_with_room(self.len().saturating_add(more.len()));
        bytes.extend_from_slice(more);
        bytes.len()
    }

    /// Writes `part` over what is at `offset`; zeros fill the gap before it. Returns the length. Whether it may become
    /// so long is up to the caller.
    pub fn write_at(&mut self, offset: usize, part: &[u8]) -> usize {
        let end = offset.saturating_add(part.len());
        let bytes = self.lengthen(end);
        if let Some(place) = bytes.get_mut(offset..end) {
            place.copy_from_slice(part);
        }
        bytes.len()
    }

    /// Sets bit `mask` of the byte at `byte_idx`. Returns whether it was set before, and whether the string is another
    /// one now. Whether it may become so long is up to the caller.
    pub fn set_bit(&mut self, byte_idx: usize, mask: u8, on: bool) -> (bool, bool) {
        let len_before = self.len();
        let before = self.bytes(&mut itoa::Buffer::new()).get(byte_idx).copied();
        let was_on = before.is_some_and(|it| it & mask != 0);
        let is_same = before.is_some() && was_on == on;
        // What a snapshot holds too is not copied for nothing.
        if is_same && matches!(self, Self::Grown(_)) {
            return (was_on, false);
        }
        if let Some(byte) = self.lengthen(len_before.max(byte_idx + 1)).get_mut(byte_idx) {
            *byte = if on { *byte | mask } else { *byte & !mask };
        }
        (was_on, !is_same)
    }

    /// Becomes `bytes`; in place where the memory fits and no reply still refers to it.
    #[inline]
    pub(crate) fn assign(&mut self, bytes: &[u8]) {
        if INT_LEN_MAX < bytes.len()
            && let Self::Fixed(held) = self
            && held.overwrite(bytes)
        {
            return;
        }
        *self = Self::new(bytes);
    }

    /// The name that `OBJECT ENCODING` answers.
    pub(super) fn encoding(&self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Fixed(bytes) if bytes.len() <= EMBEDDED_LEN_MAX => "embstr",
            Self::Fixed(_) | Self::Grown(_) => "raw",
        }
    }

    /// Bytes on the heap.
    #[inline]
    pub(crate) fn n_bytes(&self) -> usize {
        match self {
            Self::Int(_) => 0,
            Self::Fixed(bytes) => bytes.n_bytes(),
            Self::Grown(bytes) => GROWN_LEN + bytes.capacity(),
        }
    }

    #[inline]
    pub(super) fn effort(&self) -> usize {
        self.n_bytes() / PAGE_LEN
    }
}

/// What a string that grows keeps in reserve at most.
const RESERVE_LEN_MAX: usize = 1 << 20;

/// A reference count and a `Vec`.
const GROWN_LEN: usize = 32;

#[cfg(test)]
mod tests;
