//! Layers around the handlers of channels, streams and queues, on real brokers.

mod dead_letter;
mod full;
#[cfg(feature = "embedded")]
mod handlers;
mod idempotency;
mod queues;
mod shared;
mod suspended;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use fanfare::{BoxError, Call, Envelope, Kind, Message, layers::CallService};

/// A call for an event with this id, which came through the channel `events`.
fn event(id: &str) -> Result<Call, fanfare::Error> {
    let payload = Envelope::new("order.created", 7).source("shop").id(id).to_payload()?;
    let at = std::time::SystemTime::UNIX_EPOCH;
    Ok(Message::new(Kind::Channel, Bytes::from_static(b"events"), payload, at).into())
}

/// Calls a service.
async fn run<S: CallService>(service: &S, call: Call) -> Result<(), Failure> {
    let mut service = service.clone();
    let ready = std::future::poll_fn(|cx| service.poll_ready(cx)).await;
    ready.map_err(|error| Failure(error.into()))?;
    service.call(call).await.map_err(|error| Failure(error.into()))
}

/// Any error, as one: tests hand it on.
#[derive(Debug)]
struct Failure(BoxError);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failure {}

impl std::ops::Deref for Failure {
    type Target = BoxError;

    fn deref(&self) -> &BoxError {
        &self.0
    }
}

/// Why a call has failed.
fn failure(result: Result<(), Failure>) -> Result<Failure, &'static str> {
    result.err().ok_or("it went well")
}

/// What handlers have seen, in order.
#[derive(Debug, Default)]
struct Seen<T>(Arc<Mutex<Vec<T>>>);

impl<T: Clone> Seen<T> {
    fn push(&self, value: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    }

    fn all(&self) -> Vec<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A number that grows.
#[derive(Clone, Default)]
struct Count(Arc<AtomicU64>);

impl Count {
    fn add(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn sub(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}
