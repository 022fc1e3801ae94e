//! Each layer around each kind of handler, with the one thing that shows that it acts.

use std::time::Duration;

use bytes::Bytes;
use fanfare::{
    Algorithm, Backoff, Call, Compression, Envelope, Fanfare, HandlerService, Head, Json, Kind,
    Permanent, Sealed,
    layers::{
        CallService, CircuitBreaker, ConcurrencyLimit, DeadLetter, Decompress, Idempotency, Layer,
        Next, RateLimit, Refused, Retry, SharedConcurrencyLimit, SharedRateLimit, Timeout, from_fn,
    },
    queue::Job,
};
use tower::ServiceBuilder;

use super::{Count, Seen, run};
use crate::{
    queue_support::{HOUR, MS},
    support::{Target, TestResult, on_everything, until},
};

on_everything!(
    every_layer_fits_around_every_handler,
    a_layer_of_tower_fits_between_them,
    t19_bombs_are_refused_and_the_next_one_is_handled,
);

/// What a handler is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Channel,
    Stream,
    Queue,
}

const ALL: [Of; 3] = [Of::Channel, Of::Stream, Of::Queue];

/// A service, what it is called with, and whether it is seen that its layer acts.
struct Case {
    layer: &'static str,
    service: HandlerService<Call>,
    payloads: Vec<Bytes>,
    acts: Box<dyn Fn() -> bool>,
}

impl Case {
    fn new<S: CallService>(
        layer: &'static str,
        service: S,
        payloads: impl IntoIterator<Item = impl Into<Bytes>>,
        acts: impl Fn() -> bool + 'static,
    ) -> Self {
        let service = from_fn(async |call: Call, next: Next| next.run(call).await).layer(service);
        let payloads = payloads.into_iter().map(Into::into).collect();
        Self { layer, service, payloads, acts: Box::new(acts) }
    }

    /// Has a handler of this kind called.
    async fn check(self, fanfare: &Fanfare, of: Of) -> TestResult {
        let Self { layer, service, payloads, acts } = self;
        let name = format!("{layer} {of:?}");
        let quick = Backoff { first: MS(10), cap: MS(20) };
        match of {
            Of::Channel => {
                let router =
                    fanfare.router().service(Kind::Channel, &name, service).start().await?;
                for payload in payloads {
                    fanfare.publish(&name, payload).await?;
                }
                until(&name, acts).await?;
                router.stop().await;
            }
            Of::Stream => {
                let group = fanfare.stream(&name).group("g");
                let worker = group.worker().concurrency(1).lease(HOUR).retry(quick);
                let worker = worker.spawn_service(service)?;
                for payload in payloads {
                    group.stream().add([("payload", payload)]).await?;
                }
                until(&name, acts).await?;
                worker.drain(Duration::ZERO).await;
            }
            Of::Queue => {
                let queue = fanfare.task_queue(&name).lease(HOUR).retry(quick);
                let worker = queue.worker().concurrency(1).spawn_service(service)?;
                queue.enqueue_many(payloads.into_iter().map(Job::new)).await?;
                until(&name, acts).await?;
                worker.drain(Duration::ZERO).await;
            }
        }
        Ok(())
    }
}

/// A handler that counts how often it is called, and fails so often before it goes well.
fn failing(n_fails: u64, count: &Count) -> HandlerService<Call> {
    let count = count.clone();
    let handler = move |_: Call| {
        let fails = count.add() <= n_fails;
        async move { if fails { Err("connection reset") } else { Ok(()) } }
    };
    fanfare::service(handler, ())
}

fn well(count: &Count) -> HandlerService<Call> {
    failing(0, count)
}

/// A handler that asks for a second place while it has the only one, and counts refusals.
fn greedy<L>(limit: &L, refusals: &Count) -> HandlerService<Call>
where
    L: Layer<HandlerService<Call>, Service: CallService>,
{
    let (second, refusals) = (limit.layer(well(&Count::default())), refusals.clone());
    let handler = move |call: Call| {
        let (second, refusals) = (second.clone(), refusals.clone());
        async move {
            if run(&second, call).await.is_err_and(|it| it.is::<Refused>()) {
                refusals.add();
            }
        }
    };
    fanfare::service(handler, ())
}

/// A service that notes why the one within has failed, as text.
fn noting<S: CallService>(errors: &Seen<String>, service: S) -> HandlerService<Call> {
    let errors = errors.clone();
    let noting = from_fn(move |call: Call, next: Next| {
        let errors = errors.clone();
        async move {
            let result = next.run(call).await;
            if let Err(error) = &result {
                errors.push(error.to_string());
            }
            result
        }
    });
    noting.layer(service)
}

