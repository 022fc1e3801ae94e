//! Taking tasks by hand, and saying what became of them.

use std::time::Duration;

use bytes::Bytes;
use fanfare_client::{Error, Value};
use tokio::time::Instant;

use super::{
    Task, TaskId, TaskQueue,
    handle::{items, odd},
    scripts::{COMPLETE, FAIL, RELEASE, RENEW, TAKE, ms, number},
    ticket::text,
    wake::Listening,
};
use crate::{
    client::FromValue,
    worker::{shortened, unique_name},
};

/// Tasks that are moved at most in one call because their time has come or their lease has ended.
const MOVED_MAX: u32 = 200;
/// Tasks that are taken at most in one call.
const TAKEN_MAX: usize = 200;
/// How long the server is asked to wait at once. So late a task is noticed whose announcement was lost.
pub(crate) const WAIT: Duration = Duration::from_secs(1);

/// What there was to take.
pub(crate) struct Catch {
    pub(crate) tasks: Vec<Task>,
    /// What was put with the dead letters meanwhile, and why.
    pub(crate) buried: Vec<(TaskId, String)>,
    /// When there may be more. `None`: when something is enqueued.
    pub(crate) more_in: Option<Duration>,
}

/// Whether what was said about a task counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "whoever is late has to know"]
pub enum Settled {
    /// It did.
    Yes,
    /// It did not, and nothing was changed: the lease had ended and another one has the task, or had
    /// it; or it is gone.
    Lost,
}

/// What became of a task that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "whoever is late has to know"]
pub enum Failing {
    /// It rests, and is delivered again.
    Again,
    /// It was delivered as often as is allowed, and is with the dead letters.
    Dead,
    /// Nothing: as [`Settled::Lost`].
    Lost,
}

/// A task that was taken by hand. It is ours until the [lease](TaskQueue::lease) ends: then whoever
/// takes next gets it. Dropping it says nothing to the server.
#[derive(Debug)]
#[must_use = "a task that is taken is to be completed, failed or released"]
pub struct Taken {
    queue: TaskQueue,
    task: Task,
}

impl TaskQueue {
    /// Takes up to `n` tasks (at most 200 at once), those first in line first. It may be none: nothing
    /// waits. The lease begins, and the delivery counts.
    ///
    /// Whoever takes also sees to it that tasks whose time has come are ready, and that those whose
    /// lease has ended are ready again or with the dead letters: that needs no program of its own.
    ///
    /// # Errors
    /// Those of every command. If the answer was lost, tasks may have been taken; they come back when
    /// the lease ends.
    ///
    /// # Cancel safety
    /// If the future is dropped, tasks may have been taken; they come back when the lease ends.
    pub async fn take(&self, n: usize) -> Result<Vec<Taken>, Error> {
        let me = unique_name();
        Ok(self.taken(self.catch(n, &me).await?.tasks))
    }

    /// The same, and waits for at most so long until there is one, on a connection of its own.
    ///
    /// # Errors
    /// As [`take`](Self::take), and [`ErrorKind::Overloaded`](crate::ErrorKind::Overloaded) if no
    /// connection became free.
    ///
    /// # Cancel safety
    /// As [`take`](Self::take).
    ///
    /// # Example: a loop of one's own
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # use std::time::Duration;
    /// # async fn send(task: &fanfare::queue::Task) -> Result<(), String> {
    /// #     task.text().map(drop).map_err(|error| error.to_string())
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let mails = fanfare::Fanfare::connect("embedded:").await?.task_queue("mails by hand");
    /// # mails.enqueue("to ada").await?;
    /// for taken in mails.take_within(10, Duration::from_secs(5)).await? {
    ///     match send(taken.task()).await {
    ///         Ok(()) => drop(taken.complete().await?),
    ///         Err(error) => drop(taken.fail(&error).await?),
    ///     }
    /// }
    /// # assert_eq!(mails.stats().await?.leased, 0);
    /// # Ok(()) }
    /// ```
    pub async fn take_within(&self, n: usize, timeout: Duration) -> Result<Vec<Taken>, Error> {
        let until = Instant::now().checked_add(timeout);
        let me = unique_name();
        let mut listening = None;
        loop {
            let catch = self.catch(n, &me).await?;
            let left = until.map(|at| at.saturating_duration_since(Instant::now()));
            if !catch.tasks.is_empty() || n == 0 || left.is_some_and(|it| it.is_zero()) {
                return Ok(self.taken(catch.tasks));
            }
            let wait = left.unwrap_or(WAIT).min(WAIT).min(catch.more_in.unwrap_or(WAIT));
            if wait.is_zero() {
                continue;
            }
            let look_at = Instant::now() + wait;
            // What is due is told by the clock here: a server may be 100 ms late to say that time is over.
            let hears = listening.get_or_insert_with(|| Listening::start(self, wait));
            tokio::select! {
                heard = hears.heard() => {
                    listening = None;
                    heard?;
                }
                () = tokio::time::sleep_until(look_at) => {}
            }
        }
    }

