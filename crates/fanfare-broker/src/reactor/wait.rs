//! Clients that wait until a key holds something.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use fanfare_engine::Reply;
use fanfare_engine::block::Blocked;
use fanfare_engine::exec::{self, Closed};
use fanfare_engine::pubsub::ReactorSet;

use super::host::Turn;
use super::state::{Reactor, Wants};
use crate::client::flag;

/// When blocked clients stop waiting, or time may have brought something for them: `(Unix time in milliseconds, slot,
/// client)`, soonest first. One that was served meanwhile is skipped when it comes up.
pub(super) type Deadlines = BinaryHeap<Reverse<(u64, u32, u64)>>;

/// While a script holds everything, it is looked again after so long.
const SCRIPT_PATIENCE_MS: u64 = 5;

/// Deadlines may be further away than timers can tell; and system clocks are set.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

impl Reactor {
    /// The client's command waits.
    pub(super) fn wait(&mut self, slot: u32, blocked: Arc<Blocked>) {
        let Some(conn) = self.conn(slot) else { return };
        conn.facts.set_waiting(Some(Arc::clone(&blocked)));
        conn.facts.seen.flags.fetch_or(flag::BLOCKED, Ordering::Relaxed);
        let client_id = conn.facts.id;
        let times = [blocked.deadline_unix_ms, blocked.retry_unix_ms()];
        conn.waiting = Some(blocked);
        times.into_iter().flatten().for_each(|at_ms| self.come_back(at_ms, slot, client_id));
    }

    /// Looks after the wait of a client again at a time.
    fn come_back(&mut self, at_ms: u64, slot: u32, client_id: u64) {
        let is_soonest = self.next_deadline_ms().is_none_or(|soonest| at_ms < soonest);
        self.deadlines.push(Reverse((at_ms, slot, client_id)));
        self.prune_deadlines();
        if let Some(waker) = self.deadline_waker.as_ref().filter(|_| is_soonest) {
            waker.wake_by_ref();
        }
    }

    /// The wait of a client is over: this is what it is told.
    pub(super) fn end_wait(&mut self, slot: u32, blocked: &Arc<Blocked>, reply: &Reply) {
        self.shared.keyspace.forget_blocked(blocked);
        let Some(conn) = self.conn(slot) else { return };
        if conn.waiting.take_if(|it| Arc::ptr_eq(it, blocked)).is_none() {
            return;
        }
        conn.facts.set_waiting(None);
        conn.facts.seen.flags.fetch_and(!flag::BLOCKED, Ordering::Relaxed);
        // What it sent meanwhile is run; for what it sends from now on its socket wakes it.
        let has_input = conn.session.as_ref().is_some_and(|it| !it.input.is_empty());
        conn.resumed = has_input;
        let waker = if has_input { conn.waker.clone() } else { None };
        if let Some(mut session) = conn.session.take() {
            self.reply_unless_silent(slot, &mut session.client, reply);
            if let Some(conn) = self.conn(slot) {
                conn.session = Some(session);
            }
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends waits that are over by now; returns how long it is to the next one. Whoever has to be woken for a sooner one
    /// is `waker`.
    pub(super) fn poll_deadlines(&mut self, waker: &Waker) -> Option<Duration> {
        if self.deadline_waker.as_ref().is_none_or(|it| !it.will_wake(waker)) {
            self.deadline_waker = Some(waker.clone());
        }
        self.refresh();
        self.end_late_waits();
        let at_ms = self.next_deadline_ms()?;
        let left = Duration::from_millis(at_ms.saturating_sub(self.now.unix_ms()));
        Some(left.min(SLEEP_MAX))
    }

    fn next_deadline_ms(&self) -> Option<u64> {
        self.deadlines.peek().map(|Reverse((at_ms, _, _))| *at_ms)
    }

    /// Ends waits that are over by now.
    fn end_late_waits(&mut self) {
        let now_ms = self.now.unix_ms();
        while let Some(&Reverse((at_ms, slot, client_id))) = self.deadlines.peek()
            && at_ms <= now_ms
        {
            self.deadlines.pop();
            let Some(conn) = self.conn(slot).filter(|it| it.facts.id == client_id) else {
                continue;
            };
            let Some(blocked) = conn.waiting.clone() else { continue };
            if blocked.deadline_unix_ms.is_some_and(|it| it <= now_ms) {
                if blocked.end() {
                    self.end_wait(slot, &blocked, &blocked.on_timeout);
                }
            } else if blocked.retry_unix_ms().is_some_and(|it| it <= now_ms) {
                self.retry(slot, client_id, &blocked);
            }
        }
    }

    /// Looks whether time has brought something for a client that waits.
    fn retry(&mut self, slot: u32, client_id: u64, blocked: &Arc<Blocked>) {
        let shared = Rc::clone(&self.shared);
        let mut turn = Turn::new(self, &shared, slot);
        let state = (&shared.keyspace, &shared.table);
        let tried = exec::retry(turn.reactor.now, state, &mut turn, blocked);
        drop(turn);
        match tried {
            Ok(Some(reply)) => self.end_wait(slot, blocked, &reply),
            Ok(None) => {
                let again_ms = blocked.retry_unix_ms();
                again_ms.into_iter().for_each(|it| self.come_back(it, slot, client_id));
            }
            Err(Closed) => {
                let again_ms = self.now.unix_ms() + SCRIPT_PATIENCE_MS;
                self.come_back(again_ms, slot, client_id);
            }
        }
        self.tell_own();
        // Nobody's command published: nobody has to wait.
        self.wants = Wants::default();
        self.full = ReactorSet::default();
    }

    /// Keeps the deadlines proportional to the clients that wait, however often they are served in time.
    fn prune_deadlines(&mut self) {
        if self.deadlines.len() <= 64 + 2 * self.conns.len() {
            return;
        }
        let conns = &self.conns;
        self.deadlines.retain(|Reverse((at_ms, slot, client_id))| {
            conns.get(*slot as usize).is_some_and(|conn| {
                let waiting = conn.waiting.as_ref();
                conn.facts.id == *client_id
                    && waiting.is_some_and(|it| {
                        it.deadline_unix_ms == Some(*at_ms) || it.retry_unix_ms() == Some(*at_ms)
                    })
            })
        });
    }
}
