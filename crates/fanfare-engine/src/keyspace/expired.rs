//! What went away because its time had come.

use super::garbage::Garbage;
use crate::tree::Name;
use crate::value::Value;

/// A key or some fields that were removed because their time had come.
#[derive(Debug)]
pub enum Expired {
    /// A key.
    Key {
        /// Its name.
        key: Name,
        /// It held a stream.
        was_stream: bool,
    },
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
            Self::Key { key, .. } | Self::Fields { key, .. } => key,
        }
    }
}

/// What one [search for what is due](super::Keyspace::expire_due) brought.
#[derive(Debug, Default)]
pub struct Swept {
    /// Keys and fields that were removed.
    pub n_removed: usize,
    /// Values that take long to free.
    pub garbage: Option<Garbage>,
}

impl Swept {
    /// Frees values that were removed; what takes long is kept. No lock is held.
    pub(super) fn discard(&mut self, values: Vec<Value>) {
        for value in values.into_iter().filter(Value::is_large) {
            self.garbage.get_or_insert_default().add_value(value);
        }
    }
}
