//! What is measured of a broker.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that a [`Rule`](super::Rule) can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Metric {
    /// Of each node: 1 if it could not be asked.
    Unreachable,
    /// Of the broker: how many things could not be seen though they are there.
    Blind,
    /// Of the broker: streams, groups and queues that were found and not looked at, because there are more than
    /// [`streams_max`](super::BrokerMonitor::streams_max) and the like. What is wrong with them, nobody is told.
    Unlisted,
    /// Of each node with a `maxmemory`: used memory in per cent of it.
    Memory,
    /// Of each node: clients, and connections among the nodes of a cluster, in per cent of `maxclients`.
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
    /// [names](super::Rule::only), and of those on which the monitor has [heard](super::BrokerMonitor::listen) a message.
    Subscribers,
    /// Of each channel that is [listened](super::BrokerMonitor::listen) to: seconds without a message, counted at most
    /// from when the monitor began to listen, or has listened without a break. Of channels on which nothing was ever
    /// heard it is told if somebody subscribes to them or a rule [names](super::Rule::only) them.
    ChannelSilence,
    /// Of each stream: entries.
    Length,
    /// Of each stream: seconds since the last entry.
    StreamSilence,
    /// Of each group: entries still to be delivered.
    Lag,
    /// Of each group: entries delivered and not acknowledged.
    Pending,
    /// Of each group: seconds since one of its oldest hundred pending entries was delivered, or its lease was renewed:
    /// how long somebody has given no sign of life. A worker renews what its handlers have, so one that hangs for
    /// ever is seen by [`OldestPending`](Self::OldestPending) only.
    PendingAge,
    /// Of each group: seconds since its oldest pending entry was added to the stream, by the time in the entry's ID and
    /// the server's clock. What it has waited to be delivered counts, too. Not seen where IDs are no times.
    OldestPending,
    /// Of each group: pending entries that were delivered more than once.
    Redelivered,
    /// Of each group: dead letters. Of each stream of dead letters that no group is known to fill: its entries.
    DeadLetters,
    /// Of each queue: tasks that wait for a worker: those that are ready, those whose time has come, and those whose
    /// lease has ended.
    QueueWaiting,
    /// Of each queue: seconds for which the first of those has been waiting; 0 if none is.
    QueueAge,
    /// Of each queue: seconds since the task that was taken first was taken, however often its lease was renewed, so that
    /// a handler that hangs is seen; 0 if none is taken.
    QueueRunning,
    /// Of each queue: tasks with the dead letters.
    QueueDead,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::Unreachable,
        Self::Blind,
        Self::Unlisted,
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
        Self::OldestPending,
        Self::Redelivered,
        Self::DeadLetters,
        Self::QueueWaiting,
        Self::QueueAge,
        Self::QueueRunning,
        Self::QueueDead,
    ];

    /// Its name: `pending-age`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Blind => "blind",
            Self::Unlisted => "unlisted",
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
            Self::OldestPending => "oldest-pending",
            Self::Redelivered => "redelivered",
            Self::DeadLetters => "dead-letters",
            Self::QueueWaiting => "queue-waiting",
            Self::QueueAge => "queue-age",
            Self::QueueRunning => "queue-running",
            Self::QueueDead => "queue-dead",
        }
    }

    /// The unit of its values.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Memory | Self::Clients => "%",
            Self::RejectedConnections | Self::EvictedKeys | Self::OutputBufferKills => "/s",
            Self::ChannelSilence
            | Self::StreamSilence
            | Self::PendingAge
            | Self::OldestPending
            | Self::QueueAge
            | Self::QueueRunning => "s",
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
            Self::Unlisted => "streams, groups and queues beyond the monitor's bounds",
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
            Self::PendingAge => "a pending entry without a sign of life for",
            Self::OldestPending => "age of the oldest pending entry",
            Self::Redelivered => "entries delivered again",
            Self::DeadLetters => "dead letters",
            Self::QueueWaiting => "waiting tasks",
            Self::QueueAge => "a task waiting for",
            Self::QueueRunning => "a task taken, and not done, for",
            Self::QueueDead => "dead tasks",
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
            Self::Unlisted => {
                "let the monitor look at more (`streams_max`, `groups_max`, `queues_max`; of \
                               `fanfare check` and `top` --streams-max and the like), or find fewer"
                    .to_owned()
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
            Self::Pending | Self::PendingAge | Self::OldestPending => {
                format!("see who is stuck: fanfare group show {stream} {group}")
            }
            Self::Redelivered => format!("see what fails: fanfare group show {stream} {group}"),
            Self::DeadLetters if group.is_empty() => {
                format!("see what they are: fanfare stream tail {subject} --from 0")
            }
            Self::DeadLetters => format!(
                "look at them with `fanfare dlq ls {stream} {group}`, and send them back with \
                 `fanfare dlq requeue {stream} {group} --all` (and --dead, if they are in a stream of another name)"
            ),
            Self::QueueWaiting | Self::QueueAge => {
                format!("start workers, or more of them, of the queue {subject}")
            }
            Self::QueueRunning => {
                format!(
                    "see whether a handler of the queue {subject} hangs, and give it a `timeout`"
                )
            }
            Self::QueueDead => format!(
                "look at them and send them back: `dead_letters` of the queue {subject} has `list` and `requeue`"
            ),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
