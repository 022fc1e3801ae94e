//! What depends on time: limits, expiry, rest, and the end.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use fanfare_engine::ctx::announce_expired;
use fanfare_engine::exec;
use fanfare_engine::pubsub::{ReactorId, ReactorSet};
use fanfare_engine::tracking::{self, announce_changed};

use super::host::Turn;
use super::state::{Reactor, Wants};
use crate::client::{BufferPool, Press};

/// Ticks without work after which a reactor counts as idle.
pub(super) const QUIET_TICKS: u32 = 10;

/// Keys that one tick removes at most: 20 ms of work or so, ten times a second.
const EXPIRED_PER_TICK_MAX: usize = 50_000;
/// Keys that one tick forgets at most when clients may hold copies of too many.
const FORGOTTEN_PER_TICK_MAX: usize = 10_000;

impl Reactor {
    /// Ten times a second: limits that depend on time.
    pub(super) fn tick(&mut self) {
        self.rest_if_quiet();
        self.refresh();
        self.note_tick();
        // Whoever waits for room or for other reactors is told by them.
        if self.paused && self.shared.pause.until(self.now.unix_ms()).is_none() {
            self.paused = false;
            self.resume_parked();
        }
        let uptime_ms = self.shared.uptime_ms();
        let timeout_ms = self.live.timeout_ms;
        let soft_limits =
            self.live.output.normal.soft_bytes != 0 || self.live.output.pubsub.soft_bytes != 0;
        let mut late = Vec::new();
        let mut full = Vec::new();
        let look = timeout_ms != 0 || self.n_blocked != 0;
        for (slot, conn) in self.conns.iter().filter(|_| look) {
            let idle_ms =
                uptime_ms.saturating_sub(conn.facts.seen.active_ms.load(Ordering::Relaxed));
            let exempt = conn.is_subscribed()
                || conn.waiting.is_some()
                || conn.session.as_ref().is_some_and(|it| it.client.monitoring);
            if timeout_ms != 0 && timeout_ms < idle_ms && !exempt && conn.socket.is_some() {
                late.push(u32::try_from(slot).unwrap_or(u32::MAX));
            }
            if conn.blocked {
                conn.note_unsent();
                if soft_limits {
                    full.push(u32::try_from(slot).unwrap_or(u32::MAX));
                }
            }
        }
        for slot in late {
            if let Some(stats) = self.stats() {
                stats.n_timeouts.add(1);
            }
            self.close(slot);
        }
        for slot in full {
            self.check_output_limit(slot);
        }
        self.note_load();
        if self.id == ReactorId(0) {
            self.shared.sample();
        }
        if self.id == ReactorId(0) && self.shared.active_expire.load(Ordering::Relaxed) {
            self.expire_due();
        }
        if self.id == ReactorId(0) {
            self.tell_of_gone();
            self.limit_tracked();
        }
    }

    /// How busy this reactor is, and, by the first one, how many take commands.
    fn note_load(&mut self) {
        if !self.shared.is_elastic {
            return;
        }
        let busy = self.gauge.read();
        if let Some(load) = self.shared.loads.get(usize::from(self.id.0)) {
            load.busy.store(busy, Ordering::Relaxed);
        }
        if self.id == ReactorId(0) {
            let n_active = self.shared.n_active.load(Ordering::Relaxed);
            let n_wanted = self.balance.look(&self.shared.loads, n_active);
            if n_wanted != n_active {
                self.shared.n_active.store(n_wanted, Ordering::Relaxed);
                tracing::debug!(n_active, n_wanted, "reactors that take commands");
            }
        }
    }

    fn expire_due(&mut self) {
        let shared = Rc::clone(&self.shared);
        let now = self.now;
        let mut turn = Turn::new(self, &shared, u32::MAX);
        let swept =
            shared.keyspace.expire_due(now, EXPIRED_PER_TICK_MAX, |db, expired, trackers| {
                announce_expired(&mut turn, shared.keyspace.tuning(), db, expired);
                announce_changed(&mut turn, shared.keyspace.tuning(), expired.key(), trackers);
            });
        if let Some(garbage) = swept.garbage {
            shared.lazyfree.discard(garbage);
        }
        drop(turn);
        // Nobody's command published: nobody has to wait.
        self.wants = Wants::default();
        self.full = ReactorSet::default();
    }

    /// Streams may have gone away in the background that somebody waits to read.
    fn tell_of_gone(&mut self) {
        let shared = Rc::clone(&self.shared);
        let now = self.now;
        let mut turn = Turn::new(self, &shared, u32::MAX);
        exec::tell_of_gone(now, (&shared.keyspace, &shared.table), &mut turn);
        drop(turn);
        self.wants = Wants::default();
        self.full = ReactorSet::default();
    }

    /// The limit may have been lowered.
    fn limit_tracked(&mut self) {
        let shared = Rc::clone(&self.shared);
        let mut turn = Turn::new(self, &shared, u32::MAX);
        tracking::limit(&mut turn, &shared.keyspace, FORGOTTEN_PER_TICK_MAX);
        drop(turn);
        self.wants = Wants::default();
        self.full = ReactorSet::default();
    }

    /// After about a second without work: gives back what the last rush took.
    fn rest_if_quiet(&mut self) {
        // The tick itself ends one turn.
        if 1 < std::mem::take(&mut self.n_turns) {
            self.n_quiet_ticks = 0;
            return;
        }
        self.n_quiet_ticks = self.n_quiet_ticks.saturating_add(1);
        if self.n_quiet_ticks == QUIET_TICKS {
            self.pool = BufferPool::default();
            self.press = Press::default();
            if let Some(hook) = &self.shared.hooks.idle {
                hook();
            }
        }
    }

    /// Sends what waits; returns whether that was all.
    pub(super) fn flush_all(&mut self) -> bool {
        let waiting: Vec<u32> = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.socket.is_some() && conn.outbox.n_bytes() != 0)
            .filter_map(|(slot, _)| u32::try_from(slot).ok())
            .collect();
        waiting.iter().for_each(|slot| self.flush(*slot));
        waiting.into_iter().all(|slot| self.conn(slot).is_none_or(|it| it.outbox.n_bytes() == 0))
    }

    /// Closes everything, after one more attempt to send what waits.
    pub(super) fn close_all(&mut self) {
        let slots: Vec<u32> =
            self.conns.iter().filter_map(|(slot, _)| u32::try_from(slot).ok()).collect();
        for slot in slots {
            self.flush(slot);
            self.close(slot);
        }
    }
}
