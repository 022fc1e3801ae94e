//! A monitor of a broker, and a doctor.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{Fanfare, runtime};
use crate::{
    Error,
    doctor::{Diagnosis, Doctor},
    monitor::{BrokerMonitor, Notice, Snapshot},
};

impl Fanfare {
    /// Looks at the broker at regular intervals: what and how often, `describe` says. The twin of
    /// [`BrokerMonitor::start`].
    ///
    /// # Errors
    /// As [`BrokerMonitor::start`].
    ///
    /// # Panics
    /// On a thread that drives a runtime.
    ///
    /// # Example: how many clients are there?
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use std::time::Duration;
    ///
    /// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
    /// let mut monitor = fanfare.broker_monitor(|it| it.every(Duration::from_secs(1)))?;
    /// let snapshot = monitor.next().expect("the first look comes at once");
    /// assert!(snapshot.nodes[0].clients.is_some());
    /// # Ok::<_, fanfare::Error>(())
    /// ```
    pub fn broker_monitor(
        &self,
        describe: impl FnOnce(BrokerMonitor) -> BrokerMonitor,
    ) -> Result<RunningMonitor, Error> {
        let inner = runtime::wait(async { describe(self.inner.broker_monitor()).start() })?;
        Ok(RunningMonitor { inner })
    }

    /// Looks at the broker once, or again after `over`, so that there are rates. The twin of
    /// [`BrokerMonitor::look`].
    ///
    /// # Errors
    /// As [`BrokerMonitor::look`].
    ///
    /// # Panics
    /// On a thread that drives a runtime.
    pub fn look_at_broker(
        &self,
        describe: impl FnOnce(BrokerMonitor) -> BrokerMonitor,
        over: Duration,
    ) -> Result<Snapshot, Error> {
        runtime::wait(describe(self.inner.broker_monitor()).look(over))
    }
}

/// Looks for what is wrong with a broker. The twin of [`Doctor::examine`].
///
/// # Errors
/// As [`Doctor::examine`].
///
/// # Panics
/// On a thread that drives a runtime.
pub fn examine(doctor: Doctor) -> Result<Diagnosis, Error> {
    runtime::wait(doctor.examine())
}

/// The twin of [`monitor::RunningMonitor`](crate::monitor::RunningMonitor). Dropping it ends it.
#[derive(Debug)]
#[must_use = "it ends when this is dropped"]
pub struct RunningMonitor {
    inner: crate::monitor::RunningMonitor,
}

impl RunningMonitor {
    /// What the last look found; `None` before the first.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.inner.snapshot()
    }

    /// What the last look found, in the text that Prometheus reads. The twin of
    /// [`RunningMonitor::prometheus`](crate::monitor::RunningMonitor::prometheus).
    pub fn prometheus(&self) -> Option<String> {
        self.inner.prometheus()
    }

    /// Waits for the next look, or for the first one, and returns what it found.
    #[expect(
        clippy::should_implement_trait,
        reason = "it is no iterator: looks that nobody waits for are skipped"
    )]
    pub fn next(&mut self) -> Option<Arc<Snapshot>> {
        runtime::wait(self.inner.next())
    }

    /// Alerts that are raised and resolved, from now on.
    pub fn notices(&self) -> Notices {
        Notices { inner: self.inner.notices() }
    }
}

/// The twin of [`monitor::Notices`](crate::monitor::Notices): an iterator that waits for the next
/// one, and ends with the monitor.
#[derive(Debug)]
pub struct Notices {
    inner: crate::monitor::Notices,
}

impl Notices {
    /// The next one, if it comes within `limit`. `None`: none came, or this is the end.
    pub fn next_within(&mut self, limit: Duration) -> Option<Notice> {
        runtime::wait(async { timeout(limit, self.inner.next()).await }).ok().flatten()
    }
}

impl Iterator for Notices {
    type Item = Notice;

    fn next(&mut self) -> Option<Notice> {
        runtime::wait(self.inner.next())
    }
}
