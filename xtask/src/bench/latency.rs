//! Latency at a fixed rate: an open loop, measured from when each message was due.
//!
//! A generator that waits for a slow server sends less and measures less of the slowness; here a
//! late message counts from the moment it should have been sent.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};

use super::client::PATIENCE;

/// One publisher that sends `command` at `rate` per second.
pub(super) struct OpenLoop {
    pub(super) publisher: TcpStream,
    pub(super) subscribers: Vec<TcpStream>,
    pub(super) command: Vec<u8>,
    /// Bytes that each subscriber gets per message.
    pub(super) frame_len: u64,
    pub(super) rate: f64,
}

impl OpenLoop {
    /// Publishes for `duration` and gives the latency of each delivery in nanoseconds.
    pub(super) fn run(&mut self, duration: Duration) -> Result<Histogram<u64>> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &self.publisher, EventData::new_u64(PUBLISHER), EventFlags::IN)?;
        for (n, subscriber) in self.subscribers.iter().enumerate() {
            epoll::add(&epoll, subscriber, EventData::new_u64(n as u64), EventFlags::IN)?;
        }
        let mut latencies = Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?;
        let mut received = vec![0; self.subscribers.len()];
        let mut events = Vec::with_capacity(1024);
        let mut scratch = vec![0; 1024 * 1024];
        let schedule = Schedule::new(self.rate, duration);
        let (mut n_sent, mut n_delivered) = (0, 0);
        let n_expected = schedule.n_messages * self.subscribers.len() as u64;
        while n_delivered < n_expected {
            let n_due = schedule.n_due();
            if n_due > n_sent {
                let n_late = usize::try_from(n_due - n_sent)?;
                self.publisher.write_all(&self.command.repeat(n_late))?;
                n_sent = n_due;
            }
            events.clear();
            epoll::wait(&epoll, spare_capacity(&mut events), Some(&Timespec::default()))?;
            if events.is_empty() && schedule.is_overdue() {
                bail!("{} of {n_expected} deliveries are missing", n_expected - n_delivered);
            }
            for event in &events {
                let token = event.data.u64();
                if token == PUBLISHER {
                    if self.publisher.read(&mut scratch)? == 0 {
                        bail!("the server closed the publisher's connection");
                    }
                    continue;
                }
                let n = usize::try_from(token)?;
                let subscriber = self.subscribers.get_mut(n).context("no such subscriber")?;
                let n_bytes = received.get_mut(n).context("no such subscriber")?;
                let first = *n_bytes / self.frame_len;
                match subscriber.read(&mut scratch)? {
                    0 => bail!("the server closed a connection"),
                    n_read => *n_bytes += n_read as u64,
                }
                let now = schedule.start.elapsed();
                for message in first..*n_bytes / self.frame_len {
                    let latency = now.saturating_sub(schedule.due(message));
                    latencies.saturating_record(u64::try_from(latency.as_nanos())?);
                    n_delivered += 1;
                }
            }
        }
        Ok(latencies)
    }
}

const PUBLISHER: u64 = u64::MAX;

/// When each message is due.
struct Schedule {
    start: Instant,
    rate: f64,
    n_messages: u64,
}

impl Schedule {
    fn new(rate: f64, duration: Duration) -> Self {
        let n_messages = whole(rate * duration.as_secs_f64()).max(1);
        Self { start: Instant::now(), rate, n_messages }
    }

    fn due(&self, message: u64) -> Duration {
        Duration::from_secs_f64(message as f64 / self.rate)
    }

    fn n_due(&self) -> u64 {
        (whole(self.start.elapsed().as_secs_f64() * self.rate) + 1).min(self.n_messages)
    }

    fn is_overdue(&self) -> bool {
        self.start.elapsed() > self.due(self.n_messages) + PATIENCE
    }
}

#[expect(clippy::cast_possible_truncation, reason = "counts of messages, far below 2^53")]
fn whole(count: f64) -> u64 {
    count as u64
}
