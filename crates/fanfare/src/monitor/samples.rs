//! A snapshot as samples, and as the text that Prometheus reads.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Counters, GroupLook, Node, QueueLook, Severity, Snapshot};

/// Names and values.
pub(super) type Labels = Vec<(&'static str, String)>;

/// One value of a metric.
pub(super) struct Sample {
    pub(super) labels: Labels,
    pub(super) value: f64,
}

/// The samples of each metric, and what the metric is.
#[derive(Default)]
pub(super) struct Samples(pub(super) BTreeMap<&'static str, (&'static str, Vec<Sample>)>);

impl Samples {
    fn add(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        value: Option<f64>,
    ) {
        if let Some(value) = value {
            let labels = labels.iter().map(|(name, it)| (*name, (*it).to_owned())).collect();
            self.0.entry(name).or_insert((help, Vec::new())).1.push(Sample { labels, value });
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "samples are floats; beyond 2^53 nobody counts")]
fn count(n: Option<u64>) -> Option<f64> {
    n.map(|it| it as f64)
}

fn seconds(ms: Option<u64>) -> Option<f64> {
    count(ms).map(|it| it / 1_000.0)
}

pub(super) fn samples(snapshot: &Snapshot) -> Samples {
    let mut all = Samples::default();
    for node in &snapshot.nodes {
        of_node(&mut all, node);
    }
    of_channels(&mut all, snapshot);
    of_streams(&mut all, snapshot);
    for queue in &snapshot.queues {
        of_queue(&mut all, queue);
    }
    for (name, help, n) in [
        (
            "fanfare_broker_other_streams",
            "Streams that were found and not looked at.",
            snapshot.other_streams,
        ),
        (
            "fanfare_broker_other_groups",
            "Groups that were found and not looked at.",
            snapshot.other_groups(),
        ),
        (
            "fanfare_broker_other_queues",
            "Queues that were found and not looked at.",
            snapshot.other_queues,
        ),
    ] {
        all.add(name, help, &[], count(Some(n)));
    }
    all.add(
        "fanfare_broker_blind",
        "Things that could not be seen though they are there.",
        &[],
        count(Some(snapshot.blind.len() as u64)),
    );
    for severity in [Severity::Warning, Severity::Critical] {
        let n = snapshot.alerts.iter().filter(|it| it.severity == severity).count();
        let of = [("severity", &*severity.to_string())];
        all.add("fanfare_broker_alerts", "Alerts that are raised.", &of, count(Some(n as u64)));
    }
    all.add(
        "fanfare_broker_alerts_lost",
        "Alerts that could not be delivered.",
        &[],
        count(Some(snapshot.alerts_lost)),
    );
    all
}

fn of_channels(all: &mut Samples, snapshot: &Snapshot) {
    for it in &snapshot.channels {
        let shard = if it.is_sharded { "true" } else { "false" };
        let of = [("channel", &*it.name), ("sharded", shard)];
        let subscribers = count(it.subscribers);
        all.add(
            "fanfare_broker_channel_subscribers",
            "Clients subscribed to the channel by its name.",
            &of,
            subscribers,
        );
        all.add(
            "fanfare_broker_channel_messages",
            "Messages heard since the monitor began.",
            &of,
            count(it.messages),
        );
        all.add(
            "fanfare_broker_channel_messages_per_second",
            "Messages per second, over the window.",
            &of,
            it.messages_per_s,
        );
        all.add(
            "fanfare_broker_channel_silence_seconds",
            "Time since the last message, or since the monitor listens.",
            &of,
            seconds(it.silent_ms),
        );
    }
    let other = &snapshot.other_channels;
    all.add(
        "fanfare_broker_other_channels",
        "Channels with subscribers that are not listed.",
        &[],
        count(Some(other.channels)),
    );
    all.add(
        "fanfare_broker_other_channel_messages",
        "Messages heard on channels that are not listed.",
        &[],
        count(Some(other.messages)),
    );
    all.add(
        "fanfare_broker_channels_evicted_total",
        "Silent channels that lost their place to others.",
        &[],
        count(Some(other.evicted)),
    );
    all.add(
        "fanfare_broker_private_channels",
        "Channels of the library's own with subscribers, such as inboxes.",
        &[],
        count(Some(snapshot.private_channels.channels)),
    );
    all.add(
        "fanfare_broker_private_channel_messages",
        "Messages heard on channels of the library's own.",
        &[],
        count(Some(snapshot.private_channels.messages)),
    );
    all.add(
        "fanfare_broker_messages_unheard",
        "Messages that the monitor lost.",
        &[],
        count(Some(other.lost)),
    );
}

fn of_streams(all: &mut Samples, snapshot: &Snapshot) {
    for it in &snapshot.streams {
        let of = [("stream", &*it.name)];
        all.add("fanfare_broker_stream_length", "Entries in the stream.", &of, count(it.length));
        all.add(
            "fanfare_broker_stream_added",
            "Entries ever added to the stream.",
            &of,
            count(it.entries_added),
        );
        all.add(
            "fanfare_broker_stream_silence_seconds",
            "Time since the last entry.",
            &of,
            seconds(it.silent_ms),
        );
        all.add(
            "fanfare_broker_stream_dead_letters",
            "Dead letters in the stream, if no group counts them.",
            &of,
            count(it.dead_letters),
        );
        for group in &it.groups {
            of_group(all, &it.name, group);
        }
    }
}

fn of_node(all: &mut Samples, node: &Node) {
    let of = [("node", &*node.name)];
    let up = f64::from(u8::from(node.error.is_none()));
    all.add("fanfare_broker_up", "1 if the node could be asked.", &of, Some(up));
    all.add(
        "fanfare_broker_uptime_seconds",
        "Time since the node was started.",
        &of,
        count(node.uptime_s),
    );
    all.add("fanfare_broker_clients", "Clients connected.", &of, count(node.clients));
    all.add(
        "fanfare_broker_clients_max",
        "Clients that there may be.",
        &of,
        count(node.clients_max),
    );
    all.add(
        "fanfare_broker_clients_blocked",
        "Clients in a blocking command.",
        &of,
        count(node.clients_blocked),
    );
    all.add(
        "fanfare_broker_memory_bytes",
        "Memory that the node says it uses.",
        &of,
        count(node.memory),
    );
    all.add(
        "fanfare_broker_memory_max_bytes",
        "maxmemory, if there is one.",
        &of,
        count(node.memory_max),
    );
    all.add("fanfare_broker_keys", "Keys in all databases.", &of, count(node.keys));
    all.add(
        "fanfare_broker_replicas",
        "Replicas connected.",
        &of,
        count(node.replication.replicas),
    );
    all.add(
        "fanfare_broker_replicas_not_online",
        "Replicas connected and not online.",
        &of,
        count(node.replication.replicas_not_online),
    );
    let failed = node.server.is_some().then_some(node.persistence.failed.len() as u64);
    all.add(
        "fanfare_broker_persistence_failed",
        "Ways of writing to disk that failed the last time.",
        &of,
        count(failed),
    );
    of_counters(all, &of, &node.totals);
    let rate = node.rates.commands;
    all.add(
        "fanfare_broker_commands_per_second",
        "Commands per second, over the window.",
        &of,
        rate,
    );
}

fn of_counters(all: &mut Samples, of: &[(&'static str, &str)], totals: &Counters<u64>) {
    let mut add = |name, help, value| all.add(name, help, of, count(value));
    add("fanfare_broker_commands_total", "Commands run.", totals.commands);
    add("fanfare_broker_in_bytes_total", "Bytes received.", totals.bytes_in);
    add("fanfare_broker_out_bytes_total", "Bytes sent.", totals.bytes_out);
    add("fanfare_broker_connections_total", "Connections accepted.", totals.connections);
    add(
        "fanfare_broker_rejected_connections_total",
        "Connections refused at maxclients.",
        totals.rejected_connections,
    );
    add("fanfare_broker_evicted_keys_total", "Keys removed to make room.", totals.evicted_keys);
    add("fanfare_broker_expired_keys_total", "Keys whose time was over.", totals.expired_keys);
    add(
        "fanfare_broker_output_buffer_kills_total",
        "Clients cut off for what they did not read.",
        totals.output_buffer_kills,
    );
    add("fanfare_broker_published_total", "Messages published.", totals.published);
    add("fanfare_broker_delivered_total", "Messages handed to subscribers.", totals.delivered);
}

fn of_group(all: &mut Samples, stream: &str, group: &GroupLook) {
    let of = [("stream", stream), ("group", &*group.name)];
    let mut add = |name, help, value| all.add(name, help, &of, value);
    add("fanfare_broker_group_lag", "Entries still to be delivered.", count(group.lag));
    add(
        "fanfare_broker_group_pending",
        "Entries delivered and not acknowledged.",
        count(Some(group.pending)),
    );
    add(
        "fanfare_broker_group_pending_seconds",
        "Longest time since one of the oldest hundred was delivered or its lease renewed.",
        seconds(group.pending_ms),
    );
    add(
        "fanfare_broker_group_oldest_pending_seconds",
        "Time since the oldest pending entry was added, by its ID.",
        seconds(group.oldest_pending_ms),
    );
    add(
        "fanfare_broker_group_redelivered",
        "Of the oldest hundred pending entries, those delivered again.",
        count(group.redelivered),
    );
    add("fanfare_broker_group_consumers", "Consumers of the group.", count(Some(group.consumers)));
    add(
        "fanfare_broker_group_dead_letters",
        "Dead letters of the group.",
        count(group.dead_letters),
    );
}

fn of_queue(all: &mut Samples, queue: &QueueLook) {
    let of = [("queue", &*queue.name)];
    let mut add = |name, help, value| all.add(name, help, &of, value);
    add("fanfare_broker_queue_ready", "Tasks in line.", count(queue.ready));
    add("fanfare_broker_queue_delayed", "Tasks with a time to wait for.", count(queue.delayed));
    add("fanfare_broker_queue_due", "Delayed tasks whose time has come.", count(queue.due));
    add("fanfare_broker_queue_leased", "Tasks that somebody has.", count(queue.leased));
    add("fanfare_broker_queue_lapsed", "Leased tasks whose lease has ended.", count(queue.lapsed));
    add("fanfare_broker_queue_dead", "Tasks with the dead letters.", count(queue.dead));
    add(
        "fanfare_broker_queue_waiting",
        "Tasks that wait for a worker: in line, due, or left behind.",
        count(queue.waiting()),
    );
    add(
        "fanfare_broker_queue_waiting_seconds",
        "For how long the first of those has been waiting.",
        seconds(queue.waiting_ms),
    );
    add(
        "fanfare_broker_queue_running_seconds",
        "For how long the first that was taken has been running, of 32.",
        seconds(queue.running_ms),
    );
    add("fanfare_broker_queue_enqueued_total", "Tasks put in.", count(queue.enqueued));
    add("fanfare_broker_queue_done_total", "Tasks run well.", count(queue.done));
    add("fanfare_broker_queue_failed_total", "Runs that failed.", count(queue.failed));
}

impl Snapshot {
    /// The snapshot in the text format that Prometheus reads (version 0.0.4), with a line feed at
    /// its end. Metrics are called `fanfare_broker_…`; what was not seen is left out.
    pub fn prometheus(&self) -> String {
        let mut out = String::new();
        for (name, (help, samples)) in samples(self).0 {
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for Sample { labels, value } in samples {
                let labels: Vec<String> =
                    labels.iter().map(|(name, it)| format!("{name}=\"{}\"", escaped(it))).collect();
                let labels = match labels.is_empty() {
                    true => String::new(),
                    false => format!("{{{}}}", labels.join(",")),
                };
                let _ = writeln!(out, "{name}{labels} {value}");
            }
        }
        out
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::StreamLook;

    #[test]
    fn names_can_not_break_out_of_their_labels() {
        let name = "a\"b\\c\nd".to_owned();
        let stream = StreamLook { name, length: Some(3), ..StreamLook::default() };
        let text = Snapshot { streams: vec![stream], ..Snapshot::default() }.prometheus();
        let line = "fanfare_broker_stream_length{stream=\"a\\\"b\\\\c\\nd\"} 3\n";
        assert!(text.contains(line), "{text}");
        assert!(!text.contains("stream_added"), "not seen is not zero: {text}");
    }
}