    fn taken(&self, tasks: Vec<Task>) -> Vec<Taken> {
        tasks.into_iter().map(|task| Taken { queue: self.clone(), task }).collect()
    }

    /// Takes what there is.
    pub(crate) async fn catch(&self, n: usize, who: &Bytes) -> Result<Catch, Error> {
        let args = [
            n.min(TAKEN_MAX).to_string().into(),
            ms(self.rules.lease),
            who.clone(),
            number(self.rules.deliveries_max),
            number(MOVED_MAX),
        ];
        let answer: Value = self.run(&TAKE, args).await?;
        let mut answer = items(answer, "taking")?;
        let mut next = || answer.next().ok_or_else(|| odd("taking"));
        let wait = i64::from_value(next()?)?;
        let more_in = u64::try_from(wait).ok().map(Duration::from_millis);
        let mut tasks = Vec::new();
        let mut unreadable = Vec::new();
        for task in items(next()?, "taking")? {
            let (task, flaw) = Task::read(task, self.place.name(), who)?;
            match flaw {
                None => tasks.push(task),
                Some(flaw) => unreadable.push((task, flaw)),
            }
        }
        let mut buried: Vec<(TaskId, String)> = Vec::new();
        for letter in items(next()?, "taking")? {
            let (id, failure): (Bytes, Bytes) = FromValue::from_value(letter)?;
            buried.push((id.into(), text(failure)));
        }
        for (task, flaw) in unreadable {
            // If it can not be said, the next one says it who takes when the lease has ended.
            match self.fail(&task, &flaw, None).await {
                Ok(Failing::Dead) => buried.push((task.id().clone(), flaw)),
                Ok(Failing::Again | Failing::Lost) => {}
                Err(error) => {
                    tracing::warn!(id = %task.id(), %error, flaw, "a task is not readable");
                }
            }
        }
        Ok(Catch { tasks, buried, more_in })
    }

    pub(crate) async fn complete(&self, task: &Task) -> Result<Settled, Error> {
        let result = task.result();
        let has_result = number(u64::from(result.is_some()));
        let [id, token, worker] = task.lease();
        let args = [id, token, worker, has_result, result.unwrap_or_default()];
        settled(self.run(&COMPLETE, args).await?)
    }

    /// Without a rest, it is put with the dead letters at once.
    pub(crate) async fn fail(
        &self,
        task: &Task,
        error: &str,
        rest: Option<Duration>,
    ) -> Result<Failing, Error> {
        let rest = rest.map(ms).unwrap_or_default();
        let error = Bytes::from(shortened(error.to_owned()));
        let most = number(self.rules.deliveries_max);
        let [id, token, worker] = task.lease();
        let args = [id, token, worker, error, rest, most];
        match self.run::<i64>(&FAIL, args).await? {
            0 => Ok(Failing::Lost),
            1 => Ok(Failing::Again),
            2 => Ok(Failing::Dead),
            _ => Err(odd("failing")),
        }
    }

