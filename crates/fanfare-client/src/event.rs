//! What happens to a link, told to whoever listens.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::{Stream, stream::BoxStream};
use tokio::sync::broadcast;

use crate::Error;

/// Which of a link's connections an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The connection that all commands share.
    Commands,
    /// The connection that subscriptions share, or one subscription's own.
    Subscriptions,
    /// One tail's own.
    Streams,
    /// A worker's own, or another [`Dedicated`](crate::Dedicated) one.
    Workers,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commands => "command connection",
            Self::Subscriptions => "subscription connection",
            Self::Streams => "stream connection",
            Self::Workers => "worker connection",
        })
    }
}

/// Something that happened to a link.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A connection is usable. Subscriptions have been restored before this is reported.
    Up {
        /// The connection.
        role: Role,
    },
    /// A connection was lost. The link reconnects by itself, for ever.
    Down {
        /// The connection.
        role: Role,
        /// Why.
        error: Error,
    },
    /// An attempt to connect again failed.
    ConnectFailed {
        /// The connection.
        role: Role,
        /// Failed attempts in a row.
        n_failed: u32,
        /// Why.
        error: Error,
        /// The next attempt comes after this delay.
        retry_in: Duration,
    },
    /// The subscriptions of a connection are back after it was lost.
    Resubscribed {
        /// When the lost connection last delivered anything.
        since: SystemTime,
        /// How long after that the subscriptions were confirmed again.
        gap: Duration,
        /// Whether messages may have been published meanwhile that nobody here got.
        may_have_lost: bool,
    },
    /// The server refused to restore a channel. The link asks again every few seconds, and does
    /// not wait with `Up` for it. Told once, until it is confirmed or the connection lost.
    Refused {
        /// Channel or pattern, without the namespace.
        channel: Bytes,
        /// The server's answer.
        error: Error,
    },
    /// A full queue made a subscription lose messages. Reported at most once a second for each
    /// subscription, with all that was lost since the last report.
    Dropped {
        /// The subscription, as [`Subscription::id`](crate::Subscription::id) names it.
        subscription: u64,
        /// How many messages.
        n: u64,
    },
    /// What lives on the link does not do well any more. Told by a monitor of its health.
    Unwell {
        /// What is wrong, each in a sentence.
        reasons: Vec<String>,
    },
    /// What lives on the link does well again.
    Well,
    /// This listener was too slow and missed events.
    Missed {
        /// How many events.
        n: u64,
    },
}

/// A stream of [`Event`]s, from the moment it was asked for. It ends with the link.
///
/// It holds at most 1,024 events; a listener that falls behind gets [`Event::Missed`].
pub struct Events {
    stream: BoxStream<'static, Event>,
}

impl Events {
    /// The next event, or `None` when the link is closed.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        futures_util::StreamExt::next(&mut self.stream).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.stream.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// The sending side: every listener gets every event.
#[derive(Clone, Debug)]
pub(crate) struct Announcer(broadcast::Sender<Event>);

impl Announcer {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(1024).0)
    }

    pub(crate) fn announce(&self, event: Event) {
        match &event {
            Event::Up { role } => tracing::info!(%role, "up"),
            Event::Down { role, error } => tracing::warn!(%role, %error, "down"),
            Event::ConnectFailed { role, n_failed, error, retry_in } => {
                tracing::warn!(%role, n_failed, %error, ?retry_in, "could not connect");
            }
            Event::Resubscribed { gap, may_have_lost, .. } => {
                tracing::warn!(?gap, may_have_lost, "resubscribed");
            }
            Event::Refused { channel, error } => {
                tracing::warn!(?channel, %error, "subscription refused");
            }
            Event::Dropped { subscription, n } => {
                tracing::warn!(subscription, n, "messages dropped");
            }
            Event::Unwell { reasons } => tracing::warn!(?reasons, "unwell"),
            Event::Well => tracing::info!("well"),
            Event::Missed { .. } => {}
        }
        // No listener is no error.
        let _ = self.0.send(event);
    }

    pub(crate) fn listen(&self) -> Events {
        let receiver = self.0.subscribe();
        let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
            match receiver.recv().await {
                Ok(event) => Some((event, receiver)),
                Err(broadcast::error::RecvError::Lagged(n)) => {
                    Some((Event::Missed { n }, receiver))
                }
                Err(broadcast::error::RecvError::Closed) => None,
            }
        });
        Events { stream: Box::pin(stream) }
    }
}
