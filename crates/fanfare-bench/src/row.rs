//! What is measured, who takes part, and what came of it.

use fanfare::Algorithm;
use serde::Serialize;

use crate::payload::Work;

/// One thing that a program does with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// Each of so many tasks publishes, and waits for the answer before it publishes again.
    Publish { n_tasks: usize },
    /// One task publishes 100 messages at once, and waits for the answers.
    PublishBatch,
    /// One subscription to one channel gets what somebody else publishes as fast as possible.
    Subscribe,
    /// The entries of a stream are read in a group, handled and acknowledged.
    Work,
    /// What a worker holds whose handlers do not end.
    Stalled,
    /// How late tasks are run that wait for their time.
    Delayed,
    /// The default stack of layers around a handler, of bytes or of an envelope with a trace. No server
    /// takes part.
    Layers { is_enveloped: bool },
    /// What is done with the data of a message. No server takes part.
    Payload(Work),
}

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    Fanfare,
    RedisRs,
    RedisPy,
    /// `XREADGROUP COUNT 100`, then one `XACK` of all, by redis-rs.
    Loop,
    /// `XREADGROUP COUNT 1`, then its `XACK`, by redis-rs.
    OneByOne,
    /// The handler without anything around it.
    Bare,
}

/// Messages in a batch, and entries in flight.
pub(crate) const MANY: usize = 100;
/// Entries that a worker may hold at most: those that are handled, as many read ahead, as many taken
/// over from others, and as many whose acknowledgement is under way.
pub(crate) const HELD_MAX: u64 = 4 * MANY as u64;
/// How late 99 of 100 delayed tasks may be at most, in microseconds.
pub(crate) const LATE_US_MAX: u64 = 50_000;
/// Processor time that the default stack of layers may take for a call, in microseconds.
pub(crate) const LAYERS_US_MAX: f64 = 1.5;
/// What is published or added.
pub(crate) const PAYLOAD: [u8; 64] = [b'x'; 64];

impl Row {
    pub(crate) const ALL: [Self; 16] = [
        Self::Publish { n_tasks: 1 },
        Self::Publish { n_tasks: 50 },
        Self::PublishBatch,
        Self::Subscribe,
        Self::Work,
        Self::Stalled,
        Self::Delayed,
        Self::Layers { is_enveloped: false },
        Self::Layers { is_enveloped: true },
        Self::Payload(Work::Compress(Algorithm::Zstd)),
        Self::Payload(Work::Expand(Algorithm::Zstd)),
        Self::Payload(Work::Compress(Algorithm::Lz4)),
        Self::Payload(Work::Expand(Algorithm::Lz4)),
        Self::Payload(Work::Compress(Algorithm::Gzip)),
        Self::Payload(Work::Expand(Algorithm::Gzip)),
        Self::Payload(Work::Check),
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Publish { n_tasks: 1 } => "publish, one task",
            Self::Publish { .. } => "publish, 50 tasks",
            Self::PublishBatch => "publish, batches of 100",
            Self::Subscribe => "subscribe",
            Self::Work => "work, 100 in flight",
            Self::Stalled => "work, handlers hang",
            Self::Delayed => "queue, delayed tasks",
            Self::Layers { is_enveloped: false } => "layers",
            Self::Layers { is_enveloped: true } => "layers, with an envelope",
            Self::Payload(Work::Compress(Algorithm::Zstd)) => "payload, compress zstd",
            Self::Payload(Work::Expand(Algorithm::Zstd)) => "payload, expand zstd",
            Self::Payload(Work::Compress(Algorithm::Lz4)) => "payload, compress lz4",
            Self::Payload(Work::Expand(Algorithm::Lz4)) => "payload, expand lz4",
            Self::Payload(Work::Compress(_)) => "payload, compress gzip",
            Self::Payload(Work::Expand(_)) => "payload, expand gzip",
            Self::Payload(Work::Check) => "payload, check schema",
        }
    }

    pub(crate) fn contenders(self) -> &'static [Contender] {
        match self {
            Self::Publish { .. } | Self::Subscribe => &[Contender::Fanfare, Contender::RedisRs],
            Self::PublishBatch => &[Contender::Fanfare, Contender::RedisRs, Contender::RedisPy],
            Self::Work => &[Contender::Fanfare, Contender::Loop, Contender::OneByOne],
            Self::Stalled | Self::Delayed | Self::Payload(_) => &[Contender::Fanfare],
            Self::Layers { .. } => &[Contender::Fanfare, Contender::Bare],
        }
    }

    /// The least ratio of our rate to this one's that will do.
    fn target(self, peer: Contender) -> Option<f64> {
        match (self, peer) {
            (Self::Publish { .. } | Self::PublishBatch | Self::Subscribe, Contender::RedisRs) => {
                Some(0.95)
            }
            (Self::PublishBatch, Contender::RedisPy) => Some(3.0),
            (Self::Work, Contender::Loop) => Some(0.8),
            (Self::Work, Contender::OneByOne) => Some(5.0),
            (_, _) => None,
        }
    }

    /// The most that will do, where not a rate is measured but something that should be small.
    pub(crate) fn most(self) -> Option<u64> {
        match self {
            Self::Stalled => Some(HELD_MAX),
            Self::Delayed => Some(LATE_US_MAX),
            Self::Publish { .. }
            | Self::PublishBatch
            | Self::Subscribe
            | Self::Work
            | Self::Layers { .. }
            | Self::Payload(_) => None,
        }
    }

    pub(crate) fn needs_python(self) -> bool {
        self.contenders().contains(&Contender::RedisPy)
    }
}

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fanfare => "fanfare",
            Self::RedisRs => "redis-rs",
            Self::RedisPy => "redis-py",
            Self::Loop => "loop of redis-rs, 100 at a time",
            Self::OneByOne => "loop of redis-rs, one at a time",
            Self::Bare => "the handler alone",
        }
    }
}

