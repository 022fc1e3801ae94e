//! What a look at a broker found.

use serde::{Deserialize, Serialize};

use super::{Alert, Severity};

/// What one look at a broker found.
///
/// A number that is `None` was not seen, which is not zero: because the server has no such thing,
/// or because it does not let us see it; the latter is told in [`blind`](Self::blind). Rates are
/// per second, over [`BrokerMonitor::window`](super::BrokerMonitor::window) or since the monitor or
/// the server began, whichever is shorter. Names that are not UTF-8 have replacement characters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// When the look ended, in milliseconds since 1970, by the clock of this machine.
    pub at_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// How many looks there were before this one.
    pub looks_before: u64,
    /// The servers: one, or every master of a cluster.
    pub nodes: Vec<Node>,
    /// Channels, those with the most messages and subscribers first.
    pub channels: Vec<ChannelLook>,
    /// What is known of the channels that are not listed.
    pub other_channels: OtherChannels,
    /// What is known of the channels that the library makes for itself.
    #[serde(default)]
    pub private_channels: PrivateChannels,
    /// Streams, by name.
    pub streams: Vec<StreamLook>,
    /// How many streams were found beyond
    /// [`BrokerMonitor::streams_max`](super::BrokerMonitor::streams_max).
    pub other_streams: u64,
    /// Queues of tasks, by name.
    #[serde(default)]
    pub queues: Vec<QueueLook>,
    /// How many queues were found beyond
    /// [`BrokerMonitor::queues_max`](super::BrokerMonitor::queues_max).
    #[serde(default)]
    pub other_queues: u64,
    /// What could not be seen although it is there: the server refuses, or did not answer in time.
    pub blind: Vec<Blind>,
    /// The alerts that are raised now, worst first.
    pub alerts: Vec<Alert>,
    /// Alerts that could not be delivered to a webhook or channel, since the monitor began.
    pub alerts_lost: u64,
    /// Why the last of them could not be.
    pub alerts_lost_reason: Option<String>,
}

/// Something that could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Blind {
    /// What.
    pub what: String,
    /// Why, in the server's words where it has said something.
    pub why: String,
}

/// One server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Node {
    /// Its address, or the name of the master that sentinels watch.
    pub name: String,
    /// Why it could not be asked. Everything else is unknown then.
    pub error: Option<String>,
    /// Its program and version, such as `redis 7.0.15`.
    pub server: Option<String>,
    /// Another one after each start.
    pub run_id: Option<String>,
    /// Seconds since it was started.
    pub uptime_s: Option<u64>,
    /// How long it took to answer, in microseconds: the whole of `INFO`.
    pub answered_in_us: Option<u64>,
    /// Clients that are connected.
    pub clients: Option<u64>,
    /// Connections with other nodes of the cluster. They are no clients, and count for `clients_max`.
    pub cluster_connections: Option<u64>,
    /// How many there may be (`maxclients`).
    pub clients_max: Option<u64>,
    /// Clients that wait in a blocking command.
    pub clients_blocked: Option<u64>,
    /// Bytes of memory that it says it uses.
    pub memory: Option<u64>,
    /// How much it may (`maxmemory`); `None` if there is no limit.
    pub memory_max: Option<u64>,
    /// What happens at that limit (`maxmemory-policy`).
    pub memory_policy: Option<String>,
    /// What it has in RAM, as a multiple of what it uses.
    pub fragmentation: Option<f64>,
    /// Keys in all its databases.
    pub keys: Option<u64>,
    /// Channels that have subscribers on this node.
    pub channels: Option<u64>,
    /// Patterns that have subscribers on this node.
    pub patterns: Option<u64>,
    /// What happened since it was started.
    pub totals: Counters<u64>,
    /// The same per second.
    pub rates: Counters<f64>,
    /// Its replicas, or its master.
    pub replication: Replication,
    /// What it keeps on disk.
    pub persistence: Persistence,
}

/// Counters of a server, or their rates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counters<T> {
    /// Commands that were run.
    pub commands: Option<T>,
    /// Bytes that came in.
    pub bytes_in: Option<T>,
    /// Bytes that went out.
    pub bytes_out: Option<T>,
    /// Connections that were accepted.
    pub connections: Option<T>,
    /// Connections that were refused, since `maxclients` was reached.
    pub rejected_connections: Option<T>,
    /// Keys that were removed to make room (`maxmemory-policy`).
    pub evicted_keys: Option<T>,
    /// Keys whose time was over.
    pub expired_keys: Option<T>,
    /// Clients that were disconnected for what they did not read (`client-output-buffer-limit`).
    /// Redis tells since 7.4, Fanfare always.
    pub output_buffer_kills: Option<T>,
    /// Messages that were published. Fanfare tells; Redis does not.
    pub published: Option<T>,
    /// Messages that were handed to subscribers. Fanfare tells; Redis does not.
    pub delivered: Option<T>,
}

