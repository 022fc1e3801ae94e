//! Waiting for whoever has something to read: level-triggered epoll.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::client::PATIENCE;

/// Connections that are waited for.
pub(super) struct Poll {
    epoll: OwnedFd,
}

impl Poll {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    /// Waits for `stream` from now on, whose events bear its `token`.
    pub(super) fn add(&self, stream: &TcpStream, token: usize) -> Result<()> {
        let token = EventData::new_u64(token as u64);
        Ok(epoll::add(&self.epoll, stream, token, EventFlags::IN)?)
    }

    /// Polls until something is readable and tells how long that took; `events` stay empty if the
    /// server is silent for too long.
    ///
    /// It does not sleep: to wake a sleeper on an idle processor costs the *server* more than the
    /// write itself, and differently from run to run.
    pub(super) fn spin(&self, events: &mut Vec<Event>) -> Result<Duration> {
        self.wait(events, Duration::ZERO)?;
        if !events.is_empty() {
            return Ok(Duration::ZERO);
        }
        let start = Instant::now();
        while events.is_empty() && start.elapsed() < PATIENCE {
            self.wait(events, Duration::ZERO)?;
        }
        Ok(start.elapsed())
    }

    /// Waits once, for `patience` at most.
    pub(super) fn wait(&self, events: &mut Vec<Event>, patience: Duration) -> Result<()> {
        events.clear();
        let timeout = Timespec::try_from(patience)?;
        epoll::wait(&self.epoll, spare_capacity(events), Some(&timeout))?;
        Ok(())
    }
}
