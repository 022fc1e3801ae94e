//! The list of wake-ups: one token for whoever looks first.
//!
//! Nothing hangs on a token: whoever waits looks by itself when something is due, and every second. A token
//! that reaches one who does not want it any more is passed on.

use std::time::Duration;

use bytes::Bytes;
use fanfare_client::{Dedicated, Error, Pipeline};
use tokio::{sync::oneshot, time::Instant};

use super::{TaskQueue, take::WAIT};
use crate::commands::Lists;

/// Waits for a token for at most so long; whether there was one. It does so in a task of its own, so that
/// neither the connection nor a token is lost if this is dropped.
pub(crate) struct Listening(oneshot::Receiver<Result<bool, Error>>);

impl Listening {
    /// On one of the connections that all share.
    pub(crate) fn start(queue: &TaskQueue, wait: Duration) -> Self {
        let client = queue.client.clone();
        let key = queue.place.key("wake");
        Self::of(queue, async move {
            let heard = client.blpop::<Bytes>([key], wait).await;
            heard.map(|token| token.is_some())
        })
    }

    /// On a connection of one's own. `wake` is the list's name on the server.
    pub(crate) fn start_on(queue: &TaskQueue, connection: &Dedicated, wake: &Bytes) -> Self {
        let wait = WAIT.min(connection.block_max());
        let (connection, wake) = (connection.clone(), wake.clone());
        Self::of(queue, async move {
            let seconds = format!("{:.3}", wait.as_secs_f64());
            let mut pipeline = Pipeline::new();
            pipeline.push([&b"BLPOP"[..], &wake, seconds.as_bytes()]);
            let until = Instant::now() + wait;
            let answer = async { connection.send(pipeline, wait).await?.one().await };
            let heard = answer.await.map(|it| !it.is_null());
            if heard.is_err() {
                // It is not tried again at once.
                tokio::time::sleep_until(until).await;
            }
            heard
        })
    }

    fn of(
        queue: &TaskQueue,
        listening: impl Future<Output = Result<bool, Error>> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = oneshot::channel();
        let queue = queue.clone();
        tokio::spawn(async move {
            let heard = listening.await;
            let has_token = matches!(heard, Ok(true));
            if sender.send(heard).is_err() && has_token {
                pass_on(&queue).await;
            }
        });
        Self(receiver)
    }

    /// Waits until there was a token (`true`), or it is over. Not to be asked again then.
    pub(crate) async fn heard(&mut self) -> Result<bool, Error> {
        // Without an answer the runtime has ended.
        (&mut self.0).await.unwrap_or(Ok(false))
    }
}

/// Lets another one have a token.
pub(crate) async fn pass_on(queue: &TaskQueue) {
    if let Err(error) = queue.client.rpush(queue.place.key("wake"), ["1"]).await {
        tracing::debug!(%error, "a wake-up is not passed on");
    }
}
