//! A log on disk for while the broker is away.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

use super::{Fanfare, runtime};
use crate::{
    Envelope, Error, Sealed,
    spool::{self, Accepted, DeadLetter, Destination, Recovery, SpoolBuilder, SpoolStats},
};

/// The twin of [`fanfare::spool::Spool`](crate::spool::Spool). Made by [`Fanfare::spool`]; cheap to
/// clone, for any number of threads.
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Envelope, spool::Fsync};
///
/// # let directory = std::env::temp_dir().join(format!("fanfare-blocking-{}", std::process::id()));
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let spool = fanfare.spool(&directory, |spool| spool.fsync(Fsync::Always))?;
/// spool.publish("blocking orders", &Envelope::new("order.created", 7))?;
/// let stats = spool.close(Duration::from_secs(10));
/// assert_eq!((stats.sent, stats.waiting), (1, 0));
/// # let _ = std::fs::remove_dir_all(directory);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Spool {
    inner: spool::Spool,
}

impl Fanfare {
    /// Opens a spool in a directory, as it is described.
    ///
    /// # Errors
    /// As [`open`](crate::spool::SpoolBuilder::open).
    pub fn spool(
        &self,
        directory: impl Into<PathBuf>,
        describe: impl FnOnce(SpoolBuilder) -> SpoolBuilder,
    ) -> Result<Spool, Error> {
        let builder = describe(self.inner.spool(directory));
        Ok(Spool { inner: runtime::wait(builder.open())? })
    }
}

impl Spool {
    /// Publishes an envelope to a stream or a channel, and returns when the broker or the log has it.
    ///
    /// # Errors
    /// As [`publish`](crate::spool::Spool::publish).
    pub fn publish<T: Serialize>(
        &self,
        to: impl Into<Destination>,
        envelope: &Envelope<T>,
    ) -> Result<Accepted, Error> {
        runtime::wait(self.inner.publish(to, envelope))
    }

    /// The same with an envelope whose data is bytes.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn publish_sealed(
        &self,
        to: impl Into<Destination>,
        envelope: &Sealed,
    ) -> Result<Accepted, Error> {
        runtime::wait(self.inner.publish_sealed(to, envelope))
    }

    /// Adds an entry of these fields to a stream.
    ///
    /// # Errors
    /// As [`add`](crate::spool::Spool::add).
    pub fn add<F: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        to: impl Into<Destination>,
        fields: impl IntoIterator<Item = (F, V)>,
    ) -> Result<Accepted, Error> {
        runtime::wait(self.inner.add(to, fields))
    }

    /// What the broker refused for good after it had waited, oldest first.
    ///
    /// # Errors
    /// As [`dead_letters`](crate::spool::Spool::dead_letters).
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>, Error> {
        runtime::wait(self.inner.dead_letters())
    }

    /// Appends dead letters to the log again, and returns how many.
    ///
    /// # Errors
    /// As [`requeue`](crate::spool::Spool::requeue).
    pub fn requeue(&self, sequences: impl IntoIterator<Item = u64>) -> Result<u64, Error> {
        runtime::wait(self.inner.requeue(sequences))
    }

    /// Appends all dead letters to the log again, and returns how many.
    ///
    /// # Errors
    /// As [`requeue`](Self::requeue).
    pub fn requeue_all(&self) -> Result<u64, Error> {
        runtime::wait(self.inner.requeue_all())
    }

    /// Takes no more messages, sends what waits until the deadline, and closes the directory.
    pub fn close(&self, deadline: Duration) -> SpoolStats {
        runtime::wait(self.inner.close(deadline))
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        self.inner.directory()
    }

    /// What was found when it was opened.
    pub fn recovery(&self) -> &Recovery {
        self.inner.recovery()
    }

    /// How it is doing.
    pub fn stats(&self) -> SpoolStats {
        self.inner.stats()
    }
}
