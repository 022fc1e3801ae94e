//! What the default stack of layers costs, around a handler that does next to nothing.

use std::{
    future::poll_fn,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Result, bail};
use bytes::Bytes;
use fanfare::{
    BoxError, Call, Envelope, Kind, Message, Raw,
    layers::{CallService, Layer, Stack},
};
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use crate::{
    Site,
    clock::Clock,
    row::{Contender, MANY, PAYLOAD, Sample},
};

/// Calls a service again and again. No server takes part.
pub(crate) async fn measure(
    site: Site<'_>,
    contender: Contender,
    is_enveloped: bool,
) -> Result<Sample> {
    // Of a second row it is there already.
    let _ = metrics::set_global_recorder(Atoms);
    let payload = match is_enveloped {
        false => Bytes::from_static(&PAYLOAD),
        true => Envelope::new("order.created", String::from_utf8_lossy(&PAYLOAD))
            .with("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            .to_payload()?,
    };
    let handler = async |Raw(payload): Raw| {
        black_box(payload.len());
    };
    let handler = fanfare::service::<_, _, _, Call>(handler, ());
    let called = match contender {
        Contender::Fanfare => {
            calls(&Stack::new("bench").layer(handler), payload, site.duration).await
        }
        Contender::Bare => calls(&handler, payload, site.duration).await,
        Contender::RedisRs | Contender::RedisPy | Contender::Loop | Contender::OneByOne => {
            bail!("takes no part")
        }
    };
    called.map_err(|error| anyhow::anyhow!(error))
}

async fn calls<S: CallService>(
    service: &S,
    payload: Bytes,
    duration: Duration,
) -> Result<Sample, BoxError> {
    let channel = Bytes::from_static(b"orders");
    let message = Message::new(Kind::Channel, channel, payload, SystemTime::UNIX_EPOCH);
    let clock = Clock::start();
    let mut n = 0;
    while clock.elapsed() < duration {
        for _ in 0..MANY {
            let mut service = service.clone();
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
            service.call(message.clone().into()).await.map_err(Into::into)?;
            n += 1;
        }
    }
    Ok(clock.stop(n))
}

/// Keeps each metric in an atom, as exporters do, and shows none.
struct Atoms;

impl Recorder for Atoms {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(AtomicU64::new(0)))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::new(AtomicU64::new(0)))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Buckets::default()))
    }
}

/// How often a value had each power of two.
#[derive(Default)]
struct Buckets([AtomicU64; 32]);

impl HistogramFn for Buckets {
    fn record(&self, seconds: f64) {
        let power = (seconds.log2() + 24.0).clamp(0.0, 31.0);
        let mut bounds = (1..32).map(f64::from);
        let at = bounds.position(|it| power < it).unwrap_or(31);
        if let Some(bucket) = self.0.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }
}
