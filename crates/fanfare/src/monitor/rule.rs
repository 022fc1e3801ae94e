//! What is measured, and what is too much of it.

use std::{fmt, time::Duration};

use fanfare_client::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use super::{Severity, hysteresis::Zone};

/// Something that a [`Rule`] can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Metric {
    /// Of each node: 1 if it could not be asked.
    Unreachable,
    /// Of the broker: how many things could not be seen though they are there.
    Blind,
    /// Of each node with a `maxmemory`: used memory in per cent of it.
    Memory,
    /// Of each node: clients in per cent of `maxclients`.
    Clients,
    /// Of each node: refused connections per second.
    RejectedConnections,
    /// Of each node: evicted keys per second.
    EvictedKeys,
    /// Of each node: clients cut off for what they did not read, per second.
    OutputBufferKills,
    /// Of each node: replicas that are not online, or 1 if it is a replica without its master.
    Replication,
    /// Of each node: ways of writing to disk that failed the last time.
    Persistence,
    /// Of each channel: subscribers. A limit below which it must not fall. Those of patterns do not count. A server does
    /// not list a channel that nobody subscribes to, so that there are none is seen of channels that a rule
    /// [names](Rule::only), and of those on which the monitor has [heard](super::BrokerMonitor::listen) a message.
    Subscribers,
    /// Of each channel that is listened to: seconds without a message.
    ChannelSilence,
    /// Of each stream: entries.
    Length,
    /// Of each stream: seconds since the last entry.
    StreamSilence,
    /// Of each group: entries still to be delivered.
    Lag,
    /// Of each group: entries delivered and not acknowledged.
    Pending,
    /// Of each group: seconds for which an entry has been pending.
    PendingAge,
    /// Of each group: pending entries that were delivered more than once.
    Redelivered,
    /// Of each group: dead letters.
    DeadLetters,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Unreachable,
        Self::Blind,
        Self::Memory,
        Self::Clients,
        Self::RejectedConnections,
        Self::EvictedKeys,
        Self::OutputBufferKills,
        Self::Replication,
        Self::Persistence,
        Self::Subscribers,
        Self::ChannelSilence,
        Self::Length,
        Self::StreamSilence,
        Self::Lag,
        Self::Pending,
        Self::PendingAge,
        Self::Redelivered,
        Self::DeadLetters,
    ];

    /// Its name: `pending-age`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Blind => "blind",
            Self::Memory => "memory",
            Self::Clients => "clients",
            Self::RejectedConnections => "rejected-connections",
            Self::EvictedKeys => "evicted-keys",
            Self::OutputBufferKills => "output-buffer-kills",
            Self::Replication => "replication",
            Self::Persistence => "persistence",
            Self::Subscribers => "subscribers",
            Self::ChannelSilence => "channel-silence",
            Self::Length => "length",
            Self::StreamSilence => "stream-silence",
            Self::Lag => "lag",
            Self::Pending => "pending",
            Self::PendingAge => "pending-age",
            Self::Redelivered => "redelivered",
            Self::DeadLetters => "dead-letters",
        }
    }

    /// The unit of its values.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Memory | Self::Clients => "%",
            Self::RejectedConnections | Self::EvictedKeys | Self::OutputBufferKills => "/s",
            Self::ChannelSilence | Self::StreamSilence | Self::PendingAge => "s",
            _ => "",
        }
    }

    /// Whether too little of it is bad, not too much.
    pub fn is_bad_below(self) -> bool {
        self == Self::Subscribers
    }

    /// What it counts, for a sentence.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Unreachable => "can not be asked",
            Self::Blind => "can not be seen whole: things hidden",
            Self::Memory => "memory",
            Self::Clients => "clients",
            Self::RejectedConnections => "refused connections",
            Self::EvictedKeys => "evicted keys",
            Self::OutputBufferKills => "clients cut off for what they did not read",
            Self::Replication => "replication links down",
            Self::Persistence => "failed ways of writing to disk",
            Self::Subscribers => "subscribers",
            Self::ChannelSilence => "without a message for",
            Self::Length => "length",
            Self::StreamSilence => "without a new entry for",
            Self::Lag => "lag",
            Self::Pending => "pending entries",
            Self::PendingAge => "an entry pending for",
            Self::Redelivered => "entries delivered again",
            Self::DeadLetters => "dead letters",
        }
    }

    /// What to do when it is beyond its limit.
    pub(super) fn cure(self, subject: &str) -> String {
        let (stream, group) = subject.rsplit_once('/').unwrap_or((subject, ""));
        match self {
            Self::Unreachable => "see whether the server runs and can be reached from here: \
                                  `fanfare doctor --url …`"
                .to_owned(),
            Self::Blind => {
                "let this user see it: ACL SETUSER … +info +ping +pubsub +scan +@read".to_owned()
            }
            Self::Memory => {
                "trim streams (XTRIM), give keys a time to live, or raise maxmemory".to_owned()
            }
            Self::Clients => {
                "close what is not used (CLIENT LIST), share connections, or raise maxclients"
                    .to_owned()
            }
            Self::RejectedConnections => {
                "raise maxclients and the limit on open files, or open fewer connections".to_owned()
            }
            Self::EvictedKeys => {
                "make room, and set maxmemory-policy noeviction if there are streams".to_owned()
            }
            Self::OutputBufferKills => {
                "read faster, subscribe to less, or raise client-output-buffer-limit pubsub"
                    .to_owned()
            }
            Self::Replication => {
                "look at INFO replication of both sides, and at their logs".to_owned()
            }
            Self::Persistence => "look at the server's log and at its disk's free space".to_owned(),
            Self::Subscribers => format!("start the programs that subscribe to {subject}"),
            Self::ChannelSilence | Self::StreamSilence => {
                format!("see whether the programs that publish to {subject} run")
            }
            Self::Length => format!("trim it: XTRIM {subject} MAXLEN ~ 100000"),
            Self::Lag => format!("start more workers of the group {group} of {stream}"),
            Self::Pending | Self::PendingAge => {
                format!("see who is stuck: fanfare group show {stream} {group}")
            }
            Self::Redelivered => format!("see what fails: fanfare group show {stream} {group}"),
            Self::DeadLetters => format!(
                "look at them with `fanfare dlq ls {stream} {group}`, and send them back with \
                 `fanfare dlq requeue {stream} {group} --all`"
            ),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A limit, and what it means to be beyond it.
///
/// With hysteresis: it is raised when all looks over [`held`](Self::held) find the value beyond one
/// limit, and resolved when all looks over as long a time find it within the other. In between it
/// stays what it was. A look that did not see the value changes nothing.
///
/// # Example: raised above 90 % of the memory for a minute, resolved below 80 %
/// ```
/// use std::time::Duration;
/// use fanfare::monitor::{Metric, Rule, Severity};
///
/// let full = Rule::new(Metric::Memory, Severity::Critical, 90.0)
///     .resolve_at(80.0)
///     .held(Duration::from_secs(60));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Rule {
    pub(super) metric: Metric,
    pub(super) severity: Severity,
    pub(super) raise_at: f64,
    pub(super) resolve_at: f64,
    pub(super) held: Duration,
    pub(super) subject: Option<String>,
}

impl Rule {
    /// Raised when the value is greater than this (smaller, where too little is bad:
    /// [`Metric::is_bad_below`]), and resolved when it is not, each at the first look that finds it
    /// so.
    pub fn new(metric: Metric, severity: Severity, raise_at: f64) -> Self {
        Self {
            metric,
            severity,
            raise_at,
            resolve_at: raise_at,
            held: Duration::ZERO,
            subject: None,
        }
    }

    /// Resolved only when the value is back to this.
    pub fn resolve_at(mut self, value: f64) -> Self {
        self.resolve_at = value;
        self
    }

    /// How long the value must be beyond, or back, before that is told. Default: not at all.
    pub fn held(mut self, time: Duration) -> Self {
        self.held = time;
        self
    }

    /// Only about this node, stream, channel, or group (`stream/group`). The monitor looks at that channel or stream,
    /// whether it was told to or not. Default: all that it looks at.
    pub fn only(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// What a monitor has if nothing else is said: an unreachable node, memory above 80 and 90 %
    /// of `maxmemory`, clients above 80 and 90 % of `maxclients`, any refused connection, evicted
    /// key, cut-off client, broken replication or failed write to disk; a lag above 10,000, an
    /// entry pending for 5 minutes, a dead letter; and something that can not be seen.
    pub fn defaults() -> Vec<Self> {
        use Metric as M;
        use Severity::{Critical, Warning};
        vec![
            Self::new(M::Unreachable, Critical, 0.0),
            Self::new(M::Blind, Warning, 0.0),
            Self::new(M::Memory, Warning, 80.0).resolve_at(75.0),
            Self::new(M::Memory, Critical, 90.0).resolve_at(85.0),
            Self::new(M::Clients, Warning, 80.0).resolve_at(75.0),
            Self::new(M::Clients, Critical, 90.0).resolve_at(85.0),
            Self::new(M::RejectedConnections, Critical, 0.0),
            Self::new(M::EvictedKeys, Warning, 0.0),
            Self::new(M::OutputBufferKills, Warning, 0.0),
            Self::new(M::Replication, Warning, 0.0),
            Self::new(M::Persistence, Critical, 0.0),
            Self::new(M::Lag, Warning, 10_000.0).resolve_at(5_000.0),
            Self::new(M::PendingAge, Warning, 300.0),
            Self::new(M::DeadLetters, Warning, 0.0),
        ]
    }

    /// What it is about.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// How bad it is to be beyond the limit.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Where a value is, as this rule sees it.
    pub(super) fn zone(&self, value: f64) -> Zone {
        // Mirrored, too little is too much.
        let sign = if self.metric.is_bad_below() { -1.0 } else { 1.0 };
        if sign * self.raise_at < sign * value {
            Zone::Beyond
        } else if sign * value <= sign * self.resolve_at {
            Zone::Within
        } else {
            Zone::Between
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let sign = if self.metric.is_bad_below() { -1.0 } else { 1.0 };
        if !self.raise_at.is_finite() || !self.resolve_at.is_finite() {
            let message = format!("the limits of the rule about {} are no numbers", self.metric);
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        if sign * self.raise_at < sign * self.resolve_at {
            let message = format!(
                "the rule about {} is raised at {} and resolved at {}, which is further beyond: it would never rest",
                self.metric, self.raise_at, self.resolve_at
            );
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        Ok(())
    }

    /// What must be looked at for this rule. To hear a channel is more than to look: nobody is made to
    /// [listen](super::BrokerMonitor::listen).
    pub(super) fn named(&self) -> Option<Named<'_>> {
        use Metric as M;
        let subject = self.subject.as_deref()?;
        match self.metric {
            M::Subscribers => Some(Named::Channel(subject)),
            M::Length | M::StreamSilence => Some(Named::Stream(subject)),
            M::Lag | M::Pending | M::PendingAge | M::Redelivered | M::DeadLetters => {
                Some(Named::Stream(subject.rsplit_once('/')?.0))
            }
            _ => None,
        }
    }

    pub(super) fn is_about(&self, metric: Metric, subject: &str) -> bool {
        self.metric == metric && self.subject.as_deref().is_none_or(|it| it == subject)
    }
}

/// The channel or stream that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    Channel(&'a str),
    Stream(&'a str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_knows_the_channel_or_stream_that_it_names() {
        let rule = |metric| Rule::new(metric, Severity::Warning, 1.0);
        assert_eq!(rule(Metric::Lag).named(), None);
        let named = |metric, subject: &str| {
            let rule = rule(metric).only(subject);
            rule.named().map(|it| match it {
                Named::Channel(name) => format!("channel {name}"),
                Named::Stream(name) => format!("stream {name}"),
            })
        };
        assert_eq!(named(Metric::Subscribers, "news").as_deref(), Some("channel news"));
        assert_eq!(named(Metric::Length, "a/b").as_deref(), Some("stream a/b"));
        assert_eq!(named(Metric::Lag, "a/b/group").as_deref(), Some("stream a/b"));
        assert_eq!(named(Metric::Lag, "no group"), None);
        assert_eq!(named(Metric::ChannelSilence, "news"), None);
        assert_eq!(named(Metric::Memory, "127.0.0.1:6379"), None);
    }

    #[test]
    fn zones_lie_as_the_limits_say() {
        let memory = Rule::new(Metric::Memory, Severity::Warning, 80.0).resolve_at(75.0);
        let told: Vec<_> = [81.0, 80.0, 76.0, 75.0].map(|it| memory.zone(it)).into();
        assert_eq!(told, [Zone::Beyond, Zone::Between, Zone::Between, Zone::Within]);
        let few = Rule::new(Metric::Subscribers, Severity::Warning, 2.0).resolve_at(3.0);
        let told: Vec<_> = [1.0, 2.0, 3.0, 9.0].map(|it| few.zone(it)).into();
        assert_eq!(told, [Zone::Beyond, Zone::Between, Zone::Within, Zone::Within]);
        let any = Rule::new(Metric::EvictedKeys, Severity::Warning, 0.0);
        assert_eq!([0.0, 0.1].map(|it| any.zone(it)), [Zone::Within, Zone::Beyond]);
    }

    #[test]
    fn rules_that_can_not_work_are_refused() {
        let memory = Rule::new(Metric::Memory, Severity::Warning, 80.0);
        assert!(memory.clone().resolve_at(85.0).check().is_err());
        assert!(Rule::new(Metric::Memory, Severity::Warning, f64::NAN).check().is_err());
        assert!(memory.check().is_ok());
        let few = Rule::new(Metric::Subscribers, Severity::Warning, 2.0);
        assert!(few.clone().resolve_at(3.0).check().is_ok());
        assert!(few.resolve_at(1.0).check().is_err());
        assert!(Rule::defaults().iter().all(|it| it.check().is_ok()));
        assert!(Metric::ALL.iter().all(|it| !it.cure("a/b").is_empty() && !it.name().is_empty()));
    }
}
