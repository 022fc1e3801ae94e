//! From outboxes to sockets, and what happens to those who do not read.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::input::UNREAD_BYTES_MAX;
use super::state::Reactor;
use crate::client::flag;
use crate::config::BufferLimit;

impl Reactor {
    pub(super) fn flush_dirty(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for slot in dirty.drain(..).rev() {
            if let Some(conn) = self.conns.get_mut(slot as usize) {
                conn.dirty = false;
                if !conn.blocked {
                    self.flush(slot);
                }
            }
        }
        if self.dirty.is_empty() {
            // Keeps its memory for the next turn.
            self.dirty = dirty;
        }
    }

    /// Writes what the socket takes.
    pub(super) fn flush(&mut self, slot: u32) {
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        let Some(socket) = &conn.socket else { return };
        if conn.holds_back() {
            return;
        }
        let mut n_sent = 0;
        let n_waiting = conn.outbox.n_bytes() as u64;
        let flushed = conn.outbox.write_to(&mut self.pool, socket, &mut n_sent);
        let (closing, reads) = (conn.closing, conn.reads);
        if let Some(stats) = self.shared.stats.get(usize::from(self.id.0)) {
            stats.n_writes.add(1);
            stats.n_bytes_written.add(n_sent);
            stats.output_bytes_peak.raise_to(n_waiting);
        }
        match flushed {
            Ok(true) => {
                if std::mem::take(&mut conn.blocked) {
                    self.n_blocked = self.n_blocked.saturating_sub(1);
                    conn.note_unsent();
                }
                conn.over_soft_since_ms = None;
                if let Some(waker) = conn.waker.as_ref().filter(|_| conn.resumed) {
                    // Requests wait for this.
                    waker.wake_by_ref();
                }
                if closing {
                    self.doom(slot);
                }
                if reads {
                    self.queue_reader(slot);
                }
            }
            Ok(false) => {
                let was_blocked = std::mem::replace(&mut conn.blocked, true);
                if !was_blocked {
                    self.n_blocked += 1;
                    conn.outbox.settle_last(&mut self.pool);
                    conn.note_unsent();
                    if let Some(waker) = &conn.waker {
                        waker.wake_by_ref();
                    }
                }
                if reads {
                    self.queue_reader(slot);
                }
                self.check_output_limit(slot);
            }
            Err(error) => {
                tracing::debug!(%error, slot, "failed to write");
                self.close(slot);
            }
        }
    }

    pub(super) fn close_overflowing(&mut self) {
        let mut overflowing = std::mem::take(&mut self.overflowing);
        overflowing.sort_unstable();
        overflowing.dedup();
        for slot in overflowing {
            // The socket may take it all: a limit is about who does not read.
            if self.conn(slot).is_some_and(|it| !it.blocked) {
                self.flush(slot);
            }
            self.check_output_limit(slot);
        }
    }

    /// Applies `client-output-buffer-limit`.
    pub(super) fn check_output_limit(&mut self, slot: u32) {
        let uptime_ms = self.shared.uptime_ms();
        let limits = self.live.output;
        let Some(conn) = self.conn(slot) else { return };
        let n_bytes = conn.outbox.n_bytes();
        let (class, limit) = if conn.is_subscribed() {
            ("pubsub", limits.pubsub)
        } else {
            ("normal", limits.normal)
        };
        let BufferLimit { hard_bytes, soft_bytes, soft_seconds } = limit;
        let over = |max: u64| max != 0 && max < n_bytes as u64;
        let over_soft_for_ms = if over(soft_bytes) {
            uptime_ms - *conn.over_soft_since_ms.get_or_insert(uptime_ms)
        } else {
            conn.over_soft_since_ms = None;
            0
        };
        // What a monitor is shown, and what one that holds copies is told, was not asked for one by one, so not reading
        // from it bounds nothing.
        let is_monitor = conn.facts.seen.flags.load(Ordering::Relaxed) & flag::MONITOR != 0;
        let is_told = is_monitor || conn.facts.tracker().is_some();
        let over_unasked = is_told && UNREAD_BYTES_MAX < n_bytes;
        let why = if over(hard_bytes) || over_unasked {
            "hard"
        } else if u64::from(soft_seconds) * 1000 < over_soft_for_ms {
            "soft"
        } else {
            return;
        };
        let facts = Arc::clone(&conn.facts);
        conn.facts.seen.flags.fetch_or(flag::CLOSE_AFTER_REPLY, Ordering::Relaxed);
        tracing::warn!(
            client = facts.id,
            addr = facts.addr,
            class,
            limit = why,
            unsent_bytes = n_bytes,
            "client closed: it does not read as fast as it is sent to; see client-output-buffer-limit"
        );
        if let Some(stats) = self.stats() {
            stats.n_output_kills.add(1);
            stats.n_output_bytes_lost.add(n_bytes as u64);
        }
        self.close(slot);
    }
}
