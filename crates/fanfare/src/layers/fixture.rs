//! What the tests of layers have in common.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_client::{Kind, Message, Value};

use super::{CallService, layered::pass};
use crate::{
    BoxError, Call,
    queue::Task,
    stream::{Entry, StreamId},
    worker::{Context, Delivered, Lease},
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A call for a message of the channel `news`.
pub(crate) fn call(payload: impl Into<Bytes>) -> Call {
    let at = SystemTime::UNIX_EPOCH;
    Message::new(Kind::Channel, Bytes::from_static(b"news"), payload.into(), at).into()
}

/// A call for an entry of the stream `orders`, and whether it is still the worker's.
pub(crate) fn delivered(payload: impl Into<Bytes>) -> (Call, Arc<Lease>) {
    let id = StreamId::new(7, 1);
    let fields = vec![(Bytes::from_static(b"item"), payload.into())];
    let entry = Arc::new(Entry::new(id, fields, SystemTime::UNIX_EPOCH));
    let lease = Arc::new(Lease::default());
    let context = Context { id, deliveries: 1, lease: lease.clone() };
    let (stream, group) = ("orders".into(), "billing".into());
    (Delivered { entry, context, stream, group }.into(), lease)
}

/// A call for a task of the queue `mails` with these headers, and the task itself.
pub(crate) fn task(payload: &str, headers: &str) -> (Call, Task) {
    let fields = ["7", "1", "1", payload, headers].map(|it| Value::bulk(it.as_bytes().to_vec()));
    let fields = Value::Array(fields.into());
    let (task, flaw) = Task::read(fields, &"mails".into(), &"me".into()).unwrap();
    assert_eq!(flaw, None);
    (task.clone().into(), task)
}

pub(crate) async fn run<S: CallService>(service: &S, call: Call) -> Result<(), BoxError> {
    pass(service, call).await
}
