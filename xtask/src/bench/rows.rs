//! The rows of the table: workload, baseline and target of each.

use super::keys::Kept;
use super::operation::Operation;
use super::server::{Contender, Program};
use super::waiters::Awaited;
use super::workload::{Idle, Workload};

/// The figure that a row compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Metric {
    Cpu,
    Rate,
    Bytes,
    P99,
}

impl Metric {
    /// As in the table.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Cpu => "µs CPU/op",
            Self::Rate => "op/s",
            Self::Bytes => "bytes",
            Self::P99 => "p99 µs",
        }
    }
}

/// Ratio to the baseline that has to be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    one_reactor: f64,
    default: f64,
    at_least: bool,
}

impl Target {
    const fn at_most(limit: f64) -> Option<Self> {
        Some(Self { one_reactor: limit, default: limit, at_least: false })
    }

    const fn at_least(limit: f64) -> Option<Self> {
        Some(Self { one_reactor: limit, default: limit, at_least: true })
    }

    fn limit(self, contender: Contender) -> f64 {
        if contender.reactors == Some(1) { self.one_reactor } else { self.default }
    }

    /// As in the table.
    pub(super) fn text(self, contender: Contender) -> String {
        let sign = if self.at_least { "≥" } else { "≤" };
        format!("{sign} {:.2}", self.limit(contender))
    }

    pub(super) fn is_met(self, contender: Contender, ratio: f64) -> bool {
        let limit = self.limit(contender);
        if self.at_least { ratio >= limit } else { ratio <= limit }
    }

    /// Whether chance may have decided: it is within a tenth of the limit.
    pub(super) fn is_near(self, contender: Contender, ratio: f64) -> bool {
        (ratio / self.limit(contender) - 1.0).abs() <= 0.1
    }
}

/// What a row compares with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Baseline {
    /// redis-server, pinned where Fanfare is.
    Redis,
    /// redis-server as it is: memory does not depend on processors.
    RedisPinned,
    /// Fanfare itself with `--reactors 1`, unpinned.
    OneReactor,
    /// Fanfare itself without idle patterns.
    NoPatterns,
    /// Fanfare itself, whose subscribers get messages of a channel.
    PubSub,
}

/// One line of the table per contender.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) group: &'static str,
    pub(super) name: String,
    pub(super) workload: Workload,
    pub(super) metric: Metric,
    pub(super) target: Option<Target>,
    baseline: Baseline,
}

impl Row {
    /// The configurations of Fanfare that are compared.
    pub(super) fn contenders(&self) -> &'static [Contender] {
        match self.baseline {
            Baseline::OneReactor => &[Contender::TWO_REACTORS],
            _ => &[Contender::ONE_REACTOR, Contender::DEFAULT],
        }
    }

    /// What `contender` is compared with.
    pub(super) fn baseline(&self, contender: Contender) -> (Workload, Contender) {
        match self.baseline {
            Baseline::Redis if contender.pinned => (self.workload, Contender::REDIS),
            Baseline::Redis => (self.workload, Contender::REDIS_UNPINNED),
            Baseline::RedisPinned => (self.workload, Contender::REDIS),
            Baseline::OneReactor => (self.workload, Contender::ONE_REACTOR_UNPINNED),
            Baseline::NoPatterns => (Workload::Patterns(Idle::None), contender),
            Baseline::PubSub => (self.workload.as_pub_sub(), contender),
        }
    }

    /// Everything that has to be measured for this row.
    pub(super) fn measurements(&self) -> Vec<(Workload, Contender)> {
        let mut all = Vec::new();
        for contender in self.contenders() {
            all.push(self.baseline(*contender));
            all.push((self.workload, *contender));
        }
        match self.workload {
            Workload::Spread => {
                let of_null = |it: (Workload, Contender)| (it.0, it.1.null());
                all.extend(all.clone().into_iter().map(of_null));
            }
            Workload::FanOut { .. } => {
                let others = [Contender::NULL, Contender::NULL_DEFAULT, Contender::CEILING];
                all.extend(others.map(|it| (self.workload, it)));
            }
            Workload::Latency | Workload::Waiters(Awaited::Elements { .. }) => {
                let others = [Contender::NULL, Contender::NULL_DEFAULT];
                all.extend(others.map(|it| (self.workload, it)));
            }
            Workload::Commands { operation, .. } if operation.has_null() => {
                let others = [Contender::NULL, Contender::NULL_DEFAULT, Contender::REDIS_PER_CORE];
                all.extend(others.map(|it| (self.workload, it)));
            }
            // Each would have the whole sorted set that ranks are asked of.
            Workload::Commands { operation: Operation::Eval | Operation::Evalsha, .. } => {
                all.push((self.workload, Contender::REDIS_PER_CORE));
            }
            _ => {}
        }
        all
    }
}

