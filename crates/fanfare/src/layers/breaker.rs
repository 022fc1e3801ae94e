//! A circuit breaker: what is broken is left alone for a while.

mod machine;
mod window;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fanfare_client::Backoff;
use tokio::sync::broadcast;

use self::machine::{Ended, Machine, Pass, Rules};
use super::{
    CallService, Class, LONGEST, Refused, RefusedReason,
    classify::Classifier,
    layered::{Around, layer, pass},
};
use crate::{BoxError, Call, events::events, worker::now};

pub use machine::BreakerState;
pub use window::Window;

/// Refuses calls at once while what they go to is broken, so that neither they nor it suffer for it.
///
/// - *Closed*, it lets all through and notes how they end. When the [`window`](Self::window) has at
///   least [`calls_min`](Self::calls_min) of them, and the part that failed reaches
///   [`failure_ratio`](Self::failure_ratio), or the part that was slow the ratio of
///   [`slow`](Self::slow), it opens. A failure now and then among many successes does not open it.
/// - *Open*, it refuses with [`Refused`], which says after how long it may be asked again. After
///   [`open_for`](Self::open_for) it is half-open.
/// - *Half-open*, it lets one call through at a time, and refuses the others. If that one goes
///   well, it closes; if it fails or is slow, it opens again, for twice as long as before.
///
/// What counts as a failure is what is transient by the classifier ([`classify`](super::classify)): a
/// fault of the program or a message that can not be decoded says nothing about what is
/// behind the breaker. Neither does a call that was dropped before its end, unless it was slow by
/// then.
///
/// As a layer it fits around a handler; with [`call`](Self::call) around any future: a publish, a
/// request. Clones share the state: use the same one wherever the same dependency is called, and
/// one for each of several. A setter makes one of its own.
///
/// Time is that of [`tokio::time`], which never goes back.
///
/// # Example: around a request
/// ```
/// use fanfare::layers::{BreakerState, CircuitBreaker, Refused};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let bank = CircuitBreaker::new("bank").calls_min(3);
/// for _ in 0..3 {
///     let answer = bank.call(async { Err::<u32, _>("connection refused") }).await;
///     assert_eq!(answer.unwrap_err().to_string(), "connection refused");
/// }
/// assert_eq!(bank.state(), BreakerState::Open);
/// let refused = bank.call(async { Ok::<u32, &str>(7) }).await.unwrap_err();
/// let refused: &Refused = refused.downcast_ref().expect("it was not asked");
/// println!("again after {:?}", refused.retry_after);
/// # }
/// ```
#[derive(Clone)]
pub struct CircuitBreaker(Arc<Shared>);

struct Shared {
    name: Arc<str>,
    rules: Rules,
    classifier: Classifier,
    /// Made when it is first asked, since it begins at a time.
    machine: Mutex<Option<Machine>>,
    events: broadcast::Sender<BreakerEvent>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    succeeded: AtomicU64,
    failed: AtomicU64,
    slow: AtomicU64,
    unjudged: AtomicU64,
    refused: AtomicU64,
    opened: AtomicU64,
}

/// How a [`CircuitBreaker`] is doing, and what it has done since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerStats {
    /// Whether it lets calls through.
    pub state: BreakerState,
    /// Calls that went well.
    pub succeeded: u64,
    /// Calls that failed and counted.
    pub failed: u64,
    /// Calls that were slow, for better or worse.
    pub slow: u64,
    /// Calls that failed and did not count, and those that were dropped.
    pub unjudged: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Times that it opened.
    pub opened: u64,
    /// Calls that are in the window now.
    pub window_calls: u64,
    /// Those of them that failed.
    pub window_failed: u64,
    /// Those of them that were slow.
    pub window_slow: u64,
}

/// A [`CircuitBreaker`] has changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerEvent {
    /// From one to another.
    Changed {
        /// What it was.
        from: BreakerState,
        /// What it is.
        to: BreakerState,
    },
    /// This listener was too slow and missed events.
    Missed {
        /// How many.
        n: u64,
    },
}

events! {
    /// The events of one breaker, from the moment they were asked for. They end with the breaker. It
    /// holds at most 64; a listener that falls behind gets [`BreakerEvent::Missed`].
    BreakerEvents of BreakerEvent, until "the breaker is gone"
}

