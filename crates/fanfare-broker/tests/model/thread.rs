//! A reactor's thread as far as the mailbox sees it: it sleeps until its waker is called.

use std::sync::Arc;
use std::task::{Wake, Waker};

use shuttle::sync::{Condvar, Mutex};

use crate::inbox::{self, Inbox, Recipient};
use crate::mailbox::{Item, Mailbox, Queue};

/// A mailbox and the alarm of the thread that owns it.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) mailbox: Arc<Mailbox>,
    alarm: Arc<Alarm>,
}

/// Rings once per call of the waker or more calls until it is heard, as a runtime does for a task.
#[derive(Default)]
struct Alarm {
    rings: Mutex<bool>,
    changed: Condvar,
}

/// The thread: it counts what it handles.
pub(crate) struct Owner {
    pub(crate) address: Address,
    /// Who may wait for room in the mailbox.
    senders: Vec<Address>,
    inbox: Inbox,
    pub(crate) n_messages: usize,
    pub(crate) n_resumes: usize,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        *self.rings.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

impl Address {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let (mailbox, alarm) = (Arc::new(Mailbox::new(bytes_max)), Arc::new(Alarm::default()));
        mailbox.set_waker(&Waker::from(Arc::clone(&alarm)));
        Self { mailbox, alarm }
    }

    /// Posts to it from another thread.
    pub(crate) fn post(&self, item: Item) {
        self.mailbox.post(item);
        self.mailbox.wake();
    }
}

impl Owner {
    pub(crate) fn new(address: &Address, senders: &[Address]) -> Self {
        Self {
            address: address.clone(),
            senders: senders.to_vec(),
            inbox: Inbox::default(),
            n_messages: 0,
            n_resumes: 0,
        }
    }

    /// One turn, after the waker was called; shuttle calls it a deadlock if nobody does.
    pub(crate) fn turn(&mut self) {
        self.sleep();
        inbox::drain(self);
    }

    fn sleep(&self) {
        let alarm = &self.address.alarm;
        let mut rings = alarm.rings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while !*rings {
            rings = alarm.changed.wait(rings).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *rings = false;
    }
}

impl Recipient for Owner {
    fn mailbox(&self) -> Option<&Mailbox> {
        Some(&self.address.mailbox)
    }

    fn inbox(&mut self) -> &mut Inbox {
        &mut self.inbox
    }

    fn fan_out(&mut self, _: &Queue, _: usize) {
        self.n_messages += 1;
    }

    fn handle(&mut self, item: Item) {
        self.n_resumes += usize::from(matches!(item, Item::Resume));
    }

    fn schedule_turn(&mut self) {
        Arc::clone(&self.address.alarm).wake();
    }

    fn resume_all(&self) {
        self.senders.iter().for_each(|it| it.post(Item::Resume));
    }

    fn count_lost(&self, n_messages: usize) {
        panic!("{n_messages} messages are lost");
    }
}
