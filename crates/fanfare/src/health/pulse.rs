//! A loop of the program's own among what is watched.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fanfare_client::{LiveKind, LiveState, Vital, Vitals};
use tokio::time::Instant;

use crate::Fanfare;

/// The vital signs of a loop that tells them itself, in [`Fanfare::health`](crate::Fanfare::health)
/// beside those of subscriptions and tails.
///
/// The loop calls [`beat`](Self::beat) whenever it has done its part; if it stops doing so, health
/// turns bad. A worker fills one in as well. Cheap to clone; when the last clone is dropped, it is no
/// longer among what is watched.
///
/// # Example: a loop that must not stop silently
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let pulse = fanfare.pulse("billing");
/// for _invoice in 0..3 {
///     // The work of one turn …
///     pulse.beat();
/// }
/// assert!(fanfare.health().is_healthy(Duration::from_secs(15)));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Pulse(Arc<Inner>);

struct Inner(Mutex<Signs>);

struct Signs {
    vitals: Vitals,
    last_beat: Instant,
    stalled_since: Option<Instant>,
}

impl Fanfare {
    /// Watches over a loop of the program's own: see [`Pulse`].
    pub fn pulse(&self, name: impl Into<String>) -> Pulse {
        Pulse::new(self, LiveKind::Task, name)
    }
}

impl Pulse {
    /// One for something of this kind, which has just beaten.
    pub(crate) fn new(fanfare: &Fanfare, kind: LiveKind, name: impl Into<String>) -> Self {
        let vitals = Vitals::new(kind, name);
        let signs = Signs { vitals, last_beat: Instant::now(), stalled_since: None };
        let inner = Arc::new(Inner(Mutex::new(signs)));
        fanfare.link().watch(&inner);
        Self(inner)
    }

    /// It lives: something was read, or a turn was done, just now.
    pub fn beat(&self) {
        self.lock().last_beat = Instant::now();
    }

    /// Says how it is. [`LiveState::Down`] and [`LiveState::Ended`] make health bad.
    pub fn set_state(&self, state: LiveState) {
        self.lock().vitals.state = state;
    }

    /// Says how much waits to be taken, and whether nothing of it is being taken: health turns bad
    /// when that lasts.
    pub fn set_queued(&self, queued: usize, is_stalled: bool) {
        let mut signs = self.lock();
        signs.vitals.queued = queued;
        signs.stalled_since = match is_stalled {
            true => signs.stalled_since.or_else(|| Some(Instant::now())),
            false => None,
        };
    }

    /// Says how much there is still to do, where that is known.
    pub fn set_lag(&self, lag: Option<u64>) {
        self.lock().vitals.lag = lag;
    }

    /// Counts a place where something is missing, or may be.
    pub fn count_gap(&self) {
        self.lock().vitals.gaps += 1;
    }

    /// Counts what was dropped.
    pub fn count_dropped(&self, n: u64) {
        self.lock().vitals.dropped += n;
    }

    /// Counts that it was restored after its connection was lost.
    pub fn count_reconnect(&self) {
        self.lock().vitals.reconnects += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Signs> {
        self.0.lock()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Signs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vital for Inner {
    fn vitals(&self) -> Vitals {
        let signs = self.lock();
        let mut vitals = signs.vitals.clone();
        vitals.last_read_age = signs.last_beat.elapsed();
        vitals.stalled_for = signs.stalled_since.map(|since| since.elapsed());
        vitals
    }
}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pulse").field(&self.0.vitals()).finish()
    }
}
