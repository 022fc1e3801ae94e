//! The circuit breaker's decisions. No I/O, no clock, no chance: they are arguments.

use std::time::{Duration, Instant};

use fanfare_client::Backoff;

use super::window::{Results, Tally, Window};

/// What a circuit breaker goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) window: Window,
    pub(crate) calls_min: u64,
    pub(crate) failure_ratio: f64,
    /// What is slow, and the ratio that opens it.
    pub(crate) slow: Option<(Duration, f64)>,
    pub(crate) open_for: Backoff,
    pub(crate) probe_max: Duration,
}

/// Whether a [`CircuitBreaker`](super::CircuitBreaker) lets calls through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BreakerState {
    /// It lets all through.
    Closed,
    /// It refuses all.
    Open,
    /// It lets one at a time through, to see how it goes.
    HalfOpen,
    /// It lets all through, since it was told so.
    ForcedClosed,
    /// It refuses all, since it was told so.
    ForcedOpen,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open {
        until: Instant,
    },
    /// The probe that is under way, and since when.
    HalfOpen {
        probe: Option<(u64, Instant)>,
    },
    ForcedClosed,
    ForcedOpen,
}

/// Leave to go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    /// Of which stay in a state it is: what ends later has nothing to say any more.
    era: u64,
    /// The number of the probe, if it is one.
    probe: Option<u64>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Well,
    Failed,
    /// It says nothing about what is behind the breaker.
    Unjudged,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Machine {
    rules: Rules,
    state: State,
    results: Results,
    era: u64,
    probes: u64,
    /// Times that it opened since it was last closed.
    n_opened: u32,
}

impl Machine {
    pub(crate) fn new(rules: Rules, now: Instant) -> Self {
        let results = Results::new(rules.window, now);
        Self { rules, state: State::Closed, results, era: 0, probes: 0, n_opened: 0 }
    }

    /// Whether a call may go through now; otherwise after how long it may ask again. `unit` is a random
    /// number in `0.0..1.0`.
    pub(crate) fn handle_ask(&mut self, now: Instant, unit: f64) -> Result<Pass, Duration> {
        match self.state {
            State::Closed | State::ForcedClosed => Ok(Pass { era: self.era, probe: None }),
            State::ForcedOpen => Err(self.rules.open_for.cap),
            State::Open { until } if now < until => Err(until - now),
            State::Open { .. } => Ok(self.probe(now)),
            State::HalfOpen { probe: None } => Ok(self.probe(now)),
            State::HalfOpen { probe: Some((_, since)) } => {
                let waited = now.saturating_duration_since(since);
                if waited < self.rules.probe_max {
                    let left = self.rules.probe_max - waited;
                    return Err(left.min(self.rules.open_for.first));
                }
                // A probe that hangs must not shut the breaker for ever.
                self.open(now, unit);
                self.handle_ask(now, unit)
            }
        }
    }

    /// A call that was let through has ended after so long.
    pub(crate) fn handle_end(
        &mut self,
        pass: Pass,
        ended: Ended,
        took: Duration,
        now: Instant,
        unit: f64,
    ) {
        if pass.era != self.era {
            return;
        }
        let is_slow = self.rules.slow.is_some_and(|(limit, _)| limit <= took);
        match self.state {
            State::Closed => {
                if ended != Ended::Unjudged || is_slow {
                    self.results.add(now, ended == Ended::Failed, is_slow);
                    if self.is_bad(now) {
                        self.open(now, unit);
                    }
                }
            }
            State::HalfOpen { probe: Some((n, _)) } if pass.probe == Some(n) => match ended {
                Ended::Failed => self.open(now, unit),
                _ if is_slow => self.open(now, unit),
                Ended::Well => self.close(),
                Ended::Unjudged => self.state = State::HalfOpen { probe: None },
            },
            State::HalfOpen { .. }
            | State::Open { .. }
            | State::ForcedClosed
            | State::ForcedOpen => {}
        }
    }

    pub(crate) fn force(&mut self, is_open: bool) {
        self.enter(if is_open { State::ForcedOpen } else { State::ForcedClosed });
    }

    /// Closes it, and lets it decide again.
    pub(crate) fn close(&mut self) {
        self.results.clear();
        self.n_opened = 0;
        self.enter(State::Closed);
    }

    pub(crate) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
            State::ForcedClosed => BreakerState::ForcedClosed,
            State::ForcedOpen => BreakerState::ForcedOpen,
        }
    }

    pub(crate) fn tally(&mut self, now: Instant) -> Tally {
        self.results.tally(now)
    }

    fn is_bad(&mut self, now: Instant) -> bool {
        let tally = self.results.tally(now);
        // A ratio of a window is never so exact that rounding matters.
        let reaches = |n: u64, ratio: f64| ratio * count(tally.calls) <= count(n) && 0 < n;
        self.rules.calls_min <= tally.calls
            && (reaches(tally.failed, self.rules.failure_ratio)
                || self.rules.slow.is_some_and(|(_, ratio)| reaches(tally.slow, ratio)))
    }

    fn probe(&mut self, now: Instant) -> Pass {
        if !matches!(self.state, State::HalfOpen { .. }) {
            self.enter(State::HalfOpen { probe: None });
        }
        self.probes += 1;
        self.state = State::HalfOpen { probe: Some((self.probes, now)) };
        Pass { era: self.era, probe: Some(self.probes) }
    }

    fn open(&mut self, now: Instant, unit: f64) {
        self.n_opened = self.n_opened.saturating_add(1);
        self.results.clear();
        let until = now + self.rules.open_for.delay(self.n_opened, unit);
        self.enter(State::Open { until });
    }

    fn enter(&mut self, state: State) {
        self.era += 1;
        self.state = state;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a window has at most some millions of calls")]
fn count(n: u64) -> f64 {
    n as f64
}
