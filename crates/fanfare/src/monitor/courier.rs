//! Brings notices to where they were asked for: a bounded queue, and some patience.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use fanfare_client::{Backoff, Error};
use tokio::{sync::mpsc, task::JoinHandle};

use super::Notice;
use crate::Fanfare;

/// Notices that may wait.
const QUEUE_MAX: usize = 256;

/// How often each is tried.
const ATTEMPTS_MAX: u32 = 6;

/// Pauses between attempts, about a minute in all.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), cap: Duration::from_secs(30) };

/// Where notices go.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// A channel of the broker that is watched.
    Channel(Bytes),
    /// A URL.
    #[cfg(feature = "webhook")]
    Webhook(super::Webhook),
}

/// Why a notice was not delivered.
pub(super) struct Undelivered {
    pub(super) reason: String,
    /// Whether another attempt can help.
    pub(super) is_retryable: bool,
}

/// Who carries it there.
enum Carrier {
    Channel(Fanfare, Bytes),
    #[cfg(feature = "webhook")]
    Webhook(super::webhook::Poster),
}

/// Brings notices to one place, in their order, until it is dropped.
pub(super) struct Courier {
    queue: mpsc::Sender<Bytes>,
    losses: Arc<Losses>,
    task: JoinHandle<()>,
}

/// How many notices all couriers of a monitor have lost, and why the last one.
#[derive(Default)]
pub(super) struct Losses(Mutex<(u64, Option<String>)>);

impl Losses {
    pub(super) fn so_far(&self) -> (u64, Option<String>) {
        self.lock().clone()
    }

    fn add(&self, reason: String) {
        let mut lost = self.lock();
        *lost = (lost.0 + 1, Some(reason));
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Option<String>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Route {
    pub(super) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Channel(_) => Ok(()),
            #[cfg(feature = "webhook")]
            Self::Webhook(webhook) => webhook.open().map(drop),
        }
    }
}

impl Courier {
    pub(super) fn start(
        route: Route,
        fanfare: &Fanfare,
        losses: Arc<Losses>,
    ) -> Result<Self, Error> {
        let carrier = match route {
            Route::Channel(channel) => Carrier::Channel(fanfare.clone(), channel),
            #[cfg(feature = "webhook")]
            Route::Webhook(webhook) => Carrier::Webhook(webhook.open()?),
        };
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let task = tokio::spawn(carry(carrier, waiting, losses.clone()));
        Ok(Self { queue, losses, task })
    }

    /// Queues a notice. What does not fit is lost, and counted.
    pub(super) fn send(&self, notice: &Notice) {
        let sent =
            serde_json::to_vec(notice).is_ok_and(|it| self.queue.try_send(it.into()).is_ok());
        if !sent {
            let reason = format!("{QUEUE_MAX} wait to be delivered already");
            tracing::warn!(reason, "an alert was lost");
            self.losses.add(reason);
        }
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(carrier: Carrier, mut waiting: mpsc::Receiver<Bytes>, losses: Arc<Losses>) {
    while let Some(notice) = waiting.recv().await {
        if let Err(undelivered) = persist(|| carrier.deliver(notice.clone())).await {
            tracing::warn!(reason = undelivered.reason, "an alert could not be delivered");
            losses.add(undelivered.reason);
        }
    }
}

/// Tries until it is done, or no attempt is left.
async fn persist<F>(mut attempt: impl FnMut() -> F) -> Result<(), Undelivered>
where
    F: Future<Output = Result<(), Undelivered>>,
{
    let mut n_failed = 0;
    loop {
        match attempt().await {
            Ok(()) => return Ok(()),
            Err(undelivered) => {
                n_failed += 1;
                if !undelivered.is_retryable || ATTEMPTS_MAX <= n_failed {
                    return Err(undelivered);
                }
                tokio::time::sleep(BACKOFF.delay(n_failed, rand::random())).await;
            }
        }
    }
}

impl Carrier {
    async fn deliver(&self, notice: Bytes) -> Result<(), Undelivered> {
        match self {
            Self::Channel(fanfare, channel) => {
                let published = fanfare.publish(channel, notice).await;
                published.map(drop).map_err(|error| Undelivered {
                    reason: error.to_string(),
                    is_retryable: error.is_retryable(),
                })
            }
            #[cfg(feature = "webhook")]
            Self::Webhook(webhook) => webhook.post(notice).await,
        }
    }
}

/// A URL may hold a secret.
impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Channel(_) => "Channel",
            #[cfg(feature = "webhook")]
            Self::Webhook(_) => "Webhook",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    async fn attempts(n_failing: u32, is_retryable: bool) -> (bool, u32) {
        let n = Cell::new(0);
        let done = persist(|| {
            n.set(n.get() + 1);
            let fails = n.get() <= n_failing;
            async move {
                let reason = "no".to_owned();
                if fails { Err(Undelivered { reason, is_retryable }) } else { Ok(()) }
            }
        })
        .await;
        (done.is_ok(), n.get())
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_tried_again_and_not_for_ever() {
        assert_eq!(attempts(0, true).await, (true, 1));
        assert_eq!(attempts(3, true).await, (true, 4));
        assert_eq!(attempts(99, true).await, (false, ATTEMPTS_MAX));
        assert_eq!(attempts(99, false).await, (false, 1));
    }
}
