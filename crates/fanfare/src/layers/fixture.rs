//! What the tests of layers have in common.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fanfare_client::{Kind, Message};

use super::{CallService, layered::pass};
use crate::{
    BoxError, Call,
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

pub(crate) async fn run<S: CallService>(service: &S, call: Call) -> Result<(), BoxError> {
    pass(service, call).await
}
