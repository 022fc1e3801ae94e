//! A connection of one's own, for as long as it is needed.

use std::{fmt, time::Duration};

use fanfare_resp::Value;

use crate::{
    Address, Error, ErrorKind, Link, Pipeline,
    connection::driver::now,
    topology::{cluster::Wanted, locator::Locator, pool::Lease},
};

/// A connection that is one caller's: for commands that block and for `WATCH`. Made by
/// [`Link::borrow_for`].
///
/// It is given back by [`give_back`](Self::give_back), by whoever has left it as it was found;
/// dropping it closes it.
pub struct Borrowed {
    link: Link,
    lease: Option<Lease>,
}

/// The first pause before something is sent to another node of a cluster.
const PAUSE_FIRST: Duration = Duration::from_millis(10);

/// The longest.
const PAUSE_MAX: Duration = Duration::from_millis(500);

impl Link {
    /// A connection of one's own to whoever serves `key` (`None`: to any server), within `timeout`.
    ///
    /// # Errors
    /// [`ErrorKind::Overloaded`] if all that there may be are in use;
    /// [`ErrorKind::NotConnected`] and whatever else keeps it from connecting.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the place.
    pub async fn borrow_for(
        &self,
        key: Option<&[u8]>,
        timeout: Duration,
    ) -> Result<Borrowed, Error> {
        let connections = &self.inner.connections;
        let deadline = now() + timeout;
        let lease =
            connections.pool.take(&connections.wiring, &connections.locator, key, deadline).await?;
        Ok(Borrowed { link: self.clone(), lease: Some(lease) })
    }

    /// The masters of a cluster, as of now; none if this is not one.
    ///
    /// # Errors
    /// No node could tell.
    pub async fn masters(&self) -> Result<Vec<Address>, Error> {
        let Locator::Cluster(cluster, _) = &self.inner.connections.locator else {
            return Ok(Vec::new());
        };
        if cluster.map().masters().is_empty() {
            cluster.refresh((now() + self.options().request_timeout).into()).await?;
        }
        Ok(cluster.map().masters().to_vec())
    }

    /// As [`borrow_for`](Self::borrow_for), to this node of a cluster.
    ///
    /// # Errors
    /// As [`borrow_for`](Self::borrow_for).
    pub async fn borrow_to(&self, node: &Address, timeout: Duration) -> Result<Borrowed, Error> {
        let connections = &self.inner.connections;
        let (deadline, wanted) = (now() + timeout, Wanted::Node(node.clone()));
        let lease = connections
            .pool
            .take_at(&connections.wiring, &connections.locator, wanted, deadline)
            .await?;
        Ok(Borrowed { link: self.clone(), lease: Some(lease) })
    }

    /// Sends commands on a connection of its own, and waits for their answers: `timeout` for the
    /// connection, and as long again for the answers, plus `block`, for as long as which the server
    /// may make them wait.
    ///
    /// In a cluster, what the node of `key` did not do because it does not serve it is sent to
    /// whoever does, within `timeout`. The pipeline is one command, or a transaction.
    ///
    /// # Errors
    /// As [`borrow_for`](Self::borrow_for) if nothing was sent;
    /// [`ErrorKind::Disconnected`] and [`ErrorKind::Timeout`] if it may have taken effect.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection. What the server had done by then is done: an
    /// element that it had popped is lost.
    pub async fn send_alone(
        &self,
        pipeline: Pipeline,
        key: Option<&[u8]>,
        block: Duration,
        timeout: Duration,
    ) -> Result<Vec<Result<Value, Error>>, Error> {
        let mut deadline = now() + timeout;
        let mut pause = PAUSE_FIRST;
        loop {
            let left = deadline.saturating_duration_since(now());
            let mut borrowed = self.borrow_for(key, left).await?;
            let sent_at = now();
            let replies = borrowed.exchange(pipeline.clone(), block + timeout).await?;
            // What was waited for does not count.
            deadline += now().saturating_duration_since(sent_at).min(block);
            borrowed.give_back();
            let left = deadline.saturating_duration_since(now());
            if !was_refused(&replies) || left.is_zero() {
                return Ok(replies);
            }
            self.inner.connections.locator.look_again();
            tokio::time::sleep(pause.min(left)).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    }
}

impl Borrowed {
    /// Sends commands and waits at most so long for their answers.
    ///
    /// # Errors
    /// [`ErrorKind::Disconnected`], [`ErrorKind::Timeout`] and [`ErrorKind::Closed`]: the
    /// connection is closed then, and everything later fails.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn exchange(
        &mut self,
        pipeline: Pipeline,
        timeout: Duration,
    ) -> Result<Vec<Result<Value, Error>>, Error> {
        let Some(mut lease) = self.lease.take() else {
            return Err(Error::new(ErrorKind::NotConnected, "the borrowed connection is gone"));
        };
        if pipeline.is_empty() {
            self.lease = Some(lease);
            return Ok(Vec::new());
        }
        let mut closed = self.link.inner.connections.wiring.closed.subscribe();
        let deadline = now() + timeout;
        let replies = tokio::select! {
            replies = lease.exchange(pipeline, deadline) => replies?,
            _ = closed.wait_for(|closed| *closed) => return Err(Error::closed().sent()),
        };
        self.lease = Some(lease);
        Ok(replies.into_vec())
    }

    /// Leaves the connection to others. The caller vouches that it is as it was found: nothing is
    /// watched, subscribed or selected.
    pub fn give_back(mut self) {
        let connections = &self.link.inner.connections;
        if let Some(lease) = self.lease.take().filter(|_| !connections.is_closed()) {
            connections.pool.keep(lease);
        }
    }
}

/// Whether nothing was done because another node is to do it.
fn was_refused(replies: &[Result<Value, Error>]) -> bool {
    let is_elsewhere = |reply: &Result<Value, Error>| {
        let code = reply.as_ref().err().and_then(Error::server_code);
        // A server that stops being a master lets those go who wait for a key (`UNBLOCKED`).
        matches!(code, Some("MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "UNBLOCKED"))
    };
    replies.last().is_some_and(Result::is_err) && replies.iter().any(is_elsewhere)
}

impl fmt::Debug for Borrowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Borrowed").field("is_open", &self.lease.is_some()).finish_non_exhaustive()
    }
}
