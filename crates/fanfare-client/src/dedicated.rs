//! A connection of somebody's own: for blocking commands and transactions.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::{
    Answers, ConnectionStats, Error, ErrorKind, Link, Pipeline,
    connection::{
        commands::{Call, Caller},
        core::Request,
        driver::{Status, now, until},
        tail,
    },
    topology::health::Health,
};

/// A connection of its own to the server of one key. Made by [`Link::dedicated`].
///
/// Nobody else's commands run on it, so it may block and hold transactions: what is sent in one
/// [`Pipeline`] stays together. It comes back by itself like all connections of a link, follows the
/// sentinels' master, and in a cluster the key's slot; where a command that was sent is lost or
/// refused meanwhile, that is an error, and it is up to the caller to ask again. Dropping the value
/// closes the connection.
///
/// Cheap to clone; all clones share the connection.
#[derive(Clone)]
pub struct Dedicated {
    link: Link,
    calls: mpsc::Sender<Call>,
    /// One is one request without an answer.
    permits: Arc<Semaphore>,
    status: Arc<Status>,
}

/// Requests that may wait for their answers; beyond them, those who ask wait.
const UNANSWERED_MAX: usize = 256;

impl Dedicated {
    pub(crate) fn new(link: Link, calls: mpsc::Sender<Call>, status: Arc<Status>) -> Self {
        Self { link, calls, permits: Arc::new(Semaphore::new(UNANSWERED_MAX)), status }
    }

    /// How long a command may block on a connection of this link: at most 5 s, and less if the
    /// heartbeat would take the server for hung before it answers.
    pub fn block_max(&self) -> Duration {
        tail::block(self.link.options())
    }

    /// Hands commands to the connection, and returns what to wait for. The server has the request
    /// timeout, and `block` on top, to answer. While there is no connection it happens as
    /// [`Options::while_down`](crate::Options::while_down) says. Waits itself only while 256 requests
    /// have no answer.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`], and [`ErrorKind::Overloaded`] if so many have no answer until the
    /// deadline; nothing was sent.
    ///
    /// # Cancel safety
    /// Nothing is sent if the future is dropped before it is ready.
    pub async fn send(&self, pipeline: Pipeline, block: Duration) -> Result<Answers, Error> {
        let n_commands = pipeline.len();
        let deadline: Instant = now() + self.link.options().request_timeout + block;
        let permit = match until(deadline, self.permits.clone().acquire_owned()).await {
            Some(permit) => permit.map_err(|_| Error::closed())?,
            None => {
                return Err(Error::new(
                    ErrorKind::Overloaded,
                    format!(
                        "{UNANSWERED_MAX} requests without an answer filled the connection until \
                         the deadline: wait for answers before you send more"
                    ),
                ));
            }
        };
        let bytes = Bytes::from(pipeline.into_bytes());
        let (reply, replies) = oneshot::channel();
        let token = Caller { reply, _permit: Some(permit) };
        let request = Request { bytes, n_commands, deadline, token };
        self.calls.send(request).await.map_err(|_| Error::closed())?;
        Ok(Answers::direct(n_commands, replies))
    }

    /// How the connection is.
    pub fn stats(&self) -> ConnectionStats {
        ConnectionStats::from(&Health::of(self.status.clone()))
    }
}

impl fmt::Debug for Dedicated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedicated").field("link", &self.link).finish_non_exhaustive()
    }
}
