//! Schedules: tasks that are put in again and again at certain times.

mod run;
mod times;

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Value};

use super::{
    Job, TaskQueue,
    handle::{items, odd},
    scripts::{CRON_LOOK, CRON_REMOVE, CRON_SET, number},
    ticket::text,
};
use crate::{
    client::FromValue,
    commands::{Hashes, SortedSets},
};
pub use run::{RunningScheduler, SchedulerStats};
pub use times::Missed;
use times::Times;

/// When a task is put in again and again, and what the task is. To be [set](Schedules::set) under a name.
///
/// The pattern has five fields as in crontab (minute, hour, day of the month, month, day of the week),
/// six with seconds in front, or seven with the year behind: `0 9 * * MON-FRI`, `*/30 * * * * *`,
/// `0 0 L * *` (the last day of each month), `@hourly`. As in crontab, if both the day of the month and that of the
/// week are given, either is enough.
///
/// When clocks are put forward, a time of day that is skipped fires right behind the gap, and one of
/// several in a row (`*/5`) not at all; when they are put back, a time of day fires once, and one of
/// several in a row each time.
///
/// ```
/// use fanfare::queue::{Missed, Schedule};
///
/// # fn main() -> Result<(), fanfare::Error> {
/// let report = Schedule::new("0 9 * * MON-FRI", "report")?
///     .time_zone("Europe/Vienna")?
///     .missed(Missed::All(5));
/// assert!(Schedule::new("0 9 * *", "report").is_err());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a schedule does nothing until it is set"]
pub struct Schedule {
    times: Times,
    job: Job,
}

/// The schedules of a queue. Made by [`TaskQueue::schedules`].
///
/// They are kept by the broker. Programs that [run](Self::spawn) them look for what is due; however many do, each
/// firing becomes exactly one task: whoever puts it in moves the schedule on in the same step. While none
/// of them runs, firings are owed: see [`Missed`]. The server's clock decides.
///
/// A firing's task has the headers `schedule`, the name, and `scheduled-for`, the time in RFC 3339.
///
/// # Example: a report on each working day
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// # use fanfare::queue::Schedule;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// # let queue = fanfare::Fanfare::connect("embedded:").await?.task_queue("reports");
/// let report = Schedule::new("0 9 * * MON-FRI", "report")?.time_zone("Europe/Vienna")?;
/// queue.schedules().set("daily report", &report).await?;
/// let scheduler = queue.schedules().spawn()?;
/// # scheduler.stop().await;
/// # Ok(()) }
/// ```
///
/// # Example: every second
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Fanfare, queue::Schedule};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let queue = fanfare.task_queue("heartbeats");
/// let schedules = queue.schedules();
/// // Each program that starts may say it again.
/// schedules.set("beat", &Schedule::new("* * * * * *", "beat")?).await?;
/// let scheduler = schedules.spawn()?;
/// let taken = queue.take_within(1, Duration::from_secs(30)).await?;
/// assert_eq!(taken[0].task().header("schedule"), Some("beat"));
/// scheduler.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Schedules {
    queue: TaskQueue,
}

/// A schedule as it is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScheduleInfo {
    /// Its name.
    pub name: String,
    /// Its pattern.
    pub pattern: String,
    /// Its time zone.
    pub time_zone: String,
    /// What becomes of firings that were missed.
    pub missed: Missed,
    /// When it fires next. What is past is owed.
    pub next: SystemTime,
}

/// A schedule that is due.
struct Due {
    name: String,
    /// In milliseconds.
    at: i64,
    schedule: Schedule,
}

/// What there is to do.
struct Look {
    now: i64,
    next_in: Option<Duration>,
    due: Vec<Result<Due, Error>>,
}

/// Schedules that are looked at in one call.
const DUE_MAX: u32 = 20;

impl Schedule {
    /// Puts in a copy of this job at the times of this pattern, in UTC. The job's own ID and time are
    /// not used.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`], and what is wrong with the pattern.
    pub fn new(pattern: impl Into<String>, job: impl Into<Job>) -> Result<Self, Error> {
        Ok(Self { times: Times::new(pattern.into(), "UTC", Missed::One)?, job: job.into() })
    }

    /// The times are those of this time zone of the IANA database, which the system has to have:
    /// `Europe/Vienna`. Default: `UTC`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`]: it is not known here.
    pub fn time_zone(mut self, name: &str) -> Result<Self, Error> {
        self.times = Times::new(self.times.pattern().to_owned(), name, self.times.missed)?;
        Ok(self)
    }

    /// What becomes of firings that were missed. Default: [`Missed::One`].
    pub fn missed(mut self, missed: Missed) -> Self {
        self.times.missed = missed;
        self
    }

