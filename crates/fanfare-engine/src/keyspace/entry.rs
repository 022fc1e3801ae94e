//! One key with its value.

use std::sync::Arc;

/// A key, its value and when it expires.
#[derive(Debug)]
pub struct Entry {
    pub(super) key: Box<[u8]>,
    /// The value.
    pub value: Value,
    /// Unix time in milliseconds; 0: never.
    pub(super) expires_at_ms: u64,
}

impl Entry {
    /// When it expires, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn expires_at_ms(&self) -> Option<u64> {
        (self.expires_at_ms != 0).then_some(self.expires_at_ms)
    }

    #[inline]
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        self.expires_at_ms != 0 && self.expires_at_ms <= now_ms
    }
}

/// A value of any type.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string.
    Text(Text),
}

impl Value {
    /// The name that `TYPE` answers.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
        }
    }

    /// About how many small allocations it takes as long to free as this.
    pub(super) fn effort(&self) -> usize {
        match self {
            Self::Text(Text::Int(_)) => 0,
            // The system takes large ones back page by page.
            Self::Text(Text::Raw(bytes)) => 1 + bytes.len() / PAGE_LEN,
        }
    }
}

const PAGE_LEN: usize = 4096;

/// Length of the longest decimal form of an `i64`.
const INT_LEN_MAX: usize = 20;

/// A string value; integers are kept as such.
#[derive(Clone, Debug)]
pub enum Text {
    /// The decimal form of this number.
    Int(i64),
    /// Any bytes, shared with replies that are on their way.
    Raw(Arc<[u8]>),
}

impl Text {
    /// Keeps `bytes`; as a number where that is the same.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        if bytes.len() <= INT_LEN_MAX
            && let Some(number) = crate::number::parse_int(bytes)
        {
            return Self::Int(number);
        }
        Self::Raw(Arc::from(bytes))
    }

    /// Becomes `bytes`; in place where the memory fits and no reply still refers to it.
    #[inline]
    pub(super) fn assign(&mut self, bytes: &[u8]) {
        if INT_LEN_MAX < bytes.len()
            && let Self::Raw(held) = self
            && held.len() == bytes.len()
            && let Some(held) = Arc::get_mut(held)
        {
            held.copy_from_slice(bytes);
        } else {
            *self = Self::new(bytes);
        }
    }

    /// As a reply.
    #[must_use]
    pub fn to_blob(&self) -> crate::Blob {
        match self {
            Self::Int(number) => {
                crate::Blob::Vec(itoa::Buffer::new().format(*number).as_bytes().to_vec())
            }
            Self::Raw(bytes) => crate::Blob::Shared(Arc::clone(bytes)),
        }
    }
}
