//! When to ask the peer for a sign of life, and when to give it up. Pure: time is an argument.
//!
//! What is life? Not every byte. One bit that flips in the length of a value has the decoder wait
//! for hundreds of megabytes that never come, and every answer to a ping that trickles into that
//! value is a byte. So a *whole value* is life, whatever it is. A value of which a part has come
//! may also be large and the network slow: a ping is answered behind what was sent before it, and
//! that may take minutes. Such a value must come on, by [`PROGRESS_MIN`] bytes in every interval and
//! deadline, which is far more than the answers to the pings of that time, and far less than what any
//! network carries on which a large value is of use. Likewise a ping that has not left yet because a
//! large request is ahead of it: as long as that is taken by the network at this rate, nobody is
//! late.
//!
//! So whatever happens, a connection on which no value gets whole is given up after the interval
//! and the deadline, or it moves bytes. In the second case it is another rule, that of
//! [`Echo`](crate::connection::echo::Echo), which tells a large value from a wrong length: there
//! the pings of this one are looked for.

use std::time::{Duration, Instant};

/// Bytes of a value under way, in an interval and a deadline, that make it life.
const PROGRESS_MIN: usize = 1024;

/// The rhythm of one connection's heartbeat.
///
/// Every `interval` the peer is pinged, however much it says: its answer also tells that the two
/// still understand each other. If there was no sign of life for `interval` and `deadline`, and for
/// `deadline` after a ping, the peer is dead, however alive its TCP connection looks.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    deadline: Duration,
    phase: Phase,
    /// When the next ping is due.
    ping_at: Instant,
    /// When bytes last came.
    read_at: Instant,
    /// When those came that made a value whole.
    value_at: Instant,
    /// The last sign of life.
    alive_at: Instant,
}

#[derive(Debug)]
enum Phase {
    /// A value has come since the last ping.
    Quiet,
    /// None has come since then, but these bytes were moved.
    Waiting { since: Instant, n_bytes: usize },
    /// Nothing is read on purpose, so silence says nothing about the peer.
    Paused,
}

/// What a heartbeat asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing yet.
    Nothing,
    /// Send a ping now.
    Ping,
    /// The peer did not answer in time.
    Dead,
}

impl Heartbeat {
    pub(crate) fn new(interval: Duration, deadline: Duration, now: Instant) -> Self {
        Self {
            interval,
            deadline,
            phase: Phase::Quiet,
            ping_at: now + interval,
            read_at: now,
            value_at: now,
            alive_at: now,
        }
    }

    /// Bytes have arrived.
    pub(crate) fn handle_read(&mut self, n_bytes: usize, now: Instant) {
        self.read_at = now;
        self.handle_progress(n_bytes);
    }

    /// Bytes have moved without which a ping can not be answered.
    pub(crate) fn handle_progress(&mut self, n: usize) {
        if let Phase::Waiting { n_bytes, .. } = &mut self.phase {
            *n_bytes = n_bytes.saturating_add(n);
        }
    }

    /// What has arrived made a value whole.
    pub(crate) fn handle_value(&mut self) {
        self.value_at = self.read_at;
        self.alive_at = self.alive_at.max(self.read_at);
        if let Phase::Waiting { .. } = self.phase {
            self.phase = Phase::Quiet;
        }
    }

    /// Reading stops (a full queue holds the socket back) or goes on.
    pub(crate) fn handle_pause(&mut self, paused: bool, now: Instant) {
        match (&self.phase, paused) {
            (Phase::Quiet | Phase::Waiting { .. }, true) => self.phase = Phase::Paused,
            (Phase::Paused, false) => {
                self.phase = Phase::Quiet;
                self.ping_at = now + self.interval;
            }
            (Phase::Quiet | Phase::Waiting { .. }, false) | (Phase::Paused, true) => {}
        }
    }

