//! What a handler is told about the entry that it handles.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use crate::stream::StreamId;

/// What a handler is told beside the entry: how often it was delivered, and whether it is still
/// this worker's.
///
/// ```no_run
/// # async fn work(group: fanfare::stream::Group) -> Result<(), fanfare::Error> {
/// let worker = group.worker().spawn(async |entry, context: fanfare::worker::Context| {
///     if 1 < context.deliveries() {
///         println!("{} once more", entry.id);
///     }
///     Ok::<_, fanfare::Error>(())
/// })?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Context {
    pub(crate) id: StreamId,
    pub(crate) deliveries: u64,
    pub(crate) lease: Arc<Lease>,
}

impl Context {
    /// The entry's ID.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// How often the entry was delivered to any worker, with this time: 1 is the first.
    pub fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// Whether the entry is no longer this worker's: another one has taken it because this one gave
    /// no sign of life for too long, somebody acknowledged it, or it is gone from the stream. What
    /// the handler does from now on may be done twice.
    pub fn is_lost(&self) -> bool {
        self.lease.is_lost()
    }

    /// Waits until [`is_lost`](Self::is_lost).
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn lost(&self) {
        self.lease.lost().await;
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("id", &self.id)
            .field("deliveries", &self.deliveries)
            .field("is_lost", &self.is_lost())
            .finish()
    }
}

/// Whether an entry or a task is still this worker's.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    is_lost: AtomicBool,
    notify: Notify,
}

impl Lease {
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    pub(crate) async fn lost(&self) {
        loop {
            let notified = self.notify.notified();
            if self.is_lost() {
                return;
            }
            notified.await;
        }
    }

    pub(crate) fn lose(&self) {
        self.is_lost.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }
}
