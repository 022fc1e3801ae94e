//! What the tasks of a worker of a queue share, and its handle.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use fanfare_client::{Error, ErrorKind, LiveKind, LiveState, Vital, Vitals};
use tokio::sync::watch;

use super::{QueueWorkerStats, Task, TaskCounts, TaskId};
use crate::worker::{WorkerState, now};

/// See the module.
pub(crate) struct Shared {
    name: String,
    books: Mutex<Books>,
    pub(crate) stage: watch::Sender<Stage>,
}

/// How far a worker has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It takes.
    Working,
    /// It takes no more; handlers run on.
    Draining,
    /// It is over.
    Ended,
}

/// How a handler has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Well,
    /// It is tried again.
    Badly(String),
    /// That would not help.
    ForGood(String),
}

/// What it has and has done.
pub(crate) struct Books {
    /// By ID and token: after a `FLUSHALL` tokens begin anew.
    held: HashMap<(TaskId, u64), Holding>,
    pub(crate) counts: TaskCounts,
    last_take_at: Instant,
    last_finish_at: Option<Instant>,
    has_taken: bool,
    is_fetching: bool,
    failing_since: Option<Instant>,
    n_recovered: u64,
    last_error: Option<Error>,
}

struct Holding {
    task: Task,
    since: Instant,
    ended: Option<Ended>,
}

impl Shared {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            books: Mutex::new(Books {
                held: HashMap::new(),
                counts: TaskCounts::default(),
                last_take_at: now(),
                last_finish_at: None,
                has_taken: false,
                is_fetching: false,
                failing_since: None,
                n_recovered: 0,
                last_error: None,
            }),
            stage: watch::Sender::new(Stage::Working),
        }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stats(&self) -> QueueWorkerStats {
        let (now, stage, books) = (now(), *self.stage.borrow(), self.books());
        let running = || books.held.values().filter(|it| it.ended.is_none());
        let oldest = running().map(|it| it.since).min();
        QueueWorkerStats {
            state: match stage {
                Stage::Draining => WorkerState::Draining,
                Stage::Ended => WorkerState::Stopped,
                Stage::Working if books.failing_since.is_some() => WorkerState::Failing,
                Stage::Working if !books.has_taken => WorkerState::Starting,
                Stage::Working => WorkerState::Running,
            },
            counts: books.counts.clone(),
            last_take_age: now.saturating_duration_since(books.last_take_at),
            is_held_back: stage == Stage::Working && books.has_taken && !books.is_fetching,
            in_flight: running().count(),
            held: books.held.len(),
            oldest_running: oldest.map(|since| now.saturating_duration_since(since)),
            last_error: books.last_error.clone(),
        }
    }
}

impl Books {
    /// The server is being asked for tasks, or for the moment when there may be some.
    pub(crate) fn handle_fetching(&mut self) {
        self.is_fetching = true;
    }

    /// The server has given these.
    pub(crate) fn handle_taken(&mut self, tasks: &[Task]) {
        let now = now();
        self.last_take_at = now;
        self.has_taken = true;
        self.is_fetching = false;
        self.n_recovered += u64::from(self.failing_since.take().is_some());
        for task in tasks {
            self.counts.taken += 1;
            self.counts.again += u64::from(1 < task.deliveries());
            let holding = Holding { task: task.clone(), since: now, ended: None };
            self.held.insert(key(task), holding);
        }
    }

    pub(crate) fn handle_take_failed(&mut self, error: &Error) {
        self.is_fetching = false;
        self.counts.take_errors += 1;
        self.failing_since.get_or_insert_with(now);
        self.last_error = Some(error.clone());
    }

    pub(crate) fn handle_failed(&mut self, error: &Error) {
        self.counts.errors += 1;
        self.last_error = Some(error.clone());
    }

    /// Its handler has ended; the server is to be told.
    pub(crate) fn handle_ended(&mut self, task: &Task, ended: &Ended) {
        self.last_finish_at = Some(now());
        match ended {
            Ended::Well => {}
            Ended::Badly(error) | Ended::ForGood(error) => {
                self.counts.last_failure = Some(error.clone());
            }
        }
        if let Some(holding) = self.held.get_mut(&key(task)) {
            holding.ended = Some(ended.clone());
        }
    }

    /// It is not this worker's any more.
    pub(crate) fn handle_settled(&mut self, task: &Task) {
        self.held.remove(&key(task));
    }

    /// All that this worker has, and how those have ended whose handlers have.
    pub(crate) fn held(&self) -> Vec<(Task, Option<Ended>)> {
        self.held.values().map(|it| (it.task.clone(), it.ended.clone())).collect()
    }

    pub(crate) fn holds(&self, task: &Task) -> bool {
        self.held.contains_key(&key(task))
    }
}

fn key(task: &Task) -> (TaskId, u64) {
    (task.id().clone(), task.token())
}

impl Vital for Shared {
    /// A worker whose places are all taken does not take on purpose; what it is judged by then is how
    /// long nothing has been finished.
    fn vitals(&self) -> Vitals {
        let stats = self.stats();
        let mut vitals = Vitals::new(LiveKind::Worker, self.name.clone());
        vitals.state = match stats.state {
            WorkerState::Failing => LiveState::Down,
            WorkerState::Stopped => LiveState::Ended(Error::new(
                ErrorKind::Closed,
                "the worker was stopped, or its connection was closed",
            )),
            WorkerState::Starting | WorkerState::Running | WorkerState::Draining => {
                if stats.is_held_back { LiveState::HeldBack } else { LiveState::Up }
            }
        };
        vitals.last_read_age = stats.last_take_age;
        vitals.queued = stats.held;
        let books = self.books();
        vitals.reconnects = books.n_recovered;
        if stats.is_held_back {
            let finished = books.last_finish_at.map(|at| now().saturating_duration_since(at));
            vitals.stalled_for = [finished, stats.oldest_running].into_iter().flatten().min();
        }
        vitals
    }
}
