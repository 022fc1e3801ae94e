//! Queues of tasks.

mod kinds;
#[cfg(feature = "cron")]
mod schedules;
mod worker;

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::{Fanfare, runtime, twin};
use crate::{
    Backoff, Error,
    queue::{self, Ending, Failing, Job, QueueStats, Settled, Task, TaskId, TaskInfo},
};
pub use kinds::{DelayQueue, PriorityQueue, UniqueQueue};
#[cfg(feature = "cron")]
pub use schedules::{RunningScheduler, Schedules};
pub use worker::{QueueWorker, QueueWorkerEvents, RunningQueueWorker};

/// The twin of [`fanfare::queue::TaskQueue`](crate::queue::TaskQueue): a queue of tasks, each of which is run
/// at least once, by one worker at a time. Made by [`Fanfare::task_queue`]. The options and their defaults
/// are told there.
///
/// # Example: a loop of one's own
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
///
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let mails = fanfare.task_queue("blocking mails");
/// let ticket = mails.enqueue("to ada")?;
/// for taken in mails.take_within(10, Duration::from_secs(5))? {
///     taken.task().set_result("sent");
///     let _ = taken.complete()?;
/// }
/// let ending = ticket.outcome(Duration::from_secs(30))?;
/// assert_eq!(ending, Some(fanfare::queue::Ending::Done(Some("sent".into()))));
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TaskQueue {
    inner: queue::TaskQueue,
}

impl Fanfare {
    /// The queue of this name.
    pub fn task_queue(&self, name: impl AsRef<[u8]>) -> TaskQueue {
        TaskQueue { inner: self.inner.task_queue(name) }
    }
}

impl TaskQueue {
    /// After how long without a sign of life from whoever has it a task goes to another one.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        Self { inner: self.inner.lease(lease) }
    }

    /// How long a task that failed rests.
    #[must_use]
    pub fn retry(self, backoff: Backoff) -> Self {
        Self { inner: self.inner.retry(backoff) }
    }

    /// How often a task is delivered before it is put with the dead letters, if it does not say so
    /// itself; 0 stands for no bound.
    #[must_use]
    pub fn deliveries_max(self, n: u64) -> Self {
        Self { inner: self.inner.deliveries_max(n) }
    }

    /// How long the queue knows of a task that is over, if the task does not say so itself.
    #[must_use]
    pub fn result_ttl(self, ttl: Duration) -> Self {
        Self { inner: self.inner.result_ttl(ttl) }
    }

    /// For how long each step of priority outweighs waiting.
    #[must_use]
    pub fn boost(self, boost: Duration) -> Self {
        Self { inner: self.inner.boost(boost) }
    }

    /// Refuses to enqueue what does not fit, and sends nothing then.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn contract(self, contract: impl Into<crate::schema::Contract>) -> Self {
        Self { inner: self.inner.contract(contract) }
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        self.inner.name()
    }

    /// Puts a task in.
    ///
    /// # Errors
    /// As [`TaskQueue::enqueue`](crate::queue::TaskQueue::enqueue).
    pub fn enqueue(&self, job: impl Into<Job>) -> Result<Ticket, Error> {
        Ok(Ticket { inner: runtime::wait(self.inner.enqueue(job))? })
    }

    /// The same with a value as JSON.
    ///
    /// # Errors
    /// As [`TaskQueue::enqueue_json`](crate::queue::TaskQueue::enqueue_json).
    pub fn enqueue_json(&self, value: &(impl Serialize + ?Sized)) -> Result<Ticket, Error> {
        Ok(Ticket { inner: runtime::wait(self.inner.enqueue_json(value))? })
    }

    /// Puts many tasks in, in their order: a hundred at a time, or as many as are a mebibyte, each time
    /// all or none.
    ///
    /// # Errors
    /// As [`TaskQueue::enqueue_many`](crate::queue::TaskQueue::enqueue_many).
    pub fn enqueue_many(&self, jobs: impl IntoIterator<Item = Job>) -> Result<Vec<Ticket>, Error> {
        let tickets = runtime::wait(self.inner.enqueue_many(jobs))?;
        Ok(tickets.into_iter().map(|inner| Ticket { inner }).collect())
    }

    /// The ticket of a task whose ID is known, for its outcome. Nothing is sent.
    pub fn ticket(&self, id: impl Into<TaskId>) -> Ticket {
        Ticket { inner: self.inner.ticket(id) }
    }

    /// Takes up to `n` tasks (at most 200 at once), those first in line first. It may be none.
    ///
    /// # Errors
    /// As [`TaskQueue::take`](crate::queue::TaskQueue::take).
    pub fn take(&self, n: usize) -> Result<Vec<Taken>, Error> {
        Ok(taken(runtime::wait(self.inner.take(n))?))
    }

    /// The same, and waits for at most so long until there is one.
    ///
    /// # Errors
    /// As [`TaskQueue::take_within`](crate::queue::TaskQueue::take_within).
    pub fn take_within(&self, n: usize, timeout: Duration) -> Result<Vec<Taken>, Error> {
        Ok(taken(runtime::wait(self.inner.take_within(n, timeout))?))
    }

    /// The tasks that failed too often.
    pub fn dead_letters(&self) -> DeadTasks {
        DeadTasks { inner: self.inner.dead_letters() }
    }

    /// A worker of this queue, to be described further.
    pub fn worker(&self) -> QueueWorker {
        QueueWorker { inner: self.inner.worker() }
    }
}

