//! What the tasks of a worker of a queue share, and its handle.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use fanfare_client::{Error, LiveKind, Vital, Vitals};
use tokio::sync::broadcast;

use super::{QueueWorkerEvent, QueueWorkerStats, Task, TaskCounts, TaskId};
use crate::worker::{Ending, Life, Stage, WorkerState, now};

/// See the module.
pub(crate) struct Shared {
    name: String,
    books: Mutex<Books>,
    events: broadcast::Sender<QueueWorkerEvent>,
    pub(crate) life: Life,
}

/// What it has and has done.
pub(crate) struct Books {
    /// By ID and token: a task may come again before it is known to be lost.
    held: HashMap<(TaskId, u64), Holding>,
    pub(crate) counts: TaskCounts,
    last_take_at: Instant,
    last_finish_at: Option<Instant>,
    has_taken: bool,
    is_fetching: bool,
    /// Nothing is taken before this, since everything would be refused.
    paused_until: Option<Instant>,
    failing_since: Option<Instant>,
    n_recovered: u64,
    last_error: Option<Error>,
}

struct Holding {
    task: Task,
    since: Instant,
    ending: Option<Ending>,
}

/// The longest pause of a worker whose tasks are refused. Then it tries a few again.
const PAUSE_MAX: Duration = Duration::from_secs(5);

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
                paused_until: None,
                failing_since: None,
                n_recovered: 0,
                last_error: None,
            }),
            events: broadcast::channel(1024).0,
            life: Life::new(),
        }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<QueueWorkerEvent> {
        self.events.subscribe()
    }

    pub(crate) fn announce(&self, event: QueueWorkerEvent) {
        tracing::debug!(?event, queue = self.name, "worker");
        // No listener is no error.
        let _ = self.events.send(event);
    }

    /// The server has given these.
    pub(crate) fn handle_taken(&self, tasks: &[Task]) {
        let outage = self.books().handle_taken(tasks);
        if let Some(outage) = outage {
            tracing::info!(?outage, "the worker takes tasks again");
            self.announce(QueueWorkerEvent::TakesAgain { outage });
        }
        for task in tasks {
            if let Some(from) = task.left_by() {
                let (id, from, deliveries) = (task.id().clone(), from.clone(), task.deliveries());
                self.announce(QueueWorkerEvent::TakenOver { id, from, deliveries });
            }
        }
    }

    pub(crate) fn handle_take_failed(&self, error: &Error) {
        let is_first = self.books().handle_take_failed(error);
        if is_first {
            tracing::warn!(%error, "the worker can not take tasks");
            self.announce(QueueWorkerEvent::TakeFailed { error: error.clone() });
        }
    }

    /// A command that does not take has failed.
    pub(crate) fn handle_failed(&self, what: &'static str, error: &Error) {
        {
            let mut books = self.books();
            books.counts.errors += 1;
            books.last_error = Some(error.clone());
        }
        self.announce(QueueWorkerEvent::Failed { what, error: error.clone() });
    }

    /// A task was put with the dead letters.
    pub(crate) fn handle_dead(&self, id: TaskId, error: String) {
        tracing::warn!(%id, error, "a dead letter");
        self.books().counts.dead_lettered += 1;
        self.announce(QueueWorkerEvent::DeadLettered { id, error });
    }

    /// Its handler has ended; the server is to be told.
    pub(crate) fn handle_ended(&self, task: &Task, ending: &Ending) {
        let pause = self.books().handle_ended(task, ending);
        if let (Some(wait), Some(error)) = (pause, ending.text()) {
            self.announce(QueueWorkerEvent::Paused { wait, error });
        }
    }

    pub(crate) fn stats(&self) -> QueueWorkerStats {
        let (now, stage, books) = (now(), self.life.stage(), self.books());
        let running = || books.held.values().filter(|it| it.ending.is_none());
        let oldest = running().map(|it| it.since).min();
        QueueWorkerStats {
            state: match stage {
                Stage::Draining | Stage::Settling => WorkerState::Draining,
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
    /// Whether the server is being asked for tasks, or for the moment when there may be some.
    pub(crate) fn handle_fetching(&mut self, is_fetching: bool) {
        self.is_fetching = is_fetching;
    }

    /// Returns how long nothing could be taken, if that is over now.
    fn handle_taken(&mut self, tasks: &[Task]) -> Option<Duration> {
        let now = now();
        self.last_take_at = now;
        self.has_taken = true;
        let failing_since = self.failing_since.take();
        self.n_recovered += u64::from(failing_since.is_some());
        for task in tasks {
            self.counts.taken += 1;
            self.counts.again += u64::from(1 < task.deliveries());
            let holding = Holding { task: task.clone(), since: now, ending: None };
            self.held.insert(key(task), holding);
        }
        failing_since.map(|since| now.saturating_duration_since(since))
    }

    /// Returns whether it is the first failure in a row.
    fn handle_take_failed(&mut self, error: &Error) -> bool {
        self.counts.take_errors += 1;
        self.last_error = Some(error.clone());
        let is_first = self.failing_since.is_none();
        self.failing_since.get_or_insert_with(now);
        is_first
    }

    /// Returns for how long nothing is taken now, if that was not so before.
    fn handle_ended(&mut self, task: &Task, ending: &Ending) -> Option<Duration> {
        let now = now();
        self.last_finish_at = Some(now);
        if let Some(holding) = self.held.get_mut(&key(task)) {
            holding.ending = Some(ending.clone());
        }
        let counts = &mut self.counts;
        match ending {
            Ending::Handled => counts.handled += 1,
            Ending::Refused(refusal) => {
                counts.refused += 1;
                // Who waits for its turn is refused when the lease is gone, too: that is no limit.
                let is_general = refusal.is_general && !task.is_lost();
                return if is_general { self.pause(refusal.wait, now) } else { None };
            }
            Ending::Failed(_) | Ending::Permanent(_) => counts.failed += 1,
            Ending::Panicked(_) => counts.panicked += 1,
            Ending::TimedOut(_) => counts.timed_out += 1,
        }
        if *ending != Ending::Handled {
            counts.last_failure = ending.text();
        }
        None
    }

    fn pause(&mut self, wait: Duration, now: Instant) -> Option<Duration> {
        let wait = wait.min(PAUSE_MAX);
        let was_paused = self.paused_until.is_some_and(|until| now < until);
        self.paused_until = self.paused_until.max(Some(now + wait));
        (!was_paused).then_some(wait)
    }

    pub(crate) fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }

    /// It is not this worker's any more.
    pub(crate) fn handle_settled(&mut self, task: &Task) {
        self.held.remove(&key(task));
    }

    /// All that this worker has, and how those have ended whose handlers have.
    pub(crate) fn held(&self) -> Vec<(Task, Option<Ending>)> {
        self.held.values().map(|it| (it.task.clone(), it.ending.clone())).collect()
    }

    /// Whether its handler runs.
    pub(crate) fn runs(&self, task: &Task) -> bool {
        self.held.get(&key(task)).is_some_and(|it| it.ending.is_none())
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
        vitals.state = stats.state.live(stats.is_held_back);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Refused, RefusedReason, fixture};

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_told_once_however_many_are_refused_in_it() {
        let shared = Shared::new("q".to_owned());
        let mut events = shared.listen();
        let (_, task) = fixture::task("x", "[]");
        let mut refuse = async |reason, seconds| {
            let refused = Refused::new(reason, &"partner".into(), Duration::from_secs(seconds));
            let ending = Ending::of(async { Err::<(), _>(refused) }, None).await;
            shared.handle_ended(&task, &ending);
            let told = std::iter::from_fn(|| events.try_recv().ok()).map(|event| match event {
                QueueWorkerEvent::Paused { wait, .. } => wait.as_secs(),
                other => panic!("{other:?}"),
            });
            told.collect::<Vec<u64>>()
        };
        let (open, in_flight) = (RefusedReason::CircuitOpen, RefusedReason::InFlight);
        assert!(refuse(in_flight, 1).await.is_empty(), "others are not refused");
        assert_eq!(refuse(open, 2).await, [2]);
        assert!(refuse(open, 4).await.is_empty() && refuse(open, 1).await.is_empty());
        // The longest counts.
        tokio::time::advance(Duration::from_millis(3_999)).await;
        assert!(refuse(open, 1).await.is_empty());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(refuse(open, 3_600).await, [5], "after some seconds a few are tried");
    }
}
