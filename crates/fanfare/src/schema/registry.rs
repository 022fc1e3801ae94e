//! Schemas by type and version.

use std::{collections::BTreeMap, sync::Arc};

use fanfare_client::{Error, ErrorKind};

use super::{Schema, compare};
use crate::Head;

/// Schemas of the data of envelopes, by their type ([`Head::kind`]) and version ([`Head::version`]).
///
/// A version is `1`, `1.2` or `1.2.3`: what stands before the first dot is the major version. A message is checked by
/// the schema of its own version, or else by that of the highest minor version of its major one; a type that is not
/// there, or a major version of it, is refused.
///
/// # Example: two major versions
/// ```
/// use fanfare::{Envelope, schema::{Contract, Schema, Schemas}};
///
/// let schemas = Schemas::new()
///     .with("counted", "1.0", Schema::of::<u32>()?)?
///     .with("counted", "2.0", Schema::of::<Vec<u32>>()?)?;
/// let contract = Contract::from(schemas);
/// let check = |version: &str, data: serde_json::Value| {
///     contract.check(&Envelope::new("counted", data).version(version).seal()?)
/// };
/// assert!(check("1.0", 7.into()).is_ok() && check("1.4", 7.into()).is_ok());
/// assert!(check("2.0", 7.into()).is_err() && check("3.0", 7.into()).is_err());
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schemas {
    by_kind: BTreeMap<Arc<str>, BTreeMap<Version, Schema>>,
}

/// Numbers between dots.
pub(super) type Version = Vec<u64>;

impl Schemas {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one; in place of what there is for this type and version.
    ///
    /// It is [compared](compare) with those of the same major version: they must be readable and writable side by side.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] if the version is not numbers with dots between them, or needs a new major number,
    /// with the first thing that breaks.
    pub fn with(
        self,
        kind: impl Into<Arc<str>>,
        version: &str,
        schema: Schema,
    ) -> Result<Self, Error> {
        let (kind, parsed) = (kind.into(), checked(version)?);
        for (other, present) in self.by_kind.get(&kind).into_iter().flatten() {
            if other.first() != parsed.first() || *other == parsed {
                continue;
            }
            let (lower, higher) =
                if *other < parsed { (present, &schema) } else { (&schema, present) };
            let evolution = compare(lower, higher);
            let (whom, change) =
                match (evolution.breaks_readers.first(), evolution.breaks_writers.first()) {
                    (Some(change), _) => (
                        "those who read by the lower one must refuse data of the higher one",
                        change,
                    ),
                    (_, Some(change)) => (
                        "those who read by the higher one must refuse data of the lower one",
                        change,
                    ),
                    (None, None) => continue,
                };
            let message = format!(
                "{kind} {version} and {kind} {} can not be used side by side: {whom}, since {change}; give it a new \
                 major number, or use `with_uncompared` if you know better",
                text(other)
            );
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        self.with_uncompared(kind, version, schema)
    }

    /// As [`with`](Self::with), whatever else there is of the same major version: for what [`compare`] can not tell
    /// apart, or for what was published already.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] if the version is not numbers with dots between them.
    pub fn with_uncompared(
        mut self,
        kind: impl Into<Arc<str>>,
        version: &str,
        schema: Schema,
    ) -> Result<Self, Error> {
        let version = checked(version)?;
        self.by_kind.entry(kind.into()).or_default().insert(version, schema);
        Ok(self)
    }

    /// That of an envelope's data.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRecord`] if its type, or the major version of it, is not there.
    pub fn find(&self, head: &Head) -> Result<&Schema, Error> {
        let refused = |what: String| {
            let message = format!("event {} ({}) {what}", head.id(), head.kind());
            Error::new(ErrorKind::InvalidRecord, message)
        };
        let versions = self
            .by_kind
            .get(head.kind())
            .ok_or_else(|| refused("is of a type that has no schema here".to_owned()))?;
        let version = parse(head.version());
        let exact = version.as_ref().and_then(|it| versions.get(it));
        let of_major = || {
            let major = version.as_ref()?.first()?;
            versions.iter().rev().find(|(it, _)| it.first() == Some(major)).map(|(_, it)| it)
        };
        exact.or_else(of_major).ok_or_else(|| {
            let known: Vec<String> = versions.keys().map(text).collect();
            let (version, known) = (head.version(), known.join(", "));
            refused(format!("has the version {version:?}, and known are {known}"))
        })
    }

    /// All of them: type, version, schema.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, String, &Schema)> {
        self.by_kind.iter().flat_map(|(kind, versions)| {
            versions.iter().map(move |(version, schema)| (&**kind, text(version), schema))
        })
    }
}

fn checked(version: &str) -> Result<Version, Error> {
    parse(version).ok_or_else(|| {
        let message = format!("the version {version:?} is not numbers with dots between them");
        Error::new(ErrorKind::InvalidOption, message)
    })
}

fn parse(version: &str) -> Option<Version> {
    version.split('.').map(|it| it.parse().ok()).collect()
}

fn text(version: &Version) -> String {
    let numbers: Vec<String> = version.iter().map(u64::to_string).collect();
    numbers.join(".")
}
