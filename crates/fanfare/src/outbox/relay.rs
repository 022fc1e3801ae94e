//! The relay: its description and its handle.

use std::{fmt, sync::Arc, time::Duration};

use fanfare_client::{Error, ErrorKind};
use tokio::{sync::watch, time::Instant};

use super::{
    outbox::Outbox,
    pool::Pool,
    run,
    shared::Shared,
    stats::{RelayEvents, RelayStats},
};
use crate::Fanfare;

/// A relay that is being described. Made by [`Fanfare::relay`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `start`"]
pub struct RelayBuilder {
    pub(super) fanfare: Fanfare,
    pub(super) outbox: Outbox,
    pub(super) pool: Pool,
    pub(super) settings: Settings,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) poll: Duration,
    pub(super) lease: Duration,
    pub(super) try_for: Duration,
    pub(super) database_timeout: Duration,
    pub(super) remember: Duration,
    pub(super) channels: Duration,
}

impl Fanfare {
    /// Sends what is in an outbox: see [`Relay`]. The pool is an `sqlx::PgPool` or `sqlx::SqlitePool` of the
    /// outbox's database.
    pub fn relay(&self, outbox: &Outbox, pool: impl Into<Pool>) -> RelayBuilder {
        let settings = Settings {
            poll: Duration::from_millis(100),
            lease: Duration::from_secs(10),
            try_for: Duration::from_secs(2),
            database_timeout: Duration::from_secs(10),
            remember: Duration::from_secs(7 * 24 * 3600),
            channels: Duration::from_secs(60),
        };
        let (fanfare, outbox) = (self.clone(), outbox.clone());
        RelayBuilder { fanfare, outbox, pool: pool.into(), settings }
    }
}

impl RelayBuilder {
    /// How often an empty outbox is looked at, from 1 ms to 1 h. It is how late a message is at most if nobody
    /// [wakes](Relay::wake) the relay; a look is one read by an index. Default: 100 ms.
    pub fn poll(mut self, interval: Duration) -> Self {
        self.settings.poll = interval;
        self
    }

    /// For how long a relay that does not renew it keeps the lease, from 100 ms to 1 h: so long nothing is
    /// sent after the active relay was killed. One that ends gives it back at once. Nothing depends on it but
    /// that not several do the same work: two that believe to have it send nothing twice. Default: 10 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// How long an attempt to send may take. Default: 2 s.
    pub fn try_for(mut self, patience: Duration) -> Self {
        self.settings.try_for = patience;
        self
    }

    /// How long the database may take to do one thing, from 1 ms to 1 h. One that hangs is a
    /// [failure](RelayStats::database_errors), and is asked again. Default: 10 s.
    pub fn database_timeout(mut self, patience: Duration) -> Self {
        self.settings.database_timeout = patience;
        self
    }

    /// How long the broker remembers what it has, from the last message on, 1 s at least: a relay that was
    /// killed between sending and deleting, and comes back later than this, sends a batch twice. Default: 7
    /// days.
    pub fn remember(mut self, remember: Duration) -> Self {
        self.settings.remember = remember;
        self
    }

    /// How old a message to a channel may be when it is sent; older ones are dropped and counted, since who
    /// listens to a channel wants to know what is, not what was hours ago. Those to streams are sent whatever
    /// their age. Default: 60 s.
    pub fn channels(mut self, age_max: Duration) -> Self {
        self.settings.channels = age_max;
        self
    }

    /// Looks at the tables, and starts. The broker may be away.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`], [`ErrorKind::InvalidRequest`] if there are no tables,
    /// [`ErrorKind::Database`].
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn start(self) -> Result<Relay, Error> {
        self.settings.check()?;
        run::start(self).await
    }
}

impl Settings {
    fn check(&self) -> Result<(), Error> {
        let hour = Duration::from_secs(3600);
        let year = hour * 24 * 365;
        for (name, value, min, max) in [
            ("poll", self.poll, Duration::from_millis(1), hour),
            ("lease", self.lease, Duration::from_millis(100), hour),
            ("try_for", self.try_for, Duration::from_millis(1), hour),
            ("database_timeout", self.database_timeout, Duration::from_millis(1), hour),
            ("remember", self.remember, Duration::from_secs(1), year),
        ] {
            if value < min || max < value {
                let message =
                    format!("the relay's `{name}` is {value:?}; it takes {min:?} to {max:?}");
                return Err(Error::new(ErrorKind::InvalidOption, message));
            }
        }
        Ok(())
    }
}

/// Sends what is committed to an [`Outbox`], each message once and in order, and deletes it there.
///
/// Any number of processes may have one: one of them is active, the others stand by and take over when it ends
/// or is killed. A message is in the stream at most once, however often a relay dies between sending and deleting,
/// by the same script as the [spool](crate::spool)'s; the order is that in which transactions were committed, and
/// within one that in which it wrote. (Of transactions that overlap, either may be first.)
///
/// While the broker does not take messages, they wait in the table; those to other places (on other nodes of a
/// cluster, for example) go on. What it refuses for good (`WRONGTYPE`, `NOPERM`) becomes a [dead letter](Outbox::dead_letters), and the rest goes on. An outbox has no
/// bound of its own: it is the database's, and a transaction fails when that is full.
///
/// Cheap to clone; it ends when the last clone is dropped, or by [`close`](Self::close).
#[derive(Clone)]
pub struct Relay {
    pub(super) shared: Arc<Shared>,
    /// Until when it is to send what waits, and to end then.
    pub(super) closing: Arc<watch::Sender<Option<Instant>>>,
}

impl Relay {
    /// Looks at the outbox now: called after a commit, it spares the message the rest of the
    /// [interval](RelayBuilder::poll).
    pub fn wake(&self) {
        self.shared.wake.notify_one();
    }

    /// How it is doing. [`Fanfare::health`] has it as well: bad is that the database fails, or that messages
    /// wait and are not sent for long.
    pub fn stats(&self) -> RelayStats {
        self.shared.stats()
    }

    /// What happens to it, from now on.
    pub fn events(&self) -> RelayEvents {
        self.shared.events()
    }

    /// Sends what waits until the deadline, if it is active, gives the lease back (for which it takes four seconds
    /// more at most), and ends. Returns the final counts; what is left is sent by the next relay.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop it.
    pub async fn close(&self, deadline: Duration) -> RelayStats {
        let until = Instant::now() + deadline.min(Duration::from_secs(365 * 24 * 3600));
        self.closing.send_modify(|it| {
            it.get_or_insert(until);
        });
        // It ends when the task has let go of the other end.
        self.closing.closed().await;
        self.shared.stats()
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