/// All rows, in the order of the table.
pub(super) fn all() -> Vec<Row> {
    let mut rows = fan_out();
    rows.extend(patterns());
    rows.extend(commands());
    rows.extend(ranks());
    rows.extend(streams());
    rows.extend(push());
    rows.extend(waiters());
    rows.extend(scripts());
    rows.extend(memory());
    rows.extend(keys());
    rows.push(Row {
        group: "latency",
        name: "fan-out to 100 at half of redis's peak".into(),
        workload: Workload::Latency,
        metric: Metric::P99,
        target: Target::at_most(1.0),
        baseline: Baseline::Redis,
    });
    rows.push(Row {
        group: "reactors",
        name: "4 publishers × 20 subscribers, 2 reactors against 1".into(),
        workload: Workload::Spread,
        metric: Metric::Cpu,
        target: Target::at_most(1.2),
        baseline: Baseline::OneReactor,
    });
    rows
}

/// The measurements of `rows` in which one of `programs` serves, each once.
pub(super) fn measurements(rows: &[Row], programs: &[Program]) -> Vec<(Workload, Contender)> {
    let mut all = Vec::new();
    for measurement in rows.iter().flat_map(Row::measurements) {
        if programs.contains(&measurement.1.program) && !all.contains(&measurement) {
            all.push(measurement);
        }
    }
    all
}

fn fan_out() -> Vec<Row> {
    let mut rows = Vec::new();
    for subscribers in [10, 100, 1_000] {
        for in_flight in [1, 16, 100] {
            let target = match (in_flight, subscribers) {
                (1, _) => Some(Target { one_reactor: 1.0, default: 1.1, at_least: false }),
                (16, 1_000) => Target::at_most(0.85),
                (16, _) => Target::at_most(0.65),
                _ => Target::at_most(0.45),
            };
            rows.push(fan_out_row(subscribers, in_flight, 64, target));
        }
    }
    rows.push(fan_out_row(100, 16, 1024, None));
    rows
}

fn fan_out_row(
    subscribers: usize,
    in_flight: usize,
    payload: usize,
    target: Option<Target>,
) -> Row {
    let size = if payload == 1024 { ", 1 KiB" } else { "" };
    Row {
        group: "fanout",
        name: format!("fan-out to {subscribers}, {in_flight} in flight{size}"),
        workload: Workload::FanOut { subscribers, in_flight, payload },
        metric: Metric::Cpu,
        target,
        baseline: Baseline::Redis,
    }
}

fn patterns() -> Vec<Row> {
    let row = |name: &str, idle, metric, target, baseline| Row {
        group: "pattern",
        name: format!("idle patterns: {name}"),
        workload: Workload::Patterns(idle),
        metric,
        target,
        baseline,
    };
    let mut rows = vec![row("none", Idle::None, Metric::Rate, None, Baseline::Redis)];
    for (name, idle, times) in [
        ("distinct prefixes", Idle::DistinctPrefixes, 20.0),
        ("prefixes with one head", Idle::SharedHead, 20.0),
        ("one shared prefix", Idle::SharedPrefix, 20.0),
        ("leading `*`", Idle::LeadingStar, 2.0),
    ] {
        let target = Target::at_least(times);
        rows.push(row(name, idle, Metric::Rate, target, Baseline::Redis));
        rows.push(row(name, idle, Metric::Cpu, None, Baseline::Redis));
    }
    let target = Target::at_most(2.0);
    let name = "distinct prefixes, against none";
    rows.push(row(name, Idle::DistinctPrefixes, Metric::Cpu, target, Baseline::NoPatterns));
    rows
}

fn commands() -> Vec<Row> {
    let mut rows = Vec::new();
    for (group, name, operation) in [
        ("publish", "PUBLISH without subscribers", Operation::Publish),
        ("setget", "SET and GET in turn", Operation::SetGet),
        ("types", "LPUSH and RPOP in turn", Operation::LpushRpop),
        ("types", "LPUSH", Operation::Lpush),
        ("types", "RPOP", Operation::Rpop),
        ("types", "HSET", Operation::Hset),
        ("types", "ZADD", Operation::Zadd),
    ] {
        for in_flight in [1, 16, 100] {
            let target = match (operation, in_flight) {
                (Operation::Publish, 100) => Target::at_most(0.6),
                (Operation::Publish, _) => None,
                (_, 1) => Target::at_most(1.0),
                _ => Target::at_most(0.7),
            };
            let name = format!("{name}, {in_flight} in flight");
            let workload = Workload::Commands { operation, in_flight };
            rows.push(row_of_commands(group, name, workload, Metric::Cpu, target));
        }
    }
    rows
}

fn ranks() -> Vec<Row> {
    [
        ("ZRANK in a sorted set of 1,000,000", Operation::Zrank),
        ("ZRANGE of 10 by index in a sorted set of 1,000,000", Operation::Zrange),
    ]
    .map(|(name, operation)| {
        let workload = Workload::Commands { operation, in_flight: 16 };
        let name = format!("{name}, 16 in flight");
        row_of_commands("rank", name, workload, Metric::Cpu, Target::at_most(1.0))
    })
    .into()
}

