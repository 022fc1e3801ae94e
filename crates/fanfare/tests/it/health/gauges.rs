//! Health as gauges of the `metrics` crate.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use metrics::{
    Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use crate::support::{Target, run, until};

/// Keeps the last value of every gauge, by its name and labels.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<BTreeMap<String, f64>>>);

impl Kept {
    fn get(&self, name: &str) -> Option<f64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }
}

struct Cell(Kept, String);

impl GaugeFn for Cell {
    fn increment(&self, _: f64) {}

    fn decrement(&self, _: f64) {}

    fn set(&self, value: f64) {
        let mut values = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.insert(self.1.clone(), value);
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let labels = key.labels().map(|it| format!("{{{}={}}}", it.key(), it.value()));
        let name = std::iter::once(key.name().to_owned()).chain(labels).collect();
        Gauge::from_arc(Arc::new(Cell(self.clone(), name)))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn a_monitor_sets_gauges() {
    let server = fanfare_testkit::RedisServer::start(&[]);
    let kept = Kept::default();
    // Other tests of this process may set gauges as well; nobody else installs a recorder.
    metrics::set_global_recorder(kept.clone()).expect("the only recorder");
    run(async {
        let mut server = Target::Redis(server);
        let fanfare = server.connect().await?;
        let subscription = fanfare.subscribe(["gauged"]).await?;
        let _monitor = fanfare.monitor(Duration::from_secs(60), Duration::from_millis(10));
        assert_eq!(kept.get("fanfare_subscription_live{name=gauged}"), Some(1.0));
        assert_eq!(kept.get("fanfare_subscription_up{name=gauged}"), Some(1.0));
        assert!(kept.get("fanfare_subscription_last_read_age_seconds{name=gauged}").is_some());
        fanfare.publish("gauged", "x").await?;
        until("what waits is counted", || {
            kept.get("fanfare_subscription_queued{name=gauged}") == Some(1.0)
        })
        .await?;
        server.stop();
        until("the outage is seen", || {
            kept.get("fanfare_subscription_up{name=gauged}") == Some(0.0)
        })
        .await?;
        server.restart();
        until("it is over", || kept.get("fanfare_subscription_up{name=gauged}") == Some(1.0))
            .await?;
        until("it is counted", || {
            kept.get("fanfare_subscription_reconnects{name=gauged}") == Some(1.0)
        })
        .await?;
        drop(subscription);
        until("it has gone", || kept.get("fanfare_subscription_live{name=gauged}") == Some(0.0))
            .await?;
        until("nothing waits for who has gone", || {
            kept.get("fanfare_subscription_queued{name=gauged}") == Some(0.0)
                && kept.get("fanfare_subscription_reconnects{name=gauged}") == Some(0.0)
        })
        .await
    });
}
