//! Latency samples by event, as `LATENCY` shows them.

use std::collections::{BTreeMap, VecDeque};

/// Samples kept per event; as in redis-server.
const SAMPLES_MAX: usize = 160;

/// Samples of all events.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    events: BTreeMap<String, Event>,
}

#[derive(Debug, Default)]
struct Event {
    /// `(unix seconds, milliseconds)`, oldest first; at most one per second, its maximum.
    samples: VecDeque<(u64, u32)>,
    max_ms: u32,
}

impl Latency {
    pub(crate) fn add(&mut self, event: &str, unix_s: u64, ms: u32) {
        let event = self.events.entry(event.to_owned()).or_default();
        event.max_ms = event.max_ms.max(ms);
        match event.samples.back_mut() {
            Some((last_s, last_ms)) if *last_s == unix_s => *last_ms = (*last_ms).max(ms),
            _ => {
                if event.samples.len() == SAMPLES_MAX {
                    event.samples.pop_front();
                }
                event.samples.push_back((unix_s, ms));
            }
        }
    }

    pub(crate) fn history(&self, event: &str) -> Option<Vec<(u64, u32)>> {
        Some(self.events.get(event)?.samples.iter().copied().collect())
    }

    /// `(event, unix seconds, latest ms, maximum ms)`.
    pub(crate) fn latest(&self) -> Vec<(String, u64, u32, u32)> {
        let latest = self.events.iter().filter_map(|(name, event)| {
            let (unix_s, ms) = *event.samples.back()?;
            Some((name.clone(), unix_s, ms, event.max_ms))
        });
        latest.collect()
    }

    /// Forgets these events, or all; returns how many.
    pub(crate) fn reset(&mut self, events: &[&[u8]]) -> usize {
        let before = self.events.len();
        if events.is_empty() {
            self.events.clear();
        } else {
            self.events.retain(|name, _| !events.contains(&name.as_bytes()));
        }
        before - self.events.len()
    }
}

/// Calls, and how many of them took at most so many microseconds; only buckets that add something, as in Redis.
pub(crate) fn histogram(totals: &super::CommandTotals) -> Option<(u64, Vec<(u64, u64)>)> {
    if totals.n_calls == 0 {
        return None;
    }
    let mut n_below = 0;
    let mut buckets = Vec::new();
    for (power, n) in totals.buckets.iter().enumerate() {
        if *n != 0 {
            n_below += n;
            buckets.push((1 << power, n_below));
        }
    }
    Some((totals.n_calls, buckets))
}

/// The words of redis-server 7.0, jokes included.
const MONITORING_IS_OFF: &str = "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis \
    instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't \
    in a deep space mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n";
const NO_SPIKE: &str = "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the \
    slightest bit. I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n";

/// `LATENCY DOCTOR`: what the samples say, in words.
pub(crate) fn doctor(latency: &Latency, threshold_ms: u64) -> String {
    if threshold_ms == 0 {
        return MONITORING_IS_OFF.to_owned();
    }
    let latest = latency.latest();
    if latest.is_empty() {
        return NO_SPIKE.to_owned();
    }
    let mut report = String::new();
    for (event, _, latest_ms, max_ms) in latest {
        let n = latency.history(&event).map_or(0, |it| it.len());
        report.push_str(&format!("{event}: {n} samples of {threshold_ms} ms or longer, latest {latest_ms} ms, worst {max_ms} ms.\n"));
    }
    report.push_str("Commands that are slow are in SLOWLOG GET; a slow machine shows in the steal time of its processors.\n");
    report
}
