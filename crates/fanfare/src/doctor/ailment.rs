//! What can be wrong, and what was found.

use std::fmt;

use serde::Serialize;

use super::{clients, host, memory, messages, reach, safety, sentinels, slow, streams};
use crate::monitor::{Blind, Severity};

/// Something that can be wrong with a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ailment {
    /// Its name, which stays what it is: `no-maxmemory`.
    pub name: &'static str,
    /// How bad it is, if nothing makes it worse.
    pub severity: Severity,
    /// What comes of it.
    pub consequence: &'static str,
    /// What to do, in words.
    pub cure: &'static str,
}

impl Ailment {
    pub(super) const fn new(
        name: &'static str,
        severity: Severity,
        consequence: &'static str,
        cure: &'static str,
    ) -> Self {
        Self { name, severity, consequence, cure }
    }

    /// Found at a node, and why we think so.
    pub(super) fn found(&self, at: impl Into<String>, evidence: impl Into<String>) -> Finding {
        Finding {
            name: self.name,
            severity: self.severity,
            at: at.into(),
            evidence: evidence.into(),
            consequence: self.consequence.to_owned(),
            cure: self.cure.to_owned(),
            command: None,
        }
    }
}

/// Everything that a [`Doctor`](super::Doctor) knows.
pub static AILMENTS: &[&Ailment] = &[
    &reach::UNREACHABLE,
    &reach::AUTHENTICATION,
    &reach::NO_ANSWER,
    &reach::NOT_READY,
    &reach::TLS,
    &reach::NOT_REDIS,
    &reach::REFUSED,
    &memory::NO_MAXMEMORY,
    &memory::EVICTION,
    &memory::FULL,
    &memory::EVICTED,
    &memory::FRAGMENTED,
    &clients::REJECTED,
    &clients::MANY,
    &clients::KILLED,
    &clients::SLOW_SUBSCRIBER,
    &clients::UNBOUNDED_BUFFER,
    &clients::SMALL_BUFFER,
    &clients::IDLE_TIMEOUT,
    &clients::NO_KEEPALIVE,
    &messages::ROUND_TRIP,
    &messages::DATABASE_IN_URL,
    &messages::KEYSPACE_EVENTS,
    &messages::NOBODY_SUBSCRIBED,
    &messages::NAMES_ALIKE,
    &messages::NO_KEY,
    &messages::KEY_IN_DATA,
    &messages::NOT_JSON,
    &streams::UNBOUNDED,
    &streams::UNCONSUMED,
    &streams::DEAD_CONSUMER,
    &streams::DEAD_LETTERS,
    &safety::NO_PASSWORD,
    &safety::EXPOSED,
    &safety::DATABASES,
    &safety::NOT_KEPT,
    &safety::NO_FSYNC,
    &safety::SAVE_FAILED,
    &safety::NO_REPLICA,
    &safety::REPLICA_BROKEN,
    &sentinels::NO_QUORUM,
    &safety::VERSION,
    &slow::KEYS_COMMAND,
    &slow::SLOW_COMMANDS,
    &slow::FAR_AWAY,
    &host::OVERCOMMIT,
    &host::HUGE_PAGES,
];

/// Something that is wrong, here and now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Which [`Ailment`].
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The node, stream, group or channel that it is about.
    pub at: String,
    /// What was seen.
    pub evidence: String,
    /// What comes of it.
    pub consequence: String,
    /// What to do, in words.
    pub cure: String,
    /// The command that does it, ready to be pasted into a shell, if one does.
    pub command: Option<String>,
}

impl Finding {
    pub(super) fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    pub(super) fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {}: {}", self.severity, self.name, self.at, self.evidence)
    }
}

/// What a [`Doctor`](super::Doctor) found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The nodes that were looked at, with their program and version.
    pub nodes: Vec<String>,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// What could not be looked at.
    pub blind: Vec<Blind>,
}

impl Diagnosis {
    /// The worst of the findings.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|it| it.severity).max()
    }

    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn hidden(&mut self, what: impl Into<String>, why: impl fmt::Display) {
        self.blind.push(Blind { what: what.into(), why: why.to_string() });
    }

    pub(super) fn sort(&mut self) {
        self.findings.sort_by(|a, b| {
            b.severity.cmp(&a.severity).then_with(|| (a.name, &a.at).cmp(&(b.name, &b.at)))
        });
    }
}
