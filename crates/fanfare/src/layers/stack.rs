//! The layers in an order that works.

use std::{sync::Arc, time::Duration};

use tower_layer::Layer;

#[cfg(feature = "metrics")]
use super::Metrics;
#[cfg(feature = "schema")]
use super::Validate;
use super::{
    CallService, CircuitBreaker, ConcurrencyLimit, DeadLetter, Decompress, Idempotency, Layered,
    RateLimit, Retry, SharedConcurrencyLimit, SharedRateLimit, Timeout, Trace,
    layered::{Around, erased},
};
use crate::{Call, HandlerService, handle::endpoint_of_service};

/// The layers in the order in which they belong, from the outside inwards:
///
/// | | layer | here, because | by default |
/// |---|---|---|---|
/// | 1 | [`Metrics`](super) | it counts what became of the call in the end | with the feature `metrics` |
/// | 2 | [`Trace`] | all that follows happens within its span | yes |
/// | 3 | [`DeadLetter`] | it gets what has failed for good: outside of the retries, which would see no error otherwise | no |
/// | 4 | [`Decompress`] | once for all attempts; what is kept as a dead letter is what came | no |
/// | 5 | [`Validate`](super) | it sees the data as it is, and claims nothing for what is refused | no; feature `schema` |
/// | 6 | [`Idempotency`] | a duplicate costs nothing further inside; one claim for all attempts | no |
/// | 7 | [`SharedRateLimit`], [`RateLimit`] | a call waits before it takes a place | no |
/// | 8 | [`SharedConcurrencyLimit`], [`ConcurrencyLimit`] | one place for all attempts | no |
/// | 9 | [`Retry`] | each attempt is judged by the breaker, and limited in time | yes: 3 attempts |
/// | 10 | [`CircuitBreaker`] | it sees each attempt, and those that took too long | yes |
/// | 11 | [`Timeout`] | the time of one attempt | yes: 30 s |
///
/// Another order is possible: each of them is a layer by itself, for `tower::ServiceBuilder`, or for
/// calling [`Layer::layer`] again and again, the innermost first. Mind then that `DeadLetter` *inside*
/// of `Retry` makes a success of each failure, so that nothing is ever tried again.
///
/// Each handler needs a stack of its own, since the breaker, the budget of retries and the counts
/// belong to what is called; clones share them.
///
/// # Example: for a worker and for a channel
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Envelope, Fanfare, Json, Kind, layers::{DeadLetter, Idempotency, Layer, Stack}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let stack = Stack::new("billing")
///     .idempotency(Idempotency::new(&fanfare, "billing"))
///     .dead_letter(DeadLetter::new(&fanfare, "billing:dead", "billing"))
///     .timeout(Duration::from_secs(10));
/// let handler = async |Json(amount): Json<u32>| println!("{amount}");
/// let service = stack.layer(fanfare::service(handler, ()));
///
/// let orders = fanfare.stream("orders");
/// let worker = orders.group("billing").worker().spawn_service(service.clone())?;
/// let router = fanfare.router().service(Kind::Channel, "urgent", service).start().await?;
/// fanfare.publish("urgent", Envelope::new("order.created", 7).to_payload()?).await?;
/// assert_eq!(router.wait_finished(1).await.routes[0].handled, 1);
/// # worker.stop().await;
/// # router.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Stack {
    #[cfg(feature = "metrics")]
    metrics: Option<Metrics>,
    trace: Option<Trace>,
    dead_letter: Option<DeadLetter>,
    decompress: Option<Decompress>,
    #[cfg(feature = "schema")]
    validate: Option<Validate>,
    idempotency: Option<Idempotency>,
    shared_rate: Option<SharedRateLimit>,
    rate: Option<RateLimit>,
    shared_concurrency: Option<SharedConcurrencyLimit>,
    concurrency: Option<ConcurrencyLimit>,
    retry: Option<Retry>,
    breaker: Option<CircuitBreaker>,
    timeout: Option<Timeout>,
}

