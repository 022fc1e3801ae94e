//! What needs a look from time to time: rates, and the peak of memory.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use fanfare_engine::keyspace::StripeCounts;
use parking_lot::Mutex;

use super::process;

/// Samples of which rates are the mean; as in redis-server, some 1.6 seconds.
const SAMPLES_MAX: usize = 16;
/// How often memory is looked at.
const MEMORY_EVERY_MS: u64 = 1000;

/// Samples of the whole broker.
#[derive(Debug)]
pub(crate) struct Sampler {
    window: Mutex<Window>,
    memory_at_start: u64,
    memory_peak: AtomicU64,
    /// The keyspace's counts when statistics were zeroed last: nobody else may write those.
    keyspace_at_reset: Mutex<StripeCounts>,
}

#[derive(Debug, Default)]
struct Window {
    /// Oldest first.
    samples: VecDeque<Sample>,
    memory_due_ms: u64,
}

/// Counters at one time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Milliseconds since the start.
    pub(crate) at_ms: u64,
    pub(crate) n_commands: u64,
    pub(crate) n_bytes_read: u64,
    pub(crate) n_bytes_written: u64,
}

/// Events per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    pub(crate) commands: f64,
    pub(crate) bytes_read: f64,
    pub(crate) bytes_written: f64,
}

impl Sampler {
    pub(crate) fn new() -> Self {
        let memory = process::memory().anonymous;
        Self {
            window: Mutex::default(),
            memory_at_start: memory,
            memory_peak: AtomicU64::new(memory),
            keyspace_at_reset: Mutex::default(),
        }
    }

    /// Takes a sample.
    pub(crate) fn add(&self, sample: Sample) {
        let mut window = self.window.lock();
        if window.samples.len() == SAMPLES_MAX {
            window.samples.pop_front();
        }
        window.samples.push_back(sample);
        let memory_is_due = window.memory_due_ms <= sample.at_ms;
        if memory_is_due {
            window.memory_due_ms = sample.at_ms + MEMORY_EVERY_MS;
        }
        drop(window);
        if memory_is_due {
            self.note_memory(process::memory().anonymous);
        }
    }

    /// Means over the last samples.
    pub(crate) fn rates(&self) -> Rates {
        let window = self.window.lock();
        let (Some(first), Some(last)) = (window.samples.front(), window.samples.back()) else {
            return Rates::default();
        };
        let ms = last.at_ms.saturating_sub(first.at_ms);
        if ms == 0 {
            return Rates::default();
        }
        let rate =
            |of: fn(&Sample) -> u64| of(last).saturating_sub(of(first)) as f64 * 1000.0 / ms as f64;
        Rates {
            commands: rate(|it| it.n_commands),
            bytes_read: rate(|it| it.n_bytes_read),
            bytes_written: rate(|it| it.n_bytes_written),
        }
    }

    /// Notes a memory use; returns the highest one so far.
    pub(crate) fn note_memory(&self, n_bytes: u64) -> u64 {
        self.memory_peak.fetch_max(n_bytes, Ordering::Relaxed).max(n_bytes)
    }

    /// Memory in use when the broker started.
    pub(crate) fn memory_at_start(&self) -> u64 {
        self.memory_at_start
    }

    /// Begins again, with the keyspace's counts as they are now.
    pub(crate) fn reset(&self, keyspace: StripeCounts) {
        self.window.lock().samples.clear();
        *self.keyspace_at_reset.lock() = keyspace;
    }

    /// What happened to the keyspace since statistics were zeroed; changes are never zeroed.
    pub(crate) fn since_reset(&self, keyspace: StripeCounts) -> StripeCounts {
        let before = *self.keyspace_at_reset.lock();
        StripeCounts {
            n_hits: keyspace.n_hits.saturating_sub(before.n_hits),
            n_misses: keyspace.n_misses.saturating_sub(before.n_misses),
            n_expired: keyspace.n_expired.saturating_sub(before.n_expired),
            n_evicted: keyspace.n_evicted.saturating_sub(before.n_evicted),
            n_fields_expired: keyspace.n_fields_expired.saturating_sub(before.n_fields_expired),
            n_changes: keyspace.n_changes,
        }
    }
}

#[cfg(test)]
mod tests {
    use fanfare_engine::keyspace::StripeCounts;

    use super::{Rates, SAMPLES_MAX, Sample, Sampler};

    #[test]
    fn rates_are_means_over_the_window() {
        let sampler = Sampler::new();
        assert_eq!(sampler.rates(), Rates::default());
        for n in 0..100 {
            // Twice as fast within the window as before it.
            let n_commands = if n < 84 { n } else { 2 * n - 84 };
            sampler.add(Sample {
                at_ms: 100 * n,
                n_commands,
                n_bytes_read: 7 * n,
                n_bytes_written: 0,
            });
            if n == 0 {
                assert_eq!(sampler.rates(), Rates::default());
            }
        }
        let expected = Rates { commands: 20.0, bytes_read: 70.0, bytes_written: 0.0 };
        assert_eq!(sampler.rates(), expected);
        assert_eq!(sampler.window.lock().samples.len(), SAMPLES_MAX);
    }

    #[test]
    fn a_reset_starts_from_zero() {
        let sampler = Sampler::new();
        let before = StripeCounts {
            n_hits: 3,
            n_misses: 2,
            n_expired: 1,
            n_evicted: 6,
            n_fields_expired: 4,
            n_changes: 9,
        };
        sampler.add(Sample { at_ms: 0, n_commands: 50, ..Sample::default() });
        sampler.reset(before);
        sampler.add(Sample { at_ms: 100, ..Sample::default() });
        sampler.add(Sample { at_ms: 200, n_commands: 1, ..Sample::default() });
        assert_eq!(sampler.rates().commands, 10.0);
        let now = StripeCounts { n_hits: 4, ..before };
        let expected = StripeCounts { n_hits: 1, n_changes: 9, ..StripeCounts::default() };
        assert_eq!(sampler.since_reset(now), expected);
    }

    #[test]
    fn the_peak_stays() {
        let sampler = Sampler::new();
        assert_eq!(sampler.note_memory(u64::MAX), u64::MAX);
        assert_eq!(sampler.note_memory(1), u64::MAX);
    }
}
