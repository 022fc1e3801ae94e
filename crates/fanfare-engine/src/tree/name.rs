//! [`Name`]: the bytes of a key, of a field of a hash, of a member of a set.
//!
//! Most names are short, and there are more of them than of anything else: up to [`INLINE_LEN_MAX`] bytes are held in
//! the name itself, so that comparing two follows no pointer. Longer ones are shared, so that a clone is cheap and a
//! reply can refer to them.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use triomphe::Arc;

use crate::Blob;

/// The longest name that needs no memory of its own.
pub const INLINE_LEN_MAX: usize = 22;

/// What the allocation of a long name has in front of its bytes: the counter of references.
const SHARED_HEADER_LEN: usize = 8;

/// An immutable string of bytes, 24 bytes in size; a clone takes no copy of a long one.
///
/// It hashes, compares and orders as the bytes do, so that a table of names can be asked with `&[u8]`.
///
/// # Example
/// ```
/// use fanfare_engine::tree::Name;
///
/// let name = Name::from(&b"user:1"[..]);
/// assert_eq!(*name, b"user:1"[..]);
/// assert_eq!(name.n_bytes(), 0);
/// ```
#[derive(Clone)]
pub struct Name(Repr);

#[derive(Clone)]
enum Repr {
    /// The first `len` of `bytes`; the others are 0.
    Inline { len: u8, bytes: [u8; INLINE_LEN_MAX] },
    /// More than [`INLINE_LEN_MAX`] bytes.
    Shared(Arc<[u8]>),
}

impl Name {
    /// The bytes, as a reply takes them: without copying a long name.
    #[inline]
    #[must_use]
    pub fn to_blob(&self) -> Blob {
        Blob::Name(self.clone())
    }

    /// Becomes `bytes` without new memory; `false` if that can not be: the lengths differ, or the bytes are inline or
    /// referred to by another.
    #[inline]
    pub(crate) fn overwrite(&mut self, bytes: &[u8]) -> bool {
        let Repr::Shared(held) = &mut self.0 else { return false };
        match Arc::get_mut(held).filter(|it| it.len() == bytes.len()) {
            Some(held) => held.copy_from_slice(bytes),
            None => return false,
        }
        true
    }

    /// The memory it holds beyond itself. Clones of a long name hold it together, and each counts it.
    #[must_use]
    #[inline]
    pub fn n_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Shared(bytes) => SHARED_HEADER_LEN + bytes.len(),
        }
    }
}

impl Default for Name {
    /// The empty name.
    #[inline]
    fn default() -> Self {
        Self(Repr::Inline { len: 0, bytes: [0; INLINE_LEN_MAX] })
    }
}

impl From<&[u8]> for Name {
    #[inline]
    fn from(name: &[u8]) -> Self {
        let mut bytes = [0; INLINE_LEN_MAX];
        match (bytes.get_mut(..name.len()), u8::try_from(name.len())) {
            (Some(head), Ok(len)) => {
                head.copy_from_slice(name);
                Self(Repr::Inline { len, bytes })
            }
            (Some(_), Err(_)) | (None, _) => Self(Repr::Shared(name.into())),
        }
    }
}

impl Deref for Name {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            // `len` is never more than there is.
            Repr::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl Borrow<[u8]> for Name {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Name {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Name {}

impl PartialEq<[u8]> for Name {
    #[inline]
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl PartialOrd for Name {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Name {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    /// Bytes of every length around the limit.
    fn samples() -> impl Iterator<Item = Vec<u8>> {
        (0..=300).map(|len| (0..len).map(|at: usize| at.to_le_bytes()[0] ^ 0x5a).collect())
    }

    #[test]
    fn a_name_is_three_words() {
        assert_eq!(size_of::<Name>(), 24);
        assert_eq!(size_of::<Option<Name>>(), 24);
    }

    #[test]
    fn a_name_is_its_bytes() {
        for bytes in samples() {
            let name = Name::from(&bytes[..]);
            assert_eq!(*name, bytes[..]);
            assert_eq!(name, bytes[..]);
            assert_eq!(name.clone(), name);
            assert_eq!(*name.to_blob(), bytes[..]);
        }
    }

    #[test]
    fn only_long_names_hold_memory_and_share_it() {
        for bytes in samples() {
            let name = Name::from(&bytes[..]);
            let is_inline = bytes.len() <= INLINE_LEN_MAX;
            assert_eq!(name.n_bytes(), if is_inline { 0 } else { 8 + bytes.len() });
            assert_eq!(name.clone().as_ptr() == name.as_ptr(), !is_inline);
            assert_eq!(name.to_blob().as_ptr() == name.as_ptr(), !is_inline);
        }
    }

    #[test]
    fn names_order_and_hash_as_bytes() {
        let sorted: BTreeSet<_> = samples().collect();
        let names: BTreeSet<_> = samples().map(|it| Name::from(&it[..])).collect();
        assert!(names.iter().map(|it| it.to_vec()).eq(sorted));
        let names: HashSet<_> = names.into_iter().collect();
        assert!(samples().all(|it| names.contains(&it[..])));
        assert!(!names.contains(&b"other"[..]));
        // A name that is the beginning of another, with the zeros that fill it up.
        assert_ne!(Name::from(&b"a"[..]), Name::from(&b"a\0"[..]));
    }

    #[test]
    fn debug_is_escaped() {
        assert_eq!(format!("{:?}", Name::from(&b"a\"\n\xff"[..])), r#""a\"\n\xff""#);
    }
}
