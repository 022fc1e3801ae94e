//! What the parts of one running service share.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use fanfare_client::{Error, ErrorKind};
use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};

use super::{
    Retention, ServiceCounts, ServiceEvent, ServiceState, Shutdown, names::Names, report::Check,
};
use crate::{Tolerance, agreed::Agreed, client::Client, worker::WorkerStats};

/// Tells how a worker is doing.
pub(super) type Look = Box<dyn Fn() -> WorkerStats + Send + Sync>;

/// See the module.
pub(super) struct Core {
    pub(super) client: Client,
    pub(super) names: Names,
    pub(super) name: String,
    pub(super) instance: String,
    pub(super) retention: Retention,
    pub(super) agreed: Agreed,
    pub(super) tolerance: Tolerance,
    pub(super) checks: Vec<Check>,
    pub(super) state: watch::Sender<ServiceState>,
    pub(super) shutdown: watch::Sender<Option<Shutdown>>,
    /// The workers and their streams, as soon as they run.
    pub(super) looks: OnceLock<Vec<(String, Look)>>,
    pub(super) begun_at: Instant,
    pub(super) events: broadcast::Sender<ServiceEvent>,
    counts: Mutex<ServiceCounts>,
}

/// How many events wait for a listener that is slow.
const EVENTS_MAX: usize = 1_024;

impl Core {
    pub(super) fn new(
        client: Client,
        names: Names,
        name: String,
        instance: String,
        (retention, agreed): (Retention, Agreed),
        (tolerance, checks): (Tolerance, Vec<Check>),
    ) -> Arc<Self> {
        Arc::new(Self {
            client,
            names,
            name,
            instance,
            retention,
            agreed,
            tolerance,
            checks,
            state: watch::Sender::new(ServiceState::Starting),
            shutdown: watch::Sender::new(None),
            looks: OnceLock::new(),
            begun_at: Instant::now(),
            events: broadcast::channel(EVENTS_MAX).0,
            counts: Mutex::default(),
        })
    }

    pub(super) fn state(&self) -> ServiceState {
        *self.state.borrow()
    }

    pub(super) fn counts(&self) -> MutexGuard<'_, ServiceCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn uptime(&self) -> Duration {
        self.begun_at.elapsed()
    }

    /// The workers' streams and how they are doing.
    pub(super) fn workers(&self) -> Vec<(String, WorkerStats)> {
        let looks = self.looks.get().map(Vec::as_slice).unwrap_or_default();
        looks.iter().map(|(stream, look)| (stream.clone(), look())).collect()
    }

    pub(super) fn tell(&self, event: ServiceEvent) {
        tracing::debug!(service = self.name, instance = self.instance, ?event, "service");
        // No listener is no error.
        let _ = self.events.send(event);
    }

    /// The time of the broker, in milliseconds since the epoch: all who ask it agree.
    pub(super) async fn now_ms(client: &Client) -> Result<u64, Error> {
        let reply = client.command(["TIME"]).await?;
        let parts: Vec<u64> = crate::client::FromValue::from_value(reply)?;
        match parts[..] {
            [seconds, micros] => Ok(seconds.saturating_mul(1_000).saturating_add(micros / 1_000)),
            _ => {
                let message = "the server's answer to TIME is not two numbers";
                Err(Error::new(ErrorKind::Protocol, message))
            }
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("name", &self.name)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}