/// One measurement.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) n: u64,
    pub(crate) seconds: f64,
    /// Of the client's thread; `None` if that is another program's.
    pub(crate) cpu_seconds: Option<f64>,
}

impl Sample {
    fn rate(&self) -> f64 {
        self.n as f64 / self.seconds
    }

    fn cpu_us(&self) -> Option<f64> {
        Some(self.cpu_seconds? * 1e6 / self.n as f64)
    }
}

#[derive(Serialize)]
struct Record {
    row: &'static str,
    server: &'static str,
    contender: &'static str,
    sample: Sample,
    #[serde(skip)]
    of: (Row, Contender),
}

/// All measurements, in their order.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Results(Vec<Record>);

/// A line of the table: we and one peer.
pub(crate) struct Line {
    pub(crate) row: Row,
    pub(crate) server: &'static str,
    pub(crate) peer: Option<Contender>,
    pub(crate) rate: f64,
    pub(crate) peer_rate: Option<f64>,
    pub(crate) cpu_us: Option<f64>,
    pub(crate) peer_cpu_us: Option<f64>,
    /// The median of the rounds' ratios of the rates.
    pub(crate) ratio: Option<f64>,
    pub(crate) target: Option<f64>,
    /// The worst of all rounds, where not a rate is measured but something that should be small.
    pub(crate) worst: Option<u64>,
    pub(crate) is_met: Option<bool>,
}

impl Results {
    pub(crate) fn add(&mut self, row: Row, server: &'static str, who: Contender, sample: Sample) {
        let (name, contender) = (row.name(), who.name());
        self.0.push(Record { row: name, server, contender, sample, of: (row, who) });
    }

    pub(crate) fn lines(&self, rows: &[Row]) -> Vec<Line> {
        let mut lines = Vec::new();
        for row in rows {
            for server in ["redis-server", "fanfare"] {
                let peers: Vec<_> = row.contenders().iter().skip(1).map(|it| Some(*it)).collect();
                let peers = if peers.is_empty() { vec![None] } else { peers };
                lines.extend(peers.into_iter().map(|peer| self.line(*row, server, peer)));
            }
        }
        lines
    }

    fn line(&self, row: Row, server: &'static str, peer: Option<Contender>) -> Line {
        let ours = self.samples(row, server, Contender::Fanfare);
        let theirs = peer.map(|peer| self.samples(row, server, peer));
        let ratio = theirs.as_ref().and_then(|theirs| {
            let pairs = ours.iter().zip(theirs);
            median(pairs.map(|(ours, theirs)| ours.rate() / theirs.rate()))
        });
        let rate = |samples: &[Sample]| median(samples.iter().map(Sample::rate));
        let cpu_us = |samples: &[Sample]| median(samples.iter().filter_map(Sample::cpu_us));
        let target = peer.and_then(|peer| row.target(peer));
        let peer_cpu_us = theirs.as_deref().and_then(cpu_us);
        let most = row.most();
        let worst = most.and_then(|_| ours.iter().map(|it| it.n).max());
        let is_met = match most {
            Some(most) => worst.map(|worst| worst <= most),
            None if matches!(row, Row::Layers { .. }) => {
                cpu_us(&ours).zip(peer_cpu_us).map(|(ours, bare)| ours - bare <= LAYERS_US_MAX)
            }
            None => target.zip(ratio).map(|(target, ratio)| target <= ratio),
        };
        Line {
            row,
            server,
            peer,
            rate: rate(&ours).unwrap_or(0.0),
            peer_rate: theirs.as_deref().and_then(rate),
            cpu_us: cpu_us(&ours),
            peer_cpu_us,
            ratio,
            target,
            worst,
            is_met,
        }
    }

    fn samples(&self, row: Row, server: &'static str, who: Contender) -> Vec<Sample> {
        let of = self.0.iter().filter(|it| it.of == (row, who) && it.server == server);
        of.map(|it| it.sample).collect()
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
