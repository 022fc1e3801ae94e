//! When to ask the peer for a sign of life, and when to give it up. Pure: time is an argument.

use std::time::{Duration, Instant};

/// The rhythm of one connection's heartbeat.
///
/// Bytes from the peer are life. After `interval` of silence a ping is due; `deadline` after that
/// without a single byte, the peer is dead, however alive its TCP connection looks.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    deadline: Duration,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Quiet {
        since: Instant,
    },
    Waiting {
        since: Instant,
    },
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
        Self { interval, deadline, phase: Phase::Quiet { since: now } }
    }

    /// Bytes have arrived.
    pub(crate) fn handle_read(&mut self, now: Instant) {
        self.phase = Phase::Quiet { since: now };
    }

    /// Reading stops (a full queue holds the socket back) or goes on.
    pub(crate) fn handle_pause(&mut self, paused: bool, now: Instant) {
        match (&self.phase, paused) {
            (Phase::Quiet { .. } | Phase::Waiting { .. }, true) => self.phase = Phase::Paused,
            (Phase::Paused, false) => self.phase = Phase::Quiet { since: now },
            (Phase::Quiet { .. } | Phase::Waiting { .. }, false) | (Phase::Paused, true) => {}
        }
    }

    /// Whether the peer's time to answer is over.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Waiting { since } => since + self.deadline <= now,
            Phase::Quiet { .. } | Phase::Paused => false,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Beat {
        match self.phase {
            Phase::Quiet { since } if since + self.interval <= now => {
                self.phase = Phase::Waiting { since: now };
                Beat::Ping
            }
            Phase::Waiting { .. } if self.is_overdue(now) => Beat::Dead,
            Phase::Quiet { .. } | Phase::Waiting { .. } | Phase::Paused => Beat::Nothing,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Quiet { since } => Some(since + self.interval),
            Phase::Waiting { since } => Some(since + self.deadline),
            Phase::Paused => None,
        }
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
    fn any_byte_is_life() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(5 * SECOND, 3 * SECOND, start);
        assert_eq!(heart.handle_timeout(start + 5 * SECOND), Beat::Ping);
        heart.handle_read(start + 6 * SECOND);
        assert_eq!(heart.handle_timeout(start + 9 * SECOND), Beat::Nothing);
        assert_eq!(heart.poll_timeout(), Some(start + 11 * SECOND));
    }

    #[test]
    fn a_paused_reader_judges_nobody() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(5 * SECOND, 3 * SECOND, start);
        heart.handle_pause(true, start);
        assert_eq!(heart.poll_timeout(), None);
        assert_eq!(heart.handle_timeout(start + 3600 * SECOND), Beat::Nothing);
        heart.handle_pause(false, start + 3600 * SECOND);
        assert_eq!(heart.handle_timeout(start + 3605 * SECOND), Beat::Ping);
    }
}
