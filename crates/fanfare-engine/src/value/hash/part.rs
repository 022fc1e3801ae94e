//! What a hash holds, as it is looked at.

use crate::Blob;
use crate::packed::Element;
use crate::tree::Name;

/// A field's name or its value, where it lies.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// In a listpack.
    Packed(Element<'a>),
    /// In a table.
    Name(&'a Name),
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Its name.
    pub name: Part<'a>,
    /// Its value.
    pub value: Part<'a>,
    /// When it expires, in milliseconds since the Unix epoch.
    pub expires_at_ms: Option<u64>,
}

impl<'a> Part<'a> {
    /// Its bytes; `buffer` holds those of a number.
    #[inline]
    pub fn bytes<'b>(&self, buffer: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Packed(element) => element.spelled(buffer),
            Self::Name(name) => name,
        }
    }

    /// Its bytes to keep; a long name is shared, not copied.
    #[inline]
    #[must_use]
    pub fn to_name(&self) -> Name {
        match self {
            Self::Packed(element) => Name::from(element.spelled(&mut itoa::Buffer::new())),
            Self::Name(name) => (*name).clone(),
        }
    }

    /// As a reply.
    #[inline]
    #[must_use]
    pub fn to_blob(&self) -> Blob {
        Blob::Name(self.to_name())
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Packed(element) => element.spelled_len(),
            Self::Name(name) => name.len(),
        }
    }

    /// Whether it is the empty string.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number that it spells.
    #[must_use]
    pub fn to_int(&self) -> Option<i64> {
        match self {
            Self::Packed(element) => element.as_int(),
            Self::Name(name) => Element::new(name).as_int(),
        }
    }
}