impl Stack {
    /// The layers that need nothing but a name, which they count, log and err by.
    pub fn new(handler: impl Into<Arc<str>>) -> Self {
        let handler = handler.into();
        Self {
            #[cfg(feature = "metrics")]
            metrics: Some(Metrics::new(&*handler)),
            trace: Some(Trace::new(handler.clone())),
            retry: Some(Retry::new()),
            breaker: Some(CircuitBreaker::new(handler)),
            timeout: Some(Timeout::new(Duration::from_secs(30))),
            ..Self::empty()
        }
    }

    /// No layer at all.
    pub fn empty() -> Self {
        Self {
            #[cfg(feature = "metrics")]
            metrics: None,
            trace: None,
            dead_letter: None,
            decompress: None,
            #[cfg(feature = "schema")]
            validate: None,
            idempotency: None,
            shared_rate: None,
            rate: None,
            shared_concurrency: None,
            concurrency: None,
            retry: None,
            breaker: None,
            timeout: None,
        }
    }

    /// Counts and measures calls.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn metrics(self, metrics: impl Into<Option<Metrics>>) -> Self {
        Self { metrics: metrics.into(), ..self }
    }

    /// A span for each call; `None`: none.
    #[must_use]
    pub fn trace(self, trace: impl Into<Option<Trace>>) -> Self {
        Self { trace: trace.into(), ..self }
    }

    /// Keeps what has failed for good and came from a channel.
    #[must_use]
    pub fn dead_letter(self, dead_letter: impl Into<Option<DeadLetter>>) -> Self {
        Self { dead_letter: dead_letter.into(), ..self }
    }

    /// Expands what is compressed.
    #[must_use]
    pub fn decompress(self, decompress: impl Into<Option<Decompress>>) -> Self {
        Self { decompress: decompress.into(), ..self }
    }

    /// Refuses what does not fit.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn validate(self, validate: impl Into<Option<Validate>>) -> Self {
        Self { validate: validate.into(), ..self }
    }

    /// One effect for each message.
    #[must_use]
    pub fn idempotency(self, idempotency: impl Into<Option<Idempotency>>) -> Self {
        Self { idempotency: idempotency.into(), ..self }
    }

    /// A limit of rate in all programs together.
    #[must_use]
    pub fn shared_rate(self, limit: impl Into<Option<SharedRateLimit>>) -> Self {
        Self { shared_rate: limit.into(), ..self }
    }

    /// A limit of rate in this program.
    #[must_use]
    pub fn rate(self, limit: impl Into<Option<RateLimit>>) -> Self {
        Self { rate: limit.into(), ..self }
    }

    /// A limit on calls at the same time in all programs together.
    #[must_use]
    pub fn shared_concurrency(self, limit: impl Into<Option<SharedConcurrencyLimit>>) -> Self {
        Self { shared_concurrency: limit.into(), ..self }
    }

    /// A limit on calls at the same time in this program.
    #[must_use]
    pub fn concurrency(self, limit: impl Into<Option<ConcurrencyLimit>>) -> Self {
        Self { concurrency: limit.into(), ..self }
    }

    /// Attempts within one call; `None`: one.
    #[must_use]
    pub fn retry(self, retry: impl Into<Option<Retry>>) -> Self {
        Self { retry: retry.into(), ..self }
    }

    /// A circuit breaker; `None`: none.
    #[must_use]
    pub fn breaker(self, breaker: impl Into<Option<CircuitBreaker>>) -> Self {
        Self { breaker: breaker.into(), ..self }
    }

    /// The time of one attempt; `None`: without a limit.
    #[must_use]
    pub fn timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        Self { timeout: limit.into().map(Timeout::new), ..self }
    }
}

impl<S: CallService> Layer<S> for Stack {
    type Service = HandlerService<Call>;