fn taken(taken: Vec<queue::Taken>) -> Vec<Taken> {
    taken.into_iter().map(|inner| Taken { inner }).collect()
}

twin!(TaskQueue {
    /// Takes a task back that is not being run. `false`: it is being run, is over, or was never there.
    fn cancel(&self, id: &TaskId) -> bool;

    /// Gives a task that is not being run another time, so long from now. `false`: it is being run, is
    /// over, or was never there.
    fn reschedule_in(&self, id: &TaskId, delay: Duration) -> bool;

    /// The same with a moment.
    fn reschedule_at(&self, id: &TaskId, moment: SystemTime) -> bool;

    /// What the queue knows of a task. `None`: nothing, or nothing any more.
    fn show(&self, id: &TaskId) -> Option<TaskInfo>;

    /// The tasks that wait for their time, and when that is: those that are due first, at most `n`.
    fn delayed(&self, n: u32) -> Vec<(TaskId, SystemTime)>;

    /// How long it is, for how long the first in line has been waiting, and what has happened since the
    /// queue exists.
    fn stats(&self) -> QueueStats;
});

/// The twin of [`fanfare::queue::Ticket`](crate::queue::Ticket): a task that was enqueued.
#[derive(Clone, Debug)]
pub struct Ticket {
    inner: queue::Ticket,
}

impl Ticket {
    /// The task's ID: that of the other task if this one was a [duplicate](Self::is_new).
    pub fn id(&self) -> &TaskId {
        self.inner.id()
    }

    /// Whether a task was put in. `false`: there is one already with this ID or its key, or the ticket was
    /// made by [`TaskQueue::ticket`].
    pub fn is_new(&self) -> bool {
        self.inner.is_new()
    }
}

twin!(Ticket {
    /// Waits until the task is over, for at most so long. `None`: it is not. Any number may wait for the
    /// same task.
    fn outcome(&self, timeout: Duration) -> Option<Ending>;
});

/// The twin of [`fanfare::queue::Taken`](crate::queue::Taken): a task that was taken by hand. It is ours until
/// the [lease](TaskQueue::lease) ends. Dropping it says nothing to the server.
#[derive(Debug)]
#[must_use = "a task that is taken is to be completed, failed or released"]
pub struct Taken {
    inner: queue::Taken,
}

impl Taken {
    /// The task.
    pub fn task(&self) -> &Task {
        self.inner.task()
    }
}

twin!(Taken {
    /// It was run well, with the [result](Task::set_result) that it has been given, if any.
    fn complete(&self) -> Settled;

    /// It failed: it rests and is delivered again, or is put with the dead letters.
    fn fail(&self, error: &str) -> Failing;

    /// The same, and it rests for so long.
    fn fail_for(&self, error: &str, rest: Duration) -> Failing;

    /// It failed, and no further attempt can help: it is put with the dead letters at once.
    fn give_up(&self, error: &str) -> Failing;

    /// It was not begun: it goes back to where it was in line, and this delivery does not count.
    fn release(&self) -> Settled;

    /// The same, and nobody gets it before so much time has passed.
    fn release_for(&self, rest: Duration) -> Settled;

    /// Begins the lease anew.
    fn renew(&self) -> Settled;
});

/// The twin of [`fanfare::queue::DeadTasks`](crate::queue::DeadTasks): the tasks that failed too often.
///
/// # Example: look, mend, send back
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let mails = fanfare.task_queue("blocking mails that die");
/// for letter in mails.dead_letters().list(100)? {
///     println!("{} after {} deliveries: {:?}", letter.id, letter.deliveries, letter.error);
/// }
/// assert_eq!(mails.dead_letters().requeue_all()?, 0);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DeadTasks {
    inner: queue::DeadTasks,
}

twin!(DeadTasks {
    /// How many there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool;

    /// Those that died first, at most `n`, with all that is known of them.
    fn list(&self, n: u32) -> Vec<TaskInfo>;

    /// One of them. `None`: it is not here.
    fn show(&self, id: &TaskId) -> Option<TaskInfo>;

    /// Sends one back: it is ready at the end of the line, as if it had never been delivered. `false`: it
    /// is not here.
    fn requeue(&self, id: &TaskId) -> bool;

    /// Sends all back that are here now, oldest first, and returns how many.
    fn requeue_all(&self) -> u64;

    /// Throws some away, and returns how many of them were here.
    fn purge(&self, ids: impl IntoIterator<Item = TaskId>) -> u64;
});
