//! How long messages took.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::text;

/// A histogram of durations from 1 ns to an hour, to three digits.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

const HOUR_NS: u64 = 3_600_000_000_000;

impl Latencies {
    /// An empty histogram.
    #[expect(clippy::expect_used, reason = "the bounds are constants that hdrhistogram accepts")]
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, HOUR_NS, 3).expect("1 to an hour with three digits"))
    }

    /// Adds one duration.
    pub(crate) fn record(&mut self, duration: Duration) {
        self.0.saturating_record(u64::try_from(duration.as_nanos()).unwrap_or(HOUR_NS).max(1));
    }

    /// Adds all of another histogram, which has the same bounds.
    pub(crate) fn add(&mut self, other: &Self) {
        debug_assert_eq!(self.0.high(), other.0.high());
        // It can only fail for other bounds.
        let _ = self.0.add(&other.0);
    }

    /// The duration that this share of the messages, in percent, did not exceed.
    pub(crate) fn at(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(percent / 100.0))
    }

    /// The longest.
    pub(crate) fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }

    /// The percentiles in one line.
    pub(crate) fn shown(&self) -> String {
        if self.0.is_empty() {
            return "none measured".to_owned();
        }
        PERCENTILES
            .iter()
            .map(|(name, percent)| format!("{name} {}", text::duration(self.at(*percent))))
            .chain([format!("max {}", text::duration(self.max()))])
            .collect::<Vec<_>>()
            .join("  ")
    }

    /// The percentiles in microseconds.
    pub(crate) fn json(&self) -> Value {
        let us = |it: Duration| (it.as_secs_f64() * 1e9).round() / 1e3;
        let mut out: serde_json::Map<String, Value> = PERCENTILES
            .iter()
            .map(|(name, percent)| (format!("{name}_us"), json!(us(self.at(*percent)))))
            .collect();
        out.insert("max_us".to_owned(), json!(us(self.max())));
        out.insert("n".to_owned(), json!(self.0.len()));
        Value::Object(out)
    }
}

const PERCENTILES: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p999", 99.9)];

/// The clock of a measurement: its times travel in the messages, so all sides must be in this
/// process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since the start.
    pub(crate) fn now_ns(self) -> u64 {
        self.at_ns(Instant::now())
    }

    /// `time` in nanoseconds since the start.
    pub(crate) fn at_ns(self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.0).as_nanos()).unwrap_or(u64::MAX)
    }

    /// How long ago that was.
    pub(crate) fn since(self, ns: u64) -> Duration {
        Duration::from_nanos(self.now_ns().saturating_sub(ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_come_out_as_they_went_in() {
        let mut all = Latencies::new();
        for n in 1..=1000 {
            let mut one = Latencies::new();
            one.record(Duration::from_micros(n));
            all.add(&one);
        }
        assert_eq!(all.json()["n"], 1000);
        assert_eq!(all.at(50.0).as_micros(), 500);
        assert!(all.shown().starts_with("p50 500 µs  p90 900 µs"), "{}", all.shown());
        assert_eq!(Latencies::new().shown(), "none measured");
    }
}
