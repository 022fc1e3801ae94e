//! A reactor's thread as far as the mailbox sees it: it sleeps until its waker is called.

use std::sync::Arc;
use std::task::{Wake, Waker};

use shuttle::sync::{Condvar, Mutex};

use crate::mailbox::{Item, Mailbox, Queue};

/// A mailbox and the thread that owns it.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) mailbox: Arc<Mailbox>,
    alarm: Arc<Alarm>,
}

/// Rings once per call of the waker or more calls until it is heard, as a runtime does for a task.
#[derive(Default)]
struct Alarm {
    rings: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        *self.rings.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

impl Owner {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let (mailbox, alarm) = (Arc::new(Mailbox::new(bytes_max)), Arc::new(Alarm::default()));
        mailbox.set_waker(&Waker::from(Arc::clone(&alarm)));
        Self { mailbox, alarm }
    }

    /// Sleeps until the waker is called; shuttle calls it a deadlock if nobody does.
    pub(crate) fn sleep(&self) {
        let mut rings = self.alarm.rings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while !*rings {
            rings =
                self.alarm.changed.wait(rings).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *rings = false;
    }

    /// What was posted, and whether somebody waits for room.
    pub(crate) fn take(&self) -> (Queue, bool) {
        let mut queue = Queue::default();
        let somebody_waits = self.mailbox.take(&mut queue);
        (queue, somebody_waits)
    }

    /// Posts to it from another thread.
    pub(crate) fn post(&self, item: Item) {
        self.mailbox.post(item);
        self.mailbox.wake();
    }
}
