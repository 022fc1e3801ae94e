//! Why a script could not be loaded.

use std::fmt;

/// A script or a library that can not be loaded, in the words a client sees, its code first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError(Vec<u8>);

impl ScriptError {
    pub(crate) fn new(text: impl AsRef<[u8]>) -> Self {
        Self([b"ERR ", text.as_ref()].concat())
    }

    /// The text, for an error reply. It may hold bytes of the script.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, for an error reply.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl From<mlua::Error> for ScriptError {
    fn from(error: mlua::Error) -> Self {
        Self::new(crate::raise::text_of(&error))
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl std::error::Error for ScriptError {}
