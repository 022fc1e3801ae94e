//! Closed while a script that holds everything runs for long: then nobody waits for a stripe.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long someone waits for a stripe before looking whether the gate is closed. Ordinary commands hold theirs for
/// microseconds.
const PATIENCE: Duration = Duration::from_micros(100);

/// Whether it is worth waiting for stripes. Only who fails to lock one at once looks at it, so it costs others nothing.
#[derive(Debug, Default)]
pub struct Gate {
    closed: AtomicBool,
    busy: AtomicBool,
}

impl Gate {
    /// From now on, who does not get a stripe at once gives up and is to be parked until the gate opens.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// The script has run past its time: commands are answered `BUSY`.
    pub fn set_busy(&self) {
        self.busy.store(true, Ordering::Release);
    }

    /// The script is over.
    pub fn open(&self) {
        self.busy.store(false, Ordering::Release);
        self.closed.store(false, Ordering::Release);
    }

    /// Whether commands that do not get their stripes are parked.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether commands are answered `BUSY`.
    #[inline]
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Tries until it succeeds or the gate is closed.
    #[cold]
    pub(super) fn pass<T>(&self, mut attempt: impl FnMut(Duration) -> Option<T>) -> Option<T> {
        loop {
            if let Some(it) = attempt(PATIENCE) {
                return Some(it);
            }
            if self.is_closed() {
                return None;
            }
        }
    }
}
