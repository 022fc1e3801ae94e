//! Which rule is broken, and where.

use std::fmt;

use jsonschema::ValidationError;

/// Longest path, rule or text: names of members are the sender's.
const LEN_MAX: usize = 256;

/// What of some data does not fit a schema. It has none of the data's values, which may be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    path: String,
    rule: String,
    what: String,
}

impl Violation {
    pub(super) fn of(error: &ValidationError<'_>) -> Self {
        Self {
            path: shortened(error.instance_path().as_str()),
            rule: shortened(error.schema_path().as_str()),
            what: shortened(&error.masked().to_string()),
        }
    }

    /// Where in the data, as a JSON pointer; empty for all of it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where in the schema, as a JSON pointer.
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, rule, what } = self;
        write!(f, "at {path:?}: {what} (rule {rule:?})")
    }
}

impl std::error::Error for Violation {}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LEN_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
