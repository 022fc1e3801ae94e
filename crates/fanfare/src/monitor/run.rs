//! The task that looks again and again.

use std::{fmt, sync::Arc, time::Duration};

use fanfare_client::Error;
use futures_util::{Stream, stream};
use tokio::{
    sync::{broadcast, watch},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior},
};

use super::{
    Notice, Rule, Severity, Snapshot,
    courier::{Courier, Losses, Route},
    judge::Judge,
    look::Looker,
    options::Scope,
};
use crate::Fanfare;

/// Notices that a listener may be behind.
const NOTICES_MAX: usize = 1_024;

/// Looks at a broker until it is dropped. Made by
/// [`BrokerMonitor::start`](super::BrokerMonitor::start).
///
/// # Example: told of what is wrong
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::monitor::{Metric, Notice, Rule, Severity};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let monitor = fanfare
///     .broker_monitor()
///     .every(Duration::from_millis(100))
///     .streams(["watched orders"])
///     .rule(Rule::new(Metric::Length, Severity::Warning, 2.0))
///     .start()?;
/// let mut notices = monitor.notices();
/// let orders = fanfare.stream("watched orders");
/// orders.add_batch((0..3).map(|n| [("n", n.to_string())])).await;
/// if let Some(Notice::Raised(alert)) = notices.next().await {
///     assert_eq!(alert.text, "watched orders: length 3, more than 2");
/// }
/// # Ok(()) }
/// ```
#[must_use = "it ends when this is dropped"]
pub struct RunningMonitor {
    snapshot: watch::Receiver<Option<Arc<Snapshot>>>,
    notices: broadcast::Sender<Notice>,
    task: JoinHandle<()>,
}

/// Alerts that come and go, from the moment this was asked for. It ends with the monitor.
///
/// It holds at most 1,024; a listener that falls behind gets [`Notice::Missed`].
pub struct Notices(stream::BoxStream<'static, Notice>);

pub(super) fn start(
    fanfare: Fanfare,
    every: Duration,
    scope: Scope,
    rules: Vec<Rule>,
    routes: Vec<Route>,
) -> Result<RunningMonitor, Error> {
    let losses = Arc::new(Losses::default());
    let couriers = routes.into_iter().map(|it| Courier::start(it, &fanfare, losses.clone()));
    let couriers = couriers.collect::<Result<Vec<_>, _>>()?;
    let (publish, snapshot) = watch::channel(None);
    let notices = broadcast::channel(NOTICES_MAX).0;
    let looker = Looker::new(fanfare, scope);
    let running = Running {
        looker,
        judge: Judge::new(rules),
        couriers,
        losses,
        notices: notices.clone(),
        #[cfg(feature = "metrics")]
        gauges: super::gauges::Gauges::default(),
    };
    let task = tokio::spawn(running.run(every, publish));
    Ok(RunningMonitor { snapshot, notices, task })
}

struct Running {
    looker: Looker,
    judge: Judge,
    couriers: Vec<Courier>,
    losses: Arc<Losses>,
    notices: broadcast::Sender<Notice>,
    #[cfg(feature = "metrics")]
    gauges: super::gauges::Gauges,
}

impl Running {
    async fn run(mut self, every: Duration, publish: watch::Sender<Option<Arc<Snapshot>>>) {
        let mut ticks = tokio::time::interval(every.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let mut snapshot = self.looker.look().await;
            let notices = self.judge.judge(Instant::now(), &mut snapshot);
            for notice in &notices {
                log(notice);
                for courier in &self.couriers {
                    courier.send(notice);
                }
            }
            (snapshot.alerts_lost, snapshot.alerts_lost_reason) = self.losses.so_far();
            #[cfg(feature = "metrics")]
            self.gauges.set(&snapshot);
            publish.send_replace(Some(Arc::new(snapshot)));
            for notice in notices {
                // No listener is no error.
                let _ = self.notices.send(notice);
            }
        }
    }
}

fn log(notice: &Notice) {
    match notice {
        Notice::Raised(it) if it.severity == Severity::Critical => {
            tracing::error!(id = it.id, cure = it.cure, "alert: {}", it.text);
        }
        Notice::Raised(it) => tracing::warn!(id = it.id, cure = it.cure, "alert: {}", it.text),
        Notice::Resolved(it) => tracing::info!(id = it.id, "alert resolved: {}", it.text),
        Notice::Missed { .. } => {}
    }
}

impl RunningMonitor {
    /// What the last look found; `None` before the first.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.borrow().clone()
    }

    /// What the last look found, in the text that Prometheus reads: see [`Snapshot::prometheus`]. Channels, streams and
    /// the like that are gone are not in it any more, as many as there were. `None` before the first look.
    ///
    /// # Example: what a program answers to `GET /metrics`
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// # let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let mut monitor = fanfare.broker_monitor().start()?;
    /// monitor.next().await;
    /// let body = monitor.prometheus().unwrap_or_default();
    /// assert!(body.contains("\nfanfare_broker_up{node="));
    /// # Ok(()) }
    /// ```
    pub fn prometheus(&self) -> Option<String> {
        self.snapshot().map(|it| it.prometheus())
    }

    /// Waits for the next look, or for the first one, and returns what it found; `None` if the
    /// monitor has ended, which it does only with its runtime.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing but the time of waiting.
    pub async fn next(&mut self) -> Option<Arc<Snapshot>> {
        self.snapshot.changed().await.ok()?;
        self.snapshot.borrow_and_update().clone()
    }

    /// Alerts that are raised and resolved, from now on.
    pub fn notices(&self) -> Notices {
        let receiver = self.notices.subscribe();
        Notices(Box::pin(stream::unfold(receiver, |mut receiver| async move {
            match receiver.recv().await {
                Ok(notice) => Some((notice, receiver)),
                Err(broadcast::error::RecvError::Lagged(n)) => {
                    Some((Notice::Missed { n }, receiver))
                }
                Err(broadcast::error::RecvError::Closed) => None,
            }
        })))
    }
}

impl Drop for RunningMonitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for RunningMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningMonitor").finish_non_exhaustive()
    }
}

impl Notices {
    /// The next one; `None` when the monitor has ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Notice> {
        futures_util::StreamExt::next(&mut self.0).await
    }
}

impl Stream for Notices {
    type Item = Notice;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Notice>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").finish_non_exhaustive()
    }
}
