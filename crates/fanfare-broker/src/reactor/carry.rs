//! A client is carried from one reactor to another: its socket, what it has sent, and who it is.
//!
//! Only a client that nothing refers to by its place is carried: it waits for nothing, nothing waits for it, it is
//! subscribed to nothing, and all its replies are sent. `Shared::carrying` keeps CLIENT KILL from looking for it on the
//! way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fanfare_engine::pubsub::ReactorId;

use rand::RngExt as _;

use super::balance::{LOOKED_AT_MAX, for_subscriber, spread, surplus};
use super::conn::{Conn, Session};
use super::mailbox::Item;
use super::state::Reactor;
use crate::client::{Facts, Seat};
use crate::net::Incoming;

/// A client on its way.
#[derive(Debug)]
pub(crate) struct Carried {
    incoming: Incoming,
    session: Box<Session>,
    facts: Arc<Facts>,
    /// It stays where it arrives.
    is_settled: bool,
}

/// What became of a client that was to be carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Away,
    /// Somebody is about to close it: later.
    NotNow,
    /// It can not be, as it is.
    Not,
}

impl Reactor {
    /// Before a client subscribes: whether it is carried to another reactor first, where the command runs.
    pub(super) fn leaves_to_subscribe(&mut self, slot: u32) -> bool {
        let is_busy = self.in_script;
        let Some(conn) = self.conn(slot).filter(|it| !it.settled) else { return false };
        if is_busy || conn.facts.tracker().is_some() {
            return false;
        }
        if self.place_of_subscriber() == self.id {
            self.settle(slot);
            return false;
        }
        if let Some(conn) = self.conn(slot) {
            conn.parked = true;
            let client_id = conn.facts.id;
            self.leaving.push((slot, client_id));
            self.schedule_turn();
        }
        true
    }

    /// Where a client of this reactor is to subscribe, as things are now.
    fn place_of_subscriber(&self) -> ReactorId {
        let to = for_subscriber(&self.shared.loads, usize::from(self.id.0));
        u8::try_from(to).map_or(self.id, ReactorId)
    }

