//! A task that is being run, and what handlers may ask for.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Value};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    TaskId,
    handle::{items, odd, time},
    scripts::number,
    ticket::{headers, text},
};
use crate::{Extract, Json, Raw, Text, client::FromValue, worker::Lease};

/// A task that was taken: what the handlers of a [`QueueWorker`](super::QueueWorker) are called with,
/// and what the arguments of a handler are [extracted](Extract) from.
///
/// These are: [`Task`] itself, [`TaskId`]; [`Json`], [`Text`] and [`Raw`] of its payload;
/// [`State`](crate::State); `Result<T, Error>` of any of them. A program may add its own.
///
/// Cheap to clone; all clones are the same task.
#[derive(Clone)]
pub struct Task(Arc<Inner>);

struct Inner {
    id: TaskId,
    token: u64,
    /// Who has it.
    worker: Bytes,
    queue: Bytes,
    received_at: SystemTime,
    payload: Bytes,
    headers: Vec<(String, String)>,
    deliveries: u64,
    enqueued: SystemTime,
    priority: i16,
    last_error: Option<String>,
    left_by: Option<Bytes>,
    lease: Lease,
    result: Mutex<Option<Bytes>>,
}

impl Task {
    /// Its ID: the same each time that it is delivered.
    pub fn id(&self) -> &TaskId {
        &self.0.id
    }

    /// The name of its queue, without the namespace.
    pub fn queue(&self) -> &Bytes {
        &self.0.queue
    }

    /// When this program was given it.
    pub fn received_at(&self) -> SystemTime {
        self.0.received_at
    }

    /// Its payload.
    pub fn payload(&self) -> &Bytes {
        &self.0.payload
    }

    /// What went with the payload, in the order in which it was given.
    pub fn headers(&self) -> &[(String, String)] {
        &self.0.headers
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.iter().find(|(it, _)| it == name).map(|(_, value)| &value[..])
    }

    /// How often it was delivered, with this time: 1 is the first.
    pub fn deliveries(&self) -> u64 {
        self.0.deliveries
    }

    /// When it was enqueued, by the server's clock.
    pub fn enqueued(&self) -> SystemTime {
        self.0.enqueued
    }

    /// Its priority.
    pub fn priority(&self) -> i16 {
        self.0.priority
    }

    /// What the last failure said, if it is not the first time.
    pub fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_deref()
    }

    /// The number of its lease. It grows with every delivery of this queue, so whoever keeps the
    /// largest that it has seen can refuse those who are late (a fencing token).
    ///
    /// It is the server's time in microseconds, or one more than the last one if that is later. So it
    /// goes on growing after a `FLUSHALL` and a failover, as long as the clock of the server that takes
    /// over is not behind by more than that took.
    pub fn token(&self) -> u64 {
        self.0.token
    }

    pub(crate) fn worker(&self) -> &Bytes {
        &self.0.worker
    }

    /// Who had it before, if that one gave no sign of life.
    pub(crate) fn left_by(&self) -> Option<&Bytes> {
        self.0.left_by.as_ref()
    }

    /// What a lease is known by: the task, the token, and who has it.
    pub(crate) fn lease(&self) -> [Bytes; 3] {
        [self.0.id.bytes(), number(self.0.token), self.0.worker.clone()]
    }

    /// The payload as a value.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.0.payload)
            .map_err(|source| self.undecodable("the expected JSON").with_source(source))
    }

    /// The payload as text.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`].
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.0.payload)
            .map_err(|source| self.undecodable("UTF-8 text").with_source(source))
    }

    /// What whoever waits for the [outcome](super::Ticket::outcome) gets, if the task ends well.
    pub fn set_result(&self, result: impl Into<Bytes>) {
        *self.0.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result.into());
    }

    /// The same with a value as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`].
    pub fn set_json(&self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.set_result(crate::codec::json::encode(value)?);
        Ok(())
    }

    pub(crate) fn result(&self) -> Option<Bytes> {
        self.0.result.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it is known that the task is no longer ours: no sign of life reached the server for
    /// too long, and another one has it, or it was deleted. What is done from now on may be done
    /// twice.
    pub fn is_lost(&self) -> bool {
        self.0.lease.is_lost()
    }

    /// Waits until [`is_lost`](Self::is_lost).
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn lost(&self) {
        self.0.lease.lost().await;
    }

    pub(crate) fn lose(&self) {
        self.0.lease.lose();
    }

    /// One of the tasks that the script gave to this worker, and why it can not be run, if so.
    pub(crate) fn read(
        value: Value,
        queue: &Bytes,
        worker: &Bytes,
    ) -> Result<(Self, Option<String>), Error> {
        let mut fields = items(value, "a task")?;
        let mut next = || -> Result<Option<Bytes>, Error> {
            Option::from_value(fields.next().unwrap_or(Value::Null))
        };
        let (id, token, deliveries) = (next()?, next()?, next()?);
        let (payload, stored, enqueued) = (next()?, next()?, next()?);
        let (priority, last_error, left_by) = (next()?, next()?, next()?);
        let read = |it: Option<Bytes>| it.and_then(|it| text(it).parse::<u64>().ok());
        let (headers, flaw) = match headers(stored) {
            Ok(headers) => (headers, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let task = Self(Arc::new(Inner {
            id: id.ok_or_else(|| odd("a task"))?.into(),
            token: read(token).ok_or_else(|| odd("a task"))?,
            worker: worker.clone(),
            queue: queue.clone(),
            received_at: SystemTime::now(),
            payload: payload.unwrap_or_default(),
            headers,
            deliveries: read(deliveries).ok_or_else(|| odd("a task"))?,
            enqueued: time(&enqueued.map(text).unwrap_or_default()),
            priority: priority.and_then(|it| text(it).parse().ok()).unwrap_or(0),
            last_error: last_error.map(text),
            left_by,
            lease: Lease::default(),
            result: Mutex::default(),
        }));
        Ok((task, flaw))
    }

    fn undecodable(&self, what: &str) -> Error {
        let message = format!("the payload of task {} is not {what}", self.0.id);
        Error::new(ErrorKind::Decode, message)
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.0.id)
            .field("deliveries", &self.0.deliveries)
            .field("token", &self.0.token)
            .field("is_lost", &self.is_lost())
            .finish_non_exhaustive()
    }
}

impl<S> Extract<S, Task> for Task {
    fn extract(task: &Task, _state: &S) -> Result<Self, Error> {
        Ok(task.clone())
    }
}

impl<S> Extract<S, Task> for TaskId {
    fn extract(task: &Task, _state: &S) -> Result<Self, Error> {
        Ok(task.id().clone())
    }
}

impl<S, T: DeserializeOwned + Send> Extract<S, Task> for Json<T> {
    fn extract(task: &Task, _state: &S) -> Result<Self, Error> {
        task.json().map(Self)
    }
}

impl<S> Extract<S, Task> for Text {
    fn extract(task: &Task, _state: &S) -> Result<Self, Error> {
        task.text().map(|text| Self(text.to_owned()))
    }
}

impl<S> Extract<S, Task> for Raw {
    fn extract(task: &Task, _state: &S) -> Result<Self, Error> {
        Ok(Self(task.payload().clone()))
    }
}