impl Counters<u64> {
    /// Makes another of each.
    pub(super) fn map<T>(&self, mut of: impl FnMut(&str, u64) -> Option<T>) -> Counters<T> {
        let mut of = |name: &str, value: Option<u64>| value.and_then(|it| of(name, it));
        Counters {
            commands: of("commands", self.commands),
            bytes_in: of("bytes_in", self.bytes_in),
            bytes_out: of("bytes_out", self.bytes_out),
            connections: of("connections", self.connections),
            rejected_connections: of("rejected_connections", self.rejected_connections),
            evicted_keys: of("evicted_keys", self.evicted_keys),
            expired_keys: of("expired_keys", self.expired_keys),
            output_buffer_kills: of("output_buffer_kills", self.output_buffer_kills),
            published: of("published", self.published),
            delivered: of("delivered", self.delivered),
        }
    }
}

/// How a server is replicated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Replication {
    /// `master` or `slave`, as the server says.
    pub role: Option<String>,
    /// Of a master: replicas that are connected.
    pub replicas: Option<u64>,
    /// Of a master: how many of them are not online.
    pub replicas_not_online: Option<u64>,
    /// Of a master: the largest number of bytes that a replica has not confirmed.
    pub bytes_behind: Option<u64>,
    /// Of a replica: whether it is connected to its master.
    pub is_master_up: Option<bool>,
}

/// What a server keeps on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Persistence {
    /// Whether it writes an append-only file.
    pub is_aof_on: Option<bool>,
    /// Whether it is still reading its files.
    pub is_loading: Option<bool>,
    /// What failed the last time: a snapshot, a write to the append-only file, or its rewriting.
    pub failed: Vec<String>,
    /// Writes since the last snapshot.
    pub changes_since_save: Option<u64>,
}

/// One channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChannelLook {
    /// Its name, without the namespace.
    pub name: String,
    /// Whether it is a sharded one.
    pub is_sharded: bool,
    /// Clients that are subscribed to it by its name, on all nodes. The monitor itself is none.
    pub subscribers: Option<u64>,
    /// Messages heard since the monitor began, or since it gave the channel a place of its own again; `None` if it does
    /// not listen to this channel, or has no place for it.
    pub messages: Option<u64>,
    /// Messages per second.
    pub messages_per_s: Option<f64>,
    /// Bytes of payload per second.
    pub bytes_per_s: Option<f64>,
    /// Milliseconds since the last message, or since the monitor began to listen, without a break: what an outage has
    /// swallowed nobody knows.
    pub silent_ms: Option<u64>,
}

/// The channels that are not listed, because there are more than
/// [`BrokerMonitor::channels_max`](super::BrokerMonitor::channels_max).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OtherChannels {
    /// How many channels have subscribers and are not listed.
    pub channels: u64,
    /// How many messages were heard that none of the listed channels has: it is the sum of all without theirs and
    /// those of the library's own channels.
    pub messages: u64,
    /// Messages per second of those.
    pub messages_per_s: Option<f64>,
    /// How often a channel that was silent for a whole [window](super::BrokerMonitor::window) has lost its place to one
    /// that was not.
    #[serde(default)]
    pub evicted: u64,
    /// Messages that the monitor itself lost, on whatever channels: its queue was full, or its
    /// connection away. Of an outage nobody knows how many there were; it counts as one.
    pub lost: u64,
}

/// The channels that the library makes for itself: the inboxes of requesters, and those of self-tests. They are
/// counted together and not listed, unless a rule [names](super::Rule::only) one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PrivateChannels {
    /// How many have subscribers: as many as there are inboxes.
    pub channels: u64,
    /// How many messages were heard on them; 0 if nothing of them is listened to.
    pub messages: u64,
    /// Messages per second of those.
    pub messages_per_s: Option<f64>,
}

/// One stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StreamLook {
    /// Its key, without the namespace.
    pub name: String,
    /// Entries; 0 if there is no stream. `None` if it could not be seen.
    pub length: Option<u64>,
    /// Entries that were ever added. Redis tells since 7.0.
    pub entries_added: Option<u64>,
    /// Entries added per second.
    pub added_per_s: Option<f64>,
    /// Milliseconds since the last entry was added, by the time in its ID and the server's clock.
    pub silent_ms: Option<u64>,
    /// Its groups, by name.
    pub groups: Vec<GroupLook>,
    /// How many more groups it has.
    pub other_groups: u64,
    /// Dead letters, if this is a stream of them that no group of those listed is known to fill: its workers were told
    /// to put them here, or a handler of a channel was. `None` for all other streams.
    #[serde(default)]
    pub dead_letters: Option<u64>,
}

