//! Connections that are one caller's for a while: for commands that block, and for what belongs to a
//! connection, such as `WATCH`.
//!
//! They are made when they are wanted, at most so many at a time, and kept for the next one. A
//! connection about which anything is in doubt is closed instead.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    Address, Error, ErrorKind, Pipeline, Role, WhileDown,
    connection::{
        core::Replies,
        dial::Dialer,
        driver::{Connection, Status, now, until},
    },
    topology::{
        cluster::{Wanted, slots::slot},
        connections::Wiring,
        locator::Locator,
    },
};

/// An idle connection that is older than this is not trusted: firewalls forget such ones.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// The connections of one link that are dedicated, or were.
pub(crate) struct Pool {
    n_max: usize,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection<()>,
    to: Option<Address>,
    since: Instant,
}

/// A connection, and its place among those that there may be.
pub(crate) struct Lease {
    connection: Connection<()>,
    /// Which node of a cluster it goes to.
    to: Option<Address>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(n_max: usize) -> Self {
        Self { n_max, permits: Arc::new(Semaphore::new(n_max)), idle: Mutex::default() }
    }

    /// A connection to whoever serves `key`; without one, to any server.
    ///
    /// # Errors
    /// None was free, or none could be made, until `deadline`.
    pub(crate) async fn take(
        &self,
        wiring: &Wiring,
        locator: &Locator,
        key: Option<&[u8]>,
        deadline: Instant,
    ) -> Result<Lease, Error> {
        let wanted = key.map_or(Wanted::Any, |key| Wanted::Slot(slot(key)));
        self.take_at(wiring, locator, wanted, deadline).await
    }

    /// The same, to a node of a cluster.
    pub(crate) async fn take_at(
        &self,
        wiring: &Wiring,
        locator: &Locator,
        wanted: Wanted,
        deadline: Instant,
    ) -> Result<Lease, Error> {
        let permit = match until(deadline, self.permits.clone().acquire_owned()).await {
            Some(permit) => permit.map_err(|_| Error::closed())?,
            None => {
                return Err(Error::new(
                    ErrorKind::Overloaded,
                    format!(
                        "all {} dedicated connections were in use until the deadline: raise \
                         max_connections, or block and watch less at the same time",
                        self.n_max
                    ),
                ));
            }
        };
        let (mut n_failed, mut last) = (0, None);
        loop {
            let attempt = self.find_or_dial(wiring, locator, &wanted, deadline);
            match until(deadline, attempt).await {
                Some(Ok((connection, to))) => {
                    return Ok(Lease { connection, to, _permit: permit });
                }
                Some(Err(error)) if !error.is_retryable() => return Err(error),
                Some(Err(error)) => last = Some(error),
                None => return Err(not_connected(wiring, last)),
            }
            n_failed += 1;
            let pause = wiring.options.backoff.delay(n_failed, rand::random());
            if wiring.options.while_down == WhileDown::FailFast || deadline <= now() + pause {
                return Err(not_connected(wiring, last));
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn find_or_dial(
        &self,
        wiring: &Wiring,
        locator: &Locator,
        wanted: &Wanted,
        deadline: Instant,
    ) -> Result<(Connection<()>, Option<Address>), Error> {
        let (locator, to) = match locator {
            Locator::Fixed(_) | Locator::Sentinel(_) => (locator.clone(), None),
            Locator::Cluster(cluster, _) => {
                let to = cluster.locate(wanted, deadline.into()).await?;
                (Locator::Cluster(cluster.clone(), Wanted::Node(to.clone())), Some(to))
            }
        };
        while let Some(mut connection) = self.pop(to.as_ref()) {
            if is_quiet(&mut connection).await {
                return Ok((connection, to));
            }
        }
        let dialer = Dialer {
            role: Role::Commands,
            status: Arc::new(Status::new()),
            locator,
            options: wiring.options.clone(),
            connector: wiring.connector.clone(),
        };
        Ok((dialer.establish().await?, to))
    }

    fn pop(&self, to: Option<&Address>) -> Option<Connection<()>> {
        let mut idle = self.lock();
        idle.retain(|it| it.since.elapsed() < IDLE_MAX);
        let at = idle.iter().rposition(|it| it.to.as_ref() == to)?;
        Some(idle.remove(at).connection)
    }

    /// Keeps a connection in which nothing is under way, and which is as it was.
    pub(crate) fn keep(&self, lease: Lease) {
        let Lease { connection, to, _permit } = lease;
        let mut idle = self.lock();
        idle.retain(|it| it.since.elapsed() < IDLE_MAX);
        if self.n_max <= idle.len() {
            // The oldest: it may go to a node that nobody asks any more.
            idle.remove(0);
        }
        idle.push(Idle { connection, to, since: now() });
    }

    /// Closes those that nobody uses, and gives out no more.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Sends commands and waits for their answers.
    pub(crate) async fn exchange(
        &mut self,
        pipeline: Pipeline,
        deadline: Instant,
    ) -> Result<Replies, Error> {
        self.connection.exchange(pipeline, deadline).await.map_err(Error::sent)
    }
}

/// Whether the connection is there and says nothing.
async fn is_quiet(connection: &mut Connection<()>) -> bool {
    // The runtime looks at its sockets only between tasks.
    tokio::task::yield_now().await;
    poll_fn(|cx| Poll::Ready(pin!(connection.turn(true)).poll(cx).is_pending())).await
}

fn not_connected(wiring: &Wiring, last: Option<Error>) -> Error {
    let message = format!("no connection to {}", wiring.options.url.topology);
    let error = Error::new(ErrorKind::NotConnected, message);
    match last {
        Some(source) => error.with_source(source),
        None => error,
    }
}
