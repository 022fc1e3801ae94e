//! A loop that hands every message to a function and survives whatever the function does.

use std::{
    any::Any,
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

use fanfare_client::{Error, Message, Subscription, SubscriptionStats};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::{sync::watch, task::JoinHandle};

use crate::handle::{BoxError, Outcome, panic_text};

/// The counts of a [`Handler`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HandlerStats {
    /// Messages that were handled well.
    pub handled: u64,
    /// Messages whose handler returned an error.
    pub failed: u64,
    /// Messages whose handler panicked.
    pub panicked: u64,
    /// What the last failure or panic said.
    pub last_failure: Option<String>,
    /// The subscription's own counts, as of the last message or the end.
    pub subscription: SubscriptionStats,
}

impl HandlerStats {
    /// Messages whose handling has ended, for better or worse.
    pub fn finished(&self) -> u64 {
        self.handled + self.failed + self.panicked
    }
}

/// A running handler. Stops when dropped: what is being handled is finished, what is queued is not
/// begun.
#[must_use = "the handler stops when this is dropped"]
pub struct Handler {
    /// Dropping it stops the loop; `true`: after what has arrived is handled.
    stop: watch::Sender<bool>,
    stats: watch::Receiver<HandlerStats>,
    task: JoinHandle<()>,
    error: Arc<Mutex<Option<Error>>>,
}

impl Handler {
    pub(crate) fn spawn<F, Fut>(subscription: Subscription, concurrency: usize, handler: F) -> Self
    where
        F: Fn(Message) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        let (publish_stats, stats) = watch::channel(HandlerStats::default());
        let error = Arc::new(Mutex::new(None));
        let task = tokio::spawn({
            let error = error.clone();
            async move {
                let subscription =
                    run(subscription, concurrency, handler, stopped, publish_stats).await;
                *error.lock().unwrap_or_else(PoisonError::into_inner) = subscription.error();
            }
        });
        Self { stop, stats, task, error }
    }

    /// The counts so far.
    pub fn stats(&self) -> HandlerStats {
        self.stats.borrow().clone()
    }

    /// Waits until at least `n` messages are [finished](HandlerStats::finished), or the subscription
    /// has ended, and returns the counts.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn wait_finished(&self, n: u64) -> HandlerStats {
        let mut stats = self.stats.clone();
        match stats.wait_for(|stats| n <= stats.finished()).await {
            Ok(stats) => stats.clone(),
            Err(_) => self.stats(),
        }
    }

    /// Whether the loop has ended, and why: [`ErrorKind::SlowConsumer`] or [`ErrorKind::Closed`].
    ///
    /// [`ErrorKind::SlowConsumer`]: crate::ErrorKind::SlowConsumer
    /// [`ErrorKind::Closed`]: crate::ErrorKind::Closed
    pub fn error(&self) -> Option<Error> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Unsubscribes, waits for what is being handled, and returns the final counts. What is queued
    /// is not begun.
    ///
    /// # Cancel safety
    /// Dropping the future is like dropping the handler.
    pub async fn stop(self) -> HandlerStats {
        self.end(false).await
    }

    /// Unsubscribes after everything that has arrived is handled, and returns the final counts.
    ///
    /// # Cancel safety
    /// Dropping the future keeps nothing of that from being handled.
    pub async fn finish(self) -> HandlerStats {
        self.end(true).await
    }

    async fn end(self, must_finish: bool) -> HandlerStats {
        let Self { stop, stats, task, .. } = self;
        stop.send_replace(must_finish);
        drop(stop);
        // It ends by itself, and its panics are caught.
        let _ = task.await;
        stats.borrow().clone()
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

async fn run<F, Fut>(
    mut subscription: Subscription,
    concurrency: usize,
    handler: F,
    mut stopped: watch::Receiver<bool>,
    stats: watch::Sender<HandlerStats>,
) -> Subscription
where
    F: Fn(Message) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    // The call itself may panic too, so it happens inside of what is caught.
    let handler = &handler;
    let handle =
        |message| AssertUnwindSafe(async move { handler(message).await.failure() }).catch_unwind();
    let mut running = FuturesUnordered::new();
    // How many more are begun; `None`: all that come.
    let mut n_left = None;
    while n_left != Some(0) || !running.is_empty() {
        let has_place = running.len() < concurrency && n_left != Some(0);
        tokio::select! {
            message = subscription.next(), if has_place => match message {
                Some(message) => {
                    running.push(handle(message));
                    n_left = n_left.map(|n: usize| n - 1);
                }
                None => n_left = Some(0),
            },
            Some(outcome) = running.next(), if !running.is_empty() => {
                stats.send_modify(|stats| count(stats, outcome, &subscription));
            }
            // An error is its sender's end.
            _ = stopped.changed(), if n_left.is_none() => {
                let must_finish = *stopped.borrow();
                n_left = Some(if must_finish { subscription.stats().queued_messages } else { 0 });
            }
        }
    }
    stats.send_modify(|stats| stats.subscription = subscription.stats());
    drop(running);
    subscription
}

fn count(
    stats: &mut HandlerStats,
    outcome: Result<Option<BoxError>, Box<dyn Any + Send>>,
    subscription: &Subscription,
) {
    match outcome {
        Ok(None) => stats.handled += 1,
        Ok(Some(failure)) => {
            tracing::warn!(%failure, "a handler failed");
            stats.failed += 1;
            stats.last_failure = Some(failure.to_string());
        }
        Err(panic) => {
            let text = panic_text(&*panic);
            tracing::error!(panic = %text, "a handler panicked");
            stats.panicked += 1;
            stats.last_failure = Some(text);
        }
    }
    stats.subscription = subscription.stats();
}
