//! How several connections are doing, seen as one.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::connection::driver::Status;

/// The connections that something depends on. It is as well as the worst of them.
#[derive(Debug, Default)]
pub(crate) struct Health {
    statuses: Mutex<Vec<Arc<Status>>>,
    /// Whether something has no connection at all.
    is_incomplete: AtomicBool,
    /// Disconnects of connections that are not needed any more.
    n_disconnects_before: AtomicU64,
}

impl Health {
    pub(crate) fn of(status: Arc<Status>) -> Self {
        Self { statuses: Mutex::new(vec![status]), ..Self::default() }
    }

    pub(crate) fn add(&self, status: Arc<Status>) {
        self.lock().push(status);
    }

    pub(crate) fn remove(&self, status: &Arc<Status>) {
        self.n_disconnects_before.fetch_add(status.n_disconnects(), Ordering::Relaxed);
        self.lock().retain(|it| !Arc::ptr_eq(it, status));
    }

    /// Everything has a connection, or not everything.
    pub(crate) fn set_whole(&self, is_whole: bool) {
        self.is_incomplete.store(!is_whole, Ordering::Relaxed);
    }

    /// Whether everything has a connection, and all of them are up.
    pub(crate) fn is_up(&self) -> bool {
        let statuses = self.lock();
        !statuses.is_empty()
            && statuses.iter().all(|it| it.is_up())
            && !self.is_incomplete.load(Ordering::Relaxed)
    }

    pub(crate) fn n_disconnects(&self) -> u64 {
        let before = self.n_disconnects_before.load(Ordering::Relaxed);
        before + self.lock().iter().map(|it| it.n_disconnects()).sum::<u64>()
    }

    /// Time since the connection that has been silent for longest last delivered anything.
    pub(crate) fn last_read_age(&self) -> Duration {
        self.lock().iter().map(|it| it.last_read_age()).max().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Status>>> {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
