//! One measurement: a fresh server, a workload, the figures.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::ceiling;
use super::client::{self, Kind};
use super::latency::OpenLoop;
use super::load::{Batch, Load};
use super::memory::{self, Held};
use super::rows::{Idle, Metric, Workload};
use super::server::{Contender, Program, Server, Site};
use super::wire;

/// The figures of one measurement; what a workload does not yield is absent.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Sample {
    /// Microseconds of server CPU per delivery, or per command where nothing is delivered.
    pub(super) cpu_us: Option<f64>,
    /// Deliveries, or commands, per second.
    pub(super) rate: Option<f64>,
    /// The measured thing, in bytes.
    pub(super) bytes: Option<f64>,
    pub(super) p99_us: Option<f64>,
    /// Memory of the whole server at the end.
    pub(super) resident_bytes: Option<f64>,
    /// Processors that the server kept busy.
    pub(super) server_busy: Option<f64>,
    /// Part of the time in which the load generator had something to do.
    pub(super) load_busy: Option<f64>,
}

impl Sample {
    pub(super) fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Cpu => self.cpu_us,
            Metric::Rate => self.rate,
            Metric::Bytes => self.bytes,
            Metric::P99 => self.p99_us,
        }
    }
}

impl From<Held> for Sample {
    fn from(held: Held) -> Self {
        Self {
            bytes: Some(held.bytes),
            resident_bytes: Some(held.resident_bytes),
            ..Self::default()
        }
    }
}

/// Measures, and remembers what later measurements of a round are based on.
pub(super) struct Gauge {
    site: Site,
    duration: Duration,
    /// Messages per second that redis can fan out, once measured.
    redis_peak: Option<f64>,
}

impl Gauge {
    pub(super) fn new(site: Site, duration: Duration) -> Self {
        Self { site, duration, redis_peak: None }
    }

    /// The peak of redis is taken anew in each round.
    pub(super) fn start_round(&mut self) {
        self.redis_peak = None;
    }

    pub(super) fn measure(&mut self, workload: Workload, contender: Contender) -> Result<Sample> {
        let rate = if workload == Workload::Latency { self.half_of_redis_peak()? } else { 0.0 };
        let server = self.site.start(contender, workload.fan_out())?;
        self.site
            .under_load(contender, || self.sample(&server, workload, contender, rate))
            .with_context(|| format!("{}: {workload:?}\n{}", contender.name(), server.log_tail()))
    }

    fn sample(
        &self,
        server: &Server,
        workload: Workload,
        contender: Contender,
        rate: f64,
    ) -> Result<Sample> {
        match workload {
            Workload::FanOut { subscribers, in_flight, payload } => {
                let mut batch = message_batch(subscribers, in_flight, payload);
                if contender.program == Program::Ceiling {
                    batch.request = ceiling::TRIGGER.to_vec();
                    batch.reply.clear();
                }
                self.fan_out(server, subscribers, in_flight, batch)
            }
            Workload::Patterns(idle) => self.patterns(server, idle),
            Workload::Publish { in_flight } => {
                let publish = wire::command(&[b"PUBLISH", wire::CHANNEL, &wire::payload(64)]);
                let batch = Batch::repeat(in_flight, &publish, b":0\r\n", b"");
                self.commands(server, in_flight, &Arc::from([batch]))
            }
            Workload::SetGet { in_flight } => {
                self.commands(server, in_flight, &set_get_batches(in_flight))
            }
            Workload::Spread => self.spread(server),
            Workload::Latency => self.latency(server, rate),
            Workload::SlowReaders => memory::slow_readers(server).map(Sample::from),
            Workload::IdleConnections { quiet } => {
                memory::idle_connections(server, quiet).map(Sample::from)
            }
            Workload::Subscriptions => memory::subscriptions(server).map(Sample::from),
        }
    }

    fn fan_out(
        &self,
        server: &Server,
        n_subscribers: usize,
        in_flight: usize,
        batch: Batch,
    ) -> Result<Sample> {
        let subscribers =
            client::subscribers(server.port(), n_subscribers, Kind::Channel, wire::CHANNEL)?;
        let mut load = Load::new()?;
        load.add_group(client::connect(server.port())?, subscribers, Arc::from([batch]))?;
        self.timed(server, &mut load, n_subscribers * in_flight)
    }

    fn patterns(&self, server: &Server, idle: Idle) -> Result<Sample> {
        const PATTERN: &[u8] = b"bench:*";
        const N_SUBSCRIBERS: usize = 10;
        const IN_FLIGHT: usize = 16;
        let mut bystander = client::connect(server.port())?;
        client::subscribe(&mut bystander, Kind::Pattern, &idle.patterns())?;
        let subscribers =
            client::subscribers(server.port(), N_SUBSCRIBERS, Kind::Pattern, PATTERN)?;
        let mut batch = message_batch(N_SUBSCRIBERS, IN_FLIGHT, 64);
        let frame = wire::pattern_message(PATTERN, wire::CHANNEL, &wire::payload(64));
        batch.delivery = frame.repeat(IN_FLIGHT);
        let mut load = Load::new()?;
        load.add_group(client::connect(server.port())?, subscribers, Arc::from([batch]))?;
        self.timed(server, &mut load, N_SUBSCRIBERS * IN_FLIGHT)
    }

