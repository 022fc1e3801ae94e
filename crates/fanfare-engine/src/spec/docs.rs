//! What people read about a command: `COMMAND DOCS` and the generated reference print it.

/// What `COMMAND DOCS` says of a command.
#[derive(Clone, Copy, Debug)]
pub struct Docs {
    /// One sentence.
    pub summary: &'static str,
    /// First version of Redis that has it.
    pub since: &'static str,
    /// Cost.
    pub complexity: &'static str,
    /// `(version, change)`.
    pub history: &'static [(&'static str, &'static str)],
    /// Deprecated since and replaced by.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// `deprecated`, `syscmd`.
    pub doc_flags: &'static [&'static str],
    /// A remark on the keys of a [`Keys::Range`](super::Keys::Range); `COMMAND INFO` prints it.
    pub key_notes: Option<&'static str>,
    /// Arguments.
    pub args: &'static [Arg],
}

/// One argument in `COMMAND DOCS`.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// Its type: `key`, `string`, `integer`, `oneof`, `block`, …
    pub kind: &'static str,
    /// Index of the key specification it belongs to.
    pub key_spec: Option<u8>,
    /// The literal word in front of it.
    pub token: Option<&'static str>,
    /// Version that added it.
    pub since: Option<&'static str>,
    /// Version that deprecated it.
    pub deprecated_since: Option<&'static str>,
    /// `optional`, `multiple`, `multiple_token`.
    pub flags: &'static [&'static str],
    /// Members of a `oneof` or `block`.
    pub args: &'static [Arg],
}

impl Docs {
    /// Docs with a summary, the first version and the cost; the rest is added by the `const` methods below.
    #[must_use]
    pub const fn new(summary: &'static str, since: &'static str, complexity: &'static str) -> Self {
        Self {
            summary,
            since,
            complexity,
            history: &[],
            deprecated: None,
            doc_flags: &[],
            key_notes: None,
            args: &[],
        }
    }

    /// With arguments.
    #[must_use]
    pub const fn args(mut self, args: &'static [Arg]) -> Self {
        self.args = args;
        self
    }

    /// With changes by version.
    #[must_use]
    pub const fn history(mut self, history: &'static [(&'static str, &'static str)]) -> Self {
        self.history = history;
        self
    }

    /// Deprecated since a version, replaced by something else.
    #[must_use]
    pub const fn deprecated(mut self, since: &'static str, replaced_by: &'static str) -> Self {
        self.deprecated = Some((since, replaced_by));
        self
    }

    /// With flags: `deprecated`, `syscmd`.
    #[must_use]
    pub const fn doc_flags(mut self, flags: &'static [&'static str]) -> Self {
        self.doc_flags = flags;
        self
    }

    /// With a remark on the key specification.
    #[must_use]
    pub const fn key_notes(mut self, notes: &'static str) -> Self {
        self.key_notes = Some(notes);
        self
    }
}

impl Arg {
    /// An argument of a type such as `string`, `integer`, `oneof`.
    #[must_use]
    pub const fn new(name: &'static str, kind: &'static str) -> Self {
        Self {
            name,
            kind,
            key_spec: None,
            token: None,
            since: None,
            deprecated_since: None,
            flags: &[],
            args: &[],
        }
    }

    /// The key of the command's first key specification.
    #[must_use]
    pub const fn key(name: &'static str) -> Self {
        let mut key = Self::new(name, "key");
        key.key_spec = Some(0);
        key
    }

    /// A literal word.
    #[must_use]
    pub const fn word(name: &'static str, token: &'static str) -> Self {
        Self::new(name, "pure-token").token(token)
    }

    /// Preceded by a literal word.
    #[must_use]
    pub const fn token(mut self, token: &'static str) -> Self {
        self.token = Some(token);
        self
    }

    /// Added in a later version than the command.
    #[must_use]
    pub const fn since(mut self, version: &'static str) -> Self {
        self.since = Some(version);
        self
    }

    /// Deprecated in a later version than it was added.
    #[must_use]
    pub const fn deprecated_since(mut self, version: &'static str) -> Self {
        self.deprecated_since = Some(version);
        self
    }

    /// Belongs to another key specification than the first.
    #[must_use]
    pub const fn key_spec(mut self, index: u8) -> Self {
        self.key_spec = Some(index);
        self
    }

    /// With flags: `optional`, `multiple`, `multiple_token`.
    #[must_use]
    pub const fn flags(mut self, flags: &'static [&'static str]) -> Self {
        self.flags = flags;
        self
    }

    /// With members.
    #[must_use]
    pub const fn args(mut self, args: &'static [Arg]) -> Self {
        self.args = args;
        self
    }
}
