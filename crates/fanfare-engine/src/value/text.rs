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
const PAGE_LEN: usize = 4096;

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
            Self::Fixed(_) => None,
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
    pub(super) fn n_bytes(&self) -> usize {
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

/// A reference count and a `Vec`.
const GROWN_LEN: usize = 32;
