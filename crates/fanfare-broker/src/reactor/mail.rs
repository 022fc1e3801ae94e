//! What a reactor does with what was posted to it.

use std::sync::atomic::Ordering;

use fanfare_engine::pubsub::ListId;

use super::inbox::{self, Inbox, Recipient};
use super::input::UNREAD_BYTES_MAX;
use super::mailbox::{Item, Mailbox, Queue};
use super::state::Reactor;

impl Reactor {
    /// Handles everything that was posted until now.
    #[inline]
    pub(super) fn drain(&mut self) {
        inbox::drain(self);
    }

    /// Inside a command: hands out what came before the marker that takes `slot` off a list.
    pub(super) fn drain_until(&mut self, list: ListId, slot: u32) {
        inbox::drain_until(self, list, slot);
    }

    /// Hands a line to a monitor.
    fn show(&mut self, slot: u32, client_id: u64, line: &[u8]) {
        let conn = self.conns.get_mut(slot as usize);
        let Some(conn) = conn.filter(|it| it.facts.id == client_id && !it.closing) else { return };
        conn.outbox.copy(line, &mut self.pool);
        if UNREAD_BYTES_MAX < conn.outbox.n_bytes() {
            self.overflowing.push(slot);
        }
        self.mark_dirty(slot);
    }
}

impl Recipient for Reactor {
    #[inline]
    fn mailbox(&self) -> Option<&Mailbox> {
        Reactor::mailbox(self)
    }

    #[inline]
    fn inbox(&mut self) -> &mut Inbox {
        &mut self.inbox
    }

    #[inline]
    fn fan_out(&mut self, queue: &Queue, at: usize) {
        Reactor::fan_out(self, queue, at);
    }

    fn handle(&mut self, item: Item) {
        match item {
            Item::Publish { .. } | Item::PublishLarge { .. } => {}
            Item::Subscribe { list, slot } => self.index.add(list, slot),
            Item::Unsubscribe { list, slot } => self.index.remove(list, slot),
            Item::Free { slot } => {
                self.conns.try_remove(slot as usize);
            }
            Item::Adopt(incoming) => self.adopt(*incoming),
            Item::Carry(carried) => self.take_in(*carried),
            Item::Close { client_id } => {
                if let Some(load) = self.shared.loads.get(usize::from(self.id.0)) {
                    load.n_closes.fetch_sub(1, Ordering::AcqRel);
                }
                // It was not carried away since it was looked for.
                if let Some(facts) = self.shared.clients.get(client_id) {
                    let slot = facts.seat().slot;
                    if self.conn(slot).is_some_and(|it| it.facts.id == client_id) {
                        self.doom(slot);
                    }
                }
            }
            Item::Line { slot, client_id, line } => self.show(slot, client_id, &line),
            Item::Served { slot, blocked, reply } => self.end_wait(slot, &blocked, &reply),
            Item::Invalidate(it) => self.invalidate(&it),
            Item::Changed(it) => self.note_changed(&it.0, it.1),
            Item::Resume => self.resume_parked(),
            Item::Sleep(time) => std::thread::sleep(time),
            Item::Barrier(barrier) => {
                self.refresh_live();
                self.close_doomed();
                if barrier.n_missing.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.shared.resume_all();
                }
            }
        }
    }

    #[inline]
    fn schedule_turn(&mut self) {
        Reactor::schedule_turn(self);
    }

    fn resume_all(&self) {
        self.shared.resume_all();
    }

    fn count_lost(&self, n_messages: usize) {
        if let Some(stats) = self.stats() {
            stats.n_messages_lost.add(n_messages as u64);
        }
    }
}

#[cfg(test)]
mod tests;