    fn fields(&self) -> Result<Vec<Bytes>, Error> {
        let mut fields: Vec<(&'static str, Bytes)> = self.times.fields();
        fields.extend(self.job.fields()?);
        Ok(fields.into_iter().flat_map(|(name, value)| [Bytes::from(name), value]).collect())
    }

    fn read(mut fields: HashMap<String, Bytes>) -> Result<Self, Error> {
        let times = Times::read(&mut fields)?;
        Ok(Self { times, job: Job::from_fields(fields)? })
    }

    /// The tasks of these firings.
    fn jobs(&self, name: &str, firings: &[jiff::Timestamp]) -> Vec<Job> {
        let job = |at: &jiff::Timestamp| {
            let id = format!("cron:{name}:{}", at.as_millisecond());
            let job = self.job.clone().with_id(id).header("schedule", name);
            job.header("scheduled-for", at.to_string())
        };
        firings.iter().map(job).collect()
    }
}

impl TaskQueue {
    /// The schedules whose tasks are put into this queue.
    pub fn schedules(&self) -> Schedules {
        Schedules { queue: self.clone() }
    }
}

impl Schedules {
    /// Keeps a schedule under a name, in place of another one, and returns when it fires next. One that
    /// has the same pattern and time zone as before keeps the firings that it owes, so every program
    /// may say it when it starts.
    ///
    /// # Errors
    /// Those of every command; [`ErrorKind::InvalidOption`] if it would never fire.
    ///
    /// # Cancel safety
    /// If the future is dropped, it may or may not have been set.
    pub async fn set(&self, name: &str, schedule: &Schedule) -> Result<SystemTime, Error> {
        self.queue.agreed.check_json(&schedule.job.payload)?;
        let now = self.look(0).await?.now;
        let next = schedule.times.after(now)?.ok_or_else(|| {
            let message = format!("{:?} is at no time from now on", schedule.times.pattern());
            Error::new(ErrorKind::InvalidOption, message)
        })?;
        let mut args = vec![Bytes::copy_from_slice(name.as_bytes()), next.to_string().into()];
        args.extend(schedule.fields()?);
        let next: String = self.queue.run(&CRON_SET, args).await?;
        Ok(moment(next.parse().unwrap_or(0.0)))
    }

    /// Forgets a schedule. `false`: there was none of this name. What it has put in stays.
    ///
    /// # Errors
    /// Those of every command.
    pub async fn remove(&self, name: &str) -> Result<bool, Error> {
        self.queue.run(&CRON_REMOVE, [Bytes::copy_from_slice(name.as_bytes())]).await
    }

    /// All schedules, the next one first.
    ///
    /// # Errors
    /// Those of every command; [`ErrorKind::InvalidOption`] for a schedule that was set by a program
    /// that knows more.
    pub async fn list(&self) -> Result<Vec<ScheduleInfo>, Error> {
        self.queue.place.check()?;
        let (client, place) = (&self.queue.client, &self.queue.place);
        let names: Vec<(String, f64)> = client.zrange_with_scores(place.key("cron"), 0, -1).await?;
        let mut schedules = Vec::new();
        for (name, next) in names {
            let fields: HashMap<String, Bytes> =
                client.hgetall(place.key(&format!("schedule:{name}"))).await?;
            if fields.is_empty() {
                continue;
            }
            let times = Schedule::read(fields)?.times;
            schedules.push(ScheduleInfo {
                name,
                pattern: times.pattern().to_owned(),
                time_zone: times.time_zone().to_owned(),
                missed: times.missed,
                next: moment(next),
            });
        }
        Ok(schedules)
    }

    async fn look(&self, n: u32) -> Result<Look, Error> {
        let answer: Value = self.queue.run(&CRON_LOOK, [number(n)]).await?;
        let mut answer = items(answer, "schedules")?;
        let mut next = || answer.next().ok_or_else(|| odd("schedules"));
        let now = i64::from_value(next()?)?;
        let next_in = u64::try_from(i64::from_value(next()?)?).ok().map(Duration::from_millis);
        let due = items(next()?, "schedules")?.map(Due::read).collect();
        Ok(Look { now, next_in, due })
    }
}

impl Due {
    fn read(value: Value) -> Result<Self, Error> {
        let mut fields = items(value, "a schedule")?;
        let mut next = || fields.next().ok_or_else(|| odd("a schedule"));
        let name = text(Bytes::from_value(next()?)?);
        let at = f64::from_value(next()?)?;
        let schedule = Schedule::read(HashMap::from_value(next()?)?)?;
        Ok(Self { name, at: times::whole(at), schedule })
    }
}

fn moment(ms: f64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs_f64((ms / 1000.0).clamp(0.0, 1e12))
}

impl fmt::Display for ScheduleInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.name, self.pattern, self.time_zone)
    }
}
