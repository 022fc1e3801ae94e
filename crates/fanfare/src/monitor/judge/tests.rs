//! Every metric, from what a look found to the alert and back.

use super::*;
use crate::monitor::{Blind, ChannelLook, GroupLook, Node, QueueLook, Severity, StreamLook};

fn streams(lengths: &[(&str, Option<u64>)]) -> Snapshot {
    let look = |(name, length): &(&str, Option<u64>)| StreamLook {
        name: (*name).to_owned(),
        length: *length,
        ..StreamLook::default()
    };
    Snapshot { streams: lengths.iter().map(look).collect(), at_ms: 1_000, ..Snapshot::default() }
}

fn told(notices: &[Notice]) -> Vec<(bool, &str)> {
    let one = |it: &'_ Notice| matches!(it, Notice::Raised(_));
    notices.iter().map(|it| (one(it), &*it.alert().unwrap().subject)).collect()
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_told_once_when_it_comes_and_once_when_it_goes() {
    let rule = Rule::new(Metric::Length, Severity::Warning, 10.0).resolve_at(5.0);
    let mut judge = Judge::new(vec![rule.held(Duration::from_secs(2))]);
    let mut said = String::new();
    for length in [11, 12, 13, 14, 7, 5, 4, 3, 11, 2] {
        let mut snapshot = streams(&[("s", Some(length))]);
        let notices = judge.judge(Instant::now(), &mut snapshot);
        said.push(match told(&notices)[..] {
            [(true, "s")] => '!',
            [(false, "s")] => 'r',
            _ if snapshot.alerts.is_empty() => '.',
            _ => '|',
        });
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(said, "..!||||r..");
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_resolves_but_not_what_could_not_be_seen() {
    let mut judge = Judge::new(vec![Rule::new(Metric::Length, Severity::Warning, 10.0)]);
    let now = Instant::now();
    let both = [("a", Some(11)), ("b", Some(12))];
    assert_eq!(told(&judge.judge(now, &mut streams(&both))), [(true, "a"), (true, "b")]);
    let mut blind = streams(&[("a", None)]);
    blind.blind.push(Blind { what: "b".into(), why: "NOPERM".into() });
    assert!(judge.judge(now, &mut blind).is_empty());
    assert_eq!(blind.alerts.len(), 2);
    let notices = judge.judge(now, &mut streams(&[("a", Some(11))]));
    assert_eq!(told(&notices), [(false, "b")]);
    // The value goes along with what is raised, and its beginning stays.
    let mut later = streams(&[("a", Some(99))]);
    later.at_ms = 5_000;
    judge.judge(now, &mut later);
    assert_eq!((later.alerts[0].value, later.alerts[0].since_ms), (99.0, 1_000));
    assert_eq!(later.alerts[0].text, "a: length 99, more than 10");
}

/// What is measured as too much: raised beyond 20, resolved at 10.
const MUCH: &[(u64, char)] = &[
    (5, '.'),
    (20, '.'),
    (21, '!'),
    (20, '|'),
    (11, '|'),
    (10, 'r'),
    (20, '.'),
    (40, '!'),
    (0, 'r'),
];

/// What is measured as too little: raised below 10, resolved at 20.
const LITTLE: &[(u64, char)] = &[
    (25, '.'),
    (10, '.'),
    (9, '!'),
    (10, '|'),
    (19, '|'),
    (20, 'r'),
    (10, '.'),
    (0, '!'),
    (40, 'r'),
];

/// What is so or not: raised beyond 0, resolved at 0.
const EITHER: &[(u64, char)] = &[(0, '.'), (1, '!'), (1, '|'), (0, 'r')];

/// A look that found nothing but this much of one metric.
fn found(metric: Metric, n: u64) -> Snapshot {
    let rate = Some(count(n));
    let ms = Some(n * 1_000);
    let mut it = Snapshot { at_ms: 1_000, ..Snapshot::default() };
    let mut node = Node { name: "n1".into(), server: Some("redis 7".into()), ..Node::default() };
    let mut channel = ChannelLook { name: "news".into(), ..ChannelLook::default() };
    let mut stream = StreamLook { name: "orders".into(), ..StreamLook::default() };
    let mut group = GroupLook { name: "billing".into(), ..GroupLook::default() };
    let mut queue = QueueLook { name: "mails".into(), ..QueueLook::default() };
    // Without a catch-all: what is new needs a row, or this is not compiled.
    match metric {
        Metric::Unreachable => node.error = (n != 0).then(|| "refused".to_owned()),
        Metric::Blind => {
            it.blind = vec![Blind { what: "INFO".into(), why: "NOPERM".into() }; len(n)];
        }
        Metric::Unlisted => it.other_queues = n,
        Metric::Memory => (node.memory, node.memory_max) = (Some(n * 5), Some(500)),
        Metric::Clients => (node.clients, node.clients_max) = (Some(n * 2), Some(200)),
        Metric::RejectedConnections => node.rates.rejected_connections = rate,
        Metric::EvictedKeys => node.rates.evicted_keys = rate,
        Metric::OutputBufferKills => node.rates.output_buffer_kills = rate,
        Metric::Replication => node.replication.replicas_not_online = Some(n),
        Metric::Persistence => node.persistence.failed = vec!["the last snapshot".into(); len(n)],
        Metric::Subscribers => channel.subscribers = Some(n),
        Metric::ChannelSilence => channel.silent_ms = ms,
        Metric::Length => stream.length = Some(n),
        Metric::StreamSilence => stream.silent_ms = ms,
        Metric::Lag => group.lag = Some(n),
        Metric::Pending => group.pending = n,
        Metric::PendingAge => (group.pending, group.pending_ms) = (1, ms),
        Metric::OldestPending => (group.pending, group.oldest_pending_ms) = (1, ms),
        Metric::Redelivered => (group.pending, group.redelivered) = (99, Some(n)),
        Metric::DeadLetters => group.dead_letters = Some(n),
        Metric::QueueWaiting => {
            (queue.ready, queue.due, queue.lapsed) = (Some(n / 2), Some(n - n / 2), Some(0));
        }
        Metric::QueueAge => queue.waiting_ms = ms,
        Metric::QueueRunning => queue.running_ms = ms,
        Metric::QueueDead => queue.dead = Some(n),
    }
    stream.groups.push(group);
    (it.nodes, it.channels, it.streams) = (vec![node], vec![channel], vec![stream]);
    it.queues = vec![queue];
    it
}

fn len(n: u64) -> usize {
    usize::try_from(n).unwrap()
}

/// What is said at the value that raises it first.
fn said(metric: Metric) -> &'static str {
    match metric {
        Metric::Unreachable => "n1 can not be asked: refused",
        Metric::Blind => {
            "broker: can not be seen whole: things hidden 21, more than 20 (the first: INFO: NOPERM)"
        }
        Metric::Unlisted => {
            "broker: streams, groups and queues beyond the monitor's bounds 21, more than 20 (21 queues)"
        }
        Metric::Memory => "n1: memory 21%, more than 20%",
        Metric::Clients => "n1: clients 21%, more than 20%",
        Metric::RejectedConnections => "n1: refused connections 21/s, more than 20/s",
        Metric::EvictedKeys => "n1: evicted keys 21/s, more than 20/s",
        Metric::OutputBufferKills => {
            "n1: clients cut off for what they did not read 21/s, more than 20/s"
        }
        Metric::Replication => "n1: replication links down 21, more than 20",
        Metric::Persistence => "n1: failed ways of writing to disk 21, more than 20",
        Metric::Subscribers => "news: subscribers 9, fewer than 10",
        Metric::ChannelSilence => "news: without a message for 21s, more than 20s",
        Metric::Length => "orders: length 21, more than 20",
        Metric::StreamSilence => "orders: without a new entry for 21s, more than 20s",
        Metric::Lag => "orders/billing: lag 21, more than 20",
        Metric::Pending => "orders/billing: pending entries 21, more than 20",
        Metric::PendingAge => {
            "orders/billing: a pending entry without a sign of life for 21s, more than 20s"
        }
        Metric::OldestPending => {
            "orders/billing: age of the oldest pending entry 21s, more than 20s"
        }
        Metric::Redelivered => "orders/billing: entries delivered again 21, more than 20",
        Metric::DeadLetters => "orders/billing: dead letters 21, more than 20",
        Metric::QueueWaiting => "mails: waiting tasks 21, more than 20",
        Metric::QueueAge => "mails: a task waiting for 21s, more than 20s",
        Metric::QueueRunning => "mails: a task taken, and not done, for 21s, more than 20s",
        Metric::QueueDead => "mails: dead tasks 21, more than 20",
    }
}

#[test]
fn every_metric_is_raised_beyond_its_limit_and_resolved_at_the_other() {
    let now = Instant::now();
    for metric in Metric::ALL {
        let (raise_at, resolve_at, steps) = match metric {
            Metric::Unreachable => (0.0, 0.0, EITHER),
            _ if metric.is_bad_below() => (10.0, 20.0, LITTLE),
            _ => (20.0, 10.0, MUCH),
        };
        // The others are judged, too: none of them may take this one's value for its own.
        let others = Metric::ALL.into_iter().filter(|it| *it != metric);
        let mut rules: Vec<Rule> = others
            .map(|it| {
                let never = if it.is_bad_below() { -1.0 } else { 100.0 };
                Rule::new(it, Severity::Warning, never)
            })
            .collect();
        rules.push(Rule::new(metric, Severity::Critical, raise_at).resolve_at(resolve_at));
        let mut judge = Judge::new(rules);
        let mut first = None;
        for (step, (n, expected)) in steps.iter().enumerate() {
            let mut snapshot = found(metric, *n);
            let notices = judge.judge(now, &mut snapshot);
            let told = match &notices[..] {
                [] if snapshot.alerts.is_empty() => '.',
                [] => '|',
                [Notice::Raised(_)] => '!',
                [Notice::Resolved(_)] => 'r',
                _ => '?',
            };
            assert_eq!(told, *expected, "{metric}, step {step}: {n}: {notices:?}");
            for alert in notices.iter().filter_map(Notice::alert).chain(&snapshot.alerts) {
                assert_eq!((alert.metric, alert.value), (metric, count(*n)), "step {step}");
                assert_eq!((alert.severity, alert.limit), (Severity::Critical, raise_at));
            }
            let mut raised = notices.into_iter().filter(|it| matches!(it, Notice::Raised(_)));
            first = first.or(raised.next());
        }
        let first = first.unwrap();
        let alert = first.alert().unwrap();
        // Persistence says what failed, as often as it did.
        let text = alert.text.split(" (the last").next().unwrap();
        assert_eq!(text, said(metric));
        assert_eq!(alert.cure, metric.cure(&alert.subject));
    }
}

#[test]
fn a_replica_without_its_master_counts_as_a_link() {
    let mut judge = Judge::new(vec![Rule::new(Metric::Replication, Severity::Warning, 0.0)]);
    let mut told = Vec::new();
    for is_up in [true, false, true] {
        let mut snapshot = found(Metric::Length, 0);
        snapshot.nodes[0].replication.is_master_up = Some(is_up);
        let notices = judge.judge(Instant::now(), &mut snapshot);
        told.extend(notices.iter().map(|it| {
            (matches!(it, Notice::Raised(_)), it.alert().map(|it| (it.metric, it.value)))
        }));
    }
    let replication = |value| Some((Metric::Replication, value));
    assert_eq!(told, [(true, replication(1.0)), (false, replication(0.0))]);
}

#[test]
fn dead_letters_say_where_they_are_and_of_two_channels_of_a_name_the_better_counts() {
    let rules = vec![
        Rule::new(Metric::DeadLetters, Severity::Warning, 0.0),
        Rule::new(Metric::ChannelSilence, Severity::Warning, 10.0),
        Rule::new(Metric::Subscribers, Severity::Warning, 1.0),
    ];
    let mut snapshot = found(Metric::DeadLetters, 2);
    snapshot.streams[0].groups[0].dead_letters_in = Some("given up".into());
    let name = "given up by others".to_owned();
    let other = StreamLook { name, dead_letters: Some(3), ..StreamLook::default() };
    snapshot.streams.push(other);
    let channel = |is_sharded, subscribers, silent_ms| ChannelLook {
        name: "news".into(),
        is_sharded,
        subscribers: Some(subscribers),
        silent_ms,
        ..ChannelLook::default()
    };
    snapshot.channels = vec![channel(false, 0, Some(20_000)), channel(true, 3, Some(5))];
    at_once(&rules, &mut snapshot);
    let told: Vec<_> = snapshot.alerts.iter().map(|it| &*it.text).collect();
    let expected = [
        "given up by others: dead letters 3, more than 0",
        "orders/billing: dead letters 2, more than 0 (in given up)",
    ];
    assert_eq!(told, expected);
    assert!(snapshot.alerts[0].cure.contains("fanfare stream tail given up by others"));
}
