//! The thread that frees what is large, so that no reactor's clients wait for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use fanfare_engine::keyspace::Garbage;
use parking_lot::Mutex;

/// Commands whose garbage waits; the next one's is freed by its own reactor. So garbage can not pile up, however fast
/// clients fill and flush.
const QUEUE_LEN: usize = 16;
/// Leaves reactors that want the same processor nine tenths of it.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Frees in the background what commands threw away. The thread starts when it is needed first.
#[derive(Debug, Default)]
pub(crate) struct Lazyfree {
    thread: Mutex<Option<Thread>>,
    counts: Arc<Counts>,
}

#[derive(Debug)]
struct Thread {
    garbage: SyncSender<Garbage>,
    handle: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    n_pending: AtomicUsize,
    n_freed: AtomicU64,
}

impl Lazyfree {
    /// Frees `garbage`: at once if it is small or too much waits already, in the background otherwise.
    pub(super) fn discard(&self, garbage: Garbage) {
        if garbage.is_large() {
            drop(self.hand_over(garbage));
        }
    }

    /// Returns what could not be handed over.
    fn hand_over(&self, garbage: Garbage) -> Option<Garbage> {
        let n_objects = garbage.n_objects();
        let mut thread = self.thread.lock();
        if thread.is_none() {
            match Thread::start(Arc::clone(&self.counts)) {
                Ok(started) => *thread = Some(started),
                Err(error) => tracing::warn!(%error, "failed to start the lazyfree thread"),
            }
        }
        let Some(thread) = &*thread else { return Some(garbage) };
        // Counted before the thread can see it, and so take it off the count.
        self.counts.n_pending.fetch_add(n_objects, Ordering::Relaxed);
        match thread.garbage.try_send(garbage) {
            Ok(()) => None,
            Err(TrySendError::Full(garbage) | TrySendError::Disconnected(garbage)) => {
                self.counts.n_pending.fetch_sub(n_objects, Ordering::Relaxed);
                Some(garbage)
            }
        }
    }

    /// Keys and values that wait for the thread.
    pub(crate) fn n_pending(&self) -> usize {
        self.counts.n_pending.load(Ordering::Acquire)
    }

    /// Keys and values that the thread has freed since the start or the last reset.
    pub(crate) fn n_freed(&self) -> u64 {
        self.counts.n_freed.load(Ordering::Relaxed)
    }

    /// `CONFIG RESETSTAT`.
    pub(crate) fn reset(&self) {
        self.counts.n_freed.store(0, Ordering::Relaxed);
    }

    /// Waits until all is freed and ends the thread.
    pub(crate) fn end(&self) {
        let thread = self.thread.lock().take();
        let Some(Thread { garbage, handle }) = thread else { return };
        drop(garbage);
        if handle.join().is_err() {
            tracing::error!("the lazyfree thread panicked");
        }
    }
}

impl Thread {
    fn start(counts: Arc<Counts>) -> io::Result<Self> {
        let (garbage, received) = sync_channel(QUEUE_LEN);
        let thread = std::thread::Builder::new().name("lazyfree".to_owned());
        let handle = thread.spawn(move || {
            give_way();
            free_all(&received, &counts);
        })?;
        Ok(Self { garbage, handle })
    }
}

/// Lets other threads run first. Where the system does not allow it, nothing is lost but that.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "the lazyfree thread keeps its priority");
    }
}

fn free_all(received: &Receiver<Garbage>, counts: &Counts) {
    for garbage in received {
        let n_objects = garbage.n_objects();
        drop(garbage);
        counts.n_freed.fetch_add(n_objects as u64, Ordering::Relaxed);
        // Whoever sees that nothing is pending sees all of it freed.
        counts.n_pending.fetch_sub(n_objects, Ordering::Release);
    }
}
