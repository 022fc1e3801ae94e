//! The handle of a queue: what is put in, looked at and taken back.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_client::{Backoff, Error, ErrorKind, Value};

use super::{
    DeadTasks, Job, QueueStats, QueueWorker, TaskId, TaskInfo, Ticket,
    job::{Defaults, Due},
    scripts::{CANCEL, ENQUEUE, Place, RESCHEDULE, STATS, number},
};
use crate::{
    Fanfare,
    agreed::Agreed,
    client::{Client, FromValue},
    commands::{Hashes, SortedSets},
};

/// A queue of tasks, each of which is run at least once, by one worker at a time. Made by
/// [`Fanfare::task_queue`]; nothing is sent for that, and the queue need not exist.
///
/// Cheap to clone. What is said here by [`lease`](Self::lease) and the like goes for what this handle
/// and its clones enqueue, take and fail from then on; it is not kept on the server.
///
/// # Example: in a minute, and before others
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// # use std::time::Duration;
/// # use fanfare::queue::{Job, Task};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// # let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let mails = fanfare.task_queue("mails");
/// let ticket = mails.enqueue(Job::new("to ada").delay(Duration::from_secs(60)).priority(3)).await?;
/// let worker = mails.worker().spawn(async |task: Task| println!("{:?}", task.payload()))?;
/// # assert!(mails.cancel(ticket.id()).await?);
/// # worker.stop().await;
/// # Ok(()) }
/// ```
///
/// # Example: a result
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Fanfare, queue::{Ending, Task}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let sums = fanfare.task_queue("sums");
/// let worker = sums.worker().spawn(async |task: Task| {
///     let numbers: Vec<u64> = task.json()?;
///     task.set_json(&numbers.iter().sum::<u64>())
/// })?;
/// let ticket = sums.enqueue_json(&[1, 2, 3]).await?;
/// match ticket.outcome(Duration::from_secs(30)).await? {
///     Some(Ending::Done(Some(sum))) => assert_eq!(sum, "6"),
///     other => panic!("{other:?}"),
/// }
/// worker.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TaskQueue {
    pub(crate) client: Client,
    pub(crate) place: Place,
    pub(crate) rules: Rules,
    pub(crate) agreed: Agreed,
}

/// How tasks are taken, and what becomes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) lease: Duration,
    pub(crate) backoff: Backoff,
    /// 0: no bound.
    pub(crate) deliveries_max: u64,
    pub(crate) defaults: Defaults,
}

/// What is sent at once: so many tasks, or as many as have so many bytes.
const BATCH_MAX: usize = 100;
const BATCH_BYTES_MAX: usize = 1 << 20;

impl Fanfare {
    /// The queue of this name, behind the namespace if there is one. Its keys are `{name}:ready` and
    /// the like, so it is in one slot of a cluster; a name that has a hash tag keeps it.
    ///
    /// # Example: put in, take out, and say what became of it
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let mails = fanfare.task_queue("mails");
    /// mails.enqueue("to ada").await?;
    /// for taken in mails.take(10).await? {
    ///     assert_eq!(taken.task().payload(), "to ada");
    ///     taken.complete().await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn task_queue(&self, name: impl AsRef<[u8]>) -> TaskQueue {
        let second = Duration::from_secs(1);
        TaskQueue {
            client: self.client(),
            place: Place::new(name.as_ref()),
            rules: Rules {
                lease: 30 * second,
                backoff: Backoff { first: second, cap: 300 * second },
                deliveries_max: 5,
                defaults: Defaults { boost: 60 * second, result_ttl: 60 * second },
            },
            agreed: Agreed::default(),
        }
    }
}

