//! How a spool is doing: counts, ages, events.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use fanfare_client::Error;

use crate::events::events;

/// What was found when a spool was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Messages that waited.
    pub messages: u64,
    /// Bytes at the end of the last file that were no whole message and were cut off: a crash came in
    /// the middle of writing them, so no publisher was told that they are kept (unless the machine went
    /// down, and [`Fsync`](super::Fsync) allows it to lose something).
    pub cut_bytes: u64,
    /// Files that are damaged elsewhere. They were set aside under these names, and all whole messages
    /// in them go on; what was damaged is lost.
    pub quarantined: Vec<PathBuf>,
}

/// How a spool is doing.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SpoolStats {
    /// Messages that wait.
    pub waiting: u64,
    /// Bytes on the disk of messages that wait.
    pub waiting_bytes: u64,
    /// How long the oldest one has waited.
    pub oldest_age: Option<Duration>,
    /// Messages that were sent directly.
    pub sent: u64,
    /// Messages that were appended to the log.
    pub spooled: u64,
    /// Messages of the log that were sent.
    pub replayed: u64,
    /// Of those, how many the broker had already, since an answer or a crash came in between.
    pub duplicates: u64,
    /// Messages that were dropped because the spool was full.
    pub dropped: u64,
    /// Messages that were dropped because they had waited for too long.
    pub expired: u64,
    /// Messages that were not taken, and whose publishers were told: the spool was full, or the disk
    /// failed.
    pub refused: u64,
    /// Messages that the broker refused for good and that were put with the dead letters.
    pub buried: u64,
    /// Dead letters that there are.
    pub dead: u64,
    /// Dead letters that were dropped for newer ones.
    pub dead_dropped: u64,
    /// Damaged files that were set aside since it was opened.
    pub quarantined: u64,
    /// Times that the disk failed.
    pub disk_errors: u64,
    /// What the last attempt to send what waits failed with; `None` after one that did not.
    pub last_error: Option<Error>,
    /// What the disk failed with last; `None` after it has taken something again.
    pub disk_error: Option<Error>,
}

/// Something that happened to a spool.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SpoolEvent {
    /// The broker can not be reached, or does not take messages: from now on they wait.
    Spooling {
        /// Why.
        error: Error,
    },
    /// Everything that waited has been sent.
    Drained {
        /// How many messages since the last time.
        n: u64,
    },
    /// Messages were dropped because the spool was full.
    Dropped {
        /// How many.
        n: u64,
    },
    /// Messages were dropped because they had waited for too long.
    Expired {
        /// How many.
        n: u64,
    },
    /// The broker refuses a message for good. It is with the dead letters.
    Buried {
        /// Which.
        sequence: u64,
        /// Where it was to go, without the namespace.
        name: Bytes,
        /// Why.
        error: Error,
    },
    /// A file turned out to be damaged, and was set aside.
    Quarantined {
        /// Its name now.
        path: PathBuf,
    },
    /// The disk failed. Publishers whose messages could not be kept have been told.
    DiskFailed {
        /// What could not be done.
        error: Error,
    },
    /// This listener was too slow and missed events.
    Missed {
        /// How many.
        n: u64,
    },
}

events! {
    /// The events of one spool, from the moment they were asked for. They end with the spool.
    ///
    /// It holds at most 1,024; a listener that falls behind gets [`SpoolEvent::Missed`].
    SpoolEvents of SpoolEvent, until "the spool is closed"
}
