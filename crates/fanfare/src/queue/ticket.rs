//! What becomes of a task, for those who put it in.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};
use tokio::time::Instant;

use super::{
    TaskId, TaskQueue,
    handle::{odd, time},
    scripts::OUTCOME,
};
use crate::{client::End, worker::says_full};

/// A task that was enqueued.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub(crate) queue: TaskQueue,
    pub(crate) id: TaskId,
    pub(crate) is_new: bool,
}

/// How a task has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// It was run well, and this is its result if it had one.
    Done(Option<Bytes>),
    /// It failed too often, and is with the dead letters: what the last failure said.
    Dead(String),
    /// It was taken back.
    Cancelled,
    /// Its time to live had passed before it was run.
    Expired,
    /// The queue knows nothing of it: it was never there, or is over and forgotten.
    Forgotten,
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// Its time has not come.
    Delayed,
    /// It waits for a worker.
    Ready,
    /// Somebody runs it.
    Leased,
    /// It was run well.
    Done,
    /// It is with the dead letters.
    Dead,
    /// It was taken back.
    Cancelled,
    /// Its time to live had passed.
    Expired,
}

/// What a queue knows of a task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Which.
    pub id: TaskId,
    /// What it is doing.
    pub state: TaskState,
    /// Its payload. What is over has none any more, but for dead letters.
    pub payload: Bytes,
    /// What went with it. None, if it can not be read: then it is with the dead letters for that.
    pub headers: Vec<(String, String)>,
    /// Its priority.
    pub priority: i16,
    /// How often it was delivered.
    pub deliveries: u64,
    /// When it was enqueued, by the server's clock, as all of these.
    pub enqueued: SystemTime,
    /// When its time comes or came, if it had one or failed.
    pub due: Option<SystemTime>,
    /// When it was delivered first.
    pub first: Option<SystemTime>,
    /// When it was delivered last.
    pub started: Option<SystemTime>,
    /// When it was over.
    pub finished: Option<SystemTime>,
    /// Who has it, or had it last.
    pub worker: Option<String>,
    /// What the last failure said.
    pub error: Option<String>,
    /// Its result.
    pub result: Option<Bytes>,
}

/// How long the server is asked to wait at once. So late an outcome is noticed whose announcement
/// was lost.
const WAIT: Duration = Duration::from_secs(1);

/// The pause between two looks where the server does not let us wait.
const PAUSE: Duration = Duration::from_millis(100);

impl Ticket {
    /// The task's ID: that of the other task if this one was a [duplicate](Self::is_new).
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Whether a task was put in. `false`: there is one already with this ID or its
    /// [key](super::Job::unique), and this is that one's ticket; or the ticket was made by
    /// [`TaskQueue::ticket`].
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Waits until the task is over, for at most so long. `None`: it is not. Any number may wait for
    /// the same task, each on a connection of its own; they look themselves every second, so nothing
    /// hangs on the announcement.
    ///
    /// A task whose outcome somebody waits for is known for a minute at least after it is over.
    ///
    /// # Errors
    /// Those of every command, and [`ErrorKind::Overloaded`] if no connection became free.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn outcome(&self, timeout: Duration) -> Result<Option<Ending>, Error> {
        let until = Instant::now().checked_add(timeout);
        let prefix = self.queue.place.key("result:");
        let key = Bytes::from([&prefix[..], self.id.as_bytes()].concat());
        loop {
            if let Some(ending) = self.ending().await? {
                return Ok(Some(ending));
            }
            let left = until.map(|at| at.saturating_duration_since(Instant::now()));
            let left = left.unwrap_or(WAIT).min(WAIT);
            if left.is_zero() {
                return Ok(None);
            }
            let ends = (End::Left, End::Left);
            let waiting = self.queue.client.blmove::<Bytes>(&key, &key, ends, left);
            match waiting.await {
                Ok(_) => {}
                // It counts as a command that takes memory: then time alone has to tell.
                Err(error) if says_full(&error) => tokio::time::sleep(left.min(PAUSE)).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// How it has ended, if it has.
    async fn ending(&self) -> Result<Option<Ending>, Error> {
        let known: Vec<Option<Bytes>> = self.queue.run(&OUTCOME, [self.id.bytes()]).await?;
        let mut known = known.into_iter();
        let mut next = || known.next().flatten();
        let (state, result, error) = (next(), next(), next());
        let Some(state) = state else { return Ok(Some(Ending::Forgotten)) };
        Ok(match TaskState::read(&state)? {
            TaskState::Delayed | TaskState::Ready | TaskState::Leased => None,
            TaskState::Done => Some(Ending::Done(result)),
            TaskState::Dead => Some(Ending::Dead(error.map(text).unwrap_or_default())),
            TaskState::Cancelled => Some(Ending::Cancelled),
            TaskState::Expired => Some(Ending::Expired),
        })
    }
}

impl TaskState {
    fn read(text: &[u8]) -> Result<Self, Error> {
        Ok(match text {
            b"delayed" => Self::Delayed,
            b"ready" => Self::Ready,
            b"leased" => Self::Leased,
            b"done" => Self::Done,
            b"dead" => Self::Dead,
            b"cancelled" => Self::Cancelled,
            b"expired" => Self::Expired,
            _ => return Err(odd("a task's state")),
        })
    }
}

impl TaskInfo {
    pub(crate) fn read(
        id: TaskId,
        mut fields: HashMap<String, Bytes>,
    ) -> Result<Option<Self>, Error> {
        let Some(state) = fields.remove("state") else { return Ok(None) };
        let mut take = |name: &str| fields.remove(name);
        let moment = |it: Option<Bytes>| it.map(|it| time(&text(it)));
        let number = |it: Option<Bytes>| it.and_then(|it| text(it).parse().ok()).unwrap_or(0);
        Ok(Some(Self {
            id,
            state: TaskState::read(&state)?,
            payload: take("payload").unwrap_or_default(),
            headers: headers(take("headers")).unwrap_or_default(),
            priority: i16::try_from(number(take("priority"))).unwrap_or(0),
            deliveries: u64::try_from(number(take("deliveries"))).unwrap_or(0),
            enqueued: moment(take("enqueued")).unwrap_or(SystemTime::UNIX_EPOCH),
            due: moment(take("due")),
            first: moment(take("first")),
            started: moment(take("started")),
            finished: moment(take("finished")),
            worker: take("worker").map(text),
            error: take("error").map(text),
            result: take("result"),
        }))
    }
}

pub(crate) fn headers(stored: Option<Bytes>) -> Result<Vec<(String, String)>, Error> {
    let Some(stored) = stored else { return Ok(Vec::new()) };
    serde_json::from_slice(&stored).map_err(|source| {
        let message = format!("a task's headers can not be read: {source}");
        Error::new(ErrorKind::Decode, message).with_source(source)
    })
}

pub(crate) fn text(bytes: Bytes) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
