//! Queues that put tasks in in a way of their own.

use std::{
    ops::Deref,
    time::{Duration, SystemTime},
};

use super::{TaskQueue, Ticket};
use crate::{
    Error,
    blocking::{Fanfare, runtime, twin},
    queue::{self, Job, TaskId},
};

/// The twin of [`fanfare::queue::UniqueQueue`](crate::queue::UniqueQueue): a task with a certain key is in
/// it only once. For all else it is a [`TaskQueue`].
///
/// # Example: one reindexing at a time
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let reindex = fanfare.unique_queue("blocking reindex");
/// assert!(reindex.enqueue("user:7", "")?.is_new());
/// assert!(!reindex.enqueue("user:7", "")?.is_new());
/// assert_eq!(reindex.stats()?.ready, 1);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct UniqueQueue {
    inner: queue::UniqueQueue,
    tasks: TaskQueue,
}

/// The twin of [`fanfare::queue::PriorityQueue`](crate::queue::PriorityQueue): important tasks go first, and
/// unimportant ones have their turn. For all else it is a [`TaskQueue`].
///
/// # Example: what is urgent goes first
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let calls = fanfare.priority_queue("blocking calls");
/// calls.enqueue(0, "newsletter")?;
/// calls.enqueue(9, "alarm")?;
/// let order: Vec<_> = calls.take(2)?.iter().map(|it| it.task().payload().clone()).collect();
/// assert_eq!(order, ["alarm", "newsletter"]);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PriorityQueue {
    inner: queue::PriorityQueue,
    tasks: TaskQueue,
}

/// The twin of [`fanfare::queue::DelayQueue`](crate::queue::DelayQueue): tasks wait for their time. For all
/// else it is a [`TaskQueue`].
///
/// # Example: a reminder that can be put off
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
///
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let reminders = fanfare.delay_queue("blocking reminders");
/// let tea = reminders.enqueue_in(Duration::from_secs(3_600), "tea is ready")?;
/// assert!(reminders.reschedule_in(tea.id(), Duration::from_millis(20))?);
/// let taken = reminders.take_within(1, Duration::from_secs(30))?;
/// assert_eq!(taken[0].task().text()?, "tea is ready");
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DelayQueue {
    inner: queue::DelayQueue,
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
    pub fn window(self, window: Duration) -> Self {
        Self { inner: self.inner.window(window), ..self }
    }

    /// Puts a task in, unless its key is taken: then the ticket is that of the task that has it.
    ///
    /// # Errors
    /// As [`UniqueQueue::enqueue`](crate::queue::UniqueQueue::enqueue).
    pub fn enqueue(&self, key: impl AsRef<[u8]>, job: impl Into<Job>) -> Result<Ticket, Error> {
        Ok(Ticket { inner: runtime::wait(self.inner.enqueue(key, job))? })
    }
}

impl PriorityQueue {
    /// Puts a task in; higher is earlier, and negative is possible.
    ///
    /// # Errors
    /// As [`PriorityQueue::enqueue`](crate::queue::PriorityQueue::enqueue).
    pub fn enqueue(&self, priority: i16, job: impl Into<Job>) -> Result<Ticket, Error> {
        Ok(Ticket { inner: runtime::wait(self.inner.enqueue(priority, job))? })
    }
}

impl DelayQueue {
    /// Puts a task in that is due so long from now.
    ///
    /// # Errors
    /// As [`DelayQueue::enqueue_in`](crate::queue::DelayQueue::enqueue_in).
    pub fn enqueue_in(&self, delay: Duration, job: impl Into<Job>) -> Result<Ticket, Error> {
        Ok(Ticket { inner: runtime::wait(self.inner.enqueue_in(delay, job))? })
    }

    /// Puts a task in that is due at this moment, by the server's clock; to the millisecond.
    ///
    /// # Errors
    /// As [`DelayQueue::enqueue_at`](crate::queue::DelayQueue::enqueue_at).
    pub fn enqueue_at(&self, moment: SystemTime, job: impl Into<Job>) -> Result<Ticket, Error> {
        Ok(Ticket { inner: runtime::wait(self.inner.enqueue_at(moment, job))? })
    }
}

twin!(DelayQueue {
    /// When a task is due. `None`: it does not wait for its time.
    fn due(&self, id: &TaskId) -> Option<SystemTime>;
});

macro_rules! task_queues {
    ($($name:ident),+) => {$(
        impl From<TaskQueue> for $name {
            fn from(tasks: TaskQueue) -> Self {
                Self { inner: tasks.inner.clone().into(), tasks }
            }
        }

        impl Deref for $name {
            type Target = TaskQueue;

            fn deref(&self) -> &TaskQueue {
                &self.tasks
            }
        }
    )+};
}

task_queues!(UniqueQueue, PriorityQueue, DelayQueue);
