//! What is too much of something that is measured.

use std::time::Duration;

use fanfare_client::{Error, ErrorKind};

use super::{Metric, Severity, heard::Heard, hysteresis::Zone};

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

    /// Only about this node, stream, channel, queue, or group (`stream/group`). The monitor looks at that channel, stream
    /// or queue, whether it was told to or not; a channel whose silence is meant it has to be told to
    /// [listen](super::BrokerMonitor::listen) to. Default: all that it looks at.
    pub fn only(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// What a monitor has if nothing else is said: an unreachable node, memory above 80 and 90 %
    /// of `maxmemory`, clients above 80 and 90 % of `maxclients`, any refused connection, evicted
    /// key, cut-off client, broken replication or failed write to disk; a lag above 10,000, an
    /// entry that is pending for 5 minutes without a sign of life, or a day after it was added, a dead letter; a queue
    /// with more than 10,000 tasks that wait, one that has been waiting for an hour or running for a day, or a dead one;
    /// and something that can not be seen, or is not looked at because there is too much of it.
    pub fn defaults() -> Vec<Self> {
        use Metric as M;
        use Severity::{Critical, Warning};
        vec![
            Self::new(M::Unreachable, Critical, 0.0),
            Self::new(M::Blind, Warning, 0.0),
            Self::new(M::Unlisted, Warning, 0.0),
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
            // Who begins with what is old is not stuck: a short limit would cry wolf.
            Self::new(M::OldestPending, Warning, 86_400.0),
            Self::new(M::DeadLetters, Warning, 0.0),
            Self::new(M::QueueWaiting, Warning, 10_000.0).resolve_at(5_000.0),
            Self::new(M::QueueAge, Warning, 3_600.0),
            Self::new(M::QueueRunning, Warning, 86_400.0),
            Self::new(M::QueueDead, Warning, 0.0),
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
    /// [listen](super::BrokerMonitor::listen), and whether they do is [checked](Self::check_heard).
    pub(super) fn named(&self) -> Option<Named<'_>> {
        use Metric as M;
        let subject = self.subject.as_deref()?;
        match self.metric {
            M::Subscribers | M::ChannelSilence => Some(Named::Channel(subject)),
            M::Length | M::StreamSilence => Some(Named::Stream(subject)),
            M::DeadLetters if !subject.contains('/') => Some(Named::Stream(subject)),
            M::Lag
            | M::Pending
            | M::PendingAge
            | M::OldestPending
            | M::Redelivered
            | M::DeadLetters => Some(Named::Stream(subject.rsplit_once('/')?.0)),
            M::QueueWaiting | M::QueueAge | M::QueueRunning | M::QueueDead => {
                Some(Named::Queue(subject))
            }
            _ => None,
        }
    }

    /// Whether a rule about silence can ever find any: in a channel that is listened to, and, if there is only one
    /// look back over so long a time, within that time.
    pub(super) fn check_heard(&self, heard: &Heard, over: Option<Duration>) -> Result<(), Error> {
        if self.metric != Metric::ChannelSilence {
            return Ok(());
        }
        let refuse = |message| Err(Error::new(ErrorKind::InvalidOption, message));
        match &self.subject {
            None if heard.is_nothing() => refuse(format!(
                "the rule about {} needs channels that are listened to, and there are none: name some with `listen`",
                self.metric
            )),
            Some(channel) if !heard.hears(channel.as_bytes()) => refuse(format!(
                "the rule about {} names {channel:?}, which is not listened to: name it with `listen`, too, or with \
                 `listen_sharded`",
                self.metric
            )),
            _ => match over {
                Some(over) if over.as_secs_f64() < self.raise_at => refuse(format!(
                    "nobody can hear within {} s that a channel is silent for {} s: listen for longer (`over`)",
                    over.as_secs_f64(),
                    self.raise_at
                )),
                _ => Ok(()),
            },
        }
    }

    pub(super) fn is_about(&self, metric: Metric, subject: &str) -> bool {
        self.metric == metric && self.subject.as_deref().is_none_or(|it| it == subject)
    }
}

/// The channel, stream or queue that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    Channel(&'a str),
    Stream(&'a str),
    Queue(&'a str),
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
                Named::Queue(name) => format!("queue {name}"),
            })
        };
        assert_eq!(named(Metric::Subscribers, "news").as_deref(), Some("channel news"));
        assert_eq!(named(Metric::Length, "a/b").as_deref(), Some("stream a/b"));
        assert_eq!(named(Metric::Lag, "a/b/group").as_deref(), Some("stream a/b"));
        assert_eq!(named(Metric::Lag, "no group"), None);
        assert_eq!(named(Metric::ChannelSilence, "news").as_deref(), Some("channel news"));
        assert_eq!(named(Metric::DeadLetters, "a/b/group").as_deref(), Some("stream a/b"));
        assert_eq!(named(Metric::DeadLetters, "given up").as_deref(), Some("stream given up"));
        assert_eq!(named(Metric::QueueDead, "a/b").as_deref(), Some("queue a/b"));
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
    fn silence_that_nobody_could_hear_is_refused() {
        let rule = Rule::new(Metric::ChannelSilence, Severity::Warning, 60.0);
        let nothing = Heard::default();
        let heard = Heard { patterns: vec!["news.*".into()], sharded: vec!["parts".into()] };
        let told = |rule: &Rule, heard: &Heard, over| {
            let over: Option<u64> = over;
            let checked = rule.check_heard(heard, over.map(Duration::from_secs));
            checked.err().map(|it| it.to_string()).unwrap_or_default()
        };
        assert!(told(&rule, &nothing, None).contains("name some with `listen`"));
        assert_eq!(told(&rule, &heard, None), "");
        let only = |channel: &str| rule.clone().only(channel);
        assert!(told(&only("other"), &heard, None).contains("\"other\", which is not listened to"));
        assert_eq!(told(&only("news.sport"), &heard, None), "");
        assert_eq!(told(&only("parts"), &heard, Some(60)), "");
        assert!(
            told(&only("parts"), &heard, Some(59))
                .contains("within 59 s that a channel is silent for 60 s")
        );
        let other = Rule::new(Metric::Lag, Severity::Warning, 60.0);
        assert_eq!(told(&other, &nothing, Some(0)), "");
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
