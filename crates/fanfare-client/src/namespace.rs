//! What stands before every name on the server and is not seen by the program.

use std::{borrow::Cow, fmt};

use bytes::Bytes;

use crate::{Error, ErrorKind};

/// A prefix of names: see [`Options::namespace`](crate::Options::namespace). Mostly empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Namespace(Bytes);

impl Namespace {
    pub(crate) fn new(prefix: impl Into<String>) -> Self {
        Self(Bytes::from(prefix.into().into_bytes()))
    }

    /// The prefix itself.
    pub fn prefix(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name on the server. Without a namespace it is not copied.
    pub fn full(&self, name: Bytes) -> Bytes {
        if self.is_empty() {
            return name;
        }
        [&self.0[..], &name].concat().into()
    }

    /// The same of a slice.
    pub fn full_slice<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
        if self.is_empty() { Cow::Borrowed(name) } else { [&self.0, name].concat().into() }
    }

    /// The program's name of a name on the server.
    pub fn short<'a>(&self, name: &'a [u8]) -> &'a [u8] {
        name.strip_prefix(&self.0[..]).unwrap_or(name)
    }

    /// Turns a name on the server into the program's. What has another prefix, such as a channel
    /// that a pattern of another program matched, stays as it is.
    pub fn strip(&self, name: &mut Bytes) {
        if !self.is_empty() && name.starts_with(&self.0) {
            *name = name.split_off(self.0.len());
        }
    }

    /// Glob characters would be taken for such in patterns, and braces would move all keys of a
    /// cluster to one slot.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"{}*?[]\\^".contains(byte);
        match self.0.iter().find(|byte| !is_plain(byte)) {
            None => Ok(()),
            Some(byte) => Err(Error::new(
                ErrorKind::InvalidOption,
                format!(
                    "namespace {self:?} has the character {:?}; it may have letters, digits and \
                     the like, but no spaces and none of {{ }} * ? [ ] \\ ^",
                    char::from(*byte)
                ),
            )),
        }
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were() {
        for prefix in ["", "staging:"] {
            let namespace = Namespace::new(prefix);
            let mut name = namespace.full(Bytes::from_static(b"news"));
            assert_eq!(name, format!("{prefix}news"));
            namespace.strip(&mut name);
            assert_eq!(name, "news");
        }
        assert_eq!(Namespace::new("s:").short(&Namespace::new("s:").full_slice(b"news")), b"news");
        let mut other = Bytes::from_static(b"prod:news");
        Namespace::new("staging:").strip(&mut other);
        assert_eq!(other, "prod:news");
    }

    #[test]
    fn what_patterns_and_slots_would_take_for_theirs_is_refused() {
        assert!(Namespace::new("app-1:eu/").check().is_ok());
        for wrong in ["a*", "{a}", "a b", "a\n", "a[b]", "ä"] {
            assert!(Namespace::new(wrong).check().is_err(), "{wrong}");
        }
    }
}
