//! The task that looks for schedules that are due.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, LiveKind, LiveState, Vital, Vitals};
use tokio::{sync::watch, task::JoinHandle};

use super::{DUE_MAX, Due, Schedules};
use crate::{
    queue::scripts::CRON_FIRE,
    worker::{Patience, now},
};

/// A program's part in running the schedules of a queue. Made by [`Schedules::spawn`]; it ends when it is
/// dropped.
#[must_use = "the scheduler ends when this is dropped"]
pub struct RunningScheduler {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// How a scheduler is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SchedulerStats {
    /// Tasks that this one has put in.
    pub fired: u64,
    /// Looks and firings that failed, and schedules that could not be read.
    pub errors: u64,
    /// Time since the last look that succeeded; a second or so.
    pub last_look_age: Duration,
    /// The last error.
    pub last_error: Option<Error>,
}

struct Shared {
    name: String,
    state: Mutex<State>,
    stop: watch::Sender<bool>,
}

struct State {
    fired: u64,
    errors: u64,
    looked_at: Instant,
    is_failing: bool,
    has_ended: bool,
    last_error: Option<Error>,
}

/// So long a schedule that another program has set can be unknown here.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Schedules {
    /// Starts to run the schedules, and returns at once. Any number of programs may: each firing becomes one
    /// task. A scheduler tries again for ever whatever fails.
    ///
    /// # Delivery
    /// A firing is put in exactly once, as far as the server keeps what it has confirmed; its task is then
    /// run at least once. It is put in when it is due and a scheduler runs, and otherwise as
    /// [`Missed`](super::Missed) says.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] for a queue without a name.
    ///
    /// # Panics
    /// Outside a tokio runtime with time.
    pub fn spawn(&self) -> Result<RunningScheduler, Error> {
        self.queue.place.check()?;
        let shared = Arc::new(Shared {
            name: format!("{} schedules", String::from_utf8_lossy(self.queue.name())),
            state: Mutex::new(State {
                fired: 0,
                errors: 0,
                looked_at: now(),
                is_failing: false,
                has_ended: false,
                last_error: None,
            }),
            stop: watch::Sender::new(false),
        });
        self.queue.client.link().watch(&shared);
        let task = tokio::spawn(run(self.clone(), shared.clone()));
        Ok(RunningScheduler { shared, task })
    }
}

impl RunningScheduler {
    /// How it is doing, now.
    pub fn stats(&self) -> SchedulerStats {
        let state = self.shared.state();
        SchedulerStats {
            fired: state.fired,
            errors: state.errors,
            last_look_age: now().saturating_duration_since(state.looked_at),
            last_error: state.last_error.clone(),
        }
    }

    /// Ends it in good order: a firing that is under way is waited for. Returns the final numbers.
    ///
    /// # Cancel safety
    /// Dropping the future is like dropping the scheduler: a firing that is under way may or may not be
    /// put in, but never twice.
    pub async fn stop(mut self) -> SchedulerStats {
        self.shared.stop.send_replace(true);
        // It does not panic.
        let _ = (&mut self.task).await;
        self.stats()
    }
}

impl Drop for RunningScheduler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for RunningScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningScheduler").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle_failed(&self, error: &Error) {
        tracing::warn!(%error, "the scheduler has failed");
        let mut state = self.state();
        state.errors += 1;
        state.last_error = Some(error.clone());
    }
}

impl Vital for Shared {
    fn vitals(&self) -> Vitals {
        let state = self.state();
        let mut vitals = Vitals::new(LiveKind::Task, self.name.clone());
        vitals.last_read_age = now().saturating_duration_since(state.looked_at);
        if state.has_ended {
            vitals.state = LiveState::Ended(Error::new(ErrorKind::Closed, "it was stopped"));
        } else if state.is_failing {
            vitals.state = LiveState::Down;
        }
        vitals
    }
}

async fn run(schedules: Schedules, shared: Arc<Shared>) {
    let mut patience = Patience::default();
    let mut stop = shared.stop.subscribe();
    loop {
        let looked = look(&schedules, &shared).await;
        let pause = match looked {
            Ok(next_in) => {
                patience.handle_success();
                let mut state = shared.state();
                state.looked_at = now();
                state.is_failing = false;
                next_in.unwrap_or(LOOK_EVERY).min(LOOK_EVERY)
            }
            Err(error) => {
                shared.handle_failed(&error);
                shared.state().is_failing = true;
                if error.kind() == ErrorKind::Closed {
                    break;
                }
                patience.handle_failure().saturating_duration_since(now())
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // The sender lives as long as this.
            _ = stop.wait_for(|is_so| *is_so) => break,
        }
    }
    shared.state().has_ended = true;
}

/// Fires what is due, and returns when to look again.
async fn look(schedules: &Schedules, shared: &Shared) -> Result<Option<Duration>, Error> {
    let look = schedules.look(DUE_MAX).await?;
    let mut next_in = look.next_in;
    for due in look.due {
        // One that can not be read holds up no other one.
        match due {
            Ok(due) => shared.state().fired += fire(schedules, &due, look.now).await?,
            Err(error) => {
                shared.handle_failed(&error);
                next_in = None;
            }
        }
    }
    Ok(next_in)
}

/// Fires one, unless another program has done it already, and returns how many tasks that was.
async fn fire(schedules: &Schedules, due: &Due, now: i64) -> Result<u64, Error> {
    let Due { name, at, schedule } = due;
    let jobs = schedule.jobs(name, &schedule.times.owed(*at, now)?);
    let next = schedule.times.after(now)?;
    let next = next.map(|it| Bytes::from(it.to_string())).unwrap_or_default();
    let mut args = vec![Bytes::copy_from_slice(name.as_bytes()), at.to_string().into(), next];
    for job in &jobs {
        job.write(&schedules.queue.rules.defaults, &mut args)?;
    }
    let is_ours: bool = schedules.queue.run(&CRON_FIRE, args).await?;
    Ok(if is_ours { u64::try_from(jobs.len()).unwrap_or(0) } else { 0 })
}
