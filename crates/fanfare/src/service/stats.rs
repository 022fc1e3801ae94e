//! How a service is doing: counts and events.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::control::{RefusedOrder, Shutdown};
use crate::{events::events, worker::WorkerStats};

/// What a service is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// It subscribes and makes its groups. Its `service_started` is not published yet.
    Starting,
    /// It handles events.
    Running,
    /// It takes no more events, and finishes what it has.
    Stopping,
    /// It has ended.
    Stopped,
}

impl ServiceState {
    /// Its name in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// What an instance has counted since it was started. A delivery counts each time: one that is tried
/// again as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceCounts {
    /// Events emitted.
    pub emitted: u64,
    /// Events that could not be emitted.
    pub emit_failed: u64,
    /// Older events that had to go for those emitted.
    pub trimmed: u64,
    /// Events whose handler ended well.
    pub handled: u64,
    /// Events whose handler returned an error. What panicked is counted by the workers.
    pub failed: u64,
    /// Events of this service's own that were for the others.
    pub own: u64,
    /// Events of a type for which there is no handler.
    pub unknown_kinds: u64,
    /// Events of a version for which there is no handler, although there is one for the type.
    pub unknown_versions: u64,
    /// Entries that are no events.
    pub malformed: u64,
    /// Hints that were handled well.
    pub hints_handled: u64,
    /// Hints whose handler returned an error.
    pub hints_failed: u64,
    /// Hints that this service's own instances gave to the others.
    pub hints_own: u64,
    /// Hints of a type for which there is no handler, and what is no hint.
    pub hints_unknown: u64,
    /// Questions about its health.
    pub health_asked: u64,
    /// Orders that were obeyed.
    pub orders_obeyed: u64,
    /// Orders that were refused: see [`ServiceEvent::OrderRefused`] for why.
    pub orders_refused: u64,
}

/// How an instance is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceStats {
    /// What it is doing.
    pub state: ServiceState,
    /// Time since it was started.
    pub uptime: Duration,
    /// What it has counted.
    pub counts: ServiceCounts,
    /// The streams that it reads, and how the worker of each is doing.
    pub workers: Vec<(String, WorkerStats)>,
}

/// Something that happened to an instance. What happens to its workers is told by
/// [`RunningService::worker_events`](super::RunningService::worker_events).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServiceEvent {
    /// It is in another state.
    State(ServiceState),
    /// An event of a type for which there is no handler.
    UnknownKind {
        /// The event's id.
        event_id: String,
        /// Its type.
        kind: String,
    },
    /// An event of a version for which there is no handler, although there is one for the type.
    UnknownVersion {
        /// The event's id.
        event_id: String,
        /// Its type.
        kind: String,
        /// Its version.
        version: String,
    },
    /// An entry that is no event.
    Malformed {
        /// Where it is.
        from: String,
    },
    /// A hint's handler failed.
    HintFailed {
        /// The hint's type.
        kind: String,
        /// Why.
        error: String,
    },
    /// It was ordered to shut down. Who runs it stops it.
    Shutdown(Shutdown),
    /// It was given another configuration.
    Configured {
        /// Who has sent it.
        sender: String,
    },
    /// An order was refused.
    OrderRefused {
        /// Why.
        reason: RefusedOrder,
        /// The key by which it was signed, as far as it says so.
        key_id: Option<String>,
    },
    /// This listener was too slow and missed events.
    Missed {
        /// How many.
        n: u64,
    },
}

events! {
    /// The events of one instance, from the moment they were asked for. They end with it.
    ///
    /// It holds at most 1,024; a listener that falls behind gets [`ServiceEvent::Missed`].
    ServiceEvents of ServiceEvent, until "the instance is gone"
}
