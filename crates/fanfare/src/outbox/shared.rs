//! What a relay's task and its handles share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, broadcast};

use super::stats::{RelayEvent, RelayEvents, RelayStats};

#[derive(Debug)]
pub(super) struct Shared {
    /// Somebody says that there is something to send.
    pub(super) wake: Notify,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stats: RelayStats,
    /// `None`: the relay has ended.
    events: Option<broadcast::Sender<RelayEvent>>,
}

impl Shared {
    pub(super) fn new() -> Self {
        let events = Some(broadcast::channel(1024).0);
        let state = State { stats: RelayStats::default(), events };
        Self { wake: Notify::new(), state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stats(&self) -> RelayStats {
        self.lock().stats.clone()
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut RelayStats) -> T) -> T {
        change(&mut self.lock().stats)
    }

    pub(super) fn announce(&self, event: RelayEvent) {
        match &event {
            RelayEvent::Active => tracing::info!("the relay of an outbox is active"),
            RelayEvent::Standby => tracing::info!("the relay of an outbox stands by"),
            RelayEvent::BrokerFailed { error } => {
                tracing::warn!(%error, "messages wait in the outbox");
            }
            RelayEvent::DatabaseFailed { error } => {
                tracing::error!(%error, "the outbox's database failed");
            }
            RelayEvent::Drained { n } => tracing::debug!(n, "the outbox is empty"),
            RelayEvent::Expired { n } => tracing::warn!(n, "messages of the outbox are too old"),
            RelayEvent::Buried { id, error, .. } => {
                tracing::warn!(id, %error, "a message of the outbox is refused for good");
            }
            RelayEvent::Missed { .. } => {}
        }
        if let Some(events) = &self.lock().events {
            // No listener is no error.
            let _ = events.send(event);
        }
    }

    pub(super) fn events(&self) -> RelayEvents {
        let state = self.lock();
        let listen = |events: &broadcast::Sender<RelayEvent>| events.subscribe();
        // Of one that has ended there are none, and they have ended.
        RelayEvents(state.events.as_ref().map_or_else(|| broadcast::channel(1).1, listen))
    }

    /// The relay has ended.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.stats.is_active = false;
        state.events = None;
    }
}