/// One consumer group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GroupLook {
    /// Its name.
    pub name: String,
    /// Entries that are still to be delivered. `None` before Redis 7.0, or if the server lost
    /// count.
    pub lag: Option<u64>,
    /// Entries that were delivered and not acknowledged.
    pub pending: u64,
    /// Consumers that the server knows.
    pub consumers: u64,
    /// Entries that were ever delivered (`entries-read`). `None` before Redis 7.0, or if the server
    /// lost count.
    pub delivered: Option<u64>,
    /// Entries delivered per second.
    pub delivered_per_s: Option<f64>,
    /// The longest time, in milliseconds, since one of the oldest hundred pending entries was
    /// delivered or its lease renewed: how long somebody has given no sign of life. A worker renews what its handlers
    /// have, so this says nothing about how long they have had it.
    pub pending_ms: Option<u64>,
    /// Milliseconds since the oldest pending entry was added to the stream, by the time in its ID and the server's
    /// clock. So long it has not been done, whoever has it; the time before it was delivered counts, too. `None` if
    /// none is pending, or its ID is no time.
    #[serde(default)]
    pub oldest_pending_ms: Option<u64>,
    /// How many of the oldest hundred pending entries were delivered more than once.
    pub redelivered: Option<u64>,
    /// How often that of them was delivered that was delivered most often.
    pub deliveries_max: Option<u64>,
    /// Dead letters, where [`Group::dead_letters`](crate::stream::Group::dead_letters) puts them or
    /// [`BrokerMonitor::dead_letters_in`](super::BrokerMonitor::dead_letters_in) says they are.
    pub dead_letters: Option<u64>,
    /// Which stream those are in, if it is not the one where they are put by default.
    #[serde(default)]
    pub dead_letters_in: Option<String>,
}

/// One queue of tasks: a [`TaskQueue`](crate::queue::TaskQueue), of whatever kind.
///
/// Its numbers are read one after the other: a task that moves meanwhile may be in two of them, or in none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QueueLook {
    /// Its name, without the namespace.
    pub name: String,
    /// Tasks in line.
    pub ready: Option<u64>,
    /// Tasks that have a time before which they are not run: new ones, and those that failed and rest.
    pub delayed: Option<u64>,
    /// How many of those are due: the next who takes moves them in line.
    pub due: Option<u64>,
    /// Tasks that somebody has taken.
    pub leased: Option<u64>,
    /// How many of those have a lease that has ended: the next who takes moves them in line.
    pub lapsed: Option<u64>,
    /// Tasks with the dead letters.
    pub dead: Option<u64>,
    /// For how many milliseconds the first of those that wait has been waiting: the first in line, or the first that is
    /// due or left behind. `None` if none is.
    pub waiting_ms: Option<u64>,
    /// For how many milliseconds the first that was taken has been running, of the 32 taken tasks whose leases end first.
    /// Who renews a lease does not change it. `None` if none is taken.
    pub running_ms: Option<u64>,
    /// Tasks that were ever put in.
    pub enqueued: Option<u64>,
    /// Tasks put in per second.
    pub enqueued_per_s: Option<f64>,
    /// Tasks that were ever run well.
    pub done: Option<u64>,
    /// Tasks run well per second.
    pub done_per_s: Option<f64>,
    /// Runs that ever failed.
    pub failed: Option<u64>,
}

impl QueueLook {
    /// Tasks that wait for a worker: those in line, those that are due, and those that were left behind.
    pub fn waiting(&self) -> Option<u64> {
        Some(self.ready?.saturating_add(self.due?).saturating_add(self.lapsed?))
    }
}

impl Node {
    /// How full the memory is, in per cent of `maxmemory`; `None` if there is no limit.
    pub fn memory_percent(&self) -> Option<f64> {
        percent(self.memory?, self.memory_max?)
    }

    /// Clients, and connections with other nodes of the cluster, in per cent of `maxclients`.
    pub fn clients_percent(&self) -> Option<f64> {
        let n = self.clients?.saturating_add(self.cluster_connections.unwrap_or(0));
        percent(n, self.clients_max?)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no sixteen digits")]
fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole != 0).then(|| part as f64 * 100.0 / whole as f64)
}

impl Snapshot {
    /// Whether everything was seen that there is to see. If not, what is missing here may be there.
    pub fn is_whole(&self) -> bool {
        self.blind.is_empty() && self.nodes.iter().all(|it| it.error.is_none())
    }

    /// Streams, groups and queues that were found and not looked at, because there are more than the monitor may look
    /// at: what is wrong with them is not told.
    pub fn unlisted(&self) -> u64 {
        self.other_streams + self.other_groups() + self.other_queues
    }

    /// How many groups the streams have beyond [`BrokerMonitor::groups_max`](super::BrokerMonitor::groups_max).
    pub fn other_groups(&self) -> u64 {
        self.streams.iter().map(|it| it.other_groups).sum()
    }

    /// The worst of the alerts that are raised.
    pub fn worst(&self) -> Option<Severity> {
        self.alerts.iter().map(|it| it.severity).max()
    }
}
