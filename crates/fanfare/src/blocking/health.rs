//! Health, and what happens to the connections.

use std::time::Duration;

use tokio::time::timeout;

use super::{Fanfare, runtime};
use crate::{Event, Health, Pulse, Tolerance, Unwell};

impl Fanfare {
    /// The health of the connections and of everything that lives on them, now. Takes no round trip:
    /// for that see [`self_test`](Self::self_test).
    ///
    /// # Example: an answer for a health probe
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use std::time::Duration;
    ///
    /// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
    /// let _orders = fanfare.subscribe(["orders"])?;
    /// assert!(fanfare.health().is_healthy(Duration::from_secs(15)));
    /// # Ok::<_, fanfare::Error>(())
    /// ```
    pub fn health(&self) -> Health {
        self.inner.health()
    }

    /// Watches over a loop of the program's own: see [`Pulse`].
    pub fn pulse(&self, name: impl Into<String>) -> Pulse {
        self.inner.pulse(name)
    }

    /// Looks at the health every `every` (at least a millisecond), and tells when it changes.
    ///
    /// # Panics
    /// On a thread that drives a runtime.
    pub fn monitor(&self, tolerance: impl Into<Tolerance>, every: Duration) -> Monitor {
        Monitor { inner: runtime::wait(async { self.inner.monitor(tolerance, every) }) }
    }

    /// What happens to the connections, from now on: up, down, resubscribed, dropped messages.
    ///
    /// # Example: a thread that logs them
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
    /// let events = fanfare.events();
    /// std::thread::spawn(move || events.for_each(|event| println!("{event:?}")));
    /// # Ok::<_, fanfare::Error>(())
    /// ```
    pub fn events(&self) -> Events {
        Events { inner: self.inner.events() }
    }
}

/// The twin of [`fanfare::Monitor`](crate::Monitor). Dropping it ends it.
///
/// # Example: what the last look found
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
///
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let mut monitor = fanfare.monitor(Duration::from_secs(15), Duration::from_secs(1));
/// assert!(monitor.judgement().is_ok());
/// assert_eq!(monitor.changed_within(Duration::from_millis(10)), None);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "it ends when this is dropped"]
pub struct Monitor {
    inner: crate::Monitor,
}

impl Monitor {
    /// What the last look found.
    ///
    /// # Errors
    /// The reasons, if health was bad.
    pub fn judgement(&self) -> Result<(), Unwell> {
        self.inner.judgement()
    }

    /// Waits until health turns from good to bad or back, and returns the new judgement.
    ///
    /// # Errors
    /// The reasons, if health is bad now.
    pub fn changed(&mut self) -> Result<(), Unwell> {
        runtime::wait(self.inner.changed())
    }

    /// The same, for at most `limit`. `None`: it has not changed.
    pub fn changed_within(&mut self, limit: Duration) -> Option<Result<(), Unwell>> {
        runtime::wait(async { timeout(limit, self.inner.changed()).await }).ok()
    }
}

/// The twin of [`fanfare::Events`](crate::Events): an iterator of what happens to the connections,
/// which waits for the next event and ends when they are closed.
#[derive(Debug)]
pub struct Events {
    inner: crate::Events,
}

impl Events {
    /// The next event, if one comes within `limit`. `None`: none came, or this is the end.
    pub fn next_within(&mut self, limit: Duration) -> Option<Event> {
        runtime::wait(async { timeout(limit, self.inner.next()).await }).ok().flatten()
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        runtime::wait(self.inner.next())
    }
}
