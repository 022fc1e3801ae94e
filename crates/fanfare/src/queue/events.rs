//! What happens to a worker of a queue, for those who listen.

use std::time::Duration;

use bytes::Bytes;
use fanfare_client::Error;

use super::TaskId;
use crate::events::events;

/// Something that happened to a worker of a queue.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum QueueWorkerEvent {
    /// No tasks could be taken. It is tried again, for ever. Told for the first of several in a row.
    TakeFailed {
        /// Why.
        error: Error,
    },
    /// Taking succeeds again.
    TakesAgain {
        /// How long it did not.
        outage: Duration,
    },
    /// Another command failed: the server could not be told of a task, or leases were not renewed.
    Failed {
        /// What.
        what: &'static str,
        /// Why.
        error: Error,
    },
    /// A layer refuses what is run: its breaker is open, its limit is reached, or it can not ask the
    /// broker. Nothing is taken for a while. Told for the first of several in a row.
    Paused {
        /// For so long, unless more is refused.
        wait: Duration,
        /// What the layer says.
        error: String,
    },
    /// A task was taken whose lease had ended without a word from whoever had it.
    TakenOver {
        /// Which.
        id: TaskId,
        /// Who had it.
        from: Bytes,
        /// How often it has been delivered, with this time.
        deliveries: u64,
    },
    /// Tasks are not this worker's any more.
    Lost {
        /// Which.
        ids: Vec<TaskId>,
    },
    /// A task was put with the dead letters: it failed here, or this worker has found that it was
    /// delivered too often or can not be read.
    DeadLettered {
        /// Which.
        id: TaskId,
        /// The last failure.
        error: String,
    },
    /// This listener was too slow and missed events.
    Missed {
        /// How many.
        n: u64,
    },
}

events! {
    /// The events of one worker, from the moment they were asked for. They end with the worker. Made by
    /// [`RunningQueueWorker::events`](super::RunningQueueWorker::events).
    ///
    /// It holds at most 1,024; a listener that falls behind gets [`QueueWorkerEvent::Missed`].
    ///
    /// # Example: what dies is told at once
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{Fanfare, Permanent, queue::{QueueWorkerEvent, Task}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = Fanfare::connect("embedded:").await?;
    /// let mails = fanfare.task_queue("mails with events");
    /// let worker = mails.worker().spawn(async |_: Task| Err::<(), _>(Permanent::new("no address")))?;
    /// let mut events = worker.events();
    /// mails.enqueue("to nobody").await?;
    /// while let Some(event) = events.next().await {
    ///     if let QueueWorkerEvent::DeadLettered { id, error } = event {
    ///         println!("{id}: {error}");
    ///         break;
    ///     }
    /// }
    /// worker.stop().await;
    /// # Ok(()) }
    /// ```
    QueueWorkerEvents of QueueWorkerEvent, until "the worker has ended"
}
