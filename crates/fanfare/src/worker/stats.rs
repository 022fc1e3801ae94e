//! How a worker is doing: counts, ages and events.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, LiveState};

use crate::{events::events, stream::StreamId};

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// It has not yet read anything, not even that there is nothing.
    Starting,
    /// It reads and handles.
    Running,
    /// Reading has failed since the last success; it is tried again, for ever. See
    /// [`last_error`](WorkerStats::last_error).
    Failing,
    /// It reads no more, and finishes what it has.
    Draining,
    /// It has ended.
    Stopped,
}

impl WorkerState {
    /// What health is told. Whoever has all its places taken does not read on purpose.
    pub(crate) fn live(self, is_held_back: bool) -> LiveState {
        match self {
            Self::Failing => LiveState::Down,
            Self::Stopped => LiveState::Ended(Error::new(
                ErrorKind::Closed,
                "the worker was stopped, or its connection was closed",
            )),
            Self::Starting | Self::Running | Self::Draining if is_held_back => LiveState::HeldBack,
            Self::Starting | Self::Running | Self::Draining => LiveState::Up,
        }
    }
}

/// What a worker has done since it was started. Kept by the worker itself, and lost with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Handlers that ended well.
    pub handled: u64,
    /// Handlers that returned an error.
    pub failed: u64,
    /// Handlers that panicked.
    pub panicked: u64,
    /// Handlers that took longer than they may, and were dropped.
    pub timed_out: u64,
    /// Handlers that did not want the entry now: a [`Refused`](crate::layers::Refused) or a
    /// [`RetryAfter`](crate::layers::RetryAfter). It waits, and is begun once more.
    pub refused: u64,
    /// Failures after which the entry is to be tried again.
    pub retried: u64,
    /// Entries put with the dead letters.
    pub dead_lettered: u64,
    /// Entries acknowledged.
    pub acknowledged: u64,
    /// Entries read as new ones.
    pub read: u64,
    /// Entries taken that had been delivered before: from dead consumers, given back by others,
    /// their time to be tried again has come, or their delivery to this worker went astray.
    pub claimed: u64,
    /// Entries that were not this worker's any more before they were finished.
    pub lost: u64,
    /// Entries given back when the worker was stopped.
    pub returned: u64,
    /// Entries that were pending but gone from the stream: cleared.
    pub cleared: u64,
    /// Reads that failed.
    pub read_errors: u64,
    /// Other commands that failed: acknowledgements, renewals, claims.
    pub errors: u64,
    /// Times that the group was missing and was made again.
    pub groups_made: u64,
    /// Dead consumers that were removed.
    pub consumers_reaped: u64,
    /// Entries trimmed away because every group had acknowledged them.
    pub trimmed: u64,
    /// What the last failure, panic or time-out said.
    pub last_failure: Option<String>,
}

impl Counts {
    /// Handlers that have ended, for better or worse.
    pub fn finished(&self) -> u64 {
        self.handled + self.failed + self.refused + self.panicked + self.timed_out
    }
}

/// How a worker is doing.
///
/// *Health is an age.* A worker that is [`Running`](WorkerState::Running) and whose
/// [`last_read_age`](Self::last_read_age) is a few seconds gets what there is to get. If it is
/// older, either [`is_held_back`](Self::is_held_back): all places are taken, and
/// [`oldest_running`](Self::oldest_running) tells for how long; or the server can not be reached,
/// and [`last_error`](Self::last_error) tells why.
///
/// # Example: a check for whoever watches the program
/// ```
/// use std::time::Duration;
/// use fanfare::worker::{WorkerState, WorkerStats};
///
/// fn is_healthy(stats: &WorkerStats) -> bool {
///     match stats.state {
///         WorkerState::Running if stats.is_held_back => {
///             stats.oldest_running.is_none_or(|it| it < Duration::from_secs(600))
///         }
///         WorkerState::Running => stats.last_read_age < Duration::from_secs(15),
///         WorkerState::Starting | WorkerState::Draining => true,
///         WorkerState::Failing | WorkerState::Stopped => false,
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerStats {
    /// What it is doing.
    pub state: WorkerState,
    /// What it has done.
    pub counts: Counts,
    /// Time since a read was last answered, with or without entries; while there is nothing to
    /// read, at most about a second. Before the first, since the worker was started.
    pub last_read_age: Duration,
    /// Time since any command was last answered well: renewals, acknowledgements, looks at the group.
    pub last_contact_age: Duration,
    /// Whether nothing is read because there is no place for more.
    pub is_held_back: bool,
    /// Entries that this worker has: being handled, read ahead, resting, or done and not yet
    /// confirmed.
    pub held: usize,
    /// Handlers that are running.
    pub in_flight: usize,
    /// How long the handler that began first has been running.
    pub oldest_running: Option<Duration>,
    /// Entries of the stream that are still to be delivered to the group, as of the last look, at
    /// most some seconds ago; `None` if the server can not tell.
    pub lag: Option<u64>,
    /// Entries pending in the group, those of all consumers, as of the last look.
    pub pending: Option<u64>,
    /// Time since the oldest entry that is pending was added, by its ID, as of now.
    pub oldest_pending_age: Option<Duration>,
    /// The last error of a command.
    pub last_error: Option<Error>,
}

/// Something that happened to a worker.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// A read failed. It is tried again, for ever. Told for the first of several in a row.
    ReadFailed {
        /// Why.
        error: Error,
    },
    /// Reading succeeds again.
    ReadAgain {
        /// How long it did not.
        outage: Duration,
    },
    /// Something else failed: an acknowledgement, a renewal, a claim. It is tried again.
    Failed {
        /// What.
        what: &'static str,
        /// Why.
        error: Error,
    },
    /// The group was missing, and was made again.
    GroupMade {
        /// Behind which entry it goes on.
        after: StreamId,
        /// Whether the stream was missing too, or is another one than before.
        is_new_stream: bool,
    },
    /// An entry was taken that had been delivered before.
    Claimed {
        /// Which.
        id: StreamId,
        /// From whom; empty if it had been given back.
        from: Bytes,
        /// How often it has been delivered, with this time.
        deliveries: u64,
    },
    /// Entries are not this worker's any more.
    Lost {
        /// Which.
        ids: Vec<StreamId>,
    },
    /// An entry was put with the dead letters.
    DeadLettered {
        /// Which.
        id: StreamId,
        /// Its ID there.
        dead_id: StreamId,
        /// The last failure.
        error: String,
    },
    /// Entries were pending but gone from the stream.
    Cleared {
        /// Which.
        ids: Vec<StreamId>,
    },
    /// A consumer that gave no sign of life and had nothing was removed.
    Reaped {
        /// Its name.
        consumer: Bytes,
    },
    /// This listener was too slow and missed events.
    Missed {
        /// How many.
        n: u64,
    },
}

events! {
    /// The events of one worker, from the moment they were asked for. They end with the worker.
    ///
    /// It holds at most 1,024; a listener that falls behind gets [`WorkerEvent::Missed`].
    WorkerEvents of WorkerEvent, until "the worker has ended"
}

/// Time since an entry was added, by its ID.
pub(crate) fn age(id: StreamId) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_millis(id.ms))
}