fn waiters() -> Vec<Row> {
    [
        ("1,000 clients in BLPOP, 1 in flight", Awaited::Elements { in_flight: 1 }),
        ("1,000 clients in BLPOP, 16 in flight", Awaited::Elements { in_flight: 16 }),
        ("1,000 clients in XREAD of one stream", Awaited::Entry),
    ]
    .map(|(name, awaited)| {
        let workload = Workload::Waiters(awaited);
        row_of_commands("blocked", name.into(), workload, Metric::Cpu, Target::at_most(1.0))
    })
    .into()
}

fn streams() -> Vec<Row> {
    [
        ("XADD, 1 in flight", Operation::Xadd, 1, 1.0),
        ("XADD, 16 in flight", Operation::Xadd, 16, 0.6),
        ("XADD, 100 in flight", Operation::Xadd, 100, 0.6),
        ("XREADGROUP and XACK of 100", Operation::XreadgroupXack, 1, 0.6),
        ("XRANGE of 1,000 of 10,000,000", Operation::Xrange, 1, 1.0),
        ("XPENDING of 100 of 1,000,000", Operation::Xpending, 1, 1.0),
        ("XPENDING IDLE of 100 of 1,000,000", Operation::XpendingIdle, 1, 1.0),
        ("XAUTOCLAIM in 1,000,000, none is idle", Operation::XautoclaimNone, 1, 1.0),
        ("XAUTOCLAIM of 100 of 1,000,000", Operation::XautoclaimAll, 1, 1.0),
    ]
    .map(|(name, operation, in_flight, limit)| {
        let workload = Workload::Commands { operation, in_flight };
        row_of_commands("stream", name.into(), workload, Metric::Cpu, Target::at_most(limit))
    })
    .into()
}

fn scripts() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, operation, in_flight) in [
        ("EVAL of five lines", Operation::Eval, 1),
        ("EVAL of five lines", Operation::Eval, 16),
        ("EVALSHA of five lines", Operation::Evalsha, 1),
        ("EVALSHA of five lines", Operation::Evalsha, 16),
    ] {
        let name = format!("{name}, {in_flight} in flight");
        let workload = Workload::Commands { operation, in_flight };
        let target = Target::at_least(1.0);
        rows.push(row_of_commands("eval", name.clone(), workload, Metric::Rate, target));
        rows.push(row_of_commands("eval", name, workload, Metric::Cpu, None));
    }
    rows
}

fn push() -> Vec<Row> {
    [1, 16, 100]
        .map(|in_flight| Row {
            group: "push",
            name: format!("XSUBSCRIBE by 1,000, {in_flight} in flight, against pub/sub"),
            workload: Workload::Push { subscribers: 1_000, in_flight },
            metric: Metric::Cpu,
            target: Target::at_most(1.3),
            baseline: Baseline::PubSub,
        })
        .into()
}

fn row_of_commands(
    group: &'static str,
    name: String,
    workload: Workload,
    metric: Metric,
    target: Option<Target>,
) -> Row {
    Row { group, name, workload, metric, target, baseline: Baseline::Redis }
}

fn memory() -> Vec<Row> {
    let row = |name: &str, workload, limit| Row {
        group: "memory",
        name: name.into(),
        workload,
        metric: Metric::Bytes,
        target: Target::at_most(limit),
        baseline: Baseline::RedisPinned,
    };
    vec![
        row("100 × 16 KiB to 100 that do not read", Workload::SlowReaders, 0.1),
        row("per idle connection, at once", Workload::IdleConnections { quiet: false }, 0.7),
        row("per idle connection, after a while", Workload::IdleConnections { quiet: true }, 0.7),
        row("per subscription", Workload::Subscriptions, 0.7),
    ]
}

fn keys() -> Vec<Row> {
    [
        ("per string of 64 bytes", Kept::Strings),
        ("per integer", Kept::Integers),
        ("per hash of 5 fields", Kept::Hashes),
        ("per list of 10", Kept::Lists),
        ("per set of 10 integers", Kept::IntegerSets),
        ("per set of 10", Kept::Sets),
        ("per sorted set of 10", Kept::SortedSets),
        ("per field in a hash of 1,000,000", Kept::LargeHash),
        ("per element in a list of 1,000,000", Kept::LargeList),
        ("per member in a set of 1,000,000", Kept::LargeSet),
        ("per member in a sorted set of 1,000,000", Kept::LargeSortedSet),
        ("per stream entry of 64 bytes", Kept::Entries),
        ("per stream entry of four short fields", Kept::ManifoldEntries),
        ("per pending stream entry", Kept::Pending),
    ]
    .map(|(name, kept)| Row {
        group: "keys",
        name: name.into(),
        workload: Workload::Kept(kept),
        metric: Metric::Bytes,
        target: Target::at_most(1.0),
        baseline: Baseline::RedisPinned,
    })
    .into()
}
