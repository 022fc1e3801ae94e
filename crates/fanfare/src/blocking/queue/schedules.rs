//! Schedules of queues.

use std::time::SystemTime;

use super::TaskQueue;
use crate::{
    Error,
    blocking::{runtime, twin},
    queue::{self, Schedule, ScheduleInfo, SchedulerStats},
};

/// The twin of [`fanfare::queue::Schedules`](crate::queue::Schedules): tasks that are put in again and again
/// at certain times. Made by [`TaskQueue::schedules`].
///
/// # Example: every second
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::queue::Schedule;
///
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let queue = fanfare.task_queue("blocking heartbeats");
/// queue.schedules().set("beat", &Schedule::new("* * * * * *", "beat")?)?;
/// let scheduler = queue.schedules().spawn()?;
/// let taken = queue.take_within(1, Duration::from_secs(30))?;
/// assert_eq!(taken[0].task().header("schedule"), Some("beat"));
/// scheduler.stop();
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schedules {
    inner: queue::Schedules,
}

/// The twin of [`fanfare::queue::RunningScheduler`](crate::queue::RunningScheduler). It ends when this is
/// dropped.
#[derive(Debug)]
#[must_use = "the scheduler ends when this is dropped"]
pub struct RunningScheduler {
    inner: queue::RunningScheduler,
}

impl TaskQueue {
    /// The schedules whose tasks are put into this queue.
    pub fn schedules(&self) -> Schedules {
        Schedules { inner: self.inner.schedules() }
    }
}

impl Schedules {
    /// Starts to run the schedules, and returns at once. Any number of programs may: each firing becomes
    /// one task.
    ///
    /// # Errors
    /// As [`Schedules::spawn`](crate::queue::Schedules::spawn).
    pub fn spawn(&self) -> Result<RunningScheduler, Error> {
        Ok(RunningScheduler { inner: runtime::wait(async { self.inner.spawn() })? })
    }
}

twin!(Schedules {
    /// Keeps a schedule under a name, in place of another one, and returns when it fires next.
    fn set(&self, name: &str, schedule: &Schedule) -> SystemTime;

    /// Forgets a schedule. `false`: there was none of this name.
    fn remove(&self, name: &str) -> bool;

    /// All schedules, the next one first.
    fn list(&self) -> Vec<ScheduleInfo>;
});

impl RunningScheduler {
    /// How it is doing, now.
    pub fn stats(&self) -> SchedulerStats {
        self.inner.stats()
    }

    /// Ends it in good order, and returns the final numbers.
    pub fn stop(self) -> SchedulerStats {
        runtime::wait(self.inner.stop())
    }
}
