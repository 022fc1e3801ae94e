//! What went away because its time had come.

use crate::tree::Name;

/// A key or some fields that were removed because their time had come.
#[derive(Debug)]
pub enum Expired {
    /// A key.
    Key(Name),
    /// Fields of a hash.
    Fields {
        /// The key of the hash.
        key: Name,
        /// Their names.
        names: Vec<Name>,
        /// There were no others, so the key went with them.
        were_all: bool,
    },
}

impl Expired {
    /// The key that went, or whose fields did.
    #[must_use]
    pub fn key(&self) -> &Name {
        match self {
            Self::Key(key) | Self::Fields { key, .. } => key,
        }
    }
}
