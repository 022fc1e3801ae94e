//! Rates over a window of time. No I/O, no clock.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

/// What a counter said within the last while.
#[derive(Debug)]
struct Window {
    seen: VecDeque<(Instant, u64)>,
    /// In which look it was last written to.
    round: u64,
}

/// The rates of many counters, each over the same span of time.
///
/// A rate is the growth of a counter between the oldest and the newest look within the span,
/// divided by the time between them: not a mean of what neighbouring looks say. A counter that has
/// become smaller was reset, and begins anew.
#[derive(Debug)]
pub(crate) struct Meter {
    span: Duration,
    round: u64,
    windows: HashMap<String, Window>,
}

impl Meter {
    pub(crate) fn new(span: Duration) -> Self {
        Self { span, round: 0, windows: HashMap::new() }
    }

    /// Notes what a counter says now, and returns its rate per second; `None` as long as there is
    /// only one value.
    pub(crate) fn rate(&mut self, counter: String, now: Instant, value: u64) -> Option<f64> {
        let round = self.round;
        let window =
            self.windows.entry(counter).or_insert_with(|| Window { seen: VecDeque::new(), round });
        window.round = round;
        window.push(now, value, self.span);
        window.rate()
    }

    /// Ends a look: a counter that it did not have is forgotten.
    pub(crate) fn end_round(&mut self) {
        let round = self.round;
        self.windows.retain(|_, it| it.round == round);
        self.round += 1;
    }
}

impl Window {
    fn push(&mut self, now: Instant, value: u64, span: Duration) {
        if self.seen.back().is_some_and(|(_, last)| value < *last) {
            self.seen.clear();
        }
        self.seen.push_back((now, value));
        // One value at or before the beginning of the span stays, so that all of it is covered.
        while self.seen.get(1).is_some_and(|(at, _)| span <= now.saturating_duration_since(*at)) {
            self.seen.pop_front();
        }
    }

    fn rate(&self) -> Option<f64> {
        let ((begin, first), (end, last)) = (self.seen.front()?, self.seen.back()?);
        let seconds = end.saturating_duration_since(*begin).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "nobody counts rates beyond 2^53")]
        let grown = last.saturating_sub(*first) as f64;
        (0.0 < seconds).then(|| grown / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// T15 of the seed: the mean of instantaneous rates said 32,588 where 40 were true.
    #[test]
    fn bursts_do_not_make_a_rate_larger_than_it_is() {
        let (start, mut meter) = (Instant::now(), Meter::new(10 * SECOND));
        let mut told = None;
        for n in 0..=100_u32 {
            // Two looks in quick succession each time, with 40 messages a second between pairs.
            for (late, more) in [(Duration::ZERO, 0), (Duration::from_micros(10), 1)] {
                let count = u64::from(n) * 40 + more;
                told = meter.rate("x".into(), start + n * SECOND + late, count);
            }
            meter.end_round();
        }
        let told = told.unwrap();
        assert!((39.0..41.5).contains(&told), "{told}");
    }

    #[test]
    fn a_counter_that_was_reset_is_never_negative() {
        let (start, mut meter) = (Instant::now(), Meter::new(10 * SECOND));
        assert_eq!(meter.rate("x".into(), start, 1_000), None);
        assert_eq!(meter.rate("x".into(), start + SECOND, 1_100), Some(100.0));
        assert_eq!(meter.rate("x".into(), start + 2 * SECOND, 5), None);
        assert_eq!(meter.rate("x".into(), start + 3 * SECOND, 15), Some(10.0));
    }

    #[test]
    fn only_the_window_counts_and_what_is_gone_is_forgotten() {
        let (start, mut meter) = (Instant::now(), Meter::new(3 * SECOND));
        for n in 0..10 {
            meter.rate("x".into(), start + n * SECOND, u64::from(n) * 100);
            meter.end_round();
        }
        // Three quiet seconds.
        for n in 10..14 {
            let told = meter.rate("x".into(), start + n * SECOND, 900);
            meter.end_round();
            assert!(n != 13 || told == Some(0.0), "{told:?}");
        }
        assert!(meter.windows["x"].seen.len() <= 4);
        meter.end_round();
        assert!(meter.windows.is_empty());
    }
}
