//! Which alerts are raised: rules over what looks find. No I/O, no clock.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{
    Alert, ChannelLook, Metric, Notice, Rule, Snapshot,
    hysteresis::{Change, Hysteresis, Zone},
};

/// Beyond so many, what a look does not have is given up even if it could not see everything: names
/// that come and go must not fill the memory of who may not see all.
const STANDING_MAX: usize = 10_000;

/// One value that a look found, or did not see.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) metric: Metric,
    pub(super) subject: String,
    pub(super) value: Option<f64>,
    /// What else is known of it.
    pub(super) detail: Option<String>,
}

/// The rules, and how each stands about each subject.
#[derive(Debug)]
pub(super) struct Judge {
    rules: Vec<Rule>,
    standing: BTreeMap<(usize, String), Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    hysteresis: Hysteresis,
    /// The alert, while it is raised.
    alert: Option<Alert>,
}

impl Judge {
    pub(super) fn new(rules: Vec<Rule>) -> Self {
        Self { rules, standing: BTreeMap::new() }
    }

    /// Takes in a look, and returns what it changes. The alerts that are raised then are put into
    /// it.
    pub(super) fn judge(&mut self, now: Instant, snapshot: &mut Snapshot) -> Vec<Notice> {
        let readings = readings(snapshot);
        let mut notices = Vec::new();
        for (n, rule) in self.rules.iter().enumerate() {
            for reading in readings.iter().filter(|it| rule.is_about(it.metric, &it.subject)) {
                let standing = self.standing.entry((n, reading.subject.clone())).or_default();
                notices.extend(standing.take_in(rule, reading, now, snapshot.at_ms));
            }
        }
        // What is gone does not ail; but what a look could not see need not be gone.
        if snapshot.is_whole() || STANDING_MAX < self.standing.len() {
            let rules = &self.rules;
            self.standing.retain(|(n, subject), standing| {
                let is_there = |it: &Reading| {
                    it.subject == *subject
                        && rules.get(*n).is_some_and(|rule| rule.metric == it.metric)
                };
                let keeps = readings.iter().any(is_there);
                if !keeps {
                    notices.extend(standing.alert.take().map(Notice::Resolved));
                }
                keeps
            });
        }
        snapshot.alerts = self.standing.values().filter_map(|it| it.alert.clone()).collect();
        sort(&mut snapshot.alerts);
        notices
    }
}

impl Standing {
    fn take_in(
        &mut self,
        rule: &Rule,
        reading: &Reading,
        now: Instant,
        now_ms: u64,
    ) -> Option<Notice> {
        let zone = reading.value.map(|it| rule.zone(it));
        let change = self.hysteresis.judge(now, zone, rule.held);
        if let (Some(alert), Some(value)) = (&mut self.alert, reading.value) {
            *alert = Alert { since_ms: alert.since_ms, ..told(rule, reading, value, now_ms) };
        }
        match change? {
            Change::Raised { since } => {
                let for_ms = u64::try_from((now - since).as_millis()).unwrap_or(u64::MAX);
                let since_ms = now_ms.saturating_sub(for_ms);
                self.alert = Some(told(rule, reading, reading.value?, since_ms));
                self.alert.clone().map(Notice::Raised)
            }
            Change::Resolved => self.alert.take().map(Notice::Resolved),
        }
    }
}

/// The alerts of a single look, for which nothing has to be held.
pub(super) fn at_once(rules: &[Rule], snapshot: &mut Snapshot) {
    let readings = readings(snapshot);
    let mut alerts = Vec::new();
    for rule in rules {
        for reading in readings.iter().filter(|it| rule.is_about(it.metric, &it.subject)) {
            let beyond = reading.value.filter(|it| rule.zone(*it) == Zone::Beyond);
            alerts.extend(beyond.map(|value| told(rule, reading, value, snapshot.at_ms)));
        }
    }
    sort(&mut alerts);
    snapshot.alerts = alerts;
}

fn sort(alerts: &mut [Alert]) {
    alerts.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.id.cmp(&b.id)));
}

fn told(rule: &Rule, reading: &Reading, value: f64, since_ms: u64) -> Alert {
    let (metric, subject) = (rule.metric, reading.subject.clone());
    let (noun, unit) = (metric.noun(), metric.unit());
    let side = if metric.is_bad_below() { "fewer than" } else { "more than" };
    let text = match metric {
        Metric::Unreachable => {
            let why = reading.detail.as_deref().unwrap_or("no reason is known");
            format!("{subject} {noun}: {why}")
        }
        _ => {
            let (value, limit) = (number(value), number(rule.raise_at));
            let detail = reading.detail.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
            format!("{subject}: {noun} {value}{unit}, {side} {limit}{unit}{detail}")
        }
    };
    Alert {
        id: format!("{metric}/{}/{subject}", rule.severity),
        metric,
        severity: rule.severity,
        value,
        limit: rule.raise_at,
        since_ms,
        text,
        cure: metric.cure(&subject),
        subject,
    }
}

