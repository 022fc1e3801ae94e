//! Queues that put tasks in in a way of their own. All else is that of a [`TaskQueue`].

use std::{
    ops::Deref,
    time::{Duration, SystemTime},
};

use fanfare_client::Error;

use super::{Job, TaskId, TaskQueue, Ticket};
use crate::Fanfare;

/// A queue that a task with a certain key is in only once. Made by [`Fanfare::unique_queue`]; it is a
/// [`TaskQueue`] for all else.
///
/// A key is taken from the moment its task is enqueued until it is over: done, with the dead letters,
/// expired or taken back; and if there is a [`window`](Self::window), so long after it was *done*. Keys
/// that are free again take no memory. Twenty programs that enqueue the same key at once make one task.
///
/// # Example: one reindexing at a time
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let reindex = fanfare.unique_queue("reindex");
/// let first = reindex.enqueue("user:7", "").await?;
/// let second = reindex.enqueue("user:7", "").await?;
/// assert!(first.is_new() && !second.is_new());
/// assert_eq!(first.id(), second.id());
/// assert_eq!(reindex.stats().await?.ready, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct UniqueQueue {
    tasks: TaskQueue,
    window: Duration,
}

/// A queue whose important tasks go first, and whose unimportant ones have their turn. Made by
/// [`Fanfare::priority_queue`]; it is a [`TaskQueue`] for all else.
///
/// Tasks are taken in the order of
///
/// > *the time since which it is ready* − *priority* × *boost*
///
/// the smallest first, those of equal priority in the order in which they became ready. So a task of
/// priority *p* overtakes those of priority *q* < *p* that came at most (*p* − *q*) × *boost* before it:
/// however much that is important comes, nothing is overtaken by what comes later than that. With a
/// [`boost`](TaskQueue::boost) of a minute (the default), priority 10 goes ahead of what was enqueued with
/// priority 0 within the last ten minutes.
///
/// The place in line is decided when a task becomes ready and does not change. All who enqueue should have
/// the same boost.
///
/// # Example: what is urgent goes first
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let calls = fanfare.priority_queue("calls");
/// calls.enqueue(0, "newsletter").await?;
/// calls.enqueue(9, "alarm").await?;
/// let taken = calls.take(2).await?;
/// let order: Vec<_> = taken.iter().map(|it| it.task().payload().clone()).collect();
/// assert_eq!(order, ["alarm", "newsletter"]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct PriorityQueue {
    tasks: TaskQueue,
}

/// A queue whose tasks wait for their time. Made by [`Fanfare::delay_queue`]; it is a [`TaskQueue`] for
/// all else: [`cancel`](TaskQueue::cancel), [`reschedule_in`](TaskQueue::reschedule_in) and
/// [`delayed`](TaskQueue::delayed) look after what waits.
///
/// The server's clock decides. No task is run before its time; it is run when its time has come and a
/// worker is free. Workers sleep exactly until the next one is due, and those that wait are woken by a
/// task that is due earlier.
///
/// # Example: a reminder that can be put off
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let reminders = fanfare.delay_queue("reminders");
/// let tea = reminders.enqueue_in(Duration::from_secs(3_600), "tea is ready").await?;
/// assert!(reminders.take(1).await?.is_empty());
/// assert!(reminders.reschedule_in(tea.id(), Duration::from_millis(20)).await?);
/// let taken = reminders.take_within(1, Duration::from_secs(30)).await?;
/// assert_eq!(taken[0].task().text()?, "tea is ready");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct DelayQueue {
    tasks: TaskQueue,
}

impl Fanfare {
    /// The [`UniqueQueue`] of this name.
    pub fn unique_queue(&self, name: impl AsRef<[u8]>) -> UniqueQueue {
        self.task_queue(name).into()
    }

    /// The [`PriorityQueue`] of this name.
    pub fn priority_queue(&self, name: impl AsRef<[u8]>) -> PriorityQueue {
        self.task_queue(name).into()
    }

    /// The [`DelayQueue`] of this name.
    pub fn delay_queue(&self, name: impl AsRef<[u8]>) -> DelayQueue {
        self.task_queue(name).into()
    }
}

impl UniqueQueue {
    /// For how long after its task was done a key is still taken. Default: not at all.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Puts a task in, unless its key is taken: then the [ticket](Ticket) is that of the task that has
    /// it, and not [new](Ticket::is_new).
    ///
    /// # Errors
    /// As [`TaskQueue::enqueue`].
    ///
    /// # Cancel safety
    /// As [`TaskQueue::enqueue`].
    pub async fn enqueue(
        &self,
        key: impl AsRef<[u8]>,
        job: impl Into<Job>,
    ) -> Result<Ticket, Error> {
        self.tasks.enqueue(job.into().unique(key, self.window)).await
    }
}

impl PriorityQueue {
    /// Puts a task in; higher is earlier, and negative is possible.
    ///
    /// # Errors
    /// As [`TaskQueue::enqueue`].
    ///
    /// # Cancel safety
    /// As [`TaskQueue::enqueue`].
    pub async fn enqueue(&self, priority: i16, job: impl Into<Job>) -> Result<Ticket, Error> {
        self.tasks.enqueue(job.into().priority(priority)).await
    }
}

impl DelayQueue {
    /// Puts a task in that is due so long from now.
    ///
    /// # Errors
    /// As [`TaskQueue::enqueue`].
    ///
    /// # Cancel safety
    /// As [`TaskQueue::enqueue`].
    pub async fn enqueue_in(&self, delay: Duration, job: impl Into<Job>) -> Result<Ticket, Error> {
        self.tasks.enqueue(job.into().delay(delay)).await
    }

    /// Puts a task in that is due at this moment, by the server's clock; to the millisecond.
    ///
    /// # Errors
    /// As [`TaskQueue::enqueue`].
    ///
    /// # Cancel safety
    /// As [`TaskQueue::enqueue`].
    pub async fn enqueue_at(
        &self,
        moment: SystemTime,
        job: impl Into<Job>,
    ) -> Result<Ticket, Error> {
        self.tasks.enqueue(job.into().at(moment)).await
    }

    /// When a task is due. `None`: it does not wait for its time.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn due(&self, id: &TaskId) -> Result<Option<SystemTime>, Error> {
        let info = self.tasks.show(id).await?;
        Ok(info.filter(|it| it.state == super::TaskState::Delayed).and_then(|it| it.due))
    }
}

impl From<TaskQueue> for UniqueQueue {
    fn from(tasks: TaskQueue) -> Self {
        Self { tasks, window: Duration::ZERO }
    }
}

/// Queues that are nothing but a [`TaskQueue`] with another way in.
macro_rules! kinds {
    ($($name:ident),+) => {$(
        impl From<TaskQueue> for $name {
            fn from(tasks: TaskQueue) -> Self {
                Self { tasks }
            }
        }
    )+};
}

/// What a [`TaskQueue`] can do, they can.
macro_rules! task_queues {
    ($($name:ident),+) => {$(
        impl Deref for $name {
            type Target = TaskQueue;

            fn deref(&self) -> &TaskQueue {
                &self.tasks
            }
        }
    )+};
}

kinds!(PriorityQueue, DelayQueue);
task_queues!(UniqueQueue, PriorityQueue, DelayQueue);
