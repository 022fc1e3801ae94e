//! What is reported: errors that keep the broker from starting, warnings, refused `CONFIG SET`s.

use std::fmt;
use std::io;

use super::raw::Origin;

/// Why a configuration can not be used. The text names the place, the directive, the value, the
/// limit and the cure; a secret value is `***`.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct ConfigError {
    kind: ConfigErrorKind,
    text: String,
    #[source]
    source: Option<io::Error>,
}

/// The kinds of [`ConfigError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// A file could not be read.
    Unreadable,
    /// A line could not be split into words, or a flag is not of the form `--name value`.
    Syntax,
    /// No such directive.
    Unknown,
    /// The directive does not take this value or this number of values.
    Value,
    /// Redis has it, this release does not, and to start without it would be unsafe.
    NotBuilt,
}

impl ConfigError {
    pub(super) fn new(kind: ConfigErrorKind, text: String) -> Self {
        Self { kind, text, source: None }
    }

    pub(super) fn unreadable(text: String, source: io::Error) -> Self {
        Self { kind: ConfigErrorKind::Unreadable, text, source: Some(source) }
    }

    /// What kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ConfigErrorKind {
        self.kind
    }

    /// Stable identifier. The text may change, the code may not.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }
}

impl ConfigErrorKind {
    /// Stable identifier.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "FF-3001",
            Self::Syntax => "FF-3002",
            Self::Unknown => "FF-3003",
            Self::Value => "FF-3004",
            Self::NotBuilt => "FF-3005",
        }
    }
}

/// Something that was accepted, but about which the operator must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    text: String,
}

impl Warning {
    pub(super) fn new(text: String) -> Self {
        Self { text }
    }

    /// `save` or `appendonly` asks for durability that is not there.
    pub(super) fn nothing_is_kept(origin: &Origin, written: &str) -> Self {
        Self::new(format!(
            "{origin}: {written}: nothing is kept: this release holds everything in memory and \
             loses it when it stops; snapshots and the append-only file are not built yet. \
             Write `save \"\"` and `appendonly no` to silence this."
        ))
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why `CONFIG SET` was refused. `Display` is the whole reply line, `ERR ` included, in Redis's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// No such directive.
    #[error("ERR Unknown option or number of arguments for CONFIG SET - '{name}'")]
    Unknown {
        /// As the client wrote it, line breaks replaced.
        name: String,
    },
    /// The directive exists but was not set. Nothing of the same command was.
    #[error("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")]
    Failed {
        /// The directive.
        name: String,
        /// Why, in Redis's words.
        reason: String,
    },
}

impl SetError {
    /// For what only the running broker can find out, such as that a port is taken.
    #[must_use]
    pub fn failed(name: &str, reason: &str) -> Self {
        Self::Failed { name: one_line(name), reason: reason.to_owned() }
    }

    pub(super) fn unknown(name: &str) -> Self {
        Self::Unknown { name: one_line(name) }
    }
}

/// A reply is one line, whatever the client sent.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}
