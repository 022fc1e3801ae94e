//! One measurement: a fresh server, a workload, the figures.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::ceiling;
use super::client::{self, Kind};
use super::latency::OpenLoop;
use super::load::{Batch, Load, Tally};
use super::memory::{self, Held};
use super::null;
use super::operation::{Operation, Stock};
use super::rows::Metric;
use super::server::{Contender, Program, Server, Site};
use super::stream;
use super::waiters::{Awaited, Waiters};
use super::wire;
use super::workload::{Idle, Workload};

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
    /// Servers that the next operation asks, too.
    stocked: Vec<(Stock, Contender, Server)>,
}

impl Gauge {
    pub(super) fn new(site: Site, duration: Duration) -> Self {
        Self { site, duration, redis_peak: None, stocked: Vec::new() }
    }

    /// The peak of redis is taken anew in each round, and all servers are new.
    pub(super) fn start_round(&mut self) {
        self.redis_peak = None;
        self.stocked.clear();
    }

    pub(super) fn measure(&mut self, workload: Workload, contender: Contender) -> Result<Sample> {
        let rate = if workload == Workload::Latency { self.half_of_redis_peak()? } else { 0.0 };
        let stock = workload.stock();
        self.stocked.retain(|it| Some(it.0) == stock);
        let found = self.stocked.iter().position(|it| it.1 == contender);
        let server = match found {
            Some(at) => self.stocked.swap_remove(at).2,
            None => self.site.start(contender, workload.fan_out())?,
        };
        let sample = self
            .site
            .under_load(contender, workload == Workload::Latency, || {
                if let (Workload::Commands { operation, .. }, None) = (workload, found) {
                    prepare(&server, contender, operation)?;
                }
                self.sample(&server, workload, contender, rate)
            })
            .with_context(|| {
                format!("{}: {workload:?}\n{}", contender.name(), server.log_tail())
            })?;
        self.stocked.extend(stock.map(|it| (it, contender, server)));
        Ok(sample)
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
                self.fan_out(server, (subscribers, Kind::Channel), in_flight, batch)
            }
            Workload::Push { subscribers, in_flight } => {
                let batch = stream::push_batch(in_flight);
                self.fan_out(server, (subscribers, Kind::Stream), in_flight, batch)
            }
            Workload::Patterns(idle) => self.patterns(server, idle),
            Workload::Commands { operation, in_flight } => {
                let is_null = contender.program == Program::Null;
                self.commands(server, is_null, operation, in_flight)
            }
            Workload::Waiters(awaited) => self.waiters(server, awaited),
            Workload::Kept(kept) => kept.held(server).map(Sample::from),
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
        (n_subscribers, kind): (usize, Kind),
        in_flight: usize,
        batch: Batch,
    ) -> Result<Sample> {
        let subscribers = client::subscribers(server.port(), n_subscribers, kind, wire::CHANNEL)?;
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
        is_null: bool,
        operation: Operation,
        in_flight: usize,
    ) -> Result<Sample> {
        const N_CLIENTS: usize = 50;
        let courses = operation.courses(N_CLIENTS);
        for port in server.ports().filter(|_| !is_null) {
            let mut stream = client::connect(port)?;
            let fills = courses.iter().flat_map(|course| course.fill.iter().cloned());
            client::pipeline(&mut stream, fills)?;
        }
        let mut all_batches: Vec<Arc<[Batch]>> = Vec::new();
        for course in &courses {
            let mut batches = course.batches(in_flight)?;
            if is_null {
                // It keeps nothing, and so can not know the lengths of lists.
                batches.iter_mut().for_each(|it| it.reply = null::replies(&it.request));
            }
            all_batches.push(batches.into());
        }
        let mut load = Load::new()?;
        for (n, batches) in all_batches.iter().cycle().take(N_CLIENTS).enumerate() {
            let connection = client::connect(server.port_for(n))?;
            load.add_group(connection, Vec::new(), Arc::clone(batches))?;
        }
        self.timed(server, &mut load, in_flight * operation.n_each())
    }

    fn waiters(&self, server: &Server, awaited: Awaited) -> Result<Sample> {
        let mut waiters = Waiters::connect(server, awaited)?;
        waiters.verify()?;
        let n_served = awaited.n_served();
        let sample = self.clocked(server, n_served, |duration| waiters.run(duration))?;
        waiters.verify()?;
        Ok(sample)
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
            let sample = self.site.under_load(Contender::REDIS, false, || {
                self.fan_out(&server, (LATENCY_SUBSCRIBERS, Kind::Channel), IN_FLIGHT, batch)
            })?;
            self.redis_peak = sample.rate.map(|rate| rate / LATENCY_SUBSCRIBERS as f64);
        }
        Ok(self.redis_peak.context("no peak rate")? / 2.0)
    }

    /// Runs `load`, whose batches count `n_operations` each, and compares what comes back.
    fn timed(&self, server: &Server, load: &mut Load, n_operations: usize) -> Result<Sample> {
        load.verify()?;
        let sample = self.clocked(server, n_operations, |duration| load.run(duration))?;
        load.check_no_surplus()?;
        Ok(sample)
    }

    /// Lets batches of `n_operations` each `run` between two readings of the clocks.
    fn clocked(
        &self,
        server: &Server,
        n_operations: usize,
        mut run: impl FnMut(Duration) -> Result<Tally>,
    ) -> Result<Sample> {
        run(self.duration / 10)?;
        let before = server.cpu_time()?;
        let tally = run(self.duration)?;
        let cpu_us = server.cpu_time()?.us_since(before);
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

/// What comes before an operation, which `null` has no use for.
fn prepare(server: &Server, contender: Contender, operation: Operation) -> Result<()> {
    let is_null = contender.program == Program::Null;
    let mut ports = server.ports().filter(|_| !is_null);
    ports.try_for_each(|port| operation.prepare(&mut client::connect(port)?))
}

const LATENCY_SUBSCRIBERS: usize = 100;

fn message_batch(n_receivers: usize, in_flight: usize, payload_len: usize) -> Batch {
    let payload = wire::payload(payload_len);
    let publish = wire::command(&[b"PUBLISH", wire::CHANNEL, &payload]);
    let reply = format!(":{n_receivers}\r\n");
    let frame = wire::message(wire::CHANNEL, &payload);
    Batch::repeat(in_flight, &publish, reply.as_bytes(), &frame)
}
