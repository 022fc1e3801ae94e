//! What is put into a queue.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};
use serde::Serialize;

use super::scripts::{ms, number};

/// The ID of a task: text that the program chose, or 32 hexadecimal digits, of which those made by
/// one program are in the order in which it made them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(Bytes);

impl TaskId {
    /// A new one.
    fn unique() -> Self {
        /// So that those of one millisecond are in order.
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let n = COUNTER.fetch_add(1, Ordering::Relaxed);
        let text = format!("{:012x}{n:08x}{:012x}", since.as_millis(), rand::random::<u64>() >> 16);
        Self(text.into())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn bytes(&self) -> Bytes {
        self.0.clone()
    }
}

impl From<Bytes> for TaskId {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<&str> for TaskId {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for TaskId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        String::from_utf8_lossy(&self.0).fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

/// A task to be put into a queue: a payload, and how it is to be treated. Whatever bytes are a
/// payload become one; [`Job::json`] makes one of a value.
///
/// It has its [ID](Self::id) from the moment it is made, and a queue takes an ID only once as long as
/// it knows it. So after an error that leaves open whether a job was enqueued, a clone of it can be
/// enqueued again without becoming two tasks.
///
/// ```
/// use std::time::Duration;
/// use fanfare::queue::Job;
///
/// #[derive(serde::Serialize)]
/// struct Mail { to: String }
///
/// # fn main() -> Result<(), fanfare::Error> {
/// let job = Job::json(&Mail { to: "ada".into() })?
///     .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
///     .delay(Duration::from_secs(60))
///     .deliveries_max(3);
/// println!("{}", job.id());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a job does nothing until it is enqueued"]
pub struct Job {
    id: TaskId,
    pub(crate) payload: Bytes,
    headers: Vec<(String, String)>,
    due: Due,
    priority: i16,
    pub(crate) unique: Option<(Bytes, Duration)>,
    ttl: Option<Duration>,
    result_ttl: Option<Duration>,
    deliveries_max: Option<u64>,
}

/// When a task may be run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    Now,
    In(Duration),
    At(SystemTime),
}

/// How a queue treats the jobs that do not say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) boost: Duration,
    pub(crate) result_ttl: Duration,
}

impl Job {
    /// A job with this payload.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self {
            id: TaskId::unique(),
            payload: payload.into(),
            headers: Vec::new(),
            due: Due::Now,
            priority: 0,
            unique: None,
            ttl: None,
            result_ttl: None,
            deliveries_max: None,
        }
    }

    /// A job whose payload is this value as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`].
    pub fn json(value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        Ok(Self::new(crate::codec::json::encode(value)?))
    }

    /// An ID of the program's own, for example that of an order: then the same order is not put into
    /// the queue twice as long as the queue knows it, see [`result_ttl`](Self::result_ttl).
    pub fn with_id(mut self, id: impl Into<TaskId>) -> Self {
        self.id = id.into();
        self
    }

    /// The ID of the task that it becomes.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Text that goes with the payload. Several may have the same name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// It is not run before so much time has passed, by the server's clock. Default: at once.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.due = Due::In(delay);
        self
    }

    /// It is not run before this moment, by the server's clock; to the millisecond. What is past is
    /// at once.
    pub fn at(mut self, moment: SystemTime) -> Self {
        self.due = Due::At(moment);
        self
    }

    /// Its priority: higher is earlier, and 0 is the default. See
    /// [`PriorityQueue`](super::PriorityQueue) for how it is weighed against waiting.
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }

    /// It is not enqueued while a task with the same key is queued or being run, nor for `window`
    /// after that was done. See [`UniqueQueue`](super::UniqueQueue).
    pub fn unique(mut self, key: impl AsRef<[u8]>, window: Duration) -> Self {
        self.unique = Some((Bytes::copy_from_slice(key.as_ref()), window));
        self
    }

    /// It is not run any more when this has passed since it was enqueued: then it has
    /// [expired](super::Ending::Expired). Default: never.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// How long the queue knows of it when it is over, with its result and without its payload.
    /// Default: as the [queue](super::TaskQueue::result_ttl) says.
    pub fn result_ttl(mut self, ttl: Duration) -> Self {
        self.result_ttl = Some(ttl);
        self
    }

    /// How often it is delivered before it is put with the dead letters; 0 stands for no bound.
    /// Default: as whoever takes it says.
    pub fn deliveries_max(mut self, n: u64) -> Self {
        self.deliveries_max = Some(n);
        self
    }

    /// Appends its arguments.
    pub(crate) fn write(&self, defaults: &Defaults, args: &mut Vec<Bytes>) -> Result<(), Error> {
        if self.id.0.is_empty() {
            return Err(Error::new(ErrorKind::InvalidOption, "a task's ID is not empty"));
        }
        let headers = if self.headers.is_empty() {
            Bytes::new()
        } else {
            crate::codec::json::encode(&self.headers)?.into()
        };
        let (delay, moment) = self.due.args();
        let boost_us = i64::try_from(defaults.boost.as_micros()).unwrap_or(i64::MAX);
        let ahead = i64::from(self.priority).saturating_mul(boost_us).clamp(-AHEAD_MAX, AHEAD_MAX);
        let (unique, window) = match &self.unique {
            Some((key, window)) => ([b"=", &key[..]].concat().into(), ms(*window)),
            None => (Bytes::new(), Bytes::new()),
        };
        args.extend([
            self.id.bytes(),
            self.payload.clone(),
            headers,
            delay,
            moment,
            ahead.to_string().into(),
            self.priority.to_string().into(),
            unique,
            window,
            self.ttl.map(ms).unwrap_or_default(),
            ms(self.result_ttl.unwrap_or(defaults.result_ttl)),
            self.deliveries_max.map(number).unwrap_or_default(),
        ]);
        Ok(())
    }
}