fn timeout() -> Case {
    let errors = Seen::default();
    let hanging = fanfare::service(async |_: Call| std::future::pending::<()>().await, ());
    let service = noting(&errors, Timeout::new(MS(20)).layer(hanging));
    let acts = move || errors.all().iter().any(|it| it.contains("took longer than 20ms"));
    Case::new("timeout", service, ["x"], acts)
}

fn retry() -> Case {
    let attempts = Count::default();
    let retry = Retry::new().attempts(2).backoff(Backoff { first: MS(1), cap: MS(1) });
    let service = retry.layer(failing(1, &attempts));
    let acts = move || (retry.stats().calls, retry.stats().recovered, attempts.get()) == (1, 1, 2);
    Case::new("retry", service, ["x"], acts)
}

fn breaker() -> Case {
    let attempts = Count::default();
    let breaker = CircuitBreaker::new("bank").calls_min(1).failure_ratio(1.0);
    let breaker = breaker.open_for(Backoff { first: HOUR, cap: HOUR });
    let service = breaker.layer(failing(u64::MAX, &attempts));
    let acts = move || 1 <= breaker.stats().refused && attempts.get() == 1;
    Case::new("circuit breaker", service, ["x", "y"], acts)
}

fn rate() -> Case {
    let effects = Count::default();
    let limit = RateLimit::per_second(0.001).burst(1).wait_max(Duration::ZERO);
    let service = limit.layer(well(&effects));
    let acts = move || 1 <= limit.stats().refused && effects.get() == 1;
    Case::new("rate", service, ["x", "y"], acts)
}

fn shared_rate(fanfare: &Fanfare, of: Of) -> Case {
    let effects = Count::default();
    let limit = SharedRateLimit::new(fanfare, format!("{of:?}"), 0.001).burst(1);
    let limit = limit.wait_max(Duration::ZERO);
    let service = limit.layer(well(&effects));
    let acts = move || 1 <= limit.stats().refused && effects.get() == 1;
    Case::new("shared rate", service, ["x", "y"], acts)
}

fn concurrency() -> Case {
    let refusals = Count::default();
    let limit = ConcurrencyLimit::new(1).wait_max(Duration::ZERO);
    let service = limit.layer(greedy(&limit, &refusals));
    let acts = move || (refusals.get(), limit.stats().passed) == (1, 1);
    Case::new("concurrency", service, ["x"], acts)
}

fn shared_concurrency(fanfare: &Fanfare, of: Of) -> Case {
    let refusals = Count::default();
    let limit = SharedConcurrencyLimit::new(fanfare, format!("{of:?}"), 1);
    let limit = limit.wait_max(Duration::ZERO);
    let service = limit.layer(greedy(&limit, &refusals));
    let acts = move || (refusals.get(), limit.stats().passed) == (1, 1);
    Case::new("shared concurrency", service, ["x"], acts)
}

fn idempotency(fanfare: &Fanfare) -> Result<Case, fanfare::Error> {
    let effects = Count::default();
    let once = Idempotency::new(fanfare, "billing").lease(HOUR);
    let service = once.layer(well(&effects));
    let event = Envelope::new("order.created", 7).to_payload()?;
    let acts = move || {
        let stats = once.stats();
        (stats.recorded, stats.duplicates, effects.get()) == (1, 1, 1)
    };
    Ok(Case::new("idempotency", service, [event.clone(), event], acts))
}

/// What came through a channel is kept by the layer; what has dead letters of its own is handed on.
fn dead_letter(fanfare: &Fanfare, of: Of) -> Case {
    let errors = Seen::default();
    let dead = DeadLetter::new(fanfare, format!("dead {of:?}"), "billing");
    let handler = fanfare::service(async |_: Call| Err::<(), _>(Permanent::new("never")), ());
    let service = noting(&errors, dead.layer(handler));
    let acts = move || match of {
        Of::Channel => dead.stats().put == 1 && errors.all().is_empty(),
        Of::Stream | Of::Queue => dead.stats().put == 0 && errors.all() == ["never"],
    };
    Case::new("dead letter", service, ["x"], acts)
}

