//! The last results: of so many calls, or of so long. No I/O, no clock.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Which results a [`CircuitBreaker`](super::CircuitBreaker) judges by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Those of the last so many calls; at least 1, at most 100,000.
    Calls(usize),
    /// Those of the last so long, to a tenth of it; at least 10 ms.
    Time(Duration),
}

/// How many of the calls in a window failed and were slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    pub(crate) slow: u64,
}

impl Tally {
    fn one(is_failed: bool, is_slow: bool) -> Self {
        Self { calls: 1, failed: u64::from(is_failed), slow: u64::from(is_slow) }
    }

    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.slow += other.slow;
    }

    fn subtract(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }
}

/// Parts into which a window of time is divided.
pub(crate) const PARTS: u128 = 10;

const CALLS_MAX: usize = 100_000;
const TIME_MIN: Duration = Duration::from_millis(10);

/// Keeps what is in the window: one tally for each call, or for each part of the time.
#[derive(Debug)]
pub(crate) struct Results {
    window: Window,
    origin: Instant,
    /// With the number of the call or of the part.
    kept: VecDeque<(u128, Tally)>,
    sum: Tally,
    n: u128,
}

impl Results {
    pub(crate) fn new(window: Window, origin: Instant) -> Self {
        let window = match window {
            Window::Calls(n) => Window::Calls(n.clamp(1, CALLS_MAX)),
            Window::Time(time) => Window::Time(time.clamp(TIME_MIN, crate::layers::LONGEST)),
        };
        Self { window, origin, kept: VecDeque::new(), sum: Tally::default(), n: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.sum = Tally::default();
    }

    pub(crate) fn add(&mut self, now: Instant, is_failed: bool, is_slow: bool) {
        let one = Tally::one(is_failed, is_slow);
        let at = match self.window {
            Window::Calls(_) => {
                self.n += 1;
                self.n
            }
            Window::Time(time) => self.part(now, time),
        };
        self.forget(now);
        match self.kept.back_mut() {
            // A clock that goes back does not divide the newest part.
            Some((last, tally)) if at <= *last => tally.add(one),
            _ => self.kept.push_back((at, one)),
        }
        self.sum.add(one);
    }

    pub(crate) fn tally(&mut self, now: Instant) -> Tally {
        self.forget(now);
        self.sum
    }

    fn part(&self, now: Instant, time: Duration) -> u128 {
        now.saturating_duration_since(self.origin).as_nanos() * PARTS / time.as_nanos().max(1)
    }

    fn forget(&mut self, now: Instant) {
        let oldest = match self.window {
            Window::Calls(n) => (self.n + 1).saturating_sub(u128::try_from(n).unwrap_or(u128::MAX)),
            Window::Time(time) => (self.part(now, time) + 1).saturating_sub(PARTS),
        };
        while let Some(&(at, tally)) = self.kept.front()
            && at < oldest
        {
            self.sum.subtract(tally);
            self.kept.pop_front();
        }
    }
}
