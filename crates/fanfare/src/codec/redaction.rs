//! Taking out what others must not see.

use std::collections::HashSet;

use fanfare_client::{Error, ErrorKind};
use serde_json::Value;

use crate::Sealed;

/// What stands in place of what was taken out.
const REDACTED: &str = "***";

/// Members of objects in JSON whose values are replaced by `***` before a message is published.
///
/// # Example: a password, wherever it is, and one e-mail address
/// ```
/// use fanfare::{Envelope, Redaction};
/// use serde_json::json;
///
/// let redaction = Redaction::names(["password", "token"]).path("user.email");
/// let data = json!({"user": {"email": "a@b.c", "Password": "secret"}, "email": "public"});
/// let sealed = Envelope::new("user.created", data).seal()?.redact(&redaction)?;
/// let expected = json!({"user": {"email": "***", "Password": "***"}, "email": "public"});
/// assert_eq!(sealed.open::<serde_json::Value>()?.data, expected);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Redaction {
    names: HashSet<String>,
    paths: Vec<Vec<String>>,
}

impl Redaction {
    /// Members with these names, at any depth; `Password` and `PASSWORD` too.
    pub fn names<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(|it| it.as_ref().to_lowercase()).collect();
        Self { names, paths: Vec::new() }
    }

    /// Also the member at this place: names with dots between them, from the outside to the inside.
    /// Through an array it means that member of each element.
    pub fn path(mut self, path: &str) -> Self {
        self.paths.push(path.split('.').map(str::to_owned).collect());
        self
    }

    /// Replaces what is named, and returns how many values that were.
    pub fn apply(&self, value: &mut Value) -> u64 {
        let mut n_redacted = self.apply_names(value);
        for path in &self.paths {
            n_redacted += apply_path(path, value);
        }
        n_redacted
    }

    fn apply_names(&self, value: &mut Value) -> u64 {
        match value {
            Value::Object(members) => members
                .iter_mut()
                .map(|(name, value)| {
                    let is_named =
                        !self.names.is_empty() && self.names.contains(&name.to_lowercase());
                    if is_named { replace(value) } else { self.apply_names(value) }
                })
                .sum(),
            Value::Array(elements) => elements.iter_mut().map(|it| self.apply_names(it)).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }
}

fn apply_path(path: &[String], value: &mut Value) -> u64 {
    match (path.split_first(), value) {
        (None, value) => replace(value),
        (Some(_), Value::Array(elements)) => {
            elements.iter_mut().map(|it| apply_path(path, it)).sum()
        }
        (Some((name, path)), Value::Object(members)) => {
            members.get_mut(name).map_or(0, |value| apply_path(path, value))
        }
        (Some(_), Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => 0,
    }
}

fn replace(value: &mut Value) -> u64 {
    if *value == REDACTED {
        return 0;
    }
    *value = Value::from(REDACTED);
    1
}

impl Sealed {
    /// Takes out of the data, and of the metadata, what is named. The data is written anew: members in
    /// the order of their names, the last one of those that occur twice, numbers of at most 64 bits.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] if the data is not JSON, or is compressed: then nobody can tell what is in
    /// it, and nothing is sent that should not be.
    ///
    /// # Example: a secret
    /// ```
    /// use fanfare::{Envelope, Redaction};
    ///
    /// # fn main() -> Result<(), fanfare::Error> {
    /// let redaction = Redaction::names(["password", "token"]).path("user.email");
    /// let data = serde_json::json!({"user": {"email": "a@b.c"}, "password": "secret"});
    /// let sealed = Envelope::new("user.created", data).seal()?.redact(&redaction)?;
    /// assert_eq!(&sealed.body()[..], br#"{"password":"***","user":{"email":"***"}}"#);
    /// # Ok(()) }
    /// ```
    pub fn redact(mut self, redaction: &Redaction) -> Result<Self, Error> {
        let unreadable = || {
            let message = format!(
                "event {} ({}) can not be redacted, since its data is not plain JSON: redact it \
                 before it is encoded",
                self.head.id, self.head.kind
            );
            Error::new(ErrorKind::Encode, message)
        };
        if !self.head.is_plain_json() {
            return Err(unreadable());
        }
        let mut data: Value = serde_json::from_slice(&self.body)
            .map_err(|source| unreadable().with_source(source))?;
        redaction.apply(&mut data);
        // Also if nothing was replaced: of members that occur twice only the last one was looked at.
        self.body = super::json::encode(&data)?.into();
        for (name, value) in &mut self.head.metadata {
            if redaction.names.contains(&name.to_lowercase()) {
                replace(value);
            } else {
                redaction.apply_names(value);
            }
        }
        Ok(self)
    }
}
