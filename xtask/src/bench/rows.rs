//! The rows of the table: workload, baseline and target of each.

use super::server::{Contender, FanOut, Program};

/// What a server is made to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Workload {
    FanOut { subscribers: usize, in_flight: usize, payload: usize },
    SlowReaders,
    Patterns(Idle),
    Publish { in_flight: usize },
    SetGet { in_flight: usize },
    IdleConnections { quiet: bool },
    Subscriptions,
    Latency,
    Spread,
}

impl Workload {
    /// The shape that `ceiling` is told.
    pub(super) fn fan_out(self) -> FanOut {
        match self {
            Self::FanOut { subscribers, in_flight, payload } => {
                FanOut { subscribers, in_flight, payload }
            }
            _ => FanOut::default(),
        }
    }
}

/// 10,000 patterns that never match, held by one connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Idle {
    None,
    /// Each has a literal prefix of its own, none of which the channel has.
    DistinctPrefixes,
    /// The prefixes differ behind a head that the channel has too.
    SharedHead,
    /// One and the same literal prefix, which the channel has: they differ behind the `*`.
    SharedPrefix,
    LeadingStar,
}

impl Idle {
    /// The patterns.
    pub(super) fn patterns(self) -> Vec<Vec<u8>> {
        let pattern = |n: usize| match self {
            Self::None => String::new(),
            Self::DistinctPrefixes => format!("{n:05}:*"),
            Self::SharedHead => format!("bench:{n:05}:*"),
            Self::SharedPrefix => format!("bench:*:{n:05}"),
            Self::LeadingStar => format!("*:{n:05}"),
        };
        let count = if self == Self::None { 0 } else { 10_000 };
        (0..count).map(|n| pattern(n).into_bytes()).collect()
    }
}

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
            Workload::FanOut { .. } => {
                let others = [Contender::NULL, Contender::NULL_DEFAULT, Contender::CEILING];
                all.extend(others.map(|it| (self.workload, it)));
            }
            Workload::Publish { .. } | Workload::SetGet { .. } => {
                let others = [Contender::NULL, Contender::NULL_DEFAULT];
                all.extend(others.map(|it| (self.workload, it)));
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
    rows.extend(memory());
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
    for in_flight in [1, 16, 100] {
        rows.push(Row {
            group: "publish",
            name: format!("PUBLISH without subscribers, {in_flight} in flight"),
            workload: Workload::Publish { in_flight },
            metric: Metric::Cpu,
            target: if in_flight == 100 { Target::at_most(0.6) } else { None },
            baseline: Baseline::Redis,
        });
    }
    for in_flight in [1, 16, 100] {
        rows.push(Row {
            group: "setget",
            name: format!("SET and GET in turn, {in_flight} in flight"),
            workload: Workload::SetGet { in_flight },
            metric: Metric::Cpu,
            target: Target::at_most(if in_flight == 1 { 1.0 } else { 0.7 }),
            baseline: Baseline::Redis,
        });
    }
    rows
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
