//! The breaker's decisions against a naive model, and its scenarios.

use std::future::pending;

use tower_layer::Layer;

use super::{window::PARTS, *};
use crate::{
    Permanent,
    layers::fixture::{SECOND, call, run},
};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// What a breaker is, said as plainly as possible: all that was, looked through each time.
struct Model {
    rules: Rules,
    origin: Instant,
    state: BreakerState,
    until: Instant,
    probe: Option<(usize, Instant)>,
    /// Since the state was entered: when, whether it failed, whether it was slow.
    seen: Vec<(Instant, bool, bool)>,
    n_opened: u32,
    n_passes: usize,
    /// Passes below this were given in another state.
    first_pass: usize,
}

impl Model {
    fn new(rules: Rules, origin: Instant) -> Self {
        let (state, until, probe, seen) = (BreakerState::Closed, origin, None, Vec::new());
        let (n_opened, n_passes, first_pass) = (0, 0, 0);
        Self { rules, origin, state, until, probe, seen, n_opened, n_passes, first_pass }
    }

    fn enter(&mut self, state: BreakerState) {
        self.state = state;
        self.probe = None;
        self.first_pass = self.n_passes;
    }

    fn open(&mut self, now: Instant, unit: f64) {
        self.n_opened += 1;
        self.until = now + self.rules.open_for.delay(self.n_opened, unit);
        self.seen.clear();
        self.enter(BreakerState::Open);
    }

    fn close(&mut self) {
        (self.seen, self.n_opened) = (Vec::new(), 0);
        self.enter(BreakerState::Closed);
    }

    fn ask(&mut self, now: Instant, unit: f64) -> Option<usize> {
        if let Some((_, since)) = self.probe
            && self.rules.probe_max <= now - since
        {
            self.open(now, unit);
        }
        if self.state == BreakerState::Open && self.until <= now {
            self.enter(BreakerState::HalfOpen);
        }
        let goes = match self.state {
            BreakerState::Closed | BreakerState::ForcedClosed => true,
            BreakerState::HalfOpen => self.probe.is_none(),
            BreakerState::Open | BreakerState::ForcedOpen => false,
        };
        let pass = self.n_passes;
        if goes {
            self.n_passes += 1;
            if self.state == BreakerState::HalfOpen {
                self.probe = Some((pass, now));
            }
        }
        goes.then_some(pass)
    }

    fn end(&mut self, pass: usize, ended: Ended, took: Duration, now: Instant, unit: f64) {
        let is_slow = self.rules.slow.is_some_and(|(limit, _)| limit <= took);
        if pass < self.first_pass {
            return;
        }
        if self.state == BreakerState::Closed {
            if ended == Ended::Unjudged && !is_slow {
                return;
            }
            self.seen.push((now, ended == Ended::Failed, is_slow));
            let tally = self.tally(now);
            let is_over = |n: u64, ratio: f64| 0 < n && ratio <= n as f64 / tally.calls as f64;
            if self.rules.calls_min <= tally.calls
                && (is_over(tally.failed, self.rules.failure_ratio)
                    || self.rules.slow.is_some_and(|(_, ratio)| is_over(tally.slow, ratio)))
            {
                self.open(now, unit);
            }
        } else if self.probe.is_some_and(|(probe, _)| probe == pass) {
            if ended == Ended::Failed || is_slow {
                self.open(now, unit);
            } else if ended == Ended::Well {
                self.close();
            } else {
                self.probe = None;
            }
        }
    }

    fn tally(&self, now: Instant) -> window::Tally {
        let in_window: Vec<_> = match self.rules.window {
            Window::Calls(n) => self.seen.iter().rev().take(n).collect(),
            Window::Time(time) => {
                let part = |at: Instant| (at - self.origin).as_nanos() * PARTS / time.as_nanos();
                self.seen.iter().filter(|(at, ..)| part(now) < part(*at) + PARTS).collect()
            }
        };
        let count = |wanted: fn(&(Instant, bool, bool)) -> bool| {
            u64::try_from(in_window.iter().filter(|it| wanted(it)).count()).unwrap()
        };
        window::Tally { calls: count(|_| true), failed: count(|it| it.1), slow: count(|it| it.2) }
    }
}

fn random_rules(rng: &mut fanfare_testkit::Rng) -> Rules {
    let ms = |rng: &mut fanfare_testkit::Rng, below| MS(10 + rng.below(below));
    let first = ms(rng, 1_000);
    let ratio = |rng: &mut fanfare_testkit::Rng| {
        [0.1, 0.5, 0.9, 1.0, 2.0][usize::try_from(rng.below(5)).unwrap()]
    };
    Rules {
        window: match rng.below(2) {
            0 => Window::Calls(usize::try_from(1 + rng.below(20)).unwrap()),
            _ => Window::Time(ms(rng, 3_000)),
        },
        calls_min: 1 + rng.below(8),
        failure_ratio: ratio(rng),
        slow: (rng.below(2) == 0).then(|| (ms(rng, 500), ratio(rng))),
        open_for: Backoff { first, cap: first * 4 },
        probe_max: ms(rng, 4_000),
    }
}

