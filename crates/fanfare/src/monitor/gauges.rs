//! A snapshot as gauges of the `metrics` crate.

use std::collections::BTreeSet;

use metrics::{Gauge, Label};

use super::{
    Snapshot,
    samples::{Labels, Sample, samples},
};

/// One gauge for each sample, of the same name.
#[derive(Default)]
pub(super) struct Gauges {
    /// What was set at the last look.
    known: BTreeSet<(&'static str, Labels)>,
}

impl Gauges {
    /// Sets them. What is gone, or not seen any more, becomes `NaN` once, since it is not zero, and is not touched
    /// again: the `metrics` crate can not take a gauge back, but exporters can forget one that nobody sets.
    pub(super) fn set(&mut self, snapshot: &Snapshot) {
        let mut gone = std::mem::take(&mut self.known);
        for (name, (_, samples)) in samples(snapshot).0 {
            for Sample { labels, value } in samples {
                gauge(name, &labels).set(value);
                let known = (name, labels);
                gone.remove(&known);
                self.known.insert(known);
            }
        }
        for (name, labels) in gone {
            gauge(name, &labels).set(f64::NAN);
        }
    }
}

/// Asked for anew each time: one that was kept would be that of a series that was forgotten meanwhile.
fn gauge(name: &'static str, labels: &Labels) -> Gauge {
    let labels = labels.iter().map(|(name, it)| Label::new(*name, it.clone()));
    metrics::gauge!(name, labels.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

    use metrics::{
        Counter, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    };

    use super::*;
    use crate::monitor::StreamLook;

    /// What is set, by name, as an exporter sees it that forgets what nobody sets.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<BTreeMap<String, f64>>>);

    struct Cell(Kept, String);

    impl GaugeFn for Cell {
        fn increment(&self, _: f64) {}

        fn decrement(&self, _: f64) {}

        fn set(&self, value: f64) {
            self.0.0.lock().unwrap().insert(self.1.clone(), value);
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
            let labels = key.labels().map(|it| format!(" {}", it.value()));
            let name = std::iter::once(key.name().to_owned()).chain(labels).collect();
            Gauge::from_arc(Arc::new(Cell(self.clone(), name)))
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    /// Lengths of streams that were set by a look, after everything was forgotten.
    fn set_by(gauges: &mut Gauges, kept: &Kept, names: &[&str]) -> Vec<String> {
        let look = |name: &&str| StreamLook {
            name: (*name).to_owned(),
            length: Some(5),
            ..StreamLook::default()
        };
        kept.0.lock().unwrap().clear();
        let streams = names.iter().map(look).collect();
        metrics::with_local_recorder(kept, || {
            gauges.set(&Snapshot { streams, ..Snapshot::default() });
        });
        let set = kept.0.lock().unwrap();
        let lengths = set.iter().filter_map(|(name, value)| {
            Some(format!("{} {value}", name.strip_prefix("fanfare_broker_stream_length ")?))
        });
        lengths.collect()
    }

    #[test]
    fn what_is_gone_is_said_to_be_once_and_what_is_there_each_time() {
        let (mut gauges, kept) = (Gauges::default(), Kept::default());
        assert_eq!(set_by(&mut gauges, &kept, &["a", "b"]), ["a 5", "b 5"]);
        // Who forgets what is not set for a while must not forget what does not change.
        assert_eq!(set_by(&mut gauges, &kept, &["a", "b"]), ["a 5", "b 5"]);
        assert_eq!(set_by(&mut gauges, &kept, &["b"]), ["a NaN", "b 5"]);
        assert_eq!(set_by(&mut gauges, &kept, &["b"]), ["b 5"], "it may be forgotten");
        assert_eq!(set_by(&mut gauges, &kept, &["a", "b"]), ["a 5", "b 5"], "and may come back");
        assert!(gauges.known.len() < 100);
    }
}