    /// The client stays with this reactor from now on.
    pub(super) fn settle(&mut self, slot: u32) {
        if let Some(conn) = self.conns.get_mut(slot as usize)
            && !conn.settled
        {
            conn.settled = true;
            let load = self.shared.loads.get(usize::from(self.id.0));
            if let Some(load) = load.filter(|_| self.shared.is_elastic) {
                load.n_settled.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// At the end of a turn: clients that are about to subscribe elsewhere leave.
    pub(super) fn carry_leaving(&mut self) {
        for (slot, client_id) in std::mem::take(&mut self.leaving) {
            let Some(conn) = self.conn(slot).filter(|it| it.facts.id == client_id) else {
                continue;
            };
            conn.parked = false;
            // Those that left before it in this turn count.
            let to = self.place_of_subscriber();
            let sent = if to == self.id { Sent::Not } else { self.carry(slot, to, true) };
            match sent {
                Sent::Away => {}
                Sent::NotNow => {
                    if let Some(conn) = self.conn(slot) {
                        conn.parked = true;
                    }
                    self.leaving.push((slot, client_id));
                    self.schedule_turn();
                }
                Sent::Not => {
                    // By now it is best here, or it does not read what it was sent: it subscribes here.
                    self.settle(slot);
                    if let Some(conn) = self.conn(slot) {
                        conn.resumed = true;
                        let waker = conn.waker.clone();
                        waker.into_iter().for_each(|it| it.wake());
                    }
                }
            }
        }
    }

    /// Hands clients over to reactors that have fewer, or that are to have all.
    pub(super) fn hand_over(&mut self) {
        if !self.shared.is_elastic {
            return;
        }
        let n_active = self.shared.n_active.load(Ordering::Relaxed);
        let me = usize::from(self.id.0);
        let Some((to, n)) = surplus(&self.shared.loads, n_active, me) else { return };
        let Ok(to) = u8::try_from(to) else { return };
        for slot in spread(self.some_loose(), n) {
            let _ = self.carry(slot, ReactorId(to), false);
        }
    }

    /// Clients that can be carried, and when they were active last: of very many only some, each time others.
    fn some_loose(&mut self) -> Vec<(u64, u32)> {
        let begin = self.rng.random_range(0..self.conns.len().max(1));
        let all = self.conns.iter().skip(begin).chain(self.conns.iter().take(begin));
        let loose = all.take(LOOKED_AT_MAX).filter(|(_, it)| !it.settled && it.may_be_carried());
        let loose = loose.filter_map(|(slot, conn)| {
            let active_ms = conn.facts.seen.active_ms.load(Ordering::Relaxed);
            Some((active_ms, u32::try_from(slot).ok()?))
        });
        loose.collect()
    }

    /// Carries some clients anywhere.
    pub(super) fn shuffle(&mut self) {
        let n_reactors = self.shared.mailboxes.len();
        let loose = self.conns.iter().filter(|(_, conn)| !conn.settled && conn.may_be_carried());
        let slots: Vec<u32> = loose.filter_map(|(slot, _)| u32::try_from(slot).ok()).collect();
        for slot in slots {
            if let Ok(to) = u8::try_from(self.rng.random_range(0..n_reactors))
                && ReactorId(to) != self.id
                && self.rng.random_ratio(1, 4)
            {
                let _ = self.carry(slot, ReactorId(to), false);
            }
        }
    }

    fn carry(&mut self, slot: u32, to: ReactorId, is_settled: bool) -> Sent {
        if self.is_stopping || !self.conn(slot).is_some_and(|it| it.may_be_carried()) {
            return Sent::Not;
        }
        let shared = std::rc::Rc::clone(&self.shared);
        let Some(mailbox) = shared.mailbox(to) else { return Sent::Not };
        // Whoever kills it either finds it there, or has told us already.
        let carrying = shared.carrying.lock();
        let load = shared.loads.get(usize::from(self.id.0));
        if load.is_some_and(|it| it.n_closes.load(Ordering::Acquire) != 0) {
            return Sent::NotNow;
        }
        let Some(conn) = self.conn(slot) else { return Sent::Not };
        let Some(socket) = conn.socket.take() else { return Sent::Not };
        let Some(session) = conn.session.take() else { return Sent::Not };
        let facts = Arc::clone(&conn.facts);
        let waker = conn.waker.take();
        let incoming = match socket.leave() {
            Ok(incoming) => incoming,
            Err(error) => {
                tracing::debug!(%error, client = facts.id, "failed to carry a client elsewhere");
                conn.session = Some(session);
                // What it watches is behind locks that whoever kills clients may hold.
                drop(carrying);
                self.forget(slot);
                return Sent::Away;
            }
        };
        self.conns.remove(slot as usize);
        self.forget_connection(false);
        if let Some(stats) = self.stats() {
            stats.n_carried.add(1);
        }
        if let Some(load) = shared.loads.get(usize::from(to.0)) {
            load.n_connections.fetch_add(1, Ordering::Relaxed);
            load.n_settled.fetch_add(usize::from(is_settled), Ordering::Relaxed);
        }
        facts.sit(Seat { reactor: to, slot: Seat::UNKNOWN });
        mailbox.post(Item::Carry(Box::new(Carried { incoming, session, facts, is_settled })));
        drop(carrying);
        mailbox.wake();
        // The task that has read from it ends.
        waker.into_iter().for_each(|it| it.wake());
        Sent::Away
    }

    /// A client arrives. A command may be in progress.
    pub(super) fn take_in(&mut self, carried: Carried) {
        let Carried { incoming, session, facts, is_settled } = carried;
        let socket = incoming.register();
        let entry = self.conns.vacant_entry();
        let slot = u32::try_from(entry.key()).unwrap_or(u32::MAX);
        facts.sit(Seat { reactor: self.id, slot });
        let mut conn = Conn::new(session, facts);
        conn.settled = is_settled;
        conn.resumed = conn.session.as_ref().is_some_and(|it| !it.input.is_empty());
        match socket {
            Ok(socket) => {
                conn.socket = Some(socket);
                entry.insert(Box::new(conn));
                self.adopted.push(slot);
                self.schedule_turn();
            }
            Err(error) => {
                tracing::debug!(%error, client = conn.facts.id, "a client was gone on its way");
                entry.insert(Box::new(conn));
                // Not now: what it watches may be locked by the command.
                self.doom(slot);
            }
        }
    }
}

impl Conn {
    /// Whether nothing refers to its place.
    fn may_be_carried(&self) -> bool {
        let is_free = self.session.as_ref().is_some_and(|it| !it.client.monitoring)
            && self.subscriptions.is_none()
            && self.facts.tracker().is_none()
            && self.barrier.is_none()
            && self.waiting.is_none();
        let is_held = self.dirty || self.blocked || self.closing || self.parked || self.queued;
        self.socket.is_some() && is_free && !is_held && self.outbox.n_bytes() == 0
    }
}

#[cfg(test)]
mod tests;