/// With at most two digits behind the point, and none that say nothing.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What rules can be about, in a snapshot.
pub(super) fn readings(snapshot: &Snapshot) -> Vec<Reading> {
    let mut all = Vec::new();
    let mut add = |metric: Metric, subject: &str, value: Option<f64>| {
        let detail = detail(snapshot, metric, subject);
        all.push(Reading { metric, subject: subject.to_owned(), value, detail });
    };
    add(Metric::Blind, "broker", Some(count(snapshot.blind.len() as u64)));
    add(Metric::Unlisted, "broker", Some(count(snapshot.unlisted())));
    for node in &snapshot.nodes {
        let (name, rates) = (&node.name, &node.rates);
        add(Metric::Unreachable, name, Some(f64::from(u8::from(node.error.is_some()))));
        // Without a limit there is nothing to be near to.
        let has_no_limit = node.memory.is_some() && node.memory_max.is_none();
        let memory = node.memory_percent().or(has_no_limit.then_some(0.0));
        add(Metric::Memory, name, memory);
        add(Metric::Clients, name, node.clients_percent());
        add(Metric::RejectedConnections, name, rates.rejected_connections);
        add(Metric::EvictedKeys, name, rates.evicted_keys);
        add(Metric::OutputBufferKills, name, rates.output_buffer_kills);
        let master_down = node.replication.is_master_up.map(|it| u64::from(!it));
        let links = node.replication.replicas_not_online.or(master_down);
        add(Metric::Replication, name, links.map(count));
        let failed = node.server.is_some().then_some(node.persistence.failed.len() as u64);
        add(Metric::Persistence, name, failed.map(count));
    }
    for (name, (subscribers, silent_ms)) in by_name(&snapshot.channels) {
        add(Metric::Subscribers, name, subscribers.map(count));
        add(Metric::ChannelSilence, name, silent_ms.map(seconds));
    }
    for stream in &snapshot.streams {
        add(Metric::Length, &stream.name, stream.length.map(count));
        add(Metric::StreamSilence, &stream.name, stream.silent_ms.map(seconds));
        if stream.dead_letters.is_some() {
            add(Metric::DeadLetters, &stream.name, stream.dead_letters.map(count));
        }
        for group in &stream.groups {
            let name = format!("{}/{}", stream.name, group.name);
            add(Metric::Lag, &name, group.lag.map(count));
            add(Metric::Pending, &name, Some(count(group.pending)));
            let is_idle = (group.pending == 0).then_some(0.0);
            add(Metric::PendingAge, &name, group.pending_ms.map(seconds).or(is_idle));
            add(Metric::OldestPending, &name, group.oldest_pending_ms.map(seconds).or(is_idle));
            add(Metric::Redelivered, &name, group.redelivered.map(count).or(is_idle));
            add(Metric::DeadLetters, &name, group.dead_letters.map(count));
        }
    }
    for queue in &snapshot.queues {
        let waiting = queue.waiting();
        add(Metric::QueueWaiting, &queue.name, waiting.map(count));
        let is_idle = (waiting == Some(0)).then_some(0.0);
        add(Metric::QueueAge, &queue.name, queue.waiting_ms.map(seconds).or(is_idle));
        let is_idle = (queue.leased == Some(0)).then_some(0.0);
        add(Metric::QueueRunning, &queue.name, queue.running_ms.map(seconds).or(is_idle));
        add(Metric::QueueDead, &queue.name, queue.dead.map(count));
    }
    all
}

/// The subscribers and the silence of each channel. A rule does not say whether it means a sharded one: of two of one
/// name, what is better counts.
fn by_name(channels: &[ChannelLook]) -> BTreeMap<&str, (Option<u64>, Option<u64>)> {
    let mut all: BTreeMap<&str, (Option<u64>, Option<u64>)> = BTreeMap::new();
    for it in channels {
        let (subscribers, silent_ms) = all.entry(&it.name).or_default();
        *subscribers = (*subscribers).max(it.subscribers);
        *silent_ms = [*silent_ms, it.silent_ms].into_iter().flatten().min();
    }
    all
}

/// What a number does not say.
fn detail(snapshot: &Snapshot, metric: Metric, subject: &str) -> Option<String> {
    let node = || snapshot.nodes.iter().find(|it| it.name == subject);
    match metric {
        Metric::Blind => {
            let first = snapshot.blind.first()?;
            Some(format!("the first: {}: {}", first.what, first.why))
        }
        Metric::Unlisted => {
            let parts = [
                (snapshot.other_streams, "streams"),
                (snapshot.other_groups(), "groups"),
                (snapshot.other_queues, "queues"),
            ];
            let parts = parts.iter().filter(|it| it.0 != 0).map(|(n, what)| format!("{n} {what}"));
            Some(parts.collect::<Vec<_>>().join(", ")).filter(|it| !it.is_empty())
        }
        Metric::DeadLetters => {
            let groups = snapshot
                .streams
                .iter()
                .flat_map(|stream| stream.groups.iter().map(move |group| (&*stream.name, group)));
            let mut groups = groups.filter(|(stream, group)| {
                subject.strip_prefix(stream).and_then(|it| it.strip_prefix('/'))
                    == Some(&group.name)
            });
            groups.find_map(|(_, it)| it.dead_letters_in.as_ref()).map(|it| format!("in {it}"))
        }
        Metric::Unreachable => node()?.error.clone(),
        Metric::Persistence => {
            Some(node()?.persistence.failed.join(", ")).filter(|it| !it.is_empty())
        }
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a limit needs no sixteen digits")]
fn count(n: u64) -> f64 {
    n as f64
}

fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

#[cfg(test)]
mod tests;