#[test]
fn decisions_are_those_of_a_naive_model() {
    let mut rng = fanfare_testkit::Rng::new(fanfare_testkit::seed());
    let mut n_changes = [0; 5];
    for _ in 0..300 {
        let rules = random_rules(&mut rng);
        let mut now = Instant::now();
        let (mut machine, mut model) = (Machine::new(rules, now), Model::new(rules, now));
        let mut running: Vec<(Pass, usize, Instant)> = Vec::new();
        for step in 0..300 {
            now += MS(rng.below(120));
            let unit = rng.below(1_000) as f64 / 1_000.0;
            match rng.below(100) {
                0 => {
                    machine.force(true);
                    model.enter(BreakerState::ForcedOpen);
                }
                1 => {
                    machine.force(false);
                    model.enter(BreakerState::ForcedClosed);
                }
                2..6 => {
                    machine.close();
                    model.close();
                }
                6..55 => {
                    let (asked, expected) = (machine.handle_ask(now, unit), model.ask(now, unit));
                    assert_eq!(asked.is_ok(), expected.is_some(), "{rules:?}, step {step}");
                    if let (Ok(pass), Some(n)) = (asked, expected) {
                        running.push((pass, n, now));
                    }
                }
                _ if running.is_empty() => {}
                _ => {
                    let n = u64::try_from(running.len()).unwrap();
                    let which = usize::try_from(rng.below(n)).unwrap();
                    let (pass, n, begun) = running.swap_remove(which);
                    let ended = match rng.below(10) {
                        0 => Ended::Unjudged,
                        1..5 => Ended::Failed,
                        _ => Ended::Well,
                    };
                    machine.handle_end(pass, ended, now - begun, now, unit);
                    model.end(n, ended, now - begun, now, unit);
                }
            }
            assert_eq!(machine.state(), model.state, "{rules:?}, step {step}");
            assert_eq!(machine.tally(now), model.tally(now), "{rules:?}, step {step}");
            n_changes[machine.state() as usize] += 1;
        }
    }
    assert!(n_changes.iter().all(|&n| 100 < n), "not all states were seen: {n_changes:?}");
}

async fn ask(breaker: &CircuitBreaker, result: Result<u8, &'static str>) -> Result<u8, BoxError> {
    breaker.call(async { result }).await
}

fn refused(error: &BoxError) -> Duration {
    error.downcast_ref::<Refused>().expect("it was refused").retry_after
}

/// The sketch whose breaker never opened, since its publisher swallowed the errors: T2.
#[tokio::test(start_paused = true)]
async fn it_opens_when_what_is_behind_it_fails_and_closes_after_one_success() {
    let breaker = CircuitBreaker::new("bank").calls_min(5);
    let mut events = breaker.events();
    for _ in 0..5 {
        assert_eq!(ask(&breaker, Err("down")).await.unwrap_err().to_string(), "down");
    }
    let wait = refused(&ask(&breaker, Ok(1)).await.unwrap_err());
    assert!(5 * SECOND / 2 <= wait && wait <= 5 * SECOND, "{wait:?}");
    tokio::time::sleep(wait - MS(1)).await;
    assert!(refused(&ask(&breaker, Ok(1)).await.unwrap_err()) <= MS(2));
    tokio::time::sleep(MS(2)).await;
    assert_eq!(ask(&breaker, Ok(1)).await.unwrap(), 1);
    assert_eq!(breaker.state(), BreakerState::Closed);
    let stats = breaker.stats();
    assert_eq!((stats.failed, stats.succeeded, stats.refused, stats.opened), (5, 1, 2, 1));
    assert_eq!(stats.window_calls, 0);
    let mut next = async || match events.next().await {
        Some(BreakerEvent::Changed { from, to }) => (from, to),
        other => panic!("{other:?}"),
    };
    assert_eq!(next().await, (BreakerState::Closed, BreakerState::Open));
    assert_eq!(next().await, (BreakerState::Open, BreakerState::HalfOpen));
    assert_eq!(next().await, (BreakerState::HalfOpen, BreakerState::Closed));
    drop(breaker);
    assert_eq!(events.next().await, None);
}