#[cfg(feature = "cron")]
impl Job {
    /// Itself as it is kept, without its ID and its time.
    pub(crate) fn fields(&self) -> Result<Vec<(&'static str, Bytes)>, Error> {
        let mut fields = vec![
            ("payload", self.payload.clone()),
            ("headers", crate::codec::json::encode(&self.headers)?.into()),
            ("priority", self.priority.to_string().into()),
        ];
        if let Some((key, window)) = &self.unique {
            fields.extend([("unique", key.clone()), ("window", ms(*window))]);
        }
        fields.extend(self.ttl.map(|it| ("ttl", ms(it))));
        fields.extend(self.result_ttl.map(|it| ("keep", ms(it))));
        fields.extend(self.deliveries_max.map(|it| ("most", number(it))));
        Ok(fields)
    }

    /// The same, read again.
    pub(crate) fn from_fields(
        mut fields: std::collections::HashMap<String, Bytes>,
    ) -> Result<Self, Error> {
        use super::ticket::{headers, text};
        let mut take = |name: &str| fields.remove(name);
        let number = |it: Bytes| text(it).parse::<u64>().ok();
        let time = |it: Bytes| number(it).map(Duration::from_millis);
        let mut job = Self::new(take("payload").unwrap_or_default());
        job.headers = headers(take("headers"))?;
        job.priority = take("priority").and_then(|it| text(it).parse().ok()).unwrap_or(0);
        let window = take("window").and_then(time).unwrap_or_default();
        job.unique = take("unique").map(|key| (key, window));
        job.ttl = take("ttl").and_then(time);
        job.result_ttl = take("keep").and_then(time);
        job.deliveries_max = take("most").and_then(number);
        Ok(job)
    }
}

/// How far ahead a priority can put a task, in microseconds: some thirty years, so that sums are
/// exact in the numbers of Lua.
const AHEAD_MAX: i64 = 1_000_000_000_000_000;

impl Due {
    /// The delay and the moment as arguments, one of which is empty at least.
    pub(crate) fn args(self) -> (Bytes, Bytes) {
        match self {
            Self::Now => (Bytes::new(), Bytes::new()),
            Self::In(delay) => (ms(delay), Bytes::new()),
            Self::At(moment) => {
                let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                (Bytes::new(), ms(since))
            }
        }
    }
}

/// What is a payload without further words.
macro_rules! payloads {
    ($($type:ty),+) => {$(
        impl From<$type> for Job {
            fn from(payload: $type) -> Self {
                Self::new(payload)
            }
        }
    )+};
}

payloads!(Bytes, Vec<u8>, String, &'static str, &'static [u8]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_program_are_in_order() {
        let ids: Vec<TaskId> = (0..1_000).map(|_| Job::new("").id).collect();
        assert!(ids.windows(2).all(|it| it[0] < it[1]));
        assert!(ids.iter().all(|it| it.0.len() == 32));
    }

    #[cfg(feature = "cron")]
    #[test]
    fn a_job_that_is_kept_is_read_again() {
        let second = Duration::from_secs(1);
        let job = Job::new(&b"\xff"[..]).header("a", "b").priority(-3).unique("k", second);
        let job = job.ttl(2 * second).result_ttl(3 * second).deliveries_max(4);
        for job in [job, Job::new("")] {
            let fields = job.fields().unwrap().into_iter();
            let read = Job::from_fields(fields.map(|(name, it)| (name.to_owned(), it)).collect());
            let read = read.unwrap().with_id(job.id().clone());
            assert_eq!(format!("{read:?}"), format!("{job:?}"));
        }
    }

    #[test]
    fn a_job_has_as_many_arguments_as_the_script_takes() {
        let defaults =
            Defaults { boost: Duration::from_secs(60), result_ttl: Duration::from_secs(1) };
        let mut args = Vec::new();
        Job::new("x").priority(-2).unique("k", Duration::ZERO).write(&defaults, &mut args).unwrap();
        assert_eq!(args.len(), 12);
        assert_eq!(&args[5][..], b"-120000000");
        assert_eq!((&args[7][..], &args[8][..]), (&b"=k"[..], &b"0"[..]));
        assert!(Job::new("x").with_id("").write(&defaults, &mut args).is_err());
    }
}