    fn layer(&self, inner: S) -> HandlerService<Call> {
        // From the inside outwards: read it upwards.
        let service = HandlerService::of(endpoint_of_service(inner));
        let service = around(&self.timeout, service);
        let service = around(&self.breaker, service);
        let service = around(&self.retry, service);
        let service = around(&self.concurrency, service);
        let service = around(&self.shared_concurrency, service);
        let service = around(&self.rate, service);
        let service = around(&self.shared_rate, service);
        let service = around(&self.idempotency, service);
        #[cfg(feature = "schema")]
        let service = around(&self.validate, service);
        let service = around(&self.decompress, service);
        let service = around(&self.dead_letter, service);
        let service = around(&self.trace, service);
        #[cfg(feature = "metrics")]
        let service = around(&self.metrics, service);
        service
    }
}

fn around<L>(layer: &Option<L>, inner: HandlerService<Call>) -> HandlerService<Call>
where
    L: Around + Layer<HandlerService<Call>, Service = Layered<L, HandlerService<Call>>>,
{
    match layer {
        Some(layer) => erased(layer.layer(inner)),
        None => inner,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::{
        BoxError, Permanent,
        layers::{
            BreakerState, Next, TimedOut,
            fixture::{SECOND, call, run},
            from_fn,
        },
    };

    /// A handler that fails once with `error`, and its count of attempts.
    fn failing_once(error: fn() -> BoxError) -> (HandlerService<Call>, Arc<AtomicU64>) {
        let attempts = Arc::new(AtomicU64::new(0));
        let counted = attempts.clone();
        let handler = move || {
            let fails = counted.fetch_add(1, Ordering::Relaxed) == 0;
            async move { if fails { Err(error()) } else { Ok(()) } }
        };
        (crate::service(handler, ()), attempts)
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_for_a_moment_goes_well() {
        let (service, attempts) = failing_once(|| "reset".into());
        run(&Stack::new("h").layer(service), call("x")).await.unwrap();
        assert_eq!(attempts.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_permanent_error_reaches_the_worker_as_it_is() {
        let (service, attempts) = failing_once(|| Permanent::new("never").into());
        let error = run(&Stack::new("h").layer(service), call("x")).await.unwrap_err();
        assert!(error.is::<Permanent>());
        assert_eq!(attempts.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn each_attempt_is_limited_in_time_and_judged_by_the_breaker() {
        let breaker = CircuitBreaker::new("h").calls_min(3);
        let stack = Stack::new("h").breaker(breaker.clone()).timeout(SECOND);
        let hangs = crate::service::<_, (), (), Call>(std::future::pending::<()>, ());
        let begun = tokio::time::Instant::now();
        let error = run(&stack.layer(hangs), call("x")).await.unwrap_err();
        assert!(error.is::<TimedOut>());
        assert!(3 * SECOND <= begun.elapsed() && begun.elapsed() < 4 * SECOND);
        assert_eq!((breaker.stats().failed, breaker.state()), (3, BreakerState::Open));
    }

    /// The trap, shown by what a dead letter does: it makes a success of a failure.
    #[tokio::test(start_paused = true)]
    async fn a_dead_letter_inside_of_a_retry_swallows_it_and_outside_it_does_not() {
        let swallowed = Arc::new(AtomicU64::new(0));
        let counted = swallowed.clone();
        let dead = from_fn(move |call: Call, next: Next| {
            let counted = counted.clone();
            async move {
                if next.run(call).await.is_err() {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let (service, attempts) = failing_once(|| "reset".into());
        run(&Retry::new().layer(dead.layer(service)), call("x")).await.unwrap();
        let after_trap = (attempts.load(Ordering::Relaxed), swallowed.swap(0, Ordering::Relaxed));
        assert_eq!(after_trap, (1, 1));
        let (service, attempts) = failing_once(|| "reset".into());
        run(&dead.layer(Retry::new().layer(service)), call("x")).await.unwrap();
        let in_order = (attempts.load(Ordering::Relaxed), swallowed.load(Ordering::Relaxed));
        assert_eq!(in_order, (2, 0));
    }
}