    /// Gives a task back: to where it was in line, or not before a rest is over.
    pub(crate) async fn release(
        &self,
        task: &Task,
        counts: bool,
        rest: Option<Duration>,
    ) -> Result<Settled, Error> {
        let (counts, rest) = (number(u64::from(counts)), rest.map(ms).unwrap_or_default());
        let [id, token, worker] = task.lease();
        settled(self.run(&RELEASE, [id, token, worker, counts, rest]).await?)
    }

    /// Returns for each task of one worker whether it is still its.
    pub(crate) async fn renew(&self, tasks: &[Task]) -> Result<Vec<bool>, Error> {
        let Some(worker) = tasks.first().map(|it| it.worker().clone()) else {
            return Ok(Vec::new());
        };
        let mut args = vec![ms(self.rules.lease), worker];
        args.extend(tasks.iter().flat_map(|it| [it.id().bytes(), number(it.token())]));
        let kept: Vec<i64> = self.run(&RENEW, args).await?;
        Ok(kept.into_iter().map(|it| it == 1).collect())
    }

    /// How long a task rests that has failed so often.
    pub(crate) fn rest(&self, deliveries: u64) -> Duration {
        let n = u32::try_from(deliveries).unwrap_or(u32::MAX).max(1);
        self.rules.backoff.delay(n, rand::random())
    }
}

fn settled(answer: i64) -> Result<Settled, Error> {
    match answer {
        0 => Ok(Settled::Lost),
        1 => Ok(Settled::Yes),
        _ => Err(odd("settling")),
    }
}

impl Taken {
    /// The task.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// It was run well, with the [result](Task::set_result) that it has been given, if any.
    ///
    /// # Errors
    /// Those of every command. It can be said again: a second time counts as the first.
    ///
    /// # Cancel safety
    /// If the future is dropped, it may or may not have been said.
    pub async fn complete(&self) -> Result<Settled, Error> {
        self.queue.complete(&self.task).await
    }

    /// It failed: it [rests](TaskQueue::retry) and is delivered again, or is put with the dead letters.
    ///
    /// # Errors
    /// Those of every command.
    ///
    /// # Cancel safety
    /// As [`complete`](Self::complete).
    pub async fn fail(&self, error: &str) -> Result<Failing, Error> {
        self.fail_for(error, self.queue.rest(self.task.deliveries())).await
    }

    /// The same, and it rests for so long.
    ///
    /// # Errors
    /// Those of every command.
    ///
    /// # Cancel safety
    /// As [`complete`](Self::complete).
    pub async fn fail_for(&self, error: &str, rest: Duration) -> Result<Failing, Error> {
        self.queue.fail(&self.task, error, Some(rest)).await
    }

    /// It failed, and no further attempt can help: it is put with the dead letters at once.
    ///
    /// # Errors
    /// Those of every command.
    ///
    /// # Cancel safety
    /// As [`complete`](Self::complete).
    pub async fn give_up(&self, error: &str) -> Result<Failing, Error> {
        self.queue.fail(&self.task, error, None).await
    }

    /// It was not begun: it goes back to where it was in line, and this delivery does not count.
    ///
    /// # Errors
    /// Those of every command.
    ///
    /// # Cancel safety
    /// As [`complete`](Self::complete).
    pub async fn release(&self) -> Result<Settled, Error> {
        self.queue.release(&self.task, false, None).await
    }

    /// The same, and nobody gets it before so much time has passed.
    ///
    /// # Errors
    /// Those of every command.
    ///
    /// # Cancel safety
    /// As [`complete`](Self::complete).
    pub async fn release_for(&self, rest: Duration) -> Result<Settled, Error> {
        self.queue.release(&self.task, false, Some(rest)).await
    }

    /// Begins the lease anew.
    ///
    /// # Errors
    /// Those of every command.
    ///
    /// # Cancel safety
    /// As [`complete`](Self::complete).
    pub async fn renew(&self) -> Result<Settled, Error> {
        let kept = self.queue.renew(std::slice::from_ref(&self.task)).await?;
        if kept.first() == Some(&true) {
            return Ok(Settled::Yes);
        }
        self.task.lose();
        Ok(Settled::Lost)
    }
}