/// The sketch whose count of failures no success reset: five in a month opened it.
#[tokio::test(start_paused = true)]
async fn failures_among_many_successes_do_not_open_it() {
    let breaker = CircuitBreaker::new("bank").calls_min(5).window(Window::Calls(20));
    for n in 0..1_000 {
        let _ = ask(&breaker, if n % 3 == 0 { Err("down") } else { Ok(1) }).await;
    }
    let timed = CircuitBreaker::new("bank").calls_min(5).window(Window::Time(60 * SECOND));
    for _ in 0..100 {
        let _ = ask(&timed, Err("down")).await;
        tokio::time::sleep(20 * SECOND).await;
    }
    assert_eq!((breaker.stats().opened, timed.stats().opened), (0, 0));
}

/// The sketch that let every caller through when it was half-open.
#[tokio::test(start_paused = true)]
async fn half_open_lets_one_call_through_at_a_time() {
    let breaker = CircuitBreaker::new("bank").calls_min(1);
    let _ = ask(&breaker, Err("down")).await;
    tokio::time::sleep(5 * SECOND).await;
    let (sender, held) = tokio::sync::oneshot::channel::<()>();
    let probe = breaker.call(async { held.await.map_err(|_| "down").map(|()| 1) });
    let others = async {
        for _ in 0..20 {
            refused(&ask(&breaker, Ok(2)).await.unwrap_err());
        }
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        drop(sender);
    };
    let (probe, ()) = tokio::join!(probe, others);
    assert_eq!(probe.unwrap_err().to_string(), "down");
    // For longer than before.
    let wait = refused(&ask(&breaker, Ok(1)).await.unwrap_err());
    assert!(5 * SECOND <= wait && wait <= 10 * SECOND, "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_or_is_dropped_does_not_shut_it_for_ever() {
    let breaker = CircuitBreaker::new("bank").calls_min(1).probe_max(30 * SECOND);
    let _ = ask(&breaker, Err("down")).await;
    tokio::time::sleep(5 * SECOND).await;
    let hangs = breaker.call(pending::<Result<(), BoxError>>());
    let dropped = tokio::time::timeout(SECOND, hangs).await;
    assert!(dropped.is_err());
    let hung = breaker.clone();
    let hung = tokio::spawn(async move { hung.call(pending::<Result<(), BoxError>>()).await });
    tokio::task::yield_now().await;
    refused(&ask(&breaker, Ok(1)).await.unwrap_err());
    tokio::time::sleep(30 * SECOND).await;
    refused(&ask(&breaker, Ok(1)).await.unwrap_err());
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(ask(&breaker, Ok(1)).await.unwrap(), 1);
    hung.abort();
}

/// The sketch in which any exception counted: a fault in the program opened the circuit.
#[tokio::test(start_paused = true)]
async fn what_says_nothing_about_the_dependency_does_not_open_it() {
    let breaker = CircuitBreaker::new("bank").calls_min(1);
    for _ in 0..100 {
        let _ = breaker.call(async { Err::<(), _>(Permanent::new("no such customer")) }).await;
        let _ = breaker.call(async { "x".parse::<u8>() }).await;
    }
    let undecodable = breaker.layer(crate::service(async |_: crate::Json<u64>| {}, ()));
    run(&undecodable, call("no number")).await.unwrap_err();
    let other = CircuitBreaker::new("other");
    other.force_open();
    let nested = breaker.call(other.call(async { Ok::<(), BoxError>(()) })).await;
    refused(&nested.unwrap_err());
    assert_eq!((breaker.state(), breaker.stats().unjudged), (BreakerState::Closed, 202));
    let picky = breaker.clone().classify(|_| Class::Transient);
    let _ = picky.call(async { "x".parse::<u8>() }).await;
    assert_eq!((picky.state(), breaker.state()), (BreakerState::Open, BreakerState::Closed));
}

#[tokio::test(start_paused = true)]
async fn slow_calls_open_it_also_if_they_are_given_up() {
    let breaker = CircuitBreaker::new("bank").calls_min(4).slow(2 * SECOND, 0.5);
    let slow = || {
        breaker.call(async {
            tokio::time::sleep(3 * SECOND).await;
            Ok::<_, BoxError>(())
        })
    };
    slow().await.unwrap();
    let _ = ask(&breaker, Ok(1)).await;
    let _ = ask(&breaker, Ok(1)).await;
    let given_up = tokio::time::timeout(5 * SECOND / 2, slow()).await;
    assert!(given_up.is_err());
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!((breaker.stats().slow, breaker.stats().failed), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn it_does_as_it_is_told() {
    let breaker = CircuitBreaker::new("bank").calls_min(1);
    breaker.force_open();
    refused(&ask(&breaker, Ok(1)).await.unwrap_err());
    breaker.force_closed();
    for _ in 0..10 {
        assert!(!ask(&breaker, Err("down")).await.unwrap_err().is::<Refused>());
    }
    assert_eq!(breaker.state(), BreakerState::ForcedClosed);
    breaker.release();
    let _ = ask(&breaker, Err("down")).await;
    assert_eq!(breaker.state(), BreakerState::Open);
}
