//! How a queue is doing, and how a worker of it is.

use std::time::Duration;

use fanfare_client::{Error, Value};

use super::handle::{items, odd};
use crate::{client::FromValue, worker::WorkerState};

/// How a queue is doing, as the server tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Tasks that wait for a worker.
    pub ready: u64,
    /// Tasks that wait for their time: new ones, and those that failed and rest. Some of them may be due,
    /// if nobody takes.
    pub delayed: u64,
    /// Tasks that somebody has. The lease of some may have ended, if nobody takes.
    pub leased: u64,
    /// Tasks with the dead letters.
    pub dead: u64,
    /// For how long the first in line has been ready.
    pub first_ready_age: Option<Duration>,
    /// What has happened since the queue exists.
    pub counts: QueueCounts,
}

/// What has happened to a queue since it exists. Kept by the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueCounts {
    /// Tasks put in.
    pub enqueued: u64,
    /// Tasks run well.
    pub done: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Tasks put with the dead letters.
    pub dead: u64,
    /// Leases that ended without a word from whoever had them.
    pub abandoned: u64,
    /// Tasks whose time to live had passed.
    pub expired: u64,
    /// Tasks taken back.
    pub cancelled: u64,
    /// Tasks not put in because of their ID or key.
    pub duplicates: u64,
    /// Tasks that were in line but whose data was gone: evicted, or deleted by somebody.
    pub missing: u64,
    /// Dead letters sent back.
    pub requeued: u64,
}

impl QueueStats {
    pub(crate) fn read(answer: Value) -> Result<Self, Error> {
        let mut answer = items(answer, "statistics")?;
        let mut lengths = [0_i64; 5];
        for length in &mut lengths {
            *length = i64::from_value(answer.next().ok_or_else(|| odd("statistics"))?)?;
        }
        let [ready, delayed, leased, dead, age] = lengths.map(|it| u64::try_from(it).ok());
        let counts: Vec<u64> = Vec::from_value(answer.next().ok_or_else(|| odd("statistics"))?)?;
        let mut counts = counts.into_iter();
        let mut next = || counts.next().unwrap_or(0);
        Ok(Self {
            ready: ready.unwrap_or(0),
            delayed: delayed.unwrap_or(0),
            leased: leased.unwrap_or(0),
            dead: dead.unwrap_or(0),
            first_ready_age: age.map(Duration::from_millis),
            counts: QueueCounts {
                enqueued: next(),
                done: next(),
                failed: next(),
                dead: next(),
                abandoned: next(),
                expired: next(),
                cancelled: next(),
                duplicates: next(),
                missing: next(),
                requeued: next(),
            },
        })
    }
}

/// What a worker of a queue has done since it was started. Kept by the worker itself, and lost with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskCounts {
    /// Tasks taken.
    pub taken: u64,
    /// Of them, those that had been delivered before.
    pub again: u64,
    /// Handlers that ended well.
    pub handled: u64,
    /// Handlers that returned an error.
    pub failed: u64,
    /// Handlers that did not want the task now: a [`Refused`](crate::layers::Refused) or a
    /// [`RetryAfter`](crate::layers::RetryAfter). It is delivered again later, and this does not count.
    pub refused: u64,
    /// Handlers that panicked.
    pub panicked: u64,
    /// Handlers that took longer than they may, and were dropped.
    pub timed_out: u64,
    /// Tasks of which the server knows that they were run well.
    pub completed: u64,
    /// Tasks that were put with the dead letters after they failed here, or because this worker found
    /// that they were delivered too often or can not be read.
    pub dead_lettered: u64,
    /// Tasks that were another's before they were finished.
    pub lost: u64,
    /// Tasks given back when the worker was stopped.
    pub returned: u64,
    /// Attempts to take that failed.
    pub take_errors: u64,
    /// Other commands that failed.
    pub errors: u64,
    /// What the last failure, panic or time-out said.
    pub last_failure: Option<String>,
}

impl TaskCounts {
    /// Handlers that have ended, for better or worse.
    pub fn finished(&self) -> u64 {
        self.handled + self.failed + self.refused + self.panicked + self.timed_out
    }
}

/// How a worker of a queue is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QueueWorkerStats {
    /// What it is doing.
    pub state: WorkerState,
    /// What it has done.
    pub counts: TaskCounts,
    /// Time since the server last answered when it was asked for tasks; while there are none, about a
    /// second. Before the first, since the worker was started.
    pub last_take_age: Duration,
    /// Whether nothing is taken because all places are, the rate is used up, or a layer refuses
    /// everything.
    pub is_held_back: bool,
    /// Handlers that are running.
    pub in_flight: usize,
    /// Tasks that this worker has: those, and those of which the server is being told.
    pub held: usize,
    /// How long the handler that began first has been running.
    pub oldest_running: Option<Duration>,
    /// The last error of a command.
    pub last_error: Option<Error>,
}