impl CircuitBreaker {
    /// One with this name, which its errors and logs say: the last 100 calls, of which at least 20;
    /// half of them failed; open for 5 s at first and 60 s at most.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        let open_for = Backoff { first: Duration::from_secs(5), cap: Duration::from_secs(60) };
        let rules = Rules {
            window: Window::Calls(100),
            calls_min: 20,
            failure_ratio: 0.5,
            slow: None,
            open_for,
            probe_max: Duration::from_secs(60),
        };
        Self::of(name.into(), rules, Classifier::default())
    }

    fn of(name: Arc<str>, rules: Rules, classifier: Classifier) -> Self {
        let (events, _) = broadcast::channel(64);
        let (machine, counts) = (Mutex::default(), Counts::default());
        Self(Arc::new(Shared { name, rules, classifier, machine, events, counts }))
    }

    fn with(self, change: impl FnOnce(&mut Rules)) -> Self {
        let mut rules = self.0.rules;
        change(&mut rules);
        Self::of(self.0.name.clone(), rules, self.0.classifier.clone())
    }

    /// Which results it judges by. Default: the last 100 calls.
    #[must_use]
    pub fn window(self, window: Window) -> Self {
        self.with(|rules| rules.window = window)
    }

    /// It does not open before so many results are in the window. 0 counts as 1. Default: 20. If it is
    /// more than the window can hold, it never opens.
    #[must_use]
    pub fn calls_min(self, n: u64) -> Self {
        self.with(|rules| rules.calls_min = n.max(1))
    }

    /// The part of the calls in the window at which it opens if they failed: 0.5 is half of them. What
    /// is above 1 switches this off. Default: 0.5.
    #[must_use]
    pub fn failure_ratio(self, ratio: f64) -> Self {
        self.with(|rules| rules.failure_ratio = ratio)
    }

    /// Which calls are slow, and the part of the calls in the window at which it opens if they were.
    /// Default: none is.
    #[must_use]
    pub fn slow(self, limit: Duration, ratio: f64) -> Self {
        self.with(|rules| rules.slow = Some((limit, ratio)))
    }

    /// How long it stays open: doubling from opening to opening until it was closed, each shortened at
    /// random by up to half, so that not all programs come back together. Default: 5 s at first, 60 s
    /// at most.
    #[must_use]
    pub fn open_for(self, backoff: Backoff) -> Self {
        let capped = Backoff { first: backoff.first.min(LONGEST), cap: backoff.cap.min(LONGEST) };
        self.with(|rules| rules.open_for = capped)
    }

    /// A call that is let through when it is half-open, and has not ended after so long, counts as
    /// failed: one that hangs does not keep the breaker shut. Default: 60 s.
    #[must_use]
    pub fn probe_max(self, limit: Duration) -> Self {
        self.with(|rules| rules.probe_max = limit.min(LONGEST))
    }

    /// What an error means, in place of [`classify`](super::classify). Those count that are
    /// [`Transient`](Class::Transient) or [`Later`](Class::Later).
    #[must_use]
    pub fn classify(
        self,
        classify: impl Fn(&(dyn std::error::Error + 'static)) -> Class + Send + Sync + 'static,
    ) -> Self {
        Self::of(self.0.name.clone(), self.0.rules, Classifier::new(classify))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Awaits a future if the breaker lets it, and notes how it ends.
    ///
    /// # Errors
    /// [`Refused`] if it is not let through: the future is dropped and was never polled. Otherwise the
    /// future's own error.
    ///
    /// # Cancel safety
    /// Dropping it drops the future. That counts as slow if it was, and otherwise not at all.
    pub async fn call<T, E: Into<BoxError>>(
        &self,
        future: impl Future<Output = Result<T, E>>,
    ) -> Result<T, BoxError> {
        let mut guard = self.ask()?;
        let result = future.await.map_err(Into::into);
        guard.ended = match &result {
            Ok(_) => Ended::Well,
            Err(error) if self.0.classifier.class(error).is_transient_failure() => Ended::Failed,
            Err(_) => Ended::Unjudged,
        };
        result
    }

    fn ask(&self) -> Result<Guard, Refused> {
        let now = now();
        let asked = self.act(now, |machine| machine.handle_ask(now, rand::random()));
        match asked {
            Ok(pass) => {
                let (breaker, ended) = (self.clone(), Ended::Unjudged);
                Ok(Guard { breaker, pass, begun: now, ended })
            }
            Err(wait) => {
                self.0.counts.refused.fetch_add(1, Ordering::Relaxed);
                Err(Refused::new(RefusedReason::CircuitOpen, &self.0.name, wait))
            }
        }
    }

    /// Refuses everything until [`release`](Self::release).
    pub fn force_open(&self) {
        self.act(now(), |machine| machine.force(true));
    }

    /// Lets everything through until [`release`](Self::release).
    pub fn force_closed(&self) {
        self.act(now(), |machine| machine.force(false));
    }

    /// Closes it, forgets what was, and lets it decide again.
    pub fn release(&self) {
        self.act(now(), Machine::close);
    }

    /// Whether it lets calls through. One whose time to be open is over is [`BreakerState::Open`] until
    /// somebody asks.
    pub fn state(&self) -> BreakerState {
        self.act(now(), |machine| machine.state())
    }

    /// Its state and counts.
    pub fn stats(&self) -> BreakerStats {
        let now = now();
        let (state, tally) = self.act(now, |machine| (machine.state(), machine.tally(now)));
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.0.counts;
        BreakerStats {
            state,
            succeeded: get(&counts.succeeded),
            failed: get(&counts.failed),
            slow: get(&counts.slow),
            unjudged: get(&counts.unjudged),
            refused: get(&counts.refused),
            opened: get(&counts.opened),
            window_calls: tally.calls,
            window_failed: tally.failed,
            window_slow: tally.slow,
        }
    }

    /// What happens to it, from now on.
    pub fn events(&self) -> BreakerEvents {
        BreakerEvents(self.0.events.subscribe())
    }

    /// Does something with the machine, and tells if its state is another one then.
    fn act<T>(&self, now: Instant, act: impl FnOnce(&mut Machine) -> T) -> T {
        let shared = &*self.0;
        let mut machine = shared.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = machine.get_or_insert_with(|| Machine::new(shared.rules, now));
        let from = machine.state();
        let result = act(machine);
        let to = machine.state();
        if from != to {
            if to == BreakerState::Open {
                shared.counts.opened.fetch_add(1, Ordering::Relaxed);
            }
            tracing::info!(breaker = %shared.name, ?from, ?to, "a circuit breaker has changed");
            // Sent under the lock, so that events are in order. Nobody needs to listen.
            let _ = shared.events.send(BreakerEvent::Changed { from, to });
        }
        result
    }
}

/// A call that was let through. What it says at its end is [`Ended::Unjudged`] unless it is told
/// otherwise: it was dropped, or panicked.
struct Guard {
    breaker: CircuitBreaker,
    pass: Pass,
    begun: Instant,
    ended: Ended,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (now, shared) = (now(), &self.breaker.0);
        let took = now.saturating_duration_since(self.begun);
        let count = match self.ended {
            Ended::Well => &shared.counts.succeeded,
            Ended::Failed => &shared.counts.failed,
            Ended::Unjudged => &shared.counts.unjudged,
        };
        count.fetch_add(1, Ordering::Relaxed);
        if shared.rules.slow.is_some_and(|(limit, _)| limit <= took) {
            shared.counts.slow.fetch_add(1, Ordering::Relaxed);
        }
        let (pass, ended) = (self.pass, self.ended);
        let end = |it: &mut Machine| it.handle_end(pass, ended, took, now, rand::random());
        self.breaker.act(now, end);
    }
}

impl Around for CircuitBreaker {
    async fn around<S: CallService>(&self, call: Call, inner: &S) -> Result<(), BoxError> {
        self.call(pass(inner, call)).await
    }
}

layer!(CircuitBreaker);

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, rules) = (&self.0.name, &self.0.rules);
        f.debug_struct("CircuitBreaker").field("name", name).field("rules", rules).finish()
    }
}

#[cfg(test)]
mod tests;