    /// Whether the peer's time to answer is over.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Waiting { since, n_bytes } => {
                n_bytes < PROGRESS_MIN && self.judged_at(since) <= now
            }
            Phase::Quiet | Phase::Paused => false,
        }
    }

    /// When a peer that was asked at `since` must have said something.
    fn judged_at(&self, since: Instant) -> Instant {
        // Who is always busy is asked in the middle of its silence.
        (since + self.deadline).max(self.alive_at + self.interval + self.deadline)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Beat {
        if self.is_overdue(now) {
            return Beat::Dead;
        }
        match self.phase {
            Phase::Paused => return Beat::Nothing,
            Phase::Waiting { since, .. } if self.judged_at(since) <= now => {
                // Something large comes on.
                self.phase = Phase::Waiting { since: now, n_bytes: 0 };
                self.alive_at = now;
            }
            Phase::Quiet | Phase::Waiting { .. } => {}
        }
        if now < self.ping_at {
            return Beat::Nothing;
        }
        self.ping_at = now + self.interval;
        if let Phase::Quiet = self.phase {
            self.phase = Phase::Waiting { since: now, n_bytes: 0 };
        }
        Beat::Ping
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Quiet => Some(self.ping_at),
            Phase::Waiting { since, .. } => Some(self.ping_at.min(self.judged_at(since))),
            Phase::Paused => None,
        }
    }

    /// When the bytes came that made the last value whole.
    pub(crate) fn value_at(&self) -> Instant {
        self.value_at
    }

    /// The last sign of life: a whole value, or enough of one that is under way.
    pub(crate) fn alive_at(&self) -> Instant {
        self.alive_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn silence_is_pinged_and_then_dead() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(5 * SECOND, 3 * SECOND, start);
        assert_eq!(heart.handle_timeout(start + 4 * SECOND), Beat::Nothing);
        assert_eq!(heart.handle_timeout(start + 5 * SECOND), Beat::Ping);
        assert_eq!(heart.poll_timeout(), Some(start + 8 * SECOND));
        assert_eq!(heart.handle_timeout(start + 7 * SECOND), Beat::Nothing);
        assert!(!heart.is_overdue(start + 7 * SECOND) && heart.is_overdue(start + 8 * SECOND));
        assert_eq!(heart.handle_timeout(start + 8 * SECOND), Beat::Dead);
    }

    #[test]
    fn a_whole_value_is_life_and_a_ping_comes_all_the_same() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(5 * SECOND, 3 * SECOND, start);
        for second in 1..60 {
            let at = start + second * SECOND;
            let beat = if second % 5 == 0 { Beat::Ping } else { Beat::Nothing };
            assert_eq!(heart.handle_timeout(at), beat, "{second}");
            heart.handle_read(1, at);
            heart.handle_value();
            assert_eq!((heart.value_at(), heart.alive_at()), (at, at));
        }
    }

    #[test]
    fn what_trickles_and_makes_nothing_whole_is_no_life() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(5 * SECOND, 3 * SECOND, start);
        assert_eq!(heart.handle_timeout(start + 5 * SECOND), Beat::Ping);
        heart.handle_read(PROGRESS_MIN - 1, start + 6 * SECOND);
        assert_eq!(heart.handle_timeout(start + 8 * SECOND), Beat::Dead);
        assert_eq!(heart.alive_at(), start);
    }

    #[test]
    fn what_comes_on_is_life_as_long_as_it_does() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(5 * SECOND, 3 * SECOND, start);
        assert_eq!(heart.handle_timeout(start + 5 * SECOND), Beat::Ping);
        for second in 6..60 {
            heart.handle_read(PROGRESS_MIN / 2, start + second * SECOND);
            assert_ne!(heart.handle_timeout(start + second * SECOND), Beat::Dead, "{second}");
        }
        assert_eq!(heart.alive_at(), start + 56 * SECOND);
        assert_eq!(heart.value_at(), start);
        assert_ne!(heart.handle_timeout(start + 64 * SECOND), Beat::Dead);
        assert_ne!(heart.handle_timeout(start + 71 * SECOND), Beat::Dead);
        assert_eq!(heart.handle_timeout(start + 72 * SECOND), Beat::Dead);
    }

    #[test]
    fn silence_is_as_long_whenever_the_ping_came() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(5 * SECOND, 3 * SECOND, start);
        heart.handle_read(1, start + 4 * SECOND);
        heart.handle_value();
        assert_eq!(heart.handle_timeout(start + 5 * SECOND), Beat::Ping);
        assert_eq!(heart.handle_timeout(start + 8 * SECOND), Beat::Nothing);
        assert_eq!(heart.handle_timeout(start + 10 * SECOND), Beat::Ping);
        assert_eq!(heart.poll_timeout(), Some(start + 12 * SECOND));
        assert_eq!(heart.handle_timeout(start + 12 * SECOND), Beat::Dead);
    }

    #[test]
    fn a_paused_reader_judges_nobody() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(5 * SECOND, 3 * SECOND, start);
        heart.handle_pause(true, start);
        assert_eq!(heart.poll_timeout(), None);
        assert_eq!(heart.handle_timeout(start + 3600 * SECOND), Beat::Nothing);
        heart.handle_pause(false, start + 3600 * SECOND);
        assert_eq!(heart.handle_timeout(start + 3604 * SECOND), Beat::Nothing);
        assert_eq!(heart.handle_timeout(start + 3605 * SECOND), Beat::Ping);
    }
}