#[cfg(feature = "schema")]
fn validate() -> Result<Case, fanfare::Error> {
    use fanfare::{layers::Validate, schema::Schema};

    let effects = Count::default();
    let validate = Validate::new(Schema::from_json(r#"{"type": "integer"}"#)?);
    let service = validate.layer(well(&effects));
    let acts = move || {
        let stats = validate.stats();
        (stats.invalid, stats.valid, effects.get()) == (1, 1, 1)
    };
    Ok(Case::new("validate", service, ["\"x\"", "7"], acts))
}

fn decompress() -> Result<Case, fanfare::Error> {
    let texts = Seen::default();
    let decompress = Decompress::new(1 << 20);
    let handler = {
        let texts = texts.clone();
        move |Json(text): Json<String>| {
            texts.push(text);
            async {}
        }
    };
    let service = decompress.layer(fanfare::service(handler, ()));
    let text = "x".repeat(10_000);
    let sealed = Envelope::new("order.created", &text).seal()?;
    let sealed = sealed.compress(&Compression::new(Algorithm::Gzip)?)?;
    let payload = sealed.to_payload()?;
    assert!(payload.len() < 1_000);
    let acts = move || decompress.stats().expanded == 1 && texts.all() == [text.as_str()];
    Ok(Case::new("decompress", service, [payload], acts))
}

async fn every_layer_fits_around_every_handler(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    for of in ALL {
        let cases = [
            timeout(),
            retry(),
            breaker(),
            rate(),
            shared_rate(&fanfare, of),
            concurrency(),
            shared_concurrency(&fanfare, of),
            // The source is part of what a message is known by, so each kind has its own effect.
            idempotency(&fanfare)?,
            dead_letter(&fanfare, of),
            #[cfg(feature = "schema")]
            validate()?,
            decompress()?,
        ];
        for case in cases {
            case.check(&fanfare, of).await?;
        }
    }
    Ok(())
}

/// The first attempt hangs, and is cut by tower's time limit; the second one goes well.
async fn a_layer_of_tower_fits_between_them(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    for of in ALL {
        let attempts = Count::default();
        let handler = {
            let attempts = attempts.clone();
            move |_: Call| {
                let hangs = attempts.add() == 1;
                async move {
                    if hangs {
                        std::future::pending::<()>().await;
                    }
                }
            }
        };
        let retry = Retry::new().backoff(Backoff { first: MS(1), cap: MS(1) });
        let limit = ConcurrencyLimit::new(1);
        let service = ServiceBuilder::new()
            .layer(limit.clone())
            .layer(retry.clone())
            // It is longer than what goes well takes, however busy the machine is.
            .timeout(MS(2_000))
            .service(fanfare::service(handler, ()));
        let acts = move || {
            let stats = retry.stats();
            (stats.recovered, stats.retries, attempts.get(), limit.stats().passed) == (1, 1, 2, 1)
        };
        Case::new("tower", service, ["x"], acts).check(&fanfare, of).await?;
    }
    Ok(())
}

/// 64 KiB become 50 MB in the sketch, whoever sends them.
async fn t19_bombs_are_refused_and_the_next_one_is_handled(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    for of in ALL {
        let (sizes, errors) = (Seen::default(), Seen::default());
        let handler = {
            let sizes = sizes.clone();
            move |call: Call| {
                let n_bytes = call.payload().map(Bytes::len);
                sizes.push(n_bytes.unwrap_or(0));
                async {}
            }
        };
        let decompress = Decompress::new(1 << 18);
        let service = noting(&errors, decompress.layer(fanfare::service(handler, ())));
        let mut payloads = Vec::new();
        for algorithm in [Algorithm::Zstd, Algorithm::Lz4, Algorithm::Gzip] {
            let compression = Compression::new(algorithm)?;
            for n_bytes in [5_000_000, 100_000] {
                let (head, data) = (Head::new("zeros"), vec![0_u8; n_bytes]);
                let sealed = Sealed::new(head, "application/octet-stream", data);
                payloads.push(sealed.compress(&compression)?.to_payload()?);
            }
        }
        let acts = {
            let (sizes, decompress) = (sizes.clone(), decompress.clone());
            move || decompress.stats().refused == 3 && sizes.all().len() == 3
        };
        Case::new("bombs", service, payloads, acts).check(&fanfare, of).await?;
        // Each was refused once and for good: no attempt can mend it.
        assert_eq!((sizes.all(), decompress.stats().expanded), (vec![100_000; 3], 3), "{of:?}");
        assert_eq!((decompress.stats().refused, errors.all().len()), (3, 3), "{of:?}");
        assert!(errors.all().iter().all(|it| it.contains("262144")), "{:?}", errors.all());
    }
    Ok(())
}
