//! What an instance says about its health.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{ServiceState, core::Core};
use crate::{
    Error, Json,
    request::Responding,
    worker::{WorkerState, WorkerStats},
};

/// A look of the program's own at its health.
pub(super) type Check = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What an instance says about its health, when a [`Console`](super::Console) asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HealthReport {
    /// The service's name.
    pub service: String,
    /// The instance's id.
    pub instance: String,
    /// What it is doing.
    pub state: ServiceState,
    /// Whether there is no reason for worry.
    pub is_healthy: bool,
    /// The reasons.
    pub reasons: Vec<String>,
    /// Milliseconds since it was started.
    pub uptime_ms: u64,
    /// Events that were handled well.
    pub handled: u64,
    /// Events whose handler failed.
    pub failed: u64,
    /// The streams that it reads.
    pub workers: Vec<WorkerReport>,
}

/// How the worker of a stream is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerReport {
    /// The stream.
    pub stream: String,
    /// `starting`, `running`, `failing`, `draining` or `stopped`.
    pub state: String,
    /// Events that are still to be delivered to the service, if the server can tell.
    pub lag: Option<u64>,
    /// Events that were delivered to any instance and are not settled.
    pub pending: Option<u64>,
    /// Events that this instance is handling.
    pub in_flight: usize,
    /// Events that this instance has put with the dead letters.
    pub dead_lettered: u64,
    /// Milliseconds since a read was last answered.
    pub last_read_age_ms: u64,
}

/// Answers all questions about the health of an instance.
pub(super) async fn answer(core: &Arc<Core>) -> Result<Responding, Error> {
    let channels = core.names.heard("health", &core.name, &core.instance)?;
    let asked = core.clone();
    let handler = move || {
        asked.counts().health_asked += 1;
        let report = report(&asked);
        async { Json(report) }
    };
    core.client.fanfare().respond_all(channels, handler).concurrency(4).start().await
}

pub(super) fn report(core: &Core) -> HealthReport {
    let workers = core.workers();
    let mut reasons = match core.client.fanfare().health().check(core.tolerance) {
        Ok(()) => Vec::new(),
        Err(unwell) => unwell.reasons,
    };
    let most = core.retention.events_max;
    for (stream, stats) in &workers {
        if let Some(lag) = stats.lag.filter(|lag| most <= lag.saturating_mul(2)) {
            reasons.push(format!("{lag} events of {stream} wait, and it keeps at most {most}"));
        }
    }
    reasons.extend(core.checks.iter().filter_map(|check| check().err()));
    let (handled, failed) = {
        let counts = core.counts();
        (counts.handled, counts.failed)
    };
    HealthReport {
        service: core.name.clone(),
        instance: core.instance.clone(),
        state: core.state(),
        is_healthy: reasons.is_empty(),
        reasons,
        uptime_ms: ms(core.uptime()),
        handled,
        failed,
        workers: workers.into_iter().map(|(stream, stats)| of_worker(stream, &stats)).collect(),
    }
}

fn of_worker(stream: String, stats: &WorkerStats) -> WorkerReport {
    WorkerReport {
        stream,
        state: name(stats.state).to_owned(),
        lag: stats.lag,
        pending: stats.pending,
        in_flight: stats.in_flight,
        dead_lettered: stats.counts.dead_lettered,
        last_read_age_ms: ms(stats.last_read_age),
    }
}

fn name(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Starting => "starting",
        WorkerState::Running => "running",
        WorkerState::Failing => "failing",
        WorkerState::Draining => "draining",
        WorkerState::Stopped => "stopped",
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
