//! What is wrong, when it began, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Metric;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// It will hurt, or hurts a little.
    Warning,
    /// It hurts.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

/// Something that is beyond its limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Alert {
    /// The same for the same metric, severity and subject, each time it is raised:
    /// `lag/warning/orders/billing`.
    pub id: String,
    /// What was measured.
    pub metric: Metric,
    /// What it is about: a node, `stream`, `stream/group`, a channel.
    pub subject: String,
    /// How bad it is.
    pub severity: Severity,
    /// The value at the last look that saw one.
    pub value: f64,
    /// The limit that it is beyond.
    pub limit: f64,
    /// When it first was beyond the limit, in milliseconds since 1970.
    pub since_ms: u64,
    /// What it says, in a sentence.
    pub text: String,
    /// What to do about it.
    pub cure: String,
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.text)
    }
}

/// An alert came, or went. Each is told once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Notice {
    /// It is raised.
    Raised(Alert),
    /// It is over: the value is back within the limit, or what it was about is gone.
    Resolved(Alert),
    /// This listener was too slow and missed some.
    Missed {
        /// How many.
        n: u64,
    },
}

impl Notice {
    /// The alert that it is about.
    pub fn alert(&self) -> Option<&Alert> {
        match self {
            Self::Raised(alert) | Self::Resolved(alert) => Some(alert),
            Self::Missed { .. } => None,
        }
    }
}
