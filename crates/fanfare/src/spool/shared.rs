//! What a spool's task and its handles share: counts and events.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fanfare_client::Error;
use tokio::sync::broadcast;

use super::{
    log::{Incidents, Log},
    record,
    stats::{Recovery, SpoolEvent, SpoolEvents, SpoolStats},
};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) recovery: Recovery,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stats: SpoolStats,
    /// When the oldest message that waits was handed over.
    oldest: Option<u64>,
    /// `None`: the spool is closed.
    events: Option<broadcast::Sender<SpoolEvent>>,
}

impl Shared {
    pub(super) fn new(recovery: Recovery) -> Self {
        let events = Some(broadcast::channel(1024).0);
        let state = State { stats: SpoolStats::default(), oldest: None, events };
        Self { recovery, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stats(&self) -> SpoolStats {
        let state = self.lock();
        let mut stats = state.stats.clone();
        let age = |oldest| record::now().saturating_sub(oldest);
        stats.oldest_age = state.oldest.map(age).map(std::time::Duration::from_micros);
        stats
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut SpoolStats) -> T) -> T {
        change(&mut self.lock().stats)
    }

    /// How much waits, as the log says.
    pub(super) fn look(&self, log: &Log) {
        let mut state = self.lock();
        let waiting = log.waiting();
        (state.stats.waiting, state.stats.waiting_bytes) = (waiting.messages, waiting.bytes);
        (state.stats.dead, state.oldest) = (log.dead.len(), log.oldest());
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().stats.waiting == 0
    }

    pub(super) fn has_disk_error(&self) -> bool {
        self.lock().stats.disk_error.is_some()
    }

    /// Counts and tells what happened in the log.
    pub(super) fn tell(&self, incidents: Incidents) {
        let Incidents { dropped, expired, dead_dropped, quarantined, errors, sync_error } =
            incidents;
        self.change(|stats| {
            stats.dropped += dropped;
            stats.dead_dropped += dead_dropped;
            stats.quarantined += quarantined.len() as u64;
        });
        if 0 < dropped {
            self.announce(SpoolEvent::Dropped { n: dropped });
        }
        self.expired(expired);
        for path in quarantined {
            self.announce(SpoolEvent::Quarantined { path });
        }
        errors.iter().chain(&sync_error).for_each(|error| self.disk_failed(error));
    }

    pub(super) fn expired(&self, n: u64) {
        if 0 < n {
            self.change(|stats| stats.expired += n);
            self.announce(SpoolEvent::Expired { n });
        }
    }

    pub(super) fn disk_failed(&self, error: &Error) {
        self.change(|stats| {
            stats.disk_errors += 1;
            stats.disk_error = Some(error.clone());
        });
        self.announce(SpoolEvent::DiskFailed { error: error.clone() });
    }

    pub(super) fn disk_works(&self) {
        self.change(|stats| stats.disk_error = None);
    }

    pub(super) fn announce(&self, event: SpoolEvent) {
        match &event {
            SpoolEvent::Spooling { error } => tracing::warn!(%error, "messages wait in the spool"),
            SpoolEvent::Drained { n } => tracing::info!(n, "the spool is empty again"),
            SpoolEvent::Dropped { n } => tracing::warn!(n, "the spool is full: messages dropped"),
            SpoolEvent::Expired { n } => tracing::warn!(n, "messages of the spool are too old"),
            SpoolEvent::Buried { sequence, error, .. } => {
                tracing::warn!(sequence, %error, "a message of the spool is refused for good");
            }
            SpoolEvent::Quarantined { path } => {
                tracing::error!(path = %path.display(), "a file of the spool is damaged");
            }
            SpoolEvent::DiskFailed { error } => tracing::error!(%error, "the spool's disk failed"),
            SpoolEvent::Missed { .. } => {}
        }
        if let Some(events) = &self.lock().events {
            // No listener is no error.
            let _ = events.send(event);
        }
    }

    pub(super) fn events(&self) -> SpoolEvents {
        let state = self.lock();
        let listen = |events: &broadcast::Sender<SpoolEvent>| events.subscribe();
        // Of one that is closed there are none, and they have ended.
        SpoolEvents(state.events.as_ref().map_or_else(|| broadcast::channel(1).1, listen))
    }

    /// The spool is closed.
    pub(super) fn end(&self) {
        self.lock().events = None;
    }
}
