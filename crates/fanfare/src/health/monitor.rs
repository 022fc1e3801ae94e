//! Health that is looked at again and again, and told when it changes.

use std::{fmt, time::Duration};

use fanfare_client::Event;
use tokio::{sync::watch, time::MissedTickBehavior};

#[cfg(feature = "metrics")]
use crate::health::metrics::Gauges;
use crate::{
    Fanfare,
    health::{Tolerance, Unwell},
};

/// Looks at the [health](crate::Health) at regular intervals, for as long as it lives.
///
/// When the judgement changes, and if the first is bad, it tells so by [`Event::Unwell`] and
/// [`Event::Well`], and logs it. With
/// the feature `metrics` it also sets these gauges of the `metrics` crate each time:
///
/// | gauge | labels | meaning |
/// |---|---|---|
/// | `fanfare_healthy` | | 1, or 0 if [`check`](crate::Health::check) has a reason |
/// | `fanfare_commands_up` | | 1 if the command connection is there |
/// | `fanfare_commands_last_read_age_seconds` | | time since anything was read on it |
/// | `fanfare_commands_disconnects` | | how often it was lost |
/// | `fanfare_KIND_live` | `name` | how many of this name live |
/// | `fanfare_KIND_up` | `name` | 1 if all of them are well connected |
/// | `fanfare_KIND_last_read_age_seconds` | `name` | the largest time since a read |
/// | `fanfare_KIND_stalled_seconds` | `name` | the largest time for which nothing was taken of what waits |
/// | `fanfare_KIND_queued` | `name` | how much waits |
/// | `fanfare_KIND_lag` | `name` | how much is still to come or to finish, where it is known |
/// | `fanfare_KIND_gaps`, `_dropped`, `_reconnects` | `name` | the counts of those that live |
///
/// `KIND` is `subscription`, `tail`, `handler` (of a [`Router`](crate::Router)), `worker` or `task`.
/// Those that share a name share a gauge, with the worst or the sum of them. When the last of a name
/// has gone, its gauges say that nothing lives, and nothing ails it.
///
/// It keeps the connections open, as a clone of the [`Fanfare`] does. Dropping it ends it.
///
/// # Example: told when it changes
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let monitor = fanfare.monitor(Duration::from_secs(15), Duration::from_secs(1));
/// assert!(monitor.judgement().is_ok());
/// # Ok(()) }
/// ```
#[must_use = "it ends when this is dropped"]
pub struct Monitor {
    judgement: watch::Receiver<Result<(), Unwell>>,
    /// What [`changed`](Self::changed) has told last.
    was_well: bool,
}

impl Fanfare {
    /// Looks at the health every `every` (at least a millisecond), and tells when it changes.
    ///
    /// # Panics
    /// Outside a tokio runtime with time.
    pub fn monitor(&self, tolerance: impl Into<Tolerance>, every: Duration) -> Monitor {
        let tolerance = tolerance.into();
        let mut watcher = Watcher::new(self.clone(), tolerance);
        let (publish, judgement) = watch::channel(watcher.look());
        tokio::spawn(run(watcher, every, publish));
        let was_well = judgement.borrow().is_ok();
        Monitor { judgement, was_well }
    }
}

impl Monitor {
    /// What the last look found.
    ///
    /// # Errors
    /// The reasons, if health was bad.
    pub fn judgement(&self) -> Result<(), Unwell> {
        self.judgement.borrow().clone()
    }

    /// Waits until health is other than this method has told last, or at first than when the monitor
    /// was made: turned from good to bad or back. Returns the new judgement.
    ///
    /// # Errors
    /// The reasons, if health is bad now.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the next call tells what has changed meanwhile.
    pub async fn changed(&mut self) -> Result<(), Unwell> {
        let was_well = self.was_well;
        let judgement = match self.judgement.wait_for(|it| it.is_ok() != was_well).await {
            Ok(judgement) => judgement.clone(),
            Err(_) => return Err(Unwell { reasons: vec!["the monitor has ended".to_owned()] }),
        };
        self.was_well = judgement.is_ok();
        judgement
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("judgement", &self.judgement()).finish()
    }
}

async fn run(mut watcher: Watcher, every: Duration, publish: watch::Sender<Result<(), Unwell>>) {
    let mut ticks = tokio::time::interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_well = true;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = publish.closed() => return,
        }
        let judgement = watcher.look();
        // Whoever hears of a change finds the new judgement.
        publish.send_modify(|it| it.clone_from(&judgement));
        let is_well = judgement.is_ok();
        match (judgement, was_well) {
            (Err(Unwell { reasons }), true) => watcher.announce(Event::Unwell { reasons }),
            (Ok(()), false) => watcher.announce(Event::Well),
            (Ok(()), true) | (Err(_), false) => {}
        }
        was_well = is_well;
    }
}

/// Who looks.
struct Watcher {
    fanfare: Fanfare,
    tolerance: Tolerance,
    #[cfg(feature = "metrics")]
    gauges: Gauges,
}

impl Watcher {
    fn new(fanfare: Fanfare, tolerance: Tolerance) -> Self {
        Self {
            fanfare,
            tolerance,
            #[cfg(feature = "metrics")]
            gauges: Gauges::default(),
        }
    }

    fn look(&mut self) -> Result<(), Unwell> {
        let health = self.fanfare.health();
        let judgement = health.check(self.tolerance);
        #[cfg(feature = "metrics")]
        self.gauges.set(&health, judgement.is_ok());
        judgement
    }

    fn announce(&self, event: Event) {
        self.fanfare.link().announce(event);
    }
}
