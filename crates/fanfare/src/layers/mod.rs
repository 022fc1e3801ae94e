//! Layers around handlers: what is done for each call, whatever it came through.
//!
//! A layer is a `tower_layer::Layer` over services of [`Call`], and its error is
//! [`BoxError`](crate::BoxError). So one set fits around the handlers of channels
//! ([`Router::service`](crate::Router::service)), of streams
//! ([`Worker::spawn_service`](crate::worker::Worker::spawn_service)) and of queues
//! ([`QueueWorker::spawn_service`](crate::queue::QueueWorker::spawn_service)), and mixes with layers of
//! `tower` and of one's own.
//!
//! Time is that of [`tokio::time`]: no layer reads this computer's clock, and tests move all of it at
//! once. What programs share ([`SharedRateLimit`], [`SharedConcurrencyLimit`], [`Idempotency`]) goes by
//! the broker's clock. If that is set back, leases last longer by as much; if it is set forward, they
//! end early: another program may get a place or a claim that is not given back yet, and who lost the
//! claim is fenced off. What layers keep is bounded.
//!
//! # Errors
//! Layers go by what an error [means](Class), not by its text: see [`classify`]. They hand on the
//! handler's error as it is, so a [`Permanent`](crate::Permanent) reaches the worker through all of
//! them. A [`Refused`] and a [`RetryAfter`] reach it, too: the entry or task is delivered again when they say,
//! and that does not count as a delivery.

mod asked;
mod breaker;
mod classify;
mod dead_letter;
mod decompress;
#[cfg(test)]
pub(crate) mod fixture;
mod from_fn;
mod idempotency;
mod layered;
mod limit;
#[cfg(feature = "metrics")]
mod metrics;
mod retry;
mod shared;
mod stack;
mod timeout;
mod trace;
#[cfg(feature = "schema")]
mod validate;

use std::time::Duration;

pub use asked::WhenAway;
pub use breaker::{
    BreakerEvent, BreakerEvents, BreakerState, BreakerStats, CircuitBreaker, Window,
};
pub use classify::{Class, Refused, RefusedReason, RetryAfter, classify};
pub(crate) use dead_letter::FIRST_OF_DEAD;
pub use dead_letter::{DeadLetter, DeadLetterStats, DeadMessage};
pub use decompress::{Decompress, DecompressStats};
pub use from_fn::{FromFn, Next, from_fn};
pub use idempotency::{Fence, Idempotency, IdempotencyStats, Overtaken, WhenInFlight, WithoutId};
pub use layered::{CallService, Layered};
pub use limit::{ConcurrencyLimit, LimitStats, RateLimit};
#[cfg(feature = "metrics")]
pub use metrics::Metrics;
pub use retry::{Retry, RetryBudget, RetryStats};
pub(crate) use shared::TURN;
pub use shared::{SharedConcurrencyLimit, SharedRateLimit};
pub use stack::Stack;
pub use timeout::{TimedOut, Timeout};
pub use tower_layer::Layer;
pub use trace::{Trace, TraceParent};
#[cfg(feature = "schema")]
pub use validate::{Validate, ValidateStats};

use crate::Call;

/// The longest wait: an instant must not overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Waits for a future; `None`: the call's entry or task is no longer this worker's, or was not at first.
async fn unless_lost<T>(call: &Call, future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = call.lost() => None,
        value = future => Some(value),
    }
}