impl TaskQueue {
    /// After how long without a sign of life from whoever has it a task goes to another one.
    /// Workers give one every third of it. At least 100 ms, at most 30 days. Default: 30 s.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.rules.lease = lease;
        self
    }

    /// How long a task that failed rests: `first`, then twice as long each time, at most `cap`; less
    /// a random part of up to a half. Default: 1 s, at most 5 min.
    #[must_use]
    pub fn retry(mut self, backoff: Backoff) -> Self {
        self.rules.backoff = backoff;
        self
    }

    /// How often a task is delivered before it is put with the dead letters, if it does not say so
    /// itself; 0 stands for no bound. Default: 5. Deliveries that ended with the death of the worker
    /// count as well.
    #[must_use]
    pub fn deliveries_max(mut self, n: u64) -> Self {
        self.rules.deliveries_max = n;
        self
    }

    /// How long the queue knows of a task that is over, with its result and without its payload, if
    /// the task does not say so itself. Zero: not at all, but for those whose outcome somebody waits
    /// for. Default: a minute.
    #[must_use]
    pub fn result_ttl(mut self, ttl: Duration) -> Self {
        self.rules.defaults.result_ttl = ttl;
        self
    }

    /// For how long each step of priority outweighs waiting; see
    /// [`PriorityQueue`](super::PriorityQueue). All who enqueue should have the same. Default: a minute.
    #[must_use]
    pub fn boost(mut self, boost: Duration) -> Self {
        self.rules.defaults.boost = boost;
        self
    }

    /// Refuses to enqueue, and to [schedule](Self::schedules), a task whose payload does not fit, as
    /// [`ErrorKind::InvalidRecord`] with the place and the rule. A payload is JSON, or an
    /// [`Envelope`](crate::Envelope). Of [many](Self::enqueue_many) none of the same hundred is put in then.
    ///
    /// # Example: orders only
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{ErrorKind, Fanfare, schema::Schema};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = Fanfare::connect("embedded:").await?;
    /// let sums = fanfare.task_queue("sums of numbers").contract(Schema::of::<Vec<u32>>()?);
    /// sums.enqueue_json(&[1, 2]).await?;
    /// let error = sums.enqueue_json(&[1, -2]).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidRecord);
    /// assert_eq!(sums.stats().await?.ready, 1);
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn contract(mut self, contract: impl Into<crate::schema::Contract>) -> Self {
        self.agreed = Agreed::on(contract);
        self
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        self.place.name()
    }

    /// Puts a task in.
    ///
    /// # Errors
    /// Those of every command (see [`Client`](crate::client::Client)), [`ErrorKind::InvalidOption`]
    /// for a queue without a name and a task with an empty ID. After one for which
    /// [`Error::may_have_been_delivered`] is true, a clone of the same [`Job`] can be enqueued again.
    ///
    /// # Cancel safety
    /// If the future is dropped, the task may or may not have been put in.
    pub async fn enqueue(&self, job: impl Into<Job>) -> Result<Ticket, Error> {
        let tickets = self.enqueue_many([job.into()]).await?;
        tickets.into_iter().next().ok_or_else(|| odd("an enqueued task"))
    }

    /// The same with a value as JSON.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue), and [`ErrorKind::Encode`].
    ///
    /// # Cancel safety
    /// As [`enqueue`](Self::enqueue).
    pub async fn enqueue_json(
        &self,
        value: &(impl serde::Serialize + ?Sized),
    ) -> Result<Ticket, Error> {
        self.enqueue(Job::json(value)?).await
    }

    /// Puts many tasks in, in their order: a hundred at a time, or as many as are a mebibyte, each
    /// time all or none.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue); those before the hundred that failed are in the queue then. All
    /// of them can be enqueued again.
    ///
    /// # Cancel safety
    /// As [`enqueue`](Self::enqueue).
    pub async fn enqueue_many(
        &self,
        jobs: impl IntoIterator<Item = Job>,
    ) -> Result<Vec<Ticket>, Error> {
        let mut tickets = Vec::new();
        let mut jobs = jobs.into_iter().peekable();
        while jobs.peek().is_some() {
            let (mut args, mut n_bytes, mut n_jobs) = (Vec::new(), 0, 0);
            while n_jobs < BATCH_MAX
                && n_bytes < BATCH_BYTES_MAX
                && let Some(job) = jobs.next()
            {
                self.agreed.check_json(&job.payload)?;
                n_bytes += job.payload.len();
                n_jobs += 1;
                job.write(&self.rules.defaults, &mut args)?;
            }
            let answers: Vec<(Bytes, i64)> = self.run(&ENQUEUE, args).await?;
            tickets.extend(answers.into_iter().map(|(id, is_new)| Ticket {
                queue: self.clone(),
                id: id.into(),
                is_new: is_new == 1,
            }));
        }
        Ok(tickets)
    }

    /// The ticket of a task whose ID is known, for its outcome. Nothing is sent.
    pub fn ticket(&self, id: impl Into<TaskId>) -> Ticket {
        Ticket { queue: self.clone(), id: id.into(), is_new: false }
    }

    /// Takes a task back that is not being run. `false`: it is being run, is over, or was never there.
    ///
    /// # Errors
    /// Those of every command.
    ///
    /// # Cancel safety
    /// If the future is dropped, the task may or may not have been taken back.
    pub async fn cancel(&self, id: &TaskId) -> Result<bool, Error> {
        self.run(&CANCEL, [id.bytes()]).await
    }

    /// Gives a task that is not being run another time, so long from now. `false`: it is being run, is
    /// over, or was never there.
    ///
    /// # Errors
    /// Those of every command.
    ///
    /// # Cancel safety
    /// As [`cancel`](Self::cancel).
    pub async fn reschedule_in(&self, id: &TaskId, delay: Duration) -> Result<bool, Error> {
        self.reschedule(id, Due::In(delay)).await
    }

    /// The same with a moment.
    ///
    /// # Errors
    /// Those of every command.
    ///
    /// # Cancel safety
    /// As [`cancel`](Self::cancel).
    pub async fn reschedule_at(&self, id: &TaskId, moment: SystemTime) -> Result<bool, Error> {
        self.reschedule(id, Due::At(moment)).await
    }

    async fn reschedule(&self, id: &TaskId, due: Due) -> Result<bool, Error> {
        let (delay, moment) = due.args();
        self.run(&RESCHEDULE, [id.bytes(), delay, moment]).await
    }

    /// What the queue knows of a task. `None`: nothing, or nothing any more.
    ///
    /// # Errors
    /// Those of every command; [`ErrorKind::Decode`] if what is there was not put there by a queue.
    pub async fn show(&self, id: &TaskId) -> Result<Option<TaskInfo>, Error> {
        self.place.check()?;
        let key = [&self.place.key("task:")[..], id.as_bytes()].concat();
        TaskInfo::read(id.clone(), self.client.hgetall(key).await?)
    }

    /// The tasks that wait for their time, and when that is: those that are due first, at most `n`.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn delayed(&self, n: u32) -> Result<Vec<(TaskId, SystemTime)>, Error> {
        self.listed("delayed", n).await
    }

    /// The tasks of a sorted set whose scores are microseconds.
    pub(crate) async fn listed(
        &self,
        set: &str,
        n: u32,
    ) -> Result<Vec<(TaskId, SystemTime)>, Error> {
        self.place.check()?;
        if n == 0 {
            return Ok(Vec::new());
        }
        let key = self.place.key(set);
        let members = self.client.zrange_with_scores(key, 0, i64::from(n) - 1).await?;
        let task = |(id, at): (Bytes, f64)| (TaskId::from(id), time(&at.to_string()));
        Ok(members.into_iter().map(task).collect())
    }

    /// How long it is, for how long the first in line has been waiting, and what has happened since the
    /// queue exists.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn stats(&self) -> Result<QueueStats, Error> {
        QueueStats::read(self.run(&STATS, [number(0_u64)]).await?)
    }

    /// The tasks that failed too often.
    pub fn dead_letters(&self) -> DeadTasks {
        DeadTasks { queue: self.clone() }
    }

    /// A worker of this queue, to be described further.
    pub fn worker(&self) -> QueueWorker {
        QueueWorker::new(self.clone())
    }

    pub(crate) async fn run<T: FromValue>(
        &self,
        script: &crate::client::Script,
        args: impl IntoIterator<Item = Bytes>,
    ) -> Result<T, Error> {
        self.place.run(&self.client, script, args).await
    }
}

/// A moment that the server has given in microseconds.
pub(crate) fn time(us: &str) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(us.parse().unwrap_or(0))
}

/// An answer that no script of ours gives.
pub(crate) fn odd(what: &str) -> Error {
    Error::new(ErrorKind::Decode, format!("the server's answer is not that of {what}"))
}

/// The items of an answer.
pub(crate) fn items(value: Value, what: &str) -> Result<std::vec::IntoIter<Value>, Error> {
    value.into_array().map(Vec::into_iter).ok_or_else(|| odd(what))
}

impl fmt::Debug for TaskQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskQueue")
            .field("name", &String::from_utf8_lossy(self.name()))
            .finish_non_exhaustive()
    }
}
