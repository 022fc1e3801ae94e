//! Counts and durations of calls, for the `metrics` crate.

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::{
    CallService, Class,
    classify::classify,
    layered::{Around, layer, pass},
};
use crate::{BoxError, Call, worker::now};

/// Counts and measures what is inside, for the recorder of the `metrics` crate that was installed when
/// this was made. Only with the feature `metrics`.
///
/// | name | kind | |
/// |---|---|---|
/// | `fanfare_handler_calls` | counter | calls that ended, by `outcome`: `ok`, `permanent`, `transient`, `refused`, or `dropped` (in their course, or by a panic) |
/// | `fanfare_handler_seconds` | histogram | how long they took |
/// | `fanfare_handler_in_flight` | gauge | calls that have begun and not ended |
///
/// Each has the label `handler`. No label comes from a message, so nobody can make them grow.
///
/// # Example: a handler that is counted
/// ```
/// use fanfare::{Call, layers::{Layer, Metrics}};
///
/// let service = Metrics::new("billing").layer(fanfare::service(async |_call: Call| {}, ()));
/// # let _ = service;
/// ```
#[derive(Clone)]
pub struct Metrics(Arc<Gauges>);

struct Gauges {
    handler: String,
    ok: Counter,
    permanent: Counter,
    transient: Counter,
    refused: Counter,
    dropped: Counter,
    seconds: Histogram,
    in_flight: Gauge,
}

impl Metrics {
    /// Counts for a handler with this name.
    pub fn new(handler: impl Into<String>) -> Self {
        let handler = handler.into();
        let calls = |outcome: &'static str| {
            let handler = handler.clone();
            counter!("fanfare_handler_calls", "handler" => handler, "outcome" => outcome)
        };
        let gauges = Gauges {
            ok: calls("ok"),
            permanent: calls("permanent"),
            transient: calls("transient"),
            refused: calls("refused"),
            dropped: calls("dropped"),
            seconds: histogram!("fanfare_handler_seconds", "handler" => handler.clone()),
            in_flight: gauge!("fanfare_handler_in_flight", "handler" => handler.clone()),
            handler,
        };
        Self(Arc::new(gauges))
    }
}

/// A call that has begun. It was dropped unless it is told how it ended.
struct Begun<'a> {
    gauges: &'a Gauges,
    at: std::time::Instant,
    outcome: &'a Counter,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.outcome.increment(1);
        self.gauges.seconds.record(now().saturating_duration_since(self.at));
        self.gauges.in_flight.decrement(1.0);
    }
}

impl Around for Metrics {
    async fn around<S: CallService>(&self, call: Call, inner: &S) -> Result<(), BoxError> {
        let gauges = &*self.0;
        gauges.in_flight.increment(1.0);
        let mut begun = Begun { gauges, at: now(), outcome: &gauges.dropped };
        let result = pass(inner, call).await;
        begun.outcome = match &result {
            Ok(()) => &gauges.ok,
            Err(error) => match classify(&**error) {
                Class::Permanent => &gauges.permanent,
                Class::Transient | Class::Later(_) => &gauges.transient,
                Class::Refused(_) => &gauges.refused,
            },
        };
        result
    }
}

layer!(Metrics);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Metrics").field(&self.0.handler).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{
            Mutex,
            atomic::{AtomicU64, Ordering},
        },
    };

    use metrics::{Key, KeyName, Metadata, Recorder, SharedString, Unit};
    use tower_layer::Layer;

    use super::*;
    use crate::{
        Permanent, Text,
        layers::fixture::{SECOND, call, run},
    };

    /// Keeps counters, by their outcome.
    #[derive(Default)]
    struct Kept(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

    impl Recorder for Kept {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            let labels: Vec<_> = key.labels().map(|it| it.value().to_owned()).collect();
            let count = Arc::new(AtomicU64::new(0));
            self.0.lock().unwrap().insert(labels.join(" "), count.clone());
            Counter::from_arc(count)
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_call_is_counted_once_by_what_became_of_it() {
        let kept = Kept::default();
        let counted = metrics::with_local_recorder(&kept, || Metrics::new("billing"));
        let handler = async |Text(text): Text| match text.as_str() {
            "good" => Ok(()),
            "bad" => Err::<_, BoxError>("reset".into()),
            "hangs" => std::future::pending().await,
            _ => Err(Permanent::new("never").into()),
        };
        let service = counted.layer(crate::service(handler, ()));
        for text in ["good", "good", "good", "bad", "bad", "never"] {
            let _ = run(&service, call(text)).await;
        }
        let dropped = tokio::time::timeout(SECOND, run(&service, call("hangs"))).await;
        assert!(dropped.is_err());
        let kept = kept.0.lock().unwrap();
        let told: Vec<_> =
            kept.iter().map(|(name, n)| (name.as_str(), n.load(Ordering::Relaxed))).collect();
        let expected = [
            ("billing dropped", 1),
            ("billing ok", 3),
            ("billing permanent", 1),
            ("billing refused", 0),
            ("billing transient", 2),
        ];
        assert_eq!(told, expected);
    }
}