    fn commands(
        &self,
        server: &Server,
        in_flight: usize,
        batches: &Arc<[Batch]>,
    ) -> Result<Sample> {
        const N_CLIENTS: usize = 50;
        let mut load = Load::new()?;
        for _ in 0..N_CLIENTS {
            load.add_group(client::connect(server.port())?, Vec::new(), batches.clone())?;
        }
        self.timed(server, &mut load, in_flight)
    }

    fn spread(&self, server: &Server) -> Result<Sample> {
        const N_SUBSCRIBERS: usize = 20;
        const IN_FLIGHT: usize = 16;
        let mut load = Load::new()?;
        for n in 0..4 {
            let channel = format!("bench:{n:02}");
            let payload = wire::payload(64);
            let publish = wire::command(&[b"PUBLISH", channel.as_bytes(), &payload]);
            let frame = wire::message(channel.as_bytes(), &payload);
            let batch = Batch::repeat(IN_FLIGHT, &publish, b":20\r\n", &frame);
            let subscribers = client::subscribers(
                server.port(),
                N_SUBSCRIBERS,
                Kind::Channel,
                channel.as_bytes(),
            )?;
            load.add_group(client::connect(server.port())?, subscribers, Arc::from([batch]))?;
        }
        self.timed(server, &mut load, N_SUBSCRIBERS * IN_FLIGHT)
    }

    fn latency(&self, server: &Server, rate: f64) -> Result<Sample> {
        let subscribers =
            client::subscribers(server.port(), LATENCY_SUBSCRIBERS, Kind::Channel, wire::CHANNEL)?;
        let payload = wire::payload(64);
        let mut open_loop = OpenLoop {
            publisher: client::connect(server.port())?,
            subscribers,
            command: wire::command(&[b"PUBLISH", wire::CHANNEL, &payload]),
            frame_len: wire::message(wire::CHANNEL, &payload).len() as u64,
            rate,
        };
        open_loop.run(self.duration / 10)?;
        let before = server.cpu_time()?;
        let latencies = open_loop.run(self.duration)?;
        let cpu_us = server.cpu_time()?.us_since(before);
        Ok(Sample {
            p99_us: Some(latencies.value_at_quantile(0.99) as f64 / 1e3),
            cpu_us: Some(cpu_us / latencies.len() as f64),
            rate: Some(rate * LATENCY_SUBSCRIBERS as f64),
            resident_bytes: Some(server.resident_bytes()? as f64),
            ..Sample::default()
        })
    }

    fn half_of_redis_peak(&mut self) -> Result<f64> {
        const IN_FLIGHT: usize = 16;
        if self.redis_peak.is_none() {
            let server = self.site.start(Contender::REDIS, Workload::Latency.fan_out())?;
            let batch = message_batch(LATENCY_SUBSCRIBERS, IN_FLIGHT, 64);
            let sample = self.site.under_load(Contender::REDIS, || {
                self.fan_out(&server, LATENCY_SUBSCRIBERS, IN_FLIGHT, batch)
            })?;
            self.redis_peak = sample.rate.map(|rate| rate / LATENCY_SUBSCRIBERS as f64);
        }
        Ok(self.redis_peak.context("no peak rate")? / 2.0)
    }

    /// Runs `load`, whose batches count `n_operations` each, between two readings of the clocks.
    fn timed(&self, server: &Server, load: &mut Load, n_operations: usize) -> Result<Sample> {
        load.verify()?;
        load.run(self.duration / 10)?;
        let before = server.cpu_time()?;
        let tally = load.run(self.duration)?;
        let cpu_us = server.cpu_time()?.us_since(before);
        load.check_no_surplus()?;
        let n_operations = tally.n_batches as f64 * n_operations as f64;
        let elapsed = tally.elapsed.as_secs_f64();
        Ok(Sample {
            cpu_us: Some(cpu_us / n_operations),
            rate: Some(n_operations / elapsed),
            resident_bytes: Some(server.resident_bytes()? as f64),
            server_busy: Some(cpu_us / 1e6 / elapsed),
            load_busy: Some(1.0 - tally.waited.as_secs_f64() / elapsed),
            ..Sample::default()
        })
    }
}

const LATENCY_SUBSCRIBERS: usize = 100;

fn message_batch(n_receivers: usize, in_flight: usize, payload_len: usize) -> Batch {
    let payload = wire::payload(payload_len);
    let publish = wire::command(&[b"PUBLISH", wire::CHANNEL, &payload]);
    let reply = format!(":{n_receivers}\r\n");
    let frame = wire::message(wire::CHANNEL, &payload);
    Batch::repeat(in_flight, &publish, reply.as_bytes(), &frame)
}

/// Batches that SET and GET each of a thousand keys in turn.
fn set_get_batches(in_flight: usize) -> Arc<[Batch]> {
    let value = wire::payload(64);
    let mut value_reply = Vec::new();
    wire::push_bulk(&mut value_reply, &value);
    let mut operations = Vec::new();
    for n in 0..1_000 {
        let key = format!("key:{n:06}");
        operations.push((wire::command(&[b"SET", key.as_bytes(), &value]), b"+OK\r\n".to_vec()));
        operations.push((wire::command(&[b"GET", key.as_bytes()]), value_reply.clone()));
    }
    operations
        .chunks_exact(in_flight)
        .map(|chunk| {
            let (requests, replies): (Vec<_>, Vec<_>) = chunk.iter().cloned().unzip();
            Batch { request: requests.concat(), reply: replies.concat(), delivery: Vec::new() }
        })
        .collect()
}
